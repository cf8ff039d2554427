/* SPDX-License-Identifier: Apache-2.0 */
/* Where packets end, and what is in them (sections 2 and 3). On the hot path: a PUBLISH is decoded where it lies. */
#include "engine/mqtt/packet_int.h"

#include <string.h>

#define FLAGS_RESERVED 0x02u /* of PUBREL, SUBSCRIBE and UNSUBSCRIBE; 0 for the others but PUBLISH */
#define OPTION_QOS     0x03u
#define OPTION_NOLOCAL 0x04u
#define OPTION_RETAIN  0x08u
#define OPTION_HANDLE  0x30u
#define OPTION_UNUSED  0xC0u

/* --- the fixed header --- */

static enum packet_type type_of(uint8_t first)
{
    return (enum packet_type)(first >> 4);
}

static const char *first_byte_is_wrong(uint8_t first)
{
    unsigned flags = first & 0x0f, qos = flags >> 1 & 3;
    switch (type_of(first)) {
    case PACKET_PUBLISH:
        if (qos == 3) /* [MQTT-3.3.1-4] */
            return "it has QoS 3";
        return flags & 8 && qos == 0 ? "it has QoS 0 and says that it was sent before" : NULL; /* [MQTT-3.3.1-2] */
    case PACKET_PUBREL:
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE: /* [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1] */
        return flags != FLAGS_RESERVED ? "its reserved flags are not 0010" : NULL;
    default: /* [MQTT-2.1.3-1] */
        if (first >> 4 == 0)
            return "its type is the reserved one";
        return flags ? "its reserved flags are not 0000" : NULL;
    }
}

static enum packet_border bad(struct packet_fault *fault, uint8_t code, const char *why)
{
    *fault = (struct packet_fault) { code, why };
    return PACKET_BAD;
}

enum packet_border packet_frame(const char *bytes, size_t len, size_t max, struct packet_frame *f,
                                struct packet_fault *fault)
{
    uint32_t length;
    *f = (struct packet_frame) { 0 };
    if (len == 0)
        return PACKET_PARTIAL;
    f->first = (uint8_t)bytes[0];
    const char *why = first_byte_is_wrong(f->first);
    if (why)
        return bad(fault, REASON_MALFORMED, why);
    int n = packet_varint(bytes + 1, len - 1, &length);
    if (n == 0)
        return PACKET_PARTIAL;
    if (n < 0)
        return bad(fault, REASON_MALFORMED, "its length has more than 4 bytes");
    f->head = (uint8_t)(1 + n);
    f->size = f->head + (size_t)length;
    f->body = bytes + f->head;
    if (f->size > max) /* [MQTT-3.1.2-24], [MQTT-3.2.2-15] */
        return bad(fault, REASON_TOO_LARGE, "it is larger than we take");
    return f->size <= len ? PACKET_WHOLE : PACKET_PARTIAL;
}

/* --- packets --- */

/* What each decoder gets. */
struct context {
    struct packet_reader r;
    struct packet *p;
    uint8_t first;
    unsigned level;
    enum packet_sender from;
};

static bool is_v5(const struct context *x)
{
    return x->level == PACKET_LEVEL_5;
}

static void read_props(struct context *x)
{
    if (is_v5(x))
        packet_read_props(&x->r, &x->p->props, PACKET_BIT(x->p->type), x->from);
}

/* A packet identifier, which is never 0 ([MQTT-2.2.1-3], [MQTT-2.2.1-4]). */
static uint16_t read_id(struct context *x)
{
    uint16_t id = packet_read_u16(&x->r);
    if (id == 0)
        packet_fail(&x->r, REASON_PROTOCOL, "its packet identifier is 0");
    return id;
}

static void check_code(struct context *x, uint8_t code)
{
    if (!packet_reason_fits(code, x->p->type, x->level, x->from))
        packet_fail(&x->r, REASON_PROTOCOL, "it has a reason code that it cannot have");
}

static void read_connect(struct context *x)
{
    packet_read_connect(&x->r, &x->p->connect, &x->p->props);
    x->level = x->p->connect.level;
}

static void read_connack(struct context *x)
{
    struct packet_connack *c = &x->p->connack;
    uint8_t flags = packet_read_u8(&x->r);
    c->session_present = flags & 1;
    c->code = packet_read_u8(&x->r);
    if (flags & 0xfe) /* [MQTT-3.2.2-1] */
        packet_fail(&x->r, REASON_MALFORMED, "its reserved flags are not 0");
    check_code(x, c->code);            /* [MQTT-3.2.2-8] */
    if (c->session_present && c->code) /* [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4] */
        packet_fail(&x->r, REASON_PROTOCOL, "it refuses the connection and says that there is a session");
    read_props(x);
}

