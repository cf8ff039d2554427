/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of rules, sources and targets, consistent at every instant:
 *
 *     per rule     matched  = filtered + failed + delivered + dead + dropped + in flight
 *     per source   received = unmatched + settled + in flight
 *                  received = retained + opened + absent + forged + replayed, if it opens
 *                             seals; but for what is the broker's own
 *
 * A rule's counters are sharded by worker. A run (one rule on one message) lives in one worker, so all its
 * transitions fall into one shard, each under that shard's short lock, and every shard satisfies the identity by
 * itself. A source counts arrivals in its own cell and each worker counts what it settled; a snapshot reads the
 * workers first, so nothing is settled that was not received. Counters outlive rulesets: a rule that a reload keeps
 * goes on counting. */
#ifndef SLUICE_FLOW_STATS_H
#define SLUICE_FLOW_STATS_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct action_type;
struct rule_stats; /* counters of one rule */
struct stats_table;

/* What became of a run. */
enum run_state {
    RUN_IN_FLIGHT,
    RUN_FILTERED,  /* the WHERE clause was not satisfied */
    RUN_FAILED,    /* the evaluation was aborted */
    RUN_DELIVERED, /* by every action, or the error action took it */
    RUN_DEAD,      /* in the dead-letter store */
    RUN_DROPPED,   /* lost for lack of memory */
    RUN_STATE_COUNT
};

/* types: all action types, NULL-terminated; must outlive the table. Returns owned, or NULL when memory is short. */
struct stats_table *stats_table_new(size_t workers, size_t sources, const struct action_type *const *types) MUST_CHECK;
void stats_table_free(struct stats_table *t);

/* The counters of a rule by name, made at first use. NULL when memory is short. Thread: control. */
struct rule_stats *stats_table_rule(struct stats_table *t, const char *name) MUST_CHECK;

/* Transitions. Thread: the worker of that number, except stats_source_*: the source's. Each takes one short lock. */
void stats_run_began(struct stats_table *t, size_t worker, struct rule_stats *r, enum run_state state,
                     bool parse_error);
/* Of a run that began without: its payload is not JSON. */
void stats_run_unparsed(struct stats_table *t, size_t worker, struct rule_stats *r);
void stats_run_ended(struct stats_table *t, size_t worker, struct rule_stats *r, enum run_state state);
void stats_action(struct stats_table *t, size_t worker, struct rule_stats *r, const struct action_type *type,
                  bool success);
void stats_error_action(struct stats_table *t, size_t worker, struct rule_stats *r, bool success);
void stats_settled(struct stats_table *t, size_t worker, size_t source);
void stats_source_matched(struct stats_table *t, size_t source, enum identity_state identity);
void stats_source_unmatched(struct stats_table *t, size_t source, enum identity_state identity, bool rule_not_found);
void stats_source_retained(struct stats_table *t, size_t source); /* a retained message that is not evaluated */

/* A copy of everything. Names are borrowed from the table, the targets and the sources. */
struct stats_action {
    const char *type;
    uint64_t success, failure;
};

struct stats_rule {
    const char *name;
    uint64_t matched;
    uint64_t state[RUN_STATE_COUNT];
    uint64_t parse_errors; /* messages whose payload the rule needed as JSON and that is not */
    uint64_t error_action_success, error_action_failure;
    struct stats_action *actions; /* by type, only those that were used */
    size_t action_count;
};

struct stats_source {
    const char *name;
    uint64_t received, unmatched, settled, in_flight;
    uint64_t rule_not_found;                 /* Basic Ingest to an unknown or disabled rule; also among unmatched */
    uint64_t retained;                       /* retained messages that were not evaluated; also among unmatched */
    uint64_t identity[IDENTITY_STATE_COUNT]; /* of the others: what their seals said */
};

struct stats_target {
    const char *name, *type;
    const char *state; /* "ok", "down", "refused", "delayed", "misconfigured" */
    char reason[256];  /* why it is not ok; empty otherwise */
    uint64_t waiting;  /* deliveries that it has not taken yet */
    uint64_t delivered, rejected;
    uint64_t retried; /* sends of a delivery after its first */
    uint64_t full;    /* how often its outbox reached its bound */
};

/* In bytes. */
struct stats_memory {
    uint64_t limit;    /* memory.limit; 0: none */
    uint64_t messages; /* of messages in flight */
    uint64_t results;  /* of outputs and parameters that are not final */
};

struct stats_snapshot {
    struct stats_rule *rules;
    struct stats_source *sources;
    struct stats_target *targets;
    size_t rule_count, source_count, target_count;
    struct stats_memory memory;
    struct stats_action *actions; /* what the rules' rows point into */
};

/* Fill rules and sources (names of sources are left NULL; memory is the flow's to fill). -1: memory. Thread: any. */
int stats_table_read(struct stats_table *t, struct stats_snapshot *s, struct err *e) MUST_CHECK;
void stats_snapshot_clear(struct stats_snapshot *s);
/* As one JSON object: {"rules":[…],"sources":[…],"targets":[…],"memory":{…}}. */
void stats_snapshot_write(const struct stats_snapshot *s, struct buf *out);

#endif
