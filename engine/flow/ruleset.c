/* SPDX-License-Identifier: Apache-2.0 */
/* Ruleset: definitions in, compiled rules with opened actions, router and filters out.
 *
 * Nothing stops at the first mistake. If a rule's statement is broken, its actions are opened against a stand-in
 * statement, so that their templates and options are still checked; if an action's target is not to be had, its
 * options are checked by its table. What was opened on the way is closed again when the whole is refused. */
#include "engine/flow/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/opt.h"
#include "engine/flow/filters.h"
#include "engine/flow/rule_file.h"
#include "engine/flow/stats.h"

/* One compilation. */
struct compile {
    struct ruleset *rs;
    struct targets *targets;
    struct errs *errs;
    bool failed, memory_short;
    bool stands_in; /* the rule at hand has a stand-in statement */
};

/* What an action sees of its rule while it is opened. */
struct rule_host {
    struct act_host host; /* first: actions are given its address */
    struct sql_rule *sql;
    int *templates;
    size_t count;
};

static void no_memory(struct compile *c)
{
    if (!c->memory_short)
        errs_add(c->errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory to compile the rules");
    c->failed = c->memory_short = true;
}

/* ---- templates ---- */

static int host_template_add(struct act_host *host, const struct conf *scalar, struct errs *errs)
{
    struct rule_host *h = (struct rule_host *)host;
    if (scalar->kind != CONF_SCALAR) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, scalar->at, "a template must be a text, not a %s",
                 conf_kind_name(scalar));
        return -1;
    }
    int *grown = realloc(h->templates, (h->count + 1) * sizeof(*grown));
    struct src *src = grown ? conf_text_src(scalar) : NULL;
    if (grown)
        h->templates = grown;
    if (!src) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, scalar->at, "not enough memory to compile the template");
        return -1;
    }
    int index = sql_rule_add_template(h->sql, src, errs);
    src_unref(src);
    if (index < 0)
        return -1;
    h->templates[h->count] = index;
    return (int)h->count++;
}

static bool host_template_is_constant(struct act_host *host, int index)
{
    struct rule_host *h = (struct rule_host *)host;
    return index >= 0 && (size_t)index < h->count && sql_rule_template_is_constant(h->sql, h->templates[index]);
}

/* ---- actions ---- */

static void rule_action_clear(struct rule_action *a)
{
    if (a->action)
        a->target->type->action_close(a->action);
    free(a->templates);
    *a = (struct rule_action) { 0 };
}

