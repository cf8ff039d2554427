/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that break a rule of the standards, each with the reason code that belongs to it. Cutting and flipping bits
 * of good ones must never read outside of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mqtt/packet.h"
#include "tests/unit/mqtt/packet_hex.h"

#define V311 PACKET_LEVEL_311
#define V5   PACKET_LEVEL_5
#define C    PACKET_FROM_CLIENT
#define S    PACKET_FROM_SERVER

static const struct row {
    const char *statement, *hex;
    unsigned level;
    enum packet_sender from;
    uint8_t code; /* 0: it is good */
} rows[] = {
    /* fixed header */
    { "type 0", "00 00", V5, C, 0x81 },
    { "MQTT-2.1.3-1 PINGREQ", "c1 00", V5, C, 0x81 },
    { "MQTT-2.1.3-1 PUBACK", "42 02 0001", V311, C, 0x81 },
    { "MQTT-3.6.1-1", "60 02 0001", V311, C, 0x81 },
    { "MQTT-3.8.1-1", "80 06 0001 0001 'a' 00", V311, C, 0x81 },
    { "MQTT-3.10.1-1", "a0 05 0001 0001 'a'", V311, C, 0x81 },
    { "MQTT-3.3.1-4", "36 05 0001 't' 0001", V311, C, 0x81 },
    { "MQTT-3.3.1-2", "38 03 0001 't'", V311, C, 0x81 },
    { "five bytes of length", "30 8080808001", V5, C, 0x81 },
    { "larger than the bound", "30 ff7f", V5, C, 0x95 },
    { "MQTT-1.5.5-1 header", "c0 8000", V5, C, 0x81 },
    { "long length in 3.1.1", "c0 8000", V311, C, 0 },
    { "body of PINGREQ", "c0 01 00", V5, C, 0x81 },
    { "PINGRESP from a client", "d0 00", V5, C, 0x82 },
    { "CONNECT from a server", "10 0c 0004 'MQTT' 04 02 0000 0000", V311, S, 0x82 },
    { "SUBSCRIBE from a server", "82 06 0001 0001 'a' 00", V311, S, 0x82 },
    { "CONNACK from a client", "20 02 0000", V311, C, 0x82 },
    { "AUTH in 3.1.1", "f0 00", V311, C, 0x81 },
    /* CONNECT */
    { "smallest", "10 0c 0004 'MQTT' 04 02 0000 0000", V311, C, 0 },
    { "MQTT-3.1.2-1", "10 0c 0004 'MQTt' 04 02 0000 0000", V311, C, 0x84 },
    { "MQTT-3.1.2-1 MQTT 3.1", "10 0e 0006 'MQIsdp' 03 02 0000 0000", V311, C, 0x84 },
    { "MQTT-3.1.2-2", "10 0c 0004 'MQTT' 06 02 0000 0000", V5, C, 0x84 },
    { "cut in the protocol name", "10 04 0004 'MQ'", V5, C, 0x81 },
    { "MQTT-3.1.2-3", "10 0c 0004 'MQTT' 04 03 0000 0000", V311, C, 0x81 },
    { "MQTT-3.1.2-11", "10 0c 0004 'MQTT' 04 0a 0000 0000", V311, C, 0x81 },
    { "MQTT-3.1.2-13", "10 0c 0004 'MQTT' 04 22 0000 0000", V311, C, 0x81 },
    { "MQTT-3.1.2-12", "10 11 0004 'MQTT' 04 1e 0000 0000 0001 't' 0000", V311, C, 0x81 },
    { "MQTT-3.1.2-9 no will", "10 0c 0004 'MQTT' 04 06 0000 0000", V311, C, 0x81 },
    { "will topic with wildcard", "10 11 0004 'MQTT' 04 06 0000 0000 0001 '#' 0000", V311, C, 0x90 },
    { "3.1.1 MQTT-3.1.2-22", "10 0e 0004 'MQTT' 04 42 0000 0000 0000", V311, C, 0x81 },
    { "password alone in 5", "10 0f 0004 'MQTT' 05 42 0000 00 0000 0000", V5, C, 0 },
    { "3.1.1 MQTT-3.1.3-8", "10 0c 0004 'MQTT' 04 00 0000 0000", V311, C, 0x85 },
    { "MQTT-3.1.3-4", "10 0d 0004 'MQTT' 04 02 0000 0001 ff", V311, C, 0x81 },
    { "MQTT-3.1.3-12", "10 0f 0004 'MQTT' 04 82 0000 0000 0001 00", V311, C, 0x81 },
    { "behind the end", "10 0d 0004 'MQTT' 04 02 0000 0000 00", V311, C, 0x81 },
    { "Receive Maximum 0", "10 10 0004 'MQTT' 05 02 0000 03 21 0000 0000", V5, C, 0x82 },
    { "Maximum Packet Size 0", "10 12 0004 'MQTT' 05 02 0000 05 27 00000000 0000", V5, C, 0x82 },
    { "Request Problem Information 2", "10 0f 0004 'MQTT' 05 02 0000 02 17 02 0000", V5, C, 0x82 },
    { "Request Response Information 2", "10 0f 0004 'MQTT' 05 02 0000 02 19 02 0000", V5, C, 0x82 },
    { "Authentication Data alone", "10 10 0004 'MQTT' 05 02 0000 03 16 0000 0000", V5, C, 0x82 },
    { "a property twice", "10 13 0004 'MQTT' 05 02 0000 06 21 0001 21 0001 0000", V5, C, 0x82 },
    { "unknown property", "10 0f 0004 'MQTT' 05 02 0000 02 2b 00 0000", V5, C, 0x81 },
    { "property of two bytes", "10 0f 0004 'MQTT' 05 02 0000 02 a101 0000", V5, C, 0x81 },
    { "property 0", "10 0f 0004 'MQTT' 05 02 0000 02 00 00 0000", V5, C, 0x81 },
    { "a will's property in CONNECT", "10 12 0004 'MQTT' 05 02 0000 05 18 00000000 0000", V5, C, 0x81 },
    { "CONNECT's in a will", "10 15 0004 'MQTT' 05 06 0000 00 0000 03 21 0001 0001 't' 0000", V5, C, 0x81 },
    { "properties too long", "10 0d 0004 'MQTT' 05 02 0000 05 0000", V5, C, 0x81 },
    { "property cut by its section", "10 0f 0004 'MQTT' 05 02 0000 02 21 00 0100", V5, C, 0x81 },
    { "MQTT-1.5.5-1 properties", "10 0e 0004 'MQTT' 05 02 0000 8000 0000", V5, C, 0x81 },
    /* CONNACK */
    { "MQTT-3.2.2-1", "20 02 02 00", V311, S, 0x81 },
    { "MQTT-3.2.2-6", "20 03 01 87 00", V5, S, 0x82 },
    { "3.1.1 MQTT-3.2.2-4", "20 02 01 05", V311, S, 0x82 },
    { "return code 6", "20 02 00 06", V311, S, 0x82 },
    { "MQTT-3.2.2-8", "20 03 00 93 00", V5, S, 0x82 },
    { "no properties in 5", "20 02 00 00", V5, S, 0x81 },
    { "Maximum QoS 2", "20 05 00 00 02 24 02", V5, S, 0x82 },
    { "Retain Available 2", "20 05 00 00 02 25 02", V5, S, 0x82 },
    { "Wildcard Available 2", "20 05 00 00 02 28 02", V5, S, 0x82 },
    { "Receive Maximum 0", "20 06 00 00 03 21 0000", V5, S, 0x82 },
    /* PUBLISH */
    { "MQTT-2.2.1-3", "32 05 0001 't' 0000", V311, C, 0x82 },
    { "cut identifier", "32 04 0001 't' 00", V311, C, 0x81 },
    { "cut topic", "30 03 0002 't'", V311, C, 0x81 },
    { "MQTT-3.3.2-2 +", "30 05 0003 'a/+'", V311, C, 0x90 },
    { "MQTT-3.3.2-2 #", "30 06 0003 'a#b' 00", V5, S, 0x90 },
    { "MQTT-4.7.3-1", "30 02 0000", V311, C, 0x90 },
    { "neither topic nor alias", "30 03 0000 00", V5, C, 0x82 },
    { "MQTT-1.5.4-1 stray tail", "30 03 0001 80", V311, C, 0x81 },
    { "MQTT-1.5.4-1 overlong", "30 04 0002 c0af", V311, C, 0x81 },
    { "MQTT-1.5.4-1 surrogate", "30 05 0003 eda080", V311, C, 0x81 },
    { "MQTT-1.5.4-1 above U+10FFFF", "30 06 0004 f4908080", V311, C, 0x81 },
    { "MQTT-1.5.4-2", "30 05 0003 61 00 62", V311, C, 0x81 },
    { "MQTT-1.5.4-3", "30 05 0003 efbbbf", V311, C, 0 },
    { "control characters are borne", "30 05 0003 61 07 62", V311, C, 0 },
    { "no properties in 5", "30 03 0001 't'", V5, C, 0x81 },
    { "MQTT-3.3.2-8", "30 07 0001 't' 03 23 0000", V5, C, 0x94 },
    { "MQTT-3.3.4-6", "30 06 0001 't' 02 0b 01", V5, C, 0x82 },
    { "Subscription Identifiers from a server", "30 08 0001 't' 04 0b 01 0b 01", V5, S, 0 },
    { "Subscription Identifier 0", "30 06 0001 't' 02 0b 00", V5, S, 0x82 },
    { "Subscription Identifier too long", "30 09 0001 't' 05 0b ffffffff", V5, S, 0x81 },
    { "Payload Format Indicator 2", "30 06 0001 't' 02 01 02", V5, C, 0x82 },
    { "Topic Alias twice", "30 0a 0001 't' 06 23 0001 23 0001", V5, C, 0x82 },
    { "MQTT-3.3.2-14", "30 08 0001 't' 04 08 0001 '+'", V5, C, 0x82 },
    { "Content Type not UTF-8", "30 08 0001 't' 04 03 0001 fe", V5, C, 0x81 },
    { "MQTT-1.5.7-1", "30 0b 0001 't' 07 26 0001 'a' 0001 00", V5, C, 0x81 },
    { "user property cut", "30 09 0001 't' 05 26 0001 'a' 00", V5, C, 0x81 },
    { "Receive Maximum in PUBLISH", "30 07 0001 't' 03 21 0001", V5, C, 0x81 },
    /* acknowledgements */
    { "identifier 0", "40 02 0000", V311, C, 0x82 },
    { "cut", "40 01 00", V5, C, 0x81 },
    { "code in 3.1.1", "40 03 0001 00", V311, C, 0x81 },
    { "MQTT-3.4.2-1", "40 03 0001 92", V5, C, 0x82 },
    { "MQTT-3.5.2-1", "50 03 0001 01", V5, C, 0x82 },
    { "MQTT-3.6.2-1", "62 03 0001 80", V5, C, 0x82 },
    { "MQTT-3.7.2-1", "70 03 0001 10", V5, S, 0x82 },
    { "No matching subscribers from a client", "40 03 0001 10", V5, C, 0x82 },
    { "No matching subscribers from a server", "40 03 0001 10", V5, S, 0 },
    { "Server Reference in PUBACK", "40 07 0001 00 03 1c 0000", V5, S, 0x81 },
    /* SUBSCRIBE, UNSUBSCRIBE */
    { "identifier 0", "82 06 0000 0001 'a' 00", V311, C, 0x82 },
    { "MQTT-3.8.3-2", "82 02 0001", V311, C, 0x82 },
    { "MQTT-3.8.3-2 in 5", "82 03 0001 00", V5, C, 0x82 },
    { "no options", "82 05 0001 0001 'a'", V311, C, 0x81 },
    { "3.1.1 MQTT-3-8.3-4", "82 06 0001 0001 'a' 04", V311, C, 0x81 },
    { "QoS 3 in 3.1.1", "82 06 0001 0001 'a' 03", V311, C, 0x81 },
    { "QoS 3", "82 07 0001 00 0001 'a' 03", V5, C, 0x82 },
    { "Retain Handling 3", "82 07 0001 00 0001 'a' 30", V5, C, 0x82 },
    { "MQTT-3.8.3-5", "82 07 0001 00 0001 'a' 40", V5, C, 0x81 },
    { "MQTT-3.8.3-4", "82 10 0001 00 000a '$share/g/a' 04", V5, C, 0x82 },
    { "MQTT-3.8.3-1", "82 06 0001 0001 ff 00", V311, C, 0x81 },
    { "MQTT-4.7.3-1", "82 05 0001 0000 00", V311, C, 0x8f },
    { "MQTT-4.7.1-1 not last", "82 08 0001 0003 '#/a' 00", V311, C, 0x8f },
    { "MQTT-4.7.1-1 not whole", "82 07 0001 0002 'a#' 00", V311, C, 0x8f },
    { "MQTT-4.7.1-2 before", "82 07 0001 0002 'a+' 00", V311, C, 0x8f },
    { "MQTT-4.7.1-2 behind", "82 07 0001 0002 '+a' 00", V311, C, 0x8f },
    { "all wildcards", "82 0a 0001 0005 '+/+/#' 00", V311, C, 0 },
    { "MQTT-4.8.2-1 no name", "82 0f 0001 00 0009 '$share//a' 00", V5, C, 0x8f },
    { "MQTT-4.8.2-2 wildcard", "82 10 0001 00 000a '$share/+/a' 00", V5, C, 0x8f },
    { "MQTT-4.8.2-2 no filter", "82 0f 0001 00 0009 '$share/g/' 00", V5, C, 0x8f },
    { "no shared subscriptions in 3.1.1", "82 0e 0001 0009 '$share/g/' 00", V311, C, 0 },
    { "Subscription Identifier 0", "82 09 0001 02 0b 00 0001 'a' 00", V5, C, 0x82 },
    { "Subscription Identifier twice", "82 0b 0001 04 0b 01 0b 01 0001 'a' 00", V5, C, 0x82 },
    { "MQTT-3.10.3-2", "a2 02 0001", V311, C, 0x82 },
    { "MQTT-3.10.3-1", "a2 05 0001 0001 ff", V311, C, 0x81 },
    { "bad filter", "a2 07 0001 00 0002 'a#'", V5, C, 0x8f },
    { "Subscription Identifier in UNSUBSCRIBE", "a2 08 0001 02 0b 01 0001 'a'", V5, C, 0x81 },
    /* SUBACK, UNSUBACK */
    { "no codes", "90 02 0001", V311, S, 0x81 },
    { "3.1.1 MQTT-3.9.3-2", "90 03 0001 03", V311, S, 0x82 },
    { "MQTT-3.9.3-2", "90 04 0001 00 03", V5, S, 0x82 },
    { "MQTT-3.11.3-2", "b0 04 0001 00 01", V5, S, 0x82 },
    { "codes in 3.1.1", "b0 03 0001 00", V311, S, 0x81 },
    { "identifier 0", "b0 02 0000", V311, S, 0x82 },
    /* DISCONNECT, AUTH */
    { "DISCONNECT from a server of 3.1.1", "e0 00", V311, S, 0x82 },
    { "code in 3.1.1", "e0 01 00", V311, C, 0x81 },
    { "MQTT-3.14.2-1", "e0 01 8e", V5, C, 0x82 },
    { "MQTT-3.14.2-1 with will", "e0 01 04", V5, S, 0x82 },
    { "MQTT-3.14.2-2", "e0 07 00 05 11 00000001", V5, S, 0x82 },
    { "Server Reference from a client", "e0 05 00 03 1c 0000", V5, C, 0x81 },
    { "MQTT-3.15.2-1", "f0 06 01 04 15 0001 'm'", V5, S, 0x82 },
    { "Re-authenticate from a server", "f0 06 19 04 15 0001 'm'", V5, S, 0x82 },
    { "no Authentication Method", "f0 02 18 00", V5, S, 0x82 },
};

