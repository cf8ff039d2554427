/* SPDX-License-Identifier: Apache-2.0 */
/* Connects the ports: action types to targets, source types to sources, both to the rules and the flow. */
#include "engine/apps/sluice/wire.h"

#include <stdlib.h>
#include <string.h>

#include "engine/admin/admin.h"
#include "engine/apps/sluice/case_check.h"
#include "engine/apps/sluice/policies.h"
#include "engine/base/clock.h"
#include "engine/base/machine_memory.h"
#include "engine/devices/store_sqlite.h"
#include "engine/flow/rule_file.h"
#include "engine/flow/source_listen.h"
#include "engine/flow/source_mqtt.h"
#include "engine/flow/source_replay.h"
#include "engine/mqtt/password_file.h"

const struct source_type *const source_types[] = { &source_mqtt, &source_listen, &source_replay, NULL };

static void hint_known(struct err *e, const char *const *names, size_t count)
{
    struct buf known;
    buf_init(&known, sizeof(e->hint));
    for (size_t i = 0; i < count; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
    if (!known.failed && known.len)
        err_hint(e, "Known sources: %s.", known.p);
    buf_clear(&known);
}

static const struct source_type *source_type_find(const struct source_conf *conf, struct errs *errs)
{
    const char *names[sizeof source_types / sizeof source_types[0]];
    size_t n = 0;
    for (; source_types[n]; n++) {
        if (strcmp(source_types[n]->name, conf->kind) == 0)
            return source_types[n];
        names[n] = source_types[n]->name;
    }
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_NAME, conf->at, "unknown source \"%s\"", conf->kind);
    const char *near = nearest_word(conf->kind, strlen(conf->kind), names, n);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    else
        hint_known(e, names, n);
    return NULL;
}

static void check_ordering(const struct source_conf *conf, const struct source_type *type, struct errs *errs)
{
    if (conf->ordering != ORDERING_CLIENT || (type->names_clients && type->names_clients(conf->options)))
        return;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, conf->ordering_at,
                             "messages of %s do not tell their client, so it cannot order them", type->name);
    err_hint(e, "Use ordering: topic, or none%s.",
             type->names_clients ? "; or say with identity or clientIdFrom who the client is" : "");
}

/* A broker spreads the messages of a topic over the members of a group, in whatever order these get on. */
static void check_share(const struct source_conf *conf, struct errs *errs)
{
    const struct conf *share = strcmp(conf->kind, "mqtt") == 0 ? conf_get(conf->options, "share") : NULL;
    if (!share || conf->ordering != ORDERING_TOPIC)
        return;
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, share->at,
                             "a shared subscription cancels ordering: topic, since the broker spreads the messages of "
                             "a topic over all members of the group");
    err_hint(e, "Say ordering: none, or give each instance filters of its own.");
}

static void open_source(struct service *s, const struct source_conf *conf, struct errs *errs)
{
    const struct source_type *type = source_type_find(conf, errs);
    if (type)
        check_ordering(conf, type, errs);
    check_share(conf, errs);
    if (type && type->variant)
        type = type->variant(conf->options);
    void *handle = type ? type->open(conf->options, &s->source_env, errs) : NULL;
    if (type)
        source_conf_hint_common(conf, errs);
    if (handle)
        s->sources[s->source_count++] =
            (struct flow_source) { type, handle, type->name, (enum ordering)conf->ordering };
}

/* The text of an option, "" if it is not there. */
static const char *text_of(const struct conf *options, const char *name)
{
    const struct conf *c = conf_get(options, name);
    return c && c->kind == CONF_SCALAR && !c->unusable ? c->text : "";
}

static bool same_text(const struct conf *a, const struct conf *b, const char *name)
{
    return strcmp(text_of(a, name), text_of(b, name)) == 0;
}

/* Two sources of one broker with one client identifier: the broker closes the connection of the one when the other comes. */
static void check_client_ids(const struct service_conf *conf, struct errs *errs)
{
    for (size_t i = 1; i < conf->source_count; i++) {
        const struct source_conf *s = &conf->sources[i];
        bool taken = false;
        for (size_t k = 0; k < i && strcmp(s->kind, "mqtt") == 0; k++)
            taken |= strcmp(conf->sources[k].kind, "mqtt") == 0 &&
                     same_text(s->options, conf->sources[k].options, "url") &&
                     same_text(s->options, conf->sources[k].options, "clientId");
        if (!taken)
            continue;
        const struct conf *id = conf_get(s->options, "clientId");
        struct err *e =
            errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, id ? id->at : s->at,
                     "another source has the same \"url\" and \"clientId\": a broker keeps only one of them connected");
        err_hint(e, "Give each source a \"clientId\" of its own.");
    }
}

