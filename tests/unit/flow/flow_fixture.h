/* SPDX-License-Identifier: Apache-2.0 */
/* A whole flow without an outside world: a source that the test drives, four scripted targets, real rules.
 *
 *     fixture_open(x, &options);            options may be NULL
 *     fixture_rules(x, "- ruleName: …");
 *     fixture_send(x, "a/b", "{}");         on the test's thread, which is the source's
 *     fixture_wait_settled(x, 1);
 *     fixture_close(x); */
#ifndef SLUICE_TEST_FLOW_FIXTURE_H
#define SLUICE_TEST_FLOW_FIXTURE_H

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/flow/flow.h"
#include "engine/flow/rule_file.h"
#include "fake_clock.h"
#include "scripted_action.h"

#define FIXTURE_TOKENS_MAX 100000

struct fixture_source {
    struct source_sink *sink;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint8_t settled[FIXTURE_TOKENS_MAX]; /* how often, by token */
    uint64_t order[FIXTURE_TOKENS_MAX];  /* tokens as they were settled */
    size_t settled_count, filter_count, closes;
    atomic_bool stopped;
};

/* Sent one by one ("dead"), so that its order is exact whatever it answers. target_open has no way to tell which type
 * it is for, so the scripted targets are global. */
static struct script_target live, dead, slow, letters;

static inline void *open_live(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf, (void)env, (void)errs;
    return &live;
}

static inline void *open_dead(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf, (void)env, (void)errs;
    return &dead;
}

static inline void *open_slow(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf, (void)env, (void)errs;
    return &slow;
}

static inline void *open_letters(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf, (void)env, (void)errs;
    return &letters;
}

static inline void close_target(void *target)
{
    (void)target;
}

static const struct action_type type_dead = { .name = "dead",
                                              .failed_action = "DeadAction",
                                              .batch_max = 1,
                                              .target_open = open_dead,
                                              .target_close = close_target,
                                              SCRIPT_PORT };
static const struct action_type type_file = { .name = "file",
                                              .failed_action = "FileAction",
                                              .target_open = open_letters,
                                              .target_close = close_target,
                                              SCRIPT_PORT };
static const struct action_type type_live = {
    .name = "live", .failed_action = "LiveAction", .target_open = open_live, .target_close = close_target, SCRIPT_PORT
};
static const struct action_type type_slow = {
    .name = "slow", .failed_action = "SlowAction", .target_open = open_slow, .target_close = close_target, SCRIPT_PORT
};
static const struct action_type *const fixture_types[] = { &type_dead, &type_file, &type_live, &type_slow, NULL };

static inline int source_start(void *source, struct source_sink *sink, const struct source_filter *filters,
                               size_t count, struct err *e)
{
    struct fixture_source *s = source;
    (void)filters, (void)e;
    s->sink = sink;
    s->filter_count = count;
    return 0;
}

static inline int source_set_filters(void *source, const struct source_filter *filters, size_t count, struct err *e)
{
    struct fixture_source *s = source;
    (void)filters, (void)e;
    s->filter_count = count;
    return 0;
}

static inline void source_settled(void *source, uint64_t token)
{
    struct fixture_source *s = source;
    pthread_mutex_lock(&s->lock);
    s->settled[token]++;
    s->order[s->settled_count++] = token;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline void source_stop(void *source)
{
    atomic_store(&((struct fixture_source *)source)->stopped, true);
}

static inline void source_close(void *source)
{
    ((struct fixture_source *)source)->closes++;
}

static const struct source_type fixture_source_type = { .name = "fixture",
                                                        .start = source_start,
                                                        .set_filters = source_set_filters,
                                                        .settled = source_settled,
                                                        .stop = source_stop,
                                                        .close = source_close };

struct fixture {
    struct act_env env;
    struct targets targets;
    struct fixture_source source;
    struct flow *flow;
    struct ruleset *rules;
    struct fake_clock clock;
    uint64_t tokens; /* sent so far */
    enum ordering ordering;
};

static inline struct flow_options fixture_options(struct fixture *x)
{
    return (struct flow_options) { .clock = &x->clock.clock,
                                   .workers = 3,
                                   .in_flight = 1000,
                                   .outbox_items = 100000,
                                   .retry = { .min_ms = 100, .max_ms = 1000 },
                                   .dead_letters = "/tmp/dead/letters.ndjson" };
}

static inline int fixture_setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct script_target *all[] = { &live, &dead, &slow, &letters };
    for (size_t i = 0; i < 4; i++)
        script_init(all[i]);
    fake_clock_init(&x->clock);
    x->env.clock = &x->clock.clock;
    pthread_mutex_init(&x->source.lock, NULL);
    pthread_cond_init(&x->source.changed, NULL);
    targets_init(&x->targets, fixture_types, &x->env);
    *state = x;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *x = *state;
    struct script_target *all[] = { &live, &dead, &slow, &letters };
    for (size_t i = 0; i < 4; i++)
        script_hold(all[i], false);
    flow_free(x->flow);
    ruleset_unref(x->rules);
    targets_clear(&x->targets);
    for (size_t i = 0; i < 4; i++)
        script_clear(all[i]);
    pthread_mutex_destroy(&x->source.lock);
    pthread_cond_destroy(&x->source.changed);
    free(x);
    return 0;
}

