/* SPDX-License-Identifier: Apache-2.0 */
/* The whole flow: fan-out with sick targets, order, bounds, drain, reload; counters are sampled while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>

#include "flow_fixture.h"

/* A thread that reads the counters again and again and checks that they add up. */
struct sampler {
    struct flow *flow;
    pthread_t thread;
    atomic_bool stop;
    atomic_size_t samples, wrong;
};

static void *sample(void *ctx)
{
    struct sampler *s = ctx;
    do {
        struct stats_snapshot snapshot;
        if (flow_read(s->flow, &snapshot, NULL) < 0)
            abort();
        atomic_fetch_add(&s->wrong, !fixture_adds_up(&snapshot));
        atomic_fetch_add(&s->samples, 1);
        stats_snapshot_clear(&snapshot);
    } while (!atomic_load(&s->stop));
    return NULL;
}

static void sampler_start(struct sampler *s, struct flow *flow)
{
    *s = (struct sampler) { .flow = flow };
    assert_int_equal(pthread_create(&s->thread, NULL, sample, s), 0);
}

static void sampler_finish(struct sampler *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    assert_true(atomic_load(&s->samples) > 0);
    assert_int_equal(atomic_load(&s->wrong), 0);
}

static const char fan_out[] = "- ruleName: all\n"
                              "  sql: SELECT n FROM 'fan/+'\n"
                              "  actions:\n"
                              "    - live: { to: \"${topic(2)}\" }\n"
                              "    - dead: { to: \"${topic(2)}\" }\n"
                              "    - slow: { to: \"${topic(2)}\" }\n"
                              "    - live: { to: \"${topic(2)}\" }\n"
                              "- ruleName: odd\n"
                              "  sql: SELECT n FROM 'fan/#' WHERE n % 2 = 1\n"
                              "  actions:\n"
                              "    - live: { to: odd }\n"
                              "  errorAction:\n"
                              "    slow: { to: error }\n";

static void send_number(struct fixture *x, unsigned topic, unsigned n)
{
    char name[32], payload[32];
    snprintf(name, sizeof(name), "fan/%u", topic);
    snprintf(payload, sizeof(payload), "{\"n\":%u}", n);
    fixture_send(x, name, payload);
}

/* Of the texts that begin with "topic|", the numbers must grow: `times` of each. */
static void assert_order(const struct script_target *t, unsigned topics, unsigned numbers, unsigned times)
{
    unsigned *next = calloc(topics, sizeof(unsigned)), topic, n;
    for (size_t i = 0; i < t->done_count; i++) {
        if (sscanf(t->done[i], "%u|{\"n\":%u}", &topic, &n) != 2)
            continue; /* of another rule */
        assert_true(topic < topics);
        assert_int_equal(n, next[topic]++ / times);
    }
    for (topic = 0; topic < topics; topic++)
        assert_int_equal(next[topic], numbers * times);
    free(next);
}

/* One target is well, one puts off everything, one hangs: the well one gets all of its deliveries; the others lose
 * none. */
static void test_one_dead_and_one_hanging_target_hinder_nobody(void **state)
{
    enum { TOPICS = 10, NUMBERS = 20 };
    struct fixture *x = *state;
    struct sampler sampler;
    fixture_open(x, NULL, fan_out);
    sampler_start(&sampler, x->flow);
    script_say(&dead, NULL, SCRIPT_LATER, SCRIPT_FOREVER, 0);
    script_hold(&slow, true);
    for (unsigned n = 0; n < NUMBERS; n++)
        for (unsigned topic = 0; topic < TOPICS; topic++)
            send_number(x, topic, n);
    script_wait(&live, &live.done_count, TOPICS * NUMBERS * 5 / 2); /* two of `all`, half of `odd` */
    script_wait(&dead, &dead.sends, 2);                             /* so the first answer was taken note of */
    assert_int_equal(fixture_settled(x), 0);
    assert_int_equal(script_get(&dead, &dead.done_count), 0);
    assert_int_equal(script_get(&slow, &slow.done_count), 0);
    assert_int_equal(fixture_rule(x, "all").state[RUN_IN_FLIGHT], TOPICS * NUMBERS);
    assert_string_equal(fixture_target(x, "dead").state, "delayed");

    script_hold(&slow, false);
    script_forget_script(&dead);
    fixture_settle_all(x);
    sampler_finish(&sampler);
    fixture_assert_settled_once(x);
    assert_order(&live, TOPICS, NUMBERS, 2);
    assert_order(&dead, TOPICS, NUMBERS, 1);
    assert_order(&slow, TOPICS, NUMBERS, 1);
    assert_int_equal(fixture_rule(x, "all").state[RUN_DELIVERED], TOPICS * NUMBERS);
    assert_int_equal(fixture_rule(x, "odd").state[RUN_DELIVERED], TOPICS * NUMBERS / 2);
    assert_int_equal(fixture_rule(x, "odd").state[RUN_FILTERED], TOPICS * NUMBERS / 2);
}

