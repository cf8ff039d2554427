/* SPDX-License-Identifier: Apache-2.0 */
/* Path slots: a table of paths, found through an open-addressed hash of (parent slot, last name).
 *
 * Interning walks the names from the left, so every prefix of a path has a slot of its own and the machine can look
 * a path up from its parent. The name arrays of new prefixes are the front part of one array, which keeps the
 * memory of a long path linear in its length. Paths never move, so a path handed out stays valid while others are
 * added. */
#include "sql/paths.h"

#include "engine/base/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOT        UINT32_MAX /* parent of a path of one name */
#define MAX_BYTES   ((size_t)64 << 20)
#define FIRST_CELLS 64 /* of the hash; a power of two */

struct sql_paths {
    unsigned refs; /* atomic */
    struct arena arena;
    struct sql_path **paths; /* by slot */
    uint32_t count, cap;
    uint32_t *cells; /* slot + 1, or 0 */
    uint32_t cell_count;
};

struct sql_paths *sql_paths_new(void)
{
    struct sql_paths *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->refs = 1;
    p->cell_count = FIRST_CELLS;
    p->cells = calloc(p->cell_count, sizeof(*p->cells));
    if (!p->cells) {
        free(p);
        return NULL;
    }
    arena_init(&p->arena, MAX_BYTES);
    return p;
}

struct sql_paths *sql_paths_ref(struct sql_paths *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void sql_paths_unref(struct sql_paths *p)
{
    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    arena_clear(&p->arena);
    free(p->paths);
    free(p->cells);
    free(p);
}

/* FNV-1a over the parent and the name. */
static uint32_t hash_of(uint32_t parent, const char *name, uint32_t len)
{
    uint64_t h = 14695981039346656037u ^ parent;
    h *= 1099511628211u;
    for (uint32_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * 1099511628211u;
    return (uint32_t)(h ^ (h >> 32));
}

static bool is_child(const struct sql_path *path, uint32_t parent, const char *name, uint32_t len)
{
    uint32_t last = path->count - 1;
    return path->parent == parent && path->lens[last] == len && memcmp(path->names[last], name, len) == 0;
}

/* The cell that holds the child, or the empty one where it belongs. */
static uint32_t *find_cell(const struct sql_paths *p, uint32_t parent, const char *name, uint32_t len)
{
    uint32_t mask = p->cell_count - 1;
    uint32_t i = hash_of(parent, name, len) & mask;
    while (p->cells[i] && !is_child(p->paths[p->cells[i] - 1], parent, name, len))
        i = (i + 1) & mask;
    return &p->cells[i];
}

/* Keep a quarter of the cells empty. */
static bool grow_cells(struct sql_paths *p)
{
    if (p->count + 1 <= p->cell_count / 4 * 3)
        return true;
    uint32_t *old = p->cells;
    uint32_t *cells = calloc((size_t)p->cell_count * 2, sizeof(*cells));
    if (!cells)
        return false;
    p->cells = cells;
    p->cell_count *= 2;
    for (uint32_t slot = 0; slot < p->count; slot++) {
        const struct sql_path *path = p->paths[slot];
        *find_cell(p, path->parent, path->names[path->count - 1], path->lens[path->count - 1]) = slot + 1;
    }
    free(old);
    return true;
}

static bool grow_paths(struct sql_paths *p)
{
    if (p->count < p->cap)
        return true;
    uint32_t cap = p->cap ? p->cap * 2 : 32;
    struct sql_path **paths = realloc(p->paths, cap * sizeof(struct sql_path *));
    if (!paths)
        return false;
    p->paths = paths;
    p->cap = cap;
    return true;
}

/* The arrays that a new path and its new prefixes share: the known prefix's names, then copies of the new ones. */
static bool copy_names(struct sql_paths *p, uint32_t parent, const char *const *names, const uint32_t *lens,
                       uint32_t count, struct sql_path *shared)
{
    const char **own = arena_array(&p->arena, count, sizeof(char *));
    uint32_t *own_lens = arena_array(&p->arena, count, sizeof(*own_lens));
    if (!own || !own_lens)
        return false;
    uint32_t known = parent == ROOT ? 0 : p->paths[parent]->count;
    for (uint32_t i = 0; i < count; i++) {
        own[i] = i < known ? p->paths[parent]->names[i] : arena_strndup(&p->arena, names[i], lens[i]);
        if (!own[i])
            return false;
        own_lens[i] = lens[i];
    }
    *shared = (struct sql_path) { .names = own, .lens = own_lens };
    return true;
}

static bool add_path(struct sql_paths *p, struct sql_path path)
{
    if (p->count >= SQL_MAX_SLOTS || !grow_cells(p) || !grow_paths(p))
        return false;
    struct sql_path *copy = arena_alloc(&p->arena, sizeof(*copy));
    if (!copy)
        return false;
    *copy = path;
    uint32_t *cell = find_cell(p, path.parent, path.names[path.count - 1], path.lens[path.count - 1]);
    p->paths[p->count] = copy;
    *cell = ++p->count;
    return true;
}

int sql_paths_intern(struct sql_paths *p, const char *const *names, const uint32_t *lens, uint32_t count)
{
    uint32_t parent = ROOT, known = 0;
    while (known < count) {
        uint32_t cell = *find_cell(p, parent, names[known], lens[known]);
        if (!cell)
            break;
        parent = cell - 1;
        known++;
    }
    struct sql_path shared;
    if (known < count && !copy_names(p, parent, names, lens, count, &shared))
        return -1;
    for (; known < count; known++) {
        struct sql_path path = { .names = shared.names, .lens = shared.lens, .count = known + 1, .parent = parent };
        if (!add_path(p, path))
            return -1;
        parent = p->count - 1;
    }
    return (int)parent;
}

uint32_t sql_paths_count(const struct sql_paths *p)
{
    return p->count;
}

const struct sql_path *sql_paths_at(const struct sql_paths *p, uint32_t slot)
{
    return p->paths[slot];
}
