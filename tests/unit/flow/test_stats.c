/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/flow/stats.h"
#include "sluice/action.h"

static const struct action_type type_a = { .name = "a" }, type_b = { .name = "b" }, type_c = { .name = "c" };
static const struct action_type *const types[] = { &type_a, &type_b, &type_c, NULL };

static void test_transitions(void **state)
{
    (void)state;
    struct stats_table *t = stats_table_new(2, 2, types);
    struct rule_stats *r = stats_table_rule(t, "r"), *other = stats_table_rule(t, "other");
    struct stats_snapshot s;
    assert_non_null(r);
    assert_ptr_not_equal(r, other);
    assert_ptr_equal(stats_table_rule(t, "r"), r); /* by name: a reload finds its counters */
    stats_run_began(t, 0, r, RUN_FILTERED, false);
    stats_run_began(t, 1, r, RUN_FAILED, true);
    for (int i = 0; i < 5; i++)
        stats_run_began(t, (size_t)i % 2, r, RUN_IN_FLIGHT, false);
    stats_run_ended(t, 0, r, RUN_DELIVERED);
    stats_run_ended(t, 1, r, RUN_DEAD);
    stats_run_ended(t, 1, r, RUN_DROPPED);
    stats_action(t, 0, r, &type_c, true);
    stats_action(t, 1, r, &type_c, false);
    stats_action(t, 1, r, &type_a, true);
    stats_error_action(t, 0, r, true);
    stats_error_action(t, 1, r, false);
    for (int i = 0; i < 3; i++)
        stats_source_matched(t, 1, i % 2 ? IDENTITY_OPENED : IDENTITY_FORGED);
    stats_source_unmatched(t, 1, IDENTITY_ABSENT, true);
    stats_source_unmatched(t, 1, IDENTITY_REPLAYED, false);
    stats_settled(t, 0, 1);

    assert_int_equal(stats_table_read(t, &s, NULL), 0);
    assert_int_equal(s.rule_count, 2);
    const struct stats_rule *x = &s.rules[0];
    assert_string_equal(x->name, "r");
    assert_int_equal(x->matched, 7);
    static const uint64_t expected[RUN_STATE_COUNT] = { 2, 1, 1, 1, 1, 1 };
    assert_memory_equal(x->state, expected, sizeof(expected));
    assert_int_equal(x->parse_errors, 1);
    assert_int_equal(x->error_action_success, 1);
    assert_int_equal(x->error_action_failure, 1);
    assert_int_equal(x->action_count, 2);
    assert_string_equal(x->actions[0].type, "a");
    assert_int_equal(x->actions[0].success, 1);
    assert_string_equal(x->actions[1].type, "c");
    assert_int_equal(x->actions[1].success, 1);
    assert_int_equal(x->actions[1].failure, 1);
    assert_int_equal(s.rules[1].matched, 0);
    assert_int_equal(s.source_count, 2);
    assert_int_equal(s.sources[0].received, 0);
    assert_int_equal(s.sources[1].received, 5);
    assert_int_equal(s.sources[1].unmatched, 2);
    assert_int_equal(s.sources[1].rule_not_found, 1);
    assert_int_equal(s.sources[1].settled, 1);
    assert_int_equal(s.sources[1].in_flight, 2);
    assert_int_equal(s.sources[1].identity[IDENTITY_UNASKED], 0);
    assert_int_equal(s.sources[1].identity[IDENTITY_OPENED], 1);
    assert_int_equal(s.sources[1].identity[IDENTITY_ABSENT], 1);
    assert_int_equal(s.sources[1].identity[IDENTITY_FORGED], 2);
    assert_int_equal(s.sources[1].identity[IDENTITY_REPLAYED], 1);
    stats_snapshot_clear(&s);
    stats_table_free(t);
}

static void test_many_rules(void **state)
{
    (void)state;
    struct stats_table *t = stats_table_new(1, 0, types);
    struct stats_snapshot s;
    char name[20];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "rule%d", i);
        stats_run_began(t, 0, stats_table_rule(t, name), RUN_FILTERED, false);
    }
    assert_int_equal(stats_table_read(t, &s, NULL), 0);
    assert_int_equal(s.rule_count, 100);
    assert_string_equal(s.rules[99].name, "rule99");
    assert_int_equal(s.rules[50].matched, 1);
    stats_snapshot_clear(&s);
    stats_table_free(t);
}

