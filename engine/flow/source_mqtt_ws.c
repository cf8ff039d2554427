/* SPDX-License-Identifier: Apache-2.0 */
/* The mqtt source over WebSocket.
 *
 *     paho's receive thread ──arrived──► inbox ──► the source's thread ──submit──► sink
 *
 * paho has one receive thread for all clients of the process. It also brings the acknowledgements that republish
 * waits for, so it must never wait for the flow: it copies each message into the inbox and goes on. The source's own
 * thread does everything else: it connects with back-off, subscribes, and hands messages over as fast as the sink
 * takes them.
 *
 * paho acknowledges what it has handed to us, so the inbox cannot push back. When it is full we disconnect: a broker
 * keeps the QoS 1 and 2 messages of a persistent session. The inbox is worked off to its half, then we connect
 * again. Closing a socket with unread data throws away what the peer has not read yet, our last acknowledgements,
 * and the broker sends those messages again. Mosquitto 2.0.11 makes that worse: after a reconnect it writes all that
 * it has queued, whatever the Receive Maximum, before it reads anything. So the connection stays for LINGER_MS more,
 * unless the inbox passes its bounds by far: closed at once, a small inbox and a long queue went in circles (20,000
 * queued, an inbox of 500: 48,000 messages came, 1,700 different ones). QoS 0 is dropped and counted from the bound
 * on, as the broker does while we are away.
 *
 * Filters: `filters` is what the rules want. With MQTT 5 each is subscribed with its identifier; if the broker knows
 * none, or with 3.1.1, they are merged. `held` is what this process has subscribed on the session; only differences
 * are sent. */
#include "engine/flow/source_mqtt_ws.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/random.h"
#include "engine/base/thread.h"
#include "engine/flow/inbox.h"
#include "engine/flow/notice.h"
#include "engine/flow/reconnect.h"
#include "engine/flow/source_identity.h"
#include "engine/flow/source_mqtt_check.h"
#include "engine/flow/wanted_filters.h"
#include "engine/mqtt/mqtt_client.h"

#define ROOM_WAIT_MS     100u   /* look after the connection at least this often while the flow is full */
#define IDLE_WAIT_MS     60000u /* events end it earlier */
#define SLACK_BYTES      ((size_t)64 << 20)
#define LINGER_MS        500u  /* from a full inbox to the end of the connection */
#define STOP_PATIENCE_MS 5000u /* to hand over what has arrived */
#define SAY_AGAIN_MIN_MS 10000u
#define EARLY_WARNING                                                                                                  \
    "over WebSocket messages are acknowledged when they arrive, not when they are delivered: a crash loses what is "   \
    "under way"
#define SAY_AGAIN_MAX_MS 3600000u

struct mqtt_source {
    struct mqtt_conf conf;
    const struct conf *map; /* it was read from */
    const struct clock *clock;
    struct source_sink *sink;
    struct mqtt_client *client;
    pthread_t thread;
    bool started;
    atomic_uint_fast64_t settled;

    pthread_mutex_t lock; /* guards the inbox and what follows */
    pthread_cond_t changed;
    struct inbox inbox;
    bool connected; /* at least until `down` */
    bool stopping;
    bool down;        /* the connection is gone */
    bool overflowed;  /* the inbox was full: the connection is to end, or has ended for that */
    bool hung_up;     /* and the end was asked for */
    bool woken;       /* something of these happened since the thread last looked */
    uint64_t dropped; /* QoS 0 while overflowed */

    /* The source's thread's */
    struct wanted_filters filters;
    struct subscriptions held;
    struct source_identity identity; /* made by open */
    struct inbox_item *in_hand;      /* the sink was full */
    uint64_t handed_over;            /* its number is the token */
    bool sink_closed;
    struct reconnect reconnect;
    struct notice overflow;
};

static uint64_t now_ms(const struct mqtt_source *s)
{
    return clock_monotonic_ms(s->clock);
}

#define FIELDS(s) ((const char *const[]) { "source", "mqtt", "broker", (s)->conf.url, NULL })

/* --- what others tell the source's thread --- */

/* Locks: s->lock */
static void wake(struct mqtt_source *s)
{
    s->woken = true;
    pthread_cond_signal(&s->changed);
}

