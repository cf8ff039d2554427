/* SPDX-License-Identifier: Apache-2.0 */
/* Type names of cast(value AS type): spec section 2.4. */
#ifndef SLUICE_SQL_TYPES_H
#define SLUICE_SQL_TYPES_H

#include "sql/program.h"
#include "sql/version.h"

#include <stddef.h>

struct sql_type {
    const char *name; /* lower case */
    enum sql_cast target;
    enum sql_version since;
};

/* By name, in any case; NULL if there is none. */
const struct sql_type *sql_type_find(const char *name, size_t len);
/* The type name nearest to what was given, or NULL. */
const char *sql_type_nearest(const char *name, size_t len);
/* "String", "Int", …: of the target type. */
const char *sql_type_name(enum sql_cast target);

#endif
