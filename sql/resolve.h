/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver: what the names of a tree refer to.
 *
 * It interns payload paths to slots, binds variables and functions, gives unaliased items their keys, marks what is
 * constant, and checks versions and the language's limits. Works on the tree in place. */
#ifndef SLUICE_SQL_RESOLVE_H
#define SLUICE_SQL_RESOLVE_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "sql/ast.h"
#include "sql/paths.h"
#include "sql/version.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a tree stands. All borrowed. */
struct resolve_context {
    const struct src *src;
    enum sql_version version;
    struct sql_paths *paths;
    struct arena *arena;
    struct errs *errs;
    bool broken;                      /* the parser found errors: warnings could follow from them */
    const struct ast_name *variables; /* of the rule's SET, for a template; a list */
    uint32_t variable_count;
};

void resolve_statement(const struct resolve_context *context, struct ast_statement *statement);
void resolve_template(const struct resolve_context *context, struct ast *expr);

#endif
