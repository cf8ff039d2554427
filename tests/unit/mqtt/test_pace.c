/* SPDX-License-Identifier: Apache-2.0 */
/* Naps of a reader: a broker of a given rate and window is played against it, on a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mqtt/pace.h"

struct play {
    struct pace pace;
    double now_ms, due; /* due: messages that the publishers have given since the last look */
    unsigned longest_ms, wakes;
    unsigned long taken;
};

/* The reader looks until the time is over. A message comes every 1 / per_ms milliseconds; the broker gives no more than its window before we
 * look and acknowledge, and keeps the rest. */
static void play(struct play *y, double per_ms, unsigned window, double for_ms)
{
    double end = y->now_ms + for_ms;
    unsigned taken = 0;
    while (y->now_ms < end) {
        unsigned nap = pace_nap_ms(&y->pace, (uint64_t)y->now_ms, taken);
        double wait = nap ? nap : y->due >= 1 ? 0.02 : (1 - y->due) / per_ms;
        y->now_ms += wait > 0.02 ? wait : 0.02;
        y->due += per_ms * (wait > 0.02 ? wait : 0.02);
        taken = y->due > window ? window : (unsigned)y->due;
        y->due -= taken;
        y->taken += taken;
        y->wakes++;
        if (nap > y->longest_ms)
            y->longest_ms = nap;
    }
}

static void few_messages_are_never_waited_for(void **state)
{
    (void)state;
    struct play y = { 0 };
    play(&y, 0.5, 1000, 5000);
    assert_int_equal(y.longest_ms, 0);
}

static void many_messages_share_a_wake(void **state)
{
    (void)state;
    struct play y = { 0 };
    play(&y, 12, 1000, 5000);
    assert_int_equal(y.longest_ms, PACE_NAP_MS << PACE_DOUBLINGS);
    assert_true(y.taken / y.wakes >= 40);
    assert_true(y.due < 100);
}

/* 20 messages at 12 a millisecond want a look every 1.6 ms at least. */
static void a_small_window_is_not_slept_away(void **state)
{
    (void)state;
    struct play y = { 0 };
    play(&y, 12, 20, 1000);
    double backlog = y.due;
    play(&y, 12, 20, 20000);
    assert_true(y.taken + 400 > 21000 * 12);
    assert_true(y.due < backlog + 200);
}

static void it_wakes_when_the_load_ends(void **state)
{
    (void)state;
    struct play y = { 0 };
    play(&y, 12, 1000, 1000);
    play(&y, 0.2, 1000, 1000);
    y.longest_ms = 0;
    play(&y, 0.2, 1000, 5000);
    assert_int_equal(y.longest_ms, 0);
}

static void a_full_buffer_needs_no_nap(void **state)
{
    (void)state;
    struct pace p = { 0 };
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(pace_nap_ms(&p, i / 50, 400), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_messages_are_never_waited_for), cmocka_unit_test(many_messages_share_a_wake),
        cmocka_unit_test(a_small_window_is_not_slept_away),  cmocka_unit_test(it_wakes_when_the_load_ends),
        cmocka_unit_test(a_full_buffer_needs_no_nap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