static void open_sources(struct service *s, struct errs *errs)
{
    s->sources = calloc(s->conf->source_count + 1, sizeof *s->sources);
    if (!s->sources) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "out of memory");
        return;
    }
    for (size_t i = 0; i < s->conf->source_count; i++)
        open_source(s, &s->conf->sources[i], errs);
    check_client_ids(s->conf, errs);
}

/* The first source of a kind, or NULL. */
static const struct source_conf *first_source(const struct service_conf *conf, const char *kind)
{
    for (size_t i = 0; i < conf->source_count; i++)
        if (strcmp(conf->sources[i].kind, kind) == 0)
            return &conf->sources[i];
    return NULL;
}

/* Where a republish without a connection goes: the broker of the first mqtt source. */
static const struct conf *default_mqtt(const struct service_conf *conf)
{
    const struct source_conf *source = first_source(conf, "mqtt");
    return source ? source->options : NULL;
}

/* Sessions with brokers or with clients of ours are to outlive the process. */
static bool has_sessions(const struct service_conf *conf)
{
    return first_source(conf, "mqtt") || first_source(conf, "listen");
}

/* Only its name: the file is made when a flow is. */
static void open_store(struct service *s, struct errs *errs)
{
    struct err e = { 0 };
    if (!s->conf->store_path || !has_sessions(s->conf))
        return;
    s->store = store_sqlite_new(s->conf->store_path, &e);
    if (s->store)
        s->source_env.sessions = store_sqlite_sessions(s->store);
    else
        errs_take(errs, &e);
}

/* Beside a broker its plugin enforces them, from its own configuration. */
static void check_policies_are_asked(const struct service_conf *conf, struct errs *errs)
{
    if (conf->admin || first_source(conf, "listen"))
        return;
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, conf_get(conf->root, "policies")->at,
                             "nobody asks these policies: there is neither a listen source nor \"admin\"");
    err_hint(e, "Beside Mosquitto they belong to its plugin: plugin_opt_policies.");
}

/* Checked wherever they are named; a listen source and the admin interface ask them. */
static void open_policies(struct service *s, struct errs *errs)
{
    if (s->conf->policy_file_count == 0)
        return;
    check_policies_are_asked(s->conf, errs);
    s->policies = policies_open(s->conf, errs);
    if (s->policies)
        s->source_env.authorizer = policies_authorizer(s->policies);
}

/* --- the admin interface --- */

static void open_passwords(struct service *s, const struct conf *section, struct errs *errs)
{
    const char *path = admin_password_file(s->admin);
    struct err e = { 0 };
    if (path) {
        s->passwords = password_file_load(path, &e);
        if (!s->passwords)
            errs_refuse_value(errs, &e, conf_get(section, "passwordFile")->at);
    } else if (s->policies) {
        /* not at the section: its line may hold the token */
        struct err *w = errs_add(errs, SEV_WARNING, ERR_CONF_MISSING, conf_get(s->conf->root, "policies")->at,
                                 "brokers may ask at \"admin\" whether a client may connect, and the answer looks at "
                                 "no password: it has no passwordFile");
        err_hint(w, "Name a passwordFile, or let the broker check passwords by itself.");
    }
}

static void open_admin(struct service *s, struct errs *errs)
{
    const struct conf *section = s->conf->admin;
    if (!section)
        return;
    s->admin = admin_open(section, errs);
    if (s->admin)
        open_passwords(s, section, errs);
}

static bool fits(void *ctx, const char *name, size_t name_len, const char *password, size_t password_len)
{
    return password_file_fits(ctx, name, name_len, password, password_len);
}

int service_admin_start(struct service *s, struct err *e)
{
    const struct admin_env env = { .authorizer = s->policies ? policies_authorizer(s->policies) : NULL,
                                   .fits = s->passwords ? fits : NULL,
                                   .fits_ctx = s->passwords };
    if (!s->admin || admin_start(s->admin, &env, e) == 0)
        return 0;
    e->at = conf_get(s->conf->admin, "listen")->at;
    return -1;
}

/* --- all of it --- */

static void divide_memory(struct service *s)
{
    const struct service_conf *conf = s->conf;
    uint64_t limit = conf->memory_limit > 0 ? (uint64_t)conf->memory_limit : machine_memory() / 2;
    s->memory = memory_plan_make(limit < MEMORY_LIMIT_MIN ? MEMORY_LIMIT_MIN : limit,
                                 flow_worker_count((size_t)conf->workers), conf->source_count);
    s->source_env.memory = s->memory.source;
}

