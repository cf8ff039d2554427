/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sql/version.h"

static void names_read_back(void **state)
{
    (void)state;
    for (enum sql_version v = SQL_2015_10_08; v <= SQL_BETA; v++) {
        const char *name = sql_version_name(v);
        enum sql_version read = v == SQL_BETA ? SQL_2015_10_08 : SQL_BETA;
        assert_true(sql_version_parse(name, strlen(name), &read));
        assert_int_equal(read, v);
    }
    assert_string_equal(sql_version_name(SQL_2015_10_08), "2015-10-08");
    assert_string_equal(sql_version_name(SQL_2016_03_23), "2016-03-23");
    assert_string_equal(sql_version_name(SQL_BETA), "beta");
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",     "2016",      "2016-03-2", "2016-03-233", "Beta",
                                       "BETA", "2015-10-8", " beta",     "2017-01-01" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum sql_version v = SQL_2015_10_08;
        assert_false(sql_version_parse(bad[i], strlen(bad[i]), &v));
        assert_int_equal(v, SQL_2015_10_08);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
