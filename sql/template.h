/* SPDX-License-Identifier: Apache-2.0 */
/* Substitution templates: text with `${expression}` in it (spec section 6), taken apart. */
#ifndef SLUICE_SQL_TEMPLATE_H
#define SLUICE_SQL_TEMPLATE_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/src.h"
#include "sql/ast.h"

#include <stddef.h>

/* A stretch of a template: literal text, or an expression. */
struct template_piece {
    const char *text; /* NULL for an expression; else borrows from the source */
    size_t len;
    struct ast *expr;
    struct span at; /* of an expression with its `${` and `}` */
    struct template_piece *next;
};

/* Split a template into its pieces; the empty text is one empty piece. The text must be UTF-8 without NUL. NULL:
 * memory (an error in errs); other errors show in errs alone. O(length). */
struct template_piece *template_split(const struct src *src, struct arena *a, struct errs *errs) MUST_CHECK;

#endif
