/* SPDX-License-Identifier: Apache-2.0 */
/* The trie's structure: nodes in one array, children by text in one hash table keyed by parent and text.
 *
 * Why one table: a node's children range from one to the number of devices of a plant. Per-node tables waste memory
 * on the many small ones, sorted arrays cost a search of strings at each level; here a level is one hash and
 * usually one compare. Slots keep the hash beside the node, so a probe of a foreign entry does not touch its node. */
#include "engine/flow/topic_trie.h"

#include <stdlib.h>

#define FIRST_NODES 64u
#define MAX_NODES   (UINT32_MAX / 4) /* slot counts stay within 32 bits */

/* FNV-1a over the text, started from the parent, with a last mixing so that the low bits depend on all of it. */
static uint32_t level_hash(uint32_t parent, const char *text, size_t len)
{
    uint64_t h = 14695981039346656037u ^ (parent * UINT64_C(0x9E3779B97F4A7C15));
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    h ^= h >> 29;
    h *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(h >> 32);
}

static bool node_is(const struct trie_node *n, uint32_t parent, const char *text, size_t len)
{
    return n->parent == parent && n->len == len && (len == 0 || memcmp(n->text, text, len) == 0);
}

/* The slot that holds the child, or the free one where it belongs. */
static struct trie_slot *find_slot(const struct topic_trie *t, uint32_t hash, uint32_t parent, const char *text,
                                   size_t len)
{
    for (uint32_t i = hash & t->slot_mask;; i = (i + 1) & t->slot_mask) {
        struct trie_slot *slot = &t->slots[i];
        if (slot->node == TRIE_NONE)
            return slot;
        if (slot->hash == hash && node_is(&t->nodes[slot->node], parent, text, len))
            return slot;
    }
}

static struct trie_slot *slots_new(uint32_t count)
{
    struct trie_slot *slots = malloc((size_t)count * sizeof(*slots));
    if (slots)
        memset(slots, 0xFF, (size_t)count * sizeof(*slots)); /* all TRIE_NONE */
    return slots;
}

