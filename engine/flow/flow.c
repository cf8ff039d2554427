/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the flow: making the parts, connecting them, starting them from the end of a message's way to its
 * beginning, and stopping them from the beginning to the end. What happens to a message is in intake.c, worker.c and
 * outbox.c. */
#include "engine/flow/flow.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/random.h"
#include "engine/flow/dead_letter.h"
#include "engine/flow/filters.h"
#include "engine/flow/gate.h"
#include "engine/flow/intake.h"
#include "engine/flow/outbox.h"
#include "engine/flow/worker.h"

#define WORKERS_MAX           256
#define SUBSCRIBE_PATIENCE_MS 5000 /* for new filters, before new rules are in force */
#define SUBSCRIBE_SLICE_MS    2

/* The outboxes of targets that rules use. Grows with reloads; the outboxes themselves stay until the end. */
struct outbox_list {
    pthread_mutex_t lock;
    struct target **targets; /* each with its outbox */
    size_t count, cap;
};

struct flow {
    struct flow_options options;
    struct targets *targets;
    struct stats_table *stats;
    struct gate gate;
    struct pressure pressure;
    struct dead_letter *dead_letter;
    struct outbox_list outboxes;
    struct ruleset_slot current; /* ruleset NULL: not started yet */
    struct worker_env worker_env;
    struct worker **workers;
    size_t worker_count;
    struct intake_env intake_env;
    struct intake *intakes;
    size_t intake_count;
    size_t sources_started;
    bool has_gate, sources_stopped, stopped;
    atomic_size_t finished; /* sources */
    atomic_bool incomplete; /* one of them could not hand over all */
};

/* --- making --- */

static struct outbox_conf outbox_conf_of(struct flow *f)
{
    return (struct outbox_conf) { .clock = f->options.clock,
                                  .retry = f->options.retry,
                                  .bound = f->options.outbox_items,
                                  .pressure = &f->pressure,
                                  .seed = random_entropy() };
}

static void on_relieved(void *ctx)
{
    struct flow *f = ctx;
    for (size_t i = 0; i < f->worker_count; i++)
        worker_wake(f->workers[i]);
}

static void on_finished(void *ctx, bool all)
{
    struct flow *f = ctx;
    if (!all)
        atomic_store(&f->incomplete, true);
    if (atomic_fetch_add(&f->finished, 1) + 1 == f->intake_count && f->options.finished)
        f->options.finished(f->options.finished_ctx, !atomic_load(&f->incomplete));
}

size_t flow_worker_count(size_t wanted)
{
    long count = wanted ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (size_t)count;
}

/* An evaluation takes what the limits say, or less if there is less for each worker. */
static struct sql_limits limits_of(const struct flow_options *options)
{
    struct sql_limits limits = options->limits;
    size_t most = options->memory.evaluation, arena = limits.arena_bytes ? limits.arena_bytes : SQL_DEFAULT_ARENA;
    if (most)
        limits.arena_bytes = arena < most ? arena : most;
    return limits;
}

static int make_workers(struct flow *f, struct err *e)
{
    f->worker_env = (struct worker_env) { .clock = f->options.clock,
                                          .lookups = f->options.lookups,
                                          .account_id = f->options.account_id,
                                          .limits = limits_of(&f->options),
                                          .stats = f->stats,
                                          .gate = &f->gate,
                                          .pressure = &f->pressure,
                                          .kept_bytes = f->options.memory.kept ? f->options.memory.kept : SIZE_MAX,
                                          .dead_letter = f->dead_letter };
    size_t count = flow_worker_count(f->options.workers);
    f->workers = calloc(count, sizeof(struct worker *));
    if (!f->workers)
        return err_set(e, ERR_MEMORY, "out of memory");
    for (; f->worker_count < count; f->worker_count++) {
        f->workers[f->worker_count] = worker_new(&f->worker_env, f->worker_count, f->options.in_flight, e);
        if (!f->workers[f->worker_count])
            return -1;
    }
    return 0;
}

