/* SPDX-License-Identifier: Apache-2.0 */
/* One line opens an interval; the next one is due behind it and doubles it. An interval's length without any event
 * behind the interval counts as quiet. */
#include "engine/flow/notice.h"

void notice_init(struct notice *n, uint32_t min_ms, uint32_t max_ms)
{
    *n = (struct notice) { .min_ms = min_ms, .max_ms = max_ms };
}

static uint32_t next_interval(const struct notice *n, uint64_t now_ms)
{
    if (n->interval_ms == 0 || now_ms >= n->next_ms + n->interval_ms)
        return n->min_ms;
    return n->interval_ms < n->max_ms / 2 ? n->interval_ms * 2 : n->max_ms;
}

bool notice_due(struct notice *n, uint64_t now_ms, uint64_t *silent)
{
    if (n->interval_ms && now_ms < n->next_ms) {
        n->silent++;
        return false;
    }
    n->interval_ms = next_interval(n, now_ms);
    n->next_ms = now_ms + n->interval_ms;
    *silent = n->silent;
    n->silent = 0;
    return true;
}
