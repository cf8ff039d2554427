/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5 (section 2.2.2): one table says what each is, where it may stand and which values it may have;
 * reading and writing follow from the row. */
#include "engine/mqtt/packet_int.h"

enum kind { KIND_NONE, KIND_U8, KIND_U16, KIND_U32, KIND_VARINT, KIND_TEXT, KIND_BYTES, KIND_PAIR };

struct row {
    enum kind kind;
    uint32_t min, max; /* of a number */
    uint8_t code;      /* for a number outside */
    size_t offset;     /* of the member; KIND_PAIR: none */
    unsigned where;
};

#define IN(type)  PACKET_BIT(PACKET_##type)
#define PUBLISHED (IN(PUBLISH) | PACKET_BIT_WILL)
#define ANSWERS                                                                                                        \
    (IN(CONNACK) | IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK) | IN(DISCONNECT) |   \
     IN(AUTH))
#define HAVE_PROPS (ANSWERS | PUBLISHED | IN(CONNECT) | IN(SUBSCRIBE) | IN(UNSUBSCRIBE))

#define AT(member) offsetof(struct packet_props, member)
#define FLAG(member, where)                                                                                            \
    {                                                                                                                  \
        KIND_U8, 0, 1, REASON_PROTOCOL, AT(member), (where)                                                            \
    }
#define NUMBER(kind, min, member, where)                                                                               \
    {                                                                                                                  \
        (kind), (min), UINT32_MAX, REASON_PROTOCOL, AT(member), (where)                                                \
    }
#define STRING(kind, member, where)                                                                                    \
    {                                                                                                                  \
        (kind), 0, 0, 0, AT(member), (where)                                                                           \
    }

/* By identifier. */
static const struct row rows[] = {
    [PROP_PAYLOAD_FORMAT] = FLAG(payload_format, PUBLISHED),
    [PROP_MESSAGE_EXPIRY] = NUMBER(KIND_U32, 0, message_expiry, PUBLISHED),
    [PROP_CONTENT_TYPE] = STRING(KIND_TEXT, content_type, PUBLISHED),
    [PROP_RESPONSE_TOPIC] = STRING(KIND_TEXT, response_topic, PUBLISHED),
    [PROP_CORRELATION_DATA] = STRING(KIND_BYTES, correlation_data, PUBLISHED),
    [PROP_SUBSCRIPTION_ID] = NUMBER(KIND_VARINT, 1, subscription_id, IN(PUBLISH) | IN(SUBSCRIBE)),
    [PROP_SESSION_EXPIRY] = NUMBER(KIND_U32, 0, session_expiry, IN(CONNECT) | IN(CONNACK) | IN(DISCONNECT)),
    [PROP_ASSIGNED_CLIENT_ID] = STRING(KIND_TEXT, assigned_client_id, IN(CONNACK)),
    [PROP_SERVER_KEEP_ALIVE] = NUMBER(KIND_U16, 0, server_keep_alive, IN(CONNACK)),
    [PROP_AUTH_METHOD] = STRING(KIND_TEXT, auth_method, IN(CONNECT) | IN(CONNACK) | IN(AUTH)),
    [PROP_AUTH_DATA] = STRING(KIND_BYTES, auth_data, IN(CONNECT) | IN(CONNACK) | IN(AUTH)),
    [PROP_REQUEST_PROBLEM_INFO] = FLAG(request_problem_info, IN(CONNECT)),
    [PROP_WILL_DELAY] = NUMBER(KIND_U32, 0, will_delay, PACKET_BIT_WILL),
    [PROP_REQUEST_RESPONSE_INFO] = FLAG(request_response_info, IN(CONNECT)),
    [PROP_RESPONSE_INFO] = STRING(KIND_TEXT, response_info, IN(CONNACK)),
    [PROP_SERVER_REFERENCE] = STRING(KIND_TEXT, server_reference, IN(CONNACK) | IN(DISCONNECT)),
    [PROP_REASON_STRING] = STRING(KIND_TEXT, reason_string, ANSWERS),
    [PROP_RECEIVE_MAX] = NUMBER(KIND_U16, 1, receive_max, IN(CONNECT) | IN(CONNACK)),
    [PROP_TOPIC_ALIAS_MAX] = NUMBER(KIND_U16, 0, topic_alias_max, IN(CONNECT) | IN(CONNACK)),
    /* [MQTT-3.3.2-8] */
    [PROP_TOPIC_ALIAS] = { KIND_U16, 1, UINT16_MAX, REASON_TOPIC_ALIAS, AT(topic_alias), IN(PUBLISH) },
    [PROP_QOS_MAX] = FLAG(qos_max, IN(CONNACK)),
    [PROP_RETAIN_AVAILABLE] = FLAG(retain_available, IN(CONNACK)),
    [PROP_USER] = { KIND_PAIR, 0, 0, 0, 0, HAVE_PROPS },
    [PROP_PACKET_MAX] = NUMBER(KIND_U32, 1, packet_max, IN(CONNECT) | IN(CONNACK)),
    [PROP_WILDCARD_AVAILABLE] = FLAG(wildcard_available, IN(CONNACK)),
    [PROP_SUBSCRIPTION_ID_AVAILABLE] = FLAG(subscription_id_available, IN(CONNACK)),
    [PROP_SHARED_AVAILABLE] = FLAG(shared_available, IN(CONNACK)),
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROW_COUNT <= 64, "`present` has a bit for each identifier");

