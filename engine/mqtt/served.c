/* SPDX-License-Identifier: Apache-2.0 */
/* On the hot path: served_next decodes a PUBLISH where it lies and gives it on. */
#include "engine/mqtt/served.h"

#include <string.h>

#define OUT_MAX  ((size_t)1 << 20) /* acknowledgements; a client that sends and never reads is cut off there */
#define WILL_MAX ((size_t)256 << 10)

/* --- making --- */

void served_init(struct served *s, const struct served_limits *limits, uint64_t now_ms)
{
    *s = (struct served) { .limits = limits, .begun_ms = now_ms, .received_ms = now_ms };
    buf_init(&s->out, OUT_MAX);
    buf_init(&s->will_topic, WILL_MAX);
    buf_init(&s->will_payload, WILL_MAX);
}

size_t served_held(const struct served *s)
{
    return s->out.cap + s->will_topic.cap + s->will_payload.cap;
}

void served_clear(struct served *s)
{
    buf_clear(&s->out);
    buf_clear(&s->will_topic);
    buf_clear(&s->will_payload);
}

static bool is_v5(const struct served *s)
{
    return s->level == PACKET_LEVEL_5;
}

/* --- the end --- */

static enum served_event end(struct served *s, uint8_t code, const char *why)
{
    s->state = SERVED_STATE_ENDED;
    s->end_code = code;
    s->why = why;
    return SERVED_ENDED;
}

static uint8_t return_code_311(uint8_t code)
{
    switch (code) {
    case REASON_VERSION:
        return 1;
    case REASON_CLIENT_ID:
        return 2;
    case REASON_BAD_PASSWORD:
        return 4;
    case REASON_NOT_AUTHORIZED:
        return 5;
    default:
        return 3; /* server unavailable */
    }
}

static void put_connack(struct served *s, uint8_t code, bool present, const struct packet_props *props)
{
    unsigned level = is_v5(s) ? PACKET_LEVEL_5 : PACKET_LEVEL_311;
    struct packet p = { .type = PACKET_CONNACK };
    p.connack.session_present = present;
    p.connack.code = code == 0 || is_v5(s) ? code : return_code_311(code);
    if (!packet_reason_fits(p.connack.code, PACKET_CONNACK, level, PACKET_FROM_SERVER))
        p.connack.code = REASON_PROTOCOL;
    if (props)
        p.props = *props;
    if (packet_encode(&s->out, &p, level, SIZE_MAX) < 0)
        s->out.failed = true;
}

void served_refuse(struct served *s, uint8_t code, const char *why)
{
    put_connack(s, code, false, NULL);
    end(s, code, why);
}

void served_disconnect(struct served *s, uint8_t code, const char *why)
{
    bool fits = packet_reason_fits(code, PACKET_DISCONNECT, PACKET_LEVEL_5, PACKET_FROM_SERVER);
    struct packet p = { .type = PACKET_DISCONNECT, .code = fits ? code : REASON_PROTOCOL };
    if (s->state == SERVED_STATE_CONNECTED && is_v5(s) && packet_encode(&s->out, &p, s->level, SIZE_MAX) < 0)
        s->out.failed = true;
    end(s, code, why);
}

/* A CONNECT that cannot be read gets its CONNACK in the form of 3.1.1 if it asks for a version that we do not speak
 * (section 3.1.2.2 of 3.1.1), or of its own version. */
static enum served_event end_fault(struct served *s, enum packet_type type, const struct packet_fault *fault)
{
    if (s->state == SERVED_STATE_WAITING && type == PACKET_CONNECT &&
        (is_v5(s) || fault->code == REASON_VERSION || fault->code == REASON_CLIENT_ID))
        put_connack(s, fault->code, false, NULL);
    if (s->state != SERVED_STATE_CONNECTED)
        return end(s, fault->code, fault->why);
    served_disconnect(s, fault->code, fault->why);
    return SERVED_ENDED;
}

/* --- CONNECT --- */

static bool keep_will(struct served *s, const struct packet_connect *c)
{
    s->has_will = c->has_will;
    if (!c->has_will)
        return true;
    buf_put(&s->will_topic, c->will.topic.p, c->will.topic.len);
    buf_put(&s->will_payload, c->will.payload.p, c->will.payload.len);
    s->will_qos = c->will.qos;
    s->will_retain = c->will.retain;
    return !s->will_topic.failed && !s->will_payload.failed;
}