void service_open(struct service *s, const char *path, struct errs *errs)
{
    *s = (struct service) {
        .act_env = { .clock = &clock_system, .client_name = "sluice" },
        .source_env = { .clock = &clock_system },
    };
    targets_init(&s->targets, action_types, &s->act_env);
    s->conf = path ? service_conf_load(path, errs) : NULL;
    if (!s->conf)
        return;
    s->act_env.folder = s->conf->folder;
    divide_memory(s);
    int rc = targets_open(&s->targets, s->conf->connections, default_mqtt(s->conf), errs);
    s->lookups = lookups_open(s->conf->lookups, &clock_system, errs);
    open_store(s, errs);
    open_policies(s, errs);
    open_admin(s, errs);
    open_sources(s, errs); /* also if a connection was wrong: its errors are as much worth knowing */
    (void)rc;
}

/* --- what rules ask --- */

struct asking {
    const struct lookups *lookups;
    struct errs *errs;
};

static void check_question(void *ctx, const char *function, struct span at)
{
    struct asking *a = ctx;
    const char *option;
    if (lookups_can(a->lookups, function, &option))
        return;
    struct err *e =
        errs_add(a->errs, SEV_WARNING, ERR_CONF_MISSING, at,
                 "nobody answers %s(): sluice.yaml has no \"%s\" under \"lookups\", so it fails", function, option);
    err_hint(e, "`sluice options` tells what stands there.");
}

static void check_questions(const struct service *s, const struct ruleset *rs, struct errs *errs)
{
    for (size_t i = 0; s->lookups && i < rs->rule_count; i++) {
        struct asking a = { .lookups = s->lookups, .errs = errs };
        sql_rule_questions(rs->rules[i].sql, check_question, &a);
    }
}

struct ruleset *service_rules(struct service *s, char *const *paths, size_t count, struct stats_table *stats,
                              struct errs *errs)
{
    struct rule_def **defs = NULL;
    size_t def_count = 0, errors = errs->errors;
    for (size_t i = 0; i < count; i++)
        if (rule_file_read(paths[i], &defs, &def_count, errs) < 0)
            continue; /* its errors are in errs; the other files are still read */
    for (size_t i = 0; s->check_tests && i < def_count; i++)
        case_check(defs[i], errs);
    struct ruleset *rs = ruleset_compile(defs, def_count, &s->targets, stats, errs);
    for (size_t i = 0; rs && i < s->source_count; i++)
        if (s->sources[i].type->check)
            s->sources[i].type->check(s->sources[i].handle, rs->filters, rs->filter_count, errs);
    if (rs)
        check_questions(s, rs, errs);
    if (errs->errors == errors)
        return rs;
    ruleset_unref(rs);
    return NULL;
}

void service_compile(struct service *s, char *const *paths, size_t count, struct stats_table *stats, struct errs *errs)
{
    if (count == 0 && s->conf) {
        paths = s->conf->rules;
        count = s->conf->rule_count;
    }
    s->ruleset = service_rules(s, paths, count, stats, errs);
}

struct flow *service_flow(struct service *s, void (*finished)(void *ctx, bool all), void *ctx, struct errs *errs)
{
    const struct service_conf *conf = s->conf;
    struct err e = { 0 };
    if (s->store && store_sqlite_open(s->store, &e) < 0) {
        const struct conf *store = conf_get(conf->root, "store");
        e.at = store ? store->at : conf->root->at;
        errs_take(errs, &e);
        return NULL;
    }
    const struct flow_options options = {
        .clock = &clock_system,
        .workers = (size_t)conf->workers,
        .in_flight = (size_t)conf->in_flight,
        .memory = s->memory,
        .outbox_items = (size_t)conf->outbox_items,
        .retry = { .min_ms = (unsigned)conf->retry_min_ms, .max_ms = (unsigned)conf->retry_max_ms },
        .dead_letters = conf->dead_letters,
        .account_id = conf->account_id,
        .lookups = lookups_port(s->lookups),
        .finished = finished,
        .finished_ctx = ctx,
    };
    struct flow *flow = flow_new(&options, &s->targets, s->sources, s->source_count, errs);
    s->sources_given = flow != NULL;
    return flow;
}

void service_close(struct service *s)
{
    for (size_t i = 0; !s->sources_given && i < s->source_count; i++)
        s->sources[i].type->close(s->sources[i].handle);
    free(s->sources);
    ruleset_unref(s->ruleset);
    targets_clear(&s->targets);
    lookups_close(s->lookups);
    admin_close(s->admin);
    password_file_free(s->passwords);
    policies_close(s->policies);
    store_sqlite_free(s->store);
    service_conf_free(s->conf);
    *s = (struct service) { 0 };
}
