/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "engine/base/topic.h"
#include "engine/base/utf8.h"

#define TOPIC_PREFIX    "$aws/events/"
#define PAYLOAD_MAX     ((size_t)16 << 20)
#define LOG_LINE_MAX    1024 /* Mosquitto cuts its lines there */
#define FORGET_EVERY_MS 10000

struct lifecycle {
    struct clients *clients;
    struct lifecycle_port port;
    bool is_told;
    struct random random;
    struct client *telling; /* whose filters wait to be told of; NULL: nobody's */
    struct client *pending; /* at most one: the broker has finished with it before it begins with another */
    int64_t forget_ms;
    struct buf topic, payload;
    char log_line[LOG_LINE_MAX]; /* the last one about a client, without its time */
    size_t log_len;
};

struct log_reason {
    const char *ending, *reason;
};

/* What Mosquitto 2.0 logs after "Client ID" when a connection ends. */
static const struct log_reason log_reasons[] = {
    { " been disconnected by administrative action.", "SERVER_INITIATED_DISCONNECT" },
    { " closed its connection.", "CONNECTION_LOST" },
    { " disconnected due to QoS too high or retain not supported.", "CLIENT_ERROR" },
    { " disconnected due to malformed packet.", "CLIENT_ERROR" },
    { " disconnected due to out of memory.", "SERVER_ERROR" },
    { " disconnected due to oversize packet.", "CLIENT_ERROR" },
    { " disconnected due to oversize payload.", "CLIENT_ERROR" },
    { " disconnected due to protocol error.", "CLIENT_ERROR" },
    { " disconnected, not authorised.", "AUTH_ERROR" },
    { " disconnected.", "CLIENT_INITIATED_DISCONNECT" },
    { " has exceeded timeout, disconnecting.", "MQTT_KEEP_ALIVE_TIMEOUT" },
};

/* --- one event --- */

static int64_t now_ms(const struct lifecycle *l)
{
    return clock_now_ms(&l->port.clock);
}

static void put_text(struct buf *out, const char *name, struct policy_text text)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, text.p ? text.p : "", text.p ? utf8_valid_prefix(text.p, text.len) : 0);
}

/* Client ids with wildcards get no events, nor do those of which no topic can be made. */
static bool begin(struct lifecycle *l, const struct client *c, const char *kind, const char *event)
{
    struct policy_text id = c->who->client_id;
    buf_reset(&l->topic);
    buf_printf(&l->topic, TOPIC_PREFIX "%s/%s/", kind, event);
    buf_put(&l->topic, id.p, id.len);
    if (!l->is_told || l->topic.failed || topic_check(l->topic.p, l->topic.len, NULL) < 0)
        return false;
    buf_reset(&l->payload);
    buf_puts(&l->payload, "{\"clientId\":");
    json_write_string(&l->payload, id.p, id.len);
    buf_puts(&l->payload, ",\"timestamp\":");
    buf_put_i64(&l->payload, now_ms(l));
    buf_printf(&l->payload, ",\"eventType\":\"%s\",\"sessionIdentifier\":\"%s\"", event, c->session_id);
    put_text(&l->payload, "principalIdentifier", c->who->principal);
    return true;
}

static void end(struct lifecycle *l)
{
    buf_putc(&l->payload, '}');
    if (!l->payload.failed)
        l->port.publish(l->port.ctx, l->topic.p, l->payload.p, l->payload.len);
}

static void put_version(struct lifecycle *l, const struct client *c)
{
    buf_puts(&l->payload, ",\"versionNumber\":");
    buf_put_u64(&l->payload, c->version);
}

/* --- subscriptions: one event for what was allowed since something else happened --- */

static void tell_filters(struct lifecycle *l, const struct client *c, struct client_filters *f, const char *event)
{
    if (f->count && begin(l, c, "subscriptions", event)) {
        buf_puts(&l->payload, ",\"topics\":[");
        for (size_t i = 0; i < f->count; i++) {
            size_t len = strlen(f->items[i]);
            if (i)
                buf_putc(&l->payload, ',');
            json_write_string(&l->payload, f->items[i], utf8_valid_prefix(f->items[i], len));
        }
        buf_putc(&l->payload, ']');
        end(l);
    }
    client_filters_clear(f);
}

static void tell_subscriptions(struct lifecycle *l)
{
    struct client *c = l->telling;
    l->telling = NULL;
    if (!c)
        return;
    tell_filters(l, c, &c->subscribed, "subscribed");
    tell_filters(l, c, &c->unsubscribed, "unsubscribed");
}

/* --- connections --- */

static void connect_now(struct lifecycle *l, struct client *c)
{
    c->state = CLIENT_CONNECTED;
    c->version = client_next_version(c);
    snprintf(c->session_id, sizeof(c->session_id), "%016llx%016llx", (unsigned long long)random_u64(&l->random),
             (unsigned long long)random_u64(&l->random));
    if (!begin(l, c, "presence", "connected"))
        return;
    put_text(&l->payload, "ipAddress", c->who->source_ip);
    put_version(l, c);
    end(l);
}

