/* SPDX-License-Identifier: Apache-2.0 */
/* Lint: warnings about what is legal but surely not meant. Internal to sql/; works on resolved trees without errors.
 *
 * It knows of each expression what it can be at all (enum lint_can), from below upwards, and speaks where an operator
 * can only give Undefined, a comparison only false, a condition never true. Of constants that are computed while
 * compiling the emitter tells it the value. */
#ifndef SLUICE_SQL_LINT_H
#define SLUICE_SQL_LINT_H

#include "engine/base/err.h"
#include "sql/ast.h"
#include "sql/rule_int.h"
#include "sql/value.h"

/* What an expression can be, beside Undefined, which every one can. 0: it is always Undefined. */
enum lint_can {
    LINT_TRUE = 1,
    LINT_FALSE = 2,
    LINT_NUMBER = 4,
    LINT_NULL = 8,
    LINT_ARRAY = 16,
    LINT_OBJECT = 32,
    LINT_STRING = 64,   /* any other String */
    LINT_NUMERIC = 128, /* a String that is a number, */
    LINT_TRUTHY = 256,  /* that is "true", */
    LINT_FALSY = 512,   /* that is "false" */
    LINT_TEXT = LINT_STRING | LINT_NUMERIC | LINT_TRUTHY | LINT_FALSY,
    LINT_BOOL = LINT_TRUE | LINT_FALSE,
    LINT_ANY = 1023,
};

/* Add warnings about a statement to errs, and keep in the rule what templates are held against: the names that AS gives
 * and that the statement does not read from the payload. Memory is the scratch arena's, and the rule's for what it keeps.
 * O(tree). */
void lint_statement(struct sql_rule *rule, const struct ast_statement *st, struct arena *scratch, struct errs *errs);
/* The same about an expression of a template. */
void lint_template(const struct sql_rule *rule, const struct ast *expr, struct errs *errs);

/* A constant expression that is no literal was computed. is_where: it is the whole WHERE clause. */
void lint_constant(const struct ast *node, const struct val *v, bool is_where, struct errs *errs);

/* Two parts of an AND that cannot both be true: warn (lint_and.c). True if there are any. O(parts), at most
 * LINT_CONDITIONS of them are held against each other. */
bool lint_and(const struct ast *chain, struct errs *errs);
#define LINT_CONDITIONS 64

#endif
