/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sql/types.h"

static void every_name_of_the_language(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sql_cast target;
        enum sql_version since;
    } rows[] = {
        { "String", SQL_CAST_STRING, SQL_2015_10_08 },   { "Nvarchar", SQL_CAST_STRING, SQL_2015_10_08 },
        { "TEXT", SQL_CAST_STRING, SQL_2015_10_08 },     { "Ntext", SQL_CAST_STRING, SQL_2015_10_08 },
        { "Varchar", SQL_CAST_STRING, SQL_2015_10_08 },  { "int", SQL_CAST_INT, SQL_2015_10_08 },
        { "Integer", SQL_CAST_INT, SQL_2015_10_08 },     { "dOuBlE", SQL_CAST_DOUBLE, SQL_2015_10_08 },
        { "Decimal", SQL_CAST_DECIMAL, SQL_2016_03_23 }, { "Bool", SQL_CAST_BOOL, SQL_2016_03_23 },
        { "Boolean", SQL_CAST_BOOL, SQL_2016_03_23 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sql_type *type = sql_type_find(rows[i].name, strlen(rows[i].name));
        assert_non_null(type);
        assert_int_equal(type->target, rows[i].target);
        assert_int_equal(type->since, rows[i].since);
    }
}

static void others_have_a_nearest(void **state)
{
    (void)state;
    assert_null(sql_type_find("", 0));
    assert_null(sql_type_find("strings", 7));
    assert_null(sql_type_find("in", 2));
    assert_string_equal(sql_type_nearest("Boolaen", 7), "boolean");
    assert_string_equal(sql_type_nearest("strnig", 6), "string");
    assert_null(sql_type_nearest("timestamp", 9));
    assert_string_equal(sql_type_name(SQL_CAST_BOOL), "Boolean");
    assert_string_equal(sql_type_name(SQL_CAST_STRING), "String");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_the_language),
        cmocka_unit_test(others_have_a_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
