/* SPDX-License-Identifier: Apache-2.0 */
/* Clock: time as a value that tests can set. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_ms)(void *ctx);        /* milliseconds since 1970-01-01 UTC */
    uint64_t (*monotonic_ms)(void *ctx); /* never goes back; for time-outs and back-off */
    void *ctx;
};

/* The system's clocks. */
extern const struct clock clock_system;

static inline int64_t clock_now_ms(const struct clock *c)
{
    return c->now_ms(c->ctx);
}
static inline uint64_t clock_monotonic_ms(const struct clock *c)
{
    return c->monotonic_ms(c->ctx);
}

#endif
