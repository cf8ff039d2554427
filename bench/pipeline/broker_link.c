/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/broker_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "engine/base/buf.h"

#define ANSWER_MS   10000
#define WRITE_S     10
#define FRAME_MAX   ((size_t)1024)
#define SUBSCRIBE_1 1 /* packet id of the only SUBSCRIBE */

static int socket_to(const char *host, uint16_t port, struct err *e)
{
    char service[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(host, service, &hints, &list), fd = -1;
    if (rc != 0)
        return err_set(e, ERR_UNREACHABLE, "could not look up \"%.100s\": %s", host, gai_strerror(rc));
    int why = 0;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            why = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(e, ERR_UNREACHABLE, "could not connect to %.100s port %u: %s", host, port, strerror(why));
    int on = 1;
    struct timeval patience = { .tv_sec = WRITE_S };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static void put_u16(struct buf *b, size_t v)
{
    const char bytes[] = { (char)(v >> 8), (char)(v & 0xff) };
    buf_put(b, bytes, 2);
}

static void put_text(struct buf *b, const char *s)
{
    put_u16(b, strlen(s));
    buf_puts(b, s);
}

size_t broker_put_length(char *at, size_t len)
{
    size_t n = 0;
    do {
        at[n] = (char)(len & 0x7f);
        len >>= 7;
        at[n] = (char)(at[n] | (len ? 0x80 : 0));
        n++;
    } while (len);
    return n;
}

static int send_packet(struct broker_link *l, char first, const struct buf *body, struct err *e)
{
    char head[1 + BROKER_LENGTH_MAX] = { first };
    size_t n = 1 + broker_put_length(head + 1, body->len);
    struct buf frame;
    buf_init(&frame, FRAME_MAX);
    buf_put(&frame, head, n);
    buf_put(&frame, body->p, body->len);
    int rc = frame.failed || body->failed ? err_set(e, ERR_LIMIT, "a packet of the bench is too long")
                                          : broker_link_write(l, frame.p, frame.len, e);
    buf_clear(&frame);
    return rc;
}

/* Wait for this packet. */
static int expect(struct broker_link *l, enum packet_type type, const char *what, struct broker_packet *p,
                  struct err *e)
{
    int rc = broker_link_next(l, ANSWER_MS, p, e);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, ERR_UNREACHABLE, "the broker sent no %s", what);
    return p->type == type ? 0 : err_set(e, ERR_REFUSED, "the broker sent no %s", what);
}

static int greet(struct broker_link *l, const char *client_id, uint8_t version, uint16_t receive_max, struct err *e)
{
    struct buf body;
    struct broker_packet p = { 0 };
    buf_init(&body, FRAME_MAX);
    put_text(&body, "MQTT");
    buf_putc(&body, (char)version);
    buf_putc(&body, 2);  /* clean start */
    put_u16(&body, 300); /* keep alive, longer than a run is silent */
    if (version == 5 && receive_max) {
        buf_put(&body, "\x03\x21", 2);
        put_u16(&body, receive_max);
    } else if (version == 5) {
        buf_putc(&body, 0);
    }
    put_text(&body, client_id);
    int rc = send_packet(l, 0x10, &body, e);
    buf_clear(&body);
    if (rc < 0 || expect(l, PACKET_CONNACK, "CONNACK", &p, e) < 0)
        return -1;
    if (p.len < 2 || p.body[1] != 0)
        return err_set(e, ERR_REFUSED, "the broker refused the connection, code %u", p.len < 2 ? 0u : p.body[1]);
    return 0;
}

int broker_link_open(struct broker_link *l, const char *host, uint16_t port, const char *client_id, uint8_t version,
                     uint16_t receive_max, struct err *e)
{
    l->at = l->len = 0;
    l->fd = socket_to(host, port, e);
    if (l->fd < 0)
        return -1;
    if (greet(l, client_id, version, receive_max, e) == 0)
        return 0;
    broker_link_close(l);
    return -1;
}

void broker_link_close(struct broker_link *l)
{
    if (l->fd < 0)
        return;
    struct err e = { 0 };
    (void)!broker_link_write(l, "\xe0\x00", 2, &e);
    close(l->fd);
    l->fd = -1;
}

int broker_link_subscribe(struct broker_link *l, const char *filter, unsigned qos, uint8_t version, struct err *e)
{
    struct buf body;
    struct broker_packet p = { 0 };
    buf_init(&body, FRAME_MAX);
    put_u16(&body, SUBSCRIBE_1);
    if (version == 5)
        buf_putc(&body, 0);
    put_text(&body, filter);
    buf_putc(&body, (char)qos);
    int rc = send_packet(l, (char)0x82, &body, e);
    buf_clear(&body);
    if (rc < 0 || expect(l, PACKET_SUBACK, "SUBACK", &p, e) < 0)
        return -1;
    if (p.len < 3 || p.body[p.len - 1] != qos)
        return err_set(e, ERR_REFUSED, "the broker did not grant QoS %u for \"%.100s\"", qos, filter);
    return 0;
}

int broker_link_ping(struct broker_link *l, struct err *e)
{
    return broker_link_write(l, "\xc0\x00", 2, e);
}

int broker_link_write(struct broker_link *l, const void *p, size_t len, struct err *e)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(l->fd, (const char *)p + done, len - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_UNREACHABLE, "could not write to the broker: %s", strerror(errno));
        done += (size_t)n;
    }
    return 0;
}

