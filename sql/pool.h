/* SPDX-License-Identifier: Apache-2.0 */
/* Pool of a program's constants, each simple value once. */
#ifndef SLUICE_SQL_POOL_H
#define SLUICE_SQL_POOL_H

#include "engine/base/arena.h"
#include "sql/program.h"
#include "sql/value.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_MAX 65536 /* an operand has 16 bits */

struct pool {
    struct sql_program *program; /* whose constants these are */
    struct arena *mem;           /* for the constants and their bytes */
    struct arena *scratch;       /* for the index */
    uint32_t cap;                /* room in program->constants */
    uint32_t *cells;             /* hash of the simple ones: index + 1, or 0; NULL: nothing is looked up */
    uint32_t cell_count;
};

/* Take up the constants that the program has; cap: room there is. Everything is borrowed. With `shared` equal
 * constants are made one. False: memory. */
bool pool_init(struct pool *pool, struct sql_program *program, struct arena *mem, struct arena *scratch, uint32_t cap,
               bool shared) MUST_CHECK;

/* The index of a constant, new if it is not known; a String's bytes are copied. -1: more than POOL_MAX, or memory. */
int pool_add(struct pool *pool, struct val v) MUST_CHECK;

/* Copy a value of another arena, with all that it refers to, into mem. False: it refers to a payload, or memory. */
bool pool_copy(struct pool *pool, struct val v, struct val *copy) MUST_CHECK;

#endif
