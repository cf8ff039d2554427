/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables: one row of `kinds` per type does the reading, and the same reader takes defaults.
 *
 * Errors do not repeat the value that was wrong: the caret shows what the file says, and what was filled in for
 * `${env:…}` must not be shown at all. */
#include "engine/base/opt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/path.h"

/* One value on its way into a field. `conf` is NULL for defaults. */
struct opt_value {
    const struct opt *opt;
    const struct conf *conf;
    struct span at; /* of the value; of defaults, the place of the map */
    const char *text;
    size_t len;
    void *field;
};

/* Store the value; false with the reason in `why` (a clause that follows the option's name). */
typedef bool opt_reader(const struct opt_value *v, struct err *why);

static bool wrong(struct err *why, enum err_code code, const char *clause)
{
    err_set(why, code, "%s", clause);
    return false;
}

/* --- numbers --- */

struct unit {
    const char *suffix;
    int64_t factor;
};

/* The first row is that of a bare number; larger units last, so that the range is printed with the largest that fits. */
static const struct unit plain_units[] = { { "", 1 } };
static const struct unit duration_units[] = {
    { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
static const struct unit size_units[] = {
    { "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
};

struct units {
    const struct unit *rows;
    size_t count;
};

static struct units units_of(enum opt_type type)
{
    if (type == OPT_DURATION)
        return (struct units) { duration_units, sizeof(duration_units) / sizeof(duration_units[0]) };
    if (type == OPT_SIZE)
        return (struct units) { size_units, sizeof(size_units) / sizeof(size_units[0]) };
    return (struct units) { plain_units, 1 };
}

static bool unit_factor(struct units units, const char *suffix, size_t len, int64_t *factor)
{
    for (size_t i = 0; i < units.count; i++) {
        if (strlen(units.rows[i].suffix) == len && memcmp(units.rows[i].suffix, suffix, len) == 0) {
            *factor = units.rows[i].factor;
            return true;
        }
    }
    return false;
}

enum number_state { NUMBER_OK, NUMBER_MALFORMED, NUMBER_TOO_LARGE };

/* [-] digits [unit] */
static enum number_state parse_number(const char *s, size_t len, struct units units, int64_t *v)
{
    size_t i = len > 0 && s[0] == '-' ? 1 : 0, start = i;
    bool negative = i > 0, overflow = false;
    int64_t n = 0, factor;
    for (; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
        overflow = overflow || __builtin_mul_overflow(n, 10, &n);
        overflow = overflow || __builtin_sub_overflow(n, s[i] - '0', &n); /* negative: its range is the larger */
    }
    if (i == start || !unit_factor(units, s + i, len - i, &factor))
        return NUMBER_MALFORMED;
    if (!negative)
        overflow = overflow || __builtin_sub_overflow((int64_t)0, n, &n);
    overflow = overflow || __builtin_mul_overflow(n, factor, &n);
    *v = n;
    return overflow ? NUMBER_TOO_LARGE : NUMBER_OK;
}

/* A number as an option writes it: with the largest unit that divides it. */
static void print_number(char *out, size_t size, enum opt_type type, int64_t v)
{
    struct units units = units_of(type);
    const struct unit *best = NULL;
    for (size_t i = 0; i < units.count; i++) {
        bool exact = v % units.rows[i].factor == 0 && v != 0;
        if (units.rows[i].suffix[0] && exact && (!best || units.rows[i].factor > best->factor))
            best = &units.rows[i];
    }
    snprintf(out, size, "%lld%s", (long long)(best ? v / best->factor : v), best ? best->suffix : "");
}

static bool any_range(const struct opt *opt)
{
    return opt->min == 0 && (opt->max == 0 || opt->max == INT64_MAX);
}

static void number_range(const struct opt *opt, char *out, size_t size)
{
    char min[32], max[32];
    print_number(min, sizeof(min), opt->type, opt->min);
    print_number(max, sizeof(max), opt->type, opt->max);
    if (any_range(opt))
        snprintf(out, size, "must not be negative");
    else if (opt->max == INT64_MAX)
        snprintf(out, size, "must be at least %s", min);
    else
        snprintf(out, size, "must be between %s and %s", min, max);
}

static bool in_range(const struct opt *opt, int64_t v)
{
    return any_range(opt) ? v >= 0 : v >= opt->min && v <= opt->max;
}

static const char *number_form(enum opt_type type)
{
    if (type == OPT_DURATION)
        return "must be a duration such as 250ms, 2s, 5m, 1h or 1d";
    return type == OPT_SIZE ? "must be a size such as 512, 64k, 16M or 1G" : "must be a whole number";
}

static bool read_number(const struct opt_value *v, struct err *why)
{
    int64_t n = 0;
    enum number_state state = parse_number(v->text, v->len, units_of(v->opt->type), &n);
    if (state == NUMBER_MALFORMED)
        return wrong(why, ERR_CONF_TYPE, number_form(v->opt->type));
    if (v->conf && (state == NUMBER_TOO_LARGE || !in_range(v->opt, n))) {
        char range[100];
        number_range(v->opt, range, sizeof(range));
        return wrong(why, ERR_CONF_VALUE, state == NUMBER_TOO_LARGE ? "is out of range" : range);
    }
    *(int64_t *)v->field = n;
    return true;
}

/* --- other scalars --- */

static bool read_text(const struct opt_value *v, struct err *why)
{
    if (memchr(v->text, '\0', v->len))
        return wrong(why, ERR_CONF_VALUE, "cannot hold a NUL character");
    char *copy = strndup(v->text, v->len);
    if (!copy)
        return wrong(why, ERR_MEMORY, "could not be stored: not enough memory");
    *(char **)v->field = copy;
    return true;
}

static bool read_path(const struct opt_value *v, struct err *why)
{
    char *path, *folder;
    if (!read_text(v, why))
        return false;
    path = *(char **)v->field;
    if (!v->at.src || !path[0] || strcmp(path, "-") == 0)
        return true;
    folder = path_folder(v->at.src->name);
    *(char **)v->field = folder ? path_below(folder, path) : NULL;
    free(folder);
    free(path);
    return *(char **)v->field || wrong(why, ERR_MEMORY, "could not be stored: not enough memory");
}

static bool read_bool(const struct opt_value *v, struct err *why)
{
    bool yes = strcmp(v->text, "true") == 0;
    if (!yes && strcmp(v->text, "false") != 0)
        return wrong(why, ERR_CONF_TYPE, "must be true or false");
    *(bool *)v->field = yes;
    return true;
}

static size_t choice_count(const struct opt *opt)
{
    size_t n = 0;
    while (opt->choices[n])
        n++;
    return n;
}

static bool read_choice(const struct opt_value *v, struct err *why)
{
    size_t count = choice_count(v->opt);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(v->text, v->opt->choices[i]) == 0) {
            *(int *)v->field = (int)i;
            return true;
        }
    }
    struct buf list;
    buf_init(&list, sizeof(why->text));
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s\"%s\"", i == 0 ? "" : i + 1 < count ? ", " : " or ", v->opt->choices[i]);
    err_set(why, ERR_CONF_VALUE, count > 1 ? "must be one of %s" : "must be %s", list.failed ? "its choices" : list.p);
    buf_clear(&list);
    const char *near = nearest_word(v->text, v->len, v->opt->choices, count);
    if (near)
        err_hint(why, "did you mean \"%s\"?", near);
    return false;
}

