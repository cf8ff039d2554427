/* SPDX-License-Identifier: Apache-2.0 */
/* One turn: hand over what is in the read buffer; append acknowledgements; write; wait; read. So a burst of packets
 * costs one read, and their acknowledgements one write.
 *
 * While a message waits for room, the read buffer stays as it is, since the message lies in it. On the hot path of
 * every message; after warm-up nothing is allocated. */
#include "engine/mqtt/subscriber.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/pace.h"
#include "engine/mqtt/stream.h"

#define IN_BYTES     ((size_t)256 << 10)
#define IN_KEPT      ((size_t)1 << 20)  /* a buffer that grew beyond it for a large packet is given back */
#define OUT_BYTES    ((size_t)64 << 10) /* acknowledgements that wait to be written, at most */
#define ROOM_WAIT_MS 50u
#define STARVED_MS   10u
#define FAREWELL_MS  1000u
#define ALIAS_MAX    64u

struct subscriber {
    const struct mqtt_conf *conf;
    const struct clock *clock;
    struct subscriber_handler handler;
    struct session_conf session_conf;
    struct session session;
    struct ack_window *window;
    struct stream_tls *tls;
    struct stream *stream; /* NULL: no connection */
    int wake_fd;
    atomic_bool stopped;
    bool connected; /* CONNACK came, and the connection stands */
    bool full;      /* the message in the session was not taken yet; it lies in the read buffer */
    bool paused;    /* nothing more is handed over */
    bool starved;   /* memory was short for the next packet */
    bool by_broker; /* who ended the last connection */
    char *in;       /* read buffer: in_at to in_len is not looked at yet */
    size_t in_at, in_len, in_cap;
    size_t out_at;                       /* of session.out: written already */
    struct subscriber_request *requests; /* of the running call; NULL: there is none */
    size_t unanswered;                   /* of them */
    struct pace pace;
    unsigned taken; /* messages since the last wait */
};

static uint64_t now_ms(const struct subscriber *s)
{
    return clock_monotonic_ms(s->clock);
}

/* --- making --- */

static void on_settled(void *ctx)
{
    subscriber_wake(ctx);
}

static struct packet_text text_of(const char *text)
{
    return (struct packet_text) { text, text ? strlen(text) : 0 };
}

static void fill_session_conf(struct session_conf *c, const struct mqtt_conf *conf)
{
    int64_t expiry_s = conf->session_expiry_ms / 1000;
    *c = (struct session_conf) {
        .level = conf->version == MQTT_V5 ? PACKET_LEVEL_5 : PACKET_LEVEL_311,
        .client_id = text_of(conf->client_id),
        .user_name = text_of(conf->user_name),
        .password = text_of(conf->password),
        .has_user_name = conf->user_name != NULL,
        .has_password = conf->password != NULL,
        .clean_start = conf->clean_start,
        .keep_alive_s = (uint16_t)((conf->keep_alive_ms + 999) / 1000),
        .session_expiry_s = expiry_s > UINT32_MAX ? UINT32_MAX : (uint32_t)expiry_s,
        .receive_max = (uint16_t)conf->receive_max,
        .packet_max = (size_t)conf->packet_max,
        .alias_max = ALIAS_MAX,
        .connect_ms = (uint64_t)conf->connect_timeout_ms,
        .answer_ms = (uint64_t)conf->ack_timeout_ms,
    };
}

static int make_tls(struct subscriber *s, struct err *e)
{
    const struct mqtt_conf *c = s->conf;
    struct stream_tls_conf tls = { .ca_file = c->ca_file,
                                   .cert_file = c->cert_file,
                                   .key_file = c->key_file,
                                   .key_password = c->key_password,
                                   .verify_host = c->verify_host };
    if (!c->address.tls)
        return 0;
    s->tls = stream_tls_client(&tls, e);
    return s->tls ? 0 : -1;
}

static int make_parts(struct subscriber *s, struct err *e)
{
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->wake_fd < 0)
        return err_set(e, ERR_MEMORY, "could not make an event descriptor: %s", strerror(errno));
    s->in = malloc(IN_BYTES);
    s->in_cap = IN_BYTES;
    s->window = ack_window_new(s->session_conf.receive_max, false, on_settled, s);
    if (!s->in || !s->window)
        return err_set(e, ERR_MEMORY, "not enough memory for an MQTT connection");
    if (session_init(&s->session, &s->session_conf, s->window, e) < 0)
        return -1;
    return make_tls(s, e);
}

