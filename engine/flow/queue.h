/* SPDX-License-Identifier: Apache-2.0 */
/* Queue: items pass from any thread to one, through a short lock.
 *
 * Items are intrusive: pushing allocates nothing and an item is in one queue at most. Two bands: `urgent` for what
 * must never be refused (it is bounded by other means: deliveries that come home), `normal` with a bound of its own.
 * The taker gets whole chains, so under load it takes the lock once for many items.
 *
 * This is the lane of a worker (normal: messages, urgent: returning deliveries) and the intake of an outbox (normal:
 * deliveries). */
#ifndef SLUICE_FLOW_QUEUE_H
#define SLUICE_FLOW_QUEUE_H

#include "engine/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The struct that holds an item of this link. */
#define QUEUE_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

struct queue_link {
    struct queue_link *next;
};

/* A singly linked list, first in first out. Zero-initialised is empty. Owned by one thread. */
struct queue_chain {
    struct queue_link *first, *last;
    size_t count;
};

void queue_chain_add(struct queue_chain *c, struct queue_link *link);
struct queue_link *queue_chain_take(struct queue_chain *c);                /* NULL: empty */
void queue_chain_join(struct queue_chain *c, struct queue_chain *tail);    /* tail is empty afterwards */
void queue_chain_prepend(struct queue_chain *c, struct queue_chain *head); /* head is empty afterwards */

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue_chain urgent, normal;
    size_t max;  /* of normal */
    bool asleep; /* the taker waits */
    bool woken, closed;
};

#define QUEUE_FOREVER UINT64_MAX

int queue_init(struct queue *q, size_t max, struct err *e) MUST_CHECK;
void queue_clear(struct queue *q); /* the items must be gone, and every call of other threads over */

/* Add one item to the normal band. False: full or closed, the caller keeps it. Thread: any. Locks: q->lock. */
bool queue_push(struct queue *q, struct queue_link *link) MUST_CHECK;
/* Add a chain to the urgent band (also when closed); it is empty afterwards. Thread: any. Locks: q->lock. */
void queue_push_urgent(struct queue *q, struct queue_chain *chain);

/* Append what is there to the chains: all of urgent, and normal up to `most` items (0: none is taken or waited for).
 * Waits until there is something, queue_wake or queue_close was called, or wait_ms have passed (real time). False
 * once closed; urgent items are still handed out then, normal ones are not. Thread: the taker. Locks: q->lock. */
bool queue_take(struct queue *q, struct queue_chain *urgent, struct queue_chain *normal, size_t most, uint64_t wait_ms);

/* As queue_push, but the taker sleeps on until queue_nudge, which the same thread must call soon: for many items in a row. */
bool queue_push_quietly(struct queue *q, struct queue_link *link) MUST_CHECK;
void queue_nudge(struct queue *q); /* Thread: any. Locks: q->lock. */

void queue_wake(struct queue *q);  /* let a waiting (or the next) queue_take return. Thread: any. */
void queue_close(struct queue *q); /* refuse further normal items. Thread: any. */
/* Everything that is left, after the taker has ended. */
void queue_drain(struct queue *q, struct queue_chain *out);

#endif
