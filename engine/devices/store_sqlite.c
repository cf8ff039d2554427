/* SPDX-License-Identifier: Apache-2.0 */
/* Sources ask seldom (at a connect, at a reload) and from their own threads, so each call has a connection of its own: no lock of ours,
 * and none of SQLite's held over anything else. Two processes may share the file.
 *
 *     session_filters(session, filter, id, state, qos)     primary key (session, filter)
 *     client_sessions(listener, client, expiry_s)          primary key (listener, client); store_clients.c
 *
 * user_version of the file is the version of this form. */
#include "engine/devices/store_sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "engine/devices/store_sqlite_int.h"

#define FORM    2
#define BUSY_MS 5000

int store_sqlite_fail(sqlite3 *db, const char *path, const char *what, struct err *e)
{
    return err_set(e, ERR_IO, "could not %s the store \"%.120s\": %s", what, path,
                   db ? sqlite3_errmsg(db) : "not enough memory");
}

sqlite3 *store_sqlite_connect(const char *path, struct err *e)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK && sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK &&
        sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK)
        return db;
    store_sqlite_fail(db, path, "open", e);
    sqlite3_close(db);
    return NULL;
}

/* --- the form of the file --- */

static int read_form(sqlite3 *db, int *form)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        *form = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return rc == SQLITE_ROW ? 0 : -1;
}

static int make_form(sqlite3 *db)
{
    static const char sql[] =
        "BEGIN IMMEDIATE;"
        "CREATE TABLE IF NOT EXISTS session_filters (session TEXT NOT NULL, filter TEXT NOT NULL,"
        " id INTEGER NOT NULL, state INTEGER NOT NULL, qos INTEGER NOT NULL, PRIMARY KEY "
        "(session, filter)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS client_sessions (listener TEXT NOT NULL, client TEXT NOT NULL,"
        " expiry_s INTEGER NOT NULL, PRIMARY KEY (listener, client)) WITHOUT ROWID;"
        "PRAGMA user_version = 2;"
        "COMMIT";
    _Static_assert(FORM == 2, "the form that is made");
    return sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) == SQLITE_OK &&
                   sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : -1;
}

static int prepare_file(const char *path, struct err *e)
{
    sqlite3 *db = store_sqlite_connect(path, e);
    int form = 0, rc = -1;
    if (!db)
        return -1;
    if (read_form(db, &form) < 0 || (form < FORM && make_form(db) < 0))
        store_sqlite_fail(db, path, "open", e);
    else if (form > FORM)
        err_set(e, ERR_LIMIT, "the store \"%.120s\" was written by a newer sluice", path);
    else
        rc = 0;
    sqlite3_close(db);
    return rc;
}

/* --- sessions --- */

static int each_row(sqlite3_stmt *q, void (*each)(void *ctx, const struct session_filter *f), void *ctx)
{
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        int state = sqlite3_column_int(q, 2);
        const struct session_filter f = {
            .filter = (const char *)sqlite3_column_text(q, 0),
            .id = (uint32_t)sqlite3_column_int64(q, 1),
            .qos = (uint8_t)sqlite3_column_int(q, 3),
            .state = state == SESSION_FILTER_GRANTED || state == SESSION_FILTER_DROPPED
                         ? (enum session_filter_state)state
                         : SESSION_FILTER_ASKED,
        };
        if (!f.filter)
            return SQLITE_NOMEM;
        each(ctx, &f);
    }
    return rc;
}

static int load(struct session_store *store, const char *session,
                void (*each)(void *ctx, const struct session_filter *f), void *ctx, struct err *e)
{
    static const char sql[] = "SELECT filter, id, state, qos FROM session_filters WHERE session = ?1 ORDER BY filter";
    struct store_sqlite *s = (struct store_sqlite *)(void *)store;
    sqlite3 *db = store_sqlite_connect(s->path, e);
    sqlite3_stmt *q = NULL;
    if (!db)
        return -1;
    bool done = sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK &&
                sqlite3_bind_text(q, 1, session, -1, SQLITE_STATIC) == SQLITE_OK &&
                each_row(q, each, ctx) == SQLITE_DONE;
    if (!done)
        store_sqlite_fail(db, s->path, "read", e);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return done ? 0 : -1;
}

static bool run_with(sqlite3 *db, const char *sql, const char *session, const struct session_filter *f)
{
    sqlite3_stmt *q = NULL;
    bool done = sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK &&
                sqlite3_bind_text(q, 1, session, -1, SQLITE_STATIC) == SQLITE_OK;
    if (done && f)
        done = sqlite3_bind_text(q, 2, f->filter, -1, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_int64(q, 3, f->id) == SQLITE_OK && sqlite3_bind_int(q, 4, (int)f->state) == SQLITE_OK &&
               sqlite3_bind_int(q, 5, f->qos) == SQLITE_OK;
    done = done && sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return done;
}

static int replace(struct session_store *store, const char *session, const struct session_filter *list, size_t count,
                   struct err *e)
{
    struct store_sqlite *s = (struct store_sqlite *)(void *)store;
    sqlite3 *db = store_sqlite_connect(s->path, e);
    if (!db)
        return -1;
    bool done = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
                run_with(db, "DELETE FROM session_filters WHERE session = ?1", session, NULL);
    for (size_t i = 0; i < count && done; i++)
        done = run_with(db, "INSERT INTO session_filters VALUES (?1, ?2, ?3, ?4, ?5)", session, &list[i]);
    done = done && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!done)
        store_sqlite_fail(db, s->path, "write", e);
    sqlite3_close(db); /* takes back what was not committed */
    return done ? 0 : -1;
}

/* --- opening --- */

struct store_sqlite *store_sqlite_new(const char *path, struct err *e)
{
    struct store_sqlite *s = calloc(1, sizeof(*s));
    char *copy = strdup(path);
    if (s && copy) {
        *s = (struct store_sqlite) { .sessions = { .load = load, .replace = replace, .clients = store_clients_open },
                                     .path = copy };
        return s;
    }
    err_set(e, ERR_MEMORY, "not enough memory for the store");
    free(s);
    free(copy);
    return NULL;
}

int store_sqlite_open(struct store_sqlite *s, struct err *e)
{
    return prepare_file(s->path, e);
}

void store_sqlite_free(struct store_sqlite *s)
{
    if (!s)
        return;
    free(s->path);
    free(s);
}

struct session_store *store_sqlite_sessions(struct store_sqlite *s)
{
    return &s->sessions;
}
