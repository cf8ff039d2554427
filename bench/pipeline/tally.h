/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the numbered messages arrived, and how many more than once. Single-threaded. */
#ifndef SLUICE_BENCH_TALLY_H
#define SLUICE_BENCH_TALLY_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tally {
    uint64_t *bits;
    size_t count;            /* messages 0 to count - 1 were given */
    size_t seen;             /* different ones that arrived */
    size_t doubled, foreign; /* arrivals of one that had arrived; of none that was given */
};

int tally_init(struct tally *t, size_t count, struct err *e) MUST_CHECK;
void tally_clear(struct tally *t);
/* The text of an output arrived. */
void tally_note(struct tally *t, const void *text, size_t len);
static inline size_t tally_lost(const struct tally *t)
{
    return t->count - t->seen;
}

#endif
