/* SPDX-License-Identifier: Apache-2.0 */
/* One thread, one epoll set, level-triggered.
 *
 * All connections are read through one buffer. Most of the time it holds whole packets, and nothing is left of it; a packet that is not whole,
 * or a message that is not taken, is kept in the connection's own until the next turn. So an idle connection costs no
 * buffer.
 *
 * A message that becomes final while its client's acknowledgements wait for just this one puts the client on `woken`, a stack that any
 * thread pushes to and the owner takes as a whole.
 *
 * A connection that has ended is freed at the end of the turn, since events for it may still be in the batch. A client (a
 * session) whose tokens are still out when it is forgotten waits among the `dying` until they are back, and is then spare:
 * used again, but not freed before the end, since who settles looks at its window once more after the last token is back. */
#include "engine/mqtt/listener.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/random.h"
#include "engine/base/siphash.h"
#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/certificate_vars.h"
#include "engine/mqtt/password_file.h"
#include "engine/mqtt/served.h"
#include "engine/mqtt/stream.h"

#define IN_BYTES            ((size_t)256 << 10)
#define OUT_BYTES           ((size_t)16 << 10) /* acknowledgements of one client that wait to be written, at most */
#define IN_LEAST            ((size_t)4 << 10)  /* when connections hold half of what they may */
#define READ_ROOM           ((size_t)1 << 10)  /* for what follows a packet that is not whole */
#define IN_KEPT             ((size_t)16 << 10)
#define EVENTS              64
#define ACCEPTS             32 /* new connections a turn, so that the others get on */
#define DOORS               8  /* addresses of one name */
#define TICK_MS             500u
#define BLOCKED_MS          10u
#define ALIAS_MAX           16u
#define KEEP_ALIVE_MAX_S    1200u
#define SESSIONS_PER_CLIENT 4u /* sessions that are kept, for each connection that is allowed */
#define BUCKETS             4096u
#define SOURCE_IP_MAX       46

/* A session. */
struct client {
    struct listener *listener;
    struct client *next; /* in its bucket, or among the dying */
    struct client *next_woken;
    atomic_bool woken;
    char *id;
    size_t id_len;
    struct ack_window *window;
    struct arrivals arrivals;
    struct connection *connection; /* NULL: away */
    uint64_t forget_ms;            /* while it is away */
    uint32_t kept_s;               /* as the store has it; 0: it does not */
};

struct connection {
    struct connection *next, *before;
    struct stream *stream; /* NULL: ended, to be freed */
    struct served served;
    struct client *client; /* NULL: not let in yet */
    char *principal;       /* NULL: anonymous */
    bool by_certificate;   /* the principal is a certificate's fingerprint, else a user name */
    void *authorized;      /* the authorizer's handle */
    char source_ip[SOURCE_IP_MAX];
    char *in; /* what was read and is not done with */
    size_t in_len, in_cap;
    size_t out_at;
    size_t held; /* bytes of its buffers, as the listener counts them */
    uint32_t events;
    bool is_open, blocked;
    uint64_t rate_ms; /* when `allowance` was reckoned */
    double allowance; /* messages that may be read */
};

struct listener {
    const struct listen_conf *conf;
    const struct clock *clock;
    struct listener_handler handler;
    struct client_store *store;    /* NULL: none */
    struct authorizer *authorizer; /* NULL: everybody may everything */
    struct served_limits limits;
    struct stream_tls *tls;
    struct password_file *passwords;
    int epoll_fd, wake_fd;
    int doors[DOORS];
    size_t door_count;
    struct connection *connections, *ended;
    struct client *buckets[BUCKETS], *dying, *spare;
    _Atomic(struct client *) woken;
    struct listener_counts counts;
    uint64_t key[2], next_tick_ms;
    struct random random;
    size_t blocked;
    size_t held;                   /* bytes of all connections' buffers */
    bool paused, full, has_warned; /* has_warned: since the last tick */
    char *in;
};

static uint64_t now_ms(const struct listener *l)
{
    return clock_monotonic_ms(l->clock);
}

/* --- clients --- */

static struct client **bucket_of(struct listener *l, const char *id, size_t len)
{
    struct siphash h;
    siphash_init(&h, l->key);
    siphash_put(&h, id, len);
    return &l->buckets[siphash_end(&h) % BUCKETS];
}

