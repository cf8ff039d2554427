/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/tally.h"

#include <stdlib.h>

#include "bench/pipeline/sample.h"

int tally_init(struct tally *t, size_t count, struct err *e)
{
    *t = (struct tally) { .bits = calloc(count / 64 + 1, sizeof(uint64_t)), .count = count };
    return t->bits ? 0 : err_set(e, ERR_MEMORY, "not enough memory");
}

void tally_clear(struct tally *t)
{
    free(t->bits);
    *t = (struct tally) { 0 };
}

void tally_note(struct tally *t, const void *text, size_t len)
{
    int64_t i = sample_number(text, len);
    if (i < 0 || (uint64_t)i >= t->count) {
        t->foreign++;
        return;
    }
    uint64_t bit = (uint64_t)1 << (i % 64);
    if (t->bits[i / 64] & bit) {
        t->doubled++;
        return;
    }
    t->bits[i / 64] |= bit;
    t->seen++;
}
