/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/flow/document.h"
#include "engine/flow/message_json.h"

static const struct user_property properties[] = { { "a", "1", 1, 1 }, { "a", "\xc3\xa9\"", 1, 3 }, { "", "", 0, 0 } };

static const struct message full = {
    .topic = "a/\"b\"",
    .topic_len = 5,
    .payload = "\0\xff\x10",
    .payload_len = 3,
    .qos = 2,
    .retain = true,
    .over_mqtt = true,
    .content_type = "text/plain",
    .response_topic = "re/ply",
    .correlation_data = "\0\1",
    .correlation_len = 2,
    .payload_format = PAYLOAD_FORMAT_BYTES,
    .user_properties = properties,
    .user_property_count = 3,
    .client_id = "c-1",
    .principal = "p",
    .source_ip = "::1",
    .seed = 7,
};

static const struct failure failures[] = {
    { .action = "AAction", .resource = "res", .resource_len = 3, .reason = "bad \"row\"" },
    { .action = "BAction", .resource = "", .reason = "why" }
};

static void assert_text(struct buf *b, const char *expected)
{
    assert_false(b->failed);
    assert_string_equal(b->p, expected);
    buf_clear(b);
}

static void test_error_document(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    document_error(&b, "rule", &full, failures, 2);
    assert_text(&b, "{\"ruleName\":\"rule\",\"topic\":\"a/"
                    "\\\"b\\\"\",\"cloudwatchTraceId\":\"b358faf7-4ef9-465a-91d7-0f6593d20b34\","
                    "\"clientId\":\"c-1\",\"sourceIp\":\"::1\",\"base64OriginalPayload\":\"AP8Q\",\"failures\":["
                    "{\"failedAction\":\"AAction\",\"failedResource\":\"res\",\"errorMessage\":\"bad \\\"row\\\"\"},"
                    "{\"failedAction\":\"BAction\",\"failedResource\":\"\",\"errorMessage\":\"why\"}]}");
}

static void test_error_document_of_an_unknown_publisher(void **state)
{
    (void)state;
    const struct message m = { .topic = "t", .topic_len = 1, .payload = "", .over_mqtt = true, .seed = 7 };
    struct buf b;
    buf_init(&b, 100000);
    document_error(&b, "rule", &m, failures, 0);
    assert_text(&b,
                "{\"ruleName\":\"rule\",\"topic\":\"t\",\"cloudwatchTraceId\":\"b358faf7-4ef9-465a-91d7-0f6593d20b34\","
                "\"clientId\":\"n/a\",\"base64OriginalPayload\":\"\",\"failures\":[]}");
}

static void test_error_documents_of_actions_that_send_batches(void **state)
{
    (void)state;
    static const struct message m = { .topic = "t", .topic_len = 1, .payload = "x", .payload_len = 1, .seed = 7 };
    struct failure mixed[] = { failures[0], failures[1] };
    struct buf b;
    buf_init(&b, 100000);
    mixed[1].batching = ACT_BATCHING_TOPIC;
    document_error(&b, "rule", &m, mixed, 2);
    assert_text(&b,
                "{\"ruleName\":\"rule\",\"topic\":\"t\",\"payloadsWithMetadata\":[{\"id\":1,"
                "\"cloudwatchTraceId\":\"b358faf7-4ef9-465a-91d7-0f6593d20b34\",\"clientId\":\"n/a\","
                "\"base64OriginalPayload\":\"eA==\"}],\"failures\":[{\"affectedIds\":[1],\"failedAction\":\"AAction\","
                "\"failedResource\":\"res\",\"errorMessage\":\"bad \\\"row\\\"\"},{\"affectedIds\":[1],"
                "\"failedAction\":\"BAction\",\"failedResource\":\"\",\"errorMessage\":\"why\"}]}");
    mixed[1].batching = ACT_BATCHING_TOPICS;
    buf_init(&b, 100000);
    document_error(&b, "rule", &m, mixed + 1, 1);
    assert_text(&b, "{\"ruleName\":\"rule\",\"payloadsWithMetadata\":[{\"id\":1,\"topic\":\"t\","
                    "\"cloudwatchTraceId\":\"b358faf7-4ef9-465a-91d7-0f6593d20b34\",\"clientId\":\"n/a\","
                    "\"base64OriginalPayload\":\"eA==\"}],\"failures\":[{\"affectedIds\":[1],"
                    "\"failedAction\":\"BAction\",\"failedResource\":\"\",\"errorMessage\":\"why\"}]}");
}

