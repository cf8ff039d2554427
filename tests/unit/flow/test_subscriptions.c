/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/flow/filters.h"
#include "engine/flow/subscriptions.h"

#define BASIC "$aws/rules/#"

static struct err e;

static struct subscriptions make(const struct source_filter *filters, size_t count, bool basic_ingest)
{
    struct subscriptions s;
    assert_int_equal(subscriptions_init(&s, filters, count, basic_ingest, &e), 0);
    return s;
}

/* The texts, blank between them. */
static const char *texts(const struct subscriptions *s)
{
    static char out[1000];
    out[0] = '\0';
    for (size_t i = 0; i < s->count; i++) {
        strcat(out, i ? " " : "");
        strcat(out, s->list[i].filter);
    }
    return out;
}

static void copies_are_independent(void **state)
{
    (void)state;
    char text[] = "a/b";
    struct source_filter f = { text, 5 };
    struct subscriptions s = make(&f, 1, false);
    text[0] = 'z';
    assert_string_equal(texts(&s), "a/b");
    assert_int_equal(s.list[0].id, 5);
    subscriptions_clear(&s);
    assert_int_equal(s.count, 0);
    s = make(NULL, 0, false);
    assert_int_equal(s.count, 0);
    subscriptions_clear(&s);
}

static void basic_ingest_is_sorted_in_with_a_number_of_its_own(void **state)
{
    (void)state;
    struct source_filter filters[] = { { "#", 1 }, { "$aws/things/#", FILTER_ID_MAX }, { "a", FILTER_ID_MAX - 1 } };
    struct subscriptions s = make(filters, 3, true);
    assert_string_equal(texts(&s), "# " BASIC " $aws/things/# a");
    assert_int_equal(s.list[1].id, FILTER_ID_MAX - 2);
    subscriptions_clear(&s);
    s = make(NULL, 0, true);
    assert_string_equal(texts(&s), BASIC);
    assert_int_equal(s.list[0].id, FILTER_ID_MAX);
    subscriptions_clear(&s);
    s = make(filters, 1, true);
    assert_string_equal(texts(&s), "# " BASIC);
    subscriptions_clear(&s);
}

static void merged_ones_have_no_numbers(void **state)
{
    (void)state;
    struct source_filter filters[] = { { "a/#", 1 }, { "a/+/c", 2 }, { "b", 3 } };
    struct subscriptions all = make(filters, 3, true), merged;
    assert_int_equal(subscriptions_init_merged(&merged, &all, &e), 0);
    assert_string_equal(texts(&merged), BASIC " a/# b");
    for (size_t i = 0; i < merged.count; i++)
        assert_int_equal(merged.list[i].id, 0);
    subscriptions_clear(&merged);
    subscriptions_clear(&all);
}

static void differences(void **state)
{
    (void)state;
    struct source_filter old[] = { { "a", 1 }, { "b", 2 }, { "c", 3 }, { "e", 5 } };
    struct source_filter fresh[] = { { "b", 2 }, { "c", 33 }, { "d", 4 } };
    struct subscriptions held = make(old, 4, false), wanted = make(fresh, 3, false), none = make(NULL, 0, false);
    struct source_filter missing[4];
    const char *gone[4];
    assert_int_equal(subscriptions_missing(&wanted, &held, missing), 2);
    assert_string_equal(missing[0].filter, "c"); /* its number has changed */
    assert_int_equal(missing[0].id, 33);
    assert_string_equal(missing[1].filter, "d");
    assert_int_equal(subscriptions_gone(&held, &wanted, gone), 2);
    assert_string_equal(gone[0], "a");
    assert_string_equal(gone[1], "e");
    assert_int_equal(subscriptions_missing(&held, &held, missing), 0);
    assert_int_equal(subscriptions_gone(&held, &held, gone), 0);
    assert_int_equal(subscriptions_missing(&wanted, &none, missing), 3);
    assert_int_equal(subscriptions_gone(&none, &wanted, gone), 0);
    subscriptions_clear(&held);
    subscriptions_clear(&wanted);
    subscriptions_clear(&none);
}

static void merging_is_explained(void **state)
{
    (void)state;
    struct source_filter filters[] = { { "a/#", 1 },   { "a/+/c", 2 }, { "b", 3 },     { "m/+/1", 4 },
                                       { "m/+/2", 5 }, { "m/1/+", 6 }, { "m/2/+", 7 }, { "m/3/+", 8 } };
    struct subscriptions s = make(filters, 8, false);
    struct errs errs = { 0 };
    subscriptions_explain(&s, (struct span) { 0 }, &errs);
    assert_int_equal(errs.count, 2);
    assert_int_equal(errs.items[0].severity, SEV_NOTE);
    assert_string_equal(errs.items[0].text, "without MQTT 5, \"a/#\" is subscribed for all of \"a/#\", \"a/+/c\"");
    assert_int_equal(errs.items[1].severity, SEV_WARNING);
    assert_string_equal(
        errs.items[1].text,
        "without MQTT 5, the wider \"m/+/+\" is subscribed for \"m/+/1\", \"m/+/2\", \"m/1/+\" and 2 more");
    assert_int_equal(errs.warnings, 1);
    errs_clear(&errs);
    subscriptions_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(basic_ingest_is_sorted_in_with_a_number_of_its_own),
        cmocka_unit_test(merged_ones_have_no_numbers),
        cmocka_unit_test(differences),
        cmocka_unit_test(merging_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