/* Many messages over several workers; a target that breaks, puts off and rejects. Every key's order holds, every
 * token comes back once, every counter adds up at every sample. */
static void test_storm(void **state)
{
    enum { TOPICS = 37, NUMBERS = 60 };
    struct fixture *x = *state;
    struct sampler sampler;
    struct flow_options options = fixture_options(x);
    options.in_flight = 100;
    options.outbox_items = 50;
    fixture_open(x, &options, fan_out);
    sampler_start(&sampler, x->flow);
    script_say(&dead, "3}", SCRIPT_LATER, 100, 0);
    script_say(&dead, "7}", SCRIPT_BREAK, 30, 0);
    script_say(&slow, "1}", SCRIPT_BREAK, 30, 0);
    script_say(&live, "59}", SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    for (unsigned n = 0; n < NUMBERS; n++) {
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            send_number(x, topic, n);
            if (n % 8 == 0)
                fixture_pass_time(x);
        }
    }
    fixture_settle_all(x);
    sampler_finish(&sampler);
    fixture_assert_settled_once(x);
    assert_order(&dead, TOPICS, NUMBERS, 1);
    assert_order(&slow, TOPICS, NUMBERS, 1);
    assert_order(&live, TOPICS, NUMBERS - 1, 2);
    struct stats_rule all = fixture_rule(x, "all"), odd = fixture_rule(x, "odd");
    assert_int_equal(all.matched, TOPICS * NUMBERS);
    assert_int_equal(all.state[RUN_DEAD], TOPICS);
    assert_int_equal(letters.done_count, TOPICS);
    assert_int_equal(odd.state[RUN_DELIVERED], TOPICS * NUMBERS / 2);
    assert_int_equal(odd.error_action_success, TOPICS);
    assert_int_equal(all.state[RUN_IN_FLIGHT] + odd.state[RUN_IN_FLIGHT], 0);
}

static const char to_slow[] = "{ ruleName: r, sql: \"SELECT n FROM 'fan/+'\", actions: [ { slow: { to: x } } ] }";

static void test_the_number_in_flight_is_bounded(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.in_flight = 3;
    fixture_open(x, &options, to_slow);
    script_hold(&slow, true);
    for (unsigned n = 0; n < 3; n++)
        send_number(x, n, n);
    struct message m = { .topic = "fan/1", .topic_len = 5, .payload = "{}", .payload_len = 2 };
    assert_int_equal(fixture_submit(x, &m), SINK_FULL);
    x->source.sink->wait_room(x->source.sink, 1); /* the time passes */
    m.topic = "nobody";
    m.topic_len = 6;
    assert_int_equal(fixture_submit(x, &m), SINK_TAKEN); /* what no rule wants is settled also then */
    assert_int_equal(fixture_settled(x), 1);
    script_hold(&slow, false);
    send_number(x, 1, 3); /* waits for room */
    fixture_wait_settled(x, 5);
    fixture_assert_settled_once(x);
}

/* An outbox at its bound: no message is begun until it is below. */
static void test_a_full_outbox_holds_back_the_workers(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.outbox_items = 2;
    options.workers = 1;
    fixture_open(x, &options, to_slow);
    script_hold(&slow, true);
    for (unsigned n = 0; n < 10; n++)
        send_number(x, n, n);
    while (fixture_target(x, "slow").full == 0)
        sched_yield();
    assert_int_equal(fixture_rule(x, "r").matched, 2);
    script_hold(&slow, false);
    fixture_wait_settled(x, 10);
    assert_int_equal(fixture_rule(x, "r").matched, 10);
    fixture_assert_settled_once(x);
}

