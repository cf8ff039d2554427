/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "engine/base/random.h"
#include "engine/flow/park.h"

static struct park_item *item_of(struct queue_link *link)
{
    return QUEUE_ITEM(link, struct park_item, link);
}

static void test_a_key_holds_back_its_own(void **state)
{
    (void)state;
    struct park p;
    struct park_item a1 = { .key = 1 }, a2 = { .key = 1 }, b1 = { .key = 2 }, a3 = { .key = 1 };
    struct queue_chain out = { 0 };
    assert_int_equal(park_init(&p, NULL), 0);
    assert_int_equal(park_next_due(&p), UINT64_MAX);
    assert_false(park_hold(&p, &a1));
    park_add(&p, &a1, 50);
    assert_false(park_hold(&p, &b1));
    assert_true(park_hold(&p, &a2));
    park_add(&p, &a3, 10); /* joins the group and its time */
    assert_int_equal(park_next_due(&p), 50);
    park_release(&p, 49, &out);
    assert_int_equal(out.count, 0);
    park_release(&p, 50, &out);
    assert_ptr_equal(item_of(queue_chain_take(&out)), &a1);
    assert_ptr_equal(item_of(queue_chain_take(&out)), &a2);
    assert_ptr_equal(item_of(queue_chain_take(&out)), &a3);
    assert_null(queue_chain_take(&out));
    assert_false(park_hold(&p, &a2)); /* the key is free again */
    park_clear(&p);
}

static void test_without_a_key_nothing_is_held(void **state)
{
    (void)state;
    struct park p;
    struct park_item x = { .key = 0 }, y = { .key = 0 };
    struct queue_chain out = { 0 };
    assert_int_equal(park_init(&p, NULL), 0);
    park_add(&p, &x, 20);
    assert_false(park_hold(&p, &y));
    park_add(&p, &y, 10);
    assert_int_equal(p.group_count, 2);
    park_release(&p, 10, &out);
    assert_ptr_equal(item_of(queue_chain_take(&out)), &y);
    assert_null(queue_chain_take(&out));
    park_release(&p, UINT64_MAX, &out);
    assert_int_equal(out.count, 1);
    park_clear(&p);
}

#define MANY 5000

/* Groups come out in the order of their times, each with its items in order, whatever the keys. */
static void test_many_groups_against_a_sorted_model(void **state)
{
    (void)state;
    struct park p;
    struct random r;
    struct park_item *items = calloc(MANY * 2, sizeof(*items));
    size_t released = 0, added = 0;
    uint64_t now = 0;
    random_seed(&r, 7);
    assert_int_equal(park_init(&p, NULL), 0);
    while (released < added || added < MANY * 2) {
        for (int i = 0; i < 40 && added < MANY * 2; i++) {
            struct park_item *item = &items[added++];
            item->key = random_u64(&r) % MANY;
            park_add(&p, item, now + random_u64(&r) % 1000);
        }
        assert_int_equal(p.item_count, added - released);
        struct queue_chain out = { 0 };
        uint64_t next = park_next_due(&p), before = 0;
        now = next + 3;
        park_release(&p, now, &out);
        assert_true(out.count > 0);
        assert_true(park_next_due(&p) > now);
        struct park_item *group = NULL, *last = NULL;
        for (struct queue_link *link; (link = queue_chain_take(&out)); released++) {
            struct park_item *item = item_of(link);
            if (!group || item->key != group->key || item->key == 0) {
                group = item;
                assert_true(group->due_ms >= before && group->due_ms <= now);
                before = group->due_ms;
            } else {
                assert_true(item > last); /* in the order in which they were added */
            }
            last = item;
        }
    }
    assert_int_equal(p.group_count, 0);
    park_clear(&p);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_holds_back_its_own),
        cmocka_unit_test(test_without_a_key_nothing_is_held),
        cmocka_unit_test(test_many_groups_against_a_sorted_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