static void test_as_json(void **state)
{
    (void)state;
    struct stats_action action = { "live", 3, 1 };
    struct stats_rule rule = { .name = "r",
                               .matched = 7,
                               .state = { 1, 2, 3, 4, 5, 6 },
                               .parse_errors = 8,
                               .error_action_success = 9,
                               .error_action_failure = 10,
                               .actions = &action,
                               .action_count = 1 };
    struct stats_source source = { .name = "mqtt",
                                   .received = 1,
                                   .unmatched = 2,
                                   .settled = 3,
                                   .in_flight = 4,
                                   .rule_not_found = 5,
                                   .retained = 6,
                                   .identity = { [IDENTITY_OPENED] = 7, 8, 9, 10 } };
    struct stats_target target = { .name = "bus",
                                   .type = "live",
                                   .state = "down",
                                   .reason = "a \"b\"",
                                   .waiting = 1,
                                   .delivered = 2,
                                   .rejected = 3,
                                   .retried = 4,
                                   .full = 5 };
    struct stats_snapshot s = {
        .rules = &rule, .rule_count = 1, .sources = &source, .source_count = 1, .targets = &target, .target_count = 1
    };
    s.memory = (struct stats_memory) { 7, 8, 9 };
    struct buf b;
    buf_init(&b, 10000);
    stats_snapshot_write(&s, &b);
    assert_string_equal(b.p, "{\"rules\":[{\"name\":\"r\",\"matched\":7,\"inFlight\":1,\"filtered\":2,\"failed\":3,"
                             "\"delivered\":4,\"dead\":5,\"dropped\":6,"
                             "\"parseErrors\":8,\"errorActionSuccess\":9,\"errorActionFailure\":10,"
                             "\"actions\":[{\"type\":\"live\",\"success\":3,\"failure\":1}]}],"
                             "\"sources\":[{\"name\":\"mqtt\",\"received\":1,\"unmatched\":2,\"settled\":3,"
                             "\"inFlight\":4,\"ruleNotFound\":5,\"retained\":6,"
                             "\"identity\":{\"opened\":7,\"absent\":8,\"forged\":9,\"replayed\":10}}],"
                             "\"targets\":[{\"name\":\"bus\",\"type\":\"live\",\"state\":\"down\",\"reason\":\"a "
                             "\\\"b\\\"\",\"waiting\":1,\"delivered\":2,"
                             "\"rejected\":3,\"retried\":4,\"full\":5}],"
                             "\"memory\":{\"limit\":7,\"messages\":8,\"results\":9}}");
    buf_reset(&b);
    stats_snapshot_write(&(struct stats_snapshot) { 0 }, &b);
    assert_string_equal(b.p, "{\"rules\":[],\"sources\":[],\"targets\":[],"
                             "\"memory\":{\"limit\":0,\"messages\":0,\"results\":0}}");
    buf_clear(&b);
}

#define WORKERS 3
#define RUNS    20000

struct load {
    struct stats_table *table;
    struct rule_stats *rule;
    size_t worker;
    pthread_t thread;
};

/* A worker whose source is on the same thread: arrivals, runs in every state, settlements. */
static void *work(void *ctx)
{
    struct load *l = ctx;
    for (int i = 0; i < RUNS; i++) {
        stats_source_matched(l->table, 0, IDENTITY_UNASKED);
        stats_run_began(l->table, l->worker, l->rule, i % 4 ? RUN_IN_FLIGHT : RUN_FILTERED, false);
        if (i % 4)
            stats_run_ended(l->table, l->worker, l->rule, (enum run_state)(RUN_FILTERED + i % 5));
        stats_settled(l->table, l->worker, 0);
        stats_source_unmatched(l->table, 0, IDENTITY_UNASKED, false);
    }
    return NULL;
}

static bool adds_up(const struct stats_snapshot *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < RUN_STATE_COUNT; i++)
        sum += s->rules[0].state[i];
    const struct stats_source *c = &s->sources[0];
    return s->rules[0].matched == sum && s->rules[0].state[RUN_IN_FLIGHT] <= WORKERS && c->in_flight <= c->received &&
           c->received == c->unmatched + c->settled + c->in_flight;
}

static void test_adds_up_at_every_sample(void **state)
{
    (void)state;
    struct stats_table *t = stats_table_new(WORKERS, 1, types);
    struct load loads[WORKERS];
    struct stats_snapshot s;
    for (size_t i = 0; i < WORKERS; i++) {
        loads[i] = (struct load) { .table = t, .rule = stats_table_rule(t, "r"), .worker = i };
        assert_int_equal(pthread_create(&loads[i].thread, NULL, work, &loads[i]), 0);
    }
    for (uint64_t matched = 0; matched < WORKERS * RUNS;) {
        assert_int_equal(stats_table_read(t, &s, NULL), 0);
        assert_true(adds_up(&s));
        assert_true(s.rules[0].matched >= matched);
        matched = s.rules[0].matched;
        stats_snapshot_clear(&s);
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(loads[i].thread, NULL);
    assert_int_equal(stats_table_read(t, &s, NULL), 0);
    assert_int_equal(s.sources[0].received, 2 * WORKERS * RUNS);
    assert_int_equal(s.sources[0].in_flight, 0);
    assert_int_equal(s.rules[0].state[RUN_IN_FLIGHT], 0);
    stats_snapshot_clear(&s);
    stats_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transitions),
        cmocka_unit_test(test_many_rules),
        cmocka_unit_test(test_as_json),
        cmocka_unit_test(test_adds_up_at_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