static enum served_event on_connect(struct served *s, const struct packet *p)
{
    static const struct packet_fault will = { REASON_TOO_LARGE, "its will is too large" };
    static const struct packet_fault method = { 0x8C, "it asks for an authentication method" }; /* Bad method */
    s->connect = p->connect;
    s->props = p->props;
    if (is_v5(s) && p->props.present & PROP_BIT(PROP_AUTH_METHOD))
        return end_fault(s, PACKET_CONNECT, &method);
    if (!keep_will(s, &p->connect))
        return end_fault(s, PACKET_CONNECT, &will);
    s->state = SERVED_STATE_ASKED;
    return SERVED_CONNECT;
}

static uint32_t granted_expiry(const struct served *s)
{
    uint32_t most = s->limits->session_expiry_max_s;
    if (!is_v5(s)) /* 3.1.1: for ever, or with the connection */
        return s->connect.clean_start ? 0 : most;
    uint32_t asked = s->props.present & PROP_BIT(PROP_SESSION_EXPIRY) ? s->props.session_expiry : 0;
    return asked < most ? asked : most;
}

static uint16_t granted_keep_alive(const struct served *s)
{
    uint16_t asked = s->connect.keep_alive_s, most = s->limits->keep_alive_max_s;
    return is_v5(s) && (asked == 0 || asked > most) ? most : asked; /* 3.1.1 has no way to tell another one */
}

void served_accept(struct served *s, struct arrivals *arrivals, bool session_present, const char *assigned)
{
    struct packet_props props = { .receive_max = s->limits->receive_max,
                                  .packet_max = (uint32_t)s->limits->packet_max,
                                  .topic_alias_max = s->limits->alias_max };
    s->arrivals = arrivals;
    s->session_expiry_s = granted_expiry(s);
    s->keep_alive_s = granted_keep_alive(s);
    props.session_expiry = s->session_expiry_s;
    props.server_keep_alive = s->keep_alive_s;
    /* Values that are the default, or what the client asked for, are said all the same; what is 0 here means "no". */
    props.present = PROP_BIT(PROP_RECEIVE_MAX) | PROP_BIT(PROP_PACKET_MAX) | PROP_BIT(PROP_TOPIC_ALIAS_MAX) |
                    PROP_BIT(PROP_SESSION_EXPIRY) | PROP_BIT(PROP_SERVER_KEEP_ALIVE) | PROP_BIT(PROP_RETAIN_AVAILABLE) |
                    PROP_BIT(PROP_WILDCARD_AVAILABLE) | PROP_BIT(PROP_SUBSCRIPTION_ID_AVAILABLE) |
                    PROP_BIT(PROP_SHARED_AVAILABLE);
    props.retain_available = 1; /* a rule sees the flag; nothing is retained */
    if (assigned) {
        props.present |= PROP_BIT(PROP_ASSIGNED_CLIENT_ID);
        props.assigned_client_id = (struct packet_text) { assigned, strlen(assigned) };
    }
    s->state = SERVED_STATE_CONNECTED;
    put_connack(s, 0, session_present, &props);
    arrivals_begin(arrivals, s->level, session_present);
}

/* --- packets --- */

static enum served_event on_publish(struct served *s, const struct packet *p)
{
    struct packet_fault fault;
    switch (arrivals_publish(s->arrivals, p, &s->message, &fault)) {
    case ARRIVAL_MESSAGE:
        return SERVED_MESSAGE;
    case ARRIVAL_KNOWN:
        return SERVED_MORE;
    case ARRIVAL_FAULT:
        return end_fault(s, PACKET_PUBLISH, &fault);
    case ARRIVAL_MEMORY:
        break;
    }
    return SERVED_STARVED;
}

void served_take_back(struct served *s)
{
    if (s->message.token)
        ack_window_withdraw(s->arrivals->window, s->message.token);
}

/* There is nothing to subscribe to: each filter is refused, and the connection goes on ([MQTT-3.9.3-1]). */
static enum served_event on_request(struct served *s, const struct packet *p)
{
    struct buf codes;
    struct packet answer = { .type = p->type == PACKET_SUBSCRIBE ? PACKET_SUBACK : PACKET_UNSUBACK };
    bool none = p->type == PACKET_UNSUBSCRIBE && !is_v5(s);
    char code = p->type == PACKET_UNSUBSCRIBE ? 0x11
                : is_v5(s)                    ? (char)REASON_NOT_AUTHORIZED
                                              : (char)REASON_UNSPECIFIED;
    struct packet_text rest = p->request.encoded;
    struct packet_filter filter;
    buf_init(&codes, s->limits->packet_max);
    while (!none && packet_filter_next(p->type, &rest, &filter))
        buf_putc(&codes, code);
    answer.answer.id = p->request.id;
    answer.answer.codes = (struct packet_text) { codes.p, codes.len };
    if (codes.failed || packet_encode(&s->out, &answer, s->level, SIZE_MAX) < 0)
        s->out.failed = true;
    buf_clear(&codes);
    return SERVED_MORE;
}