/* The type of an action, or NULL after an error at its name. */
static const struct action_type *find_type(struct compile *c, const struct conf *name)
{
    const struct action_type *type = targets_type(c->targets, name->text);
    if (type)
        return type;
    struct err *e = errs_add(c->errs, SEV_ERROR, ERR_CONF_NAME, name->at, "unknown action \"%.80s\"", name->text);
    struct buf known;
    buf_init(&known, sizeof(e->hint));
    size_t count = 0;
    while (c->targets->types[count])
        count++;
    const char **names = malloc((count + 1) * sizeof(*names));
    for (size_t i = 0; names && i < count; i++) {
        names[i] = c->targets->types[i]->name;
        buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = nearest_word(name->text, name->len, names, names ? count : 0);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    else if (!known.failed && known.len)
        err_hint(e, "Known actions: %s.", known.p);
    buf_clear(&known);
    free(names);
    return NULL;
}

/* Compile the templates among an action's options, for their errors alone. */
static void check_templates(struct compile *c, struct sql_rule *sql, const struct action_type *type, const char *values)
{
    struct rule_host h = { .sql = sql };
    for (size_t i = 0; i < type->option_count; i++) {
        if (type->options[i].type != OPT_TEMPLATE || type->options[i].ignored)
            continue;
        const struct conf *scalar = *(const struct conf *const *)(values + type->options[i].offset);
        if (scalar && host_template_add(&h.host, scalar, c->errs) < 0)
            c->failed = true;
    }
    free(h.templates);
}

/* Check what can be checked of an action without opening it, for want of a target: its options and their templates. */
static void check_options(struct compile *c, struct sql_rule *sql, const struct action_type *type,
                          const struct conf *options)
{
    size_t size = 16;
    for (size_t i = 0; i < type->option_count; i++)
        size = type->options[i].offset + 16 > size ? type->options[i].offset + 16 : size;
    void *values = calloc(1, size);
    if (!values) {
        no_memory(c);
        return;
    }
    if (opt_read(type->options, type->option_count, options, type->name, options->at, values, c->errs) < 0)
        c->failed = true;
    check_templates(c, sql, type, values);
    opt_free(type->options, type->option_count, values);
    free(values);
}

/* `SELECT *` of a payload that is not JSON gives its bytes: does the action refuse them? */
static void warn_bytes(struct compile *c, const struct sql_rule *sql, const struct action_type *type,
                       const struct act_host *host)
{
    struct span star;
    if (c->stands_in || host->is_error_action || !host->needs_json || !sql_rule_passes_bytes(sql, &star))
        return;
    struct err *e =
        errs_add(c->errs, SEV_WARNING, ERR_SQL_VALUE, star,
                 "of a payload that is not JSON this is its bytes, which the action \"%s\" refuses", type->name);
    err_hint(e, "select members, or encode(*, 'base64') AS a name, or keep such payloads out with WHERE.");
}

/* Open the action of a definition for a rule with that statement. */
static void open_action(struct compile *c, struct sql_rule *sql, const struct conf *def, bool is_error_action,
                        struct rule_action *out)
{
    if (def->kind != CONF_MAP || def->count != 1 || def->items[0]->kind != CONF_MAP)
        return; /* rule_file_read said so */
    const struct conf *options = def->items[0];
    const struct action_type *type = find_type(c, def->keys[0]);
    if (!type) {
        c->failed = true;
        return;
    }
    out->target = targets_for(c->targets, type, options, c->errs);
    if (!out->target) {
        check_options(c, sql, type, options);
        c->failed = true;
        return;
    }
    struct rule_host h = { .host = { .template_add = host_template_add,
                                     .template_is_constant = host_template_is_constant,
                                     .is_error_action = is_error_action },
                           .sql = sql };
    out->action = type->action_open(out->target->handle, options, &h.host, c->errs);
    out->templates = h.templates;
    out->template_count = h.count;
    out->batching = h.host.batching;
    warn_bytes(c, sql, type, &h.host);
    c->failed |= !out->action;
}

static void open_actions(struct compile *c, const struct rule_def *def, struct sql_rule *sql, struct rule *rule)
{
    size_t count = def->actions ? def->actions->count : 0;
    rule->actions = calloc(count + 1, sizeof(*rule->actions));
    rule->error_action = def->error_action ? calloc(1, sizeof(*rule->error_action)) : NULL;
    if (!rule->actions || (def->error_action && !rule->error_action)) {
        no_memory(c);
        return;
    }
    rule->action_count = count;
    for (size_t i = 0; i < count; i++)
        open_action(c, sql, def->actions->items[i], false, &rule->actions[i]);
    if (def->error_action)
        open_action(c, sql, def->error_action, true, rule->error_action);
}

/* ---- rules ---- */

static void rule_clear(struct rule *rule)
{
    for (size_t i = 0; i < rule->action_count; i++)
        rule_action_clear(&rule->actions[i]);
    if (rule->error_action)
        rule_action_clear(rule->error_action);
    free(rule->actions);
    free(rule->error_action);
    free(rule->name);
    sql_rule_free(rule->sql);
    *rule = (struct rule) { 0 };
}

/* A statement to hang templates on when the rule's own is broken. */
static struct sql_rule *stand_in(struct compile *c, enum sql_version version)
{
    static const char text[] = "SELECT * FROM 'stand-in'";
    struct src *src = src_new("<stand-in>", text, sizeof(text) - 1);
    struct sql_rule *sql = src ? sql_rule_compile(src, version, c->rs->paths, c->errs) : NULL;
    src_unref(src);
    if (!sql)
        no_memory(c);
    return sql;
}

static void warn_version(struct compile *c, const struct rule_def *def)
{
    if (!def->version_is_default || def->version != SQL_2015_10_08)
        return;
    struct err *e = errs_add(c->errs, SEV_WARNING, ERR_SQL_VERSION, def->name_at,
                             "awsIotSqlVersion is absent, \"%s\" is assumed", sql_version_name(def->version));
    err_hint(e, "Give \"awsIotSqlVersion\": \"%s\" unless the rule needs the old meaning.",
             sql_version_name(SQL_2016_03_23));
}

/* Compile one definition into rule, which may stay incomplete when c->failed is set. */
static void compile_rule(struct compile *c, const struct rule_def *def, struct rule *rule)
{
    warn_version(c, def);
    c->failed |= def->has_errors;
    rule->sql = def->sql_is_missing ? NULL : sql_rule_compile(def->sql, def->version, c->rs->paths, c->errs);
    c->failed |= !rule->sql;
    c->stands_in = !rule->sql;
    struct sql_rule *sql = rule->sql ? rule->sql : stand_in(c, def->version);
    if (sql)
        open_actions(c, def, sql, rule);
    rule->name = strdup(def->name);
    if (!rule->name)
        no_memory(c);
    if (!rule->sql) { /* the actions' templates are those of the stand-in */
        rule_clear(rule);
        sql_rule_free(sql);
    }
}

static void compile_rules(struct compile *c)
{
    struct ruleset *rs = c->rs;
    for (size_t i = 0; i < rs->def_count; i++) {
        struct rule *rule = &rs->rules[rs->rule_count];
        compile_rule(c, rs->defs[i], rule);
        if (rs->defs[i]->disabled)
            rule_clear(rule);
        else
            rule->index = (uint32_t)rs->rule_count++;
    }
}

/* ---- names ---- */

struct named {
    const struct rule_def *def;
    size_t index;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->def->name, y->def->name);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

static void report_duplicate(struct compile *c, const struct rule_def *first, const struct rule_def *second)
{
    struct err *e =
        errs_add(c->errs, SEV_ERROR, ERR_CONF_NAME, second->name_at, "rule name \"%s\" is taken", second->name);
    struct src_place a = src_place_of(first->name_at.src, first->name_at.off);
    struct src_place b = src_place_of(second->name_at.src, second->name_at.off);
    if (strcmp(a.src->name, b.src->name) == 0 && a.off == b.off)
        err_hint(e, "The file is read twice.");
    else
        err_hint(e, "The first rule of that name is at %s:%u:%u.", a.src->name, a.line, a.column);
    c->failed = true;
}

/* Names are one space over all files, disabled rules among them. */
static void check_names(struct compile *c)
{
    size_t count = c->rs->def_count;
    struct named *named = calloc(count + 1, sizeof(*named));
    if (!named) {
        no_memory(c);
        return;
    }
    for (size_t i = 0; i < count; i++)
        named[i] = (struct named) { c->rs->defs[i], i };
    qsort(named, count, sizeof(*named), compare_named);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (strcmp(named[first].def->name, named[i].def->name) != 0)
            first = i;
        else if (named[i].def->name[0])
            report_duplicate(c, named[first].def, named[i].def);
    }
    free(named);
}