static bool read_conf(const struct opt_value *v, struct err *why)
{
    (void)why;
    *(const struct conf **)v->field = v->conf;
    return true;
}

static const struct {
    const char *name; /* in help texts */
    opt_reader *read;
    bool scalar, has_default;
} kinds[] = {
    [OPT_TEXT] = { "text", read_text, true, true },           [OPT_PATH] = { "path", read_path, true, true },
    [OPT_INT] = { "number", read_number, true, true },        [OPT_BOOL] = { "true|false", read_bool, true, true },
    [OPT_DURATION] = { "duration", read_number, true, true }, [OPT_SIZE] = { "size", read_number, true, true },
    [OPT_CHOICE] = { NULL, read_choice, true, true },         [OPT_TEMPLATE] = { "template", read_conf, true, false },
    [OPT_CONF] = { "structure", read_conf, false, false },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == OPT_TYPE_COUNT, "every option type has a row");

/* --- reading a map --- */

static void read_default(const struct opt *opt, void *field, struct span at, struct errs *errs)
{
    if (!opt->def || opt->ignored)
        return;
    assert(kinds[opt->type].has_default);
    struct err why = { 0 };
    struct opt_value v = { .opt = opt, .at = at, .text = opt->def, .len = strlen(opt->def), .field = field };
    bool ok = kinds[opt->type].read(&v, &why);
    assert(ok || why.code == ERR_MEMORY); /* defaults are ours, so they are right */
    if (!ok)
        errs_add(errs, SEV_ERROR, why.code, at, "\"%s\" %s", opt->name, why.text);
}