struct subscriber *subscriber_new(const struct mqtt_conf *conf, const struct clock *clock,
                                  const struct subscriber_handler *handler, struct err *e)
{
    struct subscriber *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(e, ERR_MEMORY, "not enough memory for an MQTT connection");
        return NULL;
    }
    s->conf = conf;
    s->clock = clock;
    s->handler = *handler;
    fill_session_conf(&s->session_conf, conf);
    if (make_parts(s, e) == 0)
        return s;
    subscriber_free(s);
    return NULL;
}

/* The message in the session will not be handed over; the broker sends it again. */
static void withdraw_message(struct subscriber *s)
{
    if (s->session.message.token)
        ack_window_withdraw(s->window, s->session.message.token);
    s->full = false;
}

static void drop_connection(struct subscriber *s)
{
    if (s->full)
        withdraw_message(s);
    stream_close(s->stream);
    s->stream = NULL;
    s->connected = false;
}

void subscriber_free(struct subscriber *s)
{
    if (!s)
        return;
    drop_connection(s);
    stream_tls_free(s->tls);
    session_clear(&s->session);
    ack_window_free(s->window);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    free(s->in);
    free(s);
}

/* --- waking --- */

void subscriber_wake(struct subscriber *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof(one)); /* EAGAIN: it is awake 2^64 - 2 times already */
    (void)n;
}

void subscriber_stop(struct subscriber *s)
{
    atomic_store(&s->stopped, true);
    subscriber_wake(s);
}

void subscriber_settle(uint64_t token)
{
    ack_window_settle(token);
}

/* Wait for the stream and for a wake-up, until then. What the stream is ready for (poll's bits). */
static short wait_for(struct subscriber *s, uint32_t events, uint64_t until_ms)
{
    uint64_t now = now_ms(s), left = until_ms > now ? until_ms - now : 0, wakes;
    struct pollfd fds[2] = { { .fd = s->wake_fd, .events = POLLIN }, { .fd = stream_fd(s->stream) } };
    fds[1].events = (short)((events & EPOLLIN ? POLLIN : 0) | (events & EPOLLOUT ? POLLOUT : 0));
    if (poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left) <= 0)
        return 0;
    if (fds[0].revents) {
        ssize_t n = read(s->wake_fd, &wakes, sizeof(wakes));
        (void)n;
    }
    return fds[1].revents;
}

/* --- the read buffer --- */

/* Make room to read: what is left moves to the front; a packet that is larger than the buffer makes it grow. */
static bool make_room(struct subscriber *s)
{
    size_t left = s->in_len - s->in_at, need = s->session.need;
    if (left > 0 && s->in_at > 0)
        memmove(s->in, s->in + s->in_at, left);
    s->in_at = 0;
    s->in_len = left;
    size_t cap = need > IN_BYTES ? need : IN_BYTES;
    if (cap <= s->in_cap && (s->in_cap <= IN_KEPT || need > IN_KEPT))
        return true;
    if (left > cap)
        return true;
    char *moved = realloc(s->in, cap);
    if (!moved)
        return cap <= s->in_cap;
    s->in = moved;
    s->in_cap = cap;
    return true;
}

/* -1: the connection is over. */
static int read_more(struct subscriber *s, struct err *e)
{
    if (!make_room(s)) {
        s->starved = true;
        return 0;
    }
    ssize_t n = stream_read(s->stream, s->in + s->in_len, s->in_cap - s->in_len, e);
    if (n > 0)
        s->in_len += (size_t)n;
    return n < 0 ? -1 : 0;
}

static int write_out(struct subscriber *s, struct err *e)
{
    struct buf *out = &s->session.out;
    if (out->failed)
        return err_set(e, ERR_MEMORY, "not enough memory for the answers to the broker");
    while (s->out_at < out->len) {
        ssize_t n = stream_write(s->stream, out->p + s->out_at, out->len - s->out_at, e);
        if (n <= 0)
            return n < 0 ? -1 : 0;
        s->out_at += (size_t)n;
    }
    buf_reset(out);
    s->out_at = 0;
    return 0;
}

/* Append what is due and write; the bytes that are written already stand at the front of `out` until all are. */
static int answer(struct subscriber *s, struct err *e)
{
    session_flush(&s->session, s->out_at + OUT_BYTES, now_ms(s));
    return s->session.out.len ? write_out(s, e) : 0;
}

/* --- what comes --- */

