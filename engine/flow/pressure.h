/* SPDX-License-Identifier: Apache-2.0 */
/* Pressure: is there so much behind the workers that they must begin no new message? Two things make it: outboxes
 * at their bound, and the bytes of all results together (outputs, parameters, documents about failures). Messages
 * wait in the lanes meanwhile, which have room for all of them; what comes home is handled always. */
#ifndef SLUICE_FLOW_PRESSURE_H
#define SLUICE_FLOW_PRESSURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct pressure {
    size_t max_bytes; /* of results: from here on there is pressure */
    atomic_size_t bytes;
    atomic_int over;             /* how many bounds are reached */
    void (*relieved)(void *ctx); /* none is any more. Thread: any; no lock is held. */
    void *ctx;
};

/* max_bytes 0: no bound on them. */
void pressure_init(struct pressure *p, size_t max_bytes, void (*relieved)(void *ctx), void *ctx);

static inline bool pressure_is_on(const struct pressure *p)
{
    return atomic_load(&p->over) != 0;
}

/* One bound more is reached, or one less. Thread: any; takes no lock. */
void pressure_begin(struct pressure *p);
void pressure_end(struct pressure *p);
/* Results of so many bytes are there, or gone. Thread: any; takes no lock. */
void pressure_hold(struct pressure *p, size_t bytes);
void pressure_drop(struct pressure *p, size_t bytes);
size_t pressure_bytes(const struct pressure *p); /* Thread: any. */

#endif
