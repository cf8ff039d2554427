/* SPDX-License-Identifier: Apache-2.0 */
/* Who crosses a bound says so, and only that one: each addition and subtraction sees the sum before and after it. */
#include "engine/flow/pressure.h"

#include <stdint.h>

void pressure_init(struct pressure *p, size_t max_bytes, void (*relieved)(void *ctx), void *ctx)
{
    p->max_bytes = max_bytes ? max_bytes : SIZE_MAX;
    p->relieved = relieved;
    p->ctx = ctx;
    atomic_init(&p->bytes, 0);
    atomic_init(&p->over, 0);
}

void pressure_begin(struct pressure *p)
{
    atomic_fetch_add(&p->over, 1);
}

void pressure_end(struct pressure *p)
{
    if (atomic_fetch_sub(&p->over, 1) == 1)
        p->relieved(p->ctx);
}

void pressure_hold(struct pressure *p, size_t bytes)
{
    size_t before = atomic_fetch_add(&p->bytes, bytes);
    if (before < p->max_bytes && before + bytes >= p->max_bytes)
        pressure_begin(p);
}

void pressure_drop(struct pressure *p, size_t bytes)
{
    size_t before = atomic_fetch_sub(&p->bytes, bytes);
    if (before >= p->max_bytes && before - bytes < p->max_bytes)
        pressure_end(p);
}

size_t pressure_bytes(const struct pressure *p)
{
    return atomic_load(&p->bytes);
}