/* The error about an unusable scalar once more, so that every reader counts it; errs_sort drops repeats. */
static void repeat_error(const struct conf *c, struct errs *errs)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct err found = errs->items[i];
        bool here = found.at.src == c->at.src && found.at.off >= c->at.off && found.at.off <= c->at.off + c->at.len;
        if (here && found.severity == SEV_ERROR) {
            errs_take(errs, &found);
            return;
        }
    }
    errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "this is not usable"); /* the list is full */
}

static void read_given(const struct opt *opt, const struct conf *c, void *field, struct errs *errs)
{
    if (c->unusable) {
        repeat_error(c, errs);
        return;
    }
    if (kinds[opt->type].scalar && c->kind != CONF_SCALAR) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at, "\"%s\" must be a text or a number, not a %s", opt->name,
                 conf_kind_name(c));
        return;
    }
    struct err why = { 0 };
    struct opt_value v = { .opt = opt, .conf = c, .at = c->at, .text = c->text, .len = c->len, .field = field };
    if (kinds[opt->type].read(&v, &why))
        return;
    struct err *e = errs_add(errs, SEV_ERROR, why.code, c->at, "\"%s\" %s", opt->name, why.text);
    if (why.hint[0])
        err_hint(e, "%s", why.hint);
}

static void read_option(const struct opt *opt, const struct conf *map, const char *what, struct span at, void *obj,
                        struct errs *errs)
{
    const struct conf *c = conf_get(map, opt->name);
    void *field = (char *)obj + opt->offset;
    if (c && opt->type != OPT_CONF && conf_is_null(c))
        c = NULL;
    if (c && !opt->ignored)
        read_given(opt, c, field, errs);
    else if (!c && opt->required)
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, at, "%s needs the option \"%s\"", what, opt->name);
    else if (!c)
        read_default(opt, field, at, errs);
}

static bool is_known(const struct opt *table, size_t count, const struct conf *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, key->text) == 0)
            return true;
    }
    return false;
}

static void report_unknown(const struct opt *table, size_t count, const struct conf *key, const char *what,
                           struct errs *errs)
{
    int len = key->len < 100 ? (int)key->len : 100;
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_KEY, key->at, "unknown option \"%.*s\" of %s", len, key->text, what);
    const char *near = NULL;
    const char **names = malloc(count * sizeof(*names) + 1);
    for (size_t i = 0; names && i < count; i++)
        names[i] = table[i].name;
    if (names)
        near = nearest_word(key->text, key->len, names, count);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    free(names);
}

