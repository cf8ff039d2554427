/* SPDX-License-Identifier: Apache-2.0 */
/* sluice.yaml: one option table for its top level, one for each section.
 *
 * A source sees a map without the members that are common to all sources ("ordering"): a shallow copy, whose keys
 * and values stay those of the tree. What connections and sources hold is read by their types, later. */
#include "engine/flow/service_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/machine_memory.h"
#include "engine/base/opt.h"
#include "engine/base/path.h"
#include "engine/flow/memory_plan.h"

/* What sluice.yaml says, before lists are read. */
struct fields {
    struct service_conf c;
    const struct conf *sources, *connections /* read through root */, *rules, *retry, *outbox, *memory, *dead_letters,
        *log, *policies, *policy_files;
};

static const char *const orderings[] = { "topic", "client", "none", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", "disabled", NULL };
static const char *const log_forms[] = { "auto", "person", "json", NULL };

static const struct opt service_options[] = {
    { "sources", OPT_CONF, offsetof(struct fields, sources), .required = true,
      .help = "where messages come from: list of KIND: options" },
    { "connections", OPT_CONF, offsetof(struct fields, connections),
      .help = "targets by name: NAME: { KIND: options }" },
    { "lookups", OPT_CONF, offsetof(struct fields, c.lookups),
      .help = "who answers what functions of rules ask the outside world" },
    { "rules", OPT_CONF, offsetof(struct fields, rules), .required = true,
      .help = "rule files and folders: list of paths" },
    { "accountId", OPT_TEXT, offsetof(struct fields, c.account_id), .def = "000000000000",
      .help = "12 digits, what accountid() gives" },
    { "workers", OPT_INT, offsetof(struct fields, c.workers), .def = "0", .max = 1024,
      .help = "threads that evaluate rules, 0: one per core" },
    { "inFlight", OPT_INT, offsetof(struct fields, c.in_flight), .def = "1000", .min = 1, .max = 1000000,
      .help = "messages between source and final, at most" },
    { "drainTimeout", OPT_DURATION, offsetof(struct fields, c.drain_ms), .def = "10s", .max = 86400000,
      .help = "wait for messages in flight when stopping, at most" },
    { "retry", OPT_CONF, offsetof(struct fields, retry), .help = "back-off of a target that cannot take deliveries" },
    { "outbox", OPT_CONF, offsetof(struct fields, outbox), .help = "bounds of each target's outbox" },
    { "memory", OPT_CONF, offsetof(struct fields, memory), .help = "bound of all queues and buffers together" },
    { "store", OPT_TEXT, offsetof(struct fields, c.store), .def = "sqlite:sluice.db",
      .help = "what must outlive the process, such as what sessions at brokers hold: sqlite:PATH" },
    { "deadLetters", OPT_CONF, offsetof(struct fields, dead_letters),
      .help = "where failed deliveries without error action go" },
    { "statsFile", OPT_PATH, offsetof(struct fields, c.stats_file),
      .help = "file for counters as JSON, rewritten every statsInterval" },
    { "statsInterval", OPT_DURATION, offsetof(struct fields, c.stats_interval_ms), .def = "1s", .min = 10,
      .max = 86400000, .help = "how often statsFile is rewritten" },
    { "log", OPT_CONF, offsetof(struct fields, log), .help = "what is logged and how" },
    { "policies", OPT_CONF, offsetof(struct fields, policies),
      .help = "AWS IoT policies: what clients of a listen source, and of brokers that ask, may do" },
    { "admin", OPT_CONF, offsetof(struct fields, c.admin), .help = "the HTTP interface; absent: none" },
};

static const struct opt retry_options[] = {
    { "min", OPT_DURATION, offsetof(struct fields, c.retry_min_ms), .def = "100ms", .min = 1, .max = 3600000,
      .help = "first wait" },
    { "max", OPT_DURATION, offsetof(struct fields, c.retry_max_ms), .def = "30s", .min = 1, .max = 86400000,
      .help = "longest wait" },
};

static const struct opt outbox_options[] = {
    { "items", OPT_INT, offsetof(struct fields, c.outbox_items), .def = "10000", .min = 1, .max = 10000000,
      .help = "deliveries that wait, at most" },
};

static const struct opt memory_options[] = {
    { "limit", OPT_SIZE, offsetof(struct fields, c.memory_limit), .def = "0", .min = MEMORY_LIMIT_MIN, .max = INT64_MAX,
      .help = "memory of the process, at most; absent: half of what the machine or its control group has" },
};

static const struct opt dead_letter_options[] = {
    { "path", OPT_TEXT, offsetof(struct fields, c.dead_letters), .def = "dead-letters.ndjson",
      .help = "file to append to" },
};

static const struct opt log_options[] = {
    { "level", OPT_CHOICE, offsetof(struct fields, c.log_level), .def = "info", .choices = log_levels,
      .help = "least level that is logged" },
    { "form", OPT_CHOICE, offsetof(struct fields, c.log_form), .def = "auto", .choices = log_forms,
      .help = "auto: for a person on a terminal, else JSON lines" },
};

static const char *const policy_modes[] = { "enforce", "audit", NULL };

static const struct opt policy_options[] = {
    { "files", OPT_CONF, offsetof(struct fields, policy_files), .help = "policy files and folders: list of paths" },
    { "mode", OPT_CHOICE, offsetof(struct fields, c.policy_mode), .def = "enforce", .choices = policy_modes,
      .help = "audit lets pass and logs what enforce would refuse" },
    { "region", OPT_TEXT, offsetof(struct fields, c.region), .def = "us-east-1",
      .help = "of the ARNs that policies name" },
};

static const struct opt common_options[] = {
    { "ordering", OPT_CHOICE, offsetof(struct source_conf, ordering), .def = "topic", .choices = orderings,
      .help = "messages of one topic or client, or none, stay in order" },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct section {
    const char *name, *what;
    const struct opt *options;
    size_t count;
    size_t offset; /* of its conf in struct fields; 0: the top level */
};

static const struct section sections[] = {
    { "", "the service", service_options, COUNT(service_options), 0 },
    { "retry", "\"retry\"", retry_options, COUNT(retry_options), offsetof(struct fields, retry) },
    { "outbox", "\"outbox\"", outbox_options, COUNT(outbox_options), offsetof(struct fields, outbox) },
    { "memory", "\"memory\"", memory_options, COUNT(memory_options), offsetof(struct fields, memory) },
    { "deadLetters", "\"deadLetters\"", dead_letter_options, COUNT(dead_letter_options),
      offsetof(struct fields, dead_letters) },
    { "log", "\"log\"", log_options, COUNT(log_options), offsetof(struct fields, log) },
    { "policies", "\"policies\"", policy_options, COUNT(policy_options), offsetof(struct fields, policies) },
};

static int no_memory(struct errs *errs)
{
    errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory to read the configuration");
    return -1;
}

/* ---- reading tables ---- */

static void read_sections(struct fields *f, const struct conf *root, struct errs *errs)
{
    for (size_t i = 0; i < COUNT(sections); i++) {
        const struct section *s = &sections[i];
        const struct conf *map = s->offset ? *(const struct conf **)((char *)f + s->offset) : root;
        if (opt_read(s->options, s->count, map, s->what, map ? map->at : root->at, f, errs) < 0)
            continue; /* the errors are counted by the caller */
    }
}

/* The counters replace the file as a whole: a device or pipe would be gone. */
static void check_stats_file(const char *path, const struct conf *root, struct errs *errs)
{
    struct stat st;
    if (path && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, conf_get(root, "statsFile")->at,
                 "\"statsFile\" is there and no regular file");
}

/* "sqlite:PATH"; the path starts at the configuration's folder. */
static int take_store(struct service_conf *c, struct errs *errs)
{
    static const char scheme[] = "sqlite:";
    const char *path =
        c->store && strncmp(c->store, scheme, sizeof(scheme) - 1) == 0 ? c->store + sizeof(scheme) - 1 : "";
    const struct conf *store = conf_get(c->root, "store");
    if (!c->store)
        return 0;
    if (!*path) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, store ? store->at : c->root->at, "\"store\" must be sqlite:PATH");
        if (strncmp(c->store, "postgres", 8) == 0)
            err_hint(e, "A store in PostgreSQL is not implemented yet.");
        return 0;
    }
    c->store_path = path_below(c->folder, path);
    return c->store_path ? 0 : no_memory(errs);
}

