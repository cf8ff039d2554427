/* SPDX-License-Identifier: Apache-2.0 */
/* So many log lines a second and no more: who is refused again and again must not fill a disk. Of one thread, or behind its
 * owner's lock. */
#ifndef SLUICE_BASE_LOG_LIMIT_H
#define SLUICE_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_LINES 20 /* a second */

struct log_limit { /* zero-initialised is fresh */
    uint64_t second;
    unsigned lines, held_back;
};

/* May one more line be written? If not it is counted. */
static inline bool log_limit_take(struct log_limit *l, uint64_t now_ms)
{
    if (l->second != now_ms / 1000) {
        l->second = now_ms / 1000;
        l->lines = 0;
    }
    if (l->lines < LOG_LIMIT_LINES) {
        l->lines++;
        return true;
    }
    l->held_back++;
    return false;
}

/* How many were held back, once the second is over; 0 before. */
static inline unsigned log_limit_report(struct log_limit *l, uint64_t now_ms)
{
    if (!l->held_back || l->second == now_ms / 1000)
        return 0;
    unsigned n = l->held_back;
    l->held_back = 0;
    return n;
}

#endif