static int make_intakes(struct flow *f, const struct flow_source *sources, size_t count, struct err *e)
{
    f->intake_env = (struct intake_env) { .clock = f->options.clock,
                                          .gate = &f->gate,
                                          .stats = f->stats,
                                          .current = &f->current,
                                          .workers = f->workers,
                                          .worker_count = f->worker_count,
                                          .finished = on_finished,
                                          .ctx = f };
    f->intakes = calloc(count + 1, sizeof(struct intake));
    if (!f->intakes)
        return err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct msg_origin origin = { .type = sources[i].type, .handle = sources[i].handle, .index = i };
        intake_init(&f->intakes[i], &f->intake_env, &origin, sources[i].name, sources[i].ordering);
    }
    f->intake_count = count;
    return 0;
}

/* -1 with the error in e, or (dead-letter store) already in errs. */
static int make_parts(struct flow *f, const struct flow_source *sources, size_t count, struct errs *errs, struct err *e)
{
    pressure_init(&f->pressure, f->options.memory.results, on_relieved, f);
    f->stats = stats_table_new(flow_worker_count(f->options.workers), count, f->targets->types);
    if (!f->stats)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (gate_init(&f->gate, f->options.in_flight, f->options.memory.messages, e) < 0)
        return -1;
    f->has_gate = true;
    struct outbox_conf conf = outbox_conf_of(f);
    f->dead_letter = dead_letter_open(f->options.dead_letters, f->targets, &conf, errs);
    if (!f->dead_letter || make_workers(f, e) < 0)
        return -1;
    return make_intakes(f, sources, count, e);
}

struct flow *flow_new(const struct flow_options *options, struct targets *targets, const struct flow_source *sources,
                      size_t count, struct errs *errs)
{
    assert(options->in_flight > 0 && options->outbox_items > 0 && options->retry.min_ms > 0);
    struct err e = { 0 };
    struct flow *f = calloc(1, sizeof(*f));
    if (!f) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "out of memory");
        return NULL;
    }
    f->options = *options;
    f->targets = targets;
    pthread_mutex_init(&f->outboxes.lock, NULL);
    if (make_parts(f, sources, count, errs, &e) == 0)
        return f;
    if (e.code != ERR_NONE)
        errs_take(errs, &e);
    f->intake_count = 0; /* the sources stay the caller's */
    flow_free(f);
    return NULL;
}

struct stats_table *flow_stats(struct flow *f)
{
    return f->stats;
}

/* --- starting --- */

/* Locks: takes list->lock. */
static int list_add(struct outbox_list *list, struct target *target)
{
    int rc = -1;
    pthread_mutex_lock(&list->lock);
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct target **targets = realloc(list->targets, cap * sizeof(struct target *));
        if (!targets)
            goto out;
        list->targets = targets;
        list->cap = cap;
    }
    list->targets[list->count++] = target;
    rc = 0;
out:
    pthread_mutex_unlock(&list->lock);
    return rc;
}

