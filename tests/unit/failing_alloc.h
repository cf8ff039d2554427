/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail when a test says so. Modules that are compiled into the test below this header are counted:
 *
 *     #include "tests/unit/failing_alloc.h"
 *     #include "engine/base/buf.c"
 *     …
 *     allocations_left = 3;   // the third one from now on fails, and all after it */
#ifndef SLUICE_TESTS_FAILING_ALLOC_H
#define SLUICE_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t allocations_left = SIZE_MAX;

static inline bool allocation_fails(void)
{
    return allocations_left == 0 || --allocations_left == 0;
}

static inline void *failing_malloc(size_t n)
{
    return allocation_fails() ? NULL : malloc(n);
}

static inline void *failing_calloc(size_t count, size_t n)
{
    return allocation_fails() ? NULL : calloc(count, n);
}

static inline void *failing_realloc(void *p, size_t n)
{
    return allocation_fails() ? NULL : realloc(p, n);
}

static inline char *failing_strdup(const char *s)
{
    return allocation_fails() ? NULL : strdup(s);
}

static inline char *failing_strndup(const char *s, size_t n)
{
    return allocation_fails() ? NULL : strndup(s, n);
}

#undef strdup
#undef strndup
#define malloc  failing_malloc
#define calloc  failing_calloc
#define realloc failing_realloc
#define strdup  failing_strdup
#define strndup failing_strndup

#endif
