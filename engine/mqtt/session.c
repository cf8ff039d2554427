/* SPDX-License-Identifier: Apache-2.0 */
/* On the hot path: session_next decodes a PUBLISH where it lies and gives it on.
 *
 * Keep-alive: PINGREQ goes out when nothing was sent for the interval, as the standard wants ([MQTT-3.1.2-20]), and
 * also when nothing came for it, so that a dead server is noticed although we have things to send. PINGRESP proves
 * that the server has read our acknowledgements. */
#include "engine/mqtt/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OUT_MAX   ((size_t)8 << 20) /* requests and acknowledgements; both are bounded */
#define PINGS_MAX 1000u             /* without an answer, while the owner does not read: days of silence */

/* --- making --- */

int session_init(struct session *s, const struct session_conf *conf, struct ack_window *window, struct err *e)
{
    *s = (struct session) { .conf = conf };
    buf_init(&s->out, OUT_MAX);
    return arrivals_init(&s->arrivals, window, conf->alias_max, e);
}

void session_clear(struct session *s)
{
    arrivals_clear(&s->arrivals);
    buf_clear(&s->out);
}

static bool is_v5(const struct session *s)
{
    return s->conf->level == PACKET_LEVEL_5;
}

/* --- the end --- */

static enum session_event end(struct session *s, enum session_end how, uint8_t code)
{
    s->state = SESSION_STATE_ENDED;
    s->end = how;
    s->end_code = code;
    return SESSION_ENDED;
}

static enum session_event end_fault(struct session *s, enum packet_type type, const struct packet_fault *fault)
{
    s->fault = fault->why;
    s->packet = type;
    session_disconnect(s, fault->code);
    return end(s, SESSION_BROKEN_RULE, fault->code);
}