static enum served_event on_disconnect(struct served *s, const struct packet *p)
{
    static const struct packet_fault expiry = { REASON_PROTOCOL, "it asks to keep a session that it gave up" };
    if (is_v5(s) && p->props.present & PROP_BIT(PROP_SESSION_EXPIRY)) {
        uint32_t most = s->limits->session_expiry_max_s, asked = p->props.session_expiry;
        if (s->session_expiry_s == 0 && asked > 0) /* section 3.14.2.2.2 */
            return end_fault(s, PACKET_DISCONNECT, &expiry);
        s->session_expiry_s = asked < most ? asked : most;
    }
    s->has_will = s->has_will && p->code != 0; /* [MQTT-3.14.4-3] */
    return end(s, p->code, "it said goodbye");
}

static void put_pingresp(struct served *s)
{
    struct packet p = { .type = PACKET_PINGRESP };
    if (packet_encode(&s->out, &p, s->level, SIZE_MAX) < 0)
        s->out.failed = true;
}

static const struct packet_fault out_of_place = { REASON_PROTOCOL, "it does not belong here" };

static enum served_event on_packet(struct served *s, const struct packet *p)
{
    switch (p->type) {
    case PACKET_CONNECT:
        return on_connect(s, p);
    case PACKET_PUBLISH:
        return on_publish(s, p);
    case PACKET_PUBREL:
        arrivals_release(s->arrivals, p, &s->out);
        return SERVED_MORE;
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
        return on_request(s, p);
    case PACKET_PINGREQ:
        put_pingresp(s);
        return SERVED_MORE;
    case PACKET_DISCONNECT:
        return on_disconnect(s, p);
    default:
        return end_fault(s, p->type, &out_of_place);
    }
}

enum served_event served_next(struct served *s, const char *bytes, size_t len, size_t *used, uint64_t now_ms)
{
    struct packet_frame f;
    struct packet p;
    struct packet_fault fault;
    enum served_event event = s->state == SERVED_STATE_ENDED ? SERVED_ENDED : SERVED_MORE;
    for (*used = 0; event == SERVED_MORE; *used += f.size) {
        enum packet_border border = packet_frame(bytes + *used, len - *used, s->limits->packet_max, &f, &fault);
        if (border == PACKET_PARTIAL) {
            s->need = f.size;
            return SERVED_MORE;
        }
        p.type = (enum packet_type)(f.first >> 4);
        if ((p.type == PACKET_CONNECT) != (s->state == SERVED_STATE_WAITING)) /* [MQTT-3.1.0-1], [MQTT-3.1.0-2] */
            return end_fault(s, p.type, &out_of_place);
        bool decoded = border == PACKET_WHOLE && packet_decode(&p, &f, s->level, PACKET_FROM_CLIENT, &fault) == 0;
        if (p.type == PACKET_CONNECT && border == PACKET_WHOLE)
            s->level = p.connect.level == PACKET_LEVEL_5 ? PACKET_LEVEL_5 : PACKET_LEVEL_311;
        if (!decoded)
            return end_fault(s, p.type, &fault);
        s->received_ms = now_ms;
        s->packet_size = f.size;
        event = on_packet(s, &p);
        if (s->out.failed)
            return end(s, REASON_QUOTA, "it does not read what we answer");
        if (event == SERVED_STARVED)
            break;
    }
    return event;
}

/* --- time --- */

void served_flush(struct served *s, size_t most)
{
    if (s->state == SERVED_STATE_CONNECTED && s->out.len < most)
        ack_window_acknowledge(s->arrivals->window, s->level, &s->out, most - s->out.len);
}

enum served_event served_tick(struct served *s, bool reading, uint64_t now_ms)
{
    if (s->state == SERVED_STATE_ENDED)
        return SERVED_ENDED;
    if (s->state != SERVED_STATE_CONNECTED)
        return now_ms - s->begun_ms < s->limits->connect_ms ? SERVED_MORE
                                                            : end(s, REASON_KEEP_ALIVE, "no CONNECT came in time");
    if (!reading)
        s->received_ms = now_ms;
    if (!s->keep_alive_s || now_ms - s->received_ms < s->keep_alive_s * UINT64_C(1500)) /* [MQTT-3.1.2-22] */
        return SERVED_MORE;
    served_disconnect(s, REASON_KEEP_ALIVE, "it was silent for longer than its keep alive");
    return SERVED_ENDED;
}
