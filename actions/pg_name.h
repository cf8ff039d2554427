/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tables, schemas and columns as rules give them. Names are meant exactly as written: case is kept, nothing is
 * folded, and quoting is ours. */
#ifndef SLUICE_ACTIONS_PG_NAME_H
#define SLUICE_ACTIONS_PG_NAME_H

#include "engine/base/err.h"
#include "sluice/action.h"

#include <stddef.h>

#define PG_NAME_MAX 63 /* bytes; PostgreSQL silently cuts longer names, and so would write to another table */

struct pg_name {
    const char *schema; /* NULL: by the search path */
    size_t schema_len;
    const char *table;
    size_t table_len;
};

/* A usable name: 1 to 63 bytes of UTF-8, no NUL, no double quote. what: "table", "schema", for the text
 * (ERR_TEMPLATE). */
int pg_name_check(const char *what, const char *name, size_t len, struct err *e) MUST_CHECK;

/* Split and check a rendered table name. schema: its own parameter, or NULL; then the schema is what stands before
 * the first dot of the first constant_len bytes of the table's text (the part that no message can change), if there
 * is one. All other dots belong to the table's name. The result points into the texts. */
int pg_name_split(struct pg_name *name, const struct act_text *schema, const struct act_text *table,
                  size_t constant_len, struct err *e) MUST_CHECK;

#endif