/* ---- filters and router ---- */

struct filter_use {
    const char *text; /* not NUL-terminated */
    size_t len;
    struct rule *rule;
};

static int compare_uses(const void *a, const void *b)
{
    const struct filter_use *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

static size_t collect_uses(struct ruleset *rs, struct filter_use *uses)
{
    size_t n = 0;
    for (size_t i = 0; i < rs->rule_count; i++) {
        struct filter_use use = { .rule = &rs->rules[i] };
        use.text = sql_rule_filter(use.rule->sql, &use.len);
        if (use.text)
            uses[n++] = use;
    }
    if (n)
        qsort(uses, n, sizeof(*uses), compare_uses);
    return n;
}

/* The distinct filters of the rules, sorted and numbered, and each rule's number. */
static int make_filters(struct ruleset *rs)
{
    struct filter_use *uses = calloc(rs->rule_count + 1, sizeof(*uses));
    rs->filters = calloc(rs->rule_count + 1, sizeof(*rs->filters));
    size_t n = uses && rs->filters ? collect_uses(rs, uses) : 0;
    int rc = uses && rs->filters ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (i == 0 || compare_uses(&uses[i - 1], &uses[i]) != 0)
            rs->filters[rs->filter_count++].filter = strndup(uses[i].text, uses[i].len);
        if (!rs->filters[rs->filter_count - 1].filter)
            rc = -1;
        uses[i].rule->filter_id = (uint32_t)rs->filter_count - 1; /* its index, for now */
    }
    if (rc == 0)
        filters_number(rs->filters, rs->filter_count);
    for (size_t i = 0; rc == 0 && i < n; i++)
        uses[i].rule->filter_id = rs->filters[uses[i].rule->filter_id].id;
    free(uses);
    return rc;
}

