/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: memory that is given back all at once.
 *
 * Blocks are kept at reset, so a warm arena takes nothing from the heap. Single-threaded: one owner. */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    char *next, *end; /* free space of the current block */
    size_t used;      /* bytes in blocks before the current one; arena_used() adds the rest */
    size_t max;       /* hard bound of arena_used(); more is refused */
    bool refused;     /* an allocation was refused since init or reset: whoever builds much may check once at the end */
};

/* max: bound in bytes. Allocates nothing. */
void arena_init(struct arena *a, size_t max);
void arena_clear(struct arena *a); /* gives everything back to the heap */
void arena_reset(struct arena *a); /* forgets the contents, keeps the blocks up to ARENA_KEEP bytes */
size_t arena_used(const struct arena *a);

#define ARENA_KEEP ((size_t)4 << 20)

/* n bytes aligned to 16, uninitialised; NULL when the bound is passed or memory is short. n may be 0. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;
void *arena_zalloc(struct arena *a, size_t n) MUST_CHECK;
/* count × size with overflow check. */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_CHECK;
/* Grow the last allocation in place if possible, else copy. old may be NULL. */
void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size) MUST_CHECK;
/* A NUL-terminated copy. */
char *arena_strndup(struct arena *a, const char *s, size_t n) MUST_CHECK;

#endif
