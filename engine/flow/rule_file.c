/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files: shapes, names, versions and limits of rule definitions. What the SQL and the actions mean is
 * ruleset.c's matter.
 *
 * All shapes come down to one map per rule, read by one option table. A rule with a mistake is handed on, marked,
 * so that the compiler can still find the mistakes in its SQL and actions. */
#include "engine/flow/rule_file.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/conf_files.h"
#include "engine/base/opt.h"
#include "engine/base/path.h"

/* What a rule's map says. Texts are owned, the rest is the tree's. */
struct rule_fields {
    char *name, *description, *version;
    const struct conf *sql, *actions, *error_action, *tests;
    bool disabled;
};

static const struct opt rule_options[] = {
    { "ruleName", OPT_TEXT, offsetof(struct rule_fields, name), .help = "name; absent: the file's" },
    { "sql", OPT_TEMPLATE, offsetof(struct rule_fields, sql), .required = true, .help = "the statement" },
    { "description", OPT_TEXT, offsetof(struct rule_fields, description), .help = "for people" },
    { "awsIotSqlVersion", OPT_TEXT, offsetof(struct rule_fields, version), .help = "2015-10-08, 2016-03-23 or beta" },
    { "ruleDisabled", OPT_BOOL, offsetof(struct rule_fields, disabled), .def = "false",
      .help = "true: checked, never run" },
    { "actions", OPT_CONF, offsetof(struct rule_fields, actions), .help = "list of at most 10 actions" },
    { "errorAction", OPT_CONF, offsetof(struct rule_fields, error_action), .help = "action for failed deliveries" },
    { "tests", OPT_CONF, offsetof(struct rule_fields, tests), .help = "cases for `sluice test`" },
    { "createdAt", OPT_TEXT, 0, .ignored = true, .help = "printed by get-topic-rule, ignored" },
};
#define RULE_OPTIONS (sizeof(rule_options) / sizeof(rule_options[0]))

/* The two shapes of the API that wrap a rule's map. */
struct wrapper_fields {
    char *name;
    const struct conf *rule;
};

static const struct opt get_options[] = {
    { "ruleArn", OPT_TEXT, 0, .ignored = true, .help = "ARN of the rule, ignored" },
    { "rule", OPT_CONF, offsetof(struct wrapper_fields, rule), .required = true, .help = "the rule" },
};

static const struct opt create_options[] = {
    { "ruleName", OPT_TEXT, offsetof(struct wrapper_fields, name), .help = "name; absent: the file's" },
    { "topicRulePayload", OPT_CONF, offsetof(struct wrapper_fields, rule), .required = true, .help = "the rule" },
    { "tags", OPT_TEXT, 0, .ignored = true, .help = "tags of the resource, ignored" },
};

/* One file being read. */
struct reader {
    const char *path;
    struct conf *root;
    unsigned *root_refs;
    struct rule_def ***defs;
    size_t *count;
    struct errs *errs;
};

static int no_memory(struct errs *errs, const char *path)
{
    errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory to read \"%s\"", path);
    return -1;
}

/* ---- names ---- */

static bool is_rule_name(const char *s)
{
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++) {
        bool letter = (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z');
        if (!letter && !(s[i] >= '0' && s[i] <= '9') && s[i] != '_')
            return false;
    }
    return len > 0 && len <= RULE_NAME_MAX;
}

/* The file's name without folder and ending; owned. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    return strndup(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

static void check_name(const struct rule_def *def, bool is_given, bool is_listed, struct errs *errs)
{
    if (is_rule_name(def->name))
        return;
    if (!is_given && is_listed) {
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, def->name_at, "a rule in a list needs the option \"ruleName\"");
        return;
    }
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, def->name_at,
                             "\"%.140s\" is not a rule name: it has 1 to 128 letters, digits and \"_\"", def->name);
    if (!is_given)
        err_hint(e, "The name is the file's. Rename the file or give the rule a \"ruleName\".");
}

/* The rule's name: as given (taken; with its place), else the file's if the file holds one rule. */
static int take_name(struct rule_def *def, const struct reader *r, char *given, struct span at, bool is_listed)
{
    def->name = given ? given : is_listed ? strdup("") : stem_of(r->path);
    def->name_at = given ? at : def->map->at;
    if (!def->name)
        return no_memory(r->errs, r->path);
    check_name(def, given != NULL, is_listed, r->errs);
    return 0;
}

