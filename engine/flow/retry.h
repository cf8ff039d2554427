/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off between tries: exponential, capped, jittered. Pure: the caller brings the random number and does the
 * waiting. */
#ifndef SLUICE_FLOW_RETRY_H
#define SLUICE_FLOW_RETRY_H

#include <stdint.h>

struct retry {
    uint32_t min_ms, max_ms; /* 1 <= min <= max */
};

/* Milliseconds to wait after the attempt-th try (from 1) failed: between half of and the whole of min ×
 * 2^(attempt-1), which is capped at max. Never 0.
 *   random  uniform in [0, 1)
 *   wish_ms what the target asked for, at most RETRY_WISH_MAX_MS of it; the wait is not shorter. 0: nothing */
uint64_t retry_delay_ms(const struct retry *r, unsigned attempt, double random, uint32_t wish_ms);

#define RETRY_WISH_MAX_MS 3600000u

#endif
