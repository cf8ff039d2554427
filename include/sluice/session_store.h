/* SPDX-License-Identifier: Apache-2.0 */
/* The port between a source and the store: what the session of a client holds at its broker, so that the next process knows. */
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

struct session_store {
    /* Call each(ctx, filter) for all that is kept of the session; filter is borrowed during the call. -1: the store cannot be read.
     * session: text that names it, here and at the next start. Thread: any; may wait for the disk. */
    int (*load)(struct session_store *store, const char *session,
                void (*each)(void *ctx, const struct session_filter *f), void *ctx, struct err *e);
    /* Keep this instead, durably when it returns 0. Thread: any; may wait for the disk. */
    int (*replace)(struct session_store *store, const char *session, const struct session_filter *list, size_t count,
                   struct err *e);
};

#endif
