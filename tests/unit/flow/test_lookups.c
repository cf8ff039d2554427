/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that ask the outside world: they wait, others go on, order per key holds, and every end is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/flow/intake.h"
#include "flow_fixture.h"
#include "sluice/lookup.h"

#define ASKED_MAX 4096

/* A port that answers when the test says so. */
static struct test_port {
    struct lookup_port port; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct lookup *asked[ASKED_MAX];
    size_t count;
    bool at_once; /* {"v": n} for the n-th question */
} port = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void give(struct lookup *l, enum lookup_outcome outcome, const char *text)
{
    l->text = strdup(text);
    l->len = strlen(text);
    l->outcome = outcome;
}

static bool port_ask(struct lookup_port *p, struct lookup *l)
{
    (void)p;
    pthread_mutex_lock(&port.lock);
    bool at_once = port.at_once;
    char text[32];
    snprintf(text, sizeof(text), "{\"v\":%zu}", port.count + 1);
    if (at_once)
        give(l, LOOKUP_ANSWERED, text);
    port.asked[port.count++] = at_once ? NULL : l;
    pthread_cond_broadcast(&port.changed);
    pthread_mutex_unlock(&port.lock);
    return at_once;
}

/* Wait for the n-th question (from 1); it is still open. */
static struct lookup *port_wait(size_t n)
{
    pthread_mutex_lock(&port.lock);
    while (port.count < n)
        pthread_cond_wait(&port.changed, &port.lock);
    struct lookup *l = port.asked[n - 1];
    port.asked[n - 1] = NULL;
    pthread_mutex_unlock(&port.lock);
    return l;
}

static size_t asked(void)
{
    pthread_mutex_lock(&port.lock);
    size_t n = port.count;
    pthread_mutex_unlock(&port.lock);
    return n;
}

static void port_answer(size_t n, const char *json)
{
    struct lookup *l = port_wait(n);
    give(l, LOOKUP_ANSWERED, json);
    l->done(l);
}

static void port_fail(size_t n)
{
    struct lookup *l = port_wait(n);
    give(l, LOOKUP_FAILED, "not there");
    l->done(l);
}

static void assert_question(size_t n, const char *function, const char *args)
{
    pthread_mutex_lock(&port.lock);
    while (port.count < n)
        pthread_cond_wait(&port.changed, &port.lock);
    const struct lookup_question *q = &port.asked[n - 1]->question;
    assert_string_equal(q->function, function);
    assert_int_equal(q->args_len, strlen(args));
    assert_memory_equal(q->args, args, q->args_len);
    pthread_mutex_unlock(&port.lock);
}

/* As a port that is closed: whatever is open has failed. */
static void port_close(void)
{
    for (size_t i = 0; i < port.count; i++) {
        if (port.asked[i])
            port_fail(i + 1);
    }
}

static int setup(void **state)
{
    port.port.ask = port_ask;
    port.count = 0;
    port.at_once = false;
    return fixture_setup(state);
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    flow_stop(x->flow);
    port_close();
    return fixture_teardown(state);
}

static void open_with_port(struct fixture *x, const char *yaml)
{
    struct flow_options options = fixture_options(x);
    options.lookups = &port.port;
    fixture_open(x, &options, yaml);
}

static void assert_counts(struct fixture *x, uint64_t matched, enum run_state state, uint64_t count)
{
    struct stats_rule r = fixture_rule(x, "r");
    assert_int_equal(r.matched, matched);
    assert_int_equal(r.state[state], count);
}

#define SHADOW                                                                                                         \
    "ruleName: r\nsql: SELECT n, get_thing_shadow(topic(2), 'role').v AS v FROM 'a/+'\nactions: [ { live: { to: "      \
    "\"${topic(2)}\" } } ]\n"

static void test_waits_for_the_answer(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, SHADOW);
    fixture_send(x, "a/t", "{\"n\":1}");
    assert_question(1, "get_thing_shadow", "[\"t\",\"\"]");
    assert_int_equal(fixture_settled(x), 0);
    port_answer(1, "{\"v\":5.0}");
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "t|{\"n\":1,\"v\":5}");
    assert_counts(x, 1, RUN_DELIVERED, 1);
    fixture_assert_settled_once(x);
}

static void test_an_answer_at_hand_needs_no_wait(void **state)
{
    struct fixture *x = *state;
    port.at_once = true;
    open_with_port(x, SHADOW);
    fixture_send(x, "a/t", "{\"n\":1}");
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "t|{\"n\":1,\"v\":1}");
    assert_int_equal(port.count, 1);
    fixture_assert_settled_once(x);
}

