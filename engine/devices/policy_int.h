/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the policy engine share: patterns with variables, conditions, statements. */
#ifndef SLUICE_DEVICES_POLICY_INT_H
#define SLUICE_DEVICES_POLICY_INT_H

#include "engine/devices/policy.h"

#include <stdint.h>

#define POLICY_VALUE_MAX 1024u /* bytes of a thing's or a certificate's value that may stand for a variable */

/* --- variables (policy_variable.c) --- */

enum policy_variable_kind {
    VARIABLE_NONE, /* a name that nothing has: never a value */
    VARIABLE_CLIENT_ID,
    VARIABLE_SOURCE_IP,
    VARIABLE_THING_NAME,
    VARIABLE_THING_TYPE,
    VARIABLE_ATTRIBUTE,
    VARIABLE_IS_ATTACHED,
    VARIABLE_CERTIFICATE,      /* the index-th value of `name` */
    VARIABLE_CERTIFICATE_LIST, /* all of them; in conditions only */
    VARIABLE_AVAILABLE_KEYS,   /* names of the certificate's variables; in conditions only */
};

struct policy_variable {
    enum policy_variable_kind kind;
    struct policy_text
        name; /* of the attribute, or of the certificate's variable; points into the text that it was read from */
    size_t index;
};

/* Read "iot:ClientId" and its like; case does not count, but in an attribute's name. */
struct policy_variable policy_variable_read(const char *name, size_t len);
/* The names without parameters, for "did you mean"; NULL-terminated. */
extern const char *const policy_variable_names[];
/* The value that may stand in a pattern; p NULL: none. */
struct policy_text policy_variable_value(const struct policy_variable *v, const struct policy_context *c);
/* The values of a condition's key, one at a time from *at = 0: p NULL at the end. */
struct policy_text policy_variable_next(const struct policy_variable *v, const struct policy_context *c, size_t *at);

/* --- patterns (policy_pattern.c) --- */

enum policy_piece_kind { PIECE_TEXT, PIECE_ANY, PIECE_STAR, PIECE_VARIABLE };

struct policy_piece {
    enum policy_piece_kind kind;
    struct policy_text text; /* PIECE_TEXT; of a variable as it is written, "${…}", which stays where it has no value */
    struct policy_variable variable;
};

struct policy_pattern {
    char *text; /* owned; pieces point into it */
    struct policy_piece *pieces;
    size_t count;
};

enum {
    PATTERN_WILD = 1,      /* `*` and `?` are wildcards */
    PATTERN_VARIABLES = 2, /* `${…}` are variables */
};

/* Compile the text of a scalar. -1 after adding to errs: a variable that does not end; unknown ones are warnings. */
int policy_pattern_read(struct policy_pattern *p, const struct conf *scalar, unsigned flags, struct errs *errs);
void policy_pattern_clear(struct policy_pattern *p);
/* Does it match the whole text? is_cased: case counts. Iterative, without memory of its own. */
bool policy_pattern_matches(const struct policy_pattern *p, const struct policy_context *c, struct policy_text text,
                            bool is_cased);
/* Write what the pattern stands for, without wildcards, to out; its length, or more than size: it does not fit. */
size_t policy_pattern_expand(const struct policy_pattern *p, const struct policy_context *c, char *out, size_t size);

/* --- conditions (policy_condition.c) --- */

struct policy_condition;

/* Compile `Condition: { Operator: { Key: value-or-list } }`. is_variable: `${…}` counts. Returns owned, a list; *failed on errors. */
struct policy_condition *policy_conditions_new(const struct conf *map, bool is_variable, bool *failed,
                                               struct errs *errs);
void policy_conditions_free(struct policy_condition *c);
/* Do all of them hold? NULL: yes. */
bool policy_conditions_hold(const struct policy_condition *list, const struct policy_context *c);

/* --- actions and resources (policy_check.c) --- */

/* Add what is wrong with the text of an Action or a Resource: 0, or -1; 1: it can match nothing, and is to be left out. */
int policy_action_check(const struct conf *scalar, struct errs *errs);
int policy_resource_check(const struct conf *scalar, struct errs *errs);

#endif