/* --- reading --- */

static bool may_repeat(uint32_t id, unsigned where)
{
    return id == PROP_USER || (id == PROP_SUBSCRIPTION_ID && where == IN(PUBLISH));
}

/* Section 2.2.2.2; and what only one end may send in a packet that both send. */
static bool check_place(struct packet_reader *r, uint32_t id, unsigned where, enum packet_sender from)
{
    if (id >= ROW_COUNT || rows[id].kind == KIND_NONE)
        packet_fail(r, REASON_MALFORMED, "it has a property with an unknown identifier");
    else if (!(rows[id].where & where))
        packet_fail(r, REASON_MALFORMED, "it has a property that does not belong there");
    else if (id == PROP_SUBSCRIPTION_ID && where == IN(PUBLISH) && from == PACKET_FROM_CLIENT) /* [MQTT-3.3.4-6] */
        packet_fail(r, REASON_PROTOCOL, "a client sent a Subscription Identifier with it");
    else if (id == PROP_SESSION_EXPIRY && where == IN(DISCONNECT) && from == PACKET_FROM_SERVER) /* [MQTT-3.14.2-2] */
        packet_fail(r, REASON_PROTOCOL, "a server sent a Session Expiry Interval with it");
    else if (id == PROP_SERVER_REFERENCE && where == IN(DISCONNECT) && from == PACKET_FROM_CLIENT)
        packet_fail(r, REASON_MALFORMED, "a client sent a Server Reference with it");
    return !r->failed;
}

static void read_number(struct packet_reader *r, const struct row *row, void *member)
{
    uint32_t v = 0;
    if (row->kind == KIND_U8)
        *(uint8_t *)member = (uint8_t)(v = packet_read_u8(r));
    else if (row->kind == KIND_U16)
        *(uint16_t *)member = (uint16_t)(v = packet_read_u16(r));
    else
        *(uint32_t *)member = v = row->kind == KIND_U32 ? packet_read_u32(r) : packet_read_varint(r);
    if (v < row->min || v > row->max)
        packet_fail(r, row->code, "a property has a value that is not allowed");
}

static void read_value(struct packet_reader *r, const struct row *row, struct packet_props *props)
{
    void *member = (char *)props + row->offset;
    if (row->kind == KIND_PAIR) { /* [MQTT-1.5.7-1] */
        packet_read_text(r);
        packet_read_text(r);
    } else if (row->kind == KIND_TEXT) {
        *(struct packet_text *)member = packet_read_text(r);
    } else if (row->kind == KIND_BYTES) {
        *(struct packet_text *)member = packet_read_bytes(r);
    } else {
        read_number(r, row, member);
    }
}

/* What the rows do not say. */
static void check_props(struct packet_reader *r, const struct packet_props *props)
{
    struct packet_fault fault;
    if (props->present & PROP_BIT(PROP_RESPONSE_TOPIC) && !r->failed &&
        packet_topic_check(props->response_topic, &fault) < 0) /* [MQTT-3.3.2-14] */
        packet_fail(r, REASON_PROTOCOL, "its Response Topic is not a topic name");
    if (props->present & PROP_BIT(PROP_AUTH_DATA) && !(props->present & PROP_BIT(PROP_AUTH_METHOD)))
        packet_fail(r, REASON_PROTOCOL, "it has Authentication Data without an Authentication Method");
}

void packet_read_props(struct packet_reader *r, struct packet_props *props, unsigned where, enum packet_sender from)
{
    props->present = 0;
    uint32_t len = packet_read_varint(r);
    if (len == 0)
        return;
    if (len > packet_left(r)) {
        packet_fail(r, REASON_MALFORMED, "its properties do not end within it");
        return;
    }
    struct packet_reader section = { .p = r->p, .end = r->p + len, .fault = r->fault, .failed = r->failed };
    props->repeated = (struct packet_text) { r->p, len };
    while (!section.failed && section.p < section.end) {
        uint32_t id = packet_read_varint(&section);
        if (section.failed || !check_place(&section, id, where, from))
            break;
        if (props->present & PROP_BIT(id) && !may_repeat(id, where))
            packet_fail(&section, REASON_PROTOCOL, "it has a property twice");
        props->present |= PROP_BIT(id);
        read_value(&section, &rows[id], props);
    }
    check_props(&section, props);
    r->p = section.end;
    r->failed = section.failed;
}

