/* SPDX-License-Identifier: Apache-2.0 */
/* What an MQTT session is to be subscribed to, made of the rules' filters: each by itself with its identifier, or,
 * where the broker knows no identifiers (MQTT 3.1.1), merged until none overlap, so that each message comes once. */
#ifndef SLUICE_FLOW_SUBSCRIPTIONS_H
#define SLUICE_FLOW_SUBSCRIPTIONS_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>

/* Sorted by text, distinct. Zero-initialised is empty. */
struct subscriptions {
    struct source_filter *list; /* id 0: none */
    size_t count;
    struct arena texts;
};

/* Copy the rules' filters (sorted by text, distinct, numbered), and add the one of Basic Ingest with a number that
 * none of them has. -1: memory (s is empty then). */
int subscriptions_init(struct subscriptions *s, const struct source_filter *filters, size_t count, bool basic_ingest,
                       struct err *e) MUST_CHECK;
/* Merge them, without identifiers. */
int subscriptions_init_merged(struct subscriptions *s, const struct subscriptions *from, struct err *e) MUST_CHECK;
void subscriptions_clear(struct subscriptions *s);

/* The entries of `a` that `b` lacks, or has under another number. Appends to out, which has room for a->count;
 * returns how many. */
size_t subscriptions_missing(const struct subscriptions *a, const struct subscriptions *b, struct source_filter *out);
/* The same, by text alone: the texts of `a` that `b` lacks. */
size_t subscriptions_gone(const struct subscriptions *a, const struct subscriptions *b, const char **out);

/* Tell in errs what merging does to them: a note where one filter stands for narrower ones, a warning where the
 * common one is wider than any of them. */
void subscriptions_explain(const struct subscriptions *s, struct span at, struct errs *errs);

#endif