/* False: it was not taken, or nothing more is wanted. */
static bool hand_over(struct subscriber *s)
{
    switch (s->handler.message(s->handler.ctx, &s->session.message)) {
    case SINK_TAKEN:
        s->full = false;
        s->taken++;
        return true;
    case SINK_FULL:
        s->full = true;
        return false;
    case SINK_CLOSED:
        break;
    }
    s->full = true;
    subscriber_pause(s);
    return false;
}

static void take_answer(struct subscriber *s)
{
    const struct session_answer *a = &s->session.answer;
    if (!s->requests)
        return;
    mqtt_answer_set(&s->requests[a->tag].answer, a->code, a->reason);
    s->unanswered--;
}

static int end_session(struct subscriber *s, struct err *e)
{
    char why[SESSION_WHY_MAX];
    struct err ignored = { 0 };
    s->by_broker = true;
    if (s->session.end == SESSION_REFUSED)
        return mqtt_refusal(s->conf->url, s->conf->version == MQTT_V5, s->session.end_code, s->session.reason, e);
    session_why(&s->session, why, sizeof(why));
    if (write_out(s, &ignored) < 0) /* DISCONNECT with the reason, as far as it goes */
        ignored.code = ERR_NONE;
    return err_set(e, ERR_UNREACHABLE, "%s", why);
}

/* A broker that knows no bound (Mosquitto with max_inflight_messages 0) would begin to use identifiers a second time:
 * what follows waits until some are acknowledged. */
static bool has_all_ids_out(const struct subscriber *s)
{
    return ack_window_due(s->window) >= UINT16_MAX;
}

/* Look at the read buffer, until a message is not taken. Stops after CONNACK, too. -1: the connection is over. */
static int take_all(struct subscriber *s, struct err *e)
{
    if (s->full && !hand_over(s))
        return 0;
    s->starved = false;
    uint64_t now = now_ms(s); /* one look at the clock for a whole read buffer */
    while (!s->paused && !has_all_ids_out(s)) {
        size_t used;
        enum session_event event = session_next(&s->session, s->in + s->in_at, s->in_len - s->in_at, &used, now);
        s->in_at += used;
        switch (event) {
        case SESSION_MORE:
            return 0;
        case SESSION_STARVED:
            s->starved = true;
            return 0;
        case SESSION_CONNECTED:
            s->connected = true;
            return 0;
        case SESSION_MESSAGE:
            if (s->handler.arrived)
                s->handler.arrived(s->handler.ctx, &s->session.message);
            if (!hand_over(s))
                return 0;
            break;
        case SESSION_ANSWER:
            take_answer(s);
            break;
        case SESSION_ENDED:
            return end_session(s, e);
        }
    }
    return 0;
}

static int take_in(struct subscriber *s, struct err *e)
{
    if (!s->handler.gather)
        return take_all(s, e);
    s->handler.gather(s->handler.ctx, true);
    int rc = take_all(s, e);
    s->handler.gather(s->handler.ctx, false);
    return rc;
}

static bool is_reading(const struct subscriber *s)
{
    return !s->full && !s->paused && !s->starved && !has_all_ids_out(s);
}

static void nap(struct subscriber *s)
{
    unsigned ms = pace_nap_ms(&s->pace, now_ms(s), s->taken);
    s->taken = 0;
    if (ms)
        nanosleep(&(struct timespec) { .tv_nsec = ms * 1000000L }, NULL);
}

/* Wait for what the connection needs next, and read it. */
static int wait_and_read(struct subscriber *s, uint64_t until_ms, struct err *e)
{
    bool reading = is_reading(s);
    if (reading && s->connected)
        nap(s);
    uint64_t deadline = session_deadline(&s->session), now = now_ms(s);
    if (deadline < until_ms)
        until_ms = deadline;
    if (ack_window_arm(s->window) || (reading && stream_has_pending(s->stream)))
        until_ms = 0;
    if (s->starved && until_ms > now + STARVED_MS)
        until_ms = now + STARVED_MS;
    if (s->requests && s->unanswered == 0) /* the last answer stood behind a message that was not taken before */
        until_ms = 0;
    if (s->full && until_ms > now) {
        uint64_t left = until_ms - now;
        s->handler.wait_room(s->handler.ctx, left < ROOM_WAIT_MS ? (unsigned)left : ROOM_WAIT_MS);
        until_ms = 0;
    }
    short ready = wait_for(s, stream_events(s->stream, reading, s->out_at < s->session.out.len), until_ms);
    if (reading && (ready || stream_has_pending(s->stream)))
        return read_more(s, e);
    if (!reading && ready & (POLLHUP | POLLERR)) /* nobody would notice by reading */
        return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
    return 0;
}

