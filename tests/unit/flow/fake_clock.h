/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that stands still until the test moves it. Safe from any thread. */
#ifndef SLUICE_TEST_FAKE_CLOCK_H
#define SLUICE_TEST_FAKE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/base/clock.h"

#define FAKE_NOW_MS INT64_C(1767225600123) /* 2026-01-01T00:00:00.123Z */

struct fake_clock {
    struct clock clock;
    atomic_uint_fast64_t ms;
};

static inline uint64_t fake_clock_monotonic(void *ctx)
{
    struct fake_clock *c = ctx;
    return atomic_load(&c->ms);
}

static inline int64_t fake_clock_now(void *ctx)
{
    return FAKE_NOW_MS + (int64_t)fake_clock_monotonic(ctx);
}

static inline void fake_clock_init(struct fake_clock *c)
{
    c->clock = (struct clock) { .now_ms = fake_clock_now, .monotonic_ms = fake_clock_monotonic, .ctx = c };
    atomic_init(&c->ms, 0);
}

static inline void fake_clock_advance(struct fake_clock *c, uint64_t ms)
{
    atomic_fetch_add(&c->ms, ms);
}

#endif