static struct stats_memory memory_of(struct fixture *x)
{
    struct stats_snapshot s;
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    struct stats_memory memory = s.memory;
    stats_snapshot_clear(&s);
    return memory;
}

enum { BIG = 4000 };

/* {"big":"xxx…"} on fan/TOPIC */
static enum sink_answer submit_big(struct fixture *x, unsigned topic)
{
    static char payload[BIG];
    char name[16];
    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "{\"big\":\"", 8);
    memcpy(payload + BIG - 2, "\"}", 2);
    snprintf(name, sizeof(name), "fan/%u", topic);
    struct message m = { .topic = name, .topic_len = strlen(name), .payload = payload, .payload_len = BIG };
    return fixture_submit(x, &m);
}

static void test_the_bytes_in_flight_are_bounded(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.memory.messages = 5 * BIG;
    fixture_open(x, &options, to_slow);
    script_hold(&slow, true);
    unsigned taken = 0;
    while (submit_big(x, taken) == SINK_TAKEN)
        taken++;
    assert_int_equal(taken, 4);
    assert_in_range(memory_of(x).messages, 4 * BIG, 5 * BIG);
    send_number(x, 1, 1); /* a small one still goes */
    script_hold(&slow, false);
    while (submit_big(x, 0) != SINK_TAKEN)
        x->source.sink->wait_room(x->source.sink, 1000);
    fixture_wait_settled(x, 6);
    fixture_assert_settled_once(x);
    assert_int_equal(memory_of(x).results, 0);
}

/* Outputs of so many bytes: no message is begun until some are final, and nothing waits for ever. */
static void test_the_bytes_of_results_hold_back_the_workers(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.memory.results = 3 * BIG;
    options.workers = 1;
    fixture_open(x, &options,
                 "{ ruleName: r, sql: \"SELECT * FROM 'fan/+'\", actions: [ { slow: { to: x } } ], "
                 "errorAction: { dead: { to: y } } }");
    script_hold(&slow, true);
    script_say(&slow, NULL, SCRIPT_REJECT, 5, 0);
    for (unsigned n = 0; n < 20; n++)
        assert_int_equal(submit_big(x, n), SINK_TAKEN);
    while (memory_of(x).results < options.memory.results)
        sched_yield();
    assert_in_range(fixture_rule(x, "r").matched, 1, 3);
    script_hold(&slow, false);
    fixture_wait_settled(x, 20);
    assert_int_equal(fixture_rule(x, "r").state[RUN_DELIVERED], 20);
    fixture_assert_settled_once(x);
}

/* At the end the results of one worker go when others are gone already: nobody is woken any more. */
static void test_results_that_remain_wake_nobody(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 8; n++) { /* it is one worker's or another's */
        void *fresh;
        assert_int_equal(fixture_setup(&fresh), 0);
        struct fixture *x = fresh;
        struct flow_options options = fixture_options(x);
        options.memory.results = 1;
        fixture_open(x, &options, to_slow);
        script_say(&slow, NULL, SCRIPT_LATER, SCRIPT_FOREVER, 0);
        assert_int_equal(submit_big(x, n), SINK_TAKEN);
        script_wait(&slow, &slow.sends, 1);
        assert_int_equal(flow_drain(x->flow, 0), 1);
        flow_stop(x->flow);
        assert_true(memory_of(x).results > 0);
        assert_int_equal(fixture_teardown(&fresh), 0);
    }
}

