/* SPDX-License-Identifier: Apache-2.0 */
/* Run: one rule on one message that matched, with its output and its deliveries, until all of them are final. Runs
 * and deliveries come from their worker's pool and go back to it with their buffers, so a warm worker takes nothing
 * from the heap. Owned by the worker, but for the deliveries that are out. */
#ifndef SLUICE_FLOW_RUN_H
#define SLUICE_FLOW_RUN_H

#include "engine/base/buf.h"
#include "engine/flow/answers.h"
#include "engine/flow/delivery.h"
#include "engine/flow/msg.h"
#include "engine/flow/pressure.h"
#include "engine/flow/ruleset.h"

#include <stdbool.h>
#include <stddef.h>

struct run {
    struct msg *msg;
    const struct rule *rule;
    struct run *previous, *next;   /* of the same message; next also of the pool's free ones */
    struct delivery *first, *last; /* its deliveries, in order of creation */
    size_t pending;                /* of them are out */
    struct buf body;               /* the output; later the error document or the dead letter */
    bool body_is_json;
    size_t weight;          /* bytes that the pressure counts for it */
    struct answers answers; /* to what its rule has asked */
    bool unparsed;          /* counted: the payload is not JSON */
    bool failed;            /* its actions are back: the answers are for its error action */
};

struct run_pool {
    struct queue *home; /* where deliveries return to */
    struct run *runs;
    struct delivery *deliveries;
    size_t run_count, delivery_count;
    struct pressure *pressure;
    size_t kept_bytes, kept_max; /* of the buffers of free ones */
};

/* kept_max: bytes of buffers that are kept for reuse, at most. pressure is borrowed. */
void run_pool_init(struct run_pool *p, struct queue *home, struct pressure *pressure, size_t kept_max);
void run_pool_clear(struct run_pool *p);

/* A run of the message, which then waits for it (msg.open). NULL: memory. */
struct run *run_open(struct run_pool *p, struct msg *m, const struct rule *rule) MUST_CHECK;
/* Give back the run and its deliveries; none may be out (unless the whole flow has stopped). Leaves msg.open to the
 * caller. */
void run_close(struct run_pool *p, struct run *run);
/* Give back its deliveries alone, and forget its output: it is to be evaluated again. None may be out. */
void run_empty(struct run_pool *p, struct run *run);
/* Let the pressure know what the run and its deliveries hold by now: after they were filled, before one leaves. */
void run_weigh(struct run_pool *p, struct run *run);
/* Give back the last delivery. */
void run_drop_last(struct run_pool *p, struct run *run);
/* A delivery of the run with room for text_count texts. Its body is the run's as it is now; item.texts and place.key
 * are set. NULL: memory. */
struct delivery *run_add(struct run_pool *p, struct run *run, enum delivery_role role, const struct rule_action *action,
                         size_t text_count) MUST_CHECK;

#endif
