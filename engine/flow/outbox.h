/* SPDX-License-Identifier: Apache-2.0 */
/* Outbox: everything that waits for one target, and the thread that sends it.
 *
 *     workers ──push──► intake ──► ready ──► batch ──send──► DONE, REJECTED ──► home (the worker)
 *                                  ▲   │        │
 *                                  │   └────────┴──LATER──► park (by key, until due)
 *                                  └───────────────────────────┘
 *
 * The lane takes whatever has gathered as soon as it is free, so batches grow with load and nobody waits for a timer.
 * An item that answered LATER is tried again after a back-off and holds back later items of its key; other keys go
 * on. When the lane breaks (send returned -1) it is closed, everything stays in order, and it is opened again after a
 * back-off. The thread waits on its own intake only. */
#ifndef SLUICE_FLOW_OUTBOX_H
#define SLUICE_FLOW_OUTBOX_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/flow/delivery.h"
#include "engine/flow/pressure.h"
#include "engine/flow/retry.h"
#include "engine/flow/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stats_target;

struct outbox_conf {
    const struct clock *clock;
    struct retry retry;
    size_t bound; /* deliveries from which on there is pressure */
    struct pressure *pressure;
    uint64_t seed;      /* of the jitter */
    bool never_rejects; /* REJECTED counts as LATER: the dead-letter store */
};

/* The target's configuration is borrowed until outbox_free. NULL: memory. */
struct outbox *outbox_new(const struct outbox_conf *conf, const struct target *target, struct err *e) MUST_CHECK;
int outbox_start(struct outbox *o, struct err *e) MUST_CHECK;

/* Add a delivery with place.key, item (but for its results) and home filled. The outbox takes it and gives it back to
 * home once item.result is ACT_DONE or ACT_REJECTED. Never blocks, also above the bound. Once closed it forgets what
 * comes: nothing is settled any more, and the memory is its worker's anyway. Thread: any worker. */
void outbox_push(struct outbox *o, struct delivery *d);
/* The same without waking its thread: for many in a row. outbox_nudge must follow soon. Thread: any worker. */
void outbox_push_quietly(struct outbox *o, struct delivery *d);
void outbox_nudge(struct outbox *o);

void outbox_wake(struct outbox *o); /* look at the clock again (tests that set it). Thread: any. */
/* Ask the thread to end, also out of a back-off or a send that takes long; deliveries stay where they are. Thread:
 * control. */
void outbox_close(struct outbox *o);
/* Wait until the thread has ended. Thread: control. */
void outbox_join(struct outbox *o);
/* Forgets the deliveries that it still holds: they are their workers' to free. */
void outbox_free(struct outbox *o);

size_t outbox_waiting(const struct outbox *o);
void outbox_read(struct outbox *o, struct stats_target *to); /* Thread: any. */

#endif
