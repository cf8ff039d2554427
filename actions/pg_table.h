/* SPDX-License-Identifier: Apache-2.0 */
/* What the database says about the tables that a lane writes to: looked up once, kept until it turns out to be wrong.
 */
#ifndef SLUICE_ACTIONS_PG_TABLE_H
#define SLUICE_ACTIONS_PG_TABLE_H

#include "actions/pg_link.h"
#include "actions/pg_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_column {
    const char *name; /* NUL-terminated */
    size_t name_len;
    const char *type; /* as SQL, without length or precision: text is cast to it before the column's own are applied */
    bool is_settable; /* false: generated, or identity always */
    bool has_default; /* leaving it out is not the same as null */
    bool is_json;     /* json or jsonb */
};

#define PG_COLUMNS_MAX 1664 /* of a view; tables have fewer */

struct pg_table {
    char *quoted;              /* "schema"."table", as SQL */
    char *plain;               /* the table's own name, as error contexts print it */
    struct pg_column *columns; /* sorted by name (bytes) */
    size_t column_count;
    bool takes_copy;       /* false: a view, or row-level security applies; both need INSERT */
    uint64_t looked_up_ms; /* monotonic */
    uint64_t used;         /* serial of the last use */
    char *strings;         /* names and types */
};

#define PG_TABLES_MAX 256 /* kept at a time; the one not used longest gives way */

/* Zero-initialised is empty. */
struct pg_tables {
    struct pg_table *items[PG_TABLES_MAX];
    size_t count;
    uint64_t uses;
};

/* The table of this name; asks the server if it is not known. The link has begun. Valid until forgotten, or until
 * PG_TABLES_MAX others were got. NULL with f. */
const struct pg_table *pg_tables_get(struct pg_tables *ts, struct pg_link *l, const struct pg_name *name,
                                     uint64_t now_ms, struct pg_failure *f) MUST_CHECK;
void pg_tables_forget(struct pg_tables *ts, const struct pg_table *t);
void pg_tables_clear(struct pg_tables *ts); /* forgets all */

/* Index of the column, or -1. */
int pg_table_column(const struct pg_table *t, const char *name, size_t len);

#endif
