/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/flow/filters.h"
#include "engine/flow/session_plan.h"

static struct session_plan plan;
static struct err e;

static int setup(void **state)
{
    (void)state;
    plan = (struct session_plan) { 0 };
    e = (struct err) { 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    session_plan_clear(&plan);
    return 0;
}

static void aim(const struct source_filter *filters, size_t count, uint8_t qos)
{
    struct subscriptions target;
    assert_int_equal(subscriptions_init(&target, filters, count, false, &e), 0);
    assert_int_equal(session_plan_aim(&plan, &target, "", qos, &e), 0);
    subscriptions_clear(&target);
}

static struct planned *entry(const char *filter)
{
    for (size_t i = 0; i < plan.count; i++) {
        if (strcmp(plan.list[i].filter, filter) == 0)
            return &plan.list[i];
    }
    fail_msg("no entry for %s", filter);
    return NULL;
}

/* The broker does all that is asked. */
static void carry_out(void)
{
    for (size_t i = 0; i < plan.count; i++) {
        struct planned *p = &plan.list[i];
        if (p->asked_now && p->wanted)
            session_plan_granted(p);
        else if (p->asked_now)
            session_plan_dropped(p);
    }
}

static size_t asked(bool wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < plan.count; i++)
        n += plan.list[i].asked_now && plan.list[i].wanted == wanted;
    return n;
}

static const struct source_filter ab[] = { { "a", 1 }, { "b", 2 } }, bc[] = { { "b", 2 }, { "c", 3 } };

static void only_differences_are_asked_for(void **state)
{
    (void)state;
    aim(ab, 2, 1);
    assert_int_equal(asked(true), 2);
    carry_out();
    assert_int_equal(session_plan_wanted(&plan), 2);
    aim(ab, 2, 1);
    assert_int_equal(asked(true) + asked(false), 0);
    aim(bc, 2, 1);
    assert_true(entry("c")->asked_now && entry("c")->wanted);
    assert_true(entry("a")->asked_now && !entry("a")->wanted);
    assert_false(entry("b")->asked_now);
    carry_out();
    aim(bc, 2, 2); /* another QoS is another subscription */
    assert_int_equal(asked(true), 2);
}

static void what_was_refused_is_asked_for_again(void **state)
{
    (void)state;
    aim(ab, 2, 1);
    session_plan_granted(entry("a"));
    session_plan_refused(entry("b"));
    assert_int_equal(session_plan_wanted(&plan), 1);
    aim(ab, 2, 1);
    assert_int_equal(asked(true), 1);
    assert_true(entry("b")->asked_now);
}

/* A crash between keeping and asking, or between asking and the answer. */
static void what_may_be_held_is_settled(void **state)
{
    (void)state;
    const struct session_filter kept[] = {
        { "a", 1, 1, SESSION_FILTER_ASKED },
        { "b", 2, 1, SESSION_FILTER_GRANTED },
        { "old", 7, 1, SESSION_FILTER_ASKED },
        { "older", 8, 1, SESSION_FILTER_DROPPED },
    };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(session_plan_add(&plan, &kept[i], &e), 0);
    session_plan_begin(&plan, true);
    aim(ab, 2, 1);
    assert_true(entry("a")->asked_now);
    assert_false(entry("b")->asked_now);
    assert_true(entry("old")->asked_now && !entry("old")->wanted);
    assert_false(entry("older")->asked_now);
    session_plan_begin(&plan, false); /* a new session: nothing of it is true any more */
    assert_int_equal(plan.count, 0);
}

/* While the session lives an identifier stands for one filter, also after that was dropped. */
static void identifiers_are_not_used_again(void **state)
{
    static const struct source_filter first[] = { { "a", 5 } }, second[] = { { "b", 5 }, { "c", 6 } };
    uint32_t ids[] = { 5, 6, 7, 99 };
    (void)state;
    aim(first, 1, 1);
    carry_out();
    assert_false(plan.translates);
    aim(second, 2, 1);
    assert_int_equal(entry("a")->id, 5);
    assert_int_equal(entry("b")->id, 6);
    assert_int_equal(entry("c")->id, 7);
    assert_true(plan.translates);
    session_plan_translate(&plan, ids, 4);
    assert_int_equal(ids[0], 5); /* of "a", which no rule wants */
    assert_int_equal(ids[1], 5);
    assert_int_equal(ids[2], 6);
    assert_int_equal(ids[3], 99);
    carry_out();
    aim(first, 1, 1); /* "a" comes back under its own */
    assert_int_equal(entry("a")->id, 5);
    assert_true(entry("a")->asked_now);
}

static void numbers_go_round(void **state)
{
    static const struct source_filter first[] = { { "a", FILTER_ID_MAX } }, second[] = { { "b", FILTER_ID_MAX } };
    (void)state;
    aim(first, 1, 1);
    carry_out();
    aim(second, 1, 1);
    assert_int_equal(entry("b")->id, 1);
}

/* The broker learns or forgets Subscription Identifiers; merged filters have none. */
static void with_and_without_identifiers(void **state)
{
    static const struct source_filter none[] = { { "a", 0 } }, some[] = { { "a", 4 } };
    (void)state;
    aim(some, 1, 1);
    carry_out();
    aim(none, 1, 1);
    assert_true(entry("a")->asked_now);
    assert_int_equal(entry("a")->id, 0);
    carry_out();
    aim(some, 1, 1);
    assert_true(entry("a")->asked_now);
    assert_int_equal(entry("a")->id, 4);
}

static void a_prefix_makes_another_filter(void **state)
{
    struct subscriptions target;
    (void)state;
    aim(ab, 1, 1);
    carry_out();
    assert_int_equal(subscriptions_init(&target, ab, 1, false, &e), 0);
    assert_int_equal(session_plan_aim(&plan, &target, "$share/g/", 1, &e), 0);
    subscriptions_clear(&target);
    assert_true(entry("$share/g/a")->asked_now && entry("$share/g/a")->wanted);
    assert_int_not_equal(entry("$share/g/a")->id, entry("a")->id);
    assert_true(entry("a")->asked_now && !entry("a")->wanted);
}

static void what_is_kept_comes_back(void **state)
{
    struct session_filter kept[2];
    struct session_plan again = { 0 };
    (void)state;
    aim(ab, 2, 1);
    session_plan_granted(entry("a"));
    session_plan_kept(&plan, kept);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(session_plan_add(&again, &kept[i], &e), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(again.list[i].filter, plan.list[i].filter);
        assert_int_equal(again.list[i].id, plan.list[i].id);
        assert_int_equal(again.list[i].qos, plan.list[i].qos);
        assert_int_equal(again.list[i].state, plan.list[i].state);
    }
    session_plan_clear(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_differences_are_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_refused_is_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_may_be_held_is_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(identifiers_are_not_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_go_round, setup, teardown),
        cmocka_unit_test_setup_teardown(with_and_without_identifiers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_makes_another_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_comes_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
