/* SPDX-License-Identifier: Apache-2.0 */
/* A model of a server, and of a network that cuts bytes anywhere and loses connections, drives the session from a seed.
 *
 *     queue ──► server ──bytes──► wire ──► session ──► owner, who settles in any order, some other time
 *                 └─◄────bytes─── wire ◄─────┘
 *
 * Checked: acknowledgements leave in the order of the PUBLISH packets of their connection and only for what is final;
 * each packet is acknowledged once; the server's Receive Maximum is never passed; QoS 2 is handed over once, QoS 1 once
 * as well if the server keeps its identifiers; the order of a topic holds once repetitions are taken out; in the end
 * everything has arrived, nothing is under way, and every request has its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/session.h"

#define MESSAGES    400u
#define TOPICS      3u
#define RECEIVE_MAX 8u
#define RUNS        1000u
#define STEPS_MAX   200000u
#define WIRE_MAX    ((size_t)1 << 20)
#define IDS         (RECEIVE_MAX + 3u) /* few, so that they are used again and again */

/* What the server knows of a message. */
enum stage { QUEUED, SENT, RELEASED, DONE };

struct message_state {
    unsigned qos;
    enum stage stage;
    uint16_t id;
    bool was_sent;     /* on an earlier connection: DUP */
    bool acknowledged; /* on this connection: PUBACK or PUBREC came */
    bool final;        /* the owner has settled it, at least once */
    unsigned handed;   /* how often the owner got it */
    uint64_t token;    /* 0: not with the owner now */
};

struct model {
    uint64_t seed;
    struct random random;
    unsigned level;
    bool renumbers; /* as RabbitMQ: new identifiers after a reconnect (QoS 0 and 1 only) */
    struct session_conf conf;
    struct session session;
    struct ack_window *window;
    struct buf to_client, to_server;
    size_t client_at, server_at;
    bool connected, has_session;
    struct message_state messages[MESSAGES];
    unsigned next;                     /* first that was never sent */
    unsigned order[4 * MESSAGES];      /* QoS 1 and 2 packets of this connection that are not acknowledged: message */
    unsigned order_first, order_count; /* a queue in it */
    unsigned under_way;
    int last[TOPICS]; /* last new number that was handed over */
    uint64_t now_ms;
    unsigned asked, answered, connections, pings;
};

static unsigned below(struct model *m, unsigned n)
{
    return (unsigned)(random_u64(&m->random) % n);
}

static void complain(const struct model *m, const char *what, unsigned number)
{
    fail_msg("seed %llu: %s (%u)", (unsigned long long)m->seed, what, number);
}

/* --- the server --- */

static uint16_t free_id(struct model *m)
{
    for (;;) {
        uint16_t id = (uint16_t)(1 + below(m, IDS));
        bool used = false;
        for (unsigned i = 0; i < m->next; i++)
            used |= (m->messages[i].stage == SENT || m->messages[i].stage == RELEASED) && m->messages[i].id == id;
        if (!used)
            return id;
    }
}

static void server_put(struct model *m, const struct packet *p)
{
    assert_int_equal(packet_encode(&m->to_client, p, m->level, SIZE_MAX), 0);
}

static void server_publish(struct model *m, unsigned number)
{
    struct message_state *s = &m->messages[number];
    char topic[16], payload[16];
    snprintf(topic, sizeof(topic), "t/%u", number % TOPICS);
    snprintf(payload, sizeof(payload), "%u", number);
    struct packet p = { .type = PACKET_PUBLISH };
    p.publish = (struct packet_publish) { .dup = s->was_sent && s->qos > 0,
                                          .qos = (uint8_t)s->qos,
                                          .id = s->id,
                                          .topic = { topic, strlen(topic) },
                                          .payload = { payload, strlen(payload) } };
    server_put(m, &p);
    s->was_sent = true;
    s->acknowledged = false;
    if (s->qos > 0)
        m->order[m->order_first + m->order_count++] = number;
}