static inline struct ruleset *fixture_compile(struct fixture *x, const char *yaml)
{
    char path[] = "/tmp/sluice-flow-XXXXXX.yaml";
    struct errs errs = { 0 };
    struct rule_def **defs = NULL;
    size_t count = 0;
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    close(fd);
    int rc = rule_file_read(path, &defs, &count, &errs);
    unlink(path);
    struct ruleset *rs = ruleset_compile(defs, count, &x->targets, x->flow ? flow_stats(x->flow) : NULL, &errs);
    for (size_t i = 0; i < errs.count; i++)
        print_message("%s\n", errs.items[i].text);
    assert_int_equal(rc, 0);
    assert_non_null(rs);
    errs_clear(&errs);
    return rs;
}

/* Make the flow and start it with these rules. */
static inline void fixture_open(struct fixture *x, const struct flow_options *options, const char *yaml)
{
    struct errs errs = { 0 };
    struct err e = { 0 };
    struct flow_options defaults = fixture_options(x);
    struct flow_source source = { &fixture_source_type, &x->source, "fixture", x->ordering };
    x->flow = flow_new(options ? options : &defaults, &x->targets, &source, 1, &errs);
    assert_non_null(x->flow);
    x->rules = fixture_compile(x, yaml);
    assert_int_equal(flow_start(x->flow, x->rules, &e), 0);
}

static inline enum sink_answer fixture_submit(struct fixture *x, const struct message *m)
{
    struct source_message sm = { .message = *m, .token = x->tokens };
    enum sink_answer answer = x->source.sink->submit(x->source.sink, &sm);
    if (answer == SINK_TAKEN)
        x->tokens++;
    return answer;
}

/* Let time pass for everything that waits. */
static inline void fixture_pass_time(struct fixture *x)
{
    fake_clock_advance(&x->clock, 1000); /* the longest back-off here */
    flow_wake(x->flow);
}

/* Hand over a message, waiting for room as a source would. */
static inline void fixture_send(struct fixture *x, const char *topic, const char *payload)
{
    struct message m = { .topic = topic,
                         .topic_len = strlen(topic),
                         .payload = payload,
                         .payload_len = strlen(payload),
                         .qos = 1,
                         .over_mqtt = true,
                         .client_id = "gw-7",
                         .payload_format = PAYLOAD_FORMAT_ABSENT };
    enum sink_answer answer;
    while ((answer = fixture_submit(x, &m)) == SINK_FULL) {
        fixture_pass_time(x);
        x->source.sink->wait_room(x->source.sink, 1);
    }
    assert_int_equal(answer, SINK_TAKEN);
}

static inline size_t fixture_settled(struct fixture *x)
{
    pthread_mutex_lock(&x->source.lock);
    size_t n = x->source.settled_count;
    pthread_mutex_unlock(&x->source.lock);
    return n;
}

static inline void fixture_wait_settled(struct fixture *x, size_t n)
{
    pthread_mutex_lock(&x->source.lock);
    while (x->source.settled_count < n)
        pthread_cond_wait(&x->source.changed, &x->source.lock);
    pthread_mutex_unlock(&x->source.lock);
}

/* Let time pass, again and again, until everything sent was settled. */
static inline void fixture_settle_all(struct fixture *x)
{
    while (fixture_settled(x) < x->tokens) {
        fixture_pass_time(x);
        sched_yield();
    }
}

/* Every token sent so far came back exactly once. */
static inline void fixture_assert_settled_once(struct fixture *x)
{
    assert_int_equal(fixture_settled(x), x->tokens);
    for (uint64_t i = 0; i < x->tokens; i++)
        assert_int_equal(x->source.settled[i], 1);
    struct stats_snapshot s;
    if (flow_read(x->flow, &s, NULL) < 0)
        return; /* test_flow_memory.c */
    assert_int_equal(s.sources[0].received, x->tokens);
    assert_int_equal(s.sources[0].unmatched + s.sources[0].settled, x->tokens);
    assert_int_equal(s.sources[0].in_flight, 0);
    stats_snapshot_clear(&s);
}

static inline uint64_t fixture_outcomes(const struct stats_rule *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < RUN_STATE_COUNT; i++)
        sum += r->state[i];
    return sum;
}

/* The identities of stats.h. */
static inline bool fixture_adds_up(const struct stats_snapshot *s)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        if (s->rules[i].matched != fixture_outcomes(&s->rules[i]))
            return false;
    }
    for (size_t i = 0; i < s->source_count; i++) {
        const struct stats_source *c = &s->sources[i];
        if (c->received != c->unmatched + c->settled + c->in_flight || c->in_flight > c->received)
            return false;
    }
    return true;
}

/* The rule's counters now; they must add up. */
static inline struct stats_rule fixture_rule(struct fixture *x, const char *name)
{
    struct stats_snapshot s;
    struct stats_rule found = { 0 };
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    assert_true(fixture_adds_up(&s));
    for (size_t i = 0; i < s.rule_count; i++) {
        if (strcmp(s.rules[i].name, name) == 0)
            found = s.rules[i];
    }
    stats_snapshot_clear(&s);
    found.actions = NULL;
    assert_non_null(found.name);
    return found;
}

static inline struct stats_target fixture_target(struct fixture *x, const char *name)
{
    struct stats_snapshot s;
    struct stats_target found = { 0 };
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    for (size_t i = 0; i < s.target_count; i++) {
        if (strcmp(s.targets[i].name, name) == 0)
            found = s.targets[i];
    }
    stats_snapshot_clear(&s);
    assert_non_null(found.name);
    return found;
}

/* What a target took, joined by spaces, against the expected text. */
static inline void fixture_assert_done(struct script_target *t, const char *expected)
{
    char *done = script_done(t);
    assert_string_equal(done, expected);
    free(done);
}

#endif
