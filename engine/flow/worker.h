/* SPDX-License-Identifier: Apache-2.0 */
/* Worker: a lane of messages and the thread that evaluates the rules on them.
 *
 *     lane ──► evaluate every rule ──► deliveries ──► outboxes
 *     lane ◄── deliveries come home (urgent band) ◄──────┘
 *
 * Every decision about a message falls on its worker: evaluation, counting, the error action, dead letters,
 * settlement. So none of it needs a lock or an atomic, and the counters of a run change in one place. The thread
 * waits on its lane only. */
#ifndef SLUICE_FLOW_WORKER_H
#define SLUICE_FLOW_WORKER_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/flow/dead_letter.h"
#include "engine/flow/gate.h"
#include "engine/flow/msg.h"
#include "engine/flow/outbox.h"
#include "engine/flow/stats.h"
#include "sql/sql.h"

#include <stdbool.h>
#include <stddef.h>

/* What all workers share; unchanged while they run. */
struct worker_env {
    const struct clock *clock;
    const char *account_id;
    struct lookup_port *lookups; /* NULL: functions that ask the outside world fail */
    struct sql_limits limits;
    struct stats_table *stats;
    struct gate *gate; /* left when a message is settled */
    struct pressure *pressure;
    size_t kept_bytes; /* buffers that a worker keeps for reuse, at most */
    struct dead_letter *dead_letter;
};

struct worker;

/* number: of its counters. lane_max: the gate's bound, so a lane never refuses. env is borrowed. NULL: memory. */
struct worker *worker_new(const struct worker_env *env, size_t number, size_t lane_max, struct err *e) MUST_CHECK;
int worker_start(struct worker *w, struct err *e) MUST_CHECK;

/* Hand over a message; its counters say already that it is in flight. Never blocks. False: closed, the caller keeps
 * it. Thread: any. */
bool worker_push(struct worker *w, struct msg *m) MUST_CHECK;
/* The same without waking it; worker_nudge must follow soon. */
bool worker_push_quietly(struct worker *w, struct msg *m) MUST_CHECK;
void worker_nudge(struct worker *w); /* Thread: any. */
void worker_wake(struct worker *w);  /* there may be no more pressure. Thread: any. */
/* Ask the thread to end: it still handles the deliveries that are home, and leaves the rest. Thread: control. */
void worker_close(struct worker *w);
void worker_join(struct worker *w); /* Thread: control. */
/* Frees its messages that are not final too, without settling them; no outbox may run any more. Thread: control. */
void worker_free(struct worker *w); /* the port of look-ups must be closed */

#endif