static struct client *client_find(struct listener *l, struct packet_text id)
{
    struct client *c = *bucket_of(l, id.p, id.len);
    while (c && (c->id_len != id.len || memcmp(c->id, id.p, id.len) != 0))
        c = c->next;
    return c;
}

/* Thread: any. */
static void on_settled(void *ctx)
{
    struct client *c = ctx;
    struct listener *l = c->listener;
    if (atomic_exchange(&c->woken, true))
        return;
    c->next_woken = atomic_load(&l->woken);
    while (!atomic_compare_exchange_weak(&l->woken, &c->next_woken, c))
        continue;
    listener_wake(l);
}

static void client_free(struct client *c)
{
    arrivals_clear(&c->arrivals);
    ack_window_free(c->window);
    free(c->id);
    free(c);
}

static struct client *client_make(struct listener *l)
{
    struct client *c = calloc(1, sizeof(*c));
    struct err e = { 0 };
    if (!c)
        return NULL;
    c->listener = l;
    c->window = ack_window_new(l->limits.receive_max, true, on_settled, c);
    if (c->window && arrivals_init(&c->arrivals, c->window, ALIAS_MAX, &e) == 0)
        return c;
    client_free(c);
    return NULL;
}

static struct client *client_new(struct listener *l, struct packet_text id)
{
    char *text = malloc(id.len + 1);
    struct client *c = text ? l->spare : NULL;
    if (c)
        l->spare = c->next;
    else if (text)
        c = client_make(l);
    if (!c) {
        free(text);
        return NULL;
    }
    free(c->id);
    c->id = text;
    c->connection = NULL;
    c->kept_s = 0;
    memcpy(c->id, id.p, id.len);
    c->id[id.len] = '\0';
    c->id_len = id.len;
    struct client **bucket = bucket_of(l, id.p, id.len);
    c->next = *bucket;
    *bucket = c;
    l->counts.sessions++;
    return c;
}

/* Have the store say how long the session outlives its connection; 0: it knows nothing of it. */
static void client_keep(struct client *c, uint32_t expiry_s)
{
    struct listener *l = c->listener;
    struct err e = { 0 };
    if (!l->store || c->kept_s == expiry_s)
        return;
    if (l->store->keep(l->store, c->id, c->id_len, expiry_s, &e) == 0) {
        c->kept_s = expiry_s;
        return;
    }
    log_event(l->has_warned ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
              (const char *[]) { "source", "listen", "clientId", c->id, NULL },
              "a restart would not know the session of a client: %s", e.text);
    l->has_warned = true;
}

/* Its identifier is free; it is freed when its tokens are back. */
static void client_forget(struct client *c)
{
    struct listener *l = c->listener;
    struct client **at = bucket_of(l, c->id, c->id_len);
    client_keep(c, 0);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = l->dying;
    l->dying = c;
    l->counts.sessions--;
}

static void bury_dying(struct listener *l)
{
    struct client **at = &l->dying;
    while (*at) {
        struct client *c = *at;
        if (ack_window_open(c->window) > 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->next = l->spare;
        l->spare = c;
    }
}

static void forget_absent(struct listener *l, uint64_t now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct client *c = l->buckets[i], *next; c; c = next) {
            next = c->next;
            if (!c->connection && now >= c->forget_ms)
                client_forget(c);
        }
    }
}

/* --- connections --- */

static void connection_add(struct listener *l, struct connection *c)
{
    c->next = l->connections;
    if (c->next)
        c->next->before = c;
    l->connections = c;
    l->counts.connections++;
}

static void connection_remove(struct listener *l, struct connection *c)
{
    if (c->before)
        c->before->next = c->next;
    else
        l->connections = c->next;
    if (c->next)
        c->next->before = c->before;
    l->counts.connections--;
}

static void set_blocked(struct listener *l, struct connection *c, bool blocked)
{
    l->blocked += (size_t)blocked - (size_t)c->blocked;
    c->blocked = blocked;
}

static void name_publisher(const struct connection *c, struct message *m)
{
    m->client_id = c->client->id;
    m->principal = c->principal;
    m->source_ip = c->source_ip[0] ? c->source_ip : NULL;
}