/* More than there is would end with the kernel's killing the process. */
static void check_memory(const struct fields *f, struct errs *errs)
{
    uint64_t has = machine_memory();
    if (f->c.memory_limit <= 0 || (uint64_t)f->c.memory_limit <= has)
        return;
    struct err *e =
        errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, conf_get(f->memory, "limit")->at,
                 "\"limit\" of \"memory\" is more than the %llu MiB that the machine or its control group has",
                 (unsigned long long)(has >> 20));
    err_hint(e, "Leave it out: it is half of that then.");
}

static void check_values(const struct fields *f, const struct conf *root, struct errs *errs)
{
    const char *id = f->c.account_id;
    if (id && (strlen(id) != 12 || strspn(id, "0123456789") != 12))
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, conf_get(root, "accountId")->at, "\"accountId\" must have 12 digits");
    check_stats_file(f->c.stats_file, root, errs);
    check_memory(f, errs);
    if (f->c.retry_max_ms > 0 && f->c.retry_min_ms > f->c.retry_max_ms) {
        const struct conf *max = conf_get(f->retry, "max"), *at = max ? max : conf_get(f->retry, "min");
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at->at,
                 "\"max\" of \"retry\" (%lld ms) must not be less than \"min\" (%lld ms)", (long long)f->c.retry_max_ms,
                 (long long)f->c.retry_min_ms);
    }
}

