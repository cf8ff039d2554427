/* SPDX-License-Identifier: Apache-2.0 */
/* Sharded counters, each shard under its own lock.
 *
 *     table ── rules: rule_stats ── cells[worker] ── counts, one cache line or more of its own
 *           ── shards[worker]: lock of that worker's cells, messages settled by source
 *           ── sources: lock, arrivals
 *
 * A shard's lock is taken by its worker and by snapshots, so a worker nearly always finds it free. Locks are leaves:
 * nothing is called and no second lock is taken while one is held. */
#include "engine/flow/stats.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "sluice/action.h"

#define CACHE_LINE ((size_t)64)

struct cell_action {
    uint64_t success, failure;
};

struct cell {
    uint64_t matched;
    uint64_t state[RUN_STATE_COUNT];
    uint64_t parse_errors, error_action_success, error_action_failure;
    struct cell_action actions[]; /* by type */
};

struct rule_stats {
    char *name;
    struct cell *cells[]; /* by worker */
};

struct shard {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
    uint64_t *settled; /* by source */
};

struct source_cell {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
    uint64_t received, unmatched, matched, rule_not_found, retained;
    uint64_t identity[IDENTITY_STATE_COUNT];
};

struct stats_table {
    const struct action_type *const *types;
    size_t type_count;
    struct shard *shards;
    size_t worker_count;
    struct source_cell *sources;
    size_t source_count;
    pthread_mutex_t lock; /* of the list of rules; the rules themselves stay where they are */
    struct rule_stats **rules;
    size_t rule_count, rule_cap;
};

/* Zeroed, in cache lines of its own. */
static void *lines_alloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    size_t bytes = (count * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *p = aligned_alloc(CACHE_LINE, bytes ? bytes : CACHE_LINE);
    if (p)
        memset(p, 0, bytes ? bytes : CACHE_LINE);
    return p;
}

static int shards_init(struct stats_table *t)
{
    for (size_t i = 0; i < t->source_count; i++)
        pthread_mutex_init(&t->sources[i].lock, NULL);
    for (size_t i = 0; i < t->worker_count; i++) {
        pthread_mutex_init(&t->shards[i].lock, NULL);
        t->shards[i].settled = lines_alloc(t->source_count, sizeof(uint64_t));
        if (!t->shards[i].settled)
            return -1;
    }
    return 0;
}

struct stats_table *stats_table_new(size_t workers, size_t sources, const struct action_type *const *types)
{
    struct stats_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->types = types;
    while (types[t->type_count])
        t->type_count++;
    t->shards = lines_alloc(workers, sizeof(*t->shards));
    t->worker_count = t->shards ? workers : 0;
    t->sources = lines_alloc(sources, sizeof(*t->sources));
    t->source_count = t->sources ? sources : 0;
    if (!t->shards || !t->sources || shards_init(t) < 0) {
        stats_table_free(t);
        return NULL;
    }
    return t;
}

static void rule_free(const struct stats_table *t, struct rule_stats *r)
{
    for (size_t i = 0; i < t->worker_count; i++)
        free(r->cells[i]);
    free(r->name);
    free(r);
}

void stats_table_free(struct stats_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->rule_count; i++)
        rule_free(t, t->rules[i]);
    for (size_t i = 0; i < t->worker_count; i++) {
        pthread_mutex_destroy(&t->shards[i].lock);
        free(t->shards[i].settled);
    }
    for (size_t i = 0; i < t->source_count; i++)
        pthread_mutex_destroy(&t->sources[i].lock);
    pthread_mutex_destroy(&t->lock);
    free(t->rules);
    free(t->shards);
    free(t->sources);
    free(t);
}

static struct rule_stats *rule_new(const struct stats_table *t, const char *name)
{
    struct rule_stats *r = calloc(1, sizeof(*r) + t->worker_count * sizeof(struct cell *));
    if (!r)
        return NULL;
    r->name = strdup(name);
    bool complete = r->name != NULL;
    for (size_t i = 0; i < t->worker_count; i++) {
        r->cells[i] = lines_alloc(1, sizeof(struct cell) + t->type_count * sizeof(struct cell_action));
        complete = complete && r->cells[i];
    }
    if (!complete) {
        rule_free(t, r);
        return NULL;
    }
    return r;
}

