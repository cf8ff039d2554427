/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files: read one or more rules from YAML or JSON into definitions, with the place of everything.
 *
 * Accepted, in either syntax: ours (one rule as a map, or a list of them), a TopicRulePayload (without ruleName the
 * name is the file's stem), what `aws iot get-topic-rule` prints ({"ruleArn": …, "rule": {…}}), and a
 * CreateTopicRule body with "ruleName" and "topicRulePayload". Absent awsIotSqlVersion means 2015-10-08 in `.json`,
 * 2016-03-23 elsewhere. */
#ifndef SLUICE_FLOW_RULE_FILE_H
#define SLUICE_FLOW_RULE_FILE_H

#include "engine/base/conf.h"
#include "sql/version.h"

#include <stdbool.h>

#define RULE_MAX_ACTIONS 10
#define RULE_MAX_BYTES   131072 /* SQL, actions and the like as JSON; tests do not count */
#define RULE_NAME_MAX    128

/* An action is a map with exactly one member, its type, whose value is a map. (rule_file_read sees to it, or marks
 * the definition.) */
struct rule_def {
    struct conf *root;      /* owned by the definition; several rules of one file share it (see root_shared) */
    unsigned *root_refs;    /* how many definitions hold root; the last one frees it */
    const struct conf *map; /* the rule's own map */
    char *name;             /* "" if it has none, which is an error */
    struct span name_at;    /* of ruleName, or of the whole rule when the name is the file's stem */
    struct src *sql;        /* the statement as a text of its own; owned; empty if it is missing, which is an error */
    enum sql_version version;
    bool version_is_default; /* awsIotSqlVersion was absent */
    bool disabled;
    bool sql_is_missing;
    bool has_errors;                 /* errors were reported already: the rest can be checked, but not used */
    const struct conf *actions;      /* list, or NULL */
    const struct conf *error_action; /* map with one member, or NULL */
    const struct conf *tests;        /* list, or NULL */
};

/* Read a file, or every *.yaml, *.yml, *.json in a folder (sorted by name, not recursive, without names that begin
 * with a dot). Appends to *defs (heap, grown as needed), also definitions with errors, so that ruleset_compile can
 * find the other ones. Every independent error goes to errs; 0 if there was none. */
int rule_file_read(const char *path, struct rule_def ***defs, size_t *count, struct errs *errs);
void rule_def_free(struct rule_def *def);

#endif