/* Thread: paho's. */
static bool on_arrived(void *ctx, const struct source_message *m)
{
    struct mqtt_source *s = ctx;
    pthread_mutex_lock(&s->lock);
    bool drop = s->overflowed && m->message.qos == 0;
    s->dropped += drop;
    pthread_mutex_unlock(&s->lock);
    if (drop)
        return true;
    struct inbox_item *item = inbox_item_new(m);
    if (!item)
        return false;
    pthread_mutex_lock(&s->lock);
    inbox_add(&s->inbox, item);
    bool overflows = !s->overflowed && inbox_is_full(&s->inbox);
    bool hang_up = !s->hung_up && inbox_is_overfull(&s->inbox);
    s->overflowed = s->overflowed || overflows;
    s->hung_up = s->hung_up || hang_up;
    if (overflows)
        wake(s);
    else if (s->inbox.messages == 1)
        pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (hang_up)
        mqtt_client_hang_up(s->client);
    return true;
}

/* Thread: paho's, or the source's. */
static void on_disconnected(void *ctx)
{
    struct mqtt_source *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->down = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

static bool flag(struct mqtt_source *s, const bool *which)
{
    pthread_mutex_lock(&s->lock);
    bool value = *which;
    pthread_mutex_unlock(&s->lock);
    return value;
}

static void set_flag(struct mqtt_source *s, bool *which, bool value)
{
    pthread_mutex_lock(&s->lock);
    *which = value;
    pthread_mutex_unlock(&s->lock);
}

static bool goes_on(struct mqtt_source *s)
{
    return !s->sink_closed && !flag(s, &s->stopping);
}

/* --- handing over --- */

/* The next message, waited for until then or until something else happens. */
static struct inbox_item *next_item(struct mqtt_source *s, uint64_t until_ms)
{
    uint64_t now = now_ms(s);
    struct timespec deadline = thread_deadline(until_ms > now ? until_ms - now : 0);
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (!s->inbox.first && !s->woken && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
    struct inbox_item *item = inbox_take(&s->inbox);
    s->woken = false;
    pthread_mutex_unlock(&s->lock);
    return item;
}

/* The next message, with its publisher's name; there may be none. */
static void take_in_hand(struct mqtt_source *s, uint64_t until_ms)
{
    s->in_hand = next_item(s, until_ms);
    if (s->in_hand)
        source_identity_name(&s->identity, s->clock, s->conf.url, &s->in_hand->m);
}

static void wait_room(struct mqtt_source *s, uint64_t until_ms)
{
    uint64_t now = now_ms(s), left = until_ms > now ? until_ms - now : 0;
    if (left > 0)
        s->sink->wait_room(s->sink, left < ROOM_WAIT_MS ? (unsigned)left : ROOM_WAIT_MS);
}

/* Hand over one message, or wait a little for something to happen. */
static void step(struct mqtt_source *s, uint64_t until_ms)
{
    if (!s->in_hand)
        take_in_hand(s, until_ms);
    if (!s->in_hand)
        return;
    if (s->in_hand->m.message.retain && s->conf.retained == MQTT_RETAINED_IGNORE) { /* as in source_mqtt.c */
        s->sink->ignored(s->sink);
        free(s->in_hand);
        s->in_hand = NULL;
        return;
    }
    s->in_hand->m.token = s->handed_over + 1;
    switch (s->sink->submit(s->sink, &s->in_hand->m)) {
    case SINK_TAKEN:
        s->handed_over++;
        free(s->in_hand);
        s->in_hand = NULL;
        break;
    case SINK_FULL:
        wait_room(s, until_ms);
        break;
    case SINK_CLOSED:
        s->sink_closed = true;
    }
}

static size_t waiting(struct mqtt_source *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->inbox.messages;
    pthread_mutex_unlock(&s->lock);
    return n + (s->in_hand != NULL);
}

/* --- subscribing --- */

/* Take the entry out, so that it is asked for again at the next occasion. */
static void forget(struct subscriptions *target, const char *filter)
{
    size_t n = 0;
    for (size_t i = 0; i < target->count; i++) {
        if (target->list[i].filter != filter)
            target->list[n++] = target->list[i];
    }
    target->count = n;
}

/* Subscribe to all at once. If the broker ends the connection for it, from then on to one at a time. */
static int subscribe_to(struct mqtt_source *s, struct mqtt_subscription *subs, size_t count, struct err *e)
{
    size_t step = wanted_filters_step(&s->filters, count);
    for (size_t i = 0; i < count; i += step) {
        if (mqtt_client_subscribe(s->client, subs + i, step, e) == 0)
            continue;
        wanted_filters_failed(&s->filters, subs[i].filter, mqtt_client_was_ended_by_broker(s->client));
        return -1;
    }
    return 0;
}

static int subscribe(struct mqtt_source *s, struct subscriptions *target, struct err *e)
{
    struct source_filter *missing = calloc(target->count + 1, sizeof(*missing));
    struct mqtt_subscription *subs = calloc(target->count + 1, sizeof(*subs));
    int rc = -1;
    if (!missing || !subs) {
        err_set(e, ERR_MEMORY, "not enough memory to subscribe");
        goto out;
    }
    size_t candidates = subscriptions_missing(target, &s->held, missing), count = 0;
    uint64_t now = now_ms(s);
    for (size_t i = 0; i < candidates; i++) {
        if (wanted_filters_is_left_out(&s->filters, missing[i].filter, now))
            forget(target, missing[i].filter);
        else
            subs[count++] = (struct mqtt_subscription) { .filter = missing[i].filter, .id = missing[i].id };
    }
    if (subscribe_to(s, subs, count, e) < 0)
        goto out;
    wanted_filters_asked(&s->filters, now);
    for (size_t i = 0; i < count; i++) {
        if (!wanted_filters_grant(&s->filters, subs[i].filter, &subs[i].answer))
            forget(target, subs[i].filter);
    }
    rc = 0;
out:
    free(missing);
    free(subs);
    return rc;
}

static int unsubscribe(struct mqtt_source *s, const struct subscriptions *target, struct err *e)
{
    const char **gone = calloc(s->held.count + 1, sizeof(*gone));
    if (!gone)
        return err_set(e, ERR_MEMORY, "not enough memory to unsubscribe");
    size_t count = subscriptions_gone(&s->held, target, gone);
    int rc = count ? mqtt_client_unsubscribe(s->client, gone, count, e) : 0;
    free(gone);
    return rc;
}

/* Bring the session's subscriptions to what the rules want: new ones first, then those that are gone. */
static int apply_filters(struct mqtt_source *s, struct err *e)
{
    struct subscriptions target;
    wanted_filters_take(&s->filters);
    if (wanted_filters_target(&s->filters, mqtt_client_takes_ids(s->client), &target, e) < 0)
        return -1;
    if (subscribe(s, &target, e) < 0 || unsubscribe(s, &target, e) < 0) {
        subscriptions_clear(&target);
        return -1;
    }
    subscriptions_clear(&s->held);
    s->held = target;
    wanted_filters_applied(&s->filters, target.count);
    return 0;
}

/* --- connecting --- */

/* Another try after a while; what is in the inbox goes on meanwhile. */
static void back_off(struct mqtt_source *s, uint64_t delay_ms)
{
    uint64_t until = now_ms(s) + delay_ms;
    while (goes_on(s) && now_ms(s) < until)
        step(s, until);
}

static void fail_and_wait(struct mqtt_source *s, const struct err *e)
{
    back_off(s, reconnect_failed(&s->reconnect, e, flag(s, &s->stopping)));
}

static int connect_and_subscribe(struct mqtt_source *s, struct err *e)
{
    mqtt_client_disconnect(s->client);
    pthread_mutex_lock(&s->lock);
    s->down = s->overflowed = s->hung_up = s->connected = false;
    pthread_mutex_unlock(&s->lock);
    if (mqtt_client_connect(s->client, e) < 0)
        return -1;
    set_flag(s, &s->connected, true);
    bool resumed = mqtt_client_session_present(s->client);
    reconnect_made(&s->reconnect, resumed);
    if (!resumed)
        subscriptions_clear(&s->held);
    return apply_filters(s, e);
}

/* The inbox was full: go on for a moment. True if the connection has to end; else half of the inbox is free again. */
static bool linger(struct mqtt_source *s)
{
    uint64_t until = now_ms(s) + LINGER_MS;
    log_event(LOG_LEVEL_DEBUG, FIELDS(s), "the inbox is full");
    while (goes_on(s) && !flag(s, &s->down) && now_ms(s) < until)
        step(s, until);
    pthread_mutex_lock(&s->lock);
    if (inbox_is_half_empty(&s->inbox) && !s->hung_up)
        s->overflowed = false;
    bool end = s->overflowed;
    pthread_mutex_unlock(&s->lock);
    return end;
}

/* Until the connection is gone or the source stops. */
static int serve(struct mqtt_source *s, struct err *e)
{
    while (goes_on(s) && !flag(s, &s->down)) {
        if (flag(s, &s->overflowed)) {
            if (!linger(s))
                continue; /* it may have been woken for the end */
            mqtt_client_disconnect(s->client);
            return 0;
        }
        uint64_t now = now_ms(s), until = wanted_filters_due_ms(&s->filters, now, now + IDLE_WAIT_MS);
        if (wanted_filters_are_due(&s->filters, now) && apply_filters(s, e) < 0)
            return -1;
        step(s, until);
    }
    return 0;
}

/* The inbox was full: no new connection before half of it is free. */
static void work_off(struct mqtt_source *s)
{
    uint64_t silent;
    if (notice_due(&s->overflow, now_ms(s), &silent))
        log_event(LOG_LEVEL_WARN, FIELDS(s),
                  "%zu messages wait for rules and targets: disconnected until half of them are worked off",
                  waiting(s));
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool enough = inbox_is_half_empty(&s->inbox);
        uint64_t dropped = s->dropped;
        if (enough)
            s->dropped = 0;
        pthread_mutex_unlock(&s->lock);
        if (enough && dropped)
            log_event(LOG_LEVEL_WARN, FIELDS(s), "%" PRIu64 " messages of QoS 0 came when there was no room: dropped",
                      dropped);
        if (enough || !goes_on(s))
            return;
        step(s, now_ms(s) + IDLE_WAIT_MS);
    }
}

static void after_connection(struct mqtt_source *s)
{
    if (!goes_on(s))
        return;
    char why[256];
    mqtt_client_why(s->client, why, sizeof(why));
    back_off(s, reconnect_lost(&s->reconnect, why));
}

/* Hand over what has arrived, for a limited time. */
static void finish(struct mqtt_source *s)
{
    mqtt_client_disconnect(s->client);
    uint64_t until = now_ms(s) + STOP_PATIENCE_MS;
    while (waiting(s) > 0 && !s->sink_closed && now_ms(s) < until)
        step(s, until);
    size_t left = waiting(s);
    if (left > 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s), "%zu messages that had arrived could not be handed over and are lost",
                  left);
}

