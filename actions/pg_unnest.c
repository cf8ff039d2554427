/* SPDX-License-Identifier: Apache-2.0 */
/* Writing rows with one INSERT whose parameters are columns:
 *
 *     INSERT INTO "plant"."readings" ("at", "device", "v")
 *     SELECT r.c1::timestamp with time zone, r.c2::text, r.c3::numeric
 *     FROM unnest($1::text[], $2::text[], $3::text[]) AS r(c1, c2, c3)
 *     ON CONFLICT ("device", "at") DO UPDATE SET "v" = EXCLUDED."v"
 *
 * The text of the statement depends on the table and the columns alone; everything from messages is in the
 * parameters. */
#include "actions/pg_run.h"

#include "actions/pg_escape.h"

static bool is_key(const struct pg_run *run, uint32_t column)
{
    for (size_t i = 0; i < run->key_count; i++) {
        if (run->keys[i] == column)
            return true;
    }
    return false;
}

/* DO UPDATE SET of everything that is not the key; DO NOTHING if nothing is left. */
static void put_update(struct pg_statement *s, const struct pg_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->column_count; i++) {
        if (is_key(run, run->columns[i]))
            continue;
        buf_puts(&s->sql, n++ == 0 ? " DO UPDATE SET " : ", ");
        pg_put_names(s, run->table, &run->columns[i], 1);
        buf_puts(&s->sql, " = EXCLUDED.");
        pg_put_names(s, run->table, &run->columns[i], 1);
    }
    if (n == 0)
        buf_puts(&s->sql, " DO NOTHING");
}

static void put_conflict(struct pg_statement *s, const struct pg_run *run)
{
    if (run->conflict == PG_CONFLICT_ERROR)
        return;
    buf_puts(&s->sql, " ON CONFLICT");
    if (run->key_count > 0) {
        buf_puts(&s->sql, " (");
        pg_put_names(s, run->table, run->keys, run->key_count);
        buf_putc(&s->sql, ')');
    }
    if (run->conflict == PG_CONFLICT_UPDATE)
        put_update(s, run);
    else
        buf_puts(&s->sql, " DO NOTHING");
}

static void put_statement(struct pg_statement *s, const struct pg_run *run)
{
    buf_printf(&s->sql, "INSERT INTO %s (", run->table->quoted);
    pg_put_names(s, run->table, run->columns, run->column_count);
    buf_puts(&s->sql, ") SELECT ");
    for (size_t i = 0; i < run->column_count; i++)
        buf_printf(&s->sql, "%sr.c%zu::%s", i ? ", " : "", i + 1, run->table->columns[run->columns[i]].type);
    buf_puts(&s->sql, " FROM unnest(");
    for (size_t i = 0; i < run->column_count; i++)
        buf_printf(&s->sql, "%s$%zu::text[]", i ? ", " : "", i + 1);
    buf_puts(&s->sql, ") AS r(");
    for (size_t i = 0; i < run->column_count; i++)
        buf_printf(&s->sql, "%sc%zu", i ? ", " : "", i + 1);
    buf_putc(&s->sql, ')');
    put_conflict(s, run);
}

/* Write the arrays one behind the other; params[i].len is set, the pointers must wait until the buffer stays where it
 * is. */
static void put_arrays(struct pg_statement *s, const struct pg_run *run, const struct pg_row *rows, size_t count,
                       struct pg_param *params)
{
    for (size_t i = 0; i < run->column_count; i++) {
        size_t start = s->data.len;
        pg_array_head(&s->data, count);
        for (size_t row = 0; row < count; row++) {
            const struct pg_value *v = pg_row_value(&rows[row], run->columns[i]);
            pg_array_element(&s->data, v ? v->p : NULL, v ? v->len : 0);
        }
        params[i] = (struct pg_param) { .len = s->data.len - start, .is_binary = true };
    }
}

int pg_unnest_rows(void *ctx, const struct pg_run *run, const struct pg_row *rows, size_t count, struct pg_failure *f)
{
    struct pg_statement *s = ctx;
    struct pg_param params[PG_COLUMNS_MAX];
    buf_reset(&s->sql);
    buf_reset(&s->data);
    put_statement(s, run);
    put_arrays(s, run, rows, count, params);
    if (s->sql.failed || s->data.failed)
        return pg_fail(f, PG_LATER, "not enough memory for a statement of %zu rows", count);
    const char *next = s->data.p;
    for (size_t i = 0; i < run->column_count; i++) {
        params[i].p = next;
        next += params[i].len;
    }
    return pg_link_query(s->link, s->sql.p, params, run->column_count, f);
}
