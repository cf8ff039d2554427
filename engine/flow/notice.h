/* SPDX-License-Identifier: Apache-2.0 */
/* Notice: when to say again what was said already. The first event is logged at once, further ones at growing
 * intervals, and each line can tell how many events went by in silence. After a quiet time it starts anew. Owned by
 * one thread. */
#ifndef SLUICE_FLOW_NOTICE_H
#define SLUICE_FLOW_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

struct notice {
    uint32_t min_ms, max_ms; /* first and longest interval */
    uint32_t interval_ms;    /* 0: nothing said yet */
    uint64_t next_ms;        /* when the next line is due */
    uint64_t silent;         /* events since the last line */
};

void notice_init(struct notice *n, uint32_t min_ms, uint32_t max_ms);
/* An event happened: is a line due? *silent gets the number of events that had none since the last line. */
bool notice_due(struct notice *n, uint64_t now_ms, uint64_t *silent);

#endif