/* The authorizer logs what it refuses. */
static bool may_publish(void *ctx, struct packet_text topic, bool retain)
{
    struct connection *c = ctx;
    struct authorizer *a = c->client->listener->authorizer;
    return !a || (a->may(a, c->authorized, AUTHORIZE_PUBLISH, topic.p, topic.len) &&
                  (!retain || a->may(a, c->authorized, AUTHORIZE_RETAIN_PUBLISH, topic.p, topic.len)));
}

/* A will that the sink has no room for is lost, which is what QoS 0 allows; it is said. */
static void publish_will(struct listener *l, struct connection *c)
{
    const struct served *s = &c->served;
    struct source_message m = { .message = { .topic = s->will_topic.p,
                                             .topic_len = s->will_topic.len,
                                             .payload = s->will_payload.p ? s->will_payload.p : "",
                                             .payload_len = s->will_payload.len,
                                             .retain = s->will_retain,
                                             .over_mqtt = true,
                                             .payload_format = PAYLOAD_FORMAT_ABSENT } };
    name_publisher(c, &m.message);
    if (!may_publish(c, (struct packet_text) { .p = s->will_topic.p, .len = s->will_topic.len }, s->will_retain))
        return;
    if (l->handler.message(l->handler.ctx, &m) != SINK_TAKEN)
        log_event(LOG_LEVEL_WARN, (const char *[]) { "source", "listen", "clientId", c->client->id, NULL },
                  "the client's will found no room");
}

/* A fault is a warning, but one a tick is enough: anybody may connect and be wrong as often as he likes. */
static void log_end(struct listener *l, const struct connection *c)
{
    const struct served *s = &c->served;
    const char *id = c->client ? c->client->id : NULL;
    const char *fields[] = { "source", "listen", "address", c->source_ip, id ? "clientId" : NULL, id, NULL };
    bool fault = s->why && s->end_code >= PACKET_REFUSED_FROM;
    log_event(fault && !l->has_warned ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, fields,
              "the connection of a client ended: %s", s->why ? s->why : "it was closed");
    l->has_warned = l->has_warned || fault;
}

static void leave_session(struct listener *l, struct connection *c)
{
    struct client *client = c->client;
    client->connection = NULL;
    client->forget_ms = now_ms(l) + c->served.session_expiry_s * UINT64_C(1000);
    client_keep(client, c->served.session_expiry_s);
    if (c->served.session_expiry_s == 0)
        client_forget(client);
}

/* Write what goes at once, say goodbye, and leave the rest to the end of the turn. */
static void connection_end(struct listener *l, struct connection *c)
{
    struct err e = { 0 };
    if (!c->stream)
        return;
    if (c->is_open && c->out_at < c->served.out.len &&
        stream_write(c->stream, c->served.out.p + c->out_at, c->served.out.len - c->out_at, &e) < 0)
        e.code = ERR_NONE; /* it ends anyway */
    log_end(l, c);
    l->counts.refused += c->served.end_code >= PACKET_REFUSED_FROM;
    set_blocked(l, c, false);
    if (c->client && c->served.has_will && !l->paused)
        publish_will(l, c);
    if (c->client)
        leave_session(l, c);
    stream_close(c->stream);
    c->stream = NULL;
    l->held -= c->held;
    connection_remove(l, c);
    c->next = l->ended;
    l->ended = c;
}

static void free_ended(struct listener *l)
{
    struct connection *c;
    while ((c = l->ended)) {
        l->ended = c->next;
        served_clear(&c->served);
        free(c->principal);
        if (c->authorized)
            l->authorizer->part(l->authorizer, c->authorized);
        free(c->in);
        free(c);
    }
}

/* --- who may come in --- */

/* 0, or the reason code. */
static uint8_t authenticate(struct listener *l, struct connection *c)
{
    const struct packet_connect *x = &c->served.connect;
    char certificate[65];
    c->by_certificate = stream_peer_certificate(c->stream, certificate);
    if (c->by_certificate) {
        c->principal = strdup(certificate);
        return c->principal ? 0 : REASON_UNAVAILABLE;
    }
    if (!x->has_user_name)
        return l->conf->allow_anonymous ? 0 : REASON_NOT_AUTHORIZED;
    const char *password = x->has_password ? x->password.p : "";
    if (!l->passwords || !password_file_fits(l->passwords, x->user_name.p, x->user_name.len, password,
                                             x->has_password ? x->password.len : 0))
        return REASON_BAD_PASSWORD;
    c->principal = strndup(x->user_name.p, x->user_name.len);
    return c->principal ? 0 : REASON_UNAVAILABLE;
}