static void server_publish_next(struct model *m)
{
    if (m->next == MESSAGES)
        return;
    struct message_state *s = &m->messages[m->next];
    if (s->qos > 0 && m->under_way == RECEIVE_MAX)
        return;
    s->stage = s->qos ? SENT : DONE;
    s->id = s->qos ? free_id(m) : 0;
    m->under_way += s->qos > 0;
    server_publish(m, m->next++);
}

static void server_put_ack(struct model *m, enum packet_type type, uint16_t id)
{
    struct packet p = { .type = type, .ack = { .id = id } };
    server_put(m, &p);
}

/* A connection stands: what is under way is sent again, in its order ([MQTT-4.4.0-1]). */
static void server_resume(struct model *m)
{
    bool present = m->has_session && !m->conf.clean_start;
    struct packet p = { .type = PACKET_CONNACK, .connack = { .session_present = present } };
    server_put(m, &p);
    m->order_first = m->order_count = 0;
    m->has_session = true;
    for (unsigned i = 0; i < m->next; i++) {
        struct message_state *s = &m->messages[i];
        if (s->stage == RELEASED) {
            server_put_ack(m, PACKET_PUBREL, s->id);
        } else if (s->stage == SENT) {
            if (m->renumbers)
                s->id = 0;
        }
    }
    for (unsigned i = 0; i < m->next; i++) {
        struct message_state *s = &m->messages[i];
        if (s->stage != SENT)
            continue;
        if (m->renumbers)
            s->id = free_id(m);
        server_publish(m, i);
    }
}

/* PUBACK or PUBREC: it must be for the first packet that has none yet. */
static void server_acknowledged(struct model *m, const struct packet *p, unsigned qos)
{
    if (m->order_count == 0)
        complain(m, "acknowledged, but nothing is under way", p->ack.id);
    unsigned number = m->order[m->order_first];
    struct message_state *s = &m->messages[number];
    if (s->id != p->ack.id || s->qos != qos)
        complain(m, "acknowledged out of order", number);
    if (!s->final)
        complain(m, "acknowledged before it was final", number);
    if (p->ack.code != 0)
        complain(m, "refused", number);
    m->order_first++;
    m->order_count--;
    s->acknowledged = true;
    if (qos == 1) {
        s->stage = DONE;
        m->under_way--;
    } else {
        s->stage = RELEASED;
        server_put_ack(m, PACKET_PUBREL, s->id);
    }
}

static void server_completed(struct model *m, const struct packet *p)
{
    for (unsigned i = 0; i < m->next; i++) {
        struct message_state *s = &m->messages[i];
        if (s->stage != RELEASED || s->id != p->ack.id)
            continue;
        s->stage = DONE;
        m->under_way--;
        return;
    }
    complain(m, "PUBCOMP for nothing", p->ack.id);
}

static void server_answer(struct model *m, const struct packet *p)
{
    static const char granted[] = { 1 }, dropped[] = { 0 };
    bool none = p->type == PACKET_UNSUBSCRIBE && m->level == PACKET_LEVEL_311;
    struct packet answer = { .type = p->type == PACKET_SUBSCRIBE ? PACKET_SUBACK : PACKET_UNSUBACK,
                             .answer = { .id = p->request.id,
                                         .codes = { p->type == PACKET_SUBSCRIBE ? granted : dropped, none ? 0 : 1 } } };
    server_put(m, &answer);
}

static void server_packet(struct model *m, const struct packet *p)
{
    struct packet pong = { .type = PACKET_PINGRESP };
    switch (p->type) {
    case PACKET_CONNECT:
        server_resume(m);
        break;
    case PACKET_PUBACK:
        server_acknowledged(m, p, 1);
        break;
    case PACKET_PUBREC:
        server_acknowledged(m, p, 2);
        break;
    case PACKET_PUBCOMP:
        server_completed(m, p);
        break;
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
        server_answer(m, p);
        break;
    case PACKET_PINGREQ:
        m->pings++;
        server_put(m, &pong);
        break;
    default:
        complain(m, "a packet that a client does not send", p->type);
    }
}