/* Locks: t->lock held. */
static bool rules_reserve(struct stats_table *t)
{
    if (t->rule_count < t->rule_cap)
        return true;
    size_t cap = t->rule_cap ? t->rule_cap * 2 : 16;
    struct rule_stats **rules = realloc(t->rules, cap * sizeof(struct rule_stats *));
    if (!rules)
        return false;
    t->rules = rules;
    t->rule_cap = cap;
    return true;
}

struct rule_stats *stats_table_rule(struct stats_table *t, const char *name)
{
    for (size_t i = 0; i < t->rule_count; i++) { /* only this thread changes the list */
        if (strcmp(t->rules[i]->name, name) == 0)
            return t->rules[i];
    }
    struct rule_stats *r = rule_new(t, name);
    if (!r)
        return NULL;
    pthread_mutex_lock(&t->lock);
    bool room = rules_reserve(t);
    if (room)
        t->rules[t->rule_count++] = r;
    pthread_mutex_unlock(&t->lock);
    if (!room) {
        rule_free(t, r);
        return NULL;
    }
    return r;
}

void stats_run_began(struct stats_table *t, size_t worker, struct rule_stats *r, enum run_state state, bool parse_error)
{
    struct cell *c = r->cells[worker];
    pthread_mutex_lock(&t->shards[worker].lock);
    c->matched++;
    c->state[state]++;
    c->parse_errors += parse_error;
    pthread_mutex_unlock(&t->shards[worker].lock);
}

void stats_run_unparsed(struct stats_table *t, size_t worker, struct rule_stats *r)
{
    pthread_mutex_lock(&t->shards[worker].lock);
    r->cells[worker]->parse_errors++;
    pthread_mutex_unlock(&t->shards[worker].lock);
}

void stats_run_ended(struct stats_table *t, size_t worker, struct rule_stats *r, enum run_state state)
{
    struct cell *c = r->cells[worker];
    pthread_mutex_lock(&t->shards[worker].lock);
    c->state[RUN_IN_FLIGHT]--;
    c->state[state]++;
    pthread_mutex_unlock(&t->shards[worker].lock);
}

static size_t type_index(const struct stats_table *t, const struct action_type *type)
{
    size_t i = 0;
    while (i < t->type_count && t->types[i] != type)
        i++;
    return i;
}

void stats_action(struct stats_table *t, size_t worker, struct rule_stats *r, const struct action_type *type,
                  bool success)
{
    size_t index = type_index(t, type);
    if (index == t->type_count)
        return;
    struct cell_action *a = &r->cells[worker]->actions[index];
    pthread_mutex_lock(&t->shards[worker].lock);
    a->success += success;
    a->failure += !success;
    pthread_mutex_unlock(&t->shards[worker].lock);
}

void stats_error_action(struct stats_table *t, size_t worker, struct rule_stats *r, bool success)
{
    struct cell *c = r->cells[worker];
    pthread_mutex_lock(&t->shards[worker].lock);
    c->error_action_success += success;
    c->error_action_failure += !success;
    pthread_mutex_unlock(&t->shards[worker].lock);
}

void stats_settled(struct stats_table *t, size_t worker, size_t source)
{
    struct shard *s = &t->shards[worker];
    pthread_mutex_lock(&s->lock);
    s->settled[source]++;
    pthread_mutex_unlock(&s->lock);
}

void stats_source_matched(struct stats_table *t, size_t source, enum identity_state identity)
{
    struct source_cell *s = &t->sources[source];
    pthread_mutex_lock(&s->lock);
    s->received++;
    s->matched++;
    s->identity[identity]++;
    pthread_mutex_unlock(&s->lock);
}

void stats_source_unmatched(struct stats_table *t, size_t source, enum identity_state identity, bool rule_not_found)
{
    struct source_cell *s = &t->sources[source];
    pthread_mutex_lock(&s->lock);
    s->received++;
    s->unmatched++;
    s->rule_not_found += rule_not_found;
    s->identity[identity]++;
    pthread_mutex_unlock(&s->lock);
}