static void connect_pending(struct lifecycle *l)
{
    struct client *c = l->pending;
    l->pending = NULL;
    if (c)
        connect_now(l, c);
}

struct client *lifecycle_authenticated(struct lifecycle *l, const void *handle, struct subject *who)
{
    tell_subscriptions(l);
    connect_pending(l);
    return l->pending = clients_add(l->clients, handle, who);
}

void lifecycle_is_active(struct lifecycle *l, struct client *c)
{
    if (l->telling)
        tell_subscriptions(l);
    if (c->state == CLIENT_PENDING)
        connect_pending(l);
}

static void add_filter(struct lifecycle *l, struct client *c, struct client_filters *f,
                       const struct client_filters *other, const char *filter)
{
    if (l->telling != c || other->count)
        tell_subscriptions(l);
    if (c->state == CLIENT_PENDING)
        connect_pending(l);
    if (l->is_told && client_filters_add(f, filter))
        l->telling = c;
}

void lifecycle_subscribed(struct lifecycle *l, struct client *c, const char *filter)
{
    add_filter(l, c, &c->subscribed, &c->unsubscribed, filter);
}

void lifecycle_unsubscribed(struct lifecycle *l, struct client *c, const char *filter)
{
    add_filter(l, c, &c->unsubscribed, &c->subscribed, filter);
}

/* What the last line of the log says of this client id, or NULL. The whole line must agree: ids may look like anything. */
static const char *logged_reason(const struct lifecycle *l, struct policy_text id)
{
    if (l->log_len < id.len || memcmp(l->log_line, id.p, id.len) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(log_reasons) / sizeof(log_reasons[0]); i++) {
        const char *ending = log_reasons[i].ending;
        if (l->log_len - id.len == strlen(ending) && memcmp(l->log_line + id.len, ending, strlen(ending)) == 0)
            return log_reasons[i].reason;
    }
    return NULL;
}

static const char *reason_of(const struct lifecycle *l, const struct client *c, enum lifecycle_end why)
{
    if (l->pending && l->pending != c && l->pending->name == c->name)
        return "DUPLICATE_CLIENTID";
    if (why == END_BY_RELOAD)
        return "AUTH_ERROR";
    const char *logged = logged_reason(l, c->who->client_id);
    if (logged)
        return logged;
    return why == END_BY_CLIENT ? "CLIENT_INITIATED_DISCONNECT" : "CONNECTION_LOST";
}

static void tell_disconnected(struct lifecycle *l, const struct client *c, const char *reason)
{
    if (!begin(l, c, "presence", "disconnected"))
        return;
    bool by_client = strcmp(reason, "CLIENT_INITIATED_DISCONNECT") == 0;
    buf_printf(&l->payload, ",\"clientInitiatedDisconnect\":%s,\"disconnectReason\":\"%s\"",
               by_client ? "true" : "false", reason);
    put_version(l, c);
    end(l);
}

void lifecycle_ended(struct lifecycle *l, struct client *c, enum lifecycle_end why)
{
    tell_subscriptions(l);
    if (c->state == CLIENT_PENDING && why != END_REFUSED)
        connect_pending(l); /* it came and went within one round */
    if (c->state == CLIENT_CONNECTED)
        tell_disconnected(l, c, reason_of(l, c, why));
    if (l->pending == c)
        l->pending = NULL;
    l->log_len = 0;
    clients_remove(l->clients, c, now_ms(l));
}

void lifecycle_tick(struct lifecycle *l)
{
    tell_subscriptions(l);
    connect_pending(l);
    l->log_len = 0;
    int64_t now = now_ms(l);
    if (now < l->forget_ms && l->forget_ms - now <= FORGET_EVERY_MS)
        return;
    l->forget_ms = now + FORGET_EVERY_MS;
    clients_forget(l->clients, now);
}

void lifecycle_log_line(struct lifecycle *l, const char *line, size_t len)
{
    static const char about[] = "Client ";
    const char *colon = memchr(line, ':', len);
    size_t digits = 0;
    while (digits < len && line[digits] >= '0' && line[digits] <= '9')
        digits++;
    if (digits && colon == line + digits && len > digits + 2) { /* "1700000000: " */
        line += digits + 2;
        len -= digits + 2;
    }
    if (len < strlen(about) || memcmp(line, about, strlen(about)) != 0 || len - strlen(about) > LOG_LINE_MAX)
        return;
    l->log_len = len - strlen(about);
    memcpy(l->log_line, line + strlen(about), l->log_len);
}

struct lifecycle *lifecycle_new(struct clients *clients, const struct lifecycle_port *port, bool is_told)
{
    struct lifecycle *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->clients = clients;
    l->port = *port;
    l->is_told = is_told;
    random_seed(&l->random, port->seed);
    buf_init(&l->topic, (size_t)TOPIC_MAX_BYTES * 2);
    buf_init(&l->payload, PAYLOAD_MAX);
    return l;
}

void lifecycle_free(struct lifecycle *l)
{
    if (!l)
        return;
    buf_clear(&l->topic);
    buf_clear(&l->payload);
    free(l);
}