/* The error action's and the dead letters' deliveries enter a full outbox: nothing waits in a circle. */
static void test_failures_enter_full_outboxes(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.outbox_items = 1;
    options.in_flight = 5;
    fixture_open(x, &options,
                 "ruleName: r\n"
                 "sql: SELECT n FROM 'fan/+'\n"
                 "actions: [ { slow: { to: a } }, { slow: { to: b } }, { live: { to: c } } ]\n"
                 "errorAction: { slow: { to: error } }\n");
    script_say(&live, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    script_say(&slow, "failures", SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    for (unsigned n = 0; n < 100; n++)
        send_number(x, n, n);
    fixture_wait_settled(x, 100);
    assert_int_equal(fixture_rule(x, "r").state[RUN_DEAD], 100);
    assert_int_equal(letters.done_count, 100);
    fixture_assert_settled_once(x);
}

static void test_without_order_nothing_is_held_back(void **state)
{
    struct fixture *x = *state;
    x->ordering = ORDERING_NONE;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT n FROM 'fan/+'\", actions: [ { dead: { to: x } } ] }");
    script_say(&dead, "0}", SCRIPT_LATER, SCRIPT_FOREVER, 0);
    for (unsigned n = 0; n < 10; n++)
        send_number(x, 1, n);
    fixture_wait_settled(x, 9);
    script_forget_script(&dead);
    fixture_settle_all(x);
    fixture_assert_settled_once(x);
}

/* One client on many topics: one key. */
static void test_order_by_client(void **state)
{
    enum { NUMBERS = 200 };
    struct fixture *x = *state;
    x->ordering = ORDERING_CLIENT;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT n FROM 'fan/+'\", actions: [ { dead: { to: 0 } } ] }");
    script_say(&dead, "1}", SCRIPT_LATER, 10, 0);
    for (unsigned n = 0; n < NUMBERS; n++)
        send_number(x, n % 7, n);
    fixture_settle_all(x);
    assert_order(&dead, 1, NUMBERS, 1);
}

static void test_hops_reach_the_action(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT * FROM 'a'\", actions: [ { live: { to: x } } ] }");
    struct message m = { .topic = "a", .topic_len = 1, .payload = "{}", .payload_len = 2, .hops = 3 };
    assert_int_equal(fixture_submit(x, &m), SINK_TAKEN);
    fixture_wait_settled(x, 1);
    assert_int_equal(live.hops, 3);
}

static void test_drain_waits_for_what_is_under_way(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, to_slow);
    for (unsigned n = 0; n < 50; n++)
        send_number(x, n, n);
    assert_int_equal(flow_drain(x->flow, 600000), 0);
    assert_true(atomic_load(&x->source.stopped));
    fixture_assert_settled_once(x);
    struct message m = { .topic = "fan/1", .topic_len = 5, .payload = "{}", .payload_len = 2 };
    assert_int_equal(fixture_submit(x, &m), SINK_CLOSED);
    x->source.sink->wait_room(x->source.sink, 600000); /* returns at once */
}

/* What a drain leaves is reported by rule and by target, and its tokens do not come back. */
static void test_drain_reports_what_remained(void **state)
{
    struct fixture *x = *state;
    fixture_open(
        x, NULL,
        "- { ruleName: r, sql: \"SELECT n FROM 'fan/+'\", actions: [ { dead: { to: x } }, { live: { to: x } } ] }\n"
        "- { ruleName: s, sql: \"SELECT n FROM 'other'\", actions: [ { slow: { to: x } } ] }\n");
    script_say(&dead, NULL, SCRIPT_REFUSE, SCRIPT_FOREVER, 0);
    script_say(&slow, NULL, SCRIPT_LATER, SCRIPT_FOREVER, 0);
    for (unsigned n = 0; n < 7; n++)
        send_number(x, n, n);
    fixture_send(x, "other", "{}");
    script_wait(&live, &live.done_count, 7);
    script_wait(&dead, &dead.closes, 1);
    script_wait(&slow, &slow.sends, 1);
    assert_int_equal(flow_drain(x->flow, 0), 8);
    assert_int_equal(fixture_rule(x, "r").state[RUN_IN_FLIGHT], 7);
    assert_int_equal(fixture_rule(x, "s").state[RUN_IN_FLIGHT], 1);
    assert_int_equal(fixture_target(x, "dead").waiting, 7);
    assert_string_equal(fixture_target(x, "dead").reason, "wrong password");
    assert_int_equal(fixture_target(x, "slow").waiting, 1);
    while (fixture_target(x, "live").waiting > 0) /* the last one is on its way home */
        sched_yield();
    flow_stop(x->flow); /* ends although the clock stands still in both back-offs */
    assert_int_equal(fixture_settled(x), 0);
    assert_int_equal(x->source.closes, 1);
    assert_int_equal(fixture_rule(x, "r").state[RUN_IN_FLIGHT], 7); /* can still be read */
}

/* Let the target go on when the flow is on its way to its end. */
static void *release_late(void *ctx)
{
    struct fixture *x = ctx;
    while (!atomic_load(&x->source.stopped))
        sched_yield();
    for (int i = 0; i < 1000; i++)
        sched_yield();
    script_hold(&slow, false);
    return NULL;
}

