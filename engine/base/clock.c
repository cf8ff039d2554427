/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks behind struct clock. */
#include "engine/base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t system_now_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t system_monotonic_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

const struct clock clock_system = { .now_ms = system_now_ms, .monotonic_ms = system_monotonic_ms, .ctx = NULL };
