/* SPDX-License-Identifier: Apache-2.0 */
/* One thread, which owns the listener. Filters mean nothing here: clients publish what they like, and the router finds who wants it. */
#include "engine/flow/source_listen.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/thread.h"
#include "engine/flow/memory_plan.h"
#include "engine/mqtt/listener.h"

#define IDLE_WAIT_MS 60000u /* events end it earlier */

struct listen_source {
    struct listen_conf conf;
    const struct clock *clock;
    struct session_store *sessions; /* NULL: nobody remembers */
    struct client_store *clients;   /* of its */
    struct authorizer *authorizer;  /* NULL: none */
    struct source_sink *sink;
    struct listener *listener;
    pthread_t thread;
    bool started;
    atomic_bool stopping, closing;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool quiet; /* nothing more is handed over */
};

static enum sink_answer on_message(void *ctx, const struct source_message *m)
{
    struct listen_source *s = ctx;
    return s->sink->submit(s->sink, m);
}

static void on_full(void *ctx, unsigned timeout_ms)
{
    struct listen_source *s = ctx;
    s->sink->wait_room(s->sink, timeout_ms);
}

static void turn(struct listen_source *s)
{
    listener_turn(s->listener, clock_monotonic_ms(s->clock) + IDLE_WAIT_MS);
}

static void *run(void *arg)
{
    struct listen_source *s = arg;
    while (!atomic_load(&s->stopping))
        turn(s);
    listener_pause(s->listener);
    pthread_mutex_lock(&s->lock);
    s->quiet = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    while (!atomic_load(&s->closing))
        turn(s);
    listener_turn(s->listener, 0); /* what became final just now */
    return NULL;
}

/* Every client that may come must have a connection's least, and one of them the largest packet. */
static int check_memory(struct listen_conf *c, const struct conf *map, size_t part, struct errs *errs)
{
    size_t each = c->cert_file ? LISTEN_CONNECTION_TLS : LISTEN_CONNECTION_PLAIN, errors = errs->errors;
    uint64_t least = (uint64_t)c->connections_max * each;
    memory_part_check(part, least + (uint64_t)c->packet_max, "maxConnections", map, errs);
    c->memory = part > least ? part - (size_t)least : 0;
    return errs->errors > errors ? -1 : 0;
}

static bool names_clients(const struct conf *conf)
{
    (void)conf;
    return true;
}

static void *source_open(const struct conf *conf, const struct source_env *env, struct errs *errs)
{
    struct listen_source *s = calloc(1, sizeof(*s));
    struct err e = { 0 };
    if (!s || thread_lock_init(&s->lock, &s->changed, &e) < 0) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf ? conf->at : (struct span) { 0 },
                 "not enough memory for the listen source");
        free(s);
        return NULL;
    }
    s->clock = env->clock;
    s->sessions = env->sessions;
    s->authorizer = env->authorizer;
    if (listen_conf_read(&s->conf, conf, errs) == 0 && check_memory(&s->conf, conf, env->memory, errs) == 0)
        return s;
    listen_conf_clear(&s->conf);
    thread_lock_clear(&s->lock, &s->changed);
    free(s);
    return NULL;
}

static int source_start(void *source, struct source_sink *sink, const struct source_filter *filters, size_t count,
                        struct err *e)
{
    struct listen_source *s = source;
    struct listener_handler handler = { .ctx = s, .message = on_message, .wait_room = on_full };
    (void)filters;
    (void)count;
    s->sink = sink;
    s->clients = s->sessions ? s->sessions->clients(s->sessions, s->conf.address, e) : NULL;
    if (s->sessions && !s->clients)
        return -1;
    const struct listener_ports ports = { .store = s->clients, .authorizer = s->authorizer };
    s->listener = listener_open(&s->conf, s->clock, &handler, &ports, e);
    if (!s->listener)
        return -1;
    s->started = thread_start(&s->thread, "listen", run, s, e) == 0;
    if (s->started)
        log_event(LOG_LEVEL_INFO, (const char *[]) { "source", "listen", "address", s->conf.address, NULL },
                  "listening for %s clients", s->conf.cert_file ? "MQTT over TLS" : "MQTT");
    return s->started ? 0 : -1;
}

static void source_settled(void *source, uint64_t token)
{
    (void)source;
    if (token)
        listener_settle(token);
}

static void source_stop(void *source)
{
    struct listen_source *s = source;
    if (!s->started)
        return;
    atomic_store(&s->stopping, true);
    listener_wake(s->listener);
    pthread_mutex_lock(&s->lock);
    while (!s->quiet)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void source_close(void *source)
{
    struct listen_source *s = source;
    source_stop(s);
    if (s->started) {
        atomic_store(&s->closing, true);
        listener_wake(s->listener);
        pthread_join(s->thread, NULL);
    }
    size_t open = s->listener ? listener_unsettled(s->listener) : 0;
    if (open > 0)
        log_event(LOG_LEVEL_WARN, (const char *[]) { "source", "listen", NULL },
                  "%zu message%s not delivered to the end, nor acknowledged: the client%s again", open,
                  open == 1 ? " was" : "s were", open == 1 ? " sends it" : "s send them");
    listener_free(s->listener);
    if (s->clients)
        s->clients->close(s->clients);
    listen_conf_clear(&s->conf);
    thread_lock_clear(&s->lock, &s->changed);
    free(s);
}

const struct source_type source_listen = {
    .name = "listen",
    .doc = "accepts MQTT clients: a broker's bridge, or devices that do Basic Ingest",
    .options = listen_options,
    .option_count = LISTEN_OPTION_COUNT,
    .names_clients = names_clients,
    .open = source_open,
    .start = source_start,
    .settled = source_settled,
    .stop = source_stop,
    .close = source_close,
};