/* ---- rules ---- */

/* A list of paths that is being read. */
struct paths {
    const char *name, *folder; /* of the option; relative paths start there */
    char **items;
    size_t count;
};

static bool check_path(const struct paths *p, const struct conf *path, struct errs *errs)
{
    if (path->unusable)
        return false;
    if (path->kind != CONF_SCALAR)
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, path->at, "\"%s\" must hold paths, not a %s", p->name,
                 conf_kind_name(path));
    else if (path->len == 0 || strlen(path->text) != path->len)
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, path->at, "this is not a path of a file or folder");
    else
        return true;
    return false;
}

static int take_path(struct paths *p, const struct conf *path, struct errs *errs)
{
    if (!check_path(p, path, errs))
        return 0;
    char *resolved = path_below(p->folder, path->text);
    if (!resolved)
        return no_memory(errs);
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i], resolved) == 0) {
            errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, path->at, "the path is given twice");
            free(resolved);
            return 0;
        }
    }
    if (access(resolved, R_OK) != 0) {
        errs_add(errs, SEV_ERROR, ERR_IO, path->at, "could not read \"%.120s\": %s", resolved, strerror(errno));
        free(resolved);
        return 0;
    }
    p->items[p->count++] = resolved;
    return 0;
}

/* A list of paths, or one path. */
static int take_paths(struct paths *p, const struct conf *list, struct errs *errs)
{
    if (!list)
        return 0;
    bool several = list->kind == CONF_LIST;
    if (list->kind == CONF_MAP || conf_is_null(list)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, list->at, "\"%s\" must be a list of paths%s", p->name,
                 list->kind == CONF_MAP ? ", not a map" : "");
        return 0;
    }
    p->items = calloc(several ? list->count + 1 : 1, sizeof(*p->items));
    if (!p->items)
        return no_memory(errs);
    if (!several)
        return take_path(p, list, errs);
    for (size_t i = 0; i < list->count; i++) {
        if (take_path(p, list->items[i], errs) < 0)
            return -1;
    }
    return 0;
}

static int take_rules(struct service_conf *c, const struct conf *rules, struct errs *errs)
{
    struct paths p = { .name = "rules", .folder = c->folder };
    int rc = take_paths(&p, rules, errs);
    c->rules = p.items;
    c->rule_count = p.count;
    return rc;
}

static int take_policies(struct fields *f, struct errs *errs)
{
    struct service_conf *c = &f->c;
    struct paths p = { .name = "files", .folder = c->folder };
    if (!conf_get(c->root, "policies"))
        return 0;
    int rc = take_paths(&p, f->policy_files, errs);
    c->policy_files = p.items;
    c->policy_file_count = p.count;
    if (rc == 0 && f->policy_files && f->policy_files->kind == CONF_LIST && f->policy_files->count == 0)
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, f->policy_files->at,
                 "\"files\" of \"policies\" must name at least one file or folder");
    if (rc == 0 && !f->policy_files)
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, conf_get(c->root, "policies")->at,
                 "\"policies\" needs the option \"files\"");
    return rc;
}