int opt_read_with(const struct opt *table, size_t count, const struct conf *map, const char *what, struct span at,
                  void *obj, opt_other *other, void *ctx, struct errs *errs)
{
    size_t errors = errs->errors;
    if (map && map->unusable) {
        repeat_error(map, errs);
        return -1;
    }
    if (map && conf_is_null(map))
        map = NULL;
    if (map && map->kind != CONF_MAP) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, map->at, "the options of %s must be a map, not a %s", what,
                 conf_kind_name(map));
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        read_option(&table[i], map, what, at, obj, errs);
    for (size_t i = 0; map && i < map->count; i++) {
        if (map->keys[i]->unusable)
            repeat_error(map->keys[i], errs);
        else if (is_known(table, count, map->keys[i]))
            continue;
        else if (other)
            other(ctx, map->keys[i], map->items[i], errs);
        else
            report_unknown(table, count, map->keys[i], what, errs);
    }
    return errs->errors > errors ? -1 : 0;
}

int opt_read(const struct opt *table, size_t count, const struct conf *map, const char *what, struct span at, void *obj,
             struct errs *errs)
{
    return opt_read_with(table, count, map, what, at, obj, NULL, NULL, errs);
}

void opt_free(const struct opt *table, size_t count, void *obj)
{
    for (size_t i = 0; i < count; i++) {
        bool owned = table[i].type == OPT_TEXT || table[i].type == OPT_PATH;
        if (!owned || table[i].ignored)
            continue;
        char **field = (char **)((char *)obj + table[i].offset);
        free(*field);
        *field = NULL;
    }
}

/* --- help --- */

static void print_type(const struct opt *opt, struct buf *out)
{
    if (opt->type != OPT_CHOICE) {
        buf_puts(out, kinds[opt->type].name);
        return;
    }
    for (size_t i = 0; opt->choices[i]; i++)
        buf_printf(out, "%s%s", i ? "|" : "", opt->choices[i]);
}

/* What stands in parentheses behind the help text; empty if there is nothing to say. */
static void print_notes(const struct opt *opt, struct buf *out)
{
    bool number = opt->type == OPT_INT || opt->type == OPT_DURATION || opt->type == OPT_SIZE;
    if (opt->required)
        buf_puts(out, "required");
    else if (opt->def && !opt->ignored)
        buf_printf(out, "default %s", opt->def[0] ? opt->def : "\"\"");
    if (opt->ignored || !number || any_range(opt))
        return;
    char min[32], max[32];
    print_number(min, sizeof(min), opt->type, opt->min);
    print_number(max, sizeof(max), opt->type, opt->max);
    if (out->len)
        buf_puts(out, ", ");
    if (opt->max == INT64_MAX)
        buf_printf(out, "at least %s", min);
    else
        buf_printf(out, "%s to %s", min, max);
}

static size_t widest(const struct opt *table, size_t count, void (*print)(const struct opt *, struct buf *))
{
    struct buf b;
    buf_init(&b, 1024);
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        buf_reset(&b);
        print(&table[i], &b);
        width = b.len > width ? b.len : width;
    }
    buf_clear(&b);
    return width;
}

static void print_name(const struct opt *opt, struct buf *out)
{
    buf_puts(out, opt->name);
}

static void pad(struct buf *out, size_t start, size_t width)
{
    while (!out->failed && out->len - start < width)
        buf_putc(out, ' ');
}

void opt_help(const struct opt *table, size_t count, struct buf *out)
{
    size_t name_width = widest(table, count, print_name), type_width = widest(table, count, print_type);
    struct buf notes;
    buf_init(&notes, 1024);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, "  ");
        size_t start = out->len;
        print_name(&table[i], out);
        pad(out, start, name_width + 2);
        start = out->len;
        print_type(&table[i], out);
        pad(out, start, type_width + 2);
        buf_puts(out, table[i].help ? table[i].help : "");
        buf_reset(&notes);
        print_notes(&table[i], &notes);
        if (notes.len)
            buf_printf(out, " (%s)", notes.p);
        buf_putc(out, '\n');
    }
    buf_clear(&notes);
}