static void test_text_that_is_not_utf8(void **state)
{
    (void)state;
    const struct failure cut = { .action = "A", .resource = "\xc3\xa4\xc3", .resource_len = 3, .reason = "x\xffy" };
    const struct message m = { .topic = "t\x80", .topic_len = 2, .payload = "", .over_mqtt = true };
    struct buf b;
    buf_init(&b, 100000);
    document_dead_letter(&b, 0, "rule", &m, &cut, 1);
    assert_text(
        &b,
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"rule\":\"rule\",\"topic\":\"t\xef\xbf\xbd\",\"qos\":0,"
        "\"mqtt5\":{\"user_properties\":[],\"payload_format_indicator\":0},\"payload_base64\":\"\",\"failures\":["
        "{\"failedAction\":\"A\",\"failedResource\":\"\xc3\xa4\xef\xbf\xbd\",\"errorMessage\":\"x\xef\xbf\xbdy\"}]}");
}

static void test_dead_letter(void **state)
{
    (void)state;
    struct message m = {
        .topic = "t", .topic_len = 1, .payload = "{}", .payload_len = 2, .payload_format = PAYLOAD_FORMAT_ABSENT
    };
    struct buf b;
    buf_init(&b, 100000);
    document_dead_letter(&b, INT64_C(1767225600007), "rule", &m, failures, 0);
    assert_text(&b,
                "{\"time\":\"2026-01-01T00:00:00.007Z\",\"rule\":\"rule\",\"topic\":\"t\",\"qos\":0,\"via\":\"http\","
                "\"payload_base64\":\"e30=\",\"failures\":[]}");
}

static void assert_same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_ptr_equal(a, b);
}

/* A dead letter read back is the message. */
static void test_a_dead_letter_can_be_replayed(void **state)
{
    (void)state;
    struct buf b;
    struct arena a;
    struct message m, traced = full;
    struct err e = { 0 };
    buf_init(&b, 100000);
    arena_init(&a, 1 << 20);
    traced.trace_id = "i-1";
    document_dead_letter(&b, 1, "rule", &traced, failures, 2);
    const struct json_doc *doc = json_parse(&a, b.p, b.len, NULL, &e);
    assert_non_null(doc);
    assert_int_equal(message_json_read(doc, 0, &a, &m, &e), 0);
    assert_int_equal(m.topic_len, full.topic_len);
    assert_memory_equal(m.topic, full.topic, full.topic_len);
    assert_int_equal(m.payload_len, full.payload_len);
    assert_memory_equal(m.payload, full.payload, full.payload_len);
    assert_int_equal(m.qos, full.qos);
    assert_int_equal(m.retain, full.retain);
    assert_int_equal(m.over_mqtt, full.over_mqtt);
    assert_same_text(m.content_type, full.content_type);
    assert_same_text(m.response_topic, full.response_topic);
    assert_int_equal(m.correlation_len, 2);
    assert_memory_equal(m.correlation_data, full.correlation_data, 2);
    assert_int_equal(m.payload_format, full.payload_format);
    assert_same_text(m.client_id, full.client_id);
    assert_same_text(m.principal, full.principal);
    assert_same_text(m.source_ip, full.source_ip);
    assert_same_text(m.trace_id, "i-1");
    assert_int_equal(m.user_property_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(m.user_properties[i].name_len, properties[i].name_len);
        assert_int_equal(m.user_properties[i].value_len, properties[i].value_len);
        assert_memory_equal(m.user_properties[i].value, properties[i].value, properties[i].value_len);
    }
    arena_clear(&a);
    buf_clear(&b);
}

/* The publisher's own, where it is known. */
static void test_the_trace_id_is_what_traceid_gives(void **state)
{
    (void)state;
    struct message traced = full;
    char room[37];
    assert_string_equal(document_trace_id(&full, room), "b358faf7-4ef9-465a-91d7-0f6593d20b34");
    traced.trace_id = "i-1";
    assert_string_equal(document_trace_id(&traced, room), "i-1");
}

static void test_a_bound_is_noticed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    document_error(&b, "rule", &full, failures, 2);
    assert_true(b.failed);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_document),
        cmocka_unit_test(test_error_document_of_an_unknown_publisher),
        cmocka_unit_test(test_error_documents_of_actions_that_send_batches),
        cmocka_unit_test(test_text_that_is_not_utf8),
        cmocka_unit_test(test_dead_letter),
        cmocka_unit_test(test_a_dead_letter_can_be_replayed),
        cmocka_unit_test(test_the_trace_id_is_what_traceid_gives),
        cmocka_unit_test(test_a_bound_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
