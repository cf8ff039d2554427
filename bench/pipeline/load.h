/* SPDX-License-Identifier: Apache-2.0 */
/* The load: a thread that publishes the numbered messages as fast as the broker takes them, but never more than a window ahead of what
 * has come out at the other end, so that nobody on the way has to drop anything. QoS 1 messages count as given when the broker
 * has acknowledged them. */
#ifndef SLUICE_BENCH_LOAD_H
#define SLUICE_BENCH_LOAD_H

#include "bench/pipeline/sample.h"
#include "engine/base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_WINDOW_MAX 60000u /* packet ids */

struct load_plan {
    const char *host;
    uint16_t port;
    const char *tag;
    enum sample_kind kind;
    unsigned qos;
    size_t first, count;       /* messages first to first + count - 1 */
    size_t window;             /* without acknowledgement, and ahead of *done */
    double rate;               /* messages/s, evenly; 0: as fast as they are taken */
    const atomic_size_t *done; /* how many messages, those before `first` too, have come out; NULL: nobody looks */
};

struct load {
    struct load_plan plan;
    pthread_t thread;
    atomic_bool stop, ended;
    atomic_size_t given; /* to the broker */
    struct err e;        /* why it ended early; to be read after the join */
};

/* Connect and begin. What the plan points to is borrowed until load_join. */
int load_start(struct load *l, const struct load_plan *plan, struct err *e) MUST_CHECK;
static inline bool load_has_ended(const struct load *l)
{
    return atomic_load(&l->ended);
}
/* Wait for the end; `early` ends it now. -1 with e: it could not give all. */
int load_join(struct load *l, bool early, struct err *e) MUST_CHECK;

#endif
