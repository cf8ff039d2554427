/* SPDX-License-Identifier: Apache-2.0 */
/* libpq behind bounded waits.
 *
 * libpq is used in its non-blocking form throughout: every wait is ours, a poll(2) with the rest of the time. A
 * server that hangs costs at most the statement time-out and PG_LINK_GRACE_MS; then the connection is dropped, not
 * cancelled, because PQcancel would wait for the same server without a bound. The server's own statement_timeout, set
 * on every connection, ends the statement there.
 *
 * What is not bounded: looking up a host name, which getaddrinfo does inside PQconnectStart. `hostaddr` avoids it.
 *
 * A refused connection carries its SQLSTATE only inside the text, and only with verbose errors; so these are on. */
#include "actions/pg_link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "engine/base/clock.h"
#include "engine/base/utf8.h"

#define COPY_SLICE ((size_t)64 << 10) /* handed to libpq at once; it keeps no more than that waiting */
#define IDLE_READS 16                 /* a server that sends more than that unasked is not one to talk to */

struct pg_link {
    const struct pg_settings *set;
    PGconn *conn;     /* NULL: closed */
    PGresult *result; /* of the last query */
    uint64_t deadline_ms;
    int stop_fd; /* readable: no wait goes on; -1: none */
    unsigned connects;
};

/* --- failures --- */

/* One line of printable text. */
static void tidy(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    }
    size_t len = utf8_valid_prefix(text, strlen(text));
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
}

int pg_fail(struct pg_failure *f, enum pg_verdict verdict, const char *fmt, ...)
{
    *f = (struct pg_failure) { .verdict = verdict };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
    tidy(f->text);
    return -1;
}

/* The first line of libpq's error text, which says what; further lines say where in the server's source. */
static int fail_by_connection(struct pg_link *l, struct pg_failure *f)
{
    const char *text = PQerrorMessage(l->conn);
    int len = (int)strcspn(text, "\n");
    pg_fail(f, PG_RECONNECT, "%.*s", len, len ? text : "the connection was lost");
    pg_link_close(l);
    return -1;
}

/* Keep the line of an error's context that a COPY adds. */
static void keep_copy_context(struct pg_failure *f, const char *context)
{
    while (context && *context) {
        int len = (int)strcspn(context, "\n");
        if (strncmp(context, "COPY ", 5) == 0) {
            snprintf(f->context, sizeof(f->context), "%.*s", len, context);
            tidy(f->context);
            return;
        }
        context += len + (context[len] == '\n');
    }
}

static int fail_by_result(struct pg_link *l, const PGresult *r, struct pg_failure *f)
{
    const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    if (!sqlstate)
        return fail_by_connection(l, f);
    const char *what = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
    struct pg_failure made;
    pg_fail(&made, pg_sqlstate_verdict(sqlstate), "%s: %s%s%s", sqlstate, what ? what : "", detail ? ": " : "",
            detail ? detail : "");
    snprintf(made.sqlstate, sizeof(made.sqlstate), "%s", sqlstate);
    keep_copy_context(&made, PQresultErrorField(r, PG_DIAG_CONTEXT));
    *f = made;
    return -1;
}

/* --- waiting --- */

static uint64_t now_ms(const struct pg_link *l)
{
    return clock_monotonic_ms(l->set->clock);
}

enum waited { WAIT_FAILED = -1, WAIT_TIMED_OUT, WAIT_READY, WAIT_STOPPED };

static enum waited wait_until(const struct pg_link *l, short events, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now = now_ms(l);
        if (now >= deadline_ms)
            return WAIT_TIMED_OUT;
        uint64_t left = deadline_ms - now;
        struct pollfd fds[] = { { .fd = PQsocket(l->conn), .events = events }, { .fd = l->stop_fd, .events = POLLIN } };
        int rc = poll(fds, 2, left < INT_MAX ? (int)left : INT_MAX);
        if (rc > 0)
            return fds[0].revents ? WAIT_READY : WAIT_STOPPED;
        if (rc < 0 && errno != EINTR)
            return WAIT_FAILED;
    }
}

