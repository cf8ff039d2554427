/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/flow/notice.h"

static void test_first_event_is_said(void **state)
{
    (void)state;
    struct notice n;
    uint64_t silent = 9;
    notice_init(&n, 10, 100);
    assert_true(notice_due(&n, 0, &silent));
    assert_int_equal(silent, 0);
}

static void test_intervals_grow_up_to_the_longest(void **state)
{
    (void)state;
    struct notice n;
    uint64_t silent, said[8], count = 0;
    notice_init(&n, 10, 35);
    for (uint64_t now = 0; now < 150 && count < 8; now++)
        if (notice_due(&n, now, &silent))
            said[count++] = now;
    static const uint64_t expected[] = { 0, 10, 30, 65, 100, 135 };
    assert_int_equal(count, 6);
    assert_memory_equal(said, expected, sizeof(expected));
}

static void test_counts_what_went_by(void **state)
{
    (void)state;
    struct notice n;
    uint64_t silent;
    notice_init(&n, 10, 100);
    assert_true(notice_due(&n, 5, &silent));
    for (int i = 0; i < 7; i++)
        assert_false(notice_due(&n, 6, &silent));
    assert_true(notice_due(&n, 15, &silent));
    assert_int_equal(silent, 7);
}

static void test_a_quiet_time_starts_anew(void **state)
{
    (void)state;
    struct notice n;
    uint64_t silent;
    notice_init(&n, 10, 1000);
    assert_true(notice_due(&n, 0, &silent));
    assert_true(notice_due(&n, 10, &silent)); /* interval 20: until 30, quiet from 50 on */
    assert_true(notice_due(&n, 50, &silent));
    assert_true(notice_due(&n, 60, &silent)); /* 10 again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_event_is_said),
        cmocka_unit_test(test_intervals_grow_up_to_the_longest),
        cmocka_unit_test(test_counts_what_went_by),
        cmocka_unit_test(test_a_quiet_time_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
