/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SQLite store share. */
#ifndef SLUICE_DEVICES_STORE_SQLITE_INT_H
#define SLUICE_DEVICES_STORE_SQLITE_INT_H

#include "engine/devices/store_sqlite.h"

struct sqlite3;

struct store_sqlite {
    struct session_store sessions; /* first: the port's functions find the rest by it */
    char *path;
};

/* A connection that forces each commit to the disk. Returns owned (sqlite3_close), or NULL. */
struct sqlite3 *store_sqlite_connect(const char *path, struct err *e);
/* Could not do `what` with the store: -1. db may be NULL: memory. */
int store_sqlite_fail(struct sqlite3 *db, const char *path, const char *what, struct err *e);

/* store_clients.c: session_store's `clients`. */
struct client_store *store_clients_open(struct session_store *store, const char *listener, struct err *e);

#endif
