/* SPDX-License-Identifier: Apache-2.0 */
/* Each packet both ways: bytes (where the standards have figures, theirs) to struct, and the struct to the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mqtt/packet.h"
#include "tests/unit/mqtt/packet_hex.h"

#define V311   PACKET_LEVEL_311
#define V5     PACKET_LEVEL_5
#define CLIENT PACKET_FROM_CLIENT
#define SERVER PACKET_FROM_SERVER

static char *bytes;

static int tear_down(void **state)
{
    (void)state;
    free(bytes);
    bytes = NULL;
    return 0;
}

static void assert_encodes(const struct packet *p, unsigned level, const char *expected, size_t len)
{
    struct buf out;
    buf_init(&out, PACKET_SIZE_MAX);
    buf_puts(&out, "before");
    assert_int_equal(packet_encode(&out, p, level, len), 0);
    assert_int_equal(out.len, len + 6);
    assert_memory_equal(out.p + 6, expected, len);
    assert_int_equal(packet_encode(&out, p, level, len - 1), -1); /* one byte more than the peer takes */
    assert_int_equal(out.len, len + 6);
    buf_clear(&out);
}

/* Decodes, and sees that encoding gives the same. */
static struct packet both_ways(const char *hex, unsigned level, enum packet_sender from)
{
    struct packet p;
    struct packet_frame f;
    struct packet_fault fault = { 0, "" };
    size_t len;
    free(bytes);
    bytes = hex_bytes(hex, &len);
    memset(&p, 0xA5, sizeof(p)); /* what is not there is not relied on */
    for (size_t n = 0; n < len; n++)
        assert_int_equal(packet_frame(bytes, n, PACKET_SIZE_MAX, &f, &fault), PACKET_PARTIAL);
    assert_int_equal(packet_frame(bytes, len, len, &f, &fault), PACKET_WHOLE);
    assert_int_equal(f.size, len);
    if (packet_decode(&p, &f, level, from, &fault) < 0)
        fail_msg("%s: %s", hex, fault.why);
    assert_encodes(&p, level, bytes, len);
    return p;
}

static void connect_of_311(void **state)
{
    (void)state;
    /* all that the example of 3.1.1, figure 3.6, has: user name, password, will of QoS 1, clean session, keep alive 10 s */
    struct packet p =
        both_ways("10 1c 0004 'MQTT' 04 ce 000a 0002 'id' 0001 't' 0002 'hi' 0001 'u' 0002 'pw'", V311, CLIENT);
    assert_int_equal(p.connect.level, 4);
    assert_true(p.connect.clean_start && p.connect.has_will && !p.connect.will.retain);
    assert_int_equal(p.connect.will.qos, 1);
    assert_int_equal(p.connect.keep_alive_s, 10);
    assert_true(text_is(p.connect.client_id, "id"));
    assert_true(text_is(p.connect.will.topic, "t") && text_is(p.connect.will.payload, "hi"));
    assert_true(text_is(p.connect.user_name, "u") && text_is(p.connect.password, "pw"));
    assert_true(p.props.present == 0);
}

