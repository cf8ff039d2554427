/* SPDX-License-Identifier: Apache-2.0 */
/* The mqtt source.
 *
 *     broker ──► subscriber ──message──► sink          (the source's thread)
 *            ◄──           ◄──settled── any worker
 *
 * One thread does everything: it connects with back-off, subscribes, hands messages over as fast as the sink takes
 * them, and acknowledges what became final. When the sink is full it reads no further; the window bounds what can be
 * under way at QoS 1 and 2, and TCP holds back QoS 0. Pings and acknowledgements go on.
 *
 * Filters: `filters` is what the rules want. With MQTT 5 each is subscribed with its identifier; if the broker knows
 * none, or with 3.1.1, they are merged. What the session holds is a plan (session_plan.h), which outlives this process in the
 * store; only differences are sent.
 *
 * A stop ends the reading at once. The connection stays, so that what becomes final is acknowledged, until close. */
#include "engine/flow/source_mqtt.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/random.h"
#include "engine/base/thread.h"
#include "engine/flow/memory_plan.h"
#include "engine/flow/reconnect.h"
#include "engine/flow/session_plan.h"
#include "engine/flow/source_identity.h"
#include "engine/flow/source_mqtt_check.h"
#include "engine/flow/source_mqtt_ws.h"
#include "engine/flow/wanted_filters.h"
#include "engine/mqtt/subscriber.h"

#define IDLE_WAIT_MS 60000u /* events end it earlier */

struct mqtt_source {
    struct mqtt_conf conf;
    const struct conf *map; /* it was read from */
    const struct clock *clock;
    struct session_store *sessions; /* NULL: nobody remembers */
    char *session_name;             /* in the store */
    char *prefix;                   /* of every filter on the wire */
    struct source_sink *sink;
    struct subscriber *subscriber;
    pthread_t thread;
    bool started;
    atomic_uint_fast64_t settled_qos0;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool connected;
    bool stopping; /* nothing more is to be handed over, */
    bool quiet;    /* and nothing more will be */
    bool closing;

    /* The source's thread's */
    struct wanted_filters filters;
    struct session_plan plan;
    bool is_loaded; /* what was kept has been taken into the plan */
    uint32_t *ids;  /* of a message, translated */
    size_t id_cap;
    struct source_identity identity; /* made by open */
    uint64_t taken_qos0, told_repeated;
    bool sink_closed;
    struct reconnect reconnect;
};

static uint64_t now_ms(const struct mqtt_source *s)
{
    return clock_monotonic_ms(s->clock);
}

#define FIELDS(s) ((const char *const[]) { "source", "mqtt", "broker", (s)->conf.url, NULL })

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
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static bool goes_on(struct mqtt_source *s)
{
    return !s->sink_closed && !flag(s, &s->stopping);
}

/* --- messages --- */

static void settle(struct mqtt_source *s, uint64_t token)
{
    if (token)
        subscriber_settle(token);
    else
        atomic_fetch_add_explicit(&s->settled_qos0, 1, memory_order_relaxed);
}

/* With the rules' identifiers. False: memory. */
static bool translate(struct mqtt_source *s, const struct source_message *m, struct source_message *out)
{
    if (m->filter_id_count > s->id_cap) {
        uint32_t *grown = realloc(s->ids, m->filter_id_count * sizeof(*grown));
        if (!grown)
            return false;
        s->ids = grown;
        s->id_cap = m->filter_id_count;
    }
    memcpy(s->ids, m->filter_ids, m->filter_id_count * sizeof(*s->ids));
    session_plan_translate(&s->plan, s->ids, m->filter_id_count);
    *out = *m;
    out->filter_ids = s->ids;
    return true;
}

static void on_arrived(void *ctx, struct source_message *m)
{
    struct mqtt_source *s = ctx;
    source_identity_name(&s->identity, s->clock, s->conf.url, m);
}

/* A subscription asks for Retain As Published = 0, so RETAIN says that the message comes because of it. */
static enum sink_answer on_message(void *ctx, const struct source_message *m)
{
    struct mqtt_source *s = ctx;
    if (m->message.retain && s->conf.retained == MQTT_RETAINED_IGNORE) {
        s->sink->ignored(s->sink);
        s->taken_qos0 += !m->token;
        settle(s, m->token);
        return SINK_TAKEN;
    }
    struct source_message translated;
    if (s->plan.translates && m->filter_id_count > 0) {
        if (!translate(s, m, &translated))
            return SINK_FULL; /* memory is short: later */
        m = &translated;
    }
    enum sink_answer answer = s->sink->submit(s->sink, m);
    s->taken_qos0 += answer == SINK_TAKEN && !m->token;
    s->sink_closed = answer == SINK_CLOSED;
    return answer;
}