static void *run(void *arg)
{
    struct mqtt_source *s = arg;
    log_event(
        LOG_LEVEL_INFO, FIELDS(s),
        "messages are acknowledged to the broker when they arrive: those under way are lost if this process is killed");
    while (goes_on(s)) {
        struct err e = { 0 };
        bool failed = connect_and_subscribe(s, &e) < 0 || serve(s, &e) < 0;
        if (flag(s, &s->overflowed))
            work_off(s);
        else if (failed)
            fail_and_wait(s, &e);
        else
            after_connection(s);
    }
    finish(s);
    return NULL;
}

/* --- the port --- */

/* The inbox takes up to half of the source's memory, what still comes when it is full the other half. */
static size_t pending_bytes(const struct mqtt_conf *c, size_t memory)
{
    size_t most = (size_t)c->pending_bytes;
    return memory && memory / 2 < most ? memory / 2 : most;
}

static size_t slack_bytes(size_t memory)
{
    return memory && memory / 2 < SLACK_BYTES ? memory / 2 : SLACK_BYTES;
}

static void source_free(struct mqtt_source *s)
{
    mqtt_client_free(s->client);
    inbox_clear(&s->inbox);
    free(s->in_hand);
    wanted_filters_clear(&s->filters);
    subscriptions_clear(&s->held);
    thread_lock_clear(&s->lock, &s->changed);
    source_identity_clear(&s->identity);
    mqtt_conf_clear(&s->conf);
    free(s);
}

