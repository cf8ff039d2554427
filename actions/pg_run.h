/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: neighbouring rows that one statement can write, and writing them so that only the bad ones are rejected.
 * Knows nothing of connections: the statement is a function. */
#ifndef SLUICE_ACTIONS_PG_RUN_H
#define SLUICE_ACTIONS_PG_RUN_H

#include "actions/pg_link.h"
#include "actions/pg_row.h"
#include "actions/pg_table.h"

#include <stddef.h>
#include <stdint.h>

enum pg_conflict { PG_CONFLICT_ERROR, PG_CONFLICT_IGNORE, PG_CONFLICT_UPDATE };

/* What a statement writes. */
struct pg_run {
    const struct pg_table *table;
    enum pg_conflict conflict;
    const uint32_t *keys; /* columns of the conflict key, sorted; may be empty unless conflict is UPDATE */
    size_t key_count;
    uint32_t columns[PG_COLUMNS_MAX]; /* sorted: what pg_run_take found */
    size_t column_count;
};

/* How many of the rows (at least one) can go into one statement, in order; sets run->columns.
 *
 * Rows that set the same columns can. Rows that differ can if the columns that some leave out have no default, for
 * then leaving out and null are the same; but not with UPDATE, where leaving out means keeping. With UPDATE a key may
 * occur only once (a statement cannot change a row twice): the run ends before a key comes again. O(values). */
size_t pg_run_take(struct pg_run *run, const struct pg_row *rows, size_t count);

/* Write rows with one statement, all or none. -1 with f; f->context names the line for COPY. */
typedef int pg_write_rows(void *ctx, const struct pg_run *run, const struct pg_row *rows, size_t count,
                          struct pg_failure *f);

/* Write a run in order. A statement that fails because of a row is cut: at the row that the error names, else in the
 * middle; what is left to one row alone is rejected. *limit (in and out, at least 1) is the number of rows a
 * statement may have: halved after a failed statement, doubled after a good one, so that a batch of mostly bad rows
 * costs about two statements a row. Items get DONE or REJECTED. Returns 0, or -1 when it stopped before the end (f):
 * the items after that stay ACT_PENDING. */
int pg_run_write(const struct pg_run *run, const struct pg_row *rows, size_t count, size_t *limit, pg_write_rows *write,
                 void *ctx, struct pg_failure *f);

/* The input line (from 1) that the context of a COPY error names: `COPY readings, line 3, column v: "x"`; 0: none.
 * The word "line" is translated by the server's locale. */
size_t pg_copy_error_line(const char *context, const char *table);

/* --- the two ways of writing; ctx is a struct pg_statement whose link has begun --- */

struct pg_statement {
    struct pg_link *link;
    struct buf sql, data;
};
void pg_statement_init(struct pg_statement *s, struct pg_link *link);
void pg_statement_clear(struct pg_statement *s);

pg_write_rows pg_copy_rows;   /* COPY … FROM STDIN; conflict ERROR only */
pg_write_rows pg_unnest_rows; /* INSERT … SELECT … FROM unnest(…); any conflict */

/* Append `"a", "b"`: the names of the table's columns, as SQL. */
void pg_put_names(struct pg_statement *s, const struct pg_table *t, const uint32_t *columns, size_t count);

#endif