/* What its certificate says, for the authorizer. -1: memory, or a certificate that cannot be read. */
static int read_certificate(const struct connection *c, struct certificate_vars *vars, struct authorizer_value **values)
{
    struct err e = { 0 };
    size_t len;
    unsigned char *der = c->by_certificate ? stream_peer_der(c->stream, &len) : NULL;
    int rc = der ? certificate_vars_read(vars, der, len, &e) : c->by_certificate ? -1 : 0;
    free(der);
    *values = rc == 0 ? calloc(vars->count + 1, sizeof(**values)) : NULL;
    for (size_t i = 0; *values && i < vars->count; i++)
        (*values)[i] = (struct authorizer_value) { .name = vars->items[i].name,
                                                   .value = vars->items[i].value,
                                                   .value_len = vars->items[i].value_len };
    return *values ? 0 : -1;
}

/* 0, or the reason code. id: of the client. */
static uint8_t authorize(struct listener *l, struct connection *c, struct packet_text id)
{
    struct authorizer *a = l->authorizer;
    struct certificate_vars vars = { 0 };
    struct authorizer_value *values = NULL;
    char *client_id = a ? strndup(id.p, id.len) : NULL;
    if (!a)
        return 0;
    if (client_id && read_certificate(c, &vars, &values) == 0) {
        const struct authorizer_subject who = { .client_id = client_id,
                                                .principal = c->principal,
                                                .user_name = c->by_certificate ? NULL : c->principal,
                                                .source_ip = c->source_ip[0] ? c->source_ip : NULL,
                                                .certificate = values,
                                                .certificate_count = vars.count };
        c->authorized = a->meet(a, &who);
    }
    free(values);
    certificate_vars_clear(&vars);
    free(client_id);
    if (!c->authorized)
        return REASON_UNAVAILABLE;
    return a->may(a, c->authorized, AUTHORIZE_CONNECT, id.p, id.len) ? 0 : REASON_NOT_AUTHORIZED;
}

static void take_over(struct listener *l, struct client *client)
{
    if (!client->connection)
        return;
    served_disconnect(&client->connection->served, REASON_TAKEN_OVER, "another client came with its client id");
    connection_end(l, client->connection);
}

/* The session of this client id; *present: it was there and is to go on. NULL: no room. */
static struct client *find_session(struct listener *l, struct packet_text id, bool clean_start, bool *present)
{
    struct client *client = client_find(l, id);
    if (client) {
        take_over(l, client); /* may forget it */
        client = client_find(l, id);
    }
    *present = client && !clean_start;
    if (client && clean_start) {
        client_forget(client);
        client = NULL;
    }
    if (!client && l->counts.sessions >= SESSIONS_PER_CLIENT * (size_t)l->conf->connections_max)
        return NULL;
    return client ? client : client_new(l, id);
}

static void refuse(struct connection *c, uint8_t code)
{
    static const struct {
        uint8_t code;
        const char *why;
    } reasons[] = {
        { REASON_NOT_AUTHORIZED,
          "refused: it shows neither a password nor a certificate, or policies do not let it in" },
        { REASON_BAD_PASSWORD, "refused: its user name or password is wrong" },
        { REASON_QUOTA, "refused: there are too many clients" },
    };
    const char *why = "refused: not enough memory";
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        why = reasons[i].code == code ? reasons[i].why : why;
    served_refuse(&c->served, code, why);
}

static void let_in(struct listener *l, struct connection *c)
{
    struct packet_text id = c->served.connect.client_id;
    char assigned[48] = "", uuid[37];
    bool present;
    uint8_t code = authenticate(l, c);
    if (code == 0 && l->counts.connections > (size_t)l->conf->connections_max)
        code = REASON_QUOTA;
    if (code != 0) {
        refuse(c, code);
        return;
    }
    if (id.len == 0) {
        random_uuid(&l->random, uuid);
        id.len = (size_t)snprintf(assigned, sizeof(assigned), "auto-%s", uuid);
        id.p = assigned;
    }
    code = authorize(l, c, id);
    if (code != 0) {
        refuse(c, code);
        return;
    }
    struct client *client = find_session(l, id, c->served.connect.clean_start, &present);
    if (!client) {
        refuse(c, REASON_QUOTA);
        return;
    }
    c->client = client;
    client->connection = c;
    client->arrivals.may_publish = l->authorizer ? may_publish : NULL;
    client->arrivals.may_ctx = c;
    served_accept(&c->served, &client->arrivals, present, assigned[0] ? assigned : NULL);
    client_keep(client, c->served.session_expiry_s); /* before the CONNACK is written */
    log_event(LOG_LEVEL_DEBUG,
              (const char *[]) { "source", "listen", "clientId", client->id, "address", c->source_ip, NULL },
              "a client has connected");
}