void stats_source_retained(struct stats_table *t, size_t source)
{
    struct source_cell *s = &t->sources[source];
    pthread_mutex_lock(&s->lock);
    s->received++;
    s->unmatched++;
    s->retained++;
    pthread_mutex_unlock(&s->lock);
}

/* Add one worker's counts to the sums. Locks: takes and leaves the shard's lock. */
static void add_cell(struct stats_table *t, size_t worker, const struct rule_stats *r, struct stats_rule *to,
                     struct stats_action *actions)
{
    const struct cell *c = r->cells[worker];
    pthread_mutex_lock(&t->shards[worker].lock);
    to->matched += c->matched;
    for (size_t i = 0; i < RUN_STATE_COUNT; i++)
        to->state[i] += c->state[i];
    to->parse_errors += c->parse_errors;
    to->error_action_success += c->error_action_success;
    to->error_action_failure += c->error_action_failure;
    for (size_t i = 0; i < t->type_count; i++) {
        actions[i].success += c->actions[i].success;
        actions[i].failure += c->actions[i].failure;
    }
    pthread_mutex_unlock(&t->shards[worker].lock);
}

/* Fill one rule; its rows of used action types start at `actions` (room for all types). */
static void read_rule(struct stats_table *t, const struct rule_stats *r, struct stats_rule *to,
                      struct stats_action *actions)
{
    *to = (struct stats_rule) { .name = r->name, .actions = actions };
    for (size_t w = 0; w < t->worker_count; w++)
        add_cell(t, w, r, to, actions);
    for (size_t i = 0; i < t->type_count; i++) {
        if (actions[i].success + actions[i].failure == 0)
            continue;
        struct stats_action used = actions[i];
        used.type = t->types[i]->name;
        actions[to->action_count++] = used;
    }
}

static int read_rules(struct stats_table *t, struct stats_snapshot *s)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->rule_count;
    pthread_mutex_unlock(&t->lock);
    s->rules = calloc(count + 1, sizeof(*s->rules));
    s->actions = calloc(count * t->type_count + 1, sizeof(*s->actions));
    if (!s->rules || !s->actions)
        return -1;
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&t->lock); /* the list may move, the rule does not */
        const struct rule_stats *r = t->rules[i];
        pthread_mutex_unlock(&t->lock);
        read_rule(t, r, &s->rules[i], s->actions + i * t->type_count);
    }
    s->rule_count = count;
    return 0;
}

/* Settled first, arrivals second: what was settled in between is then still "in flight", never negative. */
static int read_sources(struct stats_table *t, struct stats_snapshot *s)
{
    s->sources = calloc(t->source_count + 1, sizeof(*s->sources));
    if (!s->sources)
        return -1;
    s->source_count = t->source_count;
    for (size_t w = 0; w < t->worker_count; w++) {
        pthread_mutex_lock(&t->shards[w].lock);
        for (size_t i = 0; i < t->source_count; i++)
            s->sources[i].settled += t->shards[w].settled[i];
        pthread_mutex_unlock(&t->shards[w].lock);
    }
    for (size_t i = 0; i < t->source_count; i++) {
        struct stats_source *to = &s->sources[i];
        pthread_mutex_lock(&t->sources[i].lock);
        to->received = t->sources[i].received;
        to->unmatched = t->sources[i].unmatched;
        to->rule_not_found = t->sources[i].rule_not_found;
        to->retained = t->sources[i].retained;
        memcpy(to->identity, t->sources[i].identity, sizeof(to->identity));
        to->in_flight = t->sources[i].matched - to->settled;
        pthread_mutex_unlock(&t->sources[i].lock);
    }
    return 0;
}