static void on_gather(void *ctx, bool on)
{
    struct mqtt_source *s = ctx;
    s->sink->gather(s->sink, on);
}

static void on_full(void *ctx, unsigned timeout_ms)
{
    struct mqtt_source *s = ctx;
    s->sink->wait_room(s->sink, timeout_ms);
}

/* --- subscribing --- */

/* Keep what the session may hold by now; a store that fails costs no more than a SUBSCRIBE that was not needed, or a filter that
 * nobody unsubscribes. */
static void keep_plan(struct mqtt_source *s)
{
    struct session_filter *list = s->sessions ? calloc(s->plan.count + 1, sizeof(*list)) : NULL;
    struct err e = { 0 };
    if (!list)
        return;
    session_plan_kept(&s->plan, list);
    if (s->sessions->replace(s->sessions, s->session_name, list, s->plan.count, &e) < 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s), "what the session holds is not remembered: %s", e.text);
    free(list);
}

static void take_kept(void *ctx, const struct session_filter *kept)
{
    struct mqtt_source *s = ctx;
    struct err e = { 0 };
    if (session_plan_add(&s->plan, kept, &e) < 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s), "%s", e.text);
}

/* What the process before us has left on the session. */
static void load_plan(struct mqtt_source *s)
{
    struct err e = { 0 };
    if (s->sessions && !s->is_loaded && s->sessions->load(s->sessions, s->session_name, take_kept, s, &e) < 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s), "what the session holds is not known: %s", e.text);
    s->is_loaded = true;
}

static void take_grant(struct mqtt_source *s, struct planned *entry, const struct mqtt_answer *answer)
{
    if (wanted_filters_grant(&s->filters, entry->filter, answer))
        session_plan_granted(entry);
    else
        session_plan_refused(entry);
}

/* What is asked of the broker, and for which entries of the plan. */
struct asked {
    struct subscriber_request *requests;
    struct planned **entries;
    size_t count;
};

static int asked_init(struct asked *a, size_t room, struct err *e)
{
    *a = (struct asked) { .requests = calloc(room + 1, sizeof(*a->requests)),
                          .entries = calloc(room + 1, sizeof(*a->entries)) };
    return a->requests && a->entries ? 0 : err_set(e, ERR_MEMORY, "not enough memory to subscribe");
}

static void asked_clear(struct asked *a)
{
    free(a->requests);
    free(a->entries);
}

static void asked_add(struct asked *a, struct planned *entry)
{
    a->requests[a->count].request = (struct session_request) { .filter = entry->filter,
                                                               .unsubscribe = !entry->wanted,
                                                               .id = entry->id,
                                                               .qos = entry->qos,
                                                               .retain_handling = RETAIN_SEND_IF_NEW };
    a->entries[a->count++] = entry;
}

static void ask_for(struct mqtt_source *s, struct asked *a, bool wanted)
{
    uint64_t now = now_ms(s);
    a->count = 0;
    for (size_t i = 0; i < s->plan.count; i++) {
        struct planned *entry = &s->plan.list[i];
        if (!entry->asked_now || entry->wanted != wanted)
            continue;
        if (wanted && wanted_filters_is_left_out(&s->filters, entry->filter, now))
            session_plan_refused(entry);
        else
            asked_add(a, entry);
    }
}

/* Subscribe to all at once. If the broker ends the connection for it, from then on to one at a time. */
static int subscribe_to(struct mqtt_source *s, struct asked *a, struct err *e)
{
    size_t step = wanted_filters_step(&s->filters, a->count);
    for (size_t i = 0; i < a->count; i += step) {
        if (subscriber_request(s->subscriber, a->requests + i, step, e) == 0)
            continue;
        wanted_filters_failed(&s->filters, a->entries[i]->filter, subscriber_was_ended_by_broker(s->subscriber));
        return -1;
    }
    return 0;
}

static int subscribe(struct mqtt_source *s, struct asked *a, struct err *e)
{
    uint64_t now = now_ms(s);
    ask_for(s, a, true);
    if (subscribe_to(s, a, e) < 0)
        return -1;
    wanted_filters_asked(&s->filters, now);
    for (size_t i = 0; i < a->count; i++)
        take_grant(s, a->entries[i], &a->requests[i].answer);
    return 0;
}

static int unsubscribe(struct mqtt_source *s, struct asked *a, struct err *e)
{
    ask_for(s, a, false);
    if (a->count == 0)
        return 0;
    if (subscriber_request(s->subscriber, a->requests, a->count, e) < 0)
        return -1;
    for (size_t i = 0; i < a->count; i++)
        session_plan_dropped(a->entries[i]);
    return 0;
}

static bool asks_anything(const struct session_plan *p)
{
    bool asks = false;
    for (size_t i = 0; i < p->count; i++)
        asks |= p->list[i].asked_now;
    return asks;
}