/* ---- version, size ---- */

static void take_version(struct rule_def *def, const char *path, const char *given, struct errs *errs)
{
    def->version_is_default = !given;
    def->version = path_ends_in(path, ".json") ? SQL_2015_10_08 : SQL_2016_03_23;
    if (!given || sql_version_parse(given, strlen(given), &def->version))
        return;
    const char *names[SQL_BETA + 1];
    for (int v = SQL_2015_10_08; v <= SQL_BETA; v++)
        names[v] = sql_version_name((enum sql_version)v);
    struct span at = conf_get(def->map, "awsIotSqlVersion")->at;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at, "unknown SQL version \"%.40s\"", given);
    const char *near = nearest_word(given, strlen(given), names, SQL_BETA + 1);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    else
        err_hint(e, "Known versions: %s, %s, %s.", names[0], names[1], names[2]);
}

/* The rule's payload as the API would carry it has a limit (spec section 9). */
static void check_size(const struct rule_def *def, struct errs *errs)
{
    struct buf json;
    buf_init(&json, RULE_MAX_BYTES + 1);
    for (size_t i = 0; i < def->map->count; i++) {
        const struct conf *key = def->map->keys[i];
        if (strcmp(key->text, "tests") == 0 || strcmp(key->text, "ruleName") == 0)
            continue;
        buf_printf(&json, "\"%s\":", key->text);
        conf_write_json(&json, def->map->items[i]);
        buf_putc(&json, ',');
    }
    if (json.failed || json.len > RULE_MAX_BYTES)
        errs_add(errs, SEV_ERROR, ERR_LIMIT, def->name_at, "the rule is larger than %d bytes, as JSON", RULE_MAX_BYTES);
    buf_clear(&json);
}

/* ---- actions ---- */

static void report_members(const struct conf *action, const char *what, struct errs *errs)
{
    const struct conf *first = action->keys[0], *second = action->keys[1];
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, second->at, "%s has exactly one member, here \"%.40s\"",
                             what, first->text);
    if (action->items[0]->kind != CONF_SCALAR)
        err_hint(e, "Put \"%.40s\" into an action of its own.", second->text);
    else
        err_hint(e, "Are the options of \"%.40s\" to be indented further?", first->text);
}

/* An action must be a map with one member whose value is a map; nothing ("stdout:") stands for an empty map. */
static void check_action(struct conf *action, const char *what, struct errs *errs)
{
    struct err *e;
    if (action->kind != CONF_MAP) {
        e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, action->at, "%s must be a map with one member, its type, not a %s",
                     what, conf_kind_name(action));
        if (action->kind == CONF_SCALAR && action->len > 0)
            err_hint(e, "Write \"%.40s: {}\".", action->text);
    } else if (action->count == 0) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, action->at, "%s must be a map with one member, its type; it is empty",
                 what);
    } else if (action->count > 1) {
        report_members(action, what, errs);
    } else if (conf_is_null(action->items[0])) {
        action->items[0]->kind = CONF_MAP;
    } else if (action->items[0]->kind != CONF_MAP) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, action->items[0]->at, "the options of %.40s must be a map, not a %s",
                 action->keys[0]->text, conf_kind_name(action->items[0]));
    }
}

/* A list, or NULL after an error (or when it is absent). */
static const struct conf *take_list(const struct conf *c, const char *name, struct errs *errs)
{
    if (!c || conf_is_null(c))
        return NULL;
    if (c->kind == CONF_LIST)
        return c;
    errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at, "\"%s\" must be a list, not a %s", name, conf_kind_name(c));
    return NULL;
}