static void connect_of_5(void **state)
{
    (void)state;
    /* figure 3-6 of 5: Session Expiry Interval 10 as the only property; then one with all there is */
    struct packet p = both_ways("10 12 0004 'MQTT' 05 02 000a 05 11 0000000a 0000", V5, CLIENT);
    assert_int_equal(p.props.session_expiry, 10);
    assert_true(p.props.present == PROP_BIT(PROP_SESSION_EXPIRY));
    assert_false(p.connect.has_will || p.connect.has_user_name || p.connect.has_password);
    assert_int_equal(p.connect.client_id.len, 0);

    p = both_ways(
        "10 64 0004 'MQTT' 05 76 ffff"
        "25 11 ffffffff 15 0002 'am' 16 0002 00ff 17 00 19 01 21 0014 22 0005 27 00010000 26 0001 'k' 0001 'v'"
        "0001 'c' 28 01 01 02 0000000a 03 0002 'ct' 08 0003 'r/t' 09 0002 0102 18 0000003c 26 0001 'a' 0001 'b'"
        "26 0000 0000 0001 'w' 0000 0001 'p'",
        V5, CLIENT);
    assert_true(p.connect.has_will && p.connect.will.retain && p.connect.has_password && !p.connect.has_user_name);
    assert_int_equal(p.connect.will.qos, 2);
    assert_int_equal(p.props.receive_max, 20);
    assert_int_equal(p.props.topic_alias_max, 5);
    assert_int_equal(p.props.packet_max, 65536);
    assert_int_equal(p.props.request_problem_info, 0);
    assert_int_equal(p.props.request_response_info, 1);
    assert_true(text_is(p.props.auth_method, "am"));
    assert_int_equal(p.props.auth_data.len, 2);
    const struct packet_props *w = &p.connect.will.props;
    assert_int_equal(w->payload_format, 1);
    assert_int_equal(w->will_delay, 60);
    assert_true(text_is(w->content_type, "ct") && text_is(w->response_topic, "r/t"));
    struct packet_text rest = w->repeated, name, value;
    assert_true(packet_user_next(&rest, &name, &value) && text_is(name, "a") && text_is(value, "b"));
    assert_true(packet_user_next(&rest, &name, &value) && text_is(name, "") && text_is(value, ""));
    assert_false(packet_user_next(&rest, &name, &value));
}

static void connack(void **state)
{
    (void)state;
    struct packet p = both_ways("20 02 01 00", V311, SERVER);
    assert_true(p.connack.session_present && p.connack.code == 0);
    p = both_ways("20 02 00 05", V311, SERVER);
    assert_int_equal(p.connack.code, 5);
    p = both_ways("20 03 00 87 00", V5, SERVER);
    assert_int_equal(p.connack.code, REASON_NOT_AUTHORIZED);
    p = both_ways("20 3b 00 00 38 11 00000e10 12 0003 'id7' 13 000a 15 0001 'm' 16 0001 00 1a 0001 'i' 1c 0001 's'"
                  "1f 0002 'ok' 21 000a 22 0001 24 01 25 00 27 00000400 28 00 29 01 2a 00",
                  V5, SERVER);
    assert_true(text_is(p.props.assigned_client_id, "id7"));
    assert_int_equal(p.props.session_expiry, 3600);
    assert_int_equal(p.props.server_keep_alive, 10);
    assert_int_equal(p.props.qos_max, 1);
    assert_int_equal(p.props.retain_available, 0);
    assert_int_equal(p.props.wildcard_available, 0);
    assert_int_equal(p.props.subscription_id_available, 1);
    assert_int_equal(p.props.shared_available, 0);
    assert_true(text_is(p.props.response_info, "i") && text_is(p.props.server_reference, "s"));
    assert_true(text_is(p.props.reason_string, "ok"));
}

static void publish(void **state)
{
    (void)state;
    /* figure 3.11 of 3.1.1: topic a/b, packet identifier 10 */
    struct packet p = both_ways("32 07 0003 'a/b' 000a", V311, SERVER);
    assert_true(text_is(p.publish.topic, "a/b"));
    assert_int_equal(p.publish.id, 10);
    assert_int_equal(p.publish.qos, 1);
    assert_int_equal(p.publish.payload.len, 0);
    p = both_ways("3d 09 0003 'a/b' 000a 'xy'", V311, CLIENT);
    assert_true(p.publish.dup && p.publish.retain && p.publish.qos == 2 && text_is(p.publish.payload, "xy"));
    p = both_ways("30 07 0003 'a/b' 'xy'", V311, CLIENT);
    assert_int_equal(p.publish.id, 0);
    p = both_ways("30 08 0003 'a/b' 00 'xy'", V5, CLIENT);
    assert_true(text_is(p.publish.payload, "xy") && p.props.present == 0);
    p = both_ways("30 06 0000 03 23 0001", V5, SERVER) /* the topic is in the alias */;
    assert_int_equal(p.publish.topic.len, 0);
    assert_int_equal(p.props.topic_alias, 1);
}

