/* SPDX-License-Identifier: Apache-2.0 */
/* Ruleset: all rules of a service, compiled. Immutable and reference-counted: a reload compiles the new one aside
 * and swaps one pointer; messages in flight finish on the ruleset that they began with. */
#ifndef SLUICE_FLOW_RULESET_H
#define SLUICE_FLOW_RULESET_H

#include "engine/base/err.h"
#include "engine/flow/router.h"
#include "engine/flow/target.h"
#include "sluice/source.h"
#include "sql/sql.h"

struct rule_def;
struct rule_stats;

struct rule_action {
    struct target *target;
    void *action;   /* from target->type->action_open */
    int *templates; /* indexes for sql_machine_render, in the order of template_add */
    size_t template_count;
    enum act_batching batching;
};

struct rule {
    char *name;
    uint32_t index; /* in ruleset->rules */
    struct sql_rule *sql;
    struct rule_action *actions;
    size_t action_count;
    struct rule_action *error_action; /* NULL: none */
    uint32_t filter_id;               /* of source_filter; 0: no FROM clause (Basic Ingest only) */
    struct rule_stats *stats;         /* lives longer than the ruleset: a rule keeps its counters over a reload */
};

struct ruleset {
    unsigned refs; /* atomic, by ruleset_ref and ruleset_unref only */
    struct sql_paths *paths;
    struct rule *rules; /* enabled ones only */
    size_t rule_count;
    struct router *router;
    struct source_filter *filters; /* distinct FROM filters, sorted by text */
    size_t filter_count;
    struct rule_def **defs; /* owned: the configuration trees that actions borrow from */
    size_t def_count;
};

struct stats_table; /* stats.h: rule name -> counters that outlive rulesets */

/* Compile rule definitions (takes them and their array, also on error). Every independent error goes to errs.
 * `stats` may be NULL (check, test). Returns owned with one reference, or NULL if there was an error, also one that
 * rule_file_read had found. Targets of the rules' actions are marked as used. Thread: control. */
struct ruleset *ruleset_compile(struct rule_def **defs, size_t count, struct targets *targets,
                                struct stats_table *stats, struct errs *errs);
struct ruleset *ruleset_ref(struct ruleset *rs);
void ruleset_unref(struct ruleset *rs);

#endif
