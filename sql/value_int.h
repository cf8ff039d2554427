/* SPDX-License-Identifier: Apache-2.0 */
/* Internals that the val_*.c files share: an index of an Object's members by name, for objects too large to search. */
#ifndef SLUICE_SQL_VALUE_INT_H
#define SLUICE_SQL_VALUE_INT_H

#include "sql/value.h"

struct val_indexed {
    const char *key;
    uint32_t key_len;
    uint32_t place; /* position among the members */
    struct val value;
};

struct val_index {
    struct val_indexed *items; /* sorted by key */
    uint32_t count;
};

/* Index an Object in the arena; false when that is full. O(n log n), whatever the keys. */
bool val_index_make(struct val_index *index, struct val object, enum sql_version version, struct arena *a) MUST_CHECK;
/* The member of that name, or NULL. O(log n). */
const struct val_indexed *val_index_find(const struct val_index *index, const char *key, uint32_t len);

#endif