static void publish_with_properties(void **state)
{
    (void)state;
    struct packet p = both_ways("34 36 0005 'caf' c3a9 0102"
                                "2b 01 01 02 00000001 03 0001 't' 08 0001 'r' 09 0001 00 23 0007"
                                "0b 01 26 0001 'a' 0001 '1' 0b ffffff7f 26 0001 'a' 0001 '2' 'p'",
                                V5, SERVER);
    assert_int_equal(p.props.topic_alias, 7);
    assert_int_equal(p.props.message_expiry, 1);
    assert_int_equal(p.props.payload_format, 1);
    assert_int_equal(p.props.correlation_data.len, 1);
    uint32_t id;
    struct packet_text rest = p.props.repeated, name, value;
    assert_true(packet_subscription_id_next(&rest, &id) && id == 1);
    assert_true(packet_subscription_id_next(&rest, &id) && id == PACKET_LENGTH_MAX);
    assert_false(packet_subscription_id_next(&rest, &id));
    rest = p.props.repeated;
    assert_true(packet_user_next(&rest, &name, &value) && text_is(name, "a") && text_is(value, "1"));
    assert_true(packet_user_next(&rest, &name, &value) && text_is(name, "a") && text_is(value, "2"));
    assert_false(packet_user_next(&rest, &name, &value));
}

static void acknowledgements(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        unsigned level;
        enum packet_type type;
        uint8_t code;
    } rows[] = {
        { "40 02 000a", V311, PACKET_PUBACK, 0 },
        { "50 02 000a", V311, PACKET_PUBREC, 0 },
        { "62 02 000a", V311, PACKET_PUBREL, 0 },
        { "70 02 000a", V311, PACKET_PUBCOMP, 0 },
        { "40 02 000a", V5, PACKET_PUBACK, 0 },
        { "62 03 000a 92", V5, PACKET_PUBREL, 0x92 },
        { "40 04 000a 87 00", V5, PACKET_PUBACK, 0x87 },
        { "50 0a 000a 97 06 1f 0003 'why'", V5, PACKET_PUBREC, 0x97 },
        { "70 0a 000a 00 06 1f 0003 'why'", V5, PACKET_PUBCOMP, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet p;
        struct packet_fault fault;
        struct packet_frame f;
        if (rows[i].code == 0x87) { /* an empty property section is not written again */
            size_t len;
            free(bytes);
            bytes = hex_bytes(rows[i].hex, &len);
            assert_int_equal(packet_frame(bytes, len, len, &f, &fault), PACKET_WHOLE);
            assert_int_equal(packet_decode(&p, &f, V5, CLIENT, &fault), 0);
        } else {
            p = both_ways(rows[i].hex, rows[i].level, CLIENT);
        }
        assert_int_equal(p.type, rows[i].type);
        assert_int_equal(p.ack.id, 10);
        assert_int_equal(p.ack.code, rows[i].code);
    }
}

static void short_acknowledgements(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    packet_put_ack(&out, PACKET_PUBACK, V5, 0x1234, 0);
    packet_put_ack(&out, PACKET_PUBREC, V5, 0x1234, 0x87);
    packet_put_ack(&out, PACKET_PUBREL, V311, 1, 0);
    packet_put_ack(&out, PACKET_PUBCOMP, V311, 0xffff, 0x92); /* 3.1.1 has no codes */
    static const char expected[] = "\x40\x02\x12\x34\x50\x03\x12\x34\x87\x62\x02\x00\x01\x70\x02\xff\xff";
    assert_int_equal(out.len, sizeof(expected) - 1);
    assert_memory_equal(out.p, expected, out.len);
    buf_clear(&out);
}

static void subscribe(void **state)
{
    (void)state;
    /* figure 3.23 of 3.1.1: a/b with QoS 1, c/d with QoS 2 */
    struct packet p = both_ways("82 0e 000a 0003 'a/b' 01 0003 'c/d' 02", V311, CLIENT);
    assert_int_equal(p.request.id, 10);
    assert_int_equal(p.request.count, 2);
    struct packet_text rest = p.request.encoded;
    struct packet_filter f;
    assert_true(packet_filter_next(p.type, &rest, &f) && text_is(f.filter, "a/b") && f.qos == 1);
    assert_true(packet_filter_next(p.type, &rest, &f) && text_is(f.filter, "c/d") && f.qos == 2);
    assert_false(packet_filter_next(p.type, &rest, &f));

    p = both_ways("82 20 000a 03 0b a101 0003 'a/#' 2d 0011 '$share/group/+/+/' 12", V5, CLIENT);
    assert_int_equal(p.props.subscription_id, 161);
    rest = p.request.encoded;
    assert_true(packet_filter_next(p.type, &rest, &f) && f.qos == 1 && f.no_local && f.retain_as_published);
    assert_int_equal(f.retain_handling, RETAIN_SEND_NOT);
    assert_true(packet_filter_next(p.type, &rest, &f) && f.qos == 2 && !f.no_local && !f.retain_as_published);
    assert_int_equal(f.retain_handling, RETAIN_SEND_IF_NEW);
}