static int start_outbox(struct flow *f, struct target *target, struct err *e)
{
    if (target->outbox)
        return 0;
    struct outbox_conf conf = outbox_conf_of(f);
    struct outbox *o = outbox_new(&conf, target, e);
    if (!o)
        return -1;
    target->outbox = o;
    if (list_add(&f->outboxes, target) < 0) {
        target->outbox = NULL;
        outbox_free(o);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    return outbox_start(o, e);
}

/* An outbox for every target that the rules use. */
static int start_outboxes(struct flow *f, const struct ruleset *rs, struct err *e)
{
    for (size_t i = 0; i < rs->rule_count; i++) {
        const struct rule *rule = &rs->rules[i];
        for (size_t k = 0; k < rule->action_count; k++) {
            if (start_outbox(f, rule->actions[k].target, e) < 0)
                return -1;
        }
        if (rule->error_action && start_outbox(f, rule->error_action->target, e) < 0)
            return -1;
    }
    return 0;
}

static int start_sources(struct flow *f, const struct ruleset *rs, struct err *e)
{
    for (; f->sources_started < f->intake_count; f->sources_started++) {
        struct intake *in = &f->intakes[f->sources_started];
        if (in->origin.type->start(in->origin.handle, &in->sink, rs->filters, rs->filter_count, e) < 0)
            return -1;
    }
    return 0;
}

/* Counters for rules that were compiled without; nobody else sees the ruleset yet. */
static int bind_stats(struct flow *f, struct ruleset *rs, struct err *e)
{
    for (size_t i = 0; i < rs->rule_count; i++) {
        struct rule *rule = &rs->rules[i];
        if (!rule->stats)
            rule->stats = stats_table_rule(f->stats, rule->name);
        if (!rule->stats)
            return err_set(e, ERR_MEMORY, "out of memory");
    }
    return 0;
}

int flow_start(struct flow *f, struct ruleset *rs, struct err *e)
{
    ruleset_slot_init(&f->current, rs);
    int rc = bind_stats(f, rs, e);
    if (rc == 0)
        rc = start_outboxes(f, rs, e);
    if (rc == 0)
        rc = outbox_start(dead_letter_outbox(f->dead_letter), e);
    for (size_t i = 0; rc == 0 && i < f->worker_count; i++)
        rc = worker_start(f->workers[i], e);
    if (rc == 0)
        rc = start_sources(f, rs, e);
    if (rc < 0)
        flow_stop(f);
    return rc;
}

static int set_filters(struct flow *f, const struct source_filter *filters, size_t count, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < f->intake_count; i++) {
        const struct msg_origin *origin = &f->intakes[i].origin;
        if (origin->type->set_filters && origin->type->set_filters(origin->handle, filters, count, e) < 0)
            rc = -1;
    }
    return rc;
}

static bool filters_are_set(const struct flow *f)
{
    for (size_t i = 0; i < f->intake_count; i++) {
        const struct msg_origin *origin = &f->intakes[i].origin;
        if (origin->type->filters_are_set && !origin->type->filters_are_set(origin->handle))
            return false;
    }
    return true;
}

/* Subscribe to what either ruleset wants, so that a message that both want comes whichever is in force. A broker that
 * does not answer in time, or two filters of one number, make the swap no worse than it is without. */
static void subscribe_to_both(struct flow *f, const struct ruleset *old, const struct ruleset *rs)
{
    size_t count;
    struct source_filter *both = filters_union(old->filters, old->filter_count, rs->filters, rs->filter_count, &count);
    if (!both || set_filters(f, both, count, NULL) < 0) {
        free(both);
        return;
    }
    free(both);
    const struct timespec slice = { .tv_nsec = SUBSCRIBE_SLICE_MS * 1000000L };
    for (int i = 0; i < SUBSCRIBE_PATIENCE_MS / SUBSCRIBE_SLICE_MS && !filters_are_set(f); i++)
        nanosleep(&slice, NULL);
}

int flow_set_ruleset(struct flow *f, struct ruleset *rs, struct err *e)
{
    if (bind_stats(f, rs, e) < 0 || start_outboxes(f, rs, e) < 0)
        return -1;
    subscribe_to_both(f, f->current.ruleset, rs);
    ruleset_slot_set(&f->current, rs);
    return set_filters(f, rs->filters, rs->filter_count, e);
}

const struct ruleset *flow_ruleset(const struct flow *f)
{
    return f->current.ruleset; /* only the control thread sets it */
}

/* --- stopping --- */

static void stop_sources(struct flow *f)
{
    if (f->sources_stopped)
        return;
    f->sources_stopped = true;
    /* The gate stays open meanwhile: what a source has taken from its broker and acknowledged, it still hands over. */
    for (size_t i = 0; i < f->sources_started; i++)
        f->intakes[i].origin.type->stop(f->intakes[i].origin.handle);
    gate_close(&f->gate);
}

size_t flow_drain(struct flow *f, unsigned limit_ms)
{
    stop_sources(f);
    return gate_wait_empty(&f->gate, limit_ms);
}

