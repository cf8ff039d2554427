/* SPDX-License-Identifier: Apache-2.0 */
/* postgres: rows of a table of the bench's own; the bare producer writes them with COPY, a batch at a time. The only file here that knows
 * libpq. */
#include "bench/pipeline/target.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline/sample.h"
#include "engine/base/json.h"

#define SQL_MAX  ((size_t)256)
#define ROWS_MAX ((size_t)1 << 20)

struct postgres_target {
    const struct target_env *env;
    PGconn *connection;
    struct buf rows;
    struct tally *tally;
};

/* libpq's messages end with a line end. */
static int pg_error(struct postgres_target *t, struct err *e)
{
    const char *why = PQerrorMessage(t->connection);
    return err_set(e, ERR_UNREACHABLE, "PostgreSQL: %.*s", (int)strcspn(why, "\n"), why);
}

/* Run a statement on the table, whose name stands between the two texts. */
static int run(struct postgres_target *t, const char *before, const char *after, ExecStatusType expected, struct err *e)
{
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql, "%s sluice_bench_%s %s", before, t->env->tag, after);
    PGresult *r = PQexec(t->connection, sql);
    bool ok = PQresultStatus(r) == expected;
    PQclear(r);
    return ok ? 0 : pg_error(t, e);
}

static void postgres_close(void *target)
{
    struct postgres_target *t = target;
    (void)!run(t, "DROP TABLE", "", PGRES_COMMAND_OK, NULL);
    PQfinish(t->connection);
    buf_clear(&t->rows);
    free(t);
}

static void *postgres_open(const struct target_env *env, struct err *e)
{
    struct postgres_target *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, ERR_MEMORY, "not enough memory");
        return NULL;
    }
    t->env = env;
    buf_init(&t->rows, ROWS_MAX);
    t->connection = PQconnectdb(env->address);
    if (PQstatus(t->connection) != CONNECTION_OK)
        pg_error(t, e);
    else if (run(t, "CREATE TABLE", "(device text, seq bigint, temperature double precision)", PGRES_COMMAND_OK, e) ==
             0)
        return t;
    PQfinish(t->connection);
    free(t);
    return NULL;
}

static int postgres_clear(void *target, struct tally *tally, struct err *e)
{
    struct postgres_target *t = target;
    t->tally = tally;
    return run(t, "TRUNCATE", "", PGRES_COMMAND_OK, e);
}

static void postgres_configure(void *target, struct buf *connections, struct buf *action)
{
    const struct postgres_target *t = target;
    buf_puts(connections, "  warehouse: { postgres: { conninfo: ");
    json_write_string(connections, t->env->address, strlen(t->env->address));
    buf_puts(connections, " } }\n");
    buf_printf(action, "postgres: { connection: warehouse, table: sluice_bench_%s }", t->env->tag);
}

/* All that came back after the data; the state of the COPY is the first. */
static int copy_end(struct postgres_target *t, struct err *e)
{
    bool ok = PQputCopyEnd(t->connection, NULL) == 1;
    for (PGresult *r; (r = PQgetResult(t->connection)) != NULL; PQclear(r))
        ok = ok && PQresultStatus(r) == PGRES_COMMAND_OK;
    return ok ? 0 : pg_error(t, e);
}

static int copy_batch(struct postgres_target *t, size_t first, size_t count, struct err *e)
{
    buf_reset(&t->rows);
    for (size_t i = first; i < first + count; i++)
        buf_printf(&t->rows, "press-%04u\t%zu\t81.5\n", sample_device(i), SAMPLE_FIRST + i);
    if (run(t, "COPY", "(device, seq, temperature) FROM STDIN", PGRES_COPY_IN, e) < 0)
        return -1;
    if (PQputCopyData(t->connection, t->rows.p, (int)t->rows.len) != 1)
        return pg_error(t, e);
    return copy_end(t, e);
}

static int postgres_produce(void *target, size_t first, size_t count, struct err *e)
{
    for (size_t done = 0; done < count; done += TARGET_BATCH) {
        size_t n = count - done < TARGET_BATCH ? count - done : TARGET_BATCH;
        if (copy_batch(target, first + done, n, e) < 0)
            return -1;
    }
    return 0;
}

/* The rows' numbers, as the texts that the tally knows. */
static int postgres_arrived(void *target, struct err *e)
{
    struct postgres_target *t = target;
    if (run(t, "COPY (SELECT '\"seq\":' || seq FROM", ") TO STDOUT", PGRES_COPY_OUT, e) < 0)
        return -1;
    char *line;
    int len;
    while ((len = PQgetCopyData(t->connection, &line, 0)) > 0) {
        tally_note(t->tally, line, (size_t)len);
        PQfreemem(line);
    }
    bool ok = len == -1;
    for (PGresult *r; (r = PQgetResult(t->connection)) != NULL; PQclear(r))
        ok = ok && PQresultStatus(r) == PGRES_COMMAND_OK;
    return ok ? 0 : pg_error(t, e);
}

const struct target_type target_postgres = {
    .name = "postgres",
    .option = "postgres",
    .open = postgres_open,
    .close = postgres_close,
    .clear = postgres_clear,
    .configure = postgres_configure,
    .produce = postgres_produce,
    .arrived = postgres_arrived,
};
