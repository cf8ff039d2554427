/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: the data types of MQTT (section 1.5), topic names and filters (section 4.7). */
#include "engine/mqtt/packet_int.h"

#include <string.h>

#include "engine/base/utf8.h"

void packet_fail(struct packet_reader *r, uint8_t code, const char *why)
{
    if (!r->failed)
        *r->fault = (struct packet_fault) { code, why };
    r->failed = true;
    r->p = r->end;
}

static bool has(struct packet_reader *r, size_t n)
{
    if (packet_left(r) >= n)
        return true;
    packet_fail(r, REASON_MALFORMED, "it ends too early");
    return false;
}

uint8_t packet_read_u8(struct packet_reader *r)
{
    return has(r, 1) ? (uint8_t)*r->p++ : 0;
}

uint16_t packet_read_u16(struct packet_reader *r)
{
    if (!has(r, 2))
        return 0;
    r->p += 2;
    return packet_peek_u16(r->p - 2);
}

uint32_t packet_read_u32(struct packet_reader *r)
{
    uint32_t high = packet_read_u16(r);
    return high << 16 | packet_read_u16(r);
}

int packet_varint(const char *p, size_t len, uint32_t *v)
{
    *v = 0;
    for (size_t i = 0; i < 4; i++) {
        if (i == len)
            return 0;
        *v |= (uint32_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80))
            return (int)i + 1;
    }
    return -1;
}

uint32_t packet_read_varint(struct packet_reader *r)
{
    uint32_t v;
    int n = packet_varint(r->p, packet_left(r), &v);
    if (n > 0 && (n == 1 || r->p[n - 1])) {
        r->p += n;
        return v;
    }
    if (n == 0)
        packet_fail(r, REASON_MALFORMED, "it ends too early");
    else if (n < 0)
        packet_fail(r, REASON_MALFORMED, "a number in it has more than 4 bytes");
    else /* [MQTT-1.5.5-1] */
        packet_fail(r, REASON_MALFORMED, "a number in it has more bytes than it needs");
    return 0;
}

struct packet_text packet_read_bytes(struct packet_reader *r)
{
    size_t len = packet_read_u16(r);
    if (!has(r, len))
        return (struct packet_text) { r->p, 0 };
    r->p += len;
    return (struct packet_text) { r->p - len, len };
}

bool packet_text_is_valid(struct packet_text t)
{
    return t.len == 0 || (utf8_is_valid(t.p, t.len) && !memchr(t.p, 0, t.len));
}

struct packet_text packet_read_text(struct packet_reader *r)
{
    struct packet_text t = packet_read_bytes(r);
    if (!packet_text_is_valid(t)) /* [MQTT-1.5.4-1], [MQTT-1.5.4-2] */
        packet_fail(r, REASON_MALFORMED, "a text in it is not UTF-8, or holds U+0000");
    return t;
}

static int fault_set(struct packet_fault *fault, uint8_t code, const char *why)
{
    *fault = (struct packet_fault) { code, why };
    return -1;
}

/* On the hot path: one pass over the bytes of a short ASCII topic, a second one only where there is anything else. */
int packet_topic_check(struct packet_text topic, struct packet_fault *fault)
{
    unsigned high = 0, wild = 0, nul = 0;
    for (size_t i = 0; i < topic.len; i++) {
        unsigned char c = (unsigned char)topic.p[i];
        high |= c;
        wild |= c == '+' || c == '#';
        nul |= c == 0;
    }
    if (nul || (high & 0x80 && !utf8_is_valid(topic.p, topic.len))) /* [MQTT-1.5.4-1], [MQTT-1.5.4-2] */
        return fault_set(fault, REASON_MALFORMED, "its topic name is not UTF-8, or holds U+0000");
    if (wild) /* [MQTT-3.3.2-2], [MQTT-4.7.0-1] */
        return fault_set(fault, REASON_TOPIC, "its topic name holds a wildcard");
    if (topic.len == 0 || topic.len > PACKET_TEXT_MAX) /* [MQTT-4.7.3-1], [MQTT-4.7.3-3] */
        return fault_set(fault, REASON_TOPIC, "its topic name is empty or too long");
    return 0;
}

/* Wildcards are whole levels, "#" the last one ([MQTT-4.7.1-1], [MQTT-4.7.1-2]). */
static bool wildcards_are_levels(struct packet_text f)
{
    for (size_t i = 0; i < f.len; i++) {
        bool first = i == 0 || f.p[i - 1] == '/', last = i + 1 == f.len;
        if (f.p[i] == '+' && !(first && (last || f.p[i + 1] == '/')))
            return false;
        if (f.p[i] == '#' && !(first && last))
            return false;
    }
    return true;
}

/* The filter behind "$share/NAME/" ([MQTT-4.8.2-1], [MQTT-4.8.2-2]); any other filter as it is. */
static struct packet_text without_share(struct packet_text f, bool *good)
{
    static const char share[] = "$share/";
    const size_t n = sizeof(share) - 1;
    *good = true;
    if (f.len < n || memcmp(f.p, share, n) != 0)
        return f;
    size_t i = n;
    while (i < f.len && f.p[i] != '/' && f.p[i] != '+' && f.p[i] != '#')
        i++;
    *good = i > n && i + 1 < f.len && f.p[i] == '/';
    return *good ? (struct packet_text) { f.p + i + 1, f.len - i - 1 } : f;
}

int packet_filter_check(struct packet_text filter, unsigned level, struct packet_fault *fault)
{
    bool good = true;
    if (filter.len == 0 || filter.len > PACKET_TEXT_MAX) /* [MQTT-4.7.3-1], [MQTT-4.7.3-3] */
        return fault_set(fault, REASON_FILTER, "a topic filter in it is empty or too long");
    if (!packet_text_is_valid(filter)) /* [MQTT-3.8.3-1], [MQTT-3.10.3-1] */
        return fault_set(fault, REASON_MALFORMED, "a topic filter in it is not UTF-8, or holds U+0000");
    if (level == PACKET_LEVEL_5)
        filter = without_share(filter, &good);
    if (!good)
        return fault_set(fault, REASON_FILTER, "a topic filter in it begins with $share but names no group and filter");
    if (!wildcards_are_levels(filter))
        return fault_set(fault, REASON_FILTER, "a topic filter in it has a wildcard in the wrong place");
    return 0;
}