static int make_router(struct ruleset *rs)
{
    struct router_entry *entries = calloc(rs->rule_count + 1, sizeof(*entries));
    if (!entries)
        return -1;
    for (size_t i = 0; i < rs->rule_count; i++) {
        const struct rule *rule = &rs->rules[i];
        entries[i] =
            (struct router_entry) { .filter_id = rule->filter_id, .rule_name = rule->name, .rule = rule->index };
        entries[i].filter = sql_rule_filter(rule->sql, &entries[i].filter_len);
    }
    rs->router = router_new(entries, rs->rule_count);
    free(entries);
    return rs->router ? 0 : -1;
}

/* ---- the whole ---- */

static void ruleset_free(struct ruleset *rs)
{
    for (size_t i = 0; i < rs->rule_count; i++)
        rule_clear(&rs->rules[i]);
    free(rs->rules);
    for (size_t i = 0; i < rs->filter_count; i++)
        free((char *)rs->filters[i].filter);
    free(rs->filters);
    router_free(rs->router);
    sql_paths_unref(rs->paths);
    for (size_t i = 0; i < rs->def_count; i++) /* after the actions, which borrow from them */
        rule_def_free(rs->defs[i]);
    free(rs->defs);
    free(rs);
}

/* What only a ruleset without errors needs. */
static int finish(struct ruleset *rs, struct stats_table *stats)
{
    if (make_filters(rs) < 0 || make_router(rs) < 0)
        return -1;
    for (size_t i = 0; i < rs->rule_count; i++) {
        struct rule *rule = &rs->rules[i];
        if (stats && !(rule->stats = stats_table_rule(stats, rule->name)))
            return -1;
        for (size_t k = 0; k < rule->action_count; k++)
            rule->actions[k].target->used = true;
        if (rule->error_action)
            rule->error_action->target->used = true;
    }
    return 0;
}

struct ruleset *ruleset_compile(struct rule_def **defs, size_t count, struct targets *targets,
                                struct stats_table *stats, struct errs *errs)
{
    struct ruleset *rs = calloc(1, sizeof(*rs));
    struct compile c = { .rs = rs, .targets = targets, .errs = errs };
    if (!rs) {
        no_memory(&c);
        for (size_t i = 0; i < count; i++)
            rule_def_free(defs[i]);
        free(defs);
        return NULL;
    }
    *rs = (struct ruleset) { .refs = 1, .defs = defs, .def_count = count };
    rs->paths = sql_paths_new();
    rs->rules = calloc(count + 1, sizeof(*rs->rules));
    if (rs->paths && rs->rules) {
        compile_rules(&c);
        check_names(&c);
    } else {
        no_memory(&c);
    }
    if (!c.failed && finish(rs, stats) < 0)
        no_memory(&c);
    if (!c.failed)
        return rs;
    ruleset_free(rs);
    return NULL;
}

struct ruleset *ruleset_ref(struct ruleset *rs)
{
    __atomic_add_fetch(&rs->refs, 1, __ATOMIC_RELAXED);
    return rs;
}

void ruleset_unref(struct ruleset *rs)
{
    if (rs && __atomic_sub_fetch(&rs->refs, 1, __ATOMIC_ACQ_REL) == 0)
        ruleset_free(rs);
}