static void *source_open(const struct conf *conf, const struct source_env *env, struct errs *errs)
{
    struct mqtt_source *s = calloc(1, sizeof(*s));
    struct err e = { 0 };
    if (!s || thread_lock_init(&s->lock, &s->changed, &e) < 0) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf ? conf->at : (struct span) { 0 },
                 "not enough memory for the mqtt source");
        free(s);
        return NULL;
    }
    s->clock = env->clock;
    s->map = conf;
    wanted_filters_init(&s->filters, &s->conf, s->clock);
    reconnect_init(&s->reconnect, &s->conf, s->clock, random_entropy());
    bool fails = mqtt_conf_read(&s->conf, conf, errs) < 0;
    if (source_identity_read(&s->identity, &s->conf, errs) < 0 || fails) {
        source_free(s);
        return NULL;
    }
    inbox_init(&s->inbox, (size_t)s->conf.pending_messages, pending_bytes(&s->conf, env->memory),
               slack_bytes(env->memory));
    notice_init(&s->overflow, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    return s;
}

static void source_check(void *source, const struct source_filter *filters, size_t count, struct errs *errs)
{
    const struct mqtt_source *s = source;
    source_mqtt_check(&s->conf, s->map, filters, count, errs);
    source_identity_check(&s->identity, &s->conf, errs);
}

