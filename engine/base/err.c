/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and lists of errors. Printing is in err_print.c.
 *
 * An error is a value of fixed size on the caller's stack, so that reporting one needs no memory; texts that are too long
 * are cut at a character. A list keeps a reference to every text its errors point into, since it outlives the objects. */
#include "engine/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[] = {
    [ERR_NONE] = "none",
    [ERR_MEMORY] = "memory",
    [ERR_LIMIT] = "limit",
    [ERR_IO] = "io",
    [ERR_UNREACHABLE] = "unreachable",
    [ERR_REFUSED] = "refused",
    [ERR_JSON_SYNTAX] = "json_syntax",
    [ERR_YAML_SYNTAX] = "yaml_syntax",
    [ERR_CONF_KEY] = "conf_key",
    [ERR_CONF_TYPE] = "conf_type",
    [ERR_CONF_VALUE] = "conf_value",
    [ERR_CONF_MISSING] = "conf_missing",
    [ERR_CONF_NAME] = "conf_name",
    [ERR_SQL_TOKEN] = "sql_token",
    [ERR_SQL_SYNTAX] = "sql_syntax",
    [ERR_SQL_NAME] = "sql_name",
    [ERR_SQL_VERSION] = "sql_version",
    [ERR_SQL_LIMIT] = "sql_limit",
    [ERR_SQL_VALUE] = "sql_value",
    [ERR_EVAL] = "eval",
    [ERR_TEMPLATE] = "template",
    [ERR_REJECTED] = "rejected",
    [ERR_USAGE] = "usage",
};
_Static_assert(sizeof(code_names) / sizeof(code_names[0]) == ERR_CODE_COUNT, "every error code has a name");

const char *err_code_name(enum err_code code)
{
    return (size_t)code < ERR_CODE_COUNT ? code_names[code] : "unknown";
}

/* Format into a field of fixed size; a text that does not fit is cut at a character and ends with "…". */
static void format_field(char *field, size_t size, const char *fmt, va_list ap)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    int n = vsnprintf(field, size, fmt, ap);
    if (n < 0)
        field[0] = '\0';
    if (n < 0 || (size_t)n < size)
        return;
    size_t keep = size - sizeof(ellipsis);
    while (keep > 0 && ((unsigned char)field[keep] & 0xC0) == 0x80)
        keep--;
    memcpy(field + keep, ellipsis, sizeof(ellipsis));
}

static void err_fill(struct err *e, enum err_code code, struct span at, const char *fmt, va_list ap)
{
    *e = (struct err) { .code = code, .at = at };
    format_field(e->text, sizeof(e->text), fmt, ap);
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e || e->code != ERR_NONE)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, code, (struct span) { 0 }, fmt, ap);
    va_end(ap);
    return -1;
}

int err_set_at(struct err *e, enum err_code code, struct span at, const char *fmt, ...)
{
    if (!e || e->code != ERR_NONE)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, code, at, fmt, ap);
    va_end(ap);
    return -1;
}

void err_hint(struct err *e, const char *fmt, ...)
{
    if (!e)
        return;
    va_list ap;
    va_start(ap, fmt);
    format_field(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
}

/* A place for one more, or NULL when the list is full or memory is short. */
static struct err *errs_slot(struct errs *list)
{
    if (list->count >= ERRS_MAX)
        return NULL;
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct err *items = realloc(list->items, cap * sizeof(*items));
        if (!items)
            return NULL;
        list->items = items;
        list->cap = cap;
    }
    return &list->items[list->count++];
}

static void errs_count(struct errs *list, enum severity severity)
{
    if (severity == SEV_ERROR)
        list->errors++;
    else if (severity == SEV_WARNING)
        list->warnings++;
}

struct err *errs_add(struct errs *list, enum severity severity, enum err_code code, struct span at, const char *fmt,
                     ...)
{
    static _Thread_local struct err scratch;
    struct err *e = errs_slot(list);
    if (e)
        src_ref(at.src);
    else
        e = &scratch;
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, code, at, fmt, ap);
    va_end(ap);
    e->severity = severity;
    errs_count(list, severity);
    return e;
}

void errs_take(struct errs *list, const struct err *e)
{
    struct err *slot = errs_slot(list);
    if (slot) {
        *slot = *e;
        src_ref(slot->at.src);
    }
    errs_count(list, e->severity);
}

int errs_refuse(struct errs *list, enum err_code code, struct span at, const char *text)
{
    errs_add(list, SEV_ERROR, code, at, "%s", text);
    return -1;
}

int errs_refuse_value(struct errs *list, const struct err *e, struct span at)
{
    struct err placed = *e;
    placed.code = e->code == ERR_TEMPLATE ? ERR_CONF_VALUE : e->code;
    placed.at = at;
    errs_take(list, &placed);
    return -1;
}

/* What errs_sort compares: the outermost text by its first appearance, the offset in it, the offset in the inner text
 * (for texts that do not map), and last the order of discovery. */
struct sort_key {
    size_t text;
    uint32_t outer_off, off;
    size_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    if (x->outer_off != y->outer_off)
        return x->outer_off < y->outer_off ? -1 : 1;
    if (x->off != y->off)
        return x->off < y->off ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void make_keys(const struct errs *list, struct sort_key *keys, const struct src **texts)
{
    for (size_t i = 0; i < list->count; i++) {
        struct span at = list->items[i].at;
        struct span outer = at.src ? src_outermost(at.src, at.off) : at;
        texts[i] = outer.src;
        size_t text = i;
        for (size_t j = 0; j < i && text == i; j++) {
            if (texts[j] == outer.src)
                text = keys[j].text;
        }
        keys[i] = (struct sort_key) { .text = text, .outer_off = outer.off, .off = at.off, .index = i };
    }
}

static bool same_said(const struct err *a, const struct err *b)
{
    return a->at.src && a->at.src == b->at.src && a->at.off == b->at.off && a->at.len == b->at.len &&
           a->severity == b->severity && strcmp(a->text, b->text) == 0;
}

/* Is the last of `count` sorted items said already, at the same place? */
static bool is_repeat(const struct err *items, size_t count)
{
    const struct err *last = &items[count - 1];
    for (size_t i = count - 1; i-- > 0 && items[i].at.src == last->at.src && items[i].at.off == last->at.off;) {
        if (same_said(&items[i], last))
            return true;
    }
    return false;
}

/* Two readers of one map (a source, and the connection made from its options) find the same mistake. */
static void drop_repeats(struct errs *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        list->items[kept] = list->items[i];
        if (!is_repeat(list->items, ++kept))
            continue;
        kept--;
        list->errors -= list->items[i].severity == SEV_ERROR;
        list->warnings -= list->items[i].severity == SEV_WARNING;
        src_unref(list->items[i].at.src);
    }
    list->count = kept;
}

void errs_sort(struct errs *list)
{
    if (list->count < 2)
        return;
    struct sort_key *keys = malloc(list->count * sizeof(*keys));
    const struct src **texts = malloc(list->count * sizeof(const struct src *));
    struct err *sorted = malloc(list->cap * sizeof(*sorted));
    if (!keys || !texts || !sorted)
        goto out; /* the order of discovery is still a fair one */
    make_keys(list, keys, texts);
    qsort(keys, list->count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = list->items[keys[i].index];
    free(list->items);
    list->items = sorted;
    sorted = NULL;
    drop_repeats(list);
out:
    free(sorted);
    free(texts);
    free(keys);
}

void errs_clear(struct errs *list)
{
    for (size_t i = 0; i < list->count; i++)
        src_unref(list->items[i].at.src);
    free(list->items);
    *list = (struct errs) { 0 };
}
