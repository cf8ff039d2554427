/* SPDX-License-Identifier: Apache-2.0 */
/* Inbox: copies of messages that arrived on a library's thread and wait for the source's own. First in, first out,
 * with bounds that the source asks for; the inbox itself takes everything, since what was acknowledged already must
 * not be lost. Not thread-safe. */
#ifndef SLUICE_FLOW_INBOX_H
#define SLUICE_FLOW_INBOX_H

#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>

#define INBOX_SLACK_MESSAGES ((size_t)20000)

/* One message in one allocation:
 *
 *     struct inbox_item | identifiers | what the message points to | seal */
struct inbox_item {
    struct inbox_item *next;
    size_t size;             /* of the allocation */
    struct source_message m; /* points into this allocation */
};

struct inbox {
    struct inbox_item *first, *last;
    size_t messages, bytes;
    size_t max_messages, max_bytes, slack_bytes;
};

/* A copy, freed by free(); NULL: memory. */
struct inbox_item *inbox_item_new(const struct source_message *m);

void inbox_init(struct inbox *in, size_t max_messages, size_t max_bytes, size_t slack_bytes);
void inbox_clear(struct inbox *in);
void inbox_add(struct inbox *in, struct inbox_item *item); /* takes it */
struct inbox_item *inbox_take(struct inbox *in);           /* the oldest; NULL: empty */

bool inbox_is_full(const struct inbox *in);       /* a bound is reached */
bool inbox_is_overfull(const struct inbox *in);   /* a bound was passed by its slack */
bool inbox_is_half_empty(const struct inbox *in); /* half of each bound is free */

#endif
