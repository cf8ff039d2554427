/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the rule language (spec section 5). */
#ifndef SLUICE_SQL_VERSION_H
#define SLUICE_SQL_VERSION_H

#include <stdbool.h>
#include <stddef.h>

enum sql_version { SQL_2015_10_08, SQL_2016_03_23, SQL_BETA }; /* ordered: later ones know more */

/* "2015-10-08", "2016-03-23", "beta". */
const char *sql_version_name(enum sql_version version);
bool sql_version_parse(const char *s, size_t len, enum sql_version *version);

#endif
