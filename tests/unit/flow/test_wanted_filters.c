/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "engine/flow/wanted_filters.h"
#include "fake_clock.h"
#include "log_capture.h"

#define IDLE_MS 60000u

static const struct source_filter rules[] = { { "a/#", 1 }, { "a/b", 2 }, { "c", 3 } };
static char url[] = "mqtt://broker";
static struct mqtt_conf conf = { .url = url, .version = MQTT_V5, .qos = 1 };
static struct fake_clock now;
static struct log_capture captured;
static struct wanted_filters f;
static struct err e;

static int begin(void **state)
{
    (void)state;
    log_setup(STDERR_FILENO, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    fake_clock_init(&now);
    f = (struct wanted_filters) { 0 };
    wanted_filters_init(&f, &conf, &now.clock);
    return 0;
}

static int end(void **state)
{
    (void)state;
    wanted_filters_clear(&f);
    return 0;
}

static uint64_t ms(void)
{
    return clock_monotonic_ms(&now.clock);
}

static void set(size_t count)
{
    assert_int_equal(wanted_filters_set(&f, rules, count, &e), 0);
}

/* How many filters the session is to have. */
static size_t target(bool takes_ids)
{
    struct subscriptions t;
    assert_int_equal(wanted_filters_target(&f, takes_ids, &t, &e), 0);
    size_t n = t.count;
    subscriptions_clear(&t);
    return n;
}

static void test_the_last_ones_count(void **state)
{
    (void)state;
    assert_false(wanted_filters_are_due(&f, ms()));
    set(1);
    set(3);
    assert_true(wanted_filters_are_due(&f, ms()));
    wanted_filters_take(&f);
    assert_false(wanted_filters_are_due(&f, ms()));
    assert_int_equal(target(true), 3);
    assert_int_equal(target(false), 2); /* a/b is merged into a/# */
    wanted_filters_take(&f);            /* nothing new */
    assert_int_equal(target(true), 3);
}

static void test_applied_are_those_that_were_set_last(void **state)
{
    (void)state;
    set(1);
    assert_false(wanted_filters_are_applied(&f));
    wanted_filters_take(&f);
    set(3); /* while the session is being brought to the first */
    wanted_filters_applied(&f, 1);
    assert_false(wanted_filters_are_applied(&f));
    wanted_filters_take(&f);
    wanted_filters_applied(&f, 3);
    assert_true(wanted_filters_are_applied(&f));
    set(3);
    assert_false(wanted_filters_are_applied(&f));
}

/* The broker ends the connection at "c": asked for by itself, twice, it is left out for a while. */
static void test_whose_fault_it_is(void **state)
{
    (void)state;
    set(3);
    wanted_filters_take(&f);
    assert_int_equal(wanted_filters_step(&f, 3), 3);
    wanted_filters_failed(&f, "a/#", false); /* the connection was lost: nobody's fault */
    assert_int_equal(wanted_filters_step(&f, 3), 3);
    wanted_filters_failed(&f, "a/#", true); /* with all of them */
    assert_int_equal(wanted_filters_step(&f, 3), 1);
    wanted_filters_failed(&f, "c", true);
    assert_false(wanted_filters_is_left_out(&f, "c", ms()));
    log_capture_begin(&captured, LOG_LEVEL_INFO);
    wanted_filters_failed(&f, "c", true);
    assert_non_null(strstr(log_capture_end(&captured), "when we subscribe to \"c\": left out for 1 min"));
    assert_true(wanted_filters_is_left_out(&f, "c", ms()));
    assert_false(wanted_filters_is_left_out(&f, "a/#", ms()));

    wanted_filters_asked(&f, ms());
    assert_false(wanted_filters_are_due(&f, ms()));
    assert_int_equal(wanted_filters_due_ms(&f, ms(), ms() + 2 * IDLE_MS), POISON_WAIT_MIN_MS);
    assert_int_equal(wanted_filters_due_ms(&f, ms(), ms() + 1), ms() + 1);
    fake_clock_advance(&now, POISON_WAIT_MIN_MS);
    assert_true(wanted_filters_are_due(&f, ms()));
    assert_int_equal(wanted_filters_due_ms(&f, ms(), ms() + IDLE_MS), ms() + IDLE_MS);
    assert_false(wanted_filters_is_left_out(&f, "c", ms()));
    wanted_filters_asked(&f, ms()); /* this time it went well */
    assert_int_equal(wanted_filters_step(&f, 3), 3);
    assert_false(wanted_filters_are_due(&f, ms() + IDLE_MS * 60));
}

/* If it does so whatever the filter, none is to blame. */
static void test_all_of_them_are_none(void **state)
{
    (void)state;
    set(2);
    wanted_filters_take(&f);
    wanted_filters_failed(&f, "a/#", true);
    for (int i = 0; i < 2; i++)
        wanted_filters_failed(&f, "a/#", true);
    assert_true(wanted_filters_is_left_out(&f, "a/#", ms()));
    for (int i = 0; i < 2; i++)
        wanted_filters_failed(&f, "a/b", true);
    assert_false(wanted_filters_is_left_out(&f, "a/#", ms()));
    assert_false(wanted_filters_is_left_out(&f, "a/b", ms()));
}

/* New rules are a new beginning. */
static void test_new_filters_are_not_blamed_for_old_ones(void **state)
{
    (void)state;
    set(3);
    wanted_filters_take(&f);
    for (int i = 0; i < 3; i++)
        wanted_filters_failed(&f, "c", true);
    assert_true(wanted_filters_is_left_out(&f, "c", ms()));
    set(3);
    wanted_filters_take(&f);
    assert_false(wanted_filters_is_left_out(&f, "c", ms()));
    assert_int_equal(wanted_filters_step(&f, 3), 3);
}

static void test_what_is_not_granted_is_said(void **state)
{
    (void)state;
    struct mqtt_answer granted = { .outcome = MQTT_ACCEPTED, .code = 1 }, less = { .outcome = MQTT_ACCEPTED },
                       refused = { .outcome = MQTT_REFUSED, .code = 0x87, .text = "Not authorized" };
    log_capture_begin(&captured, LOG_LEVEL_INFO);
    bool is_granted = wanted_filters_grant(&f, "a", &granted), is_less = wanted_filters_grant(&f, "b", &less),
         is_refused = wanted_filters_grant(&f, "c", &refused);
    const char *text = log_capture_end(&captured);
    assert_true(is_granted && is_less && !is_refused);
    assert_null(strstr(text, "\"a\""));
    assert_non_null(strstr(text, "granted QoS 0 only for the subscription to \"b\""));
    assert_non_null(strstr(text, "refused the subscription to \"c\": Not authorized"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_ones_count, begin, end),
        cmocka_unit_test_setup_teardown(test_applied_are_those_that_were_set_last, begin, end),
        cmocka_unit_test_setup_teardown(test_whose_fault_it_is, begin, end),
        cmocka_unit_test_setup_teardown(test_all_of_them_are_none, begin, end),
        cmocka_unit_test_setup_teardown(test_new_filters_are_not_blamed_for_old_ones, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_granted_is_said, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