/* An empty topic stands for an alias that was told before. */
static void check_topic(struct context *x, struct packet_text topic)
{
    if (topic.len == 0 && is_v5(x)) {
        if (!(x->p->props.present & PROP_BIT(PROP_TOPIC_ALIAS)))
            packet_fail(&x->r, REASON_PROTOCOL, "it has neither a topic name nor a topic alias");
        return;
    }
    struct packet_fault fault;
    if (packet_topic_check(topic, &fault) < 0)
        packet_fail(&x->r, fault.code, fault.why);
}

static void read_publish(struct context *x)
{
    struct packet_publish *m = &x->p->publish;
    m->retain = x->first & 1;
    m->qos = x->first >> 1 & 3;
    m->dup = x->first >> 3 & 1;
    m->topic = packet_read_bytes(&x->r);
    m->id = m->qos ? read_id(x) : 0; /* [MQTT-2.2.1-2] */
    read_props(x);
    if (!x->r.failed)
        check_topic(x, m->topic);
    m->payload = (struct packet_text) { x->r.p, packet_left(&x->r) };
    x->r.p = x->r.end;
}

/* Code and properties may be left out (section 3.4.2 and the like). */
static void read_ack(struct context *x)
{
    struct packet_ack *a = &x->p->ack;
    a->id = read_id(x);
    a->code = 0;
    if (!is_v5(x) || packet_left(&x->r) == 0)
        return;
    a->code = packet_read_u8(&x->r);
    check_code(x, a->code); /* [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1] */
    if (packet_left(&x->r) > 0)
        read_props(x);
}

/* One filter; the options of a SUBSCRIBE behind it. */
static void read_filter(struct packet_reader *r, enum packet_type type, struct packet_filter *f, unsigned *options)
{
    f->filter = packet_read_bytes(r);
    *options = type == PACKET_SUBSCRIBE ? packet_read_u8(r) : 0;
    f->qos = *options & OPTION_QOS;
    f->no_local = *options & OPTION_NOLOCAL;
    f->retain_as_published = *options & OPTION_RETAIN;
    f->retain_handling = (uint8_t)((*options & OPTION_HANDLE) >> 4);
}

static bool is_shared(struct packet_text filter)
{
    static const char share[] = "$share/";
    return filter.len >= sizeof(share) - 1 && memcmp(filter.p, share, sizeof(share) - 1) == 0;
}

static void check_filter(struct context *x, const struct packet_filter *f, unsigned options)
{
    struct packet_fault fault;
    unsigned unused = is_v5(x) ? OPTION_UNUSED : (unsigned)~OPTION_QOS;
    if (x->r.failed)
        return;
    if (packet_filter_check(f->filter, x->level, &fault) < 0)
        packet_fail(&x->r, fault.code, fault.why);
    else if (options & unused) /* [MQTT-3.8.3-5], 3.1.1 [MQTT-3-8.3-4] */
        packet_fail(&x->r, REASON_MALFORMED, "reserved bits of its options are not 0");
    else if (f->qos == 3)
        packet_fail(&x->r, is_v5(x) ? REASON_PROTOCOL : REASON_MALFORMED, "it asks for QoS 3");
    else if (f->retain_handling == 3)
        packet_fail(&x->r, REASON_PROTOCOL, "it asks for retain handling 3");
    else if (f->no_local && is_shared(f->filter)) /* [MQTT-3.8.3-4] */
        packet_fail(&x->r, REASON_PROTOCOL, "it asks for no local messages in a shared subscription");
}

static void read_request(struct context *x)
{
    struct packet_request *q = &x->p->request;
    struct packet_filter f;
    unsigned options;
    q->filters = NULL;
    q->count = 0;
    q->id = read_id(x);
    read_props(x);
    q->encoded = (struct packet_text) { x->r.p, packet_left(&x->r) };
    if (packet_left(&x->r) == 0) /* [MQTT-3.8.3-2], [MQTT-3.10.3-2] */
        packet_fail(&x->r, REASON_PROTOCOL, "it has no topic filter");
    while (packet_left(&x->r) > 0) {
        read_filter(&x->r, x->p->type, &f, &options);
        check_filter(x, &f, options);
        q->count++;
    }
}

