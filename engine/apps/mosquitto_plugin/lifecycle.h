/* SPDX-License-Identifier: Apache-2.0 */
/* Lifecycle events: who connected, left, subscribed and unsubscribed, as messages on $aws/events/… (AWS IoT Core's "lifecycle events").
 *
 * The broker has no event for any of it, so a state machine infers them from what it has: an authentication, access checks, a
 * disconnect, and a tick at the end of each round of its loop.
 *
 *     authentication ──► pending ──► connected ──► gone
 *                           │  (1)        │  (2)
 *                           └─► refused   └─► "disconnected" with a reason
 *
 *     (1) at the next tick, at the next authentication of anybody (the broker has finished with this one by then), or when the
 *         client subscribes or publishes
 *     (2) while another connection of the same client id is pending, the reason is DUPLICATE_CLIENTID: a take-over authenticates the new
 *         client before it closes the old one
 *
 * Pure: time, randomness and publishing come from outside. The broker's thread alone uses it. */
#ifndef SLUICE_PLUGIN_LIFECYCLE_H
#define SLUICE_PLUGIN_LIFECYCLE_H

#include "engine/apps/mosquitto_plugin/clients.h"
#include "engine/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a connection ended, as far as the broker lets one see. */
enum lifecycle_end {
    END_UNKNOWN,   /* nothing says why: CONNECTION_LOST, unless the log said more */
    END_BY_CLIENT, /* the client sent DISCONNECT */
    END_BY_RELOAD, /* the broker found it no longer welcome when it read its configuration again */
    END_REFUSED,   /* it never was connected */
};

struct lifecycle_port {
    void *ctx;
    /* Publish with QoS 1, not retained. topic ends in NUL. */
    void (*publish)(void *ctx, const char *topic, const char *payload, size_t len);
    struct clock clock;
    uint64_t seed; /* of session identifiers */
};

struct lifecycle;

/* clients is borrowed. is_told: events are published; else only the states of clients are kept. Returns owned, or NULL when memory is short. */
struct lifecycle *lifecycle_new(struct clients *clients, const struct lifecycle_port *port, bool is_told) MUST_CHECK;
void lifecycle_free(struct lifecycle *l);

/* A client was let pass by this plugin: who is taken on success. The broker may still refuse it. NULL when memory is short. */
struct client *lifecycle_authenticated(struct lifecycle *l, const void *handle, struct subject *who) MUST_CHECK;
/* It does what only a connected client can do. */
void lifecycle_is_active(struct lifecycle *l, struct client *c);
/* A topic filter of a SUBSCRIBE was allowed, or one of an UNSUBSCRIBE came. */
void lifecycle_subscribed(struct lifecycle *l, struct client *c, const char *filter);
void lifecycle_unsubscribed(struct lifecycle *l, struct client *c, const char *filter);
/* The connection is over; c is gone. */
void lifecycle_ended(struct lifecycle *l, struct client *c, enum lifecycle_end end);
/* A round of the broker's loop is over. */
void lifecycle_tick(struct lifecycle *l);

/* A line of the broker's log, as $SYS/broker/log carries it: "1700000000: Client lamp1 closed its connection." It comes right
 * before the disconnect that it explains. */
void lifecycle_log_line(struct lifecycle *l, const char *line, size_t len);

#endif
