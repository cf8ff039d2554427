/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/mqtt/identity_seal.h"
#include "engine/mqtt/mqtt_hops.h"
#include "engine/mqtt/mqtt_props.h"

static MQTTProperties props;
static struct arena arena;

/* paho keeps book of its memory once a client exists; without one it would look lost. */
static const struct mqtt_conf conf = { .pending_bytes = 1 };
static struct mqtt_client *client;

static int begin(void **state)
{
    (void)state;
    struct err e = { 0 };
    client = mqtt_client_new(&conf, MQTT_PUBLISHER, "test", NULL, &e);
    return client ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    mqtt_client_free(client);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    props = (MQTTProperties)MQTTProperties_initializer;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    MQTTProperties_free(&props);
    arena_clear(&arena);
    return 0;
}

static struct source_message read_props(void)
{
    struct source_message m = { 0 };
    assert_int_equal(mqtt_props_read(&props, &m, &arena), 0);
    return m;
}

static void add_user(const char *name, const char *value)
{
    struct user_property u = { .name = name, .value = value, .name_len = strlen(name), .value_len = strlen(value) };
    struct mqtt_publication p = { .format = PAYLOAD_FORMAT_ABSENT, .user_properties = &u, .user_property_count = 1 };
    assert_int_equal(mqtt_props_write(&p, &props), 0);
}

static void nothing_is_absent(void **state)
{
    (void)state;
    struct source_message m = read_props();
    assert_null(m.message.content_type);
    assert_null(m.message.response_topic);
    assert_null(m.message.correlation_data);
    assert_null(m.message.user_properties);
    assert_null(m.filter_ids);
    assert_int_equal(m.message.payload_format, PAYLOAD_FORMAT_ABSENT);
    assert_int_equal(m.message.hops, 0);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    const struct user_property users[] = { { "k", "1", 1, 1 }, { "", "", 0, 0 }, { "k", "2", 1, 1 } };
    const struct mqtt_publication p = {
        .format = PAYLOAD_FORMAT_UTF8,
        .content_type = { "text/plain;x", 10 },
        .response_topic = { "answers", 7 },
        .correlation = { "\0\1\2", 3 },
        .expires = true,
        .expiry_s = 77,
        .user_properties = users,
        .user_property_count = 3,
        .hops = 4,
    };
    assert_int_equal(mqtt_props_write(&p, &props), 0);
    assert_int_equal(mqtt_props_number(&props, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, 0), 77);
    struct message m = read_props().message;
    assert_string_equal(m.content_type, "text/plain");
    assert_string_equal(m.response_topic, "answers");
    assert_int_equal(m.correlation_len, 3);
    assert_memory_equal(m.correlation_data, "\0\1\2", 3);
    assert_int_equal(m.payload_format, PAYLOAD_FORMAT_UTF8);
    assert_int_equal(m.hops, 4);
    assert_int_equal(m.user_property_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(m.user_properties[i].name_len, users[i].name_len);
        assert_memory_equal(m.user_properties[i].name, users[i].name, users[i].name_len);
        assert_memory_equal(m.user_properties[i].value, users[i].value, users[i].value_len);
    }
}

static void subscription_identifiers_are_listed(void **state)
{
    (void)state;
    assert_int_equal(mqtt_props_add_number(&props, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, 268435455), 0);
    assert_int_equal(mqtt_props_add_number(&props, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, 1), 0);
    struct source_message m = read_props();
    assert_int_equal(m.filter_id_count, 2);
    assert_int_equal(m.filter_ids[0], 268435455);
    assert_int_equal(m.filter_ids[1], 1);
}

static void the_highest_hop_count_counts_and_is_hidden(void **state)
{
    (void)state;
    add_user(MQTT_HOPS_NAME, "3");
    add_user("other", "x");
    add_user(MQTT_HOPS_NAME, "999999999");
    add_user(MQTT_HOPS_NAME, "5");
    struct message m = read_props().message;
    assert_int_equal(m.hops, 999999999);
    assert_int_equal(m.user_property_count, 1);
}

