/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/log_limit.h"

static void test_log_limit(void **state)
{
    (void)state;
    struct log_limit l = { 0 };
    unsigned written = 0;
    for (int i = 0; i < 100; i++)
        written += log_limit_take(&l, 5000);
    assert_int_equal(written, LOG_LIMIT_LINES);
    assert_int_equal(log_limit_report(&l, 5999), 0);
    assert_int_equal(log_limit_report(&l, 6000), 100 - LOG_LIMIT_LINES);
    assert_int_equal(log_limit_report(&l, 6000), 0);
    assert_true(log_limit_take(&l, 6000));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_log_limit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
