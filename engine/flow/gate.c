/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic sums; the lock only serves those who wait.
 *
 * No wake-up is missed: a waiter announces itself, then looks at the count; a leaver lowers the count, then looks for
 * announcements. All of that is sequentially consistent, so at least one of the two sees the other. */
#include "engine/flow/gate.h"

#include <errno.h>
#include <stdint.h>

#include "engine/base/thread.h"

int gate_init(struct gate *g, size_t max, size_t max_bytes, struct err *e)
{
    g->max = max;
    g->max_bytes = max_bytes ? max_bytes : SIZE_MAX;
    atomic_init(&g->count, 0);
    atomic_init(&g->bytes, 0);
    atomic_init(&g->waiting, 0);
    atomic_init(&g->closed, false);
    return thread_lock_init(&g->lock, &g->changed, e);
}

void gate_clear(struct gate *g)
{
    thread_lock_clear(&g->lock, &g->changed);
}

static bool bytes_fit(const struct gate *g, size_t bytes, size_t size)
{
    return bytes == 0 || (bytes < g->max_bytes && size <= g->max_bytes - bytes);
}

static bool enter_count(struct gate *g)
{
    size_t count = atomic_load(&g->count);
    do {
        if (count >= g->max)
            return false;
    } while (!atomic_compare_exchange_weak(&g->count, &count, count + 1));
    return true;
}

static bool enter_bytes(struct gate *g, size_t size)
{
    size_t bytes = atomic_load(&g->bytes);
    do {
        if (!bytes_fit(g, bytes, size))
            return false;
    } while (!atomic_compare_exchange_weak(&g->bytes, &bytes, bytes + size));
    return true;
}

enum gate_answer gate_enter(struct gate *g, size_t size)
{
    if (atomic_load(&g->closed))
        return GATE_CLOSED;
    if (!enter_count(g))
        return GATE_FULL;
    if (enter_bytes(g, size))
        return GATE_IN;
    gate_leave(g, 0);
    return GATE_FULL;
}

static void wake_all(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

void gate_leave(struct gate *g, size_t size)
{
    atomic_fetch_sub(&g->bytes, size);
    atomic_fetch_sub(&g->count, 1);
    if (atomic_load(&g->waiting))
        wake_all(g);
}

size_t gate_count(const struct gate *g)
{
    return atomic_load(&g->count);
}

size_t gate_bytes(const struct gate *g)
{
    return atomic_load(&g->bytes);
}

static bool has_room(const struct gate *g, size_t size)
{
    return atomic_load(&g->count) < g->max && bytes_fit(g, atomic_load(&g->bytes), size);
}

void gate_wait_room(struct gate *g, size_t size, unsigned timeout_ms, bool always)
{
    struct timespec deadline = thread_deadline(timeout_ms);
    int rc = 0;
    pthread_mutex_lock(&g->lock);
    atomic_fetch_add(&g->waiting, 1);
    while (rc != ETIMEDOUT && !atomic_load(&g->closed) && (always || !has_room(g, size)))
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
