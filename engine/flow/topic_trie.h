/* SPDX-License-Identifier: Apache-2.0 */
/* Trie over the levels of topic filters: `plant/+/temp` is the path root -> "plant" -> plus -> "temp". Each node
 * may carry a value. The ground of router.c and filters.c, private to this folder.
 *
 * Children by text are found through one hash table of the whole trie, so a node with 100,000 children costs no
 * more than one with two. Nodes are numbers (the root is 0) and stay where they are; removing a value leaves its
 * nodes for later use. Not thread-safe while it changes; any number of readers afterwards. */
#ifndef SLUICE_FLOW_TOPIC_TRIE_H
#define SLUICE_FLOW_TOPIC_TRIE_H

#include "engine/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX /* no node, no value */

struct trie_node {
    const char *text; /* of the level; "+" and "#" of wildcards */
    uint32_t len;
    uint32_t parent;
    uint32_t plus, hash;        /* wildcard children, or TRIE_NONE; hash is in no list */
    uint32_t first, next, prev; /* children and siblings that have a value at or below them (plus too), in no order */
    uint32_t live;              /* values at or below this node, its hash child's included */
    uint32_t value;             /* the user's, or TRIE_NONE */
};

struct trie_slot {
    uint32_t hash, node; /* node TRIE_NONE: free */
};

struct topic_trie {
    struct trie_node *nodes;
    uint32_t count, cap;
    struct trie_slot *slots; /* open addressing; at most half of them are taken */
    uint32_t slot_mask;
    struct arena texts;
};

int topic_trie_init(struct topic_trie *t) MUST_CHECK; /* -1: memory; topic_trie_clear is allowed either way */
void topic_trie_clear(struct topic_trie *t);

/* The node of a filter (or of any text with levels), new if need be; TRIE_NONE: memory. Its value stays as it is. */
uint32_t topic_trie_add(struct topic_trie *t, const char *filter, size_t len) MUST_CHECK;
/* Add a level below a node, as text even if it is a wildcard character; TRIE_NONE: memory. */
uint32_t topic_trie_add_text(struct topic_trie *t, uint32_t parent, const char *text, size_t len) MUST_CHECK;
/* Set or take away (TRIE_NONE) a node's value. O(levels). */
void topic_trie_set(struct topic_trie *t, uint32_t node, uint32_t value);

/* The child with that text, wildcards apart; TRIE_NONE: none. O(len). */
uint32_t topic_trie_child(const struct topic_trie *t, uint32_t parent, const char *text, size_t len);

/* Walking the levels of a text forth and back: `pos` is the offset at which a level begins; len + 1 is behind the
 * last one. */
static inline size_t level_end(const char *s, size_t len, size_t pos)
{
    const char *slash = memchr(s + pos, '/', len - pos);
    return slash ? (size_t)(slash - s) : len;
}

static inline size_t level_before(const char *s, size_t pos)
{
    size_t i = pos - 1; /* the slash, or the end of the text */
    while (i > 0 && s[i - 1] != '/')
        i--;
    return i;
}

#endif
