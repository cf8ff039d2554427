/* SPDX-License-Identifier: Apache-2.0 */
/* What worker.c (the loop and the evaluation) and worker_fail.c (the error action and dead letters) share. */
#ifndef SLUICE_FLOW_WORKER_INT_H
#define SLUICE_FLOW_WORKER_INT_H

#include "engine/flow/held.h"
#include "engine/flow/notice.h"
#include "engine/flow/run.h"
#include "engine/flow/worker.h"

#define QUIET_MAX 8
#define SAY_RULES 16 /* rules whose numbers differ by a multiple of it share a notice */

struct worker {
    const struct worker_env *env;
    size_t number;
    struct queue queue;         /* normal: the lane; urgent: deliveries that come home */
    struct queue_chain backlog; /* taken from the lane, not begun */
    struct msg *messages;       /* begun and not settled, doubly linked */
    struct sql_machine *machine;
    struct run_pool pool;
    struct answer_box box;
    struct queue_chain urgent, put_off; /* answers: that are handled now, and that wait for the end of pressure */
    struct answers asked;               /* by the evaluation that goes on, before it has a run */
    struct answers *asking;             /* those of the evaluation that goes on */
    struct sql_lookups finds;           /* how it gets them */
    struct held held;
    struct outbox *quiet[QUIET_MAX]; /* have got deliveries and were not woken, */
    size_t quiet_count;
    uint64_t quiet_since_ms; /* since then */
    struct buf scratch;      /* resources of failed actions, while a document is written */
    struct notice failed[SAY_RULES], unparsed[SAY_RULES],
        dead[SAY_RULES]; /* how often the log speaks of them: by rule */
    pthread_t thread;
    bool started;
};

/* Render the templates of the delivery's action after a run of its rule. -1: aborted, or an answer is not there yet
 * (sql_machine_waits). */
int worker_render(struct worker *w, struct delivery *d, struct err *e) MUST_CHECK;
/* Mark a delivery as rejected before it was sent; its texts are empty. */
void worker_reject(struct delivery *d, const char *reason);
struct sql_env worker_sql_env(struct worker *w, const struct rule *rule);
/* Log an event of a rule on a message, unless the rule's notice says that the log has heard enough. reason may be NULL. */
void worker_say(struct worker *w, struct notice *notices, const struct rule *rule, const struct message *m,
                const char *what, const char *reason);
/* The run is final in this state: count it, free it, and settle its message if it was the last one. */
void worker_run_end(struct worker *w, struct run *run, enum run_state state);

/* --- worker_ask.c --- */

/* The evaluation that begins asks for this run; NULL: for one that there is not yet (w->asked). */
void worker_asks_for(struct worker *w, struct run *run);
/* How evaluations ask; NULL: they cannot. */
const struct sql_lookups *worker_lookups(struct worker *w);
/* The run waits for the answer to its last question: its message holds its key. */
void worker_wait(struct worker *w, struct run *run);
/* It does not wait any more: what was behind its message goes to the front of the backlog. */
void worker_wait_end(struct worker *w, struct run *run);

/* --- worker.c --- */

/* Evaluate the rule again, with one answer more. */
void worker_evaluate_again(struct worker *w, struct run *run);

/* --- worker_fail.c --- */

/* All deliveries of the run are back and at least one was rejected: the error action, else the dead-letter store. */
void worker_run_failed(struct worker *w, struct run *run);
/* The error action rejected it, too. */
void worker_run_dead(struct worker *w, struct run *run);

#endif