/* Ask for what the plan says; it is kept before, with what is to be asked, and after. */
static int carry_out(struct mqtt_source *s, struct err *e)
{
    struct asked a;
    if (!asks_anything(&s->plan))
        return 0;
    int rc = asked_init(&a, s->plan.count, e);
    keep_plan(s);
    if (rc == 0)
        rc = subscribe(s, &a, e) < 0 || unsubscribe(s, &a, e) < 0 ? -1 : 0;
    keep_plan(s);
    asked_clear(&a);
    return rc;
}

/* Bring the session's subscriptions to what the rules want: new ones first, then those that are gone. */
static int apply_filters(struct mqtt_source *s, struct err *e)
{
    struct subscriptions target;
    wanted_filters_take(&s->filters);
    if (wanted_filters_target(&s->filters, subscriber_server(s->subscriber)->takes_ids, &target, e) < 0)
        return -1;
    int rc = session_plan_aim(&s->plan, &target, s->prefix, (uint8_t)s->conf.qos, e);
    subscriptions_clear(&target);
    if (rc < 0 || carry_out(s, e) < 0)
        return -1;
    wanted_filters_applied(&s->filters, session_plan_wanted(&s->plan));
    return 0;
}

/* --- connecting --- */

/* Another try after a while. */
static void back_off(struct mqtt_source *s, uint64_t delay_ms)
{
    struct timespec deadline = thread_deadline(delay_ms);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
    pthread_mutex_unlock(&s->lock);
}

static void fail_and_wait(struct mqtt_source *s, const struct err *e)
{
    back_off(s, reconnect_failed(&s->reconnect, e, flag(s, &s->stopping)));
}

static int connect_and_subscribe(struct mqtt_source *s, struct err *e)
{
    if (subscriber_connect(s->subscriber, e) < 0)
        return -1;
    set_flag(s, &s->connected, true);
    bool resumed = subscriber_server(s->subscriber)->present;
    reconnect_made(&s->reconnect, resumed);
    load_plan(s);
    session_plan_begin(&s->plan, resumed);
    return apply_filters(s, e);
}

/* A trace of what came again; with the messages' own (dup) it shows what the broker did after a reconnect. */
static void tell_repeated(struct mqtt_source *s)
{
    uint64_t all = subscriber_repeated(s->subscriber), n = all - s->told_repeated;
    if (n > 0)
        log_event(LOG_LEVEL_DEBUG, FIELDS(s), "%" PRIu64 " message%s again and recognised (dup)", n,
                  n == 1 ? " came" : "s came");
    s->told_repeated = all;
}

/* Until the connection is gone or the source stops. True: new filters could not be subscribed. */
static bool serve(struct mqtt_source *s, struct err *e)
{
    while (goes_on(s)) {
        uint64_t now = now_ms(s), until = wanted_filters_due_ms(&s->filters, now, now + IDLE_WAIT_MS);
        if (wanted_filters_are_due(&s->filters, now) && apply_filters(s, e) < 0)
            return true;
        if (subscriber_turn(s->subscriber, until, e) < 0)
            return false;
        tell_repeated(s);
    }
    return false;
}

/* Nothing more is handed over; what becomes final is acknowledged until close. */
static void drain(struct mqtt_source *s)
{
    struct err e = { 0 };
    subscriber_pause(s->subscriber);
    set_flag(s, &s->quiet, true);
    while (!flag(s, &s->closing) && subscriber_turn(s->subscriber, now_ms(s) + IDLE_WAIT_MS, &e) == 0)
        continue;
    pthread_mutex_lock(&s->lock);
    while (!s->closing)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    subscriber_disconnect(s->subscriber);
}

static void *run(void *arg)
{
    struct mqtt_source *s = arg;
    while (goes_on(s)) {
        struct err e = { 0 };
        bool failed = connect_and_subscribe(s, &e) < 0 || serve(s, &e);
        if (!goes_on(s))
            break;
        set_flag(s, &s->connected, false);
        if (failed)
            fail_and_wait(s, &e);
        else
            back_off(s, reconnect_lost(&s->reconnect, e.text));
    }
    drain(s);
    return NULL;
}

/* --- the port --- */

static const struct source_type *source_variant(const struct conf *conf)
{
    const struct conf *url = conf ? conf_get(conf, "url") : NULL;
    const char *text = url && url->kind == CONF_SCALAR ? url->text : "";
    bool websocket = strncmp(text, "ws://", 5) == 0 || strncmp(text, "wss://", 6) == 0;
    return websocket ? &source_mqtt_ws : &source_mqtt;
}