#define ROWS       (sizeof(rows) / sizeof(rows[0]))
#define SIZE_BOUND 200 /* "larger than the bound" names a packet of 16,386 bytes */

/* The reason code, 0 if it is good, -1 if bytes are missing. */
static int judge(const char *p, size_t len, unsigned level, enum packet_sender from, const char **why)
{
    struct packet_frame f;
    struct packet_fault fault = { 0, NULL };
    struct packet packet;
    enum packet_border border = packet_frame(p, len, SIZE_BOUND, &f, &fault);
    *why = "";
    if (border == PACKET_PARTIAL)
        return -1;
    if (border == PACKET_WHOLE && packet_decode(&packet, &f, level, from, &fault) == 0)
        return 0;
    *why = fault.why;
    return fault.code;
}

static void each_fault_has_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t len;
        const char *why;
        char *p = hex_bytes(rows[i].hex, &len);
        int code = judge(p, len, rows[i].level, rows[i].from, &why);
        if (code != rows[i].code)
            fail_msg("%s: %s: 0x%02x (%s), not 0x%02x", rows[i].statement, rows[i].hex, (unsigned)code, why,
                     rows[i].code);
        assert_true(code == 0 || (why && *why));
        free(p);
    }
}

/* A packet whose body ends early is malformed, wherever it ends, or it happens to be another good one. */
static void cut_packets_do_not_read_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t len;
        const char *why;
        char *p = hex_bytes(rows[i].hex, &len);
        for (size_t n = 2; n < len && !(p[1] & 0x80); n++) {
            char *cut = malloc(n);
            memcpy(cut, p, n);
            cut[1] = (char)(n - 2);
            int code = judge(cut, n, rows[i].level, rows[i].from, &why);
            assert_true(code == 0 || code >= 0x80);
            free(cut);
        }
        free(p);
    }
}

