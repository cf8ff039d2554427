/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of the broker: one `client` for each connection that authenticated, one `client_name` for each client id.
 *
 *     client_name "lamp1" ── next version, who left last and when ──► client (pending)  ──► client (connected)
 *
 * A client id can have two connections for a moment: at a take-over the new one authenticates before the old one is closed. A name is kept
 * for about an hour after its last connection, so that version numbers grow and a delayed will can be judged, within bounds:
 * the longest gone are forgotten first. The broker's thread alone uses this. */
#ifndef SLUICE_PLUGIN_CLIENTS_H
#define SLUICE_PLUGIN_CLIENTS_H

#include "engine/apps/mosquitto_plugin/subject.h"
#include "engine/devices/policy_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENTS_REMEMBER_MS    ((int64_t)3600 * 1000)
#define CLIENTS_REMEMBER_COUNT 100000
#define CLIENTS_REMEMBER_BYTES ((size_t)32 << 20)

enum client_state {
    CLIENT_PENDING,   /* let pass by us; the broker may still refuse it */
    CLIENT_CONNECTED, /* for certain */
};

/* Topic filters that wait to be told of in one event. */
struct client_filters {
    char **items;
    size_t count, cap;
};

struct client_name;

struct client {
    const void *handle; /* the broker's */
    struct subject *who;
    struct client_name *name;
    enum client_state state;
    char session_id[33];
    uint64_t version;
    struct client_filters subscribed, unsubscribed;
    struct policy_view *view; /* of who, under view_set; NULL: not asked for yet */
    const struct policy_set *view_set;
    struct client *next_by_handle, *next_of_name;
};

struct clients;

/* seed: of the hash of client ids, which clients choose. Returns owned, or NULL when memory is short. */
struct clients *clients_new(const uint64_t seed[2]) MUST_CHECK;
void clients_free(struct clients *t);

/* The connection of this handle, or NULL. */
struct client *clients_find(const struct clients *t, const void *handle);
/* A pending connection of who, taken on success; NULL when memory is short. The handle has none yet. */
struct client *clients_add(struct clients *t, const void *handle, struct subject *who) MUST_CHECK;
/* The connection is over; c is gone. The subject of a connected one stays with its name. */
void clients_remove(struct clients *t, struct client *c, int64_t now_ms);
/* The number for a connection of this name that begins now. */
uint64_t client_next_version(struct client *c);
/* Who had this client id last and left; NULL: nobody known. */
const struct subject *clients_departed(const struct clients *t, const char *client_id);

/* Visit the clients of some hash buckets from the one numbered `from`; returns the number to go on with, 0 when all were visited. What joins
 * or leaves meanwhile may be missed. */
size_t clients_visit(const struct clients *t, size_t from, size_t buckets, void (*visit)(void *ctx, struct client *c),
                     void *ctx);
size_t clients_count(const struct clients *t);
size_t clients_names(const struct clients *t);
/* Forget names that were not there for CLIENTS_REMEMBER_MS, and the longest gone beyond the bounds. */
void clients_forget(struct clients *t, int64_t now_ms);

/* Keep a copy of a filter; false when memory is short. */
bool client_filters_add(struct client_filters *f, const char *filter);
void client_filters_clear(struct client_filters *f);

#endif
