/* SPDX-License-Identifier: Apache-2.0 */
/* The port between sources and the flow.
 *
 * A source turns what arrives into messages and hands each to the sink with a token. The flow gives the token back through
 * `settled` when the last delivery of the message is final; only then may the source acknowledge. A source's own thread is the only one that
 * reads or acknowledges on its connections. */
#ifndef SLUICE_SOURCE_H
#define SLUICE_SOURCE_H

#include "sluice/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct authorizer;
struct clock;
struct conf;
struct err;
struct errs;
struct opt;
struct session_store;

/* A topic filter to subscribe to. With MQTT 5 each is subscribed with its own Subscription Identifier `id` (1 to 268,435,455), which is the
 * same in every process for the same filter text unless two texts collide. */
struct source_filter {
    const char *filter; /* NUL-terminated */
    uint32_t id;
};

/* What a source found out about the publisher by the seal of a message; the flow counts it. */
enum identity_state {
    IDENTITY_UNASKED, /* the source opens no seals */
    IDENTITY_OPENED,
    IDENTITY_ABSENT,
    IDENTITY_FORGED,
    IDENTITY_REPLAYED,
    IDENTITY_STATE_COUNT
};

/* One message as a source hands it over. All borrowed during the call; the flow copies. */
struct source_message {
    struct message message; /* arrival_ms and seed are filled by the sink when 0 */
    uint64_t token;         /* the source's own */
    const uint32_t
        *filter_ids; /* MQTT 5: the Subscription Identifiers this copy carries: only rules of these filters see it */
    size_t filter_id_count; /* 0: all rules whose filter matches */
    const char *seal;       /* who published, as it arrived, sealed; NULL: it did not. The flow overlooks it */
    size_t seal_len;
    enum identity_state identity;
};

enum sink_answer {
    SINK_TAKEN, /* the flow has it and will settle the token */
    SINK_FULL,  /* too much in flight: not taken; wait for room and hand it over again */
    SINK_CLOSED /* the flow is stopping: not taken, will not be settled */
};

struct source_sink {
    enum sink_answer (*submit)(struct source_sink *sink,
                               const struct source_message *m); /* Thread: the source's. Never blocks. */
    /* Further messages follow at once (on), or have been submitted (off): until then the flow need not begin with
     * them, so that it wakes nobody for each. Thread: the source's. */
    void (*gather)(struct source_sink *sink, bool on);
    /* Wait until there may be room, the flow stops, or the time has passed. Thread: the source's. */
    void (*wait_room)(struct source_sink *sink, unsigned timeout_ms);
    /* A message came that is not to be evaluated (retained: ignore): count it. Thread: the source's. */
    void (*ignored)(struct source_sink *sink);
    /* The source has no more to give (replay at the end of its input); all: it could hand over everything that it had.
     * Thread: the source's. */
    void (*finished)(struct source_sink *sink, bool all);
};

struct source_env {
    const struct clock *clock;
    size_t memory; /* bytes that a source may hold of what it has read and not handed over; 0: no bound */
    struct session_store
        *sessions; /* what sessions hold at brokers; NULL: nobody remembers. There from start to close */
    struct authorizer *authorizer; /* what clients of ours may do; NULL: everything. There from start to close */
};

struct source_type {
    const char *name; /* "mqtt", "replay": member name in sluice.yaml's `sources` */
    const char *doc;
    const struct opt *options;
    size_t option_count;

    /* Do its messages, with these options, carry the publisher's client id? NULL: never. Thread: main. */
    bool (*names_clients)(const struct conf *conf);
    /* The type that serves these options in this one's place (mqtt over WebSocket). May be NULL: always this one.
     * Thread: main. */
    const struct source_type *(*variant)(const struct conf *conf);
    /* Check and keep the configuration (conf: map, borrowed until close). NULL after adding to errs. Thread: main. */
    void *(*open)(const struct conf *conf, const struct source_env *env, struct errs *errs);
    /* Warnings that depend on the rules' filters ("3.1.1: `a/#` and `a/+/c` overlap, subscribed as `a/#`"). May be NULL. */
    void (*check)(void *source, const struct source_filter *filters, size_t count, struct errs *errs);
    /* Start the source's thread. A broker that is down is no error: it is tried again. Filters are copied. Thread: control. */
    int (*start)(void *source, struct source_sink *sink, const struct source_filter *filters, size_t count,
                 struct err *e);
    /* Subscribe to new filters, then drop the ones that are gone. Thread: control. May be NULL (replay). */
    int (*set_filters)(void *source, const struct source_filter *filters, size_t count, struct err *e);
    /* Has that been done? True while there is no connection, for then nothing comes. Thread: control. May be NULL:
     * set_filters does it at once. */
    bool (*filters_are_set)(void *source);
    /* The message of this token is final. May come before submit has returned, and from inside submit (a message that no rule wants), so
     * submit is called without a lock that this takes. Thread: any; never blocks. */
    void (*settled)(void *source, uint64_t token);
    /* Stop reading; tokens may still be settled. Returns when no further submit will come. Thread: control. */
    void (*stop)(void *source);
    /* Send the acknowledgements of what was settled, disconnect, free. Thread: control. */
    void (*close)(void *source);
};

#endif