static int wait_for(struct pg_link *l, short events, struct pg_failure *f)
{
    enum waited waited = wait_until(l, events, l->deadline_ms);
    if (waited == WAIT_READY)
        return 0;
    if (waited == WAIT_FAILED)
        pg_fail(f, PG_RECONNECT, "could not wait for the server: %s", strerror(errno));
    else if (waited == WAIT_STOPPED)
        pg_fail(f, PG_RECONNECT, "stopped before the server answered; connection dropped");
    else
        pg_fail(f, PG_RECONNECT, "no answer from the server in time; connection dropped");
    pg_link_close(l);
    return -1;
}

/* Everything handed to libpq goes out; what comes in meanwhile is kept, or both sides could wait for each other. */
static int flush(struct pg_link *l, struct pg_failure *f)
{
    for (;;) {
        int rc = PQflush(l->conn);
        if (rc == 0)
            return 0;
        if (rc < 0)
            return fail_by_connection(l, f);
        if (wait_for(l, POLLIN | POLLOUT, f) < 0)
            return -1;
        if (!PQconsumeInput(l->conn))
            return fail_by_connection(l, f);
    }
}

/* The next result of the running statement; NULL with *r when there are no more. */
static int next_result(struct pg_link *l, PGresult **r, struct pg_failure *f)
{
    while (PQisBusy(l->conn)) {
        if (wait_for(l, POLLIN, f) < 0)
            return -1;
        if (!PQconsumeInput(l->conn))
            break; /* lost; the server may have said why before, and that is the result */
    }
    *r = PQgetResult(l->conn);
    return 0;
}

/* --- connecting --- */

int pg_link_check_conninfo(const char *conninfo, struct err *e)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    if (options) {
        PQconninfoFree(options);
        return 0;
    }
    /* libpq's text quotes the string, which may hold a password. */
    PQfreemem(why);
    err_set(e, ERR_CONF_VALUE, "\"conninfo\" is not a connection string of PostgreSQL");
    err_hint(e, "Write \"host=… dbname=… user=…\" or \"postgresql://user@host/dbname\".");
    return -1;
}

struct pg_link *pg_link_new(const struct pg_settings *settings)
{
    struct pg_link *l = calloc(1, sizeof(*l));
    if (l)
        *l = (struct pg_link) { .set = settings, .stop_fd = -1 };
    return l;
}

void pg_link_stop_on(struct pg_link *l, int fd)
{
    l->stop_fd = fd;
}

static void drop_result(struct pg_link *l)
{
    PQclear(l->result);
    l->result = NULL;
}

void pg_link_close(struct pg_link *l)
{
    drop_result(l);
    PQfinish(l->conn);
    l->conn = NULL;
}

void pg_link_free(struct pg_link *l)
{
    if (!l)
        return;
    pg_link_close(l);
    free(l);
}

bool pg_link_is_open(const struct pg_link *l)
{
    return l->conn != NULL;
}

unsigned pg_link_connects(const struct pg_link *l)
{
    return l->connects;
}

static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

/* What stands before `dbname` can be overridden by the conninfo, what stands behind it cannot. */
static PGconn *start_connecting(const struct pg_settings *set)
{
    static const char *const keys[] = {
        "fallback_application_name",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "dbname",
        "application_name",
        "client_encoding",
        NULL,
    };
    const char *const values[] = {
        set->fallback_name, "30", "10", "3", set->conninfo, set->application_name, "UTF8", NULL,
    };
    _Static_assert(sizeof(keys) == sizeof(values), "every key has its value");
    PGconn *conn = PQconnectStartParams(keys, values, 1);
    if (conn) {
        PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
        PQsetNoticeReceiver(conn, ignore_notice, NULL);
    }
    return conn;
}

/* `…FATAL:  28P01: password…`: find the five characters. */
static void find_sqlstate(const char *text, char sqlstate[6])
{
    for (const char *p = strstr(text, ":  "); p; p = strstr(p + 1, ":  ")) {
        if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[8] == ':') {
            memcpy(sqlstate, p + 3, 5);
            sqlstate[5] = '\0';
            return;
        }
    }
}

