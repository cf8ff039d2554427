/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/flow/retry.h"

static const struct retry retry = { .min_ms = 100, .max_ms = 30000 };

static void test_doubles_up_to_the_cap(void **state)
{
    (void)state;
    static const uint64_t full[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
    for (unsigned i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
        assert_int_equal(retry_delay_ms(&retry, i + 1, 0.0, 0), full[i] / 2);
        assert_in_range(retry_delay_ms(&retry, i + 1, 0.999999, 0), full[i] - 1, full[i]);
    }
}

static void test_jitter_is_linear_between_half_and_whole(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(&retry, 3, 0.25, 0), 250);
    assert_int_equal(retry_delay_ms(&retry, 3, 0.5, 0), 300);
}

static void test_never_zero(void **state)
{
    (void)state;
    const struct retry tiny = { .min_ms = 1, .max_ms = 1 };
    assert_int_equal(retry_delay_ms(&tiny, 1, 0.0, 0), 1);
    assert_int_equal(retry_delay_ms(&tiny, 0, 0.0, 0), 1);
}

static void test_huge_attempts_do_not_overflow(void **state)
{
    (void)state;
    const struct retry wide = { .min_ms = 1, .max_ms = UINT32_MAX };
    assert_int_equal(retry_delay_ms(&wide, 32, 0.0, 0), UINT64_C(1) << 30);
    assert_int_equal(retry_delay_ms(&wide, 33, 0.0, 0), (UINT64_C(1) << 31));
    assert_int_equal(retry_delay_ms(&wide, UINT32_MAX, 0.0, 0), (UINT64_C(1) << 31));
}

static void test_a_wish_is_a_lower_bound(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(&retry, 1, 0.0, 7000), 7000);
    assert_int_equal(retry_delay_ms(&retry, 1, 0.0, 3), 50);
    assert_int_equal(retry_delay_ms(&retry, 1, 0.0, UINT32_MAX), RETRY_WISH_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_cap),
        cmocka_unit_test(test_jitter_is_linear_between_half_and_whole),
        cmocka_unit_test(test_never_zero),
        cmocka_unit_test(test_huge_attempts_do_not_overflow),
        cmocka_unit_test(test_a_wish_is_a_lower_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
