/* SPDX-License-Identifier: Apache-2.0 */
/* Router: topic -> rules, by a trie over topic levels. Immutable after router_new. On the hot path: no lock, no
 * allocation. */
#ifndef SLUICE_FLOW_ROUTER_H
#define SLUICE_FLOW_ROUTER_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct router;

struct router_entry {
    const char *filter; /* NULL: reached by Basic Ingest only */
    size_t filter_len;
    uint32_t filter_id; /* 0 with filter NULL */
    const char *rule_name;
    uint32_t rule; /* what router_match yields */
};

/* Owned, or NULL when memory is short. Copies what it needs. */
struct router *router_new(const struct router_entry *entries, size_t count);
void router_free(struct router *r);

enum router_kind {
    ROUTER_TOPIC,
    ROUTER_BASIC_INGEST,
    ROUTER_RULE_NOT_FOUND /* Basic Ingest to an unknown or disabled rule */
};

/* The rules that a message goes to, in ascending order, each once. ids: if count > 0, only rules of these filters
 * (an id that no rule has is ignored). Writes up to `max` rule numbers to out and returns how many there are. A
 * `$aws/rules/NAME/…` topic goes to that rule alone. Cost: O(levels × branches), independent of the number of rules
 * that do not match. */
size_t router_match(const struct router *r, const char *topic, size_t len, const uint32_t *ids, size_t id_count,
                    uint32_t *out, size_t max, enum router_kind *kind);

#endif
