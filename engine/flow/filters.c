/* SPDX-License-Identifier: Apache-2.0 */
/* Subscription filters: numbers for MQTT 5, merged filters for MQTT 3.1.1.
 *
 * Merging takes one filter after the other into a set in which none overlap: as long as the new one overlaps a
 * member, that member leaves and the new one is widened to cover both. Each step makes the set smaller, so it ends.
 * A trie finds an overlapping member without comparing with all of them; like the router's, its walk goes back by
 * the nodes' parents and takes no memory. */
#include "engine/flow/filters.h"

#include "engine/base/topic.h"
#include "engine/flow/topic_trie.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

/* FNV-1a, folded to 28 bits; never 0. */
static uint32_t filter_hash(const char *filter)
{
    uint64_t h = 14695981039346656037u;
    for (const char *p = filter; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    h ^= h >> 32;
    return (uint32_t)(h % FILTER_ID_MAX) + 1;
}

/* Ids given so far: a hash set, or, when memory is short, a scan of the filters themselves. */
struct taken {
    uint32_t *slots; /* 0: free */
    size_t mask;
};

static void taken_init(struct taken *t, size_t count)
{
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    t->slots = calloc(size, sizeof(*t->slots));
    t->mask = size - 1;
}

/* Take the id; false if it is taken already. */
static bool taken_add(struct taken *t, uint32_t id, const struct source_filter *filters, size_t done)
{
    if (!t->slots) {
        for (size_t i = 0; i < done; i++) {
            if (filters[i].id == id)
                return false;
        }
        return true;
    }
    size_t i = (id * UINT64_C(0x9E3779B97F4A7C15) >> 20) & t->mask;
    for (; t->slots[i]; i = (i + 1) & t->mask) {
        if (t->slots[i] == id)
            return false;
    }
    t->slots[i] = id;
    return true;
}

void filters_number(struct source_filter *filters, size_t count)
{
    struct taken taken;
    taken_init(&taken, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = filter_hash(filters[i].filter);
        while (!taken_add(&taken, id, filters, i))
            id = id % FILTER_ID_MAX + 1;
        filters[i].id = id;
    }
    free(taken.slots);
}

/* Does every number stand for one filter, and every filter have one number? */
static bool numbers_agree(const struct source_filter *filters, size_t count)
{
    struct taken taken;
    bool agree = true;
    taken_init(&taken, count);
    for (size_t i = 0; i < count && agree; i++) {
        bool twice = i > 0 && strcmp(filters[i - 1].filter, filters[i].filter) == 0;
        agree = !twice && taken_add(&taken, filters[i].id, filters, i);
    }
    free(taken.slots);
    return agree;
}

struct source_filter *filters_union(const struct source_filter *a, size_t a_count, const struct source_filter *b,
                                    size_t b_count, size_t *count)
{
    struct source_filter *out = calloc(a_count + b_count + 1, sizeof(*out));
    size_t n = 0;
    while (out && (a_count || b_count)) {
        int order = !b_count ? -1 : !a_count ? 1 : strcmp(a->filter, b->filter);
        if (order == 0 && a->id == b->id) { /* with another number it comes twice, which is refused below */
            b++;
            b_count--;
        }
        out[n++] = order <= 0 ? *a++ : *b++;
        a_count -= order <= 0;
        b_count -= order > 0;
    }
    *count = n;
    if (out && numbers_agree(out, n))
        return out;
    free(out);
    return NULL;
}

/* ---- merging ---- */

struct merge {
    struct topic_trie trie; /* value: index in set */
    const char **set;       /* NULL: has left */
    size_t count;
    struct arena *arena;
};

/* The level of a filter at pos, and where the next one begins. */
struct level {
    const char *s;
    size_t len, next;
};

static struct level level_at(const char *filter, size_t len, size_t pos)
{
    size_t end = level_end(filter, len, pos);
    return (struct level) { .s = filter + pos, .len = end - pos, .next = end + 1 };
}

static bool level_is(struct level l, char c)
{
    return l.len == 1 && l.s[0] == c;
}

/* May a filter whose first level is a wildcard meet this child of the root? Not "$…" (MQTT 5 section 4.7.2). */
static bool hidden(const struct merge *m, uint32_t parent, uint32_t child, const char *filter, size_t len)
{
    if (parent != TRIE_ROOT)
        return false;
    bool wild = len > 0 && (filter[0] == '+' || filter[0] == '#');
    const struct trie_node *n = &m->trie.nodes[child];
    return (wild && n->len > 0 && n->text[0] == '$') ||
           (filter[0] == '$' && (child == m->trie.nodes[TRIE_ROOT].plus || child == m->trie.nodes[TRIE_ROOT].hash));
}

/* Is there a value at or below this child? */
static bool is_live(const struct merge *m, uint32_t child)
{
    return child != TRIE_NONE && m->trie.nodes[child].live > 0;
}

/* The next child of `parent` after `last` (TRIE_NONE: the first) that a level of the filter can share: for "+" any, for
 * a text that text's child and then "+". TRIE_NONE: no more. */
static uint32_t next_child(const struct merge *m, uint32_t parent, uint32_t last, struct level l, const char *filter,
                           size_t len)
{
    const struct trie_node *p = &m->trie.nodes[parent];
    bool any = level_is(l, '+');
    for (;;) {
        if (any)
            last = last == TRIE_NONE ? p->first : m->trie.nodes[last].next;
        else if (last == TRIE_NONE && is_live(m, topic_trie_child(&m->trie, parent, l.s, l.len)))
            last = topic_trie_child(&m->trie, parent, l.s, l.len);
        else
            last = last != p->plus ? p->plus : TRIE_NONE;
        if (last == TRIE_NONE || (is_live(m, last) && !hidden(m, parent, last, filter, len)))
            return last;
    }
}

/* Some node with a value at or below this one, which has one. */
static uint32_t any_below(const struct merge *m, uint32_t node)
{
    const struct trie_node *nodes = m->trie.nodes;
    while (nodes[node].value == TRIE_NONE)
        node = is_live(m, nodes[node].hash) ? nodes[node].hash : nodes[node].first;
    return node;
}

/* Some member of the set below the first child that "#" at the root can meet, or below any when deeper. */
static uint32_t any_in_tail(const struct merge *m, uint32_t node, const char *filter, size_t len)
{
    const struct trie_node *n = &m->trie.nodes[node];
    if (n->value != TRIE_NONE) /* "a/#" meets "a" */
        return node;
    if (is_live(m, n->hash) && !hidden(m, node, n->hash, filter, len))
        return n->hash;
    for (uint32_t c = n->first; c != TRIE_NONE; c = m->trie.nodes[c].next) {
        if (!hidden(m, node, c, filter, len))
            return any_below(m, c);
    }
    return TRIE_NONE;
}

/* A member that overlaps the filter at this node, without going down; TRIE_NONE: none. l: the filter's level below
 * the node. */
static uint32_t overlap_here(const struct merge *m, uint32_t node, bool at_end, struct level l, const char *filter,
                             size_t len)
{
    const struct trie_node *n = &m->trie.nodes[node];
    if (is_live(m, n->hash) && !hidden(m, node, n->hash, filter, len))
        return n->hash;
    if (at_end)
        return n->value != TRIE_NONE ? node : TRIE_NONE;
    return level_is(l, '#') ? any_in_tail(m, node, filter, len) : TRIE_NONE;
}

/* Some member of the set that overlaps the filter; TRIE_NONE: none. */
static uint32_t find_overlap(const struct merge *m, const char *filter, size_t len)
{
    uint32_t node = TRIE_ROOT;
    size_t pos = 0;
    while (node != TRIE_NONE) {
        bool at_end = pos > len;
        struct level l = at_end ? (struct level) { 0 } : level_at(filter, len, pos);
        uint32_t found = overlap_here(m, node, at_end, l, filter, len);
        if (found != TRIE_NONE)
            return found;
        uint32_t child = at_end || level_is(l, '#') ? TRIE_NONE : next_child(m, node, TRIE_NONE, l, filter, len);
        if (child != TRIE_NONE)
            pos = l.next;
        while (child == TRIE_NONE && node != TRIE_ROOT) { /* back, to the next sibling of an ancestor */
            uint32_t parent = m->trie.nodes[node].parent;
            size_t before = level_before(filter, pos);
            child = next_child(m, parent, node, level_at(filter, len, before), filter, len);
            if (child == TRIE_NONE) {
                pos = before;
                node = parent;
            }
        }
        node = child;
    }
    return TRIE_NONE;
}

/* The narrowest filter that covers two overlapping ones, in the arena; NULL: memory. Where they differ it has "+",
 * from where one has "#" it has "#" too, also where the other is at its end ("+" and "a/#" make "+/#"). */
static const char *join(struct arena *a, const char *x, const char *y)
{
    size_t x_len = strlen(x), y_len = strlen(y);
    bool x_covers = topic_filter_covers(x, x_len, y, y_len), y_covers = topic_filter_covers(y, y_len, x, x_len);
    if (x_covers && y_covers) /* "#" and "+/#" mean the same */
        return x_len < y_len ? x : y;
    if (x_covers || y_covers)
        return x_covers ? x : y;
    char *wide = arena_alloc(a, x_len + y_len + 2), *w = wide;
    for (size_t i = 0, j = 0; wide && (i <= x_len || j <= y_len);) {
        static const struct level tail = { .s = "#", .len = 1 };
        struct level lx = i <= x_len ? level_at(x, x_len, i) : tail, ly = j <= y_len ? level_at(y, y_len, j) : tail;
        if (i > 0)
            *w++ = '/';
        if (level_is(lx, '#') || level_is(ly, '#')) {
            *w++ = '#';
            break;
        }
        bool same = lx.len == ly.len && memcmp(lx.s, ly.s, lx.len) == 0;
        memcpy(w, same ? lx.s : "+", same ? lx.len : 1);
        w += same ? lx.len : 1;
        i = lx.next;
        j = ly.next;
    }
    if (wide)
        *w = '\0';
    return wide;
}

static int add_filter(struct merge *m, const char *filter)
{
    uint32_t other;
    while ((other = find_overlap(m, filter, strlen(filter))) != TRIE_NONE) {
        const char **member = &m->set[m->trie.nodes[other].value];
        filter = join(m->arena, filter, *member);
        if (!filter)
            return -1;
        *member = NULL;
        topic_trie_set(&m->trie, other, TRIE_NONE);
    }
    uint32_t node = topic_trie_add(&m->trie, filter, strlen(filter));
    if (node == TRIE_NONE)
        return -1;
    topic_trie_set(&m->trie, node, (uint32_t)m->count);
    m->set[m->count++] = filter;
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What is left of the set, sorted, each copied into the arena unless it is there. */
static int finish_set(struct merge *m, size_t *out_count)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->set[i])
            continue;
        m->set[n] = arena_strndup(m->arena, m->set[i], strlen(m->set[i]));
        if (!m->set[n++])
            return -1;
    }
    qsort(m->set, n, sizeof(*m->set), compare_texts);
    *out_count = n;
    return 0;
}

const char **filters_merge(const struct source_filter *filters, size_t count, struct arena *a, size_t *out_count)
{
    struct merge m = { .arena = a, .set = arena_array(a, count ? count : 1, sizeof(*m.set)) };
    bool ok = m.set && count < TRIE_NONE && topic_trie_init(&m.trie) == 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_filter(&m, filters[i].filter) == 0;
    ok = ok && finish_set(&m, out_count) == 0;
    topic_trie_clear(&m.trie);
    return ok ? m.set : NULL;
}