/* Room for one more node: as many slots as twice the nodes, so that the table is never more than half full. */
static int grow(struct topic_trie *t)
{
    if (t->count < t->cap)
        return 0;
    if (t->cap >= MAX_NODES)
        return -1;
    uint32_t cap = t->cap ? t->cap * 2 : FIRST_NODES;
    struct trie_slot *slots = slots_new(cap * 2);
    struct trie_node *nodes = slots ? realloc(t->nodes, (size_t)cap * sizeof(*nodes)) : NULL;
    if (!nodes) {
        free(slots);
        return -1;
    }
    t->nodes = nodes;
    t->cap = cap;
    uint32_t mask = cap * 2 - 1;
    for (uint32_t i = 0; t->slots && i <= t->slot_mask; i++) {
        if (t->slots[i].node == TRIE_NONE)
            continue;
        uint32_t k = t->slots[i].hash & mask;
        while (slots[k].node != TRIE_NONE)
            k = (k + 1) & mask;
        slots[k] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->slot_mask = mask;
    return 0;
}

static uint32_t node_new(struct topic_trie *t, uint32_t parent, const char *text, size_t len)
{
    if (grow(t) < 0)
        return TRIE_NONE;
    t->nodes[t->count] = (struct trie_node) {
        .text = text,
        .len = (uint32_t)len,
        .parent = parent,
        .plus = TRIE_NONE,
        .hash = TRIE_NONE,
        .first = TRIE_NONE,
        .next = TRIE_NONE,
        .prev = TRIE_NONE,
        .value = TRIE_NONE,
    };
    return t->count++;
}

int topic_trie_init(struct topic_trie *t)
{
    *t = (struct topic_trie) { 0 };
    arena_init(&t->texts, SIZE_MAX / 2);
    return node_new(t, TRIE_NONE, "", 0) == TRIE_NONE ? -1 : 0;
}

void topic_trie_clear(struct topic_trie *t)
{
    arena_clear(&t->texts);
    free(t->nodes);
    free(t->slots);
    *t = (struct topic_trie) { 0 };
}

uint32_t topic_trie_child(const struct topic_trie *t, uint32_t parent, const char *text, size_t len)
{
    return find_slot(t, level_hash(parent, text, len), parent, text, len)->node;
}

uint32_t topic_trie_add_text(struct topic_trie *t, uint32_t parent, const char *text, size_t len)
{
    uint32_t hash = level_hash(parent, text, len);
    struct trie_slot *slot = find_slot(t, hash, parent, text, len);
    if (slot->node != TRIE_NONE)
        return slot->node;
    char *copy = len < UINT32_MAX ? arena_strndup(&t->texts, text, len) : NULL;
    uint32_t node = copy ? node_new(t, parent, copy, len) : TRIE_NONE;
    if (node == TRIE_NONE)
        return TRIE_NONE;
    slot = find_slot(t, hash, parent, text, len); /* the table may have grown */
    *slot = (struct trie_slot) { .hash = hash, .node = node };
    return node;
}

static uint32_t add_plus(struct topic_trie *t, uint32_t parent)
{
    uint32_t plus = t->nodes[parent].plus;
    if (plus == TRIE_NONE && (plus = node_new(t, parent, "+", 1)) != TRIE_NONE)
        t->nodes[parent].plus = plus;
    return plus;
}

static uint32_t add_hash(struct topic_trie *t, uint32_t parent)
{
    uint32_t hash = t->nodes[parent].hash;
    if (hash == TRIE_NONE && (hash = node_new(t, parent, "#", 1)) != TRIE_NONE)
        t->nodes[parent].hash = hash;
    return hash;
}

uint32_t topic_trie_add(struct topic_trie *t, const char *filter, size_t len)
{
    uint32_t node = TRIE_ROOT;
    for (size_t pos = 0, end; pos <= len && node != TRIE_NONE; pos = end + 1) {
        end = level_end(filter, len, pos);
        if (end - pos == 1 && filter[pos] == '+')
            node = add_plus(t, node);
        else if (end - pos == 1 && filter[pos] == '#')
            node = add_hash(t, node);
        else
            node = topic_trie_add_text(t, node, filter + pos, end - pos);
    }
    return node;
}

static void link_child(struct topic_trie *t, uint32_t parent, uint32_t child)
{
    struct trie_node *p = &t->nodes[parent], *c = &t->nodes[child];
    if (p->hash == child)
        return;
    c->prev = TRIE_NONE;
    c->next = p->first;
    if (p->first != TRIE_NONE)
        t->nodes[p->first].prev = child;
    p->first = child;
}

static void unlink_child(struct topic_trie *t, uint32_t parent, uint32_t child)
{
    struct trie_node *p = &t->nodes[parent], *c = &t->nodes[child];
    if (p->hash == child)
        return;
    if (c->prev != TRIE_NONE)
        t->nodes[c->prev].next = c->next;
    else
        p->first = c->next;
    if (c->next != TRIE_NONE)
        t->nodes[c->next].prev = c->prev;
    c->prev = c->next = TRIE_NONE;
}

void topic_trie_set(struct topic_trie *t, uint32_t node, uint32_t value)
{
    bool had = t->nodes[node].value != TRIE_NONE, has = value != TRIE_NONE;
    t->nodes[node].value = value;
    if (had == has)
        return;
    for (uint32_t n = node; n != TRIE_NONE; n = t->nodes[n].parent) {
        struct trie_node *at = &t->nodes[n];
        if (has && at->live++ == 0 && at->parent != TRIE_NONE)
            link_child(t, at->parent, n);
        else if (had && --at->live == 0 && at->parent != TRIE_NONE)
            unlink_child(t, at->parent, n);
    }
}