int stats_table_read(struct stats_table *t, struct stats_snapshot *s, struct err *e)
{
    *s = (struct stats_snapshot) { 0 };
    if (read_rules(t, s) < 0 || read_sources(t, s) < 0) {
        stats_snapshot_clear(s);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    return 0;
}

void stats_snapshot_clear(struct stats_snapshot *s)
{
    free(s->rules);
    free(s->sources);
    free(s->targets);
    free(s->actions);
    *s = (struct stats_snapshot) { 0 };
}

static void put_text(struct buf *out, const char *member, const char *text)
{
    buf_printf(out, "\"%s\":", member);
    json_write_string(out, text ? text : "", text ? strlen(text) : 0);
}

/* `,"member":count` */
static void put_count(struct buf *out, const char *member, uint64_t count)
{
    buf_printf(out, ",\"%s\":", member);
    buf_put_u64(out, count);
}

static void put_rule(struct buf *out, const struct stats_rule *r)
{
    static const char *const states[] = {
        [RUN_IN_FLIGHT] = "inFlight",  [RUN_FILTERED] = "filtered", [RUN_FAILED] = "failed",
        [RUN_DELIVERED] = "delivered", [RUN_DEAD] = "dead",         [RUN_DROPPED] = "dropped",
    };
    _Static_assert(sizeof(states) / sizeof(states[0]) == RUN_STATE_COUNT, "one name per state");
    buf_putc(out, '{');
    put_text(out, "name", r->name);
    put_count(out, "matched", r->matched);
    for (size_t i = 0; i < RUN_STATE_COUNT; i++)
        put_count(out, states[i], r->state[i]);
    put_count(out, "parseErrors", r->parse_errors);
    put_count(out, "errorActionSuccess", r->error_action_success);
    put_count(out, "errorActionFailure", r->error_action_failure);
    buf_puts(out, ",\"actions\":[");
    for (size_t i = 0; i < r->action_count; i++) {
        buf_puts(out, i ? ",{" : "{");
        put_text(out, "type", r->actions[i].type);
        put_count(out, "success", r->actions[i].success);
        put_count(out, "failure", r->actions[i].failure);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static void put_identity(struct buf *out, const uint64_t *counts)
{
    buf_puts(out, ",\"identity\":{\"opened\":");
    buf_put_u64(out, counts[IDENTITY_OPENED]);
    put_count(out, "absent", counts[IDENTITY_ABSENT]);
    put_count(out, "forged", counts[IDENTITY_FORGED]);
    put_count(out, "replayed", counts[IDENTITY_REPLAYED]);
    buf_putc(out, '}');
}

static void put_source(struct buf *out, const struct stats_source *s)
{
    buf_putc(out, '{');
    put_text(out, "name", s->name);
    put_count(out, "received", s->received);
    put_count(out, "unmatched", s->unmatched);
    put_count(out, "settled", s->settled);
    put_count(out, "inFlight", s->in_flight);
    put_count(out, "ruleNotFound", s->rule_not_found);
    put_count(out, "retained", s->retained);
    put_identity(out, s->identity);
    buf_putc(out, '}');
}

static void put_target(struct buf *out, const struct stats_target *t)
{
    buf_putc(out, '{');
    put_text(out, "name", t->name);
    buf_putc(out, ',');
    put_text(out, "type", t->type);
    buf_putc(out, ',');
    put_text(out, "state", t->state);
    buf_putc(out, ',');
    put_text(out, "reason", t->reason);
    put_count(out, "waiting", t->waiting);
    put_count(out, "delivered", t->delivered);
    put_count(out, "rejected", t->rejected);
    put_count(out, "retried", t->retried);
    put_count(out, "full", t->full);
    buf_putc(out, '}');
}

void stats_snapshot_write(const struct stats_snapshot *s, struct buf *out)
{
    buf_puts(out, "{\"rules\":[");
    for (size_t i = 0; i < s->rule_count; i++) {
        buf_puts(out, i ? "," : "");
        put_rule(out, &s->rules[i]);
    }
    buf_puts(out, "],\"sources\":[");
    for (size_t i = 0; i < s->source_count; i++) {
        buf_puts(out, i ? "," : "");
        put_source(out, &s->sources[i]);
    }
    buf_puts(out, "],\"targets\":[");
    for (size_t i = 0; i < s->target_count; i++) {
        buf_puts(out, i ? "," : "");
        put_target(out, &s->targets[i]);
    }
    buf_puts(out, "],\"memory\":{\"limit\":");
    buf_put_u64(out, s->memory.limit);
    put_count(out, "messages", s->memory.messages);
    put_count(out, "results", s->memory.results);
    buf_puts(out, "}}");
}
