/* SPDX-License-Identifier: Apache-2.0 */
/* Path slots: every payload path that the rules of one ruleset read (`state.reported.temp`), numbered once, so that rules share
 * the look-up. Filled while compiling (one thread), read-only afterwards. */
#ifndef SLUICE_SQL_PATHS_H
#define SLUICE_SQL_PATHS_H

#include "engine/base/err.h"

#include <stdint.h>

#define SQL_MAX_SLOTS 65535

struct sql_path {
    const char *const *names; /* NUL-terminated names may hold any UTF-8 but NUL */
    const uint32_t *lens;
    uint32_t count;  /* at least 1 */
    uint32_t parent; /* slot of the path without its last name, or UINT32_MAX */
};

struct sql_paths;

struct sql_paths *sql_paths_new(void); /* owned, reference count 1; NULL: memory */
struct sql_paths *sql_paths_ref(struct sql_paths *p);
void sql_paths_unref(struct sql_paths *p);

/* The slot of a path, new if it is not known yet (parents get slots too). -1: more than SQL_MAX_SLOTS, or memory. */
int sql_paths_intern(struct sql_paths *p, const char *const *names, const uint32_t *lens, uint32_t count);
uint32_t sql_paths_count(const struct sql_paths *p);
const struct sql_path *sql_paths_at(const struct sql_paths *p, uint32_t slot);

#endif