static void take_actions(struct rule_def *def, const struct rule_fields *f, struct errs *errs)
{
    def->actions = take_list(f->actions, "actions", errs);
    for (size_t i = 0; def->actions && i < def->actions->count; i++)
        check_action(def->actions->items[i], "an action", errs);
    if (def->actions && def->actions->count > RULE_MAX_ACTIONS)
        errs_add(errs, SEV_ERROR, ERR_LIMIT, def->actions->items[RULE_MAX_ACTIONS]->at,
                 "a rule has at most %d actions, not %zu", RULE_MAX_ACTIONS, def->actions->count);
    if (f->error_action && !conf_is_null(f->error_action)) {
        def->error_action = f->error_action;
        check_action(conf_get(def->map, "errorAction"), "the error action", errs);
    }
}

/* ---- rules ---- */

void rule_def_free(struct rule_def *def)
{
    if (!def)
        return;
    src_unref(def->sql);
    free(def->name);
    if (def->root_refs && --*def->root_refs == 0) {
        conf_free(def->root);
        free(def->root_refs);
    }
    free(def);
}

/* Append; the list owns def then. */
static int push_def(struct reader *r, struct rule_def *def)
{
    struct rule_def **grown = realloc(*r->defs, (*r->count + 1) * sizeof(struct rule_def *));
    if (!grown)
        return no_memory(r->errs, r->path);
    grown[(*r->count)++] = def;
    *r->defs = grown;
    return 0;
}

static struct rule_def *def_new(const struct reader *r, const struct conf *map)
{
    struct rule_def *def = calloc(1, sizeof(*def));
    if (!def)
        return NULL;
    def->root = r->root;
    def->root_refs = r->root_refs;
    ++*def->root_refs;
    def->map = map;
    return def;
}

/* A name that stands beside the rule's map, in a wrapper. */
struct outer_name {
    char *text; /* NULL: none; taken */
    struct span at;
};

/* Which of the two names counts; at most one may be there. */
static struct outer_name choose_name(struct outer_name outer, struct rule_fields *f, const struct conf *map,
                                     struct errs *errs)
{
    struct outer_name inner = { .text = f->name };
    f->name = NULL;
    if (inner.text)
        inner.at = conf_get(map, "ruleName")->at;
    if (!outer.text)
        return inner;
    if (inner.text)
        errs_add(errs, SEV_ERROR, ERR_CONF_KEY, inner.at, "\"ruleName\" is already given beside \"topicRulePayload\"");
    free(inner.text);
    return outer;
}

/* A number where the statement should be is a slip of the type, not of the grammar. */
static void check_sql_type(struct rule_fields *f, struct errs *errs)
{
    const char *type = f->sql ? conf_plain_type(f->sql) : NULL;
    if (!type)
        return;
    errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, f->sql->at, "\"sql\" must be a text, not a %s", type);
    f->sql = NULL;
}

static int fill_def(struct rule_def *def, const struct reader *r, struct outer_name outer, bool is_listed)
{
    struct rule_fields f = { 0 };
    size_t errors = r->errs->errors;
    int ok = opt_read(rule_options, RULE_OPTIONS, def->map, "the rule", def->map->at, &f, r->errs);
    struct outer_name name = choose_name(outer, &f, def->map, r->errs);
    int rc = take_name(def, r, name.text, name.at, is_listed);
    take_version(def, r->path, f.version, r->errs);
    check_sql_type(&f, r->errs);
    take_actions(def, &f, r->errs);
    def->tests = take_list(f.tests, "tests", r->errs);
    def->disabled = f.disabled;
    if (rc == 0)
        check_size(def, r->errs);
    def->sql_is_missing = !f.sql;
    if (rc == 0)
        def->sql = f.sql ? conf_text_src(f.sql) : src_new_inner("", 0, def->map->at, SRC_INSIDE, 0);
    if (rc == 0 && !def->sql)
        rc = no_memory(r->errs, r->path);
    def->has_errors = ok < 0 || r->errs->errors > errors;
    opt_free(rule_options, RULE_OPTIONS, &f);
    return rc;
}

