/* SPDX-License-Identifier: Apache-2.0 */
/* Gate: how many messages are between source and settlement, of how many bytes, and the bounds on both. Everything
 * else in the flow is bounded through it: lanes hold at most what passed the gate, outboxes at most its deliveries. */
#ifndef SLUICE_FLOW_GATE_H
#define SLUICE_FLOW_GATE_H

#include "engine/base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct gate {
    size_t max, max_bytes;
    atomic_size_t count, bytes;
    atomic_uint waiting; /* threads in gate_wait_*: only then a leaver takes the lock */
    atomic_bool closed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

enum gate_answer { GATE_IN, GATE_FULL, GATE_CLOSED };

/* max_bytes 0: no bound on them. */
int gate_init(struct gate *g, size_t max, size_t max_bytes, struct err *e) MUST_CHECK;
void gate_clear(struct gate *g);

/* A message of so many bytes comes in; the only one always may, however large it is. Thread: any. Never blocks, takes
 * g->lock only if it is FULL and somebody waits. */
enum gate_answer gate_enter(struct gate *g, size_t size);
/* With the size that it came in with. Thread: any. Takes g->lock only while somebody waits. */
void gate_leave(struct gate *g, size_t size);
size_t gate_count(const struct gate *g);
size_t gate_bytes(const struct gate *g);

/* Wait until there is room for such a message, the gate is closed, or the time has passed. always: do not return at
 * once because there is room (after memory ran short). */
void gate_wait_room(struct gate *g, size_t size, unsigned timeout_ms, bool always);
/* Wait until nothing is in, or the time has passed; returns what is still in. */
size_t gate_wait_empty(struct gate *g, unsigned timeout_ms);
void gate_close(struct gate *g); /* nobody enters any more; who waits for room returns */

#endif
