/* SPDX-License-Identifier: Apache-2.0 */
/* pthreads with what every thread of the flow needs. */
#include "engine/base/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE_MAX_MS (UINT64_C(365) * 24 * 3600 * 1000)

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_set(e, ERR_MEMORY, "could not start the thread \"%s\": %s", name, strerror(rc));
    char cut[16];
    snprintf(cut, sizeof(cut), "%.15s", name);
    pthread_setname_np(*thread, cut);
    return 0;
}

static int cond_init(pthread_cond_t *changed)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc)
        return rc;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    rc = pthread_cond_init(changed, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

int thread_lock_init(pthread_mutex_t *lock, pthread_cond_t *changed, struct err *e)
{
    int rc = cond_init(changed);
    if (rc == 0) {
        rc = pthread_mutex_init(lock, NULL);
        if (rc)
            pthread_cond_destroy(changed);
    }
    return rc ? err_set(e, ERR_MEMORY, "could not make a lock: %s", strerror(rc)) : 0;
}

void thread_lock_clear(pthread_mutex_t *lock, pthread_cond_t *changed)
{
    pthread_mutex_destroy(lock);
    pthread_cond_destroy(changed);
}

struct timespec thread_deadline(uint64_t wait_ms)
{
    if (wait_ms > DEADLINE_MAX_MS)
        wait_ms = DEADLINE_MAX_MS;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t nsec = (uint64_t)t.tv_nsec + wait_ms % 1000 * 1000000;
    t.tv_sec += (time_t)(wait_ms / 1000 + nsec / 1000000000);
    t.tv_nsec = (long)(nsec % 1000000000);
    return t;
}
