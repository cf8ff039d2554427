/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a message on its worker: each outcome of a rule with its counters, the error action, the dead
 * letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>

#include "engine/flow/intake.h"
#include "flow_fixture.h"
#include "log_capture.h"

static void assert_counts(struct fixture *x, const char *rule, uint64_t matched, enum run_state state, uint64_t count)
{
    struct stats_rule r = fixture_rule(x, rule);
    assert_int_equal(r.matched, matched);
    assert_int_equal(r.state[state], count);
}

static void test_delivers_output_and_templates(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL,
                 "ruleName: r\n"
                 "sql: SELECT t * 2 AS twice, clientid() AS c FROM 'plant/+/t'\n"
                 "actions:\n"
                 "  - live: { to: \"x/${topic(2)}\" }\n"
                 "  - slow: { to: \"y/${t}\" }\n");
    fixture_send(x, "plant/7/t", "{\"t\":21}");
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "x/7|{\"twice\":42,\"c\":\"gw-7\"}");
    fixture_assert_done(&slow, "y/21|{\"twice\":42,\"c\":\"gw-7\"}");
    assert_counts(x, "r", 1, RUN_DELIVERED, 1);
    fixture_assert_settled_once(x);
}

static void test_unmatched_is_settled_at_once(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT * FROM 'a'\", actions: [ { live: { to: x } } ] }");
    fixture_send(x, "b", "{}");
    fixture_assert_settled_once(x); /* before submit returned */
    struct stats_snapshot s;
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    assert_int_equal(s.sources[0].received, 1);
    assert_int_equal(s.sources[0].unmatched, 1);
    assert_int_equal(s.sources[0].in_flight, 0);
    stats_snapshot_clear(&s);
}

static void test_basic_ingest(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT topic() AS t\", actions: [ { live: { to: x } } ] }");
    fixture_send(x, "$aws/rules/r/a/b", "{}");
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "x|{\"t\":\"a/b\"}");
    fixture_send(x, "$aws/rules/none/a/b", "{}");
    fixture_assert_settled_once(x);
    struct stats_snapshot s;
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    assert_int_equal(s.sources[0].rule_not_found, 1);
    assert_int_equal(s.sources[0].unmatched, 1);
    stats_snapshot_clear(&s);
}

/* The messages go to rules that are not there: how many lines tell so, and is the rule's name in them? */
static size_t lines_about(struct fixture *x, const char *const *rules, size_t count, const char *name)
{
    static struct log_capture log;
    char topic[64];
    size_t lines = 0;
    log_capture_begin(&log, LOG_LEVEL_ERROR);
    for (size_t i = 0; i < count; i++) {
        snprintf(topic, sizeof(topic), "$aws/rules/%s/a", rules[i]);
        fixture_send(x, topic, "{}");
    }
    const char *text = log_capture_end(&log);
    for (const char *s = text; (s = strstr(s, name)) != NULL; s++)
        lines++;
    return lines;
}

static void test_every_unknown_rule_is_told(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT topic() AS t\", actions: [ { live: { to: x } } ] }");
    const char *const few[] = { "first", "second", "first", "second", "first" };
    assert_int_equal(lines_about(x, few, 5, "Rule first not found"), 1);
    assert_int_equal(lines_about(x, (const char *const[]) { "third" }, 1, "Rule third not found"), 1);
    const char *many[40];
    char names[40][8];
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i);
        many[i] = names[i];
    }
    assert_int_equal(lines_about(x, many, 40, "not found"), NOT_FOUND_NAMES - 3 + 1);
    fixture_assert_settled_once(x);
}

static void test_filtered(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT * FROM 'a' WHERE t > 5\", actions: [ { live: { to: x } } ] }");
    fixture_send(x, "a", "{\"t\":3}");
    fixture_wait_settled(x, 1);
    assert_counts(x, "r", 1, RUN_FILTERED, 1);
    fixture_assert_done(&live, "");
}

static void test_a_rule_without_actions_delivers_nothing(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT * FROM 'a'\", actions: [] }");
    fixture_send(x, "a", "{}");
    fixture_wait_settled(x, 1);
    assert_counts(x, "r", 1, RUN_DELIVERED, 1);
}

static void test_an_aborted_evaluation_is_failed(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.limits.output_bytes = 64;
    fixture_open(x, &options, "{ ruleName: r, sql: \"SELECT * FROM 'a'\", actions: [ { live: { to: x } } ] }");
    char payload[200];
    snprintf(payload, sizeof(payload), "{\"t\":\"%0150d\"}", 0);
    fixture_send(x, "a", payload);
    fixture_send(x, "a", "{}");
    fixture_wait_settled(x, 2);
    assert_counts(x, "r", 2, RUN_FAILED, 1);
    assert_counts(x, "r", 2, RUN_DELIVERED, 1);
}

