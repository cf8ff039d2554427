/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "engine/base/clock.h"

static void system_time_is_in_milliseconds(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000 - 2000, now = clock_now_ms(&clock_system);
    assert_true(now >= before && now <= before + 60000);
}

static void monotonic_time_does_not_go_back(void **state)
{
    (void)state;
    uint64_t last = clock_monotonic_ms(&clock_system);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_monotonic_ms(&clock_system);
        assert_true(now >= last);
        last = now;
    }
}

static int64_t fixed_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static void tests_can_set_the_time(void **state)
{
    (void)state;
    int64_t t = 123;
    struct clock c = { .now_ms = fixed_now, .monotonic_ms = NULL, .ctx = &t };
    assert_int_equal(clock_now_ms(&c), 123);
    t = 456;
    assert_int_equal(clock_now_ms(&c), 456);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_time_is_in_milliseconds),
        cmocka_unit_test(monotonic_time_does_not_go_back),
        cmocka_unit_test(tests_can_set_the_time),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