static int source_set_filters(void *source, const struct source_filter *filters, size_t count, struct err *e)
{
    struct mqtt_source *s = source;
    if (wanted_filters_set(&s->filters, filters, count, e) < 0)
        return -1;
    pthread_mutex_lock(&s->lock);
    wake(s);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static bool source_filters_are_set(void *source)
{
    struct mqtt_source *s = source;
    pthread_mutex_lock(&s->lock);
    bool connected = s->connected && !s->down;
    pthread_mutex_unlock(&s->lock);
    return !connected || wanted_filters_are_applied(&s->filters);
}

static int source_start(void *source, struct source_sink *sink, const struct source_filter *filters, size_t count,
                        struct err *e)
{
    struct mqtt_source *s = source;
    struct mqtt_handler handler = { .ctx = s, .arrived = on_arrived, .disconnected = on_disconnected };
    s->sink = sink;
    if (s->conf.qos > 0)
        log_event(LOG_LEVEL_WARN, FIELDS(s), "%s", EARLY_WARNING);
    s->client = mqtt_client_new(&s->conf, MQTT_SUBSCRIBER, s->conf.client_id, &handler, e);
    if (!s->client || source_set_filters(s, filters, count, e) < 0)
        return -1;
    s->started = thread_start(&s->thread, "mqtt", run, s, e) == 0;
    return s->started ? 0 : -1;
}

/* paho acknowledged it long ago. */
static void source_settled(void *source, uint64_t token)
{
    struct mqtt_source *s = source;
    (void)token;
    atomic_fetch_add_explicit(&s->settled, 1, memory_order_relaxed);
}

static void source_stop(void *source)
{
    struct mqtt_source *s = source;
    if (!s->started)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
    mqtt_client_interrupt(s->client);
    pthread_join(s->thread, NULL);
    s->started = false;
}

static void source_close(void *source)
{
    struct mqtt_source *s = source;
    source_stop(s);
    uint64_t lost = s->handed_over - atomic_load(&s->settled);
    if (lost > 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s),
                  "%" PRIu64 " message%s not delivered to the end; the broker has been told that %s, so %s lost", lost,
                  lost == 1 ? " was" : "s were", lost == 1 ? "it was" : "they were", lost == 1 ? "it is" : "they are");
    source_free(s);
}

const struct source_type source_mqtt_ws = {
    .name = "mqtt",
    .doc = "subscribes to an MQTT broker over WebSocket",
    .options = mqtt_options,
    .option_count = MQTT_OPTION_COUNT,
    .names_clients = source_identity_names_clients,
    .open = source_open,
    .check = source_check,
    .start = source_start,
    .set_filters = source_set_filters,
    .filters_are_set = source_filters_are_set,
    .settled = source_settled,
    .stop = source_stop,
    .close = source_close,
};