/* A refusal is never about a row, so what would reject one here means the configuration (a role in `options`, say). */
static int refused(struct pg_link *l, struct pg_failure *f)
{
    fail_by_connection(l, f);
    find_sqlstate(f->text, f->sqlstate);
    f->verdict = pg_sqlstate_verdict(f->sqlstate);
    if (f->verdict == PG_REJECTED)
        f->verdict = PG_MISCONFIGURED;
    return -1;
}

static int finish_connecting(struct pg_link *l, struct pg_failure *f)
{
    PostgresPollingStatusType want = PQstatus(l->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (want != PGRES_POLLING_OK) {
        if (want == PGRES_POLLING_FAILED)
            return refused(l, f);
        enum waited waited = wait_until(l, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, l->deadline_ms);
        if (waited == WAIT_TIMED_OUT)
            pg_fail(f, PG_RECONNECT, "could not connect within %lld ms", (long long)l->set->connect_timeout_ms);
        else if (waited != WAIT_READY)
            pg_fail(f, PG_RECONNECT,
                    waited == WAIT_STOPPED ? "stopped while connecting" : "could not wait for the server");
        if (waited != WAIT_READY) {
            pg_link_close(l);
            return -1;
        }
        want = PQconnectPoll(l->conn);
    }
    return 0;
}

/* Bounds on the server's side, so that it ends what we have given up. */
static int set_up_session(struct pg_link *l, struct pg_failure *f)
{
    char ms[24];
    int len = snprintf(ms, sizeof(ms), "%lld", (long long)l->set->statement_timeout_ms);
    const struct pg_param param = { .p = ms, .len = (size_t)len };
    if (pg_link_query(l, "SELECT pg_catalog.set_config('statement_timeout', $1, false)", &param, 1, f) == 0)
        return 0;
    pg_link_close(l);
    if (f->verdict == PG_REJECTED)
        f->verdict = PG_MISCONFIGURED;
    return -1;
}

static int connect_to_server(struct pg_link *l, struct pg_failure *f)
{
    l->deadline_ms = now_ms(l) + (uint64_t)l->set->connect_timeout_ms;
    l->conn = start_connecting(l->set);
    if (!l->conn)
        return pg_fail(f, PG_RECONNECT, "not enough memory to connect");
    if (finish_connecting(l, f) < 0)
        return -1;
    l->connects++;
    if (PQsetnonblocking(l->conn, 1) < 0)
        return fail_by_connection(l, f);
    return set_up_session(l, f);
}

/* An idle connection has something to read only if the server sent a notice, or ended it: a farewell, and then the
 * end. */
static bool is_still_there(struct pg_link *l)
{
    for (int i = 0; i < IDLE_READS; i++) {
        struct pollfd p = { .fd = PQsocket(l->conn), .events = POLLIN };
        if (poll(&p, 1, 0) == 0)
            return true;
        if (!PQconsumeInput(l->conn) || PQisBusy(l->conn) || PQstatus(l->conn) != CONNECTION_OK)
            return false;
    }
    return false;
}

int pg_link_begin(struct pg_link *l, struct pg_failure *f)
{
    if (l->conn && !is_still_there(l))
        pg_link_close(l);
    if (!l->conn && connect_to_server(l, f) < 0)
        return -1;
    l->deadline_ms = now_ms(l) + (uint64_t)l->set->statement_timeout_ms + PG_LINK_GRACE_MS;
    return 0;
}

/* --- statements --- */

/* Take all results of a statement: rows are kept, the first error fails. */
static int take_results(struct pg_link *l, struct pg_failure *f)
{
    int rc = 0;
    for (;;) {
        PGresult *r;
        if (next_result(l, &r, f) < 0)
            return -1;
        if (!r)
            break;
        ExecStatusType status = PQresultStatus(r);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
            drop_result(l);
            l->result = r;
            continue;
        }
        if (rc == 0)
            rc = fail_by_result(l, r, f);
        PQclear(r);
        if (!l->conn)
            return -1;
    }
    if (PQstatus(l->conn) == CONNECTION_OK)
        return rc;
    if (rc == 0)
        return fail_by_connection(l, f);
    if (f->verdict != PG_MISCONFIGURED)
        f->verdict = PG_RECONNECT;
    pg_link_close(l);
    return -1;
}