/* --- the wire: some of the bytes arrive --- */

static void server_read(struct model *m)
{
    size_t there = m->to_server.len - m->server_at, n = there ? 1 + below(m, (unsigned)there) : 0;
    const char *bytes = m->to_server.p + m->server_at;
    struct packet_frame f;
    struct packet_fault fault;
    for (size_t used = 0; used < n; used += f.size) {
        if (packet_frame(bytes + used, n - used, PACKET_SIZE_MAX, &f, &fault) != PACKET_WHOLE)
            return;
        struct packet p = { .type = (enum packet_type)(f.first >> 4) };
        if (packet_decode(&p, &f, m->level, PACKET_FROM_CLIENT, &fault) < 0)
            fail_msg("seed %llu: %s", (unsigned long long)m->seed, fault.why);
        m->server_at += f.size;
        server_packet(m, &p);
        bytes = m->to_server.p + m->server_at - used - f.size;
    }
}

static void hand_over(struct model *m)
{
    const struct source_message *sm = &m->session.message;
    char text[16] = "";
    assert_true(sm->message.payload_len < sizeof(text));
    memcpy(text, sm->message.payload, sm->message.payload_len);
    unsigned number = (unsigned)atoi(text);
    struct message_state *s = &m->messages[number];
    bool again = s->handed++ > 0;
    if (again && (s->qos == 2 || !m->renumbers))
        complain(m, "handed over again", number);
    assert_int_equal(sm->message.qos, s->qos);
    assert_true((sm->token != 0) == (s->qos > 0));
    if (!again) {
        if ((int)number <= m->last[number % TOPICS])
            complain(m, "out of order", number);
        m->last[number % TOPICS] = (int)number;
    }
    s->token = sm->token;
}

static void client_read(struct model *m)
{
    size_t there = m->to_client.len - m->client_at, n = there ? 1 + below(m, (unsigned)there) : 0, used;
    for (;;) {
        enum session_event event = session_next(&m->session, m->to_client.p + m->client_at, n, &used, m->now_ms);
        m->client_at += used;
        n -= used;
        switch (event) {
        case SESSION_MESSAGE:
            hand_over(m);
            break;
        case SESSION_ANSWER:
            m->answered++;
            assert_int_equal(m->session.answer.code, m->session.answer.tag % 2); /* what was subscribed to at QoS 1 */
            break;
        case SESSION_CONNECTED:
            break;
        case SESSION_MORE:
            return;
        case SESSION_STARVED:
        case SESSION_ENDED: {
            char why[SESSION_WHY_MAX];
            session_why(&m->session, why, sizeof(why));
            fail_msg("seed %llu: ended: %s", (unsigned long long)m->seed, why);
        }
        }
    }
}

static void client_write(struct model *m)
{
    session_flush(&m->session, 1 + below(m, 64), m->now_ms);
    buf_put(&m->to_server, m->session.out.p, m->session.out.len);
    buf_reset(&m->session.out);
}

static void client_settle(struct model *m)
{
    unsigned i = below(m, m->next + 1);
    for (unsigned k = 0; k < m->next; k++, i++) {
        struct message_state *s = &m->messages[i % m->next];
        if (!s->token)
            continue;
        s->final = true;
        uint64_t token = s->token;
        s->token = 0;
        ack_window_settle(token);
        return;
    }
}

/* As a subscriber does at its start and when rules change. */
static void client_request(struct model *m)
{
    struct err e = { 0 };
    struct session_request r = {
        .filter = "t/#", .tag = m->asked, .unsubscribe = m->asked % 2 == 0, .id = 5, .qos = 2
    };
    if (!session_may_request(&m->session) || m->asked - m->answered > 3)
        return;
    assert_int_equal(session_request(&m->session, &r, m->now_ms, &e), 0);
    m->asked++;
}

