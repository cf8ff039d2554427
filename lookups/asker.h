/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that sends requests and reads files, one after the other begun, side by side under way. Internal to lookups/. */
#ifndef SLUICE_LOOKUPS_ASKER_H
#define SLUICE_LOOKUPS_ASKER_H

#include "lookups/lookups_int.h"

struct asker;

/* conf, kept and clock are borrowed until asker_free. NULL: see e. Owned. */
struct asker *asker_new(const struct lookups_conf *conf, struct kept *kept, const struct clock *clock, struct err *e);
int asker_start(struct asker *a, struct err *e) MUST_CHECK;
/* Take over a question whose teller is known. Never blocks. False: there is no memory, or the asker is closing. Thread: any. */
bool asker_take(struct asker *a, struct lookup *l, const struct teller *teller) MUST_CHECK;
/* Fails what is pending, and ends the thread. */
void asker_free(struct asker *a);

#endif
