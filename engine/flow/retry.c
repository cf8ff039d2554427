/* SPDX-License-Identifier: Apache-2.0 */
/* The doubling stops at the cap. Half of the wait is fixed and half is random ("equal jitter"): many keys that failed
 * together come back spread out, but none of them at once. */
#include "engine/flow/retry.h"

static uint64_t doubled(const struct retry *r, unsigned attempt)
{
    unsigned doublings = attempt > 0 ? attempt - 1 : 0;
    if (doublings >= 32) /* 2^32 × 1 ms is beyond any max_ms */
        return r->max_ms;
    uint64_t ms = (uint64_t)r->min_ms << doublings;
    return ms < r->max_ms ? ms : r->max_ms;
}

uint64_t retry_delay_ms(const struct retry *r, unsigned attempt, double random, uint32_t wish_ms)
{
    uint64_t full = doubled(r, attempt), half = full / 2;
    uint64_t delay = full - half + (uint64_t)((double)half * random);
    if (delay == 0)
        delay = 1;
    uint64_t wish = wish_ms < RETRY_WISH_MAX_MS ? wish_ms : RETRY_WISH_MAX_MS;
    return delay > wish ? delay : wish;
}