/* --- reading --- */

static bool has_allowance(struct listener *l, struct connection *c)
{
    double rate = (double)l->conf->rate_max;
    if (rate <= 0)
        return true;
    uint64_t now = now_ms(l);
    c->allowance += (double)(now - c->rate_ms) / 1000 * rate;
    c->rate_ms = now;
    if (c->allowance > rate)
        c->allowance = rate;
    return c->allowance >= 1;
}

/* May a further packet of this client be looked at? More than the Receive Maximum is held back and not refused: 3.1.1 knows none, and
 * Mosquitto's bridge sends more than it was told. Only what waits for us counts: a PUBREL must always be read. */
static bool may_go_on(struct listener *l, struct connection *c)
{
    if (l->paused)
        return false;
    if (!c->client)
        return true;
    if (ack_window_due(c->client->window) >= l->limits.receive_max)
        return false;
    return has_allowance(l, c);
}

static bool hand_over(struct listener *l, struct connection *c)
{
    name_publisher(c, &c->served.message.message);
    switch (l->handler.message(l->handler.ctx, &c->served.message)) {
    case SINK_TAKEN:
        c->allowance -= 1;
        return true;
    case SINK_FULL:
        l->full = true;
        break;
    case SINK_CLOSED:
        l->paused = true;
    }
    served_take_back(&c->served);
    return false;
}

/* Look at the bytes; returns how many are done with. The connection may have ended. */
static size_t feed(struct listener *l, struct connection *c, const char *bytes, size_t len)
{
    size_t at = 0, used;
    while (c->stream) {
        set_blocked(l, c, !may_go_on(l, c));
        if (c->blocked)
            return at;
        enum served_event event = served_next(&c->served, bytes + at, len - at, &used, now_ms(l));
        switch (event) {
        case SERVED_MESSAGE:
            if (hand_over(l, c)) {
                at += used;
                continue;
            }
            set_blocked(l, c, true);
            return at + used - c->served.packet_size;
        case SERVED_CONNECT:
            at += used;
            let_in(l, c);
            continue;
        case SERVED_ENDED:
            connection_end(l, c);
            return len;
        case SERVED_STARVED:
            set_blocked(l, c, true);
            return at + used;
        case SERVED_MORE:
            return at + used;
        }
    }
    return len;
}

/* Keep what is left for the next turn. at: where it begins, in the connection's own buffer or (own false) in the shared one. */
static bool keep_rest(struct connection *c, const char *bytes, size_t at, size_t len, bool own)
{
    size_t need = c->served.need > len + READ_ROOM ? c->served.need : len + READ_ROOM;
    if (len == 0) {
        c->in_len = 0;
        if (c->in_cap > IN_KEPT) {
            free(c->in);
            c->in = NULL;
            c->in_cap = 0;
        }
        return true;
    }
    if (need > c->in_cap) {
        char *grown = realloc(c->in, need);
        if (!grown)
            return false;
        c->in = grown;
        c->in_cap = need;
    }
    memmove(c->in, (own ? c->in : bytes) + at, len);
    c->in_len = len;
    return true;
}

/* Look at what is there. False: the connection has ended. */
static bool digest(struct listener *l, struct connection *c, const char *bytes, size_t len)
{
    bool own = bytes == c->in;
    size_t used = feed(l, c, bytes, len);
    if (c->stream && !keep_rest(c, bytes, used, len - used, own)) {
        served_disconnect(&c->served, REASON_QUOTA, "not enough memory for its packet");
        connection_end(l, c);
    }
    return c->stream != NULL;
}

