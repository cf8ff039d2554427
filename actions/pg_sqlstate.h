/* SPDX-License-Identifier: Apache-2.0 */
/* What an SQLSTATE means for delivery. */
#ifndef SLUICE_ACTIONS_PG_SQLSTATE_H
#define SLUICE_ACTIONS_PG_SQLSTATE_H

enum pg_verdict {
    PG_LATER,         /* may work later on this connection */
    PG_RECONNECT,     /* may work later on a new connection */
    PG_MISCONFIGURED, /* works once somebody has changed the database or the configuration: later, loudly */
    PG_REJECTED,      /* a row is at fault: will never work */
};

/* sqlstate: five characters, NUL-terminated; NULL or "" when the error is libpq's own, which is always about the
 * connection. Codes that no row of the table covers are raised by users' triggers: rejected. */
enum pg_verdict pg_sqlstate_verdict(const char *sqlstate);

#endif
