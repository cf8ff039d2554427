/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/flow/pressure.h"

static int relieved;

static void on_relieved(void *ctx)
{
    (void)ctx;
    relieved++;
}

static void test_bytes_begin_and_end_it(void **state)
{
    (void)state;
    struct pressure p;
    pressure_init(&p, 100, on_relieved, NULL);
    relieved = 0;
    pressure_hold(&p, 99);
    assert_false(pressure_is_on(&p));
    pressure_hold(&p, 1);
    assert_true(pressure_is_on(&p));
    pressure_hold(&p, 500); /* beyond the bound: still one bound */
    pressure_drop(&p, 500);
    assert_true(pressure_is_on(&p));
    assert_int_equal(relieved, 0);
    pressure_drop(&p, 1);
    assert_false(pressure_is_on(&p));
    assert_int_equal(relieved, 1);
    assert_int_equal(pressure_bytes(&p), 99);
}

static void test_all_bounds_must_be_left(void **state)
{
    (void)state;
    struct pressure p;
    pressure_init(&p, 100, on_relieved, NULL);
    relieved = 0;
    pressure_begin(&p); /* an outbox */
    pressure_hold(&p, 200);
    pressure_drop(&p, 200);
    assert_true(pressure_is_on(&p));
    assert_int_equal(relieved, 0);
    pressure_end(&p);
    assert_false(pressure_is_on(&p));
    assert_int_equal(relieved, 1);
}

static void test_without_a_bound(void **state)
{
    (void)state;
    struct pressure p;
    pressure_init(&p, 0, on_relieved, NULL);
    pressure_hold(&p, SIZE_MAX / 2);
    assert_false(pressure_is_on(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_begin_and_end_it),
        cmocka_unit_test(test_all_bounds_must_be_left),
        cmocka_unit_test(test_without_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