static int end_connection(struct subscriber *s)
{
    drop_connection(s);
    return -1;
}

int subscriber_turn(struct subscriber *s, uint64_t until_ms, struct err *e)
{
    if (!s->stream)
        return err_set(e, ERR_UNREACHABLE, "there is no connection");
    if (take_in(s, e) < 0)
        return end_connection(s);
    if (session_tick(&s->session, is_reading(s), now_ms(s)) == SESSION_ENDED) {
        end_session(s, e);
        return end_connection(s);
    }
    s->by_broker = true; /* if the stream fails */
    if (answer(s, e) < 0 || wait_and_read(s, until_ms, e) < 0)
        return end_connection(s);
    s->by_broker = false;
    if (!s->connected)
        return 0;
    return take_in(s, e) < 0 || answer(s, e) < 0 ? end_connection(s) : 0;
}

/* --- connecting --- */

static bool is_stopped(const struct subscriber *s)
{
    return atomic_load(&s->stopped);
}

/* Wait until the stream to one address is open. */
static int open_stream(struct subscriber *s, const struct addrinfo *ai, uint64_t until_ms, struct err *e)
{
    s->stream = stream_connect(ai->ai_addr, ai->ai_addrlen, s->conf->address.host, s->tls, e);
    if (!s->stream)
        return -1;
    for (;;) {
        enum stream_state state = stream_step(s->stream, e);
        if (state == STREAM_OPEN)
            return 0;
        if (state == STREAM_PENDING && !is_stopped(s) && now_ms(s) < until_ms) {
            wait_for(s, stream_events(s->stream, true, false), until_ms);
            continue;
        }
        if (state == STREAM_PENDING)
            err_set(e, ERR_UNREACHABLE, is_stopped(s) ? "interrupted" : "it does not answer");
        drop_connection(s);
        return -1;
    }
}

