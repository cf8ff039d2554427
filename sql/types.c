/* SPDX-License-Identifier: Apache-2.0 */
/* The cast types: several names stand for one target, some of them only from a version on. */
#include "sql/types.h"

#include "engine/base/err.h"
#include "sql/lex.h"

static const struct sql_type types[] = {
    { "bool", SQL_CAST_BOOL, SQL_2016_03_23 },       { "boolean", SQL_CAST_BOOL, SQL_2016_03_23 },
    { "decimal", SQL_CAST_DECIMAL, SQL_2016_03_23 }, { "double", SQL_CAST_DOUBLE, SQL_2015_10_08 },
    { "int", SQL_CAST_INT, SQL_2015_10_08 },         { "integer", SQL_CAST_INT, SQL_2015_10_08 },
    { "ntext", SQL_CAST_STRING, SQL_2015_10_08 },    { "nvarchar", SQL_CAST_STRING, SQL_2015_10_08 },
    { "string", SQL_CAST_STRING, SQL_2015_10_08 },   { "text", SQL_CAST_STRING, SQL_2015_10_08 },
    { "varchar", SQL_CAST_STRING, SQL_2015_10_08 },
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static const char *const target_names[] = {
    [SQL_CAST_STRING] = "String",   [SQL_CAST_INT] = "Int",      [SQL_CAST_DOUBLE] = "Double",
    [SQL_CAST_DECIMAL] = "Decimal", [SQL_CAST_BOOL] = "Boolean",
};
_Static_assert(sizeof(target_names) / sizeof(target_names[0]) == SQL_CAST_BOOL + 1, "every target has a name");

const struct sql_type *sql_type_find(const char *name, size_t len)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (lex_is_word(name, len, types[i].name))
            return &types[i];
    }
    return NULL;
}

const char *sql_type_nearest(const char *name, size_t len)
{
    const char *words[TYPE_COUNT];
    for (size_t i = 0; i < TYPE_COUNT; i++)
        words[i] = types[i].name;
    return nearest_word(name, len, words, TYPE_COUNT);
}

const char *sql_type_name(enum sql_cast target)
{
    return target_names[target];
}
