/* SPDX-License-Identifier: Apache-2.0 */
/* Values as PostgreSQL takes them: COPY's text format, and arrays of text in binary. */
#ifndef SLUICE_ACTIONS_PG_ESCAPE_H
#define SLUICE_ACTIONS_PG_ESCAPE_H

#include "engine/base/buf.h"

#include <stddef.h>

/* Append one field of COPY's text format (PostgreSQL manual, COPY, "Text Format"), without the separator. p NULL: the
 * null marker `\N`. The value holds no NUL byte. O(len). */
void pg_escape_copy(struct buf *out, const char *p, size_t len);

/* Append the head of a one-dimensional text[] of count elements in binary (array_send in PostgreSQL's arrayfuncs.c),
 * to be followed by count elements. In this form nothing needs escaping. */
void pg_array_head(struct buf *out, size_t count);
/* p NULL: a null element. */
void pg_array_element(struct buf *out, const char *p, size_t len);

#endif