/* ---- sources ---- */

static bool is_common(const struct conf *key)
{
    for (size_t i = 0; i < COUNT(common_options); i++) {
        if (strcmp(common_options[i].name, key->text) == 0)
            return true;
    }
    return false;
}

/* A shallow copy of a map's members that are common, or that are not; an empty map for what is null. Freed by
 * free(). NULL: memory. */
static struct conf *select_members(const struct conf *map, bool common)
{
    struct conf *copy = calloc(1, sizeof(*copy) + 2 * map->count * sizeof(struct conf *));
    if (!copy)
        return NULL;
    *copy = (struct conf) { .kind = CONF_MAP, .at = map->at };
    copy->items = (struct conf **)(copy + 1);
    copy->keys = copy->items + map->count;
    for (size_t i = 0; i < map->count; i++) {
        if (is_common(map->keys[i]) != common)
            continue;
        copy->keys[copy->count] = map->keys[i];
        copy->items[copy->count++] = map->items[i];
    }
    return copy;
}

/* An entry of the list: a map with one member, the kind, whose value is a map or nothing. */
static bool check_source(const struct conf *entry, struct errs *errs)
{
    if (entry->unusable)
        return false;
    if (entry->kind != CONF_MAP || entry->count == 0) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, entry->at, "a source must be a map with one member, its kind");
        err_hint(e, "For example: - mqtt: { url: mqtt://127.0.0.1:1883 }");
        return false;
    }
    const struct conf *kind = entry->keys[0], *options = entry->items[0];
    if (entry->count > 1) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, entry->keys[1]->at,
                                 "a source has exactly one member, here \"%.80s\"", kind->text);
        if (conf_is_null(options))
            err_hint(e, "Are the options of \"%.80s\" to be indented further?", kind->text);
        else
            err_hint(e, "Begin each source with \"-\".");
        return false;
    }
    if (options->unusable)
        return false;
    if (options->kind != CONF_MAP && !conf_is_null(options)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, options->at, "the options of %.80s must be a map, not a %s",
                 kind->text, conf_kind_name(options));
        return false;
    }
    return true;
}

static int take_source(struct service_conf *c, const struct conf *entry, struct errs *errs)
{
    if (!check_source(entry, errs))
        return 0;
    const struct conf *kind = entry->keys[0];
    struct source_conf *s = &c->sources[c->source_count++];
    *s = (struct source_conf) { .kind = kind->text, .at = kind->at };
    struct conf *common = select_members(entry->items[0], true);
    s->options = select_members(entry->items[0], false);
    int rc = common && s->options ? 0 : no_memory(errs);
    if (rc == 0 && opt_read(common_options, COUNT(common_options), common, kind->text, kind->at, s, errs) < 0)
        s->ordering = ORDERING_TOPIC; /* the error is counted by the caller */
    const struct conf *ordering = common ? conf_get(common, "ordering") : NULL;
    s->ordering_at = ordering ? ordering->at : kind->at;
    free(common);
    return rc;
}

static int take_sources(struct service_conf *c, const struct conf *sources, struct errs *errs)
{
    if (!sources)
        return 0;
    if (sources->kind != CONF_LIST || sources->count == 0) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, sources->at, "\"sources\" must be a list of at least one source");
        err_hint(e, "For example: sources: [{ mqtt: { url: mqtt://127.0.0.1:1883 } }]");
        return 0;
    }
    c->sources = calloc(sources->count, sizeof(*c->sources));
    if (!c->sources)
        return no_memory(errs);
    for (size_t i = 0; i < sources->count; i++) {
        if (take_source(c, sources->items[i], errs) < 0)
            return -1;
    }
    return 0;
}

/* A kind without options ("bus: { mqtt: }") has an empty map of them, so that what is missing has a place. */
static void fill_empty_connections(struct conf *connections)
{
    for (size_t i = 0; i < connections->count; i++) {
        struct conf *c = connections->items[i];
        if (c->kind == CONF_MAP && c->count == 1 && conf_is_null(c->items[0]))
            c->items[0]->kind = CONF_MAP;
    }
}