static void the_last_identity_counts_and_all_are_hidden(void **state)
{
    (void)state;
    add_user(IDENTITY_PROPERTY, "mine");
    add_user(IDENTITY_PROPERTY "x", "y");
    add_user(IDENTITY_PROPERTY, "the broker's");
    struct source_message m = read_props();
    assert_int_equal(m.message.user_property_count, 1);
    assert_memory_equal(m.message.user_properties[0].value, "y", 1);
    assert_int_equal(m.seal_len, 12);
    assert_memory_equal(m.seal, "the broker's", 12);
}

static void what_is_no_hop_count_stays(void **state)
{
    (void)state;
    static const char *const values[] = { "", "-1", "+1", " 1", "1x", "1000000000", "99999999999999999999" };
    enum { COUNT = sizeof(values) / sizeof(values[0]) };
    for (size_t i = 0; i < COUNT; i++)
        add_user(MQTT_HOPS_NAME, values[i]);
    add_user(MQTT_HOPS_NAME "x", "1");
    struct message m = read_props().message;
    assert_int_equal(m.hops, 0);
    assert_int_equal(m.user_property_count, COUNT + 1);
}

static void short_memory_is_reported(void **state)
{
    (void)state;
    struct arena tiny;
    struct source_message m = { 0 };
    arena_init(&tiny, 16);
    for (int i = 0; i < 5; i++)
        add_user("a", "b");
    assert_int_equal(mqtt_props_read(&props, &m, &tiny), -1);
    arena_clear(&tiny);
}

static void numbers_have_the_width_of_their_property(void **state)
{
    (void)state;
    assert_int_equal(mqtt_props_add_number(&props, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1), 0);
    assert_int_equal(mqtt_props_add_number(&props, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, 65535), 0);
    assert_int_equal(mqtt_props_add_number(&props, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, 4294967295u), 0);
    assert_int_equal(mqtt_props_number(&props, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 9), 1);
    assert_int_equal(mqtt_props_number(&props, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, 9), 65535);
    assert_int_equal(mqtt_props_number(&props, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, 9), 4294967295u);
    assert_int_equal(mqtt_props_number(&props, MQTTPROPERTY_CODE_MAXIMUM_QOS, 9), 9);
}

static void a_reason_is_one_line(void **state)
{
    (void)state;
    char out[8];
    mqtt_props_reason(&props, out, sizeof(out));
    assert_string_equal(out, "");
    char text[] = "no\nquota at all";
    MQTTProperty p = { .identifier = MQTTPROPERTY_CODE_REASON_STRING };
    p.value.data = (MQTTLenString) { .len = (int)strlen(text), .data = text };
    assert_int_equal(MQTTProperties_add(&props, &p), 0);
    mqtt_props_reason(&props, out, sizeof(out));
    assert_string_equal(out, "no quot");
}

/* Sizes at the borders of the remaining length's width (section 1.5.5). */
static void sizes_of_packets(void **state)
{
    (void)state;
    assert_int_equal(mqtt_publish_size(1, 0, 0, -1), 2 + 3);
    assert_int_equal(mqtt_publish_size(1, 0, 1, -1), 2 + 5);
    assert_int_equal(mqtt_publish_size(1, 0, 1, 0), 2 + 6);
    assert_int_equal(mqtt_publish_size(1, 122, 1, -1), 2 + 127);
    assert_int_equal(mqtt_publish_size(1, 123, 1, -1), 3 + 128);
    assert_int_equal(mqtt_publish_size(1, 16378, 1, -1), 3 + 16383);
    assert_int_equal(mqtt_publish_size(1, 16379, 1, -1), 4 + 16384);
    assert_int_equal(mqtt_publish_size(1, 268435450, 1, -1), 5 + 268435455);
    assert_int_equal(mqtt_publish_size(1, 0, 0, 200), 3 + 3 + 2 + 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(subscription_identifiers_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_highest_hop_count_counts_and_is_hidden, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_identity_counts_and_all_are_hidden, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_hop_count_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_memory_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_have_the_width_of_their_property, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reason_is_one_line, set_up, tear_down),
        cmocka_unit_test(sizes_of_packets),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
