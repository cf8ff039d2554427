/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: a chain of blocks, filled one after the other. On the hot path: a warm arena only moves a pointer.
 *
 * A reset goes back to the first block; the chain stays in its order, so the same work finds the same room again. A
 * request that the next block cannot hold gets a new block in front of it. Under AddressSanitizer unused room is
 * poisoned, so that a value kept past the reset is reported. */
#include "engine/base/arena.h"

#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ALIGNMENT   ((size_t)16)
#define FIRST_BLOCK ((size_t)4 << 10) /* room of the first block; each further one doubles it */
#define BLOCK_MAX   ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of room */
};
_Static_assert(sizeof(struct arena_block) % ALIGNMENT == 0, "room behind the header is aligned");

static char *block_room(struct arena_block *block)
{
    return (char *)(block + 1);
}

/* Bytes that n bytes take; 0 if that overflows. An empty allocation has an address of its own. */
static size_t rounded(size_t n)
{
    return n ? (n + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1) : ALIGNMENT;
}

static size_t current_used(const struct arena *a)
{
    return a->current ? (size_t)(a->next - block_room(a->current)) : 0;
}

static void enter_block(struct arena *a, struct arena_block *block)
{
    a->used += current_used(a);
    a->current = block;
    a->next = block_room(block);
    a->end = a->next + block->size;
}

/* Make a block of at least n bytes the current one: the next of the chain, or a new one in front of it. */
static bool next_block(struct arena *a, size_t n)
{
    struct arena_block **link = a->current ? &a->current->next : &a->first;
    if (!*link || (*link)->size < n) {
        size_t size = a->current ? a->current->size * 2 : FIRST_BLOCK;
        if (size > BLOCK_MAX)
            size = BLOCK_MAX;
        if (size < n)
            size = n;
        if (size > SIZE_MAX - sizeof(struct arena_block))
            return false;
        struct arena_block *block = malloc(sizeof(*block) + size);
        if (!block)
            return false;
        block->size = size;
        block->next = *link;
        ASAN_POISON_MEMORY_REGION(block_room(block), size);
        *link = block;
    }
    enter_block(a, *link);
    return true;
}

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena) { .max = max };
}

static void free_chain(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        ASAN_UNPOISON_MEMORY_REGION(block_room(block), block->size);
        free(block);
        block = next;
    }
}

void arena_clear(struct arena *a)
{
    free_chain(a->first);
    arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    struct arena_block **link = &a->first;
    while (*link && (*link)->size <= ARENA_KEEP - kept) {
        kept += (*link)->size;
        ASAN_POISON_MEMORY_REGION(block_room(*link), (*link)->size);
        link = &(*link)->next;
    }
    free_chain(*link);
    *link = NULL;
    a->current = NULL;
    a->next = a->end = NULL;
    a->used = 0;
    a->refused = false;
}

size_t arena_used(const struct arena *a)
{
    return a->used + current_used(a);
}

static void *refuse(struct arena *a)
{
    a->refused = true;
    return NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t take = rounded(n);
    if (take < n || take > a->max - arena_used(a))
        return refuse(a);
    if ((size_t)(a->end - a->next) < take && !next_block(a, take))
        return refuse(a);
    char *p = a->next;
    a->next += take;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    return __builtin_mul_overflow(count, size, &n) ? refuse(a) : arena_alloc(a, n);
}

/* Change the size of the last allocation where it stands. */
static bool resize_last(struct arena *a, char *old, size_t old_size, size_t new_size)
{
    size_t had = rounded(old_size), take = rounded(new_size);
    if (old + had != a->next || take < new_size || take > (size_t)(a->end - old))
        return false;
    if (take > had && take - had > a->max - arena_used(a))
        return false;
    a->next = old + take;
    ASAN_POISON_MEMORY_REGION(old, (size_t)(a->end - old));
    ASAN_UNPOISON_MEMORY_REGION(old, new_size);
    return true;
}

void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size)
{
    if (old && resize_last(a, old, old_size, new_size))
        return old;
    void *p = arena_alloc(a, new_size);
    if (p && old && old_size)
        memcpy(p, old, old_size < new_size ? old_size : new_size);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : refuse(a);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}
