/* SPDX-License-Identifier: Apache-2.0 */
/* SQLSTATE classification: a sorted table of classes (two characters) and of single codes that differ from their
 * class.
 *
 * The question behind each row: would the same row go in if somebody waited, reconnected, or repaired something?
 * Retrying a permanent error holds up everyone behind it, so only what is known to pass is LATER. */
#include "actions/pg_sqlstate.h"

#include <stdlib.h>
#include <string.h>

struct sqlstate_row {
    const char *code;
    enum pg_verdict verdict;
};

static const struct sqlstate_row rows[] = {
    { "03", PG_LATER },     /* SQL statement not yet complete */
    { "08", PG_RECONNECT }, /* connection exception */
    { "09", PG_REJECTED },  /* triggered action exception */
    { "0A", PG_REJECTED },  /* feature not supported: waiting does not add it */
    { "20", PG_REJECTED },  /* case not found, in a trigger */
    { "21", PG_REJECTED }, /* cardinality: one statement would change a row twice; a batch is halved, alone it passes */
    { "22", PG_REJECTED }, /* data exception */
    { "23", PG_REJECTED }, /* integrity constraint violation */
    { "24", PG_REJECTED }, /* invalid cursor state, in a trigger */
    { "25", PG_LATER },    /* invalid transaction state */
    { "25006", PG_RECONNECT },  /* read-only transaction: a standby; another host of the conninfo may be the primary */
    { "25P03", PG_RECONNECT },  /* idle in transaction too long: the server ended the session */
    { "26", PG_RECONNECT },     /* invalid statement name: a pooler changed the session under us */
    { "27", PG_REJECTED },      /* triggered data change violation */
    { "28", PG_MISCONFIGURED }, /* invalid authorization */
    { "2F", PG_REJECTED },      /* SQL routine exception */
    { "38", PG_REJECTED },      /* external routine exception */
    { "39", PG_REJECTED },      /* external routine invocation exception */
    { "3D", PG_MISCONFIGURED }, /* no such database */
    { "3F", PG_MISCONFIGURED }, /* no such schema */
    { "40", PG_LATER },         /* transaction rollback: deadlock, serialization */
    { "42", PG_MISCONFIGURED }, /* syntax error or access rule violation: no such table or column, no permission */
    { "44", PG_REJECTED },      /* WITH CHECK OPTION of a view */
    { "53", PG_LATER },         /* insufficient resources: disk full, too many connections */
    { "54", PG_REJECTED },      /* program limit exceeded: row too large, nested too deep */
    { "55", PG_LATER },         /* object not in prerequisite state: locked, in use */
    { "57", PG_LATER },         /* operator intervention: statement time-out */
    { "57P01", PG_RECONNECT },  /* the server is shutting down */
    { "57P02", PG_RECONNECT },  /* another session crashed the server */
    { "57P03", PG_RECONNECT },  /* the server is starting up */
    { "57P04", PG_RECONNECT },  /* the database was dropped */
    { "57P05", PG_RECONNECT },  /* idle session time-out */
    { "58", PG_LATER },         /* system error: I/O */
    { "72", PG_LATER },         /* snapshot too old */
    { "F0", PG_MISCONFIGURED }, /* configuration file error */
    { "HV", PG_LATER },         /* foreign data wrapper: the remote server */
    { "P0", PG_REJECTED },      /* PL/pgSQL: RAISE EXCEPTION in a trigger */
    { "XX", PG_LATER },         /* internal error, corruption */
};

static int compare_row(const void *key, const void *row)
{
    return strcmp(key, ((const struct sqlstate_row *)row)->code);
}

static const struct sqlstate_row *find(const char *code)
{
    return bsearch(code, rows, sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare_row);
}

enum pg_verdict pg_sqlstate_verdict(const char *sqlstate)
{
    if (!sqlstate || !sqlstate[0])
        return PG_RECONNECT;
    const struct sqlstate_row *row = find(sqlstate);
    if (!row && strlen(sqlstate) == 5) {
        char class[3] = { sqlstate[0], sqlstate[1], '\0' };
        row = find(class);
    }
    return row ? row->verdict : PG_REJECTED;
}
