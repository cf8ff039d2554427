/* SPDX-License-Identifier: Apache-2.0 */
/* Router, on the hot path: one walk over the topic's levels through a trie of filters, without lock, memory or
 * recursion.
 *
 * All rules of one filter hang on one trie node as a sorted list, so each rule is met at most once. At a node the
 * walk takes the child of the level's text, then the "+" child; it finds its way back by the nodes' parents, so
 * that its memory does not depend on the number of levels. Rule names for Basic Ingest are children of a node of
 * their own (below a name that no filter level can have, since it holds a slash), found through the same hash
 * table. */
#include "engine/flow/router.h"

#include "engine/base/topic.h"
#include "engine/flow/topic_trie.h"

#include <stdlib.h>

struct route { /* the rules of one filter, or the one rule of a name */
    uint32_t off, count;
    uint32_t filter_id;
};

struct router {
    struct topic_trie trie; /* value of a node: index in routes */
    struct route *routes;
    uint32_t *rules; /* of all routes one after the other, ascending within each */
    uint32_t *ids;   /* of all filters, ascending */
    uint32_t route_count, id_count, names;
};

/* What one match is about. */
struct match {
    const struct router *r;
    const char *topic;
    size_t len;
    const uint32_t *ids;
    size_t id_count;
    uint32_t *out;
    size_t max, found;
};

/* ---- building ---- */

/* The route of an entry's filter or name, new if need be; TRIE_NONE: memory. */
static uint32_t route_of(struct router *r, uint32_t node, uint32_t filter_id)
{
    if (node == TRIE_NONE)
        return TRIE_NONE;
    uint32_t route = r->trie.nodes[node].value;
    if (route == TRIE_NONE) {
        route = r->route_count++;
        r->routes[route] = (struct route) { .filter_id = filter_id };
        topic_trie_set(&r->trie, node, route);
    }
    r->routes[route].count++;
    return route;
}

/* Give every entry its routes: of[2i] by filter, of[2i + 1] by name; TRIE_NONE where it has none. */
static int find_routes(struct router *r, const struct router_entry *entries, size_t count, uint32_t *of)
{
    for (size_t i = 0; i < count; i++) {
        const struct router_entry *entry = &entries[i];
        of[2 * i] = of[2 * i + 1] = TRIE_NONE;
        if (entry->filter) {
            of[2 * i] = route_of(r, topic_trie_add(&r->trie, entry->filter, entry->filter_len), entry->filter_id);
            if (of[2 * i] == TRIE_NONE)
                return -1;
        }
        if (entry->rule_name) {
            uint32_t node = topic_trie_add_text(&r->trie, r->names, entry->rule_name, strlen(entry->rule_name));
            of[2 * i + 1] = route_of(r, node, 0);
            if (of[2 * i + 1] == TRIE_NONE)
                return -1;
        }
    }
    return 0;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void fill_routes(struct router *r, const struct router_entry *entries, size_t count, const uint32_t *of)
{
    uint32_t off = 0;
    for (uint32_t k = 0; k < r->route_count; k++) {
        r->routes[k].off = off;
        off += r->routes[k].count;
        r->routes[k].count = 0;
    }
    for (size_t i = 0; i < 2 * count; i++) {
        if (of[i] != TRIE_NONE)
            r->rules[r->routes[of[i]].off + r->routes[of[i]].count++] = entries[i / 2].rule;
    }
    for (uint32_t k = 0; k < r->route_count; k++) {
        qsort(r->rules + r->routes[k].off, r->routes[k].count, sizeof(uint32_t), compare_u32);
        if (r->routes[k].filter_id)
            r->ids[r->id_count++] = r->routes[k].filter_id;
    }
    qsort(r->ids, r->id_count, sizeof(uint32_t), compare_u32);
}

struct router *router_new(const struct router_entry *entries, size_t count)
{
    struct router *r = count < UINT32_MAX / 4 ? calloc(1, sizeof(*r)) : NULL;
    if (!r)
        return NULL;
    uint32_t *of = calloc(2 * count + 1, sizeof(*of));
    r->routes = calloc(2 * count + 1, sizeof(*r->routes));
    r->rules = calloc(2 * count + 1, sizeof(*r->rules));
    r->ids = calloc(2 * count + 1, sizeof(*r->ids));
    bool ok = topic_trie_init(&r->trie) == 0 && of && r->routes && r->rules && r->ids;
    if (ok) {
        r->names = topic_trie_add_text(&r->trie, TRIE_ROOT, "rule/names", strlen("rule/names"));
        ok = r->names != TRIE_NONE && find_routes(r, entries, count, of) == 0;
    }
    if (ok) {
        fill_routes(r, entries, count, of);
    } else {
        router_free(r);
        r = NULL;
    }
    free(of);
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    topic_trie_clear(&r->trie);
    free(r->routes);
    free(r->rules);
    free(r->ids);
    free(r);
}

/* ---- matching ---- */

static bool wants_filter(const struct match *m, uint32_t filter_id)
{
    for (size_t i = 0; i < m->id_count; i++) {
        if (m->ids[i] == filter_id)
            return true;
    }
    return m->id_count == 0;
}

/* Note the rules of a node, if there is one and it has any. */
static void collect(struct match *m, uint32_t node)
{
    uint32_t value = node != TRIE_NONE ? m->r->trie.nodes[node].value : TRIE_NONE;
    if (value == TRIE_NONE)
        return;
    const struct route *route = &m->r->routes[value];
    if (!wants_filter(m, route->filter_id))
        return;
    size_t room = m->found < m->max ? m->max - m->found : 0, n = route->count < room ? route->count : room;
    if (n)
        memcpy(m->out + m->found, m->r->rules + route->off, n * sizeof(*m->out));
    m->found += route->count;
}

/* Down one level: the child of the level's text, else the "+" child. A topic of "$…" is out of reach for a wildcard
 * at the root. */
static uint32_t step_down(const struct match *m, uint32_t node, size_t pos, size_t *next, bool hidden)
{
    size_t end = level_end(m->topic, m->len, pos);
    uint32_t child = topic_trie_child(&m->r->trie, node, m->topic + pos, end - pos);
    *next = end + 1;
    if (child == TRIE_NONE && !(hidden && node == TRIE_ROOT))
        child = m->r->trie.nodes[node].plus;
    return child;
}

/* Back to the nearest node whose "+" child was not tried yet, and into that child; TRIE_NONE when there is none.
 * *pos is that of the levels behind the node. */
static uint32_t step_back(const struct match *m, uint32_t node, size_t *pos, bool hidden)
{
    const struct trie_node *nodes = m->r->trie.nodes;
    while (node != TRIE_ROOT) {
        uint32_t parent = nodes[node].parent, plus = nodes[parent].plus;
        if (plus != TRIE_NONE && plus != node && !(hidden && parent == TRIE_ROOT))
            return plus; /* a sibling lies behind the same level */
        *pos = level_before(m->topic, *pos);
        node = parent;
    }
    return TRIE_NONE;
}

static void walk(struct match *m)
{
    const struct trie_node *nodes = m->r->trie.nodes;
    bool hidden = m->len > 0 && m->topic[0] == '$';
    uint32_t node = TRIE_ROOT;
    size_t pos = 0;
    while (node != TRIE_NONE) {
        uint32_t child = TRIE_NONE;
        size_t next = pos;
        if (pos > m->len) {
            collect(m, node);
        } else {
            if (!(hidden && node == TRIE_ROOT))
                collect(m, nodes[node].hash); /* "a/#" needs a level below "a" */
            child = step_down(m, node, pos, &next, hidden);
        }
        if (child != TRIE_NONE)
            pos = next;
        else
            child = step_back(m, node, &pos, hidden);
        node = child;
    }
}

/* Sift down in a heap of n numbers with the largest on top. */
static void sift(uint32_t *v, size_t i, size_t n)
{
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && v[k + 1] > v[k])
            k++;
        if (v[i] >= v[k])
            return;
        uint32_t t = v[i];
        v[i] = v[k];
        v[k] = t;
    }
}

