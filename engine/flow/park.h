/* SPDX-License-Identifier: Apache-2.0 */
/* Park: deliveries of one outbox that wait for their next try, and those of the same key behind them.
 *
 *     key 17:  d4 (due 12:00:03) -> d9 -> d12        a group: one due time, that of its first delivery
 *     key 23:  d6 (due 12:00:01)
 *     key 0:   d7 (due 12:00:02)                     no order: every delivery is a group by itself
 *
 * A key that is parked holds back its later deliveries; other keys go on. Allocates nothing after park_init but a
 * larger index. Owned by one thread. */
#ifndef SLUICE_FLOW_PARK_H
#define SLUICE_FLOW_PARK_H

#include "engine/base/err.h"
#include "engine/flow/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Member of struct delivery. The first item of a group stands for it. */
struct park_item {
    struct queue_link link; /* to the next item of the group */
    uint64_t key;           /* 0: no order */
    /* of the first item only */
    struct queue_chain group;
    uint64_t due_ms;
    struct park_item *bucket_next;     /* index by key */
    struct park_item *child, *sibling; /* heap by due time */
};

struct park {
    struct park_item **buckets;
    size_t bucket_count; /* power of two */
    size_t group_count, item_count;
    struct park_item *soonest; /* root of a pairing heap */
};

int park_init(struct park *p, struct err *e) MUST_CHECK;
void park_clear(struct park *p); /* the items must be gone */

/* Its key is parked: the delivery has been put at the end of its group. False (nothing done): it may be sent. */
bool park_hold(struct park *p, struct park_item *item);
/* Wait until due_ms. If its key is parked, it joins that group and its due time. */
void park_add(struct park *p, struct park_item *item, uint64_t due_ms);
/* When the next group is due; UINT64_MAX: nothing is parked. */
uint64_t park_next_due(const struct park *p);
/* Move the items of every group that is due, group by group, to the end of out (link by link: struct park_item). */
void park_release(struct park *p, uint64_t now_ms, struct queue_chain *out);

#endif