static void take_connections(struct service_conf *c, struct errs *errs)
{
    struct conf *connections = conf_get(c->root, "connections");
    if (!connections || connections->unusable || conf_is_null(connections))
        return;
    if (connections->kind == CONF_MAP) {
        fill_empty_connections(connections);
        c->connections = connections;
        return;
    }
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, connections->at, "\"connections\" must be a map, not a %s",
                             conf_kind_name(connections));
    err_hint(e, "For example: connections: { warehouse: { postgres: { conninfo: \"dbname=plant\" } } }");
}

/* Its options are read by the interface; without a map there is no place for them. */
static void take_admin(struct service_conf *c, struct errs *errs)
{
    const struct conf *admin = c->admin;
    if (!admin || (admin->kind == CONF_MAP && !admin->unusable))
        return;
    c->admin = NULL;
    if (admin->unusable)
        return;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, admin->at, "\"admin\" must be a map");
    err_hint(e, "For example: admin: { listen: \"127.0.0.1:8080\" }");
}

/* ---- the whole ---- */

void service_conf_free(struct service_conf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->source_count; i++)
        free((void *)c->sources[i].options);
    for (size_t i = 0; i < c->rule_count; i++)
        free(c->rules[i]);
    for (size_t i = 0; i < c->policy_file_count; i++)
        free(c->policy_files[i]);
    free(c->policy_files);
    free(c->region);
    free(c->sources);
    free(c->rules);
    free(c->folder);
    free(c->account_id);
    free(c->store);
    free(c->store_path);
    free(c->dead_letters);
    free(c->stats_file);
    conf_free(c->root);
    free(c);
}

static int read_all(struct fields *f, struct errs *errs)
{
    struct conf *root = f->c.root;
    conf_fill_secrets(root, errs);
    read_sections(f, root, errs);
    take_admin(&f->c, errs);
    check_values(f, root, errs);
    take_connections(&f->c, errs);
    if (take_store(&f->c, errs) < 0)
        return -1;
    if (take_sources(&f->c, f->sources, errs) < 0 || take_rules(&f->c, f->rules, errs) < 0 ||
        take_policies(f, errs) < 0)
        return -1;
    return 0;
}

struct service_conf *service_conf_load(const char *path, struct errs *errs)
{
    struct service_conf *c = calloc(1, sizeof(*c));
    struct fields f = { .c = { .folder = path_folder(path) } };
    int rc = c && f.c.folder ? 0 : no_memory(errs);
    if (rc == 0) {
        f.c.root = conf_load_partly(path, errs); /* nothing runs after an error, but the rules can be checked */
        rc = f.c.root ? read_all(&f, errs) : -1;
    }
    if (!c) {
        free(f.c.folder);
        return NULL;
    }
    *c = f.c;
    if (rc == 0)
        return c;
    service_conf_free(c);
    return NULL;
}

void source_conf_hint_common(const struct source_conf *source, struct errs *errs)
{
    const char *names[COUNT(common_options)];
    for (size_t i = 0; i < COUNT(common_options); i++)
        names[i] = common_options[i].name;
    for (size_t i = 0; i < source->options->count; i++) {
        const struct conf *key = source->options->keys[i];
        const char *near = nearest_word(key->text, key->len, names, COUNT(names));
        for (size_t k = 0; near && k < errs->count; k++) {
            struct err *e = &errs->items[k];
            if (e->code == ERR_CONF_KEY && !e->hint[0] && e->at.src == key->at.src && e->at.off == key->at.off)
                err_hint(e, "did you mean \"%s\"?", near);
        }
    }
}

void service_conf_help(struct buf *out)
{
    buf_puts(out, "sluice.yaml:\n");
    opt_help(service_options, COUNT(service_options), out);
    buf_puts(out, "every source:\n");
    opt_help(common_options, COUNT(common_options), out);
    for (size_t i = 1; i < COUNT(sections); i++) {
        buf_printf(out, "%s:\n", sections[i].name);
        opt_help(sections[i].options, sections[i].count, out);
    }
}
