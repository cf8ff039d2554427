/* SPDX-License-Identifier: Apache-2.0 */
/* The bare subscriber: a thread that reads what the broker sends and does nothing with it but count, and acknowledge QoS 1. The
 * least that anything behind this broker can cost. */
#ifndef SLUICE_BENCH_BARE_SUBSCRIBER_H
#define SLUICE_BENCH_BARE_SUBSCRIBER_H

#include "bench/pipeline/tally.h"
#include "engine/base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct bare_subscriber;

struct bare_subscriber_plan {
    const char *host;
    uint16_t port;
    const char *client_id, *filter;
    unsigned qos;
    struct tally *tally; /* each payload is noted there, by the thread; NULL: only counted */
};

/* Connects with MQTT 5, subscribes and begins. The tally is borrowed until bare_subscriber_stop. Returns owned, or NULL. */
struct bare_subscriber *bare_subscriber_start(const struct bare_subscriber_plan *plan, struct err *e) MUST_CHECK;
/* Messages that arrived so far. */
const atomic_size_t *bare_subscriber_received(const struct bare_subscriber *s);
/* Ends it and frees it. -1 with e: its connection had broken. NULL is none. */
int bare_subscriber_stop(struct bare_subscriber *s, struct err *e) MUST_CHECK;

#endif
