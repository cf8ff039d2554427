/* SPDX-License-Identifier: Apache-2.0 */
/* Items of one send: setting their results, and sorting them into groups that go to the same place. */
#ifndef SLUICE_ACTIONS_ITEMS_H
#define SLUICE_ACTIONS_ITEMS_H

#include "engine/base/err.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>

struct conf;

/* --- results; a reason is cut at ACT_REASON_MAX, at the border of a character --- */

void item_done(struct act_item *item);
void item_later(struct act_item *item, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Later, once somebody has repaired something: the reason begins with "misconfigured: ". */
void item_misconfigured(struct act_item *item, const char *fmt, ...) PRINTF_LIKE(2, 3);
void item_reject(struct act_item *item, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Forget what the items hold from an earlier send: all are ACT_PENDING. */
void items_start(struct act_item *const *items, size_t count);
/* Is there an item that is still ACT_PENDING? */
bool items_any_pending(struct act_item *const *items, size_t count);
/* Every item that is still ACT_PENDING becomes ACT_LATER for this reason. */
void items_later(struct act_item *const *items, size_t count, const char *reason);

/* --- groups --- */

struct item_group {
    struct act_item **items; /* in the order of the send */
    size_t count;
};

/* Zero-initialised is empty; keeps its memory from send to send. */
struct item_groups {
    struct item_group *list; /* in order of each group's first item */
    size_t count;
    struct act_item **sorted;
    size_t *group_of; /* by index of the item */
    size_t room;
};

/* Sort the items of a send into groups of those that are `same` (an equivalence). Order inside a group is kept.
 * -1: memory is short. O(count × groups), O(count) while neighbours are the same. */
int items_group(struct item_groups *groups, struct act_item *const *items, size_t count,
                bool (*same)(const struct act_item *, const struct act_item *), struct err *e) MUST_CHECK;
void item_groups_clear(struct item_groups *groups);

/* --- rendered texts --- */

bool act_text_equal(const struct act_text *a, const struct act_text *b);
/* Bytes of a template before its first `${`: this much of the rendered text was written by the author of the rule,
 * whatever the message holds. All of it if there is none. */
size_t act_constant_prefix(const struct conf *scalar);

#endif
