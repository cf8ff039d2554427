/* SPDX-License-Identifier: Apache-2.0 */
/* Thread: start one the way every thread of sluice starts, and the pair of lock and condition that they wait on. */
#ifndef SLUICE_BASE_THREAD_H
#define SLUICE_BASE_THREAD_H

#include "engine/base/err.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Start with a name (cut to 15 bytes, the kernel's bound) and with every signal blocked, so that signals stay with
 * the thread that waits for them. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx, struct err *e) MUST_CHECK;

/* A lock and a condition whose timed waits take deadlines of thread_deadline: a step of the wall clock does not
 * disturb them. */
int thread_lock_init(pthread_mutex_t *lock, pthread_cond_t *changed, struct err *e) MUST_CHECK;
void thread_lock_clear(pthread_mutex_t *lock, pthread_cond_t *changed);
struct timespec thread_deadline(uint64_t wait_ms); /* from now; at most a year */

#endif
