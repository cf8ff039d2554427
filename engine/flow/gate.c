/* SPDX-License-Identifier: Apache-2.0 */
/* An atomic count; the lock only serves those who wait.
 *
 * No wake-up is missed: a waiter announces itself, then looks at the count; a leaver lowers the count, then looks for
 * announcements. All four are sequentially consistent, so at least one of the two sees the other. */
#include "engine/flow/gate.h"

#include <errno.h>

#include "engine/base/thread.h"

int gate_init(struct gate *g, size_t max, struct err *e)
{
    g->max = max;
    atomic_init(&g->count, 0);
    atomic_init(&g->waiting, 0);
    atomic_init(&g->closed, false);
    return thread_lock_init(&g->lock, &g->changed, e);
}

void gate_clear(struct gate *g)
{
    thread_lock_clear(&g->lock, &g->changed);
}

enum gate_answer gate_enter(struct gate *g)
{
    if (atomic_load(&g->closed))
        return GATE_CLOSED;
    size_t count = atomic_load(&g->count);
    do {
        if (count >= g->max)
            return GATE_FULL;
    } while (!atomic_compare_exchange_weak(&g->count, &count, count + 1));
    return GATE_IN;
}

static void wake_all(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

void gate_leave(struct gate *g)
{
    atomic_fetch_sub(&g->count, 1);
    if (atomic_load(&g->waiting))
        wake_all(g);
}

size_t gate_count(const struct gate *g)
{
    return atomic_load(&g->count);
}

void gate_wait_room(struct gate *g, unsigned timeout_ms, bool always)
{
    struct timespec deadline = thread_deadline(timeout_ms);
    int rc = 0;
    pthread_mutex_lock(&g->lock);
    atomic_fetch_add(&g->waiting, 1);
    while (rc != ETIMEDOUT && !atomic_load(&g->closed) && (always || atomic_load(&g->count) >= g->max))
        rc = pthread_cond_timedwait(&g->changed, &g->lock, &deadline);
    atomic_fetch_sub(&g->waiting, 1);
    pthread_mutex_unlock(&g->lock);
}

size_t gate_wait_empty(struct gate *g, unsigned timeout_ms)
{
    struct timespec deadline = thread_deadline(timeout_ms);
    int rc = 0;
    pthread_mutex_lock(&g->lock);
    atomic_fetch_add(&g->waiting, 1);
    while (rc != ETIMEDOUT && atomic_load(&g->count) > 0)
        rc = pthread_cond_timedwait(&g->changed, &g->lock, &deadline);
    atomic_fetch_sub(&g->waiting, 1);
    pthread_mutex_unlock(&g->lock);
    return atomic_load(&g->count);
}

void gate_close(struct gate *g)
{
    atomic_store(&g->closed, true);
    wake_all(g);
}
