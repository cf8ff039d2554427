/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of the rule language: tokens to tree.
 *
 * It reports every independent error: behind one it goes on at the next comma, closing bracket or clause. What it
 * could not read is AST_ERROR in the tree, about which later stages keep silent. It knows no versions, functions or
 * scopes; those are the resolver's. */
#ifndef SLUICE_SQL_PARSE_H
#define SLUICE_SQL_PARSE_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/src.h"
#include "sql/ast.h"

#include <stdint.h>

/* Parse a whole statement. The text must be UTF-8 without NUL. The tree is in the arena and borrows src. NULL only
 * when memory is short (which is an error in errs); whether the statement is right shows in errs alone. O(length). */
struct ast_statement *parse_statement(const struct src *src, struct arena *a, struct errs *errs) MUST_CHECK;

/* Parse the expression of a template's `${…}` that begins at *off; *off becomes the offset behind its `}`, or the
 * end of the text if it has none. NULL when memory is short. */
struct ast *parse_embedded(const struct src *src, uint32_t *off, struct arena *a, struct errs *errs) MUST_CHECK;

#endif