/* The outboxes end first, so that what they delivered last is still settled by the workers. */
static void stop_outboxes(struct flow *f)
{
    for (size_t i = 0; i < f->outboxes.count; i++)
        outbox_close(f->outboxes.targets[i]->outbox);
    outbox_close(dead_letter_outbox(f->dead_letter));
    for (size_t i = 0; i < f->outboxes.count; i++)
        outbox_join(f->outboxes.targets[i]->outbox);
    outbox_join(dead_letter_outbox(f->dead_letter));
}

static void stop_workers(struct flow *f)
{
    for (size_t i = 0; i < f->worker_count; i++)
        worker_close(f->workers[i]);
    for (size_t i = 0; i < f->worker_count; i++)
        worker_join(f->workers[i]);
}

void flow_stop(struct flow *f)
{
    if (f->stopped)
        return;
    f->stopped = true;
    stop_sources(f);
    stop_outboxes(f);
    stop_workers(f);
    for (size_t i = 0; i < f->intake_count; i++)
        f->intakes[i].origin.type->close(f->intakes[i].origin.handle);
}

static void free_outboxes(struct flow *f)
{
    for (size_t i = 0; i < f->outboxes.count; i++) {
        outbox_free(f->outboxes.targets[i]->outbox);
        f->outboxes.targets[i]->outbox = NULL;
    }
    free(f->outboxes.targets);
    pthread_mutex_destroy(&f->outboxes.lock);
    dead_letter_close(f->dead_letter);
}

void flow_free(struct flow *f)
{
    if (!f)
        return;
    if (f->dead_letter && f->has_gate)
        flow_stop(f);
    free_outboxes(f);             /* before the workers: deliveries in them are the workers' memory */
    while (f->worker_count > 0) { /* what one had relieves the pressure, and that wakes those that are counted */
        struct worker *w = f->workers[--f->worker_count];
        worker_free(w);
    }
    free(f->workers);
    for (size_t i = 0; f->intakes && i < f->intake_count; i++)
        intake_clear(&f->intakes[i]);
    free(f->intakes);
    if (f->current.ruleset)
        ruleset_slot_clear(&f->current);
    if (f->has_gate)
        gate_clear(&f->gate);
    stats_table_free(f->stats);
    free(f);
}

/* --- looking --- */

/* Locks: takes list->lock. */
static struct outbox *list_at(struct outbox_list *list, size_t i)
{
    pthread_mutex_lock(&list->lock);
    struct outbox *o = i < list->count ? list->targets[i]->outbox : NULL;
    pthread_mutex_unlock(&list->lock);
    return o;
}

static size_t list_count(struct outbox_list *list)
{
    pthread_mutex_lock(&list->lock);
    size_t count = list->count;
    pthread_mutex_unlock(&list->lock);
    return count;
}

int flow_read(struct flow *f, struct stats_snapshot *s, struct err *e)
{
    if (stats_table_read(f->stats, s, e) < 0)
        return -1;
    for (size_t i = 0; i < s->source_count; i++)
        s->sources[i].name = f->intakes[i].name;
    size_t count = list_count(&f->outboxes);
    s->targets = calloc(count + 1, sizeof(*s->targets));
    if (!s->targets) {
        stats_snapshot_clear(s);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count; i++)
        outbox_read(list_at(&f->outboxes, i), &s->targets[i]);
    outbox_read(dead_letter_outbox(f->dead_letter), &s->targets[count]);
    s->target_count = count + 1;
    s->memory = (struct stats_memory) { .limit = f->options.memory.limit,
                                        .messages = gate_bytes(&f->gate),
                                        .results = pressure_bytes(&f->pressure) };
    return 0;
}

void flow_wake(struct flow *f)
{
    for (size_t i = 0, count = list_count(&f->outboxes); i < count; i++)
        outbox_wake(list_at(&f->outboxes, i));
    outbox_wake(dead_letter_outbox(f->dead_letter));
}
