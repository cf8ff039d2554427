/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "engine/base/conf.h"

#define COUNT 1000

static bool same_action(const struct act_item *a, const struct act_item *b)
{
    return a->action == b->action;
}

/* Group items whose group is given by a letter; the result as text: each group's members, by index in base 36. */
static void check_groups(const char *letters, const char *expected)
{
    static const char places[128];
    struct act_item items[36];
    struct act_item *pointers[36];
    struct item_groups groups = { 0 };
    struct err e = { 0 };
    char got[80] = "";
    size_t n = 0, count = strlen(letters);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct act_item) { .action = &places[(unsigned char)letters[i]] };
        pointers[i] = &items[i];
    }
    assert_int_equal(items_group(&groups, pointers, count, same_action, &e), 0);
    for (size_t g = 0; g < groups.count; g++) {
        if (g > 0)
            got[n++] = ' ';
        for (size_t i = 0; i < groups.list[g].count; i++)
            got[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[groups.list[g].items[i] - items];
    }
    got[n] = '\0';
    assert_string_equal(got, expected);
    item_groups_clear(&groups);
}

static void groups_keep_order(void **state)
{
    (void)state;
    check_groups("", "");
    check_groups("a", "0");
    check_groups("aaa", "012");
    check_groups("abc", "0 1 2");
    check_groups("abab", "02 13");
    check_groups("aabbaabb", "0145 2367");
    check_groups("cbabc", "04 13 2");
    check_groups("abcdabcddcba", "04b 15a 269 378");
}

static void groups_can_be_used_again(void **state)
{
    (void)state;
    static struct act_item items[COUNT];
    static struct act_item *pointers[COUNT];
    struct item_groups groups = { 0 };
    struct err e = { 0 };
    for (size_t round = 1; round <= 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            items[i].action = &items[i % (round * 7)];
            pointers[i] = &items[i];
        }
        assert_int_equal(items_group(&groups, pointers, COUNT / round, same_action, &e), 0);
        assert_int_equal(groups.count, round * 7);
        size_t total = 0;
        for (size_t g = 0; g < groups.count; g++)
            total += groups.list[g].count;
        assert_int_equal(total, COUNT / round);
    }
    item_groups_clear(&groups);
}

static void reasons_are_cut_between_characters(void **state)
{
    (void)state;
    struct act_item item = { .wait_ms = 5 };
    char text[600];
    for (size_t i = 0; i < sizeof(text) - 3; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    item_reject(&item, "%s", text);
    assert_int_equal(item.result, ACT_REJECTED);
    assert_int_equal(item.wait_ms, 0);
    assert_int_equal(strlen(item.reason), ACT_REASON_MAX - 1 - (ACT_REASON_MAX - 1) % 3);
    item_later(&item, "a%sb", text);
    assert_int_equal(item.result, ACT_LATER);
    assert_int_equal(strlen(item.reason) % 3, 1);
    item_done(&item);
    assert_int_equal(item.result, ACT_DONE);
    assert_string_equal(item.reason, "");
}

static void only_what_is_pending_becomes_later(void **state)
{
    (void)state;
    struct act_item a = { .result = ACT_REJECTED, .reason = "old", .wait_ms = 9 }, b = a;
    struct act_item *items[] = { &a, &b };
    items_start(items, 2);
    assert_int_equal(a.result, ACT_PENDING);
    assert_string_equal(a.reason, "");
    assert_int_equal(a.wait_ms, 0);
    item_done(&a);
    items_later(items, 2, "down");
    assert_int_equal(a.result, ACT_DONE);
    assert_int_equal(b.result, ACT_LATER);
    assert_string_equal(b.reason, "down");
}

static void constant_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = { { "", 0 },      { "abc", 3 }, { "a${x}", 1 }, { "${x}", 0 },
                  { "a$b{c", 5 }, { "a$", 2 },  { "$${x}", 1 }, { "a/${x}/${y}", 2 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[20];
        strcpy(text, cases[i].text);
        const struct conf c = { .kind = CONF_SCALAR, .text = text, .len = strlen(text) };
        assert_int_equal(act_constant_prefix(&c), cases[i].len);
    }
}

static void pending_items_are_seen(void **state)
{
    (void)state;
    struct act_item a = { .result = ACT_DONE }, b = { .result = ACT_LATER };
    struct act_item *items[] = { &a, &b };
    assert_false(items_any_pending(items, 0));
    assert_false(items_any_pending(items, 2));
    b.result = ACT_PENDING;
    assert_true(items_any_pending(items, 2));
    assert_false(items_any_pending(items, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_keep_order),
        cmocka_unit_test(groups_can_be_used_again),
        cmocka_unit_test(reasons_are_cut_between_characters),
        cmocka_unit_test(only_what_is_pending_becomes_later),
        cmocka_unit_test(pending_items_are_seen),
        cmocka_unit_test(constant_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
