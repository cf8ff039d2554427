/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what the whole program takes from the heap, libraries included:
 *
 *     count_allocations();            // first thing in main()
 *     size_t before = allocations;
 *     …
 *     assert_int_equal(allocations, before);
 *
 * For one file of a program: it defines malloc, calloc and realloc, or hooks those of the sanitizer. */
#ifndef SLUICE_TESTS_COUNTED_ALLOC_H
#define SLUICE_TESTS_COUNTED_ALLOC_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static size_t allocations;

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    allocations++;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_allocations(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
/* The C library's own functions, behind counting ones. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    allocations++;
    return __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

static void count_allocations(void) {}
#endif

#endif