/* No statement begins after the deadline. */
static int may_begin(struct pg_link *l, struct pg_failure *f)
{
    drop_result(l);
    if (now_ms(l) < l->deadline_ms)
        return 0;
    return pg_fail(f, PG_LATER, "the time for one batch (%lld ms) is used up", (long long)l->set->statement_timeout_ms);
}

#define PARAMS_MAX 1700 /* a table has at most 1,600 columns, a view 1,664 */

int pg_link_query(struct pg_link *l, const char *sql, const struct pg_param *params, size_t count, struct pg_failure *f)
{
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    if (count > PARAMS_MAX)
        return pg_fail(f, PG_REJECTED, "a row has more than %d columns", PARAMS_MAX);
    if (may_begin(l, f) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        values[i] = params[i].p;
        lengths[i] = (int)params[i].len;
        formats[i] = params[i].is_binary;
    }
    if (!PQsendQueryParams(l->conn, sql, (int)count, NULL, values, lengths, formats, 0))
        return fail_by_connection(l, f);
    return flush(l, f) < 0 ? -1 : take_results(l, f);
}

size_t pg_link_row_count(const struct pg_link *l)
{
    return (size_t)PQntuples(l->result);
}

const char *pg_link_field(const struct pg_link *l, size_t row, size_t column, size_t *len)
{
    *len = (size_t)PQgetlength(l->result, (int)row, (int)column);
    return PQgetisnull(l->result, (int)row, (int)column) ? NULL : PQgetvalue(l->result, (int)row, (int)column);
}

/* Send the statement and wait until the server asks for data. */
static int copy_start(struct pg_link *l, const char *sql, struct pg_failure *f)
{
    if (!PQsendQuery(l->conn, sql))
        return fail_by_connection(l, f);
    PGresult *r = NULL;
    if (flush(l, f) < 0 || next_result(l, &r, f) < 0)
        return -1;
    ExecStatusType status = r ? PQresultStatus(r) : PGRES_FATAL_ERROR;
    if (status == PGRES_COPY_IN) {
        PQclear(r);
        return 0;
    }
    struct pg_failure rest;
    if (r)
        fail_by_result(l, r, f);
    else
        pg_fail(f, PG_RECONNECT, "the server did not begin the COPY");
    PQclear(r);
    if (l->conn && take_results(l, &rest) < 0 && !l->conn)
        f->verdict = f->verdict == PG_MISCONFIGURED ? PG_MISCONFIGURED : PG_RECONNECT;
    return -1;
}

static int copy_slice(struct pg_link *l, const char *data, size_t len, struct pg_failure *f)
{
    int rc;
    while ((rc = PQputCopyData(l->conn, data, (int)len)) == 0) {
        if (flush(l, f) < 0)
            return -1;
    }
    return rc < 0 ? fail_by_connection(l, f) : flush(l, f);
}

static int copy_finish(struct pg_link *l, struct pg_failure *f)
{
    int rc;
    while ((rc = PQputCopyEnd(l->conn, NULL)) == 0) {
        if (flush(l, f) < 0)
            return -1;
    }
    if (rc < 0)
        return fail_by_connection(l, f);
    return flush(l, f) < 0 ? -1 : take_results(l, f);
}

int pg_link_copy(struct pg_link *l, const char *sql, const char *data, size_t len, struct pg_failure *f)
{
    if (may_begin(l, f) < 0 || copy_start(l, sql, f) < 0)
        return -1;
    for (size_t done = 0; done < len;) {
        size_t slice = len - done < COPY_SLICE ? len - done : COPY_SLICE;
        if (copy_slice(l, data + done, slice, f) < 0)
            return -1;
        done += slice;
    }
    return copy_finish(l, f);
}

void pg_link_quote(struct pg_link *l, const char *name, size_t len, struct buf *out)
{
    char *quoted = PQescapeIdentifier(l->conn, name, len);
    if (quoted)
        buf_puts(out, quoted);
    else
        out->failed = true;
    PQfreemem(quoted);
}