/* What is read from a client at once may have to be kept, when the flow is full. */
static size_t read_size(const struct listener *l)
{
    return l->conf->memory && l->held > l->conf->memory / 2 ? IN_LEAST : IN_BYTES;
}

/* False: the connection has ended. */
static bool read_more(struct listener *l, struct connection *c)
{
    struct err e = { 0 };
    bool own = c->in_len > 0;
    char *to = own ? c->in + c->in_len : l->in;
    ssize_t n = stream_read(c->stream, to, own ? c->in_cap - c->in_len : read_size(l), &e);
    if (n == 0)
        return true;
    if (n > 0)
        return digest(l, c, own ? c->in : l->in, (own ? c->in_len : 0) + (size_t)n);
    connection_end(l, c);
    return false;
}

/* --- writing --- */

/* False: the connection has ended. */
static bool write_out(struct listener *l, struct connection *c)
{
    struct buf *out = &c->served.out;
    struct err e = { 0 };
    while (c->out_at < out->len) {
        ssize_t n = stream_write(c->stream, out->p + c->out_at, out->len - c->out_at, &e);
        if (n < 0) {
            connection_end(l, c);
            return false;
        }
        if (n == 0)
            return true;
        c->out_at += (size_t)n;
    }
    buf_reset(out);
    c->out_at = 0;
    return true;
}

/* Send what is due, until nothing is, or the client does not read. False: the connection has ended. */
static bool answer(struct listener *l, struct connection *c)
{
    do {
        served_flush(&c->served, c->out_at + OUT_BYTES);
        if (!write_out(l, c))
            return false;
    } while (c->client && c->served.out.len == 0 && ack_window_arm(c->client->window));
    return true;
}

/* --- events --- */

static void watch(struct listener *l, struct connection *c)
{
    bool reading = !c->blocked && !l->paused;
    uint32_t events = stream_events(c->stream, reading, c->out_at < c->served.out.len);
    struct epoll_event ev = { .events = events, .data.ptr = c };
    if (events != c->events && epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, stream_fd(c->stream), &ev) == 0)
        c->events = events;
}

static void count_held(struct listener *l, struct connection *c, size_t held)
{
    l->held += held - c->held;
    c->held = held;
}

/* Does it hold what others need: half a packet, or acknowledgements that it does not read? What waits because the
 * flow is full is bounded by read_size, and is not its fault. */
static bool is_greedy(const struct listener *l, const struct connection *c)
{
    return l->conf->memory && l->held > l->conf->memory && !c->blocked && c->held > LISTEN_CONNECTION_PLAIN;
}

/* What a connection that has gone on needs. */
static void settle_down(struct listener *l, struct connection *c)
{
    if (!c->stream || !answer(l, c))
        return;
    count_held(l, c, c->in_cap + served_held(&c->served));
    if (is_greedy(l, c)) {
        served_disconnect(&c->served, REASON_QUOTA, "not enough memory for what it has sent");
        connection_end(l, c);
        return;
    }
    watch(l, c);
}

static void open_further(struct listener *l, struct connection *c)
{
    struct err e = { 0 };
    enum stream_state state = stream_step(c->stream, &e);
    c->is_open = state == STREAM_OPEN;
    if (state != STREAM_FAILED)
        return;
    log_event(l->has_warned ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
              (const char *[]) { "source", "listen", "address", c->source_ip, NULL },
              "a client could not begin TLS: %s", e.text);
    l->has_warned = true;
    l->counts.refused++;
    connection_end(l, c);
}

static void on_ready(struct listener *l, struct connection *c, uint32_t events)
{
    if (!c->stream)
        return; /* it ended in this turn */
    if (!c->is_open)
        open_further(l, c);
    bool gone = events & (EPOLLHUP | EPOLLERR);
    if (c->stream && c->is_open && gone && (c->blocked || l->paused)) {
        connection_end(l, c); /* nobody would notice by reading */
        return;
    }
    if (c->stream && c->is_open && !c->blocked && !l->paused) {
        bool alive = read_more(l, c);
        while (alive && !c->blocked && stream_has_pending(c->stream))
            alive = read_more(l, c);
    }
    settle_down(l, c);
}

