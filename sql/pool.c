/* SPDX-License-Identifier: Apache-2.0 */
/* Constant pool. Strings and small numbers, which are most, are found by a hash; wide numbers, arrays and objects
 * are rare and simply added. */
#include "sql/pool.h"

#include <string.h>

#define FIRST_CELLS 64 /* a power of two */

static bool is_simple(struct val v)
{
    return v.form == VAL_HERE && v.kind != VAL_ARRAY && v.kind != VAL_OBJECT;
}

static uint32_t hash_of(struct val v)
{
    uint64_t h = 14695981039346656037u ^ v.kind; /* FNV-1a */
    const unsigned char *p = (const unsigned char *)&v.coef;
    size_t len = sizeof(v.coef);
    if (v.kind == VAL_STRING) {
        p = (const unsigned char *)v.text;
        len = v.n;
    }
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return (uint32_t)(h ^ (h >> 32));
}

static bool is_same(struct val a, struct val b)
{
    if (a.kind != b.kind || a.n != b.n || a.exp != b.exp)
        return false;
    return a.kind == VAL_STRING ? memcmp(a.text, b.text, a.n) == 0 : a.coef == b.coef;
}

static uint32_t *find_cell(const struct pool *pool, struct val v)
{
    uint32_t mask = pool->cell_count - 1, i = hash_of(v) & mask;
    while (pool->cells[i] && !is_same(pool->program->constants[pool->cells[i] - 1], v))
        i = (i + 1) & mask;
    return &pool->cells[i];
}

/* An index of `count` cells over what is there. */
static bool make_cells(struct pool *pool, uint32_t count)
{
    uint32_t *cells = arena_array(pool->scratch, count, sizeof(*cells));
    if (!cells)
        return false;
    memset(cells, 0, count * sizeof(*cells));
    pool->cells = cells;
    pool->cell_count = count;
    for (uint32_t i = 0; i < pool->program->constant_count; i++) {
        if (is_simple(pool->program->constants[i]))
            *find_cell(pool, pool->program->constants[i]) = i + 1;
    }
    return true;
}

bool pool_init(struct pool *pool, struct sql_program *program, struct arena *mem, struct arena *scratch, uint32_t cap,
               bool shared)
{
    *pool = (struct pool) { .program = program, .mem = mem, .scratch = scratch, .cap = cap };
    uint32_t cells = FIRST_CELLS;
    while (cells / 2 < program->constant_count)
        cells *= 2;
    return !shared || make_cells(pool, cells);
}

static bool reserve(struct pool *pool)
{
    struct sql_program *program = pool->program;
    if (program->constant_count < pool->cap)
        return true;
    uint32_t cap = pool->cap ? pool->cap * 2 : 8;
    struct val *constants =
        arena_grow(pool->mem, program->constants, pool->cap * sizeof(struct val), cap * sizeof(struct val));
    if (!constants)
        return false;
    program->constants = constants;
    pool->cap = cap;
    return true;
}

static int push(struct pool *pool, struct val v)
{
    struct sql_program *program = pool->program;
    if (program->constant_count >= POOL_MAX || !reserve(pool))
        return -1;
    if (v.kind == VAL_STRING) {
        v.text = arena_strndup(pool->mem, v.text, v.n);
        if (!v.text)
            return -1;
    }
    program->constants[program->constant_count] = v;
    return (int)program->constant_count++;
}

int pool_add(struct pool *pool, struct val v)
{
    if (v.kind == VAL_UNDEFINED || v.kind == VAL_NULL)
        v.coef = 0;
    else if (v.kind == VAL_BOOL)
        v = (struct val) { .kind = VAL_BOOL, .coef = v.truth };
    else if (v.kind == VAL_STRING)
        v.exp = json_is_plain(v.text, v.n);
    if (!is_simple(v) || !pool->cells)
        return push(pool, v);
    if (pool->program->constant_count >= pool->cell_count / 2 && !make_cells(pool, pool->cell_count * 2))
        return -1;
    uint32_t *cell = find_cell(pool, v);
    if (*cell)
        return (int)*cell - 1;
    int index = push(pool, v);
    if (index >= 0)
        *cell = (uint32_t)index + 1;
    return index;
}

static bool copy_array(struct pool *pool, struct val v, struct val *copy)
{
    *copy = val_array();
    for (uint32_t i = 0; i < v.n; i++) {
        struct val item;
        if (!pool_copy(pool, v.items[i], &item) || !val_append(copy, item, pool->mem))
            return false;
    }
    return true;
}

static bool copy_object(struct pool *pool, struct val v, struct val *copy)
{
    *copy = val_object();
    for (uint32_t i = 0; i < v.n; i++) {
        const struct val *pair = &v.items[2 * (size_t)i];
        struct val key, value;
        if (pair[0].kind != VAL_STRING || !pool_copy(pool, pair[0], &key) || !pool_copy(pool, pair[1], &value) ||
            !val_put(copy, key, value, pool->program->version, pool->mem))
            return false;
    }
    return true;
}

static bool copy_wide(struct pool *pool, struct val v, struct val *copy)
{
    struct num *n = arena_alloc(pool->mem, sizeof(*n));
    if (!n)
        return false;
    *n = *v.num;
    *copy = v;
    copy->num = n;
    return true;
}

bool pool_copy(struct pool *pool, struct val v, struct val *copy)
{
    if (v.form == VAL_WIDE)
        return copy_wide(pool, v, copy);
    if (v.form != VAL_HERE || v.kind == VAL_BYTES)
        return false;
    if (v.kind == VAL_ARRAY)
        return copy_array(pool, v, copy);
    if (v.kind == VAL_OBJECT)
        return copy_object(pool, v, copy);
    *copy = v;
    if (v.kind == VAL_STRING) {
        copy->text = arena_strndup(pool->mem, v.text, v.n);
        copy->exp = json_is_plain(v.text, v.n);
        return copy->text != NULL;
    }
    return true;
}
