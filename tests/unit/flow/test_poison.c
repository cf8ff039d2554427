/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/flow/poison.h"

static void test_once_may_be_chance(void **state)
{
    (void)state;
    struct poison p = { 0 };
    assert_int_equal(poison_blame(&p, "a", 0), 0);
    assert_int_equal(poison_blame(&p, "b", 0), 0);
    assert_int_equal(poison_blame(&p, "a", 0), 0); /* not twice in a row */
    assert_false(poison_is_left_out(&p, "a", 0));
    assert_true(poison_next(&p) == UINT64_MAX);
    assert_int_equal(poison_blame(&p, "a", 0), POISON_WAIT_MIN_MS);
    assert_true(poison_is_left_out(&p, "a", 0));
    assert_false(poison_is_left_out(&p, "b", 0));
    poison_clear(&p);
    assert_false(poison_is_left_out(&p, "a", 0));
}

static void test_tried_again_at_growing_intervals(void **state)
{
    (void)state;
    struct poison p = { 0 };
    uint64_t now = 5;
    uint32_t wait = 0, expected = POISON_WAIT_MIN_MS;
    poison_blame(&p, "a", now);
    for (int i = 0; i < 10; i++) {
        wait = poison_blame(&p, "a", now);
        assert_int_equal(wait, expected);
        assert_true(poison_next(&p) == now + wait);
        assert_true(poison_is_left_out(&p, "a", now + wait - 1));
        now += wait;
        assert_false(poison_is_left_out(&p, "a", now));
        expected = expected * 2 < POISON_WAIT_MAX_MS ? expected * 2 : POISON_WAIT_MAX_MS;
    }
    assert_int_equal(wait, POISON_WAIT_MAX_MS);
    assert_int_equal(p.count, 1);
    poison_clear(&p);
}

static void test_only_those_that_were_due_are_acquitted(void **state)
{
    (void)state;
    struct poison p = { 0 };
    for (int i = 0; i < 2; i++)
        poison_blame(&p, "a", 0);
    for (int i = 0; i < 2; i++)
        poison_blame(&p, "b", 10);
    poison_acquit_due(&p, POISON_WAIT_MIN_MS);
    assert_int_equal(p.count, 1);
    assert_true(poison_next(&p) == 10 + POISON_WAIT_MIN_MS);
    assert_int_equal(poison_blame(&p, "a", POISON_WAIT_MIN_MS), 0); /* from the beginning */
    poison_acquit_due(&p, 10 + POISON_WAIT_MIN_MS);
    assert_true(poison_next(&p) == UINT64_MAX);
    poison_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_may_be_chance),
        cmocka_unit_test(test_tried_again_at_growing_intervals),
        cmocka_unit_test(test_only_those_that_were_due_are_acquitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