static void accept_one(struct listener *l, int fd)
{
    struct err e = { 0 };
    struct connection *c = calloc(1, sizeof(*c));
    if (!c || l->counts.connections >= (size_t)l->conf->connections_max + ACCEPTS) {
        l->counts.refused++;
        close(fd);
        free(c);
        return;
    }
    c->stream = stream_accept(fd, l->tls, &e);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    if (!c->stream || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        stream_close(c->stream);
        free(c);
        return;
    }
    c->events = EPOLLIN;
    stream_peer(c->stream, c->source_ip, sizeof(c->source_ip));
    served_init(&c->served, &l->limits, now_ms(l));
    c->rate_ms = now_ms(l);
    c->allowance = (double)l->conf->rate_max;
    connection_add(l, c);
    on_ready(l, c, EPOLLIN);
}

static void accept_some(struct listener *l, int door)
{
    for (int i = 0; i < ACCEPTS && !l->paused; i++) {
        int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        accept_one(l, fd);
    }
}

/* --- the turn --- */

/* Clients whose next acknowledgement is due. */
static void answer_woken(struct listener *l)
{
    struct client *c = atomic_exchange(&l->woken, NULL), *next;
    for (; c; c = next) {
        next = c->next_woken;
        atomic_store(&c->woken, false);
        if (c->connection)
            settle_down(l, c->connection);
    }
}

static void retry_blocked(struct listener *l)
{
    struct connection *next;
    l->full = false;
    for (struct connection *c = l->connections; c && l->blocked > 0 && !l->full && !l->paused; c = next) {
        next = c->next;
        if (c->blocked && digest(l, c, c->in, c->in_len))
            settle_down(l, c);
    }
}

static void tick(struct listener *l)
{
    struct connection *next;
    uint64_t now = now_ms(l);
    if (now < l->next_tick_ms)
        return;
    l->next_tick_ms = now + TICK_MS;
    l->has_warned = false;
    for (struct connection *c = l->connections; c; c = next) {
        next = c->next;
        if (served_tick(&c->served, !c->blocked && !l->paused, now) == SERVED_ENDED)
            connection_end(l, c);
    }
    forget_absent(l, now);
    bury_dying(l);
}

static int wait_ms(struct listener *l, uint64_t until_ms)
{
    uint64_t now = now_ms(l), until = l->next_tick_ms < until_ms ? l->next_tick_ms : until_ms;
    uint64_t left = until > now ? until - now : 0;
    if (l->blocked > 0 && !l->paused && left > BLOCKED_MS)
        left = BLOCKED_MS;
    if (!l->full || l->paused)
        return left > INT_MAX ? INT_MAX : (int)left;
    l->handler.wait_room(l->handler.ctx, (unsigned)left);
    return 0;
}

static void dispatch(struct listener *l, const struct epoll_event *ev)
{
    uint64_t wakes;
    ssize_t n;
    if (ev->data.ptr == l) {
        n = read(l->wake_fd, &wakes, sizeof(wakes));
        (void)n;
        return;
    }
    for (size_t i = 0; i < l->door_count; i++) {
        if (ev->data.ptr == &l->doors[i]) {
            accept_some(l, l->doors[i]);
            return;
        }
    }
    on_ready(l, ev->data.ptr, ev->events);
}

void listener_turn(struct listener *l, uint64_t until_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(l->epoll_fd, events, EVENTS, wait_ms(l, until_ms));
    for (int i = 0; i < n; i++)
        dispatch(l, &events[i]);
    answer_woken(l);
    if (l->blocked > 0)
        retry_blocked(l);
    tick(l);
    free_ended(l);
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    for (size_t i = 0; i < l->door_count; i++) {
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->doors[i], NULL);
        close(l->doors[i]);
    }
    l->door_count = 0;
    for (struct connection *c = l->connections; c; c = c->next)
        watch(l, c);
}

void listener_wake(struct listener *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof(one));
    (void)n;
}

void listener_settle(uint64_t token)
{
    ack_window_settle(token);
}

struct listener_counts listener_count(const struct listener *l)
{
    return l->counts;
}

size_t listener_unsettled(const struct listener *l)
{
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct client *c = l->buckets[i]; c; c = c->next)
            n += ack_window_open(c->window);
    }
    for (const struct client *c = l->dying; c; c = c->next)
        n += ack_window_open(c->window);
    return n;
}

/* --- opening and closing --- */