static void read_answer(struct context *x)
{
    struct packet_answer *a = &x->p->answer;
    a->id = read_id(x);
    read_props(x);
    a->codes = (struct packet_text) { x->r.p, packet_left(&x->r) };
    if (x->p->type == PACKET_UNSUBACK && !is_v5(x))
        return;
    if (a->codes.len == 0)
        packet_fail(&x->r, REASON_MALFORMED, "it has no reason code");
    while (packet_left(&x->r) > 0)
        check_code(x, packet_read_u8(&x->r)); /* [MQTT-3.9.3-2], [MQTT-3.11.3-2] */
}

static void read_disconnect(struct context *x)
{
    x->p->code = 0;
    if (!is_v5(x)) {
        if (x->from == PACKET_FROM_SERVER)
            packet_fail(&x->r, REASON_PROTOCOL, "a server of 3.1.1 sent it");
        return;
    }
    if (packet_left(&x->r) == 0)
        return;
    x->p->code = packet_read_u8(&x->r);
    check_code(x, x->p->code); /* [MQTT-3.14.2-1] */
    if (packet_left(&x->r) > 0)
        read_props(x);
}

static void read_auth(struct context *x)
{
    x->p->code = 0;
    if (!is_v5(x)) {
        packet_fail(&x->r, REASON_MALFORMED, "3.1.1 has no such packet");
        return;
    }
    if (packet_left(&x->r) > 0) {
        x->p->code = packet_read_u8(&x->r);
        if (packet_left(&x->r) > 0)
            read_props(x);
        if (!(x->p->props.present & PROP_BIT(PROP_AUTH_METHOD)))
            packet_fail(&x->r, REASON_PROTOCOL, "it names no Authentication Method");
    }
    check_code(x, x->p->code); /* [MQTT-3.15.2-1] */
}

static void read_nothing(struct context *x)
{
    (void)x;
}

static const struct decoder {
    void (*read)(struct context *x);
    unsigned senders;
} decoders[16] = {
    [PACKET_CONNECT] = { read_connect, PACKET_FROM_CLIENT },
    [PACKET_CONNACK] = { read_connack, PACKET_FROM_SERVER },
    [PACKET_PUBLISH] = { read_publish, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_PUBACK] = { read_ack, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_PUBREC] = { read_ack, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_PUBREL] = { read_ack, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_PUBCOMP] = { read_ack, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_SUBSCRIBE] = { read_request, PACKET_FROM_CLIENT },
    [PACKET_SUBACK] = { read_answer, PACKET_FROM_SERVER },
    [PACKET_UNSUBSCRIBE] = { read_request, PACKET_FROM_CLIENT },
    [PACKET_UNSUBACK] = { read_answer, PACKET_FROM_SERVER },
    [PACKET_PINGREQ] = { read_nothing, PACKET_FROM_CLIENT },
    [PACKET_PINGRESP] = { read_nothing, PACKET_FROM_SERVER },
    [PACKET_DISCONNECT] = { read_disconnect, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
    [PACKET_AUTH] = { read_auth, PACKET_FROM_CLIENT | PACKET_FROM_SERVER },
};

/* Bytes of the fixed header that a body of this length needs. */
static unsigned head_needed(size_t length)
{
    return length < 128 ? 2 : length < 16384 ? 3 : length < 2097152 ? 4 : 5;
}

int packet_decode(struct packet *p, const struct packet_frame *f, unsigned level, enum packet_sender from,
                  struct packet_fault *fault)
{
    const struct decoder *d = &decoders[f->first >> 4];
    size_t length = f->size - f->head;
    struct context x = { .r = { .p = f->body, .end = f->body + length, .fault = fault },
                         .p = p,
                         .first = f->first,
                         .level = level,
                         .from = from };
    p->type = type_of(f->first);
    p->props.present = 0;
    if (!d->read || !(d->senders & from)) {
        packet_fail(&x.r, REASON_PROTOCOL, "this end cannot send it");
        return -1;
    }
    d->read(&x);
    if (packet_left(&x.r) > 0)
        packet_fail(&x.r, REASON_MALFORMED, "it goes on after its end");
    if (f->head != head_needed(length) && x.level == PACKET_LEVEL_5) /* [MQTT-1.5.5-1] */
        packet_fail(&x.r, REASON_MALFORMED, "its length has more bytes than it needs");
    return x.r.failed ? -1 : 0;
}

bool packet_filter_next(enum packet_type type, struct packet_text *rest, struct packet_filter *f)
{
    struct packet_fault fault;
    unsigned options;
    if (rest->len == 0)
        return false;
    struct packet_reader r = { .p = rest->p, .end = rest->p + rest->len, .fault = &fault };
    read_filter(&r, type, f, &options);
    *rest = (struct packet_text) { r.p, packet_left(&r) };
    return !r.failed;
}
