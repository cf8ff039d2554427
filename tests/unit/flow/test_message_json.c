/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/flow/message_json.h"

static struct arena arena;

/* 0, or -1 with the error in e. */
static int read_text(const char *json, struct message *m, struct err *e)
{
    arena_reset(&arena);
    const struct json_doc *doc = json_parse(&arena, json, strlen(json), NULL, e);
    assert_non_null(doc);
    return message_json_read(doc, 0, &arena, m, e);
}

static void assert_payload(const char *json, const char *payload, size_t len)
{
    struct message m;
    struct err e = { 0 };
    assert_int_equal(read_text(json, &m, &e), 0);
    assert_int_equal(m.payload_len, len);
    assert_memory_equal(m.payload, payload, len);
}

static void test_payloads(void **state)
{
    (void)state;
    assert_payload("{\"payload\": {\"a\": [1, 5.0]}}", "{\"a\":[1,5.0]}", 13);
    assert_payload("{\"payload\": \"x\"}", "\"x\"", 3);
    assert_payload("{\"payload\": null}", "null", 4);
    assert_payload("{\"payload_text\": \"{\\\"v\\\":2.0}\\n\"}", "{\"v\":2.0}\n", 10);
    assert_payload("{\"payload_text\": \"\"}", "", 0);
    assert_payload("{\"payload_base64\": \"AP8Q\"}", "\0\xff\x10", 3);
    assert_payload("{\"payload_base64\": \"\"}", "", 0);
    assert_payload("{}", "{}", 2);
}

static void test_members(void **state)
{
    (void)state;
    struct message m;
    struct err e = { 0 };
    assert_int_equal(
        read_text(
            "{\"topic\":\"a/\\u00e4\",\"qos\":1,\"retain\":true,\"dup\":true,\"clientid\":\"c\",\"principal\":\"p\","
            "\"sourceip\":\"1.2.3.4\",\"traceid\":\"i\",\"now\":1700000000000,\"mqtt5\":{\"content_type\":\"t\","
            "\"response_topic\":\"r\","
            "\"correlation_data_base64\":\"AAE=\",\"payload_format_indicator\":1,"
            "\"user_properties\":[[\"k\",\"v\"],[\"k\",\"w\"]]},\"id\":\"others are left alone\"}",
            &m, &e),
        0);
    assert_int_equal(m.topic_len, 4);
    assert_memory_equal(m.topic, "a/\xc3\xa4", 4);
    assert_int_equal(m.qos, 1);
    assert_true(m.retain && m.dup && m.over_mqtt);
    assert_string_equal(m.client_id, "c");
    assert_string_equal(m.principal, "p");
    assert_string_equal(m.source_ip, "1.2.3.4");
    assert_string_equal(m.trace_id, "i");
    assert_true(m.arrival_ms == INT64_C(1700000000000));
    assert_string_equal(m.content_type, "t");
    assert_string_equal(m.response_topic, "r");
    assert_int_equal(m.correlation_len, 2);
    assert_memory_equal(m.correlation_data, "\0\1", 2);
    assert_int_equal(m.payload_format, PAYLOAD_FORMAT_UTF8);
    assert_int_equal(m.user_property_count, 2);
    assert_memory_equal(m.user_properties[1].value, "w", 1);
}

static void test_absent_members(void **state)
{
    (void)state;
    struct message m;
    struct err e = { 0 };
    assert_int_equal(read_text("{\"clientid\":null,\"mqtt5\":null,\"qos\":null,\"via\":\"http\"}", &m, &e), 0);
    assert_null(m.topic);
    assert_null(m.client_id);
    assert_null(m.trace_id);
    assert_null(m.user_properties);
    assert_null(m.correlation_data);
    assert_int_equal(m.payload_format, PAYLOAD_FORMAT_ABSENT);
    assert_int_equal(m.arrival_ms, 0);
    assert_int_equal(m.qos, 0);
    assert_false(m.over_mqtt);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        { "[]", "a message must be an object" },
        { "{\"topic\":1}", "\"topic\" must be a text" },
        { "{\"clientid\":true}", "\"clientid\" must be a text" },
        { "{\"qos\":3}", "\"qos\" must be a whole number from 0 to 2" },
        { "{\"qos\":1.5}", "\"qos\" must be a whole number from 0 to 2" },
        { "{\"qos\":\"1\"}", "\"qos\" must be a whole number from 0 to 2" },
        { "{\"qos\":-1}", "\"qos\" must be a whole number from 0 to 2" },
        { "{\"now\":99999999999999999999}", "\"now\" must be a whole number from 0 to 9223372036854775807" },
        { "{\"now\":100000000000000000000000000000}", "\"now\" must be a whole number from 0 to 9223372036854775807" },
        { "{\"retain\":1}", "\"retain\" must be true or false" },
        { "{\"via\":\"coap\"}", "\"via\" must be \"mqtt\" or \"http\"" },
        { "{\"payload\":1,\"payload_text\":\"1\"}",
          "only one of \"payload\", \"payload_text\" and \"payload_base64\" can be given" },
        { "{\"payload_text\":1}", "\"payload_text\" must be a text" },
        { "{\"payload_base64\":\"?\"}", "\"payload_base64\" is not base64" },
        { "{\"mqtt5\":[]}", "\"mqtt5\" must be an object" },
        { "{\"mqtt5\":{\"correlation_data_base64\":\"a\"}}", "\"correlation_data_base64\" is not base64" },
        { "{\"mqtt5\":{\"payload_format_indicator\":2}}",
          "\"payload_format_indicator\" must be a whole number from 0 to 1" },
        { "{\"mqtt5\":{\"user_properties\":{}}}", "\"user_properties\" must be a list of [name, value]" },
        { "{\"mqtt5\":{\"user_properties\":[[\"a\"]]}}", "\"user_properties\" must be a list of [name, value]" },
        { "{\"mqtt5\":{\"user_properties\":[[\"a\",\"b\",\"c\"]]}}",
          "\"user_properties\" must be a list of [name, value]" },
        { "{\"mqtt5\":{\"user_properties\":[[\"a\",1]]}}", "\"user_properties\" must be a list of [name, value]" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message m;
        struct err e = { 0 };
        assert_int_equal(read_text(rows[i].json, &m, &e), -1);
        assert_string_equal(e.text, rows[i].text);
    }
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_absent_members),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