static void filters_are_encoded(void **state)
{
    (void)state;
    static const struct packet_filter filters[] = {
        { .filter = { "a/#", 3 }, .qos = 1, .no_local = true, .retain_as_published = true, .retain_handling = 2 },
        { .filter = { "b", 1 }, .qos = 2, .retain_handling = 1 },
    };
    struct packet p = { .type = PACKET_SUBSCRIBE, .request = { .id = 10, .count = 2, .filters = filters } };
    p.props.present = PROP_BIT(PROP_SUBSCRIPTION_ID);
    p.props.subscription_id = 161;
    size_t len;
    bytes = hex_bytes("82 10 000a 03 0b a101 0003 'a/#' 2d 0001 'b' 12", &len);
    assert_encodes(&p, V5, bytes, len);
    free(bytes);
    bytes = hex_bytes("82 0c 000a 0003 'a/#' 01 0001 'b' 02", &len);
    assert_encodes(&p, V311, bytes, len); /* neither options nor properties */
    p.type = PACKET_UNSUBSCRIBE;
    free(bytes);
    bytes = hex_bytes("a2 0b 000a 00 0003 'a/#' 0001 'b'", &len);
    p.props.present = 0;
    assert_encodes(&p, V5, bytes, len);
}

static void suback_and_unsuback(void **state)
{
    (void)state;
    struct packet p = both_ways("90 05 000a 01 02 80", V311, SERVER);
    assert_int_equal(p.answer.id, 10);
    assert_int_equal(p.answer.codes.len, 3);
    p = both_ways("90 0b 0102 06 1f 0003 'why' 00 a2", V5, SERVER);
    assert_int_equal(p.answer.id, 0x102);
    assert_int_equal((uint8_t)p.answer.codes.p[1], 0xa2);
    p = both_ways("b0 02 000a", V311, SERVER);
    assert_int_equal(p.answer.codes.len, 0);
    p = both_ways("b0 05 000a 00 00 11", V5, SERVER);
    assert_int_equal(p.answer.codes.len, 2);
    p = both_ways("a2 0c 000a 0003 'a/b' 0003 'c/d'", V311, CLIENT); /* figure 3.28 of 3.1.1 */
    assert_int_equal(p.request.count, 2);
    p = both_ways("a2 0d 000a 00 0003 'a/b' 0003 'c/d'", V5, CLIENT);
    assert_int_equal(p.request.count, 2);
}

static void the_rest(void **state)
{
    (void)state;
    assert_int_equal(both_ways("c0 00", V311, CLIENT).type, PACKET_PINGREQ);
    assert_int_equal(both_ways("d0 00", V5, SERVER).type, PACKET_PINGRESP);
    assert_int_equal(both_ways("e0 00", V311, CLIENT).code, 0);
    assert_int_equal(both_ways("e0 00", V5, SERVER).code, 0);
    assert_int_equal(both_ways("e0 01 8e", V5, SERVER).code, REASON_TAKEN_OVER);
    assert_int_equal(both_ways("e0 07 04 05 11 00000001", V5, CLIENT).props.session_expiry, 1);
    assert_true(text_is(both_ways("e0 09 9c 07 1c 0004 'host'", V5, SERVER).props.server_reference, "host"));
    assert_int_equal(both_ways("f0 00", V5, SERVER).code, 0);
    struct packet p = both_ways("f0 0a 18 08 15 0001 'm' 16 0001 ff", V5, CLIENT);
    assert_int_equal(p.code, 0x18);
    assert_true(text_is(p.props.auth_method, "m"));
}