/* Ascending, in place; heap sort since qsort may take memory. Usually there is nothing to do. */
static void sort_rules(uint32_t *v, size_t n)
{
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = v[i - 1] <= v[i];
    if (sorted)
        return;
    for (size_t i = n / 2; i-- > 0;)
        sift(v, i, n);
    for (size_t end = n - 1; end > 0; end--) {
        uint32_t t = v[0];
        v[0] = v[end];
        v[end] = t;
        sift(v, 0, end);
    }
}

/* A broker sends a copy of a Basic Ingest message per subscription too: one that carries only ids of FROM filters
 * ('$aws/#') is not the one that the subscription to $aws/rules/# brought. */
static bool is_foreign_copy(const struct router *r, const uint32_t *ids, size_t id_count)
{
    for (size_t i = 0; i < id_count; i++) {
        if (!bsearch(&ids[i], r->ids, r->id_count, sizeof(*ids), compare_u32))
            return false;
    }
    return id_count > 0;
}

static void match_name(struct match *m, const char *name, size_t name_len, enum router_kind *kind)
{
    uint32_t node = topic_trie_child(&m->r->trie, m->r->names, name, name_len);
    *kind = node != TRIE_NONE ? ROUTER_BASIC_INGEST : ROUTER_RULE_NOT_FOUND;
    m->id_count = 0;
    collect(m, node);
}

size_t router_match(const struct router *r, const char *topic, size_t len, const uint32_t *ids, size_t id_count,
                    uint32_t *out, size_t max, enum router_kind *kind)
{
    struct match m = { .r = r, .topic = topic, .len = len, .ids = ids, .id_count = id_count, .out = out, .max = max };
    const char *name, *rest;
    size_t name_len, rest_len;
    *kind = ROUTER_TOPIC;
    if (!topic_basic_ingest(topic, len, &name, &name_len, &rest, &rest_len))
        walk(&m);
    else if (!is_foreign_copy(r, ids, id_count))
        match_name(&m, name, name_len, kind);
    sort_rules(out, m.found < max ? m.found : max);
    return m.found;
}
