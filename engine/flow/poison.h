/* SPDX-License-Identifier: Apache-2.0 */
/* Poison: filters for which the broker ends the connection when we subscribe to them, as AWS IoT Core does without a
 * policy for one. Each of them would keep all others from being served, so it is left out, and tried again after a
 * while: the fault may have been the broker's. Owned by one thread. */
#ifndef SLUICE_FLOW_POISON_H
#define SLUICE_FLOW_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POISON_WAIT_MIN_MS 60000u   /* left out for that long at first, then twice as long each time, */
#define POISON_WAIT_MAX_MS 3600000u /* up to this */

/* Zero-initialised is empty. */
struct poison {
    struct poison_filter *list;
    size_t count;  /* filters that are left out, or due to be tried again */
    char *suspect; /* the filter blamed last, if only once so far */
};

/* Acquit all. */
void poison_clear(struct poison *p);
/* The connection ended for this filter, and for no other. Once may be chance, unless it was left out before. Returns
 * for how many milliseconds it is left out from now on; 0: it is only suspected (or memory is short). */
uint32_t poison_blame(struct poison *p, const char *filter, uint64_t now_ms);
bool poison_is_left_out(const struct poison *p, const char *filter, uint64_t now_ms);
/* When the next filter is to be tried again, UINT64_MAX: none is left out. */
uint64_t poison_next(const struct poison *p);
/* All that were to be tried again at now_ms have been, and the connection goes on. */
void poison_acquit_due(struct poison *p, uint64_t now_ms);

#endif