static void lengths_of_each_width(void **state)
{
    (void)state;
    /* table 2.4 of 3.1.1: the borders between one, two, three and four bytes */
    static const uint32_t lengths[] = { 127, 128, 16383, 16384, 2097151, 2097152 };
    static const uint8_t heads[] = { 2, 3, 3, 4, 4, 5 };
    char *payload = calloc(1, 2097152);
    for (size_t i = 0; i < 6; i++) {
        struct packet p = { .type = PACKET_PUBLISH }, back;
        p.publish.topic = PACKET_TEXT("t");
        p.publish.payload = (struct packet_text) { payload, lengths[i] - 3 };
        struct buf out;
        struct packet_frame f;
        struct packet_fault fault;
        buf_init(&out, PACKET_SIZE_MAX);
        assert_int_equal(packet_encode(&out, &p, V311, PACKET_SIZE_MAX), 0);
        assert_int_equal(packet_frame(out.p, out.len, out.len, &f, &fault), PACKET_WHOLE);
        assert_int_equal(f.head, heads[i]);
        assert_int_equal(f.size, lengths[i] + heads[i]);
        assert_int_equal(packet_frame(out.p, f.head, out.len, &f, &fault), PACKET_PARTIAL);
        assert_int_equal(f.size, lengths[i] + heads[i]); /* known before the rest is there */
        assert_int_equal(packet_frame(out.p, out.len, out.len, &f, &fault), PACKET_WHOLE);
        assert_int_equal(packet_decode(&back, &f, V311, SERVER, &fault), 0);
        assert_int_equal(back.publish.payload.len, lengths[i] - 3);
        buf_clear(&out);
    }
    free(payload);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct buf out;
    char *text = calloc(1, PACKET_TEXT_MAX + 1);
    buf_init(&out, PACKET_SIZE_MAX);
    struct packet p = { .type = PACKET_PUBLISH };
    p.publish.topic = (struct packet_text) { text, PACKET_TEXT_MAX + 1 };
    assert_int_equal(packet_encode(&out, &p, V5, PACKET_SIZE_MAX), -1);
    p.publish.topic.len = PACKET_TEXT_MAX;
    assert_int_equal(packet_encode(&out, &p, V5, PACKET_SIZE_MAX), 0);
    out.len = 0;
    p.publish.payload = (struct packet_text) { text, PACKET_LENGTH_MAX }; /* not read */
    assert_int_equal(packet_encode(&out, &p, V5, SIZE_MAX), -1);
    p = (struct packet) { .type = PACKET_SUBSCRIBE };
    p.props.present = PROP_BIT(PROP_SUBSCRIPTION_ID);
    p.props.subscription_id = PACKET_LENGTH_MAX + 1;
    assert_int_equal(packet_encode(&out, &p, V5, PACKET_SIZE_MAX), -1);
    assert_int_equal(out.len, 0);
    buf_clear(&out);
    buf_init(&out, 3);
    p = (struct packet) { .type = PACKET_PUBACK, .ack = { .id = 1 } };
    assert_int_equal(packet_encode(&out, &p, V5, PACKET_SIZE_MAX), -1);
    assert_true(out.failed);
    buf_clear(&out);
    free(text);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(packet_type_name(PACKET_PUBLISH), "PUBLISH");
    assert_string_equal(packet_type_name(PACKET_AUTH), "AUTH");
    assert_string_equal(packet_type_name((enum packet_type)0), "reserved packet");
    assert_string_equal(packet_reason_name(0x87), "Not authorized");
    assert_string_equal(packet_reason_name(0x03), "unknown reason code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(connect_of_311, tear_down),
        cmocka_unit_test_teardown(connect_of_5, tear_down),
        cmocka_unit_test_teardown(connack, tear_down),
        cmocka_unit_test_teardown(publish, tear_down),
        cmocka_unit_test_teardown(publish_with_properties, tear_down),
        cmocka_unit_test_teardown(acknowledgements, tear_down),
        cmocka_unit_test(short_acknowledgements),
        cmocka_unit_test_teardown(subscribe, tear_down),
        cmocka_unit_test_teardown(filters_are_encoded, tear_down),
        cmocka_unit_test_teardown(suback_and_unsuback, tear_down),
        cmocka_unit_test_teardown(the_rest, tear_down),
        cmocka_unit_test(lengths_of_each_width),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