static void test_parse_errors_count_where_json_was_needed(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL,
                 "- { ruleName: needs, sql: \"SELECT t FROM 'a'\", actions: [ { live: { to: n } } ] }\n"
                 "- { ruleName: raw, sql: \"SELECT * FROM 'a'\", actions: [ { live: { to: r } } ] }\n");
    fixture_send(x, "a", "not json");
    fixture_wait_settled(x, 1);
    assert_int_equal(fixture_rule(x, "needs").parse_errors, 1);
    assert_int_equal(fixture_rule(x, "raw").parse_errors, 0);
    fixture_assert_done(&live, "n|{} r|not json");
}

static const char error_rule[] = "ruleName: r\n"
                                 "sql: SET @d = concat('dev-', id) SELECT t FROM 'a/+'\n"
                                 "actions:\n"
                                 "  - live: { to: \"x/${t}\" }\n"
                                 "  - dead: { to: \"y/${@d}\" }\n"
                                 "  - dead: { to: \"z/${t}\" }\n"
                                 "errorAction:\n"
                                 "  slow: { to: \"errors/${topic(2)}/${@d}/${t}\" }\n";

/* Once per rule and message, with all failures, on the original message. */
static void test_error_action(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, error_rule);
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    struct message m = { .topic = "a/b",
                         .topic_len = 3,
                         .payload = "{\"t\":21,\"id\":\"\xc3\xa4\"}",
                         .payload_len = 18,
                         .over_mqtt = true,
                         .client_id = "gw-7",
                         .source_ip = "192.0.2.10",
                         .seed = 42 };
    assert_int_equal(fixture_submit(x, &m), SINK_TAKEN);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&live, "x/21|{\"t\":21}");
    fixture_assert_done(
        &slow, "errors/b/dev-\xc3\xa4/21|{\"ruleName\":\"r\",\"topic\":\"a/b\","
               "\"cloudwatchTraceId\":\"15780b2e-0c2e-4716-9841-36619b444e9f\",\"clientId\":\"gw-7\",\"sourceIp\":"
               "\"192.0.2.10\","
               "\"base64OriginalPayload\":\"eyJ0IjoyMSwiaWQiOiLDpCJ9\",\"failures\":["
               "{\"failedAction\":\"DeadAction\",\"failedResource\":\"y/dev-\xc3\xa4\",\"errorMessage\":\"never\"},"
               "{\"failedAction\":\"DeadAction\",\"failedResource\":\"z/21\",\"errorMessage\":\"never\"}]}");
    fixture_assert_done(&letters, "");
    struct stats_rule r = fixture_rule(x, "r");
    assert_int_equal(r.state[RUN_DELIVERED], 1);
    assert_int_equal(r.error_action_success, 1);
    fixture_assert_settled_once(x);
}

static void test_the_trace_id_is_what_the_rule_sees(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL,
                 "ruleName: r\n"
                 "sql: SELECT traceid() AS id FROM 'a'\n"
                 "actions: [ { dead: { to: x } }, { live: { to: \"${traceid()}\" } } ]\n"
                 "errorAction: { slow: { to: \"${traceid()}\" } }\n");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    fixture_send(x, "a", "{}");
    fixture_wait_settled(x, 1);
    char *taken = script_done(&live), *document = script_done(&slow), member[80];
    snprintf(member, sizeof(member), "\"cloudwatchTraceId\":\"%.36s\"", taken);
    assert_non_null(strstr(document, member));
    assert_memory_equal(taken, document, 36);
    free(taken);
    free(document);
}

static const char dead_letter[] =
    "{\"time\":\"2026-01-01T00:00:00.123Z\",\"rule\":\"r\",\"topic\":\"a/b\",\"qos\":1,\"clientid\":\"gw-7\","
    "\"payload_base64\":\"eyJ0IjoxfQ==\",\"failures\":[";

static void assert_letter(const char *failures)
{
    char expected[1000];
    snprintf(expected, sizeof(expected), "/tmp/dead/letters.ndjson|%s%s]}", dead_letter, failures);
    fixture_assert_done(&letters, expected);
}

static void test_without_an_error_action_it_is_a_dead_letter(void **state)
{
    struct fixture *x = *state;
    fixture_open(
        x, NULL,
        "{ ruleName: r, sql: \"SELECT * FROM 'a/+'\", actions: [ { dead: { to: x } }, { live: { to: y } } ] }");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    fixture_send(x, "a/b", "{\"t\":1}");
    fixture_wait_settled(x, 1);
    assert_letter("{\"failedAction\":\"DeadAction\",\"failedResource\":\"x\",\"errorMessage\":\"never\"}");
    assert_counts(x, "r", 1, RUN_DEAD, 1);
    fixture_assert_settled_once(x);
}

static void test_a_rejected_error_action_is_a_dead_letter(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, error_rule);
    script_say(&dead, NULL, SCRIPT_REJECT, 1, 0);
    script_say(&slow, NULL, SCRIPT_REJECT, 1, 0);
    fixture_send(x, "a/b", "{\"t\":1}");
    fixture_wait_settled(x, 1);
    assert_letter("{\"failedAction\":\"DeadAction\",\"failedResource\":\"y/\",\"errorMessage\":\"never\"},"
                  "{\"failedAction\":\"SlowAction\",\"failedResource\":\"errors/b//1\",\"errorMessage\":\"never\"}");
    struct stats_rule r = fixture_rule(x, "r");
    assert_int_equal(r.state[RUN_DEAD], 1);
    assert_int_equal(r.error_action_failure, 1);
}

