/* SPDX-License-Identifier: Apache-2.0 */
/* The store in one SQLite file, in WAL mode: what the sessions at brokers hold. */
#ifndef SLUICE_DEVICES_STORE_SQLITE_H
#define SLUICE_DEVICES_STORE_SQLITE_H

#include "engine/base/err.h"
#include "sluice/session_store.h"

struct store_sqlite;

/* Only takes the path. Returns owned, or NULL: memory. */
struct store_sqlite *store_sqlite_new(const char *path, struct err *e) MUST_CHECK;
/* Make the file if it is not there, and bring it to the form of this version; before the port is used. -1: ERR_IO with the path and
 * SQLite's reason, ERR_LIMIT: a newer sluice has written it. */
int store_sqlite_open(struct store_sqlite *s, struct err *e) MUST_CHECK;
void store_sqlite_free(struct store_sqlite *s);

/* Its port; borrowed until store_sqlite_free. Any thread. */
struct session_store *store_sqlite_sessions(struct store_sqlite *s);

#endif
