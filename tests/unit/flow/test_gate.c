/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "engine/flow/gate.h"

#define LONG_MS 600000u /* a test that needs it hangs instead of passing by luck */

static void test_bound(void **state)
{
    (void)state;
    struct gate g;
    assert_int_equal(gate_init(&g, 2, 0, NULL), 0);
    assert_int_equal(gate_enter(&g, 1), GATE_IN);
    assert_int_equal(gate_enter(&g, 1), GATE_IN);
    assert_int_equal(gate_enter(&g, 1), GATE_FULL);
    assert_int_equal(gate_count(&g), 2);
    gate_leave(&g, 1);
    gate_wait_room(&g, 1, LONG_MS, false); /* there is room */
    assert_int_equal(gate_enter(&g, 1), GATE_IN);
    gate_close(&g);
    assert_int_equal(gate_enter(&g, 1), GATE_CLOSED);
    gate_wait_room(&g, 1, LONG_MS, true); /* closed: nobody waits */
    assert_int_equal(gate_wait_empty(&g, 0), 2);
    gate_leave(&g, 1);
    gate_leave(&g, 1);
    assert_int_equal(gate_wait_empty(&g, LONG_MS), 0);
    gate_clear(&g);
}

static void *leave(void *ctx)
{
    gate_leave(ctx, 1);
    return NULL;
}

static void *close_it(void *ctx)
{
    gate_close(ctx);
    return NULL;
}

/* Many rounds, so that the waker hits every place of the waiter. */
static void test_waiters_are_woken(void **state)
{
    (void)state;
    pthread_t thread;
    struct gate g;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(gate_init(&g, 1, 0, NULL), 0);
        assert_int_equal(gate_enter(&g, 1), GATE_IN);
        assert_int_equal(pthread_create(&thread, NULL, leave, &g), 0);
        gate_wait_room(&g, 1, LONG_MS, false);
        assert_int_equal(gate_enter(&g, 1), GATE_IN);
        pthread_join(thread, NULL);
        assert_int_equal(pthread_create(&thread, NULL, leave, &g), 0);
        assert_int_equal(gate_wait_empty(&g, LONG_MS), 0);
        pthread_join(thread, NULL);
        assert_int_equal(gate_enter(&g, 1), GATE_IN);
        assert_int_equal(pthread_create(&thread, NULL, close_it, &g), 0);
        gate_wait_room(&g, 1, LONG_MS, false);
        pthread_join(thread, NULL);
        gate_clear(&g);
    }
}

#define THREADS 4
#define ROUNDS  5000

struct crowd {
    struct gate gate;
    atomic_size_t inside, most;
};

static void *go_in_and_out(void *ctx)
{
    struct crowd *c = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        while (gate_enter(&c->gate, 1) == GATE_FULL)
            gate_wait_room(&c->gate, 1, LONG_MS, false);
        size_t inside = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
        while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside))
            continue;
        atomic_fetch_sub(&c->inside, 1);
        gate_leave(&c->gate, 1);
    }
    return NULL;
}

static void test_never_more_than_the_bound(void **state)
{
    (void)state;
    struct crowd c = { 0 };
    pthread_t threads[THREADS];
    assert_int_equal(gate_init(&c.gate, 2, 0, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, go_in_and_out, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&c.most), 1, 2);
    assert_int_equal(gate_count(&c.gate), 0);
    gate_clear(&c.gate);
}

static void test_bytes(void **state)
{
    (void)state;
    struct gate g;
    assert_int_equal(gate_init(&g, 10, 100, NULL), 0);
    assert_int_equal(gate_enter(&g, 1000), GATE_IN); /* alone, so however large */
    assert_int_equal(gate_enter(&g, 1), GATE_FULL);
    gate_leave(&g, 1000);
    assert_int_equal(gate_enter(&g, 60), GATE_IN);
    assert_int_equal(gate_enter(&g, 41), GATE_FULL);
    assert_int_equal(gate_enter(&g, 40), GATE_IN);
    assert_int_equal(gate_count(&g), 2); /* who found it full has left nothing behind */
    assert_int_equal(gate_bytes(&g), 100);
    gate_leave(&g, 60);
    gate_wait_room(&g, 60, LONG_MS, false); /* there is: returns */
    gate_leave(&g, 40);
    assert_int_equal(gate_bytes(&g), 0);
    gate_clear(&g);
}

static void *leave_hundred(void *ctx)
{
    gate_leave(ctx, 100);
    return NULL;
}

static void test_who_waits_for_bytes_is_woken(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct gate g;
        pthread_t thread;
        assert_int_equal(gate_init(&g, 10, 100, NULL), 0);
        assert_int_equal(gate_enter(&g, 100), GATE_IN);
        assert_int_equal(pthread_create(&thread, NULL, leave_hundred, &g), 0);
        gate_wait_room(&g, 50, LONG_MS, false);
        assert_int_equal(gate_enter(&g, 50), GATE_IN);
        pthread_join(thread, NULL);
        gate_clear(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_waiters_are_woken),
        cmocka_unit_test(test_never_more_than_the_bound),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_who_waits_for_bytes_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
