/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/flow/run.h"

static struct msg message = { .key = 5, .message.hops = 2 };
static struct pressure pressure = { .max_bytes = SIZE_MAX };
static const struct rule_action action = { .action = &message };

static void test_a_warm_pool_takes_nothing_from_the_heap(void **state)
{
    (void)state;
    struct run_pool pool;
    run_pool_init(&pool, NULL, &pressure, 1 << 20);
    struct run *run = run_open(&pool, &message, NULL);
    buf_puts(&run->body, "body");
    struct delivery *d = run_add(&pool, run, DELIVERY_ACTION, &action, 3);
    buf_puts(&d->text, "text");
    const char *body = run->body.p, *text = d->text.p;
    const struct act_text *texts = d->texts;
    run_close(&pool, run);
    for (int i = 0; i < 3; i++) {
        struct run *again = run_open(&pool, &message, NULL);
        assert_ptr_equal(again, run);
        assert_int_equal(again->body.len, 0);
        buf_puts(&again->body, "new");
        struct delivery *same = run_add(&pool, again, DELIVERY_ACTION, &action, 2);
        assert_ptr_equal(same, d);
        assert_ptr_equal(again->body.p, body);
        assert_ptr_equal(same->text.p, text);
        assert_ptr_equal(same->texts, texts);
        assert_int_equal(same->text.len, 0);
        run_close(&pool, again);
    }
    message.open = 0;
    run_pool_clear(&pool);
}

static void test_what_a_delivery_starts_with(void **state)
{
    (void)state;
    struct run_pool pool;
    struct queue home;
    run_pool_init(&pool, &home, &pressure, 1 << 20);
    struct run *run = run_open(&pool, &message, NULL);
    buf_puts(&run->body, "body");
    run->body_is_json = true;
    struct delivery *d = run_add(&pool, run, DELIVERY_ACTION, &action, 2);
    struct delivery *error = run_add(&pool, run, DELIVERY_ERROR_ACTION, &action, 0);
    assert_ptr_equal(run->first, d);
    assert_ptr_equal(d->next, error);
    assert_ptr_equal(run->last, error);
    assert_ptr_equal(d->home, &home);
    assert_int_equal(d->place.key, 5);
    assert_int_equal(error->place.key, 0); /* out of the order */
    assert_ptr_equal(d->item.action, &message);
    assert_string_equal(d->item.body, "body");
    assert_int_equal(d->item.body_len, 4);
    assert_true(d->item.body_is_json);
    assert_int_equal(d->item.hops, 2);
    assert_int_equal(d->item.key, 5);
    assert_int_equal(d->texts[1].len, 0);
    assert_string_equal(d->texts[1].p, "");
    run_close(&pool, run);
    message.open = 0;
    run_pool_clear(&pool);
}

static void test_huge_buffers_are_not_kept(void **state)
{
    (void)state;
    struct run_pool pool;
    run_pool_init(&pool, NULL, &pressure, 1 << 20);
    struct run *run = run_open(&pool, &message, NULL);
    assert_true(buf_reserve(&run->body, 1 << 20));
    struct delivery *d = run_add(&pool, run, DELIVERY_ACTION, &action, 0);
    assert_true(buf_reserve(&d->text, 1 << 20));
    run_close(&pool, run);
    assert_int_equal(run->body.cap, 0);
    assert_int_equal(d->text.cap, 0);
    message.open = 0;
    run_pool_clear(&pool);
}

static void test_kept_buffers_have_a_bound_together(void **state)
{
    (void)state;
    struct run_pool pool;
    run_pool_init(&pool, NULL, &pressure, 5000);
    struct run *runs[3];
    for (int i = 0; i < 3; i++) {
        runs[i] = run_open(&pool, &message, NULL);
        assert_true(buf_reserve(&runs[i]->body, 2000));
    }
    for (int i = 0; i < 3; i++)
        run_close(&pool, runs[i]);
    assert_int_equal(runs[2]->body.cap, 0);
    assert_in_range(pool.kept_bytes, 4000, 5000);
    for (int i = 0; i < 3; i++)
        runs[i] = run_open(&pool, &message, NULL);
    assert_int_equal(pool.kept_bytes, 0);
    for (int i = 0; i < 3; i++)
        run_close(&pool, runs[i]);
    message.open = 0;
    run_pool_clear(&pool);
}

static void test_what_a_run_holds_is_weighed(void **state)
{
    (void)state;
    struct run_pool pool;
    run_pool_init(&pool, NULL, &pressure, 1 << 20);
    struct run *run = run_open(&pool, &message, NULL);
    assert_int_equal(pressure_bytes(&pressure), 0);
    assert_true(buf_reserve(&run->body, 10000));
    run_weigh(&pool, run);
    size_t first = pressure_bytes(&pressure);
    assert_in_range(first, 10000, 20000);
    struct delivery *d = run_add(&pool, run, DELIVERY_ACTION, &action, 4);
    assert_true(buf_reserve(&d->text, 3000));
    run_weigh(&pool, run);
    assert_in_range(pressure_bytes(&pressure), first + 3000, first + 10000);
    run_drop_last(&pool, run);
    run_weigh(&pool, run);
    assert_int_equal(pressure_bytes(&pressure), first);
    run_close(&pool, run);
    assert_int_equal(pressure_bytes(&pressure), 0);
    message.open = 0;
    run_pool_clear(&pool);
}

/* Runs leave their message in any order. */
static void test_runs_of_a_message(void **state)
{
    (void)state;
    struct run_pool pool;
    run_pool_init(&pool, NULL, &pressure, 1 << 20);
    struct run *a = run_open(&pool, &message, NULL), *b = run_open(&pool, &message, NULL),
               *c = run_open(&pool, &message, NULL);
    assert_int_equal(message.open, 3);
    run_close(&pool, b);
    assert_ptr_equal(message.runs, c);
    assert_ptr_equal(c->next, a);
    assert_ptr_equal(a->previous, c);
    run_close(&pool, c);
    assert_ptr_equal(message.runs, a);
    run_close(&pool, a);
    assert_null(message.runs);
    assert_int_equal(pool.run_count, 3);
    message.open = 0;
    run_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_warm_pool_takes_nothing_from_the_heap),
        cmocka_unit_test(test_what_a_delivery_starts_with),
        cmocka_unit_test(test_huge_buffers_are_not_kept),
        cmocka_unit_test(test_runs_of_a_message),
        cmocka_unit_test(test_kept_buffers_have_a_bound_together),
        cmocka_unit_test(test_what_a_run_holds_is_weighed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