/* Step over one property of a section that was checked; its value without the identifier in *value. */
static uint32_t next_property(struct packet_text *rest, struct packet_text *value)
{
    struct packet_fault fault;
    struct packet_props sink;
    struct packet_reader r = { .p = rest->p, .end = rest->p + rest->len, .fault = &fault };
    uint32_t id = packet_read_varint(&r);
    value->p = r.p;
    if (!r.failed && id < ROW_COUNT && rows[id].kind != KIND_NONE)
        read_value(&r, &rows[id], &sink);
    else
        r.p = r.end;
    value->len = (size_t)(r.p - value->p);
    *rest = (struct packet_text) { r.p, packet_left(&r) };
    return r.failed ? 0 : id;
}

/* The next property of this kind. */
static bool find_property(struct packet_text *rest, enum packet_property which, struct packet_text *value)
{
    while (rest->len > 0) {
        if (next_property(rest, value) == which)
            return true;
    }
    return false;
}

bool packet_user_next(struct packet_text *rest, struct packet_text *name, struct packet_text *value)
{
    struct packet_text pair;
    if (!find_property(rest, PROP_USER, &pair))
        return false;
    *name = (struct packet_text) { pair.p + 2, packet_peek_u16(pair.p) };
    const char *second = name->p + name->len;
    *value = (struct packet_text) { second + 2, packet_peek_u16(second) };
    return true;
}

bool packet_subscription_id_next(struct packet_text *rest, uint32_t *id)
{
    struct packet_text bytes;
    return find_property(rest, PROP_SUBSCRIPTION_ID, &bytes) && packet_varint(bytes.p, bytes.len, id) > 0;
}

/* --- writing --- */

static bool put_value(struct buf *out, const struct row *row, const struct packet_props *props)
{
    const void *member = (const char *)props + row->offset;
    switch (row->kind) {
    case KIND_U8:
        buf_putc(out, (char)*(const uint8_t *)member);
        return true;
    case KIND_U16:
        packet_put_u16(out, *(const uint16_t *)member);
        return true;
    case KIND_U32:
        packet_put_u32(out, *(const uint32_t *)member);
        return true;
    case KIND_VARINT:
        packet_put_varint(out, *(const uint32_t *)member);
        return *(const uint32_t *)member <= PACKET_LENGTH_MAX;
    case KIND_TEXT:
    case KIND_BYTES:
        return packet_put_bytes(out, *(const struct packet_text *)member);
    case KIND_PAIR:
    case KIND_NONE:
        break;
    }
    return true;
}

/* User properties, and Subscription Identifiers of a PUBLISH, in the order in which they stand. */
static void put_repeated(struct buf *out, const struct packet_props *props, unsigned where)
{
    struct packet_text rest = props->repeated, value;
    while (rest.len > 0) {
        const char *from = rest.p;
        uint32_t id = next_property(&rest, &value);
        if (id < ROW_COUNT && props->present & PROP_BIT(id) && may_repeat(id, where) && rows[id].where & where)
            buf_put(out, from, (size_t)(rest.p - from));
    }
}

bool packet_put_props(struct buf *out, const struct packet_props *props, unsigned where)
{
    size_t at = out->len;
    bool fits = true;
    for (uint64_t left = props->present; left; left &= left - 1) {
        uint32_t id = (uint32_t)__builtin_ctzll(left);
        if (id >= ROW_COUNT || !(rows[id].where & where) || may_repeat(id, where))
            continue;
        buf_putc(out, (char)id);
        fits = put_value(out, &rows[id], props) && fits;
    }
    if (props->present & (PROP_BIT(PROP_USER) | PROP_BIT(PROP_SUBSCRIPTION_ID)))
        put_repeated(out, props, where);
    return packet_put_length(out, at, 0) && fits;
}

void packet_put_user(struct buf *out, struct packet_text name, struct packet_text value)
{
    buf_putc(out, (char)PROP_USER);
    packet_put_bytes(out, name);
    packet_put_bytes(out, value);
}

void packet_put_subscription_id(struct buf *out, uint32_t id)
{
    buf_putc(out, (char)PROP_SUBSCRIPTION_ID);
    packet_put_varint(out, id);
}
