/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice run --table`: the rules' counters for a person, refreshed in place on a terminal, printed once at the end otherwise.
 *
 *     rule              matched  filtered  delivered    failed  in flight
 *     overheat              400       361         39         0          0 */
#ifndef SLUICE_APP_STATUS_TABLE_H
#define SLUICE_APP_STATUS_TABLE_H

#include "engine/flow/stats.h"

struct status_table {
    bool terminal;  /* standard output is one */
    unsigned lines; /* printed by the last call: the next one writes over them */
};

void status_table_init(struct status_table *t);
/* failed: evaluations aborted, and messages that ended in the dead-letter store or were dropped. */
void status_table_print(struct status_table *t, const struct stats_snapshot *s);

#endif
