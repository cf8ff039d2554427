/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a listener's clients, in the table client_sessions. They change with every client that comes with a session for the first time, in the
 * listener's own thread: so the connection stays open, its statement prepared, and a commit is written but not forced to the disk. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "engine/devices/store_sqlite_int.h"

#define BUSY_MS 100

struct clients {
    struct client_store port; /* first: the port's functions find the rest by it */
    sqlite3 *db;
    sqlite3_stmt *keep, *drop;
    char *path, *listener;
};

static int load(struct client_store *store, void (*each)(void *ctx, const char *id, size_t len, uint32_t expiry_s),
                void *ctx, struct err *e)
{
    static const char sql[] = "SELECT client, expiry_s FROM client_sessions WHERE listener = ?1 ORDER BY client";
    struct clients *c = (struct clients *)(void *)store;
    sqlite3_stmt *q = NULL;
    int rc = SQLITE_ERROR;
    if (sqlite3_prepare_v2(c->db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_bind_text(q, 1, c->listener, -1, SQLITE_STATIC) == SQLITE_OK)
        while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
            const char *id = (const char *)sqlite3_column_text(q, 0);
            if (id)
                each(ctx, id, (size_t)sqlite3_column_bytes(q, 0), (uint32_t)sqlite3_column_int64(q, 1));
        }
    if (rc != SQLITE_DONE)
        store_sqlite_fail(c->db, c->path, "read", e);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int keep(struct client_store *store, const char *id, size_t len, uint32_t expiry_s, struct err *e)
{
    struct clients *c = (struct clients *)(void *)store;
    sqlite3_stmt *q = expiry_s ? c->keep : c->drop;
    bool done = sqlite3_bind_text(q, 1, c->listener, -1, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_bind_text(q, 2, id, (int)len, SQLITE_STATIC) == SQLITE_OK &&
                (!expiry_s || sqlite3_bind_int64(q, 3, expiry_s) == SQLITE_OK) && sqlite3_step(q) == SQLITE_DONE;
    if (!done)
        store_sqlite_fail(c->db, c->path, "write", e);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q); /* the id is the caller's */
    return done ? 0 : -1;
}

static void close_clients(struct client_store *store)
{
    struct clients *c = (struct clients *)(void *)store;
    sqlite3_finalize(c->keep);
    sqlite3_finalize(c->drop);
    sqlite3_close(c->db);
    free(c->path);
    free(c->listener);
    free(c);
}

static bool prepare(struct clients *c)
{
    return sqlite3_busy_timeout(c->db, BUSY_MS) == SQLITE_OK &&
           sqlite3_exec(c->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(c->db, "INSERT OR REPLACE INTO client_sessions VALUES (?1, ?2, ?3)", -1, &c->keep,
                              NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(c->db, "DELETE FROM client_sessions WHERE listener = ?1 AND client = ?2", -1, &c->drop,
                              NULL) == SQLITE_OK;
}

struct client_store *store_clients_open(struct session_store *store, const char *listener, struct err *e)
{
    const struct store_sqlite *s = (struct store_sqlite *)(void *)store;
    struct clients *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(e, ERR_MEMORY, "not enough memory for the store");
        return NULL;
    }
    c->port = (struct client_store) { .load = load, .keep = keep, .close = close_clients };
    c->path = strdup(s->path);
    c->listener = strdup(listener);
    c->db = c->path && c->listener ? store_sqlite_connect(s->path, e) : NULL;
    if (c->db && prepare(c))
        return &c->port;
    store_sqlite_fail(c->db, s->path, "open", e);
    close_clients(&c->port);
    return NULL;
}
