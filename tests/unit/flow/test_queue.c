/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/flow/queue.h"

struct item {
    struct queue_link link;
    int producer, number;
};

static struct item *item_of(struct queue_link *link)
{
    return QUEUE_ITEM(link, struct item, link);
}

static void fill(struct queue_chain *c, struct item *items, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        items[i].number = (int)i;
        queue_chain_add(c, &items[i].link);
    }
}

static void assert_numbers(struct queue_chain *c, const int *numbers, size_t count)
{
    assert_int_equal(c->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(item_of(queue_chain_take(c))->number, numbers[i]);
    assert_null(queue_chain_take(c));
    assert_null(c->last);
}

static void test_chains_join_and_prepend(void **state)
{
    (void)state;
    struct item items[6];
    struct queue_chain a = { 0 }, b = { 0 }, empty = { 0 };
    fill(&a, items, 0, 2);
    fill(&b, items, 2, 4);
    queue_chain_join(&a, &b);
    assert_int_equal(b.count, 0);
    queue_chain_join(&a, &empty);
    fill(&b, items, 4, 6);
    queue_chain_prepend(&a, &b);
    queue_chain_prepend(&a, &empty);
    assert_numbers(&a, (int[]) { 4, 5, 0, 1, 2, 3 }, 6);
    queue_chain_prepend(&empty, &a); /* both empty */
    assert_numbers(&empty, NULL, 0);
}

static void test_bound_and_close(void **state)
{
    (void)state;
    struct queue q;
    struct item items[4];
    struct queue_chain urgent = { 0 }, normal = { 0 };
    assert_int_equal(queue_init(&q, 2, NULL), 0);
    assert_true(queue_push(&q, &items[0].link));
    assert_true(queue_push(&q, &items[1].link));
    assert_false(queue_push(&q, &items[2].link));
    assert_true(queue_take(&q, &urgent, &normal, 1, QUEUE_FOREVER));
    assert_int_equal(normal.count, 1);
    assert_true(queue_push(&q, &items[2].link)); /* there is room again */
    queue_close(&q);
    assert_false(queue_push(&q, &items[3].link));
    fill(&urgent, items, 3, 4);
    queue_push_urgent(&q, &urgent); /* what comes home is taken also then */
    assert_int_equal(urgent.count, 0);
    assert_false(queue_take(&q, &urgent, &normal, 10, QUEUE_FOREVER));
    assert_int_equal(urgent.count, 1);
    assert_int_equal(normal.count, 1); /* the rest stays for queue_drain */
    queue_drain(&q, &normal);
    assert_int_equal(normal.count, 3);
    queue_clear(&q);
}

static void test_take_leaves_the_normal_band_alone(void **state)
{
    (void)state;
    struct queue q;
    struct item items[2];
    struct queue_chain urgent = { 0 }, normal = { 0 };
    assert_int_equal(queue_init(&q, 2, NULL), 0);
    assert_true(queue_push(&q, &items[0].link));
    assert_true(queue_take(&q, &urgent, &normal, 0, 0));
    assert_int_equal(normal.count, 0);
    fill(&urgent, items, 1, 2);
    queue_push_urgent(&q, &urgent);
    assert_true(queue_take(&q, &urgent, &normal, 0, QUEUE_FOREVER));
    assert_int_equal(urgent.count, 1);
    assert_int_equal(normal.count, 0);
    queue_drain(&q, &normal);
    queue_clear(&q);
}

static void test_a_wake_before_the_wait_counts(void **state)
{
    (void)state;
    struct queue q;
    struct queue_chain urgent = { 0 }, normal = { 0 };
    assert_int_equal(queue_init(&q, 2, NULL), 0);
    queue_wake(&q);
    assert_true(queue_take(&q, &urgent, &normal, 1, QUEUE_FOREVER));
    assert_true(queue_take(&q, &urgent, &normal, 1, 1)); /* once only: this one waits its millisecond */
    queue_clear(&q);
}

static void *nudge(void *ctx)
{
    queue_nudge(ctx);
    return NULL;
}

/* Who sleeps while something comes quietly is woken by the nudge; and what is there is taken without one. */
static void test_quiet_items(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct queue q;
        struct queue_chain urgent = { 0 }, normal = { 0 };
        struct item items[2];
        pthread_t thread;
        assert_int_equal(queue_init(&q, 2, NULL), 0);
        assert_true(queue_push_quietly(&q, &items[0].link));
        assert_true(queue_take(&q, &urgent, &normal, 1, QUEUE_FOREVER));
        assert_true(queue_push_quietly(&q, &items[1].link));
        assert_int_equal(pthread_create(&thread, NULL, nudge, &q), 0);
        assert_true(queue_take(&q, &urgent, &normal, 1, QUEUE_FOREVER));
        pthread_join(thread, NULL);
        assert_int_equal(normal.count, 2);
        queue_nudge(&q); /* asks for nothing */
        assert_true(queue_take(&q, &urgent, &normal, 1, 1));
        queue_clear(&q);
    }
}

#define PRODUCERS 4
#define EACH      20000

struct producer {
    pthread_t thread;
    struct queue *q;
    struct item *items;
    int number;
};

static void *produce(void *ctx)
{
    struct producer *p = ctx;
    for (int i = 0; i < EACH; i++) {
        struct item *item = &p->items[i];
        *item = (struct item) { .producer = p->number, .number = i };
        if (i % 3 == 0) {
            struct queue_chain c = { 0 };
            queue_chain_add(&c, &item->link);
            queue_push_urgent(p->q, &c);
        } else if (i % 3 == 1) {
            if (!queue_push_quietly(p->q, &item->link))
                abort();
            if (i % 30 == 1 || i + 3 >= EACH)
                queue_nudge(p->q);
        } else if (!queue_push(p->q, &item->link)) {
            abort();
        }
    }
    return NULL;
}

/* Per producer and band the order is kept, and nothing is lost, while the taker takes in small portions. */
static void test_many_producers(void **state)
{
    (void)state;
    struct queue q;
    struct producer producers[PRODUCERS];
    assert_int_equal(queue_init(&q, (size_t)PRODUCERS * EACH, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer) { .q = &q, .items = calloc(EACH, sizeof(struct item)), .number = i };
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    int last[PRODUCERS][2];
    for (int i = 0; i < PRODUCERS; i++)
        last[i][0] = last[i][1] = -1;
    for (size_t taken = 0; taken < (size_t)PRODUCERS * EACH;) {
        struct queue_chain chains[2] = { 0 };
        assert_true(queue_take(&q, &chains[0], &chains[1], 7, QUEUE_FOREVER));
        assert_true(chains[1].count <= 7);
        for (int band = 0; band < 2; band++) {
            for (struct queue_link *link; (link = queue_chain_take(&chains[band])); taken++) {
                const struct item *item = item_of(link);
                assert_int_equal(item->number % 3 == 0, band == 0);
                assert_true(item->number > last[item->producer][band]);
                last[item->producer][band] = item->number;
            }
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        free(producers[i].items);
    }
    queue_clear(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_join_and_prepend),
        cmocka_unit_test(test_bound_and_close),
        cmocka_unit_test(test_take_leaves_the_normal_band_alone),
        cmocka_unit_test(test_a_wake_before_the_wait_counts),
        cmocka_unit_test(test_quiet_items),
        cmocka_unit_test(test_many_producers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