/* Take the packet at l->at, if it is whole: 1, else 0. */
static int take(struct broker_link *l, struct broker_packet *p, struct err *e)
{
    const uint8_t *at = (const uint8_t *)l->in + l->at;
    size_t have = l->len - l->at, size = 0, n = 0;
    do {
        if (n + 1 >= have)
            return 0;
        if (n == BROKER_LENGTH_MAX)
            return err_set(e, ERR_UNREACHABLE, "the broker sent what is no MQTT");
        size |= (size_t)(at[1 + n] & 0x7f) << (7 * n);
    } while (at[1 + n++] & 0x80);
    if (1 + n + size > BROKER_READ_MAX)
        return err_set(e, ERR_LIMIT, "the broker sent a packet of %zu bytes", size);
    if (1 + n + size > have)
        return 0;
    *p = (struct broker_packet) {
        .type = (enum packet_type)(at[0] >> 4), .flags = at[0] & 0x0f, .body = at + 1 + n, .len = size
    };
    l->at += 1 + n + size;
    return 1;
}

/* More bytes behind those that are there: 1, 0 in vain. */
static int fill(struct broker_link *l, int timeout_ms, struct err *e)
{
    memmove(l->in, l->in + l->at, l->len - l->at);
    l->len -= l->at;
    l->at = 0;
    ssize_t n = recv(l->fd, l->in + l->len, BROKER_READ_MAX - l->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN && timeout_ms > 0) {
        struct pollfd ready = { .fd = l->fd, .events = POLLIN };
        if (poll(&ready, 1, timeout_ms) > 0)
            n = recv(l->fd, l->in + l->len, BROKER_READ_MAX - l->len, MSG_DONTWAIT);
    }
    if (n == 0)
        return err_set(e, ERR_UNREACHABLE, "the broker ended the connection");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : err_set(e, ERR_UNREACHABLE, "could not read from the broker: %s", strerror(errno));
    l->len += (size_t)n;
    return 1;
}

int broker_link_next(struct broker_link *l, int timeout_ms, struct broker_packet *p, struct err *e)
{
    for (;;) {
        int rc = take(l, p, e);
        if (rc != 0)
            return rc;
        rc = fill(l, timeout_ms, e);
        if (rc <= 0)
            return rc;
    }
}

int broker_packet_id(const struct broker_packet *p, uint16_t *id)
{
    if (p->len < 2)
        return -1;
    size_t topic = (size_t)p->body[0] << 8 | p->body[1];
    if (p->len < 2 + topic + 2)
        return -1;
    *id = (uint16_t)(p->body[2 + topic] << 8 | p->body[3 + topic]);
    return 0;
}