static void flipped_bits_do_not_read_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t len;
        const char *why;
        char *p = hex_bytes(rows[i].hex, &len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
            int code = judge(p, len, rows[i].level, rows[i].from, &why);
            assert_true(code == -1 || code == 0 || code >= 0x80);
            p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
        }
        free(p);
    }
}

/* Every property in every packet, from each end: accepted exactly where table 2-4 of MQTT 5 has it. */
static void properties_stand_where_they_belong(void **state)
{
    (void)state;
    static const struct {
        uint8_t id;
        const char *value;
        const char *where; /* letters: c CONNECT, k CONNACK, p PUBLISH, a acks, s SUBSCRIBE, S SUBACK, u UNSUBSCRIBE, U
                              UNSUBACK, d DISCONNECT of a client, D of a server */
    } props[] = {
        { 0x01, "01", "p" },         { 0x02, "00000001", "p" },
        { 0x03, "0000", "p" },       { 0x08, "0001 'r'", "p" },
        { 0x09, "0000", "p" },       { 0x0b, "01", "ps" },
        { 0x11, "00000001", "ckd" }, { 0x12, "0000", "k" },
        { 0x13, "0001", "k" },       { 0x15, "0000", "ck" },
        { 0x17, "01", "c" },         { 0x18, "00000001", "" },
        { 0x19, "01", "c" },         { 0x1a, "0000", "k" },
        { 0x1c, "0000", "kD" },      { 0x1f, "0000", "kaSUdD" },
        { 0x21, "0001", "ck" },      { 0x22, "0001", "ck" },
        { 0x23, "0001", "p" },       { 0x24, "01", "k" },
        { 0x25, "01", "k" },         { 0x26, "0000 0000", "ckpasSuUdD" },
        { 0x27, "00000001", "ck" },  { 0x28, "01", "k" },
        { 0x29, "01", "k" },         { 0x2a, "01", "k" },
    };
    static const struct {
        char letter;
        enum packet_sender from;
        const char *first, *before, *behind;
    } packets[] = {
        { 'c', C, "10", "0004 'MQTT' 05 02 0000", "0000" },
        { 'k', S, "20", "00 00", "" },
        { 'p', S, "30", "0001 't'", "" },
        { 'a', C, "40", "0001 00", "" },
        { 'a', S, "50", "0001 00", "" },
        { 'a', C, "62", "0001 00", "" },
        { 'a', S, "70", "0001 00", "" },
        { 's', C, "82", "0001", "0001 'a' 00" },
        { 'S', S, "90", "0001", "00" },
        { 'u', C, "a2", "0001", "0001 'a'" },
        { 'U', S, "b0", "0001", "00" },
        { 'd', C, "e0", "00", "" },
        { 'D', S, "e0", "00", "" },
    };
    for (size_t i = 0; i < sizeof(props) / sizeof(props[0]); i++) {
        for (size_t k = 0; k < sizeof(packets) / sizeof(packets[0]); k++) {
            char hex[200];
            const char *why;
            size_t value_len, len;
            free(hex_bytes(props[i].value, &value_len));
            snprintf(hex, sizeof(hex), "%s 00 %s %02x %02x %s %s", packets[k].first, packets[k].before,
                     (unsigned)value_len + 1, props[i].id, props[i].value, packets[k].behind);
            char *p = hex_bytes(hex, &len);
            p[1] = (char)(len - 2);
            int code = judge(p, len, V5, packets[k].from, &why);
            bool belongs = strchr(props[i].where, packets[k].letter) != NULL;
            if ((code == 0) != belongs)
                fail_msg("%s: 0x%02x %s", hex, (unsigned)code, why);
            assert_true(code == 0 || code == 0x81 || (props[i].id == 0x11 && packets[k].letter == 'D'));
            free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_code),
        cmocka_unit_test(cut_packets_do_not_read_on),
        cmocka_unit_test(flipped_bits_do_not_read_on),
        cmocka_unit_test(properties_stand_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