/* The connection is gone with the bytes that were under way; requests that have no answer never get one. */
static void connect_again(struct model *m)
{
    buf_reset(&m->to_client);
    buf_reset(&m->to_server);
    m->client_at = m->server_at = 0;
    m->asked = m->answered = 0;
    m->connections++;
    session_begin(&m->session, m->now_ms);
}

static void tick(struct model *m)
{
    m->now_ms += below(m, 3000);
    if (session_tick(&m->session, true, m->now_ms) == SESSION_ENDED)
        connect_again(m); /* the model was slow to answer a ping */
}

static bool is_done(const struct model *m)
{
    return m->next == MESSAGES && m->under_way == 0 && m->asked == m->answered;
}

static void step(struct model *m)
{
    unsigned n = below(m, 1000);
    if (n < 250)
        server_publish_next(m);
    else if (n < 500)
        client_read(m);
    else if (n < 700)
        client_settle(m);
    else if (n < 850)
        client_write(m);
    else if (n < 980)
        server_read(m);
    else if (n < 988)
        tick(m);
    else if (n < 992)
        client_request(m);
    else
        connect_again(m);
}

static void step_when_connected(struct model *m)
{
    if (m->session.state == SESSION_STATE_CONNECTED || m->to_client.len > 0) {
        step(m);
    } else { /* only CONNECT may be under way: nothing is published to who is not there */
        client_write(m);
        server_read(m);
    }
}

static void init(struct model *m, uint64_t seed)
{
    struct err e = { 0 };
    memset(m, 0, sizeof(*m));
    m->seed = seed;
    random_seed(&m->random, seed);
    m->level = seed % 2 ? PACKET_LEVEL_5 : PACKET_LEVEL_311;
    m->renumbers = seed % 3 == 0;
    m->conf = (struct session_conf) { .level = m->level,
                                      .client_id = PACKET_TEXT("model"),
                                      .keep_alive_s = 1,
                                      .session_expiry_s = 3600,
                                      .receive_max = RECEIVE_MAX,
                                      .packet_max = 1024,
                                      .connect_ms = 1000000,
                                      .answer_ms = 1000000 };
    buf_init(&m->to_client, WIRE_MAX);
    buf_init(&m->to_server, WIRE_MAX);
    m->window = ack_window_new(RECEIVE_MAX, false, NULL, NULL);
    assert_non_null(m->window);
    assert_int_equal(session_init(&m->session, &m->conf, m->window, &e), 0);
    for (unsigned i = 0; i < MESSAGES; i++)
        m->messages[i].qos = below(m, m->renumbers ? 2 : 3);
    for (unsigned i = 0; i < TOPICS; i++)
        m->last[i] = -1;
    connect_again(m);
}

static void check_end(const struct model *m)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        const struct message_state *s = &m->messages[i];
        if (s->qos > 0 && s->handed == 0)
            complain(m, "lost", i);
    }
    assert_int_equal(ack_window_used(m->window), 0);
}

static void clear(struct model *m)
{
    session_clear(&m->session);
    ack_window_free(m->window);
    buf_clear(&m->to_client);
    buf_clear(&m->to_server);
}

static void the_rules_hold(void **state)
{
    static struct model m;
    unsigned connections = 0, pings = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        init(&m, seed);
        unsigned steps = 0;
        while (!is_done(&m)) {
            step_when_connected(&m);
            if (++steps > STEPS_MAX)
                complain(&m, "it does not come to an end", m.next);
        }
        check_end(&m);
        connections += m.connections;
        pings += m.pings;
        clear(&m);
    }
    assert_true(connections > 10 * RUNS); /* the model has done what it is there for */
    assert_true(pings > RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