/* "URL CLIENTID" names the session in the store. */
static int make_names(struct mqtt_source *s, struct errs *errs)
{
    const struct mqtt_conf *c = &s->conf;
    int name = asprintf(&s->session_name, "%s %s", c->url, c->client_id);
    int prefix = c->share ? asprintf(&s->prefix, "$share/%s/", c->share) : asprintf(&s->prefix, "%s", "");
    if (name >= 0 && prefix >= 0)
        return 0;
    s->session_name = name < 0 ? NULL : s->session_name; /* undefined after a failure */
    s->prefix = prefix < 0 ? NULL : s->prefix;
    return errs_refuse(errs, ERR_MEMORY, s->map->at, "not enough memory for the mqtt source");
}

static void source_free(struct mqtt_source *s)
{
    wanted_filters_clear(&s->filters);
    session_plan_clear(&s->plan);
    thread_lock_clear(&s->lock, &s->changed);
    source_identity_clear(&s->identity);
    mqtt_conf_clear(&s->conf);
    free(s->session_name);
    free(s->prefix);
    free(s->ids);
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
    s->sessions = env->sessions;
    s->map = conf;
    wanted_filters_init(&s->filters, &s->conf, s->clock);
    reconnect_init(&s->reconnect, &s->conf, s->clock, random_entropy());
    bool fails = mqtt_conf_read(&s->conf, conf, errs) < 0;
    fails = source_identity_read(&s->identity, &s->conf, errs) < 0 || fails;
    size_t errors = errs->errors;
    memory_part_check(env->memory, (uint64_t)s->conf.packet_max, "maxPacketSize", conf, errs);
    if (fails || errs->errors > errors || make_names(s, errs) < 0) {
        source_free(s);
        return NULL;
    }
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
    subscriber_wake(s->subscriber);
    return 0;
}

static bool source_filters_are_set(void *source)
{
    struct mqtt_source *s = source;
    return wanted_filters_are_applied(&s->filters) || !flag(s, &s->connected);
}

static int source_start(void *source, struct source_sink *sink, const struct source_filter *filters, size_t count,
                        struct err *e)
{
    struct mqtt_source *s = source;
    struct subscriber_handler handler = {
        .ctx = s, .arrived = on_arrived, .message = on_message, .gather = on_gather, .wait_room = on_full
    };
    s->sink = sink;
    s->subscriber = subscriber_new(&s->conf, s->clock, &handler, e);
    if (!s->subscriber || source_set_filters(s, filters, count, e) < 0)
        return -1;
    s->started = thread_start(&s->thread, "mqtt", run, s, e) == 0;
    return s->started ? 0 : -1;
}

static void source_settled(void *source, uint64_t token)
{
    settle(source, token);
}

static void source_stop(void *source)
{
    struct mqtt_source *s = source;
    if (!s->started)
        return;
    set_flag(s, &s->stopping, true);
    subscriber_stop(s->subscriber);
    pthread_mutex_lock(&s->lock);
    while (!s->quiet)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* What was not delivered to the end, and what becomes of it. */
static void report_unfinished(struct mqtt_source *s)
{
    size_t open = s->subscriber ? subscriber_open(s->subscriber) : 0;
    uint64_t lost = s->taken_qos0 - atomic_load(&s->settled_qos0);
    bool kept = !s->conf.clean_start && (s->conf.version == MQTT_V311 || s->conf.session_expiry_ms > 0);
    if (open > 0 && kept)
        log_event(LOG_LEVEL_WARN, FIELDS(s),
                  "%zu message%s not delivered to the end, nor acknowledged: the broker sends %s again", open,
                  open == 1 ? " was" : "s were", open == 1 ? "it" : "them");
    lost += kept ? 0 : open;
    if (lost > 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(s),
                  "%" PRIu64 " message%s not delivered to the end, and the broker does not keep %s: lost", lost,
                  lost == 1 ? " was" : "s were", lost == 1 ? "it" : "them");
}

static void source_close(void *source)
{
    struct mqtt_source *s = source;
    source_stop(s);
    if (s->started) {
        set_flag(s, &s->closing, true);
        subscriber_wake(s->subscriber);
        pthread_join(s->thread, NULL);
    }
    report_unfinished(s);
    subscriber_free(s->subscriber);
    source_free(s);
}

const struct source_type source_mqtt = {
    .name = "mqtt",
    .doc = "subscribes to an MQTT broker (MQTT 5 or 3.1.1, TCP, TLS, WebSocket)",
    .options = mqtt_options,
    .option_count = MQTT_OPTION_COUNT,
    .names_clients = source_identity_names_clients,
    .variant = source_variant,
    .open = source_open,
    .check = source_check,
    .start = source_start,
    .set_filters = source_set_filters,
    .filters_are_set = source_filters_are_set,
    .settled = source_settled,
    .stop = source_stop,
    .close = source_close,
};
