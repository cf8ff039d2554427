/* SPDX-License-Identifier: Apache-2.0 */
/* The port between a source and the store, so that the next process knows: what the session of a client of ours holds at its broker, and
 * which clients have a session with us. */
#ifndef SLUICE_SESSION_STORE_H
#define SLUICE_SESSION_STORE_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum session_filter_state {
    SESSION_FILTER_ASKED,   /* SUBSCRIBE was sent, or is about to be: the broker may have it */
    SESSION_FILTER_GRANTED, /* the broker has it */
    SESSION_FILTER_DROPPED, /* unsubscribed; its identifier is used up as long as the session lives */
};

struct session_filter {
    const char *filter; /* as it is sent, NUL-terminated */
    uint32_t id;        /* Subscription Identifier, 0: none */
    uint8_t qos;        /* that was asked for */
    enum session_filter_state state;
};

/* The sessions that clients have with one listener. One thread at a time; may wait for the disk a little, not for a lock of another process
 * longer than a tenth of a second. */
struct client_store {
    /* Call each(ctx, client id, its length, seconds that the session outlives its connection) for all that are kept. */
    int (*load)(struct client_store *store, void (*each)(void *ctx, const char *id, size_t len, uint32_t expiry_s),
                void *ctx, struct err *e);
    /* Keep it, or with 0 seconds no more. When it returns 0 a death of the process forgets nothing; a death of the machine may. */
    int (*keep)(struct client_store *store, const char *id, size_t len, uint32_t expiry_s, struct err *e);
    void (*close)(struct client_store *store);
};

struct session_store {
    /* Call each(ctx, filter) for all that is kept of the session; filter is borrowed during the call. -1: the store cannot be read.
     * session: text that names it, here and at the next start. Thread: any; may wait for the disk. */
    int (*load)(struct session_store *store, const char *session,
                void (*each)(void *ctx, const struct session_filter *f), void *ctx, struct err *e);
    /* Keep this instead, durably when it returns 0. Thread: any; may wait for the disk. */
    int (*replace)(struct session_store *store, const char *session, const struct session_filter *list, size_t count,
                   struct err *e);
    /* listener: text that names it, here and at the next start. Returns owned (its close), or NULL. Thread: any. */
    struct client_store *(*clients)(struct session_store *store, const char *listener, struct err *e);
};

#endif
