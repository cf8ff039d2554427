/* SPDX-License-Identifier: Apache-2.0 */
/* The flow: sources, rules and targets at work.
 *
 *     struct flow *f = flow_new(&options, &targets, sources, count, &errs);       // takes the sources
 *     struct ruleset *rs = ruleset_compile(defs, n, &targets, NULL, &errs);     // may also come first
 *     flow_start(f, rs, &e);
 *     …
 *     size_t left = flow_drain(f, 10000);      // no more input; what is under way gets its time
 *     flow_read(f, &snapshot, &e);             // counters; after a drain, also what remained and where
 *     flow_stop(f);                            // what is not final stays unacknowledged
 *     flow_free(f);
 *
 * Threads, locks, and the order of starting and stopping: README.md of this folder. */
#ifndef SLUICE_FLOW_FLOW_H
#define SLUICE_FLOW_FLOW_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/flow/memory_plan.h"
#include "engine/flow/retry.h"
#include "engine/flow/ruleset.h"
#include "engine/flow/service_conf.h"
#include "engine/flow/stats.h"
#include "engine/flow/target.h"
#include "sluice/source.h"
#include "sql/sql.h"

#include <stddef.h>

struct flow;

struct flow_options {
    const struct clock *clock;
    size_t workers;            /* 0: one per core */
    size_t in_flight;          /* messages at most between source and settlement; at least 1 */
    struct memory_plan memory; /* zeros: no bounds in bytes */
    size_t outbox_items;       /* deliveries in an outbox from which on no new message is begun; at least 1 */
    struct retry retry;
    const char *dead_letters; /* path */
    const char *account_id;   /* NULL: accountid() gives zeros */
    struct sql_limits limits; /* zeros: defaults */
    /* Who answers what functions ask; NULL: they fail. Borrowed; to be closed between flow_stop and flow_free. */
    struct lookup_port *lookups;
    /* Every source has said that it has no more to give, and whether all of them could hand over all; may be NULL.
     * Called once, on the last one's thread. */
    void (*finished)(void *ctx, bool all);
    void *finished_ctx;
};

/* The workers that a flow has if so many are asked for (0: one per core). */
size_t flow_worker_count(size_t wanted);

/* A source that is open but not started. */
struct flow_source {
    const struct source_type *type;
    void *handle;
    const char *name; /* for counters and logs; borrowed until flow_free */
    enum ordering ordering;
};

/* Takes the sources' handles (on success). targets: opened; borrowed until flow_free, as the options' texts are.
 * Opens the dead-letter store. NULL after adding to errs. Thread: control, as all of the following. */
struct flow *flow_new(const struct flow_options *options, struct targets *targets, const struct flow_source *sources,
                      size_t count, struct errs *errs) MUST_CHECK;

/* Where rules count, for ruleset_compile. Rules that were compiled without counters get theirs when the flow takes
 * the ruleset. */
struct stats_table *flow_stats(struct flow *f);

/* Start outboxes, workers and, last, sources. Takes a reference to rs, which no other flow may have had. On error
 * everything is stopped again; only flow_free may follow. */
int flow_start(struct flow *f, struct ruleset *rs, struct err *e) MUST_CHECK;
/* Let new messages begin with another ruleset; those under way finish on theirs. Sources subscribe to new filters
 * before it is in force (at most some seconds, if a broker does not answer) and drop old ones after. Takes a
 * reference if it comes into force, which flow_ruleset tells: on error of a source it has, but some filter is not
 * subscribed; on any other the old one stays. */
int flow_set_ruleset(struct flow *f, struct ruleset *rs, struct err *e) MUST_CHECK;
/* The ruleset in force: borrowed until the next flow_set_ruleset or flow_free. After flow_start. */
const struct ruleset *flow_ruleset(const struct flow *f);

/* Stop the sources and wait until everything under way is final, or limit_ms have passed. Returns how many messages
 * are not; flow_read tells which rules (in flight) and targets (waiting, state, reason) they hang on. */
size_t flow_drain(struct flow *f, unsigned limit_ms);
/* Counters of now; also after flow_stop. Thread: any. */
int flow_read(struct flow *f, struct stats_snapshot *s, struct err *e) MUST_CHECK;
/* End all threads, sources first; a back-off ends at once, a send that runs is waited for. What is not final is not
 * settled. Sources then send their last acknowledgements and are closed. May be called again. */
void flow_stop(struct flow *f);
void flow_free(struct flow *f); /* stops it first */

/* Let every outbox look at the clock again: for tests that set it. Thread: any. */
void flow_wake(struct flow *f);

#endif
