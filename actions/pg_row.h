/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: what one item writes, as text per column. */
#ifndef SLUICE_ACTIONS_PG_ROW_H
#define SLUICE_ACTIONS_PG_ROW_H

#include "actions/pg_table.h"
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "sluice/action.h"

#include <stddef.h>
#include <stdint.h>

#define PG_ROW_MAX ((size_t)64 << 20) /* bytes of an output, or of a row's values; more is rejected */

struct pg_value {
    const char *p; /* text in UTF-8 without NUL; NULL: SQL NULL */
    size_t len;
    uint32_t column; /* index in the table's columns */
};

struct pg_row {
    struct act_item *item;
    struct pg_value *values; /* sorted by column, each column at most once */
    size_t count;
    size_t bytes; /* of all values, roughly as much as they take on the wire */
};

/* A column template of an action: which of the item's texts fills which column. */
struct pg_source {
    uint32_t column;
    int text;
};

/* Where rows are made. */
struct pg_space {
    struct arena arena;
    struct buf scratch;
};

enum pg_row_fit {
    PG_ROW_OK,
    PG_ROW_REJECTED, /* the item has its result */
    PG_ROW_UNKNOWN,  /* so too: the output has a member that is no column, as far as we know */
    PG_ROW_NO_ROOM,  /* the space is full or memory is short; the item has no result */
};

void pg_space_init(struct pg_space *s);
void pg_space_clear(struct pg_space *s);

/* Make the row of an item out of its texts. sources: sorted by column. Values are borrowed from the item. */
enum pg_row_fit pg_row_from_texts(struct pg_row *row, struct act_item *item, const struct pg_source *sources,
                                  size_t count, struct pg_space *s) MUST_CHECK;

/* Make the row of an item out of the members of its output, which must be a JSON object: text of strings, numbers and
 * booleans as JSON writes them, null as NULL, arrays and objects as JSON text; columns of type json and jsonb get
 * JSON text of everything. Values are borrowed from the item and the space. */
enum pg_row_fit pg_row_from_members(struct pg_row *row, struct act_item *item, const struct pg_table *t,
                                    struct pg_space *s) MUST_CHECK;

/* The value of a column, or NULL if the row does not set it. O(log columns). */
const struct pg_value *pg_row_value(const struct pg_row *row, uint32_t column);

#endif