static int open_door(struct listener *l, const struct addrinfo *ai, struct err *e)
{
    int on = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : err_set(e, ERR_IO, "could not listen: %s", strerror(errno));
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &l->doors[l->door_count] };
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (ai->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0 &&
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0) {
        l->doors[l->door_count++] = fd;
        return 0;
    }
    err_set(e, ERR_IO, "could not listen at %s: %s", l->conf->address, strerror(errno));
    close(fd);
    return -1;
}

static int open_doors(struct listener *l, struct err *e)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list = NULL;
    int rc = getaddrinfo(l->conf->host, l->conf->port, &hints, &list);
    if (rc)
        return err_set(e, ERR_IO, "could not listen at %s: %s", l->conf->address,
                       rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    for (const struct addrinfo *ai = list; ai && rc == 0 && l->door_count < DOORS; ai = ai->ai_next)
        rc = open_door(l, ai, e);
    freeaddrinfo(list);
    return rc < 0 || l->door_count > 0 ? rc : err_set(e, ERR_IO, "could not listen at %s", l->conf->address);
}

static int open_files(struct listener *l, struct err *e)
{
    const struct listen_conf *c = l->conf;
    const struct stream_tls_conf tls = { .ca_file = c->ca_file,
                                         .cert_file = c->cert_file,
                                         .key_file = c->key_file,
                                         .key_password = c->key_password,
                                         .require_certificate = c->require_certificate };
    if (c->cert_file && !(l->tls = stream_tls_server(&tls, e)))
        return -1;
    if (c->password_file && !(l->passwords = password_file_load(c->password_file, e)))
        return -1;
    return 0;
}

static int open_parts(struct listener *l, struct err *e)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = l };
    l->in = malloc(IN_BYTES);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!l->in || l->epoll_fd < 0 || l->wake_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0)
        return err_set(e, ERR_MEMORY, "not enough memory or files to listen");
    return open_files(l, e) < 0 || open_doors(l, e) < 0 ? -1 : 0;
}

/* A session of the last process: away since just now. */
static void take_kept(void *ctx, const char *id, size_t len, uint32_t expiry_s)
{
    struct listener *l = ctx;
    size_t most = SESSIONS_PER_CLIENT * (size_t)l->conf->connections_max;
    struct client *c = l->counts.sessions < most ? client_new(l, (struct packet_text) { .p = id, .len = len }) : NULL;
    if (!c)
        return;
    c->kept_s = expiry_s;
    c->forget_ms = now_ms(l) + expiry_s * UINT64_C(1000);
}

struct listener *listener_open(const struct listen_conf *conf, const struct clock *clock,
                               const struct listener_handler *handler, const struct listener_ports *ports,
                               struct err *e)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory to listen");
        return NULL;
    }
    l->conf = conf;
    l->clock = clock;
    l->handler = *handler;
    l->epoll_fd = l->wake_fd = -1;
    l->key[0] = random_entropy();
    l->key[1] = random_entropy();
    random_seed(&l->random, random_entropy());
    l->limits = (struct served_limits) { .receive_max = (uint16_t)conf->receive_max,
                                         .packet_max = (size_t)conf->packet_max,
                                         .alias_max = ALIAS_MAX,
                                         .connect_ms = (uint64_t)conf->connect_timeout_ms,
                                         .keep_alive_max_s = KEEP_ALIVE_MAX_S,
                                         .session_expiry_max_s = (uint32_t)(conf->session_expiry_max_ms / 1000) };
    l->store = ports->store;
    l->authorizer = ports->authorizer;
    if (open_parts(l, e) == 0 && (!l->store || l->store->load(l->store, take_kept, l, e) == 0))
        return l;
    listener_free(l);
    return NULL;
}

static void free_clients(struct client *c)
{
    for (struct client *next; c; c = next) {
        next = c->next;
        client_free(c);
    }
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    l->paused = true;
    while (l->connections) {
        served_disconnect(&l->connections->served, REASON_SHUTTING_DOWN, "we are shutting down");
        connection_end(l, l->connections);
    }
    free_ended(l);
    for (size_t i = 0; i < BUCKETS; i++)
        free_clients(l->buckets[i]);
    free_clients(l->dying);
    free_clients(l->spare);
    for (size_t i = 0; i < l->door_count; i++)
        close(l->doors[i]);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    stream_tls_free(l->tls);
    password_file_free(l->passwords);
    free(l->in);
    free(l);
}
