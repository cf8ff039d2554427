/* SPDX-License-Identifier: Apache-2.0 */
/* Items of one send.
 *
 * Groups are found by comparing with the first item of each group so far, the last one found first: a send nearly
 * always goes to one or a few tables or files, and then this costs one comparison an item. */
#include "actions/items.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/conf.h"
#include "engine/base/utf8.h"

static void set_result(struct act_item *item, enum act_result result, const char *fmt, va_list ap)
{
    static const char prefix[] = "misconfigured: ";
    size_t len = item->misconfigured ? sizeof(prefix) - 1 : 0;
    item->result = result;
    item->wait_ms = 0;
    memcpy(item->reason, prefix, len);
    vsnprintf(item->reason + len, sizeof(item->reason) - len, fmt, ap);
    item->reason[utf8_valid_prefix(item->reason, strlen(item->reason))] = '\0';
}

void item_done(struct act_item *item)
{
    item->result = ACT_DONE;
    item->wait_ms = 0;
    item->misconfigured = false;
    item->reason[0] = '\0';
}

void item_later(struct act_item *item, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    item->misconfigured = false;
    set_result(item, ACT_LATER, fmt, ap);
    va_end(ap);
}

void item_misconfigured(struct act_item *item, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    item->misconfigured = true;
    set_result(item, ACT_LATER, fmt, ap);
    va_end(ap);
}

void item_reject(struct act_item *item, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    item->misconfigured = false;
    set_result(item, ACT_REJECTED, fmt, ap);
    va_end(ap);
}

void items_start(struct act_item *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        item_done(items[i]);
        items[i]->result = ACT_PENDING;
    }
}

bool items_any_pending(struct act_item *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i]->result == ACT_PENDING)
            return true;
    }
    return false;
}

void items_later(struct act_item *const *items, size_t count, const char *reason)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i]->result == ACT_PENDING)
            item_later(items[i], "%s", reason);
    }
}

static int groups_reserve(struct item_groups *g, size_t count, struct err *e)
{
    if (count <= g->room)
        return 0;
    struct item_group *list = reallocarray(g->list, count, sizeof(*list));
    if (list)
        g->list = list;
    struct act_item **sorted = reallocarray(g->sorted, count, sizeof(struct act_item *));
    if (sorted)
        g->sorted = sorted;
    size_t *group_of = reallocarray(g->group_of, count, sizeof(*group_of));
    if (group_of)
        g->group_of = group_of;
    if (!list || !sorted || !group_of)
        return err_set(e, ERR_MEMORY, "not enough memory to sort %zu items", count);
    g->room = count;
    return 0;
}

/* The group of an item; the number of groups if it begins a new one. */
static size_t find_group(const struct item_groups *g, const struct act_item *item, size_t last,
                         bool (*same)(const struct act_item *, const struct act_item *))
{
    if (last < g->count && same(g->list[last].items[0], item))
        return last;
    for (size_t i = 0; i < g->count; i++) {
        if (same(g->list[i].items[0], item))
            return i;
    }
    return g->count;
}

int items_group(struct item_groups *g, struct act_item *const *items, size_t count,
                bool (*same)(const struct act_item *, const struct act_item *), struct err *e)
{
    g->count = 0;
    if (groups_reserve(g, count, e) < 0)
        return -1;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        last = find_group(g, items[i], last, same);
        if (last == g->count) {
            /* For now the group is just its first item, parked at the group's own index: never behind i. */
            g->sorted[last] = items[i];
            g->list[g->count++] = (struct item_group) { .items = &g->sorted[last], .count = 0 };
        }
        g->list[last].count++;
        g->group_of[i] = last;
    }
    struct act_item **next = g->sorted;
    for (size_t i = 0; i < g->count; i++) {
        g->list[i].items = next;
        next += g->list[i].count;
        g->list[i].count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct item_group *group = &g->list[g->group_of[i]];
        group->items[group->count++] = items[i];
    }
    return 0;
}

void item_groups_clear(struct item_groups *g)
{
    free(g->list);
    free(g->sorted);
    free(g->group_of);
    *g = (struct item_groups) { 0 };
}

bool act_text_equal(const struct act_text *a, const struct act_text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

size_t act_constant_prefix(const struct conf *scalar)
{
    for (size_t i = 0; i + 1 < scalar->len; i++) {
        if (scalar->text[i] == '$' && scalar->text[i + 1] == '{')
            return i;
    }
    return scalar->len;
}
