/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to PostgreSQL whose every wait is bounded. The only module that knows libpq.
 *
 *     closed ──pg_link_begin──► open ──error about the connection, no answer in time──► closed
 *
 * One send is one `pg_link_begin` and the statements after it; all of them together end before the deadline that
 * begin sets. Single-threaded: one owner. */
#ifndef SLUICE_ACTIONS_PG_LINK_H
#define SLUICE_ACTIONS_PG_LINK_H

#include "actions/pg_sqlstate.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

#define PG_LINK_GRACE_MS                                                                                               \
    1000 /* the server's own time-out comes first; after this much more the server is taken for dead */

struct pg_settings {
    char *conninfo;
    char *application_name; /* NULL: the conninfo's, else fallback_name */
    const char *fallback_name;
    int64_t connect_timeout_ms, statement_timeout_ms;
    const struct clock *clock;
};

/* Why something did not work. */
struct pg_failure {
    enum pg_verdict verdict;
    char sqlstate[6];  /* "": libpq's own error */
    char text[232];    /* one line: `22P02: invalid input syntax for type integer: "x"` */
    char context[512]; /* of COPY: the context line that names the input line, else "" */
};

struct pg_param {
    const char *p; /* NUL-terminated if it is text */
    size_t len;
    bool is_binary;
};

struct pg_link;

/* Is this a connection string that libpq understands? Makes no connection. ERR_CONF_VALUE; the text shows nothing of
 * it. */
int pg_link_check_conninfo(const char *conninfo, struct err *e) MUST_CHECK;

/* settings are borrowed until free. Makes no connection. NULL: memory is short. */
struct pg_link *pg_link_new(const struct pg_settings *settings);
void pg_link_free(struct pg_link *l);

/* A descriptor that ends every wait when it becomes readable; -1: none. */
void pg_link_stop_on(struct pg_link *l, int fd);

/* Begin a send: connect if there is no connection, or the server has closed it meanwhile. At most connect_timeout_ms.
 */
int pg_link_begin(struct pg_link *l, struct pg_failure *f) MUST_CHECK;
bool pg_link_is_open(const struct pg_link *l);
/* How many connections were made so far: tells whether a begin made a new one. */
unsigned pg_link_connects(const struct pg_link *l);
/* Drop the connection: the next begin makes a new one. */
void pg_link_close(struct pg_link *l);

/* Run one statement with bound parameters. Rows that come back are read with the functions below until the next call.
 */
int pg_link_query(struct pg_link *l, const char *sql, const struct pg_param *params, size_t count,
                  struct pg_failure *f) MUST_CHECK;
size_t pg_link_row_count(const struct pg_link *l);
/* A field of the last query's rows, borrowed until the next call; NULL is SQL NULL. */
const char *pg_link_field(const struct pg_link *l, size_t row, size_t column, size_t *len);

/* Run `COPY … FROM STDIN` with all of its data. */
int pg_link_copy(struct pg_link *l, const char *sql, const char *data, size_t len, struct pg_failure *f) MUST_CHECK;

/* Append the name as a quoted identifier; marks out as failed if that is not possible. The connection is open. */
void pg_link_quote(struct pg_link *l, const char *name, size_t len, struct buf *out);

/* Fill in a failure that is ours: no SQLSTATE. Always -1. */
int pg_fail(struct pg_failure *f, enum pg_verdict verdict, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
