/* SPDX-License-Identifier: Apache-2.0 */
/* One statement with a machine of its own, for the commands that evaluate without a flow: eval and test. */
#ifndef SLUICE_APP_EVALUATE_H
#define SLUICE_APP_EVALUATE_H

#include "engine/apps/sluice/mock.h"
#include "sql/sql.h"

struct evaluator {
    struct sql_paths *paths;
    struct src *src;
    struct sql_rule *rule;
    struct sql_machine *machine;
    struct mock mock; /* what functions get that ask the outside world */
};

/* Compile; -1 after adding to errs (or memory is short). Close in either case. */
int evaluator_open(struct evaluator *ev, const char *name, const char *sql, size_t len, enum sql_version version,
                   struct errs *errs);
void evaluator_close(struct evaluator *ev);

/* Would the router give this topic to the rule? A Basic Ingest topic goes to the rule that it names, whatever its FROM. */
bool evaluator_matches_topic(const struct evaluator *ev, const char *rule_name, const char *topic, size_t len);

/* What functions answer that is not in the message. Valid as long as the evaluator. */
struct sql_env evaluator_env(struct evaluator *ev, const char *rule_name);

/* Begin on the message, run, and append the output if it matched. */
enum sql_outcome evaluator_run(struct evaluator *ev, const char *rule_name, const struct message *message,
                               struct buf *out, bool *is_json, struct err *e);

/* The same run, told: see sql_rule_trace. Nothing is left to append. */
enum sql_outcome evaluator_trace(struct evaluator *ev, const char *rule_name, const struct message *message,
                                 struct buf *out, struct err *e);

#endif