/* Control characters of a server's words would spoil the log. */
static void keep_reason(struct session *s, const struct packet_props *props)
{
    s->reason[0] = '\0';
    if (!(props->present & PROP_BIT(PROP_REASON_STRING)))
        return;
    snprintf(s->reason, sizeof(s->reason), "%.*s", (int)props->reason_string.len, props->reason_string.p);
    for (char *c = s->reason; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
}

void session_why(const struct session *s, char *out, size_t size)
{
    const char *colon = s->reason[0] ? ": " : "";
    switch (s->end) {
    case SESSION_REFUSED:
    case SESSION_DISCONNECTED:
        snprintf(out, size, "%s (0x%02X)%s%s", packet_reason_name(s->end_code), s->end_code, colon, s->reason);
        break;
    case SESSION_BROKEN_RULE:
        snprintf(out, size, "the broker sent a wrong %s: %s", packet_type_name(s->packet), s->fault);
        break;
    case SESSION_SILENT:
        snprintf(out, size, "the broker does not answer");
    }
}

/* --- beginning --- */

static void put_connect(struct session *s)
{
    const struct session_conf *c = s->conf;
    struct packet p = { .type = PACKET_CONNECT };
    p.connect = (struct packet_connect) { .level = (uint8_t)c->level,
                                          .clean_start = c->clean_start,
                                          .has_user_name = c->has_user_name,
                                          .has_password = c->has_password,
                                          .keep_alive_s = c->keep_alive_s,
                                          .client_id = c->client_id,
                                          .user_name = c->user_name,
                                          .password = c->password };
    p.props.present = PROP_BIT(PROP_RECEIVE_MAX) | PROP_BIT(PROP_PACKET_MAX) | PROP_BIT(PROP_TOPIC_ALIAS_MAX) |
                      PROP_BIT(PROP_SESSION_EXPIRY);
    p.props.receive_max = c->receive_max;
    p.props.packet_max = (uint32_t)c->packet_max;
    p.props.topic_alias_max = c->alias_max;
    p.props.session_expiry = c->session_expiry_s;
    if (packet_encode(&s->out, &p, c->level, SIZE_MAX) < 0)
        s->out.failed = true; /* texts that are too long; the configuration has bounds for them */
}

void session_begin(struct session *s, uint64_t now_ms)
{
    buf_reset(&s->out);
    memset(s->request, 0, sizeof(s->request));
    s->requests = 0;
    s->pings = 0;
    s->fault = NULL;
    s->reason[0] = '\0';
    s->begun_ms = s->sent_ms = s->received_ms = s->answered_ms = now_ms;
    s->state = SESSION_STATE_BEGUN;
    put_connect(s);
}

static bool said(const struct packet_props *props, enum packet_property id, bool value)
{
    return !(props->present & PROP_BIT(id)) || value;
}

static void read_server(struct session *s, const struct packet *p)
{
    const struct packet_props *props = &p->props;
    struct session_server *server = &s->server;
    *server = (struct session_server) {
        .present = p->connack.session_present,
        .takes_ids = is_v5(s) && said(props, PROP_SUBSCRIPTION_ID_AVAILABLE, props->subscription_id_available),
        .takes_shared = is_v5(s) && said(props, PROP_SHARED_AVAILABLE, props->shared_available),
        .takes_wildcards = said(props, PROP_WILDCARD_AVAILABLE, props->wildcard_available),
        .qos_max = 2,
        .packet_max = PACKET_SIZE_MAX,
        .session_expiry_s = s->conf->session_expiry_s,
        .keep_alive_s = s->conf->keep_alive_s,
    };
    if (props->present & PROP_BIT(PROP_QOS_MAX))
        server->qos_max = props->qos_max;
    if (props->present & PROP_BIT(PROP_PACKET_MAX))
        server->packet_max = props->packet_max;
    if (props->present & PROP_BIT(PROP_SESSION_EXPIRY))
        server->session_expiry_s = props->session_expiry;
    if (props->present & PROP_BIT(PROP_SERVER_KEEP_ALIVE))
        server->keep_alive_s = props->server_keep_alive;
}

static enum session_event on_connack(struct session *s, const struct packet *p)
{
    static const struct packet_fault unasked = { REASON_PROTOCOL, "it has a session although we asked for a new one" };
    if (p->connack.code) {
        keep_reason(s, &p->props);
        return end(s, SESSION_REFUSED, p->connack.code);
    }
    if (p->connack.session_present && s->conf->clean_start) /* [MQTT-3.2.2-2] */
        return end_fault(s, PACKET_CONNACK, &unasked);
    read_server(s, p);
    s->state = SESSION_STATE_CONNECTED;
    arrivals_begin(&s->arrivals, s->conf->level, s->server.present);
    return SESSION_CONNECTED;
}

/* --- packets --- */

static enum session_event on_publish(struct session *s, const struct packet *p)
{
    struct packet_fault fault;
    switch (arrivals_publish(&s->arrivals, p, &s->message, &fault)) {
    case ARRIVAL_MESSAGE:
        return SESSION_MESSAGE;
    case ARRIVAL_KNOWN:
        s->repeated++;
        return SESSION_MORE;
    case ARRIVAL_FAULT:
        return end_fault(s, PACKET_PUBLISH, &fault);
    case ARRIVAL_MEMORY:
        break;
    }
    return SESSION_STARVED;
}

/* Every request has one filter, so its answer has one code; an UNSUBACK of 3.1.1 has none. */
static enum session_event on_answer(struct session *s, const struct packet *p, uint64_t now_ms)
{
    static const struct packet_fault wrong = { REASON_PROTOCOL, "it answers something that was not asked" };
    const struct packet_answer *a = &p->answer;
    size_t index = (size_t)a->id - 1;
    bool known = index < SESSION_REQUESTS && s->request[index].open &&
                 s->request[index].unsubscribe == (p->type == PACKET_UNSUBACK) && a->codes.len <= 1;
    if (!known)
        return end_fault(s, p->type, &wrong);
    s->request[index].open = false;
    s->requests--;
    s->answered_ms = now_ms;
    s->answer = (struct session_answer) { .tag = s->request[index].tag };
    if (a->codes.len > 0)
        s->answer.code = (uint8_t)a->codes.p[0];
    if (p->props.present & PROP_BIT(PROP_REASON_STRING))
        s->answer.reason = p->props.reason_string;
    return SESSION_ANSWER;
}

/* While the owner does not read, several may be asked for; only the answer to the first proves what was marked. */
static void on_pingresp(struct session *s)
{
    ack_window_confirm(s->arrivals.window);
    s->pings -= s->pings > 0;
}

static enum session_event on_packet(struct session *s, const struct packet *p, uint64_t now_ms)
{
    static const struct packet_fault out_of_place = { REASON_PROTOCOL, "it does not belong here" };
    if ((p->type == PACKET_CONNACK) != (s->state == SESSION_STATE_BEGUN))
        return end_fault(s, p->type, &out_of_place);
    switch (p->type) {
    case PACKET_CONNACK:
        return on_connack(s, p);
    case PACKET_PUBLISH:
        return on_publish(s, p);
    case PACKET_PUBREL:
        arrivals_release(&s->arrivals, p, &s->out);
        return SESSION_MORE;
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
        return on_answer(s, p, now_ms);
    case PACKET_PINGRESP:
        on_pingresp(s);
        return SESSION_MORE;
    case PACKET_DISCONNECT:
        keep_reason(s, &p->props);
        return end(s, SESSION_DISCONNECTED, p->code);
    default: /* AUTH, and acknowledgements of what we never publish */
        return end_fault(s, p->type, &out_of_place);
    }
}

enum session_event session_next(struct session *s, const char *bytes, size_t len, size_t *used, uint64_t now_ms)
{
    struct packet_frame f;
    struct packet p;
    struct packet_fault fault;
    enum session_event event = s->state == SESSION_STATE_ENDED ? SESSION_ENDED : SESSION_MORE;
    for (*used = 0; event == SESSION_MORE; *used += f.size) {
        enum packet_border border = packet_frame(bytes + *used, len - *used, s->conf->packet_max, &f, &fault);
        if (border == PACKET_PARTIAL) {
            s->need = f.size;
            return SESSION_MORE;
        }
        p.type = (enum packet_type)(f.first >> 4);
        if (border == PACKET_BAD || packet_decode(&p, &f, s->conf->level, PACKET_FROM_SERVER, &fault) < 0)
            return end_fault(s, p.type, &fault);
        s->received_ms = now_ms;
        event = on_packet(s, &p, now_ms);
        if (event == SESSION_STARVED)
            break;
    }
    return event;
}

/* --- requests --- */

bool session_may_request(const struct session *s)
{
    return s->state == SESSION_STATE_CONNECTED && s->requests < SESSION_REQUESTS;
}

static size_t free_request(const struct session *s)
{
    size_t i = 0;
    while (s->request[i].open)
        i++;
    return i;
}

int session_request(struct session *s, const struct session_request *r, uint64_t now_ms, struct err *e)
{
    if (!session_may_request(s))
        return err_set(e, ERR_LIMIT, "too many requests to the broker at once");
    size_t index = free_request(s);
    struct packet_filter filter = { .filter = { r->filter, strlen(r->filter) },
                                    .qos = r->qos,
                                    .retain_handling = (uint8_t)r->retain_handling };
    struct packet p = { .type = r->unsubscribe ? PACKET_UNSUBSCRIBE : PACKET_SUBSCRIBE };
    p.request = (struct packet_request) { .id = (uint16_t)(index + 1), .count = 1, .filters = &filter };
    if (r->id && !r->unsubscribe) {
        p.props.present = PROP_BIT(PROP_SUBSCRIPTION_ID);
        p.props.subscription_id = r->id;
    }
    if (packet_encode(&s->out, &p, s->conf->level, s->server.packet_max) < 0)
        return err_set(e, ERR_LIMIT, "the broker takes no packet as large as the subscription to \"%.100s\"",
                       r->filter);
    if (s->requests++ == 0)
        s->answered_ms = now_ms;
    s->request[index].open = true;
    s->request[index].unsubscribe = r->unsubscribe;
    s->request[index].tag = r->tag;
    return 0;
}

/* --- time --- */

void session_flush(struct session *s, size_t most, uint64_t now_ms)
{
    if (s->state == SESSION_STATE_CONNECTED && s->out.len < most)
        ack_window_acknowledge(s->arrivals.window, s->conf->level, &s->out, most - s->out.len);
    if (s->out.len > 0)
        s->sent_ms = now_ms;
}

static uint64_t ping_due(const struct session *s)
{
    uint64_t since = s->sent_ms < s->received_ms ? s->sent_ms : s->received_ms;
    return s->server.keep_alive_s && s->pings < PINGS_MAX ? since + s->server.keep_alive_s * UINT64_C(1000)
                                                          : UINT64_MAX;
}

static uint64_t patience_ends(const struct session *s)
{
    uint64_t ping = s->pings ? s->ping_ms + s->conf->answer_ms : UINT64_MAX;
    uint64_t answer = s->requests ? s->answered_ms + s->conf->answer_ms : UINT64_MAX;
    return ping < answer ? ping : answer;
}

uint64_t session_deadline(const struct session *s)
{
    switch (s->state) {
    case SESSION_STATE_BEGUN:
        return s->begun_ms + s->conf->connect_ms;
    case SESSION_STATE_CONNECTED:
        break;
    case SESSION_STATE_NEW:
    case SESSION_STATE_ENDED:
        return UINT64_MAX;
    }
    uint64_t ping = ping_due(s), patience = patience_ends(s);
    return ping < patience ? ping : patience;
}

static void put_ping(struct session *s, uint64_t now_ms)
{
    struct packet p = { .type = PACKET_PINGREQ };
    if (packet_encode(&s->out, &p, s->conf->level, SIZE_MAX) < 0)
        return; /* memory is short: out has failed, and the connection with it */
    if (s->pings++ == 0)
        ack_window_mark(s->arrivals.window);
    s->ping_ms = s->sent_ms = s->received_ms = now_ms;
}

enum session_event session_tick(struct session *s, bool reading, uint64_t now_ms)
{
    if (s->state == SESSION_STATE_ENDED)
        return SESSION_ENDED;
    if (s->state == SESSION_STATE_BEGUN)
        return now_ms < session_deadline(s) ? SESSION_MORE : end(s, SESSION_SILENT, 0);
    if (s->state == SESSION_STATE_CONNECTED && !reading) {
        s->answered_ms = now_ms;
        s->ping_ms = now_ms;
    }
    if (now_ms >= patience_ends(s))
        return end(s, SESSION_SILENT, 0);
    if (now_ms >= ping_due(s))
        put_ping(s, now_ms);
    return SESSION_MORE;
}

void session_disconnect(struct session *s, uint8_t code)
{
    struct packet p = { .type = PACKET_DISCONNECT, .code = code };
    if (packet_encode(&s->out, &p, s->conf->level, SIZE_MAX) < 0)
        return; /* out has failed; the connection is closed all the same */
}
