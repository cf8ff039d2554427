/* SPDX-License-Identifier: Apache-2.0 */
/* Arrivals: the receiving half of an MQTT session, the same at both ends: PUBLISH packets to messages, PUBREL, and
 * the acknowledgements of both. What came before (CONNECT, SUBSCRIBE) is the business of session.h and of the
 * listener's served.h.
 *
 * On the hot path: after warm-up nothing is allocated per packet; texts are borrowed from the read buffer. */
#ifndef SLUICE_MQTT_ARRIVALS_H
#define SLUICE_MQTT_ARRIVALS_H

#include "engine/base/buf.h"
#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/packet.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arrivals_alias {
    char *topic; /* NULL: not told yet */
    size_t len, cap;
};

struct arrivals {
    unsigned level;  /* PACKET_LEVEL_311 or _5 */
    uint64_t key[2]; /* of the fingerprints: random */
    struct ack_window *window;
    struct arrivals_alias *aliases; /* alias n is at n - 1 */
    uint16_t alias_max;             /* what we told the peer */
    struct user_property *properties;
    size_t property_cap;
    uint32_t *ids;
    size_t id_cap;
    struct buf texts; /* what must be NUL-terminated */
    bool (*may_publish)(void *ctx, struct packet_text topic,
                        bool retain); /* NULL: everything; asked before anything is noted */
    void *may_ctx;
};

enum arrival {
    ARRIVAL_MESSAGE, /* *m is to be handed over; its token is 0 for QoS 0 (nothing to settle) */
    ARRIVAL_KNOWN,   /* came again; nothing to do */
    ARRIVAL_FAULT,   /* the peer broke a rule, or may not publish this: *fault */
    ARRIVAL_MEMORY,  /* nothing was taken; the packet may be given again */
};

/* alias_max: topic aliases that we allow. -1: memory. */
int arrivals_init(struct arrivals *a, struct ack_window *window, uint16_t alias_max, struct err *e) MUST_CHECK;
void arrivals_clear(struct arrivals *a);
/* A new connection: topic aliases are forgotten, and the window begins anew. */
void arrivals_begin(struct arrivals *a, unsigned level, bool session_present);

/* A PUBLISH that was decoded. m borrows from the packet's bytes and from a until the next call; who published is left NULL, but its seal. */
enum arrival arrivals_publish(struct arrivals *a, const struct packet *p, struct source_message *m,
                              struct packet_fault *fault) MUST_CHECK;
/* A PUBREL: appends PUBCOMP. */
void arrivals_release(struct arrivals *a, const struct packet *p, struct buf *out);

#endif