/* What has its answer makes results only when there is room for them: the outbox fills once for each. */
static void test_answers_wait_for_the_end_of_pressure(void **state)
{
    enum { MESSAGES = 20 };
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.lookups = &port.port;
    options.workers = 1;
    options.outbox_items = 1;
    fixture_open(x, &options, SHADOW);
    for (unsigned n = 0; n < MESSAGES; n++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "a/%u", n);
        fixture_send(x, topic, "{\"n\":1}");
    }
    assert_question(MESSAGES, "get_thing_shadow", "[\"19\",\"\"]"); /* all are asked: under pressure none would be */
    script_hold(&live, true);
    for (size_t n = 1; n <= MESSAGES; n++)
        port_answer(n, "{\"v\":1}");
    script_hold(&live, false);
    fixture_wait_settled(x, MESSAGES);
    assert_int_equal(fixture_target(x, "live").full, MESSAGES);
    fixture_assert_settled_once(x);
}

static void test_a_failed_lookup_aborts_the_rule(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, SHADOW "errorAction: { slow: { to: never } }\n");
    fixture_send(x, "a/t", "{\"n\":1}");
    port_fail(1);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "");
    fixture_assert_done(&slow, "");
    assert_counts(x, 1, RUN_FAILED, 1);
    fixture_assert_settled_once(x);
}

static void test_the_where_clause_may_ask(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, "{ ruleName: r, sql: \"SELECT 1 AS a FROM 'a/+' WHERE get_thing_shadow('t', 'r').v > 3\", "
                      "actions: [ { live: { to: x } } ] }");
    fixture_send(x, "a/1", "{}");
    fixture_send(x, "a/2", "not JSON");
    port_answer(1, "{\"v\":3}");
    port_answer(2, "{\"v\":4}");
    fixture_wait_settled(x, 2);
    assert_int_equal(live.done_count, 1);
    assert_counts(x, 2, RUN_FILTERED, 1);
    assert_counts(x, 2, RUN_DELIVERED, 1);
    fixture_assert_settled_once(x);
}

/* Questions come one after the other, and none is asked twice. */
static void test_several_questions(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, "ruleName: r\n"
                      "sql: SELECT aws_lambda('f', 1) AS a, aws_lambda('f', 1) AS b FROM 'a/+'\n"
                      "actions: [ { live: { to: \"${aws_lambda('g', n)}\" } }, { slow: { to: \"${get_secret('s', "
                      "'SecretString', 'r')}\" } } ]\n");
    fixture_send(x, "a/t", "{\"n\":1}");
    port_answer(1, "10");
    port_answer(2, "20");
    assert_question(3, "aws_lambda", "[\"g\",1]");
    port_answer(3, "\"to\"");
    assert_question(4, "get_secret", "[\"s\"]");
    port_answer(4, "{\"SecretString\":\"x\"}");
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "to|{\"a\":10,\"b\":20}");
    fixture_assert_done(&slow, "x|{\"a\":10,\"b\":20}");
    assert_int_equal(port.count, 4);
    assert_counts(x, 1, RUN_DELIVERED, 1);
    fixture_assert_settled_once(x);
}

static void test_a_failed_lookup_of_a_template_aborts_the_rule(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, "ruleName: r\nsql: SELECT n FROM 'a/+'\nactions: [ { live: { to: fixed } }, { slow: { to: "
                      "\"${aws_lambda('g', n)}\" } } ]\nerrorAction: { live: { to: never } }\n");
    fixture_send(x, "a/t", "{\"n\":1}");
    port_fail(1);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "");
    assert_counts(x, 1, RUN_FAILED, 1);
    fixture_assert_settled_once(x);
}

/* The error action asks too; what the statement has asked is not asked again. */
static void test_the_error_action_may_ask(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, "ruleName: r\nsql: SELECT aws_lambda('f', 1) AS a FROM 'a/+'\nactions: [ { dead: { to: x } } ]\n"
                      "errorAction: { live: { to: \"${aws_lambda('g', 1)}${topic(2)}\" } }\n");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    fixture_send(x, "a/t", "{}");
    port_answer(1, "1");
    assert_question(2, "aws_lambda", "[\"g\",1]");
    assert_int_equal(fixture_settled(x), 0);
    port_answer(2, "\"e\"");
    fixture_wait_settled(x, 1);
    assert_int_equal(live.done_count, 1);
    assert_memory_equal(live.done[0], "et|{\"ruleName\"", 14);
    assert_counts(x, 1, RUN_DELIVERED, 1);
    fixture_assert_settled_once(x);
}

static void test_an_error_action_whose_lookup_fails_is_a_dead_letter(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, "ruleName: r\nsql: SELECT n FROM 'a/+'\nactions: [ { dead: { to: x } } ]\n"
                      "errorAction: { live: { to: \"${aws_lambda('g', 1)}\" } }\n");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    fixture_send(x, "a/t", "{}");
    port_fail(1);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "");
    assert_int_equal(letters.done_count, 1);
    assert_counts(x, 1, RUN_DEAD, 1);
    fixture_assert_settled_once(x);
}

