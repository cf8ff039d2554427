/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the language versions, as `awsIotSqlVersion` has them. Versions are compared by their order in the
 * enum. */
#include "sql/version.h"

#include <string.h>

static const char *const names[] = {
    [SQL_2015_10_08] = "2015-10-08",
    [SQL_2016_03_23] = "2016-03-23",
    [SQL_BETA] = "beta",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
_Static_assert(NAME_COUNT == SQL_BETA + 1, "every version has a name");

const char *sql_version_name(enum sql_version version)
{
    return names[version];
}

bool sql_version_parse(const char *s, size_t len, enum sql_version *version)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], s, len) == 0) {
            *version = (enum sql_version)i;
            return true;
        }
    }
    return false;
}
