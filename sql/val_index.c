/* SPDX-License-Identifier: Apache-2.0 */
/* An Object's members sorted by name. A sort, not a hash table, since the names are a stranger's: there are no
 * collisions to provoke, and the cost is the same for all. Merge sort from below, in arena memory (qsort takes heap
 * memory). */
#include "sql/value_int.h"

#include <string.h>

static int compare_keys(const char *x, uint32_t x_len, const char *y, uint32_t y_len)
{
    int order = memcmp(x, y, x_len < y_len ? x_len : y_len);
    if (order != 0)
        return order;
    return x_len < y_len ? -1 : x_len > y_len;
}

/* Merge the sorted runs [from, middle) and [middle, to). */
static void merge(const struct val_indexed *in, struct val_indexed *out, size_t from, size_t middle, size_t to)
{
    size_t left = from, right = middle;
    for (size_t at = from; at < to; at++) {
        bool take_left = right == to || (left < middle && compare_keys(in[left].key, in[left].key_len, in[right].key,
                                                                       in[right].key_len) <= 0);
        out[at] = in[take_left ? left++ : right++];
    }
}

static struct val_indexed *sort_items(struct val_indexed *items, struct val_indexed *room, size_t count)
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t middle = from + run < count ? from + run : count;
            size_t to = middle + run < count ? middle + run : count;
            merge(items, room, from, middle, to);
        }
        struct val_indexed *sorted = room;
        room = items;
        items = sorted;
    }
    return items;
}

bool val_index_make(struct val_index *index, struct val object, enum sql_version version, struct arena *a)
{
    size_t cap = val_count(object);
    struct val_indexed *items = arena_array(a, cap, sizeof(*items));
    struct val_indexed *room = arena_array(a, cap, sizeof(*room));
    if (!items || !room || cap > UINT32_MAX)
        return false;
    uint32_t count = 0;
    struct val_members it = val_members(object, version);
    while (val_members_next(&it, a)) {
        items[count] = (struct val_indexed) { .key = it.key, .key_len = it.key_len, .place = count, .value = it.value };
        count++;
    }
    if (a->refused)
        return false;
    index->items = sort_items(items, room, count);
    index->count = count;
    return true;
}

const struct val_indexed *val_index_find(const struct val_index *index, const char *key, uint32_t len)
{
    uint32_t low = 0, high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct val_indexed *item = &index->items[middle];
        int order = compare_keys(item->key, item->key_len, key, len);
        if (order == 0)
            return item;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