/* To the first address that answers. The name look-up is the system's and takes as long as it does. */
static int open_any(struct subscriber *s, uint64_t until_ms, struct err *e)
{
    const struct mqtt_address *a = &s->conf->address;
    char service[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL;
    snprintf(service, sizeof(service), "%u", a->port);
    int rc = getaddrinfo(a->host, service, &hints, &list);
    if (rc)
        return err_set(e, ERR_UNREACHABLE, "%s", rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    size_t left = 0;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        left++;
    rc = -1;
    for (const struct addrinfo *ai = list; ai && rc < 0 && !is_stopped(s); ai = ai->ai_next) {
        uint64_t now = now_ms(s), share = until_ms > now ? (until_ms - now) / left-- : 0;
        *e = (struct err) { 0 };
        rc = open_stream(s, ai, now + share, e);
    }
    freeaddrinfo(list);
    return rc < 0 ? err_set(e, ERR_UNREACHABLE, "interrupted") : 0;
}

static int report_unreachable(const struct subscriber *s, const struct err *why, struct err *e)
{
    const char *url = s->conf->url;
    if (why->code == ERR_REFUSED) { /* TLS came to an end that no retry mends */
        err_set(e, ERR_REFUSED, "no TLS connection to broker %s: %s", url, why->text);
        if (why->hint[0])
            err_hint(e, "%s", why->hint);
        else if (strstr(why->text, "certificate verify failed"))
            err_hint(e, s->conf->ca_file ? "Is caFile the authority that signed the broker's certificate?"
                                         : "Name the authority that signed the broker's certificate with caFile.");
        return -1;
    }
    return err_set(e, ERR_UNREACHABLE, "broker %s is not reachable: %s", url, why->text);
}

/* The connection ended before CONNACK. */
static int report_no_answer(const struct subscriber *s, const struct err *why, struct err *e)
{
    const struct mqtt_conf *c = s->conf;
    if (why->code == ERR_REFUSED || s->session.end == SESSION_REFUSED) {
        *e = *why;
        return -1;
    }
    if (s->session.state == SESSION_STATE_ENDED && s->session.end == SESSION_SILENT)
        return err_set(e, ERR_UNREACHABLE, "broker %s did not answer within %" PRId64 " ms", c->url,
                       c->connect_timeout_ms);
    if (s->session.state == SESSION_STATE_ENDED)
        err_set(e, ERR_UNREACHABLE, "broker %s: %s", c->url, why->text);
    else
        err_set(e, ERR_UNREACHABLE, "broker %s ended the connection before it answered", c->url);
    if (c->address.tls)
        err_hint(e, "It may want a client certificate (certFile).");
    else if (c->version == MQTT_V5)
        err_hint(e, "It may want TLS (mqtts://), or MQTT 3.1.1 (version).");
    return -1;
}

/* CONNECT, until CONNACK is there. */
static int greet(struct subscriber *s, struct err *e)
{
    struct err why = { 0 };
    s->in_at = s->in_len = s->out_at = s->session.need = 0;
    s->paused = s->starved = false;
    session_begin(&s->session, now_ms(s));
    while (!s->connected) {
        if (is_stopped(s)) {
            drop_connection(s);
            return err_set(e, ERR_UNREACHABLE, "interrupted");
        }
        if (subscriber_turn(s, UINT64_MAX, &why) < 0)
            return report_no_answer(s, &why, e);
        if (!s->connected && take_in(s, &why) < 0) {
            drop_connection(s);
            return report_no_answer(s, &why, e);
        }
    }
    return 0;
}

int subscriber_connect(struct subscriber *s, struct err *e)
{
    struct err why = { 0 };
    drop_connection(s);
    s->by_broker = false;
    s->session.state = SESSION_STATE_NEW;
    if (is_stopped(s))
        return err_set(e, ERR_UNREACHABLE, "interrupted");
    if (open_any(s, now_ms(s) + (uint64_t)s->conf->connect_timeout_ms, &why) < 0)
        return report_unreachable(s, &why, e);
    return greet(s, e);
}

const struct session_server *subscriber_server(const struct subscriber *s)
{
    return &s->session.server;
}

bool subscriber_is_connected(const struct subscriber *s)
{
    return s->connected;
}

bool subscriber_was_ended_by_broker(const struct subscriber *s)
{
    return s->by_broker;
}

/* --- requests --- */

static int send_requests(struct subscriber *s, struct subscriber_request *list, size_t count, size_t *sent,
                         struct err *e)
{
    while (*sent < count && session_may_request(&s->session)) {
        list[*sent].request.tag = *sent;
        list[*sent].answer = (struct mqtt_answer) { 0 };
        if (session_request(&s->session, &list[*sent].request, now_ms(s), e) < 0)
            return -1;
        ++*sent;
    }
    return 0;
}

/* Until all are answered. */
static int wait_answers(struct subscriber *s, struct subscriber_request *list, size_t count, struct err *e)
{
    struct err why = { 0 };
    size_t sent = 0;
    while (s->unanswered > 0) {
        if (is_stopped(s))
            return err_set(e, ERR_UNREACHABLE, "interrupted");
        if (send_requests(s, list, count, &sent, e) < 0) {
            drop_connection(s);
            return -1;
        }
        if (subscriber_turn(s, UINT64_MAX, &why) < 0)
            return err_set(e, ERR_UNREACHABLE, "the connection to broker %s ended: %s", s->conf->url, why.text);
    }
    return 0;
}

int subscriber_request(struct subscriber *s, struct subscriber_request *list, size_t count, struct err *e)
{
    s->requests = list;
    s->unanswered = count;
    int rc = wait_answers(s, list, count, e);
    s->requests = NULL;
    subscriber_wake(s); /* one may have come with the answers, for what the owner looks at before its next wait */
    return rc;
}

/* --- the end --- */

void subscriber_pause(struct subscriber *s)
{
    if (s->full)
        withdraw_message(s);
    s->paused = true;
}

/* What comes is thrown away: the broker sends it again. Closing with unread bytes would throw away what the broker
 * has not read of ours (RFC 9293, section 3.10.4: a reset). */
static void read_to_end(struct subscriber *s)
{
    struct err e = { 0 };
    uint64_t until = now_ms(s) + FAREWELL_MS;
    while (now_ms(s) < until) {
        ssize_t n = stream_read(s->stream, s->in, s->in_cap, &e);
        if (n < 0)
            return;
        if (write_out(s, &e) < 0)
            return;
        if (n == 0)
            wait_for(s, stream_events(s->stream, true, s->out_at < s->session.out.len), until);
    }
}

void subscriber_disconnect(struct subscriber *s)
{
    struct err e = { 0 };
    if (!s->stream)
        return;
    if (s->connected) {
        while (ack_window_arm(s->window) && answer(s, &e) == 0 && s->session.out.len == 0)
            continue;
        session_disconnect(&s->session, 0);
        if (write_out(s, &e) == 0)
            read_to_end(s);
    }
    drop_connection(s);
}

size_t subscriber_open(const struct subscriber *s)
{
    return ack_window_open(s->window);
}

uint64_t subscriber_repeated(const struct subscriber *s)
{
    return s->session.repeated;
}
