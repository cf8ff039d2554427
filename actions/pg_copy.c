/* SPDX-License-Identifier: Apache-2.0 */
/* Writing rows with COPY: the fastest way in, and the one whose errors name the row.
 *
 * The text format, because the server converts it by each column's own input function: we need to know no type. */
#include "actions/pg_run.h"

#include "actions/pg_escape.h"

#define SQL_MAX  ((size_t)4 << 20)
#define DATA_MAX ((size_t)512 << 20) /* the largest statement, each of its bytes escaped */

void pg_statement_init(struct pg_statement *s, struct pg_link *link)
{
    s->link = link;
    buf_init(&s->sql, SQL_MAX);
    buf_init(&s->data, DATA_MAX);
}

void pg_statement_clear(struct pg_statement *s)
{
    buf_clear(&s->sql);
    buf_clear(&s->data);
}

void pg_put_names(struct pg_statement *s, const struct pg_table *t, const uint32_t *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_puts(&s->sql, ", ");
        pg_link_quote(s->link, t->columns[columns[i]].name, t->columns[columns[i]].name_len, &s->sql);
    }
}

/* One line: the run's columns in order; what the row does not set is null. */
static void put_line(struct buf *out, const struct pg_run *run, const struct pg_row *row)
{
    size_t k = 0;
    for (size_t i = 0; i < run->column_count; i++) {
        if (i > 0)
            buf_putc(out, '\t');
        bool set = k < row->count && row->values[k].column == run->columns[i];
        pg_escape_copy(out, set ? row->values[k].p : NULL, set ? row->values[k].len : 0);
        k += set;
    }
    buf_putc(out, '\n');
}

int pg_copy_rows(void *ctx, const struct pg_run *run, const struct pg_row *rows, size_t count, struct pg_failure *f)
{
    struct pg_statement *s = ctx;
    buf_reset(&s->sql);
    buf_reset(&s->data);
    buf_printf(&s->sql, "COPY %s (", run->table->quoted);
    pg_put_names(s, run->table, run->columns, run->column_count);
    buf_puts(&s->sql, ") FROM STDIN");
    for (size_t i = 0; i < count; i++)
        put_line(&s->data, run, &rows[i]);
    if (s->sql.failed || s->data.failed)
        return pg_fail(f, PG_LATER, "not enough memory for a statement of %zu rows", count);
    return pg_link_copy(s->link, s->sql.p, s->data.p, s->data.len, f);
}
