/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive hash index by key and an intrusive pairing heap by due time (Fredman, Sedgewick, Sleator, Tarjan, "The
 * pairing heap", 1986). Groups leave only through the root of the heap, so the heap needs no decrease-key. All costs
 * are O(1) but for releasing a group, O(log groups) amortised. */
#include "engine/flow/park.h"

#include <assert.h>
#include <stdlib.h>

#define PARK_FIRST_BUCKETS 64

int park_init(struct park *p, struct err *e)
{
    *p = (struct park) { .bucket_count = PARK_FIRST_BUCKETS };
    p->buckets = calloc(p->bucket_count, sizeof(struct park_item *));
    return p->buckets ? 0 : err_set(e, ERR_MEMORY, "out of memory");
}

void park_clear(struct park *p)
{
    assert(p->item_count == 0);
    free(p->buckets);
    *p = (struct park) { 0 };
}

/* Keys are hashes already. */
static struct park_item **bucket_of(const struct park *p, uint64_t key)
{
    return &p->buckets[key & (p->bucket_count - 1)];
}

static struct park_item *find(const struct park *p, uint64_t key)
{
    if (key == 0)
        return NULL;
    struct park_item *group = *bucket_of(p, key);
    while (group && group->key != key)
        group = group->bucket_next;
    return group;
}

static void index_add(struct park *p, struct park_item *group)
{
    struct park_item **bucket = bucket_of(p, group->key);
    group->bucket_next = *bucket;
    *bucket = group;
}

static void index_remove(struct park *p, struct park_item *group)
{
    struct park_item **at = bucket_of(p, group->key);
    while (*at != group)
        at = &(*at)->bucket_next;
    *at = group->bucket_next;
}

/* Double the index. Without memory it stays as it is: chains get longer, nothing breaks. */
static void index_grow(struct park *p)
{
    struct park old = *p;
    struct park_item **buckets = calloc(old.bucket_count * 2, sizeof(struct park_item *));
    if (!buckets)
        return;
    p->buckets = buckets;
    p->bucket_count = old.bucket_count * 2;
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct park_item *group = old.buckets[i], *next; group; group = next) {
            next = group->bucket_next;
            index_add(p, group);
        }
    }
    free(old.buckets);
}

/* Of two heaps the one that is due later becomes a child of the other. */
static struct park_item *heap_meld(struct park_item *a, struct park_item *b)
{
    if (!a || !b)
        return a ? a : b;
    struct park_item *first = b->due_ms < a->due_ms ? b : a;
    struct park_item *second = first == a ? b : a;
    second->sibling = first->child;
    first->child = second;
    return first;
}

/* Meld the children of a root that left: in pairs, then all together. Not recursive: a heap may be one long chain. */
static struct park_item *heap_meld_children(struct park_item *child)
{
    struct park_item *pairs = NULL;
    while (child) {
        struct park_item *a = child, *b = child->sibling;
        child = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b)
            b->sibling = NULL;
        struct park_item *pair = heap_meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct park_item *root = NULL;
    while (pairs) {
        struct park_item *next = pairs->sibling;
        pairs->sibling = NULL;
        root = heap_meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void group_append(struct park *p, struct park_item *group, struct park_item *item)
{
    queue_chain_add(&group->group, &item->link);
    p->item_count++;
}

bool park_hold(struct park *p, struct park_item *item)
{
    struct park_item *group = p->group_count ? find(p, item->key) : NULL;
    if (!group)
        return false;
    group_append(p, group, item);
    return true;
}

void park_add(struct park *p, struct park_item *item, uint64_t due_ms)
{
    if (park_hold(p, item))
        return;
    item->group = (struct queue_chain) { 0 };
    item->child = item->sibling = item->bucket_next = NULL;
    item->due_ms = due_ms;
    group_append(p, item, item);
    if (item->key) {
        if (p->group_count >= p->bucket_count)
            index_grow(p);
        index_add(p, item);
    }
    p->group_count++;
    p->soonest = heap_meld(p->soonest, item);
}

uint64_t park_next_due(const struct park *p)
{
    return p->soonest ? p->soonest->due_ms : UINT64_MAX;
}

void park_release(struct park *p, uint64_t now_ms, struct queue_chain *out)
{
    while (p->soonest && p->soonest->due_ms <= now_ms) {
        struct park_item *group = p->soonest;
        p->soonest = heap_meld_children(group->child);
        if (group->key)
            index_remove(p, group);
        p->group_count--;
        p->item_count -= group->group.count;
        queue_chain_join(out, &group->group);
    }
}