/* Read one rule's map. -1: memory. */
static int read_rule(struct reader *r, const struct conf *map, struct outer_name outer, bool is_listed)
{
    if (map->kind != CONF_MAP) {
        free(outer.text);
        errs_add(r->errs, SEV_ERROR, ERR_CONF_TYPE, map->at, "a rule must be a map, not a %s", conf_kind_name(map));
        return 0;
    }
    struct rule_def *def = def_new(r, map);
    if (!def) {
        free(outer.text);
        return no_memory(r->errs, r->path);
    }
    if (fill_def(def, r, outer, is_listed) < 0 || push_def(r, def) < 0) {
        rule_def_free(def);
        return -1;
    }
    return 0;
}

/* A rule inside {"ruleArn", "rule"} or {"ruleName", "topicRulePayload", "tags"}. */
static int read_wrapped(struct reader *r, const struct opt *options, size_t count, const char *what)
{
    struct wrapper_fields w = { 0 };
    if (opt_read(options, count, r->root, what, r->root->at, &w, r->errs) < 0 && !w.rule) {
        free(w.name);
        return -1;
    }
    struct outer_name outer = { .text = w.name };
    if (w.name)
        outer.at = conf_get(r->root, "ruleName")->at;
    return read_rule(r, w.rule, outer, false);
}

static int read_list(struct reader *r)
{
    for (size_t i = 0; i < r->root->count; i++) {
        if (read_rule(r, r->root->items[i], (struct outer_name) { 0 }, true) < 0)
            return -1;
    }
    return 0;
}

static int read_root(struct reader *r)
{
    const struct conf *root = r->root;
    if (root->at.src && root->at.src->len == 0)
        return errs_refuse(r->errs, ERR_CONF_MISSING, root->at, "the file is empty");
    if (root->kind != CONF_SCALAR && root->count == 0 && !(root->kind == CONF_MAP && root->at.len)) {
        errs_add(r->errs, SEV_WARNING, ERR_CONF_MISSING, root->at, "there is no rule in this file");
        return 0;
    }
    if (root->kind == CONF_LIST)
        return read_list(r);
    if (conf_get(root, "topicRulePayload"))
        return read_wrapped(r, create_options, sizeof(create_options) / sizeof(create_options[0]), "the request");
    if (conf_get(root, "rule"))
        return read_wrapped(r, get_options, sizeof(get_options) / sizeof(get_options[0]), "the response");
    return read_rule(r, root, (struct outer_name) { 0 }, false);
}

static int read_file(const char *path, struct rule_def ***defs, size_t *count, struct errs *errs)
{
    size_t errors = errs->errors;
    struct reader r = { .path = path, .defs = defs, .count = count, .errs = errs };
    r.root_refs = calloc(1, sizeof(*r.root_refs));
    if (!r.root_refs)
        return no_memory(errs, path);
    r.root = conf_load(path, errs);
    *r.root_refs = 1;
    int rc = r.root ? read_root(&r) : -1;
    if (--*r.root_refs == 0) {
        conf_free(r.root);
        free(r.root_refs);
    }
    return rc < 0 || errs->errors > errors ? -1 : 0;
}

/* ---- files and folders ---- */

struct reading {
    struct rule_def ***defs;
    size_t *count;
};

static int read_listed(void *ctx, const char *path, struct errs *errs)
{
    struct reading *r = ctx;
    return read_file(path, r->defs, r->count, errs);
}

int rule_file_read(const char *path, struct rule_def ***defs, size_t *count, struct errs *errs)
{
    struct reading r = { .defs = defs, .count = count };
    return conf_files_each(path, "rule files", read_listed, &r, errs);
}