/* A delivery that the target takes while the flow stops is settled, though nobody drained. */
static void test_stop_settles_what_was_delivered(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, to_slow);
    script_hold(&slow, true);
    send_number(x, 1, 1);
    script_wait(&slow, &slow.holding, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, release_late, x), 0);
    flow_stop(x->flow);
    pthread_join(thread, NULL);
    fixture_assert_settled_once(x);
}

/* Messages finish on the rules that they began with; new ones begin with the new rules; counters go on. */
static void test_another_ruleset(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL,
                 "- { ruleName: kept, sql: \"SELECT n FROM 'fan/+'\", actions: [ { slow: { to: old } } ] }\n"
                 "- { ruleName: gone, sql: \"SELECT n FROM 'fan/1'\", actions: [ { live: { to: gone } } ] }\n");
    assert_int_equal(x->source.filter_count, 2);
    script_hold(&slow, true);
    send_number(x, 1, 1);
    script_wait(&slow, &slow.holding, 1);
    struct ruleset *rs = fixture_compile(x, "{ ruleName: kept, sql: \"SELECT n * 10 AS n FROM 'fan/+'\", actions: [ { "
                                            "slow: { to: new } }, { dead: { to: new } } ] }");
    assert_int_equal(flow_set_ruleset(x->flow, rs, NULL), 0);
    ruleset_unref(rs);
    assert_int_equal(x->source.filter_count, 1);
    send_number(x, 1, 2);
    script_hold(&slow, false);
    fixture_wait_settled(x, 2);
    fixture_assert_done(&live, "gone|{\"n\":1}");
    fixture_assert_done(&slow, "old|{\"n\":1} new|{\"n\":20}");
    fixture_assert_done(&dead, "new|{\"n\":20}");
    assert_int_equal(fixture_rule(x, "kept").matched, 2);
    assert_int_equal(fixture_rule(x, "gone").matched, 1);
    fixture_assert_settled_once(x);
}

static void on_finished(void *ctx, bool all)
{
    assert_true(all);
    atomic_fetch_add((atomic_size_t *)ctx, 1);
}

static void test_the_end_of_all_sources_is_told(void **state)
{
    struct fixture *x = *state;
    atomic_size_t told;
    atomic_init(&told, 0);
    struct flow_options options = fixture_options(x);
    options.finished = on_finished;
    options.finished_ctx = &told;
    fixture_open(x, &options, to_slow);
    assert_int_equal(atomic_load(&told), 0);
    x->source.sink->finished(x->source.sink, true);
    assert_int_equal(atomic_load(&told), 1);
}

static void test_without_a_file_action_there_is_no_flow(void **state)
{
    struct fixture *x = *state;
    static const struct action_type *const none[] = { NULL };
    struct targets targets;
    struct errs errs = { 0 };
    struct flow_source source = { &fixture_source_type, &x->source, "fixture", ORDERING_TOPIC };
    struct flow_options options = fixture_options(x);
    targets_init(&targets, none, &x->env);
    assert_null(flow_new(&options, &targets, &source, 1, &errs));
    assert_int_equal(errs.errors, 1);
    assert_int_equal(x->source.closes, 0); /* still ours */
    errs_clear(&errs);
    targets_clear(&targets);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_dead_and_one_hanging_target_hinder_nobody),
        TEST(test_storm),
        TEST(test_the_number_in_flight_is_bounded),
        TEST(test_a_full_outbox_holds_back_the_workers),
        TEST(test_the_bytes_in_flight_are_bounded),
        TEST(test_the_bytes_of_results_hold_back_the_workers),
        cmocka_unit_test(test_results_that_remain_wake_nobody),
        TEST(test_failures_enter_full_outboxes),
        TEST(test_without_order_nothing_is_held_back),
        TEST(test_order_by_client),
        TEST(test_hops_reach_the_action),
        TEST(test_drain_waits_for_what_is_under_way),
        TEST(test_drain_reports_what_remained),
        TEST(test_stop_settles_what_was_delivered),
        TEST(test_another_ruleset),
        TEST(test_the_end_of_all_sources_is_told),
        TEST(test_without_a_file_action_there_is_no_flow),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
