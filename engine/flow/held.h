/* SPDX-License-Identifier: Apache-2.0 */
/* Held: messages of one worker that wait behind one of their key whose rules wait for an answer. Other keys go on.
 * Allocates nothing. Owned by one thread. */
#ifndef SLUICE_FLOW_HELD_H
#define SLUICE_FLOW_HELD_H

#include "engine/flow/msg.h"

#define HELD_BUCKETS 1024 /* keys are hashes already; a power of two */

/* Zero-initialised is empty. */
struct held {
    struct msg *buckets[HELD_BUCKETS]; /* messages that hold their key, chained by held_next */
    size_t count;
};

/* The message waits: it holds its key from now on. Key 0 holds nothing. */
void held_begin(struct held *h, struct msg *m);
/* Its key is held: the message has been put behind. False (nothing done): it may be handled. */
bool held_behind(struct held *h, struct msg *m);
/* The message waits no more: what is behind it, in order, to the end of out. */
void held_end(struct held *h, struct msg *m, struct queue_chain *out);

#endif
