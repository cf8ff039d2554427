/* SPDX-License-Identifier: Apache-2.0 */
/* Subscription filters of a ruleset: identifiers for MQTT 5, merged filters for MQTT 3.1.1 (architecture: each
 * message once). */
#ifndef SLUICE_FLOW_FILTERS_H
#define SLUICE_FLOW_FILTERS_H

#include "engine/base/arena.h"
#include "sluice/source.h"

#define FILTER_ID_MAX 268435455u

/* Give each distinct filter an id: a hash of its text, moved on where two collide (in order of text, so every
 * process gets the same). filters: sorted by text, distinct. */
void filters_number(struct source_filter *filters, size_t count);

/* Two sorted, numbered lists as one. Owned (free), with the texts of the lists. NULL: memory is short, or a number
 * would stand for two filters. */
struct source_filter *filters_union(const struct source_filter *a, size_t a_count, const struct source_filter *b,
                                    size_t b_count, size_t *count);

/* Merge overlapping filters into common wider ones until none overlap (MQTT 3.1.1: a broker sends a message once
 * per session only then). The result, in the arena, covers every topic of every input; wider ones may bring topics
 * that no rule wants. Filters that begin with `$` are never merged with others that do not. NULL: memory. */
const char **filters_merge(const struct source_filter *filters, size_t count, struct arena *a, size_t *out_count);

#endif