/* One message waits: those of its key come behind it, all others go on. */
static void test_only_its_own_key_waits(void **state)
{
    struct fixture *x = *state;
    char topic[16], payload[32];
    struct flow_options options = fixture_options(x);
    options.lookups = &port.port;
    options.workers = 1;
    fixture_open(x, &options,
                 "ruleName: r\nsql: SELECT n, CASE slow WHEN 1 THEN aws_lambda('f', 1) ELSE 0 END AS v FROM 'a/+'\n"
                 "actions: [ { live: { to: \"${topic(2)}\" } } ]\n");
    fixture_send(x, "a/0", "{\"n\":0,\"slow\":1}");
    for (int i = 1; i <= 300; i++) { /* 30 of them are of key a/0 */
        snprintf(topic, sizeof(topic), "a/%d", i % 10);
        snprintf(payload, sizeof(payload), "{\"n\":%d,\"slow\":0}", i);
        fixture_send(x, topic, payload);
    }
    fixture_wait_settled(x, 270);
    assert_int_equal(fixture_settled(x), 270);
    assert_int_equal(live.done_count, 270);
    port_answer(1, "7");
    fixture_wait_settled(x, 301);
    assert_string_equal(live.done[270], "0|{\"n\":0,\"v\":7}");
    for (int i = 1; i <= 30; i++) {
        snprintf(payload, sizeof(payload), "0|{\"n\":%d,\"v\":0}", i * 10);
        assert_string_equal(live.done[270 + i], payload);
    }
    fixture_assert_settled_once(x);
}

/* Every message of a key waits in its turn. */
static void test_order_where_each_one_waits(void **state)
{
    struct fixture *x = *state;
    char payload[32], expected[64];
    open_with_port(x, SHADOW);
    for (int i = 0; i < 50; i++) {
        snprintf(payload, sizeof(payload), "{\"n\":%d}", i);
        fixture_send(x, "a/t", payload);
    }
    for (size_t i = 1; i <= 50; i++) {
        port_answer(i, "{\"v\":1}");
        assert_true(asked() <= i + 1);
    }
    fixture_wait_settled(x, 50);
    for (int i = 0; i < 50; i++) {
        snprintf(expected, sizeof(expected), "t|{\"n\":%d,\"v\":1}", i);
        assert_string_equal(live.done[i], expected);
    }
    fixture_assert_settled_once(x);
}

/* Two rules of one message wait; its key is free when both have their answer. */
static void test_two_rules_wait(void **state)
{
    struct fixture *x = *state;
    open_with_port(x,
                   "- { ruleName: r, sql: \"SELECT n, aws_lambda('f', n) AS v FROM 'a/+'\", actions: [ { live: { to: "
                   "x } } ] }\n"
                   "- { ruleName: q, sql: \"SELECT n, aws_lambda('g', n) AS v FROM 'a/+'\", actions: [ { slow: { to: "
                   "y } } ] }\n");
    fixture_send(x, "a/t", "{\"n\":1}");
    fixture_send(x, "a/t", "{\"n\":2}");
    port_answer(2, "\"g\"");
    script_wait(&slow, &slow.done_count, 1);
    assert_int_equal(asked(), 2);
    port_answer(1, "\"f\"");
    port_answer(3, "\"f\"");
    port_answer(4, "\"g\"");
    fixture_wait_settled(x, 2);
    fixture_assert_done(&live, "x|{\"n\":1,\"v\":\"f\"} x|{\"n\":2,\"v\":\"f\"}");
    fixture_assert_done(&slow, "y|{\"n\":1,\"v\":\"g\"} y|{\"n\":2,\"v\":\"g\"}");
    fixture_assert_settled_once(x);
}

/* What waits at the end, and what is behind it, is not settled and not leaked. */
static void test_stops_while_it_waits(void **state)
{
    struct fixture *x = *state;
    open_with_port(x, SHADOW);
    for (int i = 0; i < 5; i++)
        fixture_send(x, "a/t", "{}");
    assert_question(1, "get_thing_shadow", "[\"t\",\"\"]");
    flow_stop(x->flow);
    assert_int_equal(fixture_settled(x), 0);
    assert_int_equal(port.count, 1);
}

static void test_without_a_port_it_fails(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, SHADOW);
    fixture_send(x, "a/t", "{}");
    fixture_wait_settled(x, 1);
    assert_counts(x, 1, RUN_FAILED, 1);
    fixture_assert_settled_once(x);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_the_answer),
        TEST(test_an_answer_at_hand_needs_no_wait),
        TEST(test_a_failed_lookup_aborts_the_rule),
        TEST(test_answers_wait_for_the_end_of_pressure),
        TEST(test_the_where_clause_may_ask),
        TEST(test_several_questions),
        TEST(test_a_failed_lookup_of_a_template_aborts_the_rule),
        TEST(test_the_error_action_may_ask),
        TEST(test_an_error_action_whose_lookup_fails_is_a_dead_letter),
        TEST(test_only_its_own_key_waits),
        TEST(test_order_where_each_one_waits),
        TEST(test_two_rules_wait),
        TEST(test_stops_while_it_waits),
        TEST(test_without_a_port_it_fails),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
