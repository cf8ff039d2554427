/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to bytes.
 *
 * A length stands before what it counts and has one to four bytes. What it counts is appended first and moved by
 * that much afterwards; all but a payload is short, and a payload is appended after the move. */
#include "engine/mqtt/packet_int.h"

#include <string.h>

void packet_put_u16(struct buf *out, size_t v)
{
    const char bytes[2] = { (char)(v >> 8), (char)v };
    buf_put(out, bytes, 2);
}

void packet_put_u32(struct buf *out, uint32_t v)
{
    packet_put_u16(out, v >> 16);
    packet_put_u16(out, v & 0xffff);
}

static size_t varint_bytes(char bytes[5], uint32_t v)
{
    size_t n = 0;
    for (; v >= 128 && n < 4; v >>= 7)
        bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
    return n;
}

void packet_put_varint(struct buf *out, uint32_t v)
{
    char bytes[5];
    buf_put(out, bytes, varint_bytes(bytes, v));
}

bool packet_put_bytes(struct buf *out, struct packet_text t)
{
    if (t.len > PACKET_TEXT_MAX)
        return false;
    packet_put_u16(out, t.len);
    buf_put(out, t.p, t.len);
    return true;
}

bool packet_put_length(struct buf *out, size_t at, size_t more)
{
    char bytes[5];
    size_t here = out->len - at;
    if (out->failed)
        return true; /* the caller sees that */
    if (here > PACKET_LENGTH_MAX || more > PACKET_LENGTH_MAX - here)
        return false;
    size_t n = varint_bytes(bytes, (uint32_t)(here + more));
    buf_put(out, bytes, n); /* makes the room */
    if (out->failed)
        return true;
    memmove(out->p + at + n, out->p + at, here);
    memcpy(out->p + at, bytes, n);
    return true;
}

void packet_put_ack(struct buf *out, enum packet_type type, unsigned level, uint16_t id, uint8_t code)
{
    bool has_code = code && level == PACKET_LEVEL_5;
    const char bytes[5] = { (char)((unsigned)type << 4 | (type == PACKET_PUBREL ? 2u : 0u)), (char)(has_code ? 3 : 2),
                            (char)(id >> 8), (char)(id & 0xff), (char)code };
    buf_put(out, bytes, has_code ? 5 : 4);
}

/* What the body writers need. They return false if something does not fit the format. */
struct target {
    struct buf *out;
    const struct packet *p;
    unsigned level;
};

static bool put_props(const struct target *t)
{
    return t->level != PACKET_LEVEL_5 || packet_put_props(t->out, &t->p->props, PACKET_BIT(t->p->type));
}

static bool put_connack(const struct target *t)
{
    buf_putc(t->out, t->p->connack.session_present);
    buf_putc(t->out, (char)t->p->connack.code);
    return put_props(t);
}

/* All but the payload. */
static bool put_publish(const struct target *t)
{
    const struct packet_publish *m = &t->p->publish;
    bool fits = packet_put_bytes(t->out, m->topic);
    if (m->qos)
        packet_put_u16(t->out, m->id);
    return put_props(t) && fits;
}

/* Code and properties are left out where that means the same. */
static bool put_code_and_props(const struct target *t, uint8_t code)
{
    if (t->level != PACKET_LEVEL_5 || (!code && !t->p->props.present))
        return true;
    buf_putc(t->out, (char)code);
    return !t->p->props.present || put_props(t);
}

static bool put_ack(const struct target *t)
{
    packet_put_u16(t->out, t->p->ack.id);
    return put_code_and_props(t, t->p->ack.code);
}

static unsigned options_of(const struct packet_filter *f, unsigned level)
{
    if (level != PACKET_LEVEL_5)
        return f->qos;
    return f->qos | (f->no_local ? 0x04u : 0) | (f->retain_as_published ? 0x08u : 0) |
           (unsigned)f->retain_handling << 4;
}

static bool put_request(const struct target *t)
{
    const struct packet_request *q = &t->p->request;
    packet_put_u16(t->out, q->id);
    bool fits = put_props(t);
    if (!q->filters)
        buf_put(t->out, q->encoded.p, q->encoded.len);
    for (size_t i = 0; q->filters && i < q->count; i++) {
        fits = packet_put_bytes(t->out, q->filters[i].filter) && fits;
        if (t->p->type == PACKET_SUBSCRIBE)
            buf_putc(t->out, (char)options_of(&q->filters[i], t->level));
    }
    return fits;
}

static bool put_answer(const struct target *t)
{
    packet_put_u16(t->out, t->p->answer.id);
    bool fits = put_props(t);
    if (t->level == PACKET_LEVEL_5 || t->p->type == PACKET_SUBACK)
        buf_put(t->out, t->p->answer.codes.p, t->p->answer.codes.len);
    return fits;
}

static bool put_body(const struct target *t)
{
    switch (t->p->type) {
    case PACKET_CONNECT:
        return packet_put_connect(t->out, &t->p->connect, &t->p->props);
    case PACKET_CONNACK:
        return put_connack(t);
    case PACKET_PUBLISH:
        return put_publish(t);
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP:
        return put_ack(t);
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
        return put_request(t);
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
        return put_answer(t);
    case PACKET_DISCONNECT:
    case PACKET_AUTH:
        return put_code_and_props(t, t->p->code);
    case PACKET_PINGREQ:
    case PACKET_PINGRESP:
        break;
    }
    return true;
}

static uint8_t first_byte(const struct packet *p)
{
    unsigned flags = 0;
    if (p->type == PACKET_PUBLISH)
        flags = (p->publish.dup ? 8u : 0) | (unsigned)p->publish.qos << 1 | p->publish.retain;
    else if (p->type == PACKET_PUBREL || p->type == PACKET_SUBSCRIBE || p->type == PACKET_UNSUBSCRIBE)
        flags = 2;
    return (uint8_t)((unsigned)p->type << 4 | flags);
}

int packet_encode(struct buf *out, const struct packet *p, unsigned level, size_t max)
{
    struct target t = { .out = out, .p = p, .level = p->type == PACKET_CONNECT ? p->connect.level : level };
    struct packet_text payload = { NULL, 0 };
    size_t start = out->len;
    if (p->type == PACKET_PUBLISH)
        payload = p->publish.payload;
    buf_putc(out, (char)first_byte(p));
    bool fits = put_body(&t) && packet_put_length(out, start + 1, payload.len);
    if (fits && out->len - start + payload.len <= max)
        buf_put(out, payload.p, payload.len);
    else
        fits = false;
    if (fits && !out->failed)
        return 0;
    if (!out->failed)
        out->len = start;
    return -1;
}