/* A template that is aborted rejects its delivery without asking the target; the others go on. */
static void test_a_template_that_fails_rejects_its_delivery(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.limits.output_bytes = 300;
    fixture_open(x, &options,
                 "{ ruleName: r, sql: \"SELECT 1 AS one FROM 'a/+'\", actions: [ { dead: { to: \"${p}${p}${p}\" } }, { "
                 "live: { to: y } } ] }");
    char payload[240];
    snprintf(payload, sizeof(payload), "{\"p\":\"%0200d\"}", 0);
    fixture_send(x, "a/b", payload);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&dead, "");
    fixture_assert_done(&live, "y|{\"one\":1}");
    char *letter = script_done(&letters);
    assert_non_null(strstr(letter, "{\"failedAction\":\"DeadAction\",\"failedResource\":\"\",\"errorMessage\":\""));
    assert_null(strstr(letter, "\"errorMessage\":\"\""));
    free(letter);
    assert_counts(x, "r", 1, RUN_DEAD, 1);
}

static void test_an_error_action_whose_template_fails_is_a_dead_letter(void **state)
{
    struct fixture *x = *state;
    struct flow_options options = fixture_options(x);
    options.limits.output_bytes = 300;
    fixture_open(x, &options,
                 "ruleName: r\n"
                 "sql: SELECT 1 AS one FROM 'a/+'\n"
                 "actions: [ { dead: { to: x } } ]\n"
                 "errorAction: { slow: { to: \"${p}${p}${p}\" } }\n");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    char payload[240];
    snprintf(payload, sizeof(payload), "{\"p\":\"%0200d\"}", 0);
    fixture_send(x, "a/b", payload);
    fixture_wait_settled(x, 1);
    fixture_assert_done(&slow, "");
    char *letter = script_done(&letters);
    assert_non_null(strstr(letter,
                           "{\"failedAction\":\"DeadAction\",\"failedResource\":\"x\",\"errorMessage\":\"never\"},"
                           "{\"failedAction\":\"SlowAction\",\"failedResource\":\"\",\"errorMessage\":\""));
    free(letter);
    struct stats_rule r = fixture_rule(x, "r");
    assert_int_equal(r.state[RUN_DEAD], 1);
    assert_int_equal(r.error_action_failure, 1);
    fixture_assert_settled_once(x);
}

/* The store of dead letters is full: it says "rejected" or "later", and both mean later. The message waits. */
static void test_dead_letters_wait_for_their_store(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL, "{ ruleName: r, sql: \"SELECT * FROM 'a/+'\", actions: [ { dead: { to: x } } ] }");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    script_say(&letters, NULL, SCRIPT_REJECT, 2, 0);
    script_say(&letters, NULL, SCRIPT_LATER, 2, 0);
    fixture_send(x, "a/b", "{}");
    script_wait(&letters, &letters.sends, 1);
    assert_int_equal(fixture_settled(x), 0);
    assert_counts(x, "r", 1, RUN_IN_FLIGHT, 1);
    fixture_settle_all(x);
    assert_int_equal(letters.sends, 5);
    assert_counts(x, "r", 1, RUN_DEAD, 1);
    fixture_assert_settled_once(x);
}

static void test_actions_are_counted_by_type(void **state)
{
    struct fixture *x = *state;
    fixture_open(x, NULL,
                 "{ ruleName: r, sql: \"SELECT * FROM 'a/+'\", actions: [ { dead: { to: x } }, { live: { to: y } }, { "
                 "live: { to: z } } ] }");
    script_say(&dead, NULL, SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    fixture_send(x, "a/b", "{}");
    fixture_wait_settled(x, 1);
    struct stats_snapshot s;
    assert_int_equal(flow_read(x->flow, &s, NULL), 0);
    assert_int_equal(s.rules[0].action_count, 2);
    assert_string_equal(s.rules[0].actions[0].type, "dead");
    assert_int_equal(s.rules[0].actions[0].failure, 1);
    assert_string_equal(s.rules[0].actions[1].type, "live");
    assert_int_equal(s.rules[0].actions[1].success, 2);
    stats_snapshot_clear(&s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_delivers_output_and_templates),
        TEST(test_unmatched_is_settled_at_once),
        TEST(test_basic_ingest),
        TEST(test_every_unknown_rule_is_told),
        TEST(test_filtered),
        TEST(test_a_rule_without_actions_delivers_nothing),
        TEST(test_an_aborted_evaluation_is_failed),
        TEST(test_parse_errors_count_where_json_was_needed),
        TEST(test_error_action),
        TEST(test_the_trace_id_is_what_the_rule_sees),
        TEST(test_without_an_error_action_it_is_a_dead_letter),
        TEST(test_a_rejected_error_action_is_a_dead_letter),
        TEST(test_a_template_that_fails_rejects_its_delivery),
        TEST(test_an_error_action_whose_template_fails_is_a_dead_letter),
        TEST(test_dead_letters_wait_for_their_store),
        TEST(test_actions_are_counted_by_type),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
