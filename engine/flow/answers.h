/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: what one run has asked of the outside world, and what it heard. A run asks its next question only when it
 * has the answer to the one before, so at most one is pending.
 *
 *     answers_find ──► known ──► its text
 *          └─ new ──► the port ──► at once, or later into the worker's box ──► the run is evaluated again */
#ifndef SLUICE_FLOW_ANSWERS_H
#define SLUICE_FLOW_ANSWERS_H

#include "engine/base/err.h"
#include "engine/flow/queue.h"
#include "sluice/lookup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

/* Where a worker's answers come in. */
struct answer_box {
    struct lookup_port *port;
    pthread_mutex_t lock;
    struct queue_chain come; /* guarded by lock */
    atomic_size_t count;     /* of it, to be read without the lock */
    struct queue *wake;      /* the worker's */
};

/* One question and its answer. */
struct answer {
    struct lookup lookup;
    struct queue_link link; /* in the box */
    struct answer *next;    /* of the same run */
    struct answer_box *box;
    struct run *run; /* that waits for it; NULL: nobody does any more */
    uint64_t site;
    char text[]; /* function, NUL, arguments */
};

/* A run's. Zero-initialised is empty. Owned by the worker. */
struct answers {
    struct answer *first, *last;
    struct answer *pending;
};

int answer_box_init(struct answer_box *b, struct lookup_port *port, struct queue *wake, struct err *e) MUST_CHECK;
void answer_box_clear(struct answer_box *b); /* nothing is pending any more; frees what has come */

/* The answer to a question; asks the port if it is new. As sql_lookups.find: *text lives as long as the answers. */
enum lookup_outcome answers_find(struct answers *a, struct answer_box *box, uint64_t site,
                                 const struct lookup_question *question, const char **text, size_t *len);
/* The pending one, if any, is awaited by this run. */
void answers_await(struct answers *a, struct run *run);
/* Forget all; a pending one is freed when it comes. */
void answers_clear(struct answers *a);

/* The next answer that has come, for answer->run (NULL: none has). One that nobody waits for is freed instead. */
struct answer *answer_box_take(struct answer_box *b);

#endif
