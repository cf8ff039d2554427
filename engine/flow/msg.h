/* SPDX-License-Identifier: Apache-2.0 */
/* Message in the flow: one allocation with everything that arrived, and what the flow knows about it.
 *
 *     struct msg | rules[rule_count] | user properties | bytes of topic, payload, properties, identity
 *
 * It has one owner at a time: the source's thread that makes it, then a lane, then that lane's worker, which settles
 * and frees it when its last run is final. Outboxes see its bytes only through deliveries, which return before that.
 * So no count of references is needed; `open` counts what settlement waits for, and only the worker touches it. */
#ifndef SLUICE_FLOW_MSG_H
#define SLUICE_FLOW_MSG_H

#include "engine/base/err.h"
#include "engine/flow/queue.h"
#include "sluice/message.h"
#include "sluice/source.h"

#include <stddef.h>
#include <stdint.h>

struct ruleset;
struct run;

/* Where a message came from and its token goes back to. */
struct msg_origin {
    const struct source_type *type;
    void *handle;
    size_t index; /* of its counters */
};

struct msg {
    struct queue_link link; /* in a lane */
    struct message message; /* points into this allocation */
    const struct msg_origin *origin;
    uint64_t token;
    uint64_t key;            /* ordering key; 0: no order */
    size_t size;             /* in memory, as the gate counts it */
    struct ruleset *ruleset; /* counted; the message finishes on it */

    unsigned open;               /* runs that are not final, and one while rules are still being evaluated */
    unsigned waiting;            /* runs that wait for an answer */
    struct msg *held_next;       /* held.h: among the messages that hold their key, */
    struct queue_chain behind;   /* and what waits behind it */
    struct run *runs;            /* doubly linked */
    struct msg *previous, *next; /* among its worker's messages */
    size_t rule_count;
    uint32_t rules[]; /* numbers in ruleset->rules, ascending */
};

/* What msg_new takes for such a message, in bytes. */
size_t msg_size(const struct message *m, size_t rule_count);
/* A copy of m for these rules. Takes one reference to rs. NULL: memory. */
struct msg *msg_new(const struct message *m, struct ruleset *rs, const uint32_t *rules, size_t rule_count) MUST_CHECK;
void msg_free(struct msg *m);
/* Give the token back. Thread: any. */
void msg_settle(const struct msg *m);

#endif
