/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds that only go forward, for measuring spans. */
#ifndef SLUICE_BENCH_NOW_H
#define SLUICE_BENCH_NOW_H

#include <time.h>

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
