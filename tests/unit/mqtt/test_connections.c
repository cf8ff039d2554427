/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriber and listener on real sockets, with messages that other threads settle: what the thread sanitizer is to see. The acknowledgements
 * must come in the order of the messages, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/conf.h"
#include "engine/mqtt/listener.h"
#include "engine/mqtt/packet.h"
#include "engine/mqtt/subscriber.h"

#define CLIENTS     4u
#define MESSAGES    3000u
#define SETTLERS    2u
#define PATIENCE_MS 20000u /* for what is to happen at once */
#define ROOM        64u    /* messages at most with the settlers: beyond, the sink is full */

/* Tokens on their way to being final. */
struct desk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t tokens[ROOM];
    size_t count, total;
    bool closed;
    void (*settle)(uint64_t token);
    pthread_t threads[SETTLERS];
};

static void *settle_some(void *arg)
{
    struct desk *d = arg;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (d->count == 0 && !d->closed)
            pthread_cond_wait(&d->changed, &d->lock);
        if (d->count == 0)
            break;
        size_t i = d->total++ * 7 % d->count; /* in no order */
        uint64_t token = d->tokens[i];
        d->tokens[i] = d->tokens[--d->count];
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
        d->settle(token);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void desk_open(struct desk *d, void (*settle)(uint64_t token))
{
    *d = (struct desk) { .settle = settle };
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    for (size_t i = 0; i < SETTLERS; i++)
        assert_int_equal(pthread_create(&d->threads[i], NULL, settle_some, d), 0);
}

static void desk_close(struct desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < SETTLERS; i++)
        pthread_join(d->threads[i], NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
}

static enum sink_answer take(void *ctx, const struct source_message *m)
{
    struct desk *d = ctx;
    pthread_mutex_lock(&d->lock);
    bool room = d->count < ROOM;
    if (room)
        d->tokens[d->count++] = m->token;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return room ? SINK_TAKEN : SINK_FULL;
}

static void wait_room(void *ctx, unsigned timeout_ms)
{
    struct desk *d = ctx;
    (void)timeout_ms; /* the settlers always go on */
    pthread_mutex_lock(&d->lock);
    while (d->count == ROOM)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

/* --- the other end: blocking sockets --- */

struct peer {
    int fd;
    char in[4096];
    size_t at, len;
};

/* In one piece. */
static void peer_write_all(struct peer *p, const struct packet *packets, size_t count)
{
    struct buf b;
    buf_init(&b, 65536);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(packet_encode(&b, &packets[i], PACKET_LEVEL_5, SIZE_MAX), 0);
    for (size_t done = 0; done < b.len;) {
        ssize_t n = send(p->fd, b.p + done, b.len - done, MSG_NOSIGNAL);
        assert_true(n > 0);
        done += (size_t)n;
    }
    buf_clear(&b);
}

static void peer_write(struct peer *p, const struct packet *packet)
{
    peer_write_all(p, packet, 1);
}

/* False: the connection has ended. */
static bool peer_read(struct peer *p, struct packet *packet, enum packet_sender from)
{
    struct packet_frame f;
    struct packet_fault fault;
    for (;;) {
        if (packet_frame(p->in + p->at, p->len - p->at, PACKET_SIZE_MAX, &f, &fault) == PACKET_WHOLE) {
            packet->type = (enum packet_type)(f.first >> 4);
            assert_int_equal(packet_decode(packet, &f, PACKET_LEVEL_5, from, &fault), 0);
            p->at += f.size;
            return true;
        }
        memmove(p->in, p->in + p->at, p->len - p->at);
        p->len -= p->at;
        p->at = 0;
        ssize_t n = recv(p->fd, p->in + p->len, sizeof(p->in) - p->len, 0);
        if (n <= 0)
            return false;
        p->len += (size_t)n;
    }
}

static void peer_publish(struct peer *p, unsigned number)
{
    char payload[16];
    snprintf(payload, sizeof(payload), "%u", number);
    struct packet packet = { .type = PACKET_PUBLISH };
    packet.publish = (struct packet_publish) {
        .qos = 1, .id = (uint16_t)(number + 1), .topic = PACKET_TEXT("a/b"), .payload = { payload, strlen(payload) }
    };
    peer_write(p, &packet);
}

static void expect_ack(struct peer *p, unsigned number, enum packet_sender from)
{
    struct packet packet;
    assert_true(peer_read(p, &packet, from));
    assert_int_equal(packet.type, PACKET_PUBACK);
    assert_int_equal(packet.ack.id, number + 1);
}

/* Publish all, at most `window` without acknowledgement. */
static void publish_all(struct peer *p, unsigned window, enum packet_sender from)
{
    unsigned acknowledged = 0;
    for (unsigned n = 0; n < MESSAGES; n++) {
        if (n - acknowledged == window)
            expect_ack(p, acknowledged++, from);
        peer_publish(p, n);
    }
    while (acknowledged < MESSAGES)
        expect_ack(p, acknowledged++, from);
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 4) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* --- subscriber --- */

struct broker {
    uint16_t port;
    int listen_fd;
    void (*serve)(struct peer *p, uint16_t id); /* from the SUBSCRIBE with this identifier on */
    pthread_t thread;
};

static const struct packet_text granted = { "\1", 1 };

static void *be_broker(void *arg)
{
    struct broker *b = arg;
    struct peer p = { .fd = accept4(b->listen_fd, NULL, NULL, SOCK_CLOEXEC) };
    struct packet packet;
    assert_true(peer_read(&p, &packet, PACKET_FROM_CLIENT));
    assert_int_equal(packet.type, PACKET_CONNECT);
    peer_write(&p, &(struct packet) { .type = PACKET_CONNACK });
    assert_true(peer_read(&p, &packet, PACKET_FROM_CLIENT));
    assert_int_equal(packet.type, PACKET_SUBSCRIBE);
    b->serve(&p, packet.request.id);
    close(p.fd); /* the end, as the subscriber sees it */
    return NULL;
}

static void broker_open(struct broker *b, void (*serve)(struct peer *p, uint16_t id))
{
    b->serve = serve;
    b->listen_fd = listen_somewhere(&b->port);
    assert_int_equal(pthread_create(&b->thread, NULL, be_broker, b), 0);
}

static void broker_close(struct broker *b)
{
    pthread_join(b->thread, NULL);
    close(b->listen_fd);
}

static struct conf *options(const char *yaml)
{
    struct errs errs = { 0 };
    struct src *src = src_new("options.yaml", yaml, strlen(yaml));
    struct conf *c = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(c);
    errs_clear(&errs);
    return c;
}

static void read_conf(struct mqtt_conf *conf, struct conf **map, uint16_t port)
{
    char yaml[128];
    struct errs errs = { 0 };
    snprintf(yaml, sizeof(yaml), "url: mqtt://127.0.0.1:%u\n", port);
    *map = options(yaml);
    assert_int_equal(mqtt_conf_read(conf, *map, &errs), 0);
}

static void must_subscribe(struct subscriber *s)
{
    struct err e = { 0 };
    struct subscriber_request r = { .request = { .filter = "a/#", .qos = 1 } };
    assert_int_equal(subscriber_connect(s, &e), 0);
    assert_int_equal(subscriber_request(s, &r, 1, &e), 0);
    assert_int_equal(r.answer.outcome, MQTT_ACCEPTED);
}

/* Until the broker has closed. */
static void serve_to_the_end(struct subscriber *s)
{
    struct err e = { 0 };
    while (subscriber_turn(s, clock_monotonic_ms(&clock_system) + 1000, &e) == 0)
        continue;
    assert_true(subscriber_was_ended_by_broker(s));
}

static void answer_and_publish(struct peer *p, uint16_t id)
{
    peer_write(p, &(struct packet) { .type = PACKET_SUBACK, .answer = { .id = id, .codes = granted } });
    publish_all(p, 100, PACKET_FROM_CLIENT);
}

static void subscriber_acknowledges_in_order(void **state)
{
    (void)state;
    struct broker b;
    struct desk d;
    struct mqtt_conf conf;
    struct conf *map;
    struct err e = { 0 };
    broker_open(&b, answer_and_publish);
    read_conf(&conf, &map, b.port);
    desk_open(&d, subscriber_settle);
    struct subscriber_handler handler = { .ctx = &d, .message = take, .wait_room = wait_room };
    struct subscriber *s = subscriber_new(&conf, &clock_system, &handler, &e);
    assert_non_null(s);
    must_subscribe(s);
    serve_to_the_end(s);
    broker_close(&b);
    desk_close(&d);
    assert_int_equal(subscriber_open(s), 0);
    subscriber_free(s);
    mqtt_conf_clear(&conf);
    conf_free(map);
}

/* A sink that is full once, and is woken for another reason while it waits. */
struct woken {
    struct subscriber *s;
    bool was_full;
};

static enum sink_answer take_later(void *ctx, const struct source_message *m)
{
    struct woken *w = ctx;
    (void)m;
    if (w->was_full)
        return SINK_TAKEN;
    w->was_full = true;
    return SINK_FULL;
}

static void wake_meanwhile(void *ctx, unsigned timeout_ms)
{
    struct woken *w = ctx;
    (void)timeout_ms;
    subscriber_wake(w->s);
}

static void publish_and_answer(struct peer *p, uint16_t id)
{
    struct packet packets[] = {
        { .type = PACKET_PUBLISH, .publish = { .topic = PACKET_TEXT("a/b"), .payload = PACKET_TEXT("x") } },
        { .type = PACKET_SUBACK, .answer = { .id = id, .codes = granted } },
    };
    peer_write_all(p, packets, 2);
    assert_false(peer_read(p, packets, PACKET_FROM_CLIENT)); /* DISCONNECT is not sent: until it closes */
}

/* The last answer stands behind a message that was not taken at first, and a wake-up comes before it. The answer is not waited for again;
 * the wake-up is not the request's alone: whoever woke us wants to be seen. */
static void an_answer_and_a_wake_up_at_once(void **state)
{
    (void)state;
    struct broker b;
    struct woken w = { 0 };
    struct mqtt_conf conf;
    struct conf *map;
    struct err e = { 0 };
    broker_open(&b, publish_and_answer);
    read_conf(&conf, &map, b.port);
    struct subscriber_handler handler = { .ctx = &w, .message = take_later, .wait_room = wake_meanwhile };
    w.s = subscriber_new(&conf, &clock_system, &handler, &e);
    assert_non_null(w.s);
    uint64_t until = clock_monotonic_ms(&clock_system) + PATIENCE_MS;
    must_subscribe(w.s);
    assert_true(w.was_full);
    assert_true(clock_monotonic_ms(&clock_system) < until);
    assert_int_equal(subscriber_turn(w.s, until, &e), 0);
    assert_true(clock_monotonic_ms(&clock_system) < until);
    subscriber_free(w.s);
    broker_close(&b);
    mqtt_conf_clear(&conf);
    conf_free(map);
}

/* --- listener --- */

struct client {
    pthread_t thread;
    uint16_t port;
    unsigned number;
    struct listener *listener;
    atomic_uint *running;
};

static void *be_client(void *arg)
{
    struct client *c = arg;
    char id[16];
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(c->port) };
    struct peer p = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct packet packet = { .type = PACKET_CONNECT };
    snprintf(id, sizeof(id), "client-%u", c->number);
    packet.connect =
        (struct packet_connect) { .level = PACKET_LEVEL_5, .clean_start = true, .client_id = { id, strlen(id) } };
    assert_true(p.fd >= 0 && connect(p.fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    peer_write(&p, &packet);
    assert_true(peer_read(&p, &packet, PACKET_FROM_SERVER));
    assert_int_equal(packet.type, PACKET_CONNACK);
    assert_int_equal(packet.connack.code, 0);
    publish_all(&p, 20, PACKET_FROM_SERVER);
    peer_write(&p, &(struct packet) { .type = PACKET_DISCONNECT });
    assert_false(peer_read(&p, &packet, PACKET_FROM_SERVER));
    close(p.fd);
    atomic_fetch_sub(c->running, 1);
    listener_wake(c->listener);
    return NULL;
}

static void listener_acknowledges_in_order(void **state)
{
    (void)state;
    char yaml[128];
    uint16_t port;
    struct desk d;
    struct client clients[CLIENTS];
    struct listen_conf conf;
    struct errs errs = { 0 };
    struct err e = { 0 };
    atomic_uint running = CLIENTS;
    close(listen_somewhere(&port)); /* a port that is free */
    snprintf(yaml, sizeof(yaml), "address: 127.0.0.1:%u\nallowAnonymous: true\n", port);
    struct conf *map = options(yaml);
    assert_int_equal(listen_conf_read(&conf, map, &errs), 0);
    desk_open(&d, listener_settle);
    struct listener_handler handler = { .ctx = &d, .message = take, .wait_room = wait_room };
    struct listener *l = listener_open(&conf, &clock_system, &handler, &(struct listener_ports) { 0 }, &e);
    if (!l)
        fail_msg("%s", e.text);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client) { .port = port, .number = i, .listener = l, .running = &running };
        assert_int_equal(pthread_create(&clients[i].thread, NULL, be_client, &clients[i]), 0);
    }
    while (atomic_load(&running) > 0)
        listener_turn(l, clock_monotonic_ms(&clock_system) + 1000);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    desk_close(&d);
    assert_int_equal(listener_unsettled(l), 0);
    assert_int_equal(listener_count(l).refused, 0);
    listener_free(l);
    listen_conf_clear(&conf);
    conf_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscriber_acknowledges_in_order),
        cmocka_unit_test(an_answer_and_a_wake_up_at_once),
        cmocka_unit_test(listener_acknowledges_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
