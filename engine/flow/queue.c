/* SPDX-License-Identifier: Apache-2.0 */
/* Two chains under one mutex, and a condition for the one taker.
 *
 * A mutex rather than a lock-free list: the taker sleeps when there is nothing, so a condition is needed anyway, and a
 * push is some ten instructions inside the lock. On the hot path: no allocation, no call out while the lock is held. */
#include "engine/flow/queue.h"

#include <assert.h>
#include <errno.h>

#include "engine/base/thread.h"

void queue_chain_add(struct queue_chain *c, struct queue_link *link)
{
    link->next = NULL;
    if (c->last)
        c->last->next = link;
    else
        c->first = link;
    c->last = link;
    c->count++;
}

struct queue_link *queue_chain_take(struct queue_chain *c)
{
    struct queue_link *link = c->first;
    if (!link)
        return NULL;
    c->first = link->next;
    if (!c->first)
        c->last = NULL;
    c->count--;
    link->next = NULL;
    return link;
}

void queue_chain_join(struct queue_chain *c, struct queue_chain *tail)
{
    if (!tail->first)
        return;
    if (c->last)
        c->last->next = tail->first;
    else
        c->first = tail->first;
    c->last = tail->last;
    c->count += tail->count;
    *tail = (struct queue_chain) { 0 };
}

void queue_chain_prepend(struct queue_chain *c, struct queue_chain *head)
{
    queue_chain_join(head, c);
    *c = *head;
    *head = (struct queue_chain) { 0 };
}

int queue_init(struct queue *q, size_t max, struct err *e)
{
    *q = (struct queue) { .max = max };
    return thread_lock_init(&q->lock, &q->changed, e);
}

void queue_clear(struct queue *q)
{
    assert(!q->urgent.first && !q->normal.first);
    thread_lock_clear(&q->lock, &q->changed);
}

/* Let go of the lock, then wake the taker if it sleeps: woken inside the lock it would only run into it. So a queue
 * must outlive the calls of its pushers. */
static void unlock_and_wake(struct queue *q)
{
    bool asleep = q->asleep;
    pthread_mutex_unlock(&q->lock);
    if (asleep)
        pthread_cond_signal(&q->changed);
}

/* Locks: q->lock held. */
static bool add_normal(struct queue *q, struct queue_link *link)
{
    bool taken = !q->closed && q->normal.count < q->max;
    if (taken)
        queue_chain_add(&q->normal, link);
    return taken;
}

bool queue_push(struct queue *q, struct queue_link *link)
{
    pthread_mutex_lock(&q->lock);
    bool taken = add_normal(q, link);
    unlock_and_wake(q);
    return taken;
}

bool queue_push_quietly(struct queue *q, struct queue_link *link)
{
    pthread_mutex_lock(&q->lock);
    bool taken = add_normal(q, link);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void queue_nudge(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    unlock_and_wake(q);
}

void queue_push_urgent(struct queue *q, struct queue_chain *chain)
{
    pthread_mutex_lock(&q->lock);
    queue_chain_join(&q->urgent, chain);
    unlock_and_wake(q);
}

/* Locks: q->lock held. */
static bool nothing_to_do(const struct queue *q, size_t most)
{
    return !q->urgent.first && !(most && q->normal.first) && !q->woken && !q->closed;
}

/* Locks: q->lock held. */
static void wait_for_something(struct queue *q, size_t most, uint64_t wait_ms)
{
    q->asleep = true;
    if (wait_ms == QUEUE_FOREVER) {
        while (nothing_to_do(q, most))
            pthread_cond_wait(&q->changed, &q->lock);
    } else {
        struct timespec deadline = thread_deadline(wait_ms);
        while (nothing_to_do(q, most) && pthread_cond_timedwait(&q->changed, &q->lock, &deadline) != ETIMEDOUT)
            continue;
    }
    q->asleep = false;
}

/* Move the first n items. Locks: q->lock held. */
static void move_some(struct queue_chain *to, struct queue_chain *from, size_t most)
{
    if (from->count <= most) {
        queue_chain_join(to, from);
        return;
    }
    for (size_t i = 0; i < most; i++)
        queue_chain_add(to, queue_chain_take(from));
}

bool queue_take(struct queue *q, struct queue_chain *urgent, struct queue_chain *normal, size_t most, uint64_t wait_ms)
{
    pthread_mutex_lock(&q->lock);
    if (wait_ms && nothing_to_do(q, most))
        wait_for_something(q, most, wait_ms);
    q->woken = false;
    queue_chain_join(urgent, &q->urgent);
    bool open = !q->closed;
    if (open)
        move_some(normal, &q->normal, most);
    pthread_mutex_unlock(&q->lock);
    return open;
}

void queue_wake(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->woken = true;
    unlock_and_wake(q);
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    unlock_and_wake(q);
}

void queue_drain(struct queue *q, struct queue_chain *out)
{
    pthread_mutex_lock(&q->lock);
    queue_chain_join(out, &q->urgent);
    queue_chain_join(out, &q->normal);
    pthread_mutex_unlock(&q->lock);
}
