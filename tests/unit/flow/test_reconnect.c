/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "engine/flow/reconnect.h"
#include "fake_clock.h"
#include "log_capture.h"

static char url[] = "mqtt://broker", client_id[] = "gw";
static struct mqtt_conf conf = {
    .url = url, .client_id = client_id, .reconnect_min_ms = 100, .reconnect_max_ms = 1000
};
static struct fake_clock now;
static struct log_capture captured;
static struct reconnect r;

static int begin(void **state)
{
    (void)state;
    log_setup(STDERR_FILENO, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    fake_clock_init(&now);
    reconnect_init(&r, &conf, &now.clock, 1);
    return 0;
}

/* Half of the wait at least, the whole at most, and never beyond reconnectMax. */
static void test_waits_grow_while_it_fails(void **state)
{
    (void)state;
    struct err why = { .code = ERR_IO, .text = "no" };
    static const uint64_t whole[] = { 100, 200, 400, 800, 1000, 1000 };
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        assert_in_range(reconnect_failed(&r, &why, true), whole[i] / 2, whole[i]);
}

static void test_a_good_connection_is_made_again_at_once(void **state)
{
    (void)state;
    struct err why = { .code = ERR_IO, .text = "no" };
    for (int i = 0; i < 4; i++)
        reconnect_failed(&r, &why, true);
    reconnect_made(&r, true);
    fake_clock_advance(&now, RECONNECT_STEADY_MS);
    assert_int_equal(reconnect_lost(&r, "gone"), 0);
    assert_in_range(reconnect_failed(&r, &why, true), 50, 100); /* and all is forgotten */
}

static void test_waits_grow_after_short_ones(void **state)
{
    (void)state;
    static const uint64_t whole[] = { 100, 200, 400 };
    log_capture_begin(&captured, LOG_LEVEL_INFO);
    for (size_t i = 0; i < 3; i++) {
        reconnect_made(&r, false);
        fake_clock_advance(&now, RECONNECT_STEADY_MS - 1);
        assert_in_range(reconnect_lost(&r, "it said 0x8e"), whole[i] / 2, whole[i]);
    }
    const char *text = log_capture_end(&captured);
    assert_non_null(strstr(text, "connected to the broker, which began a new session"));
    assert_non_null(strstr(text, "the connection to the broker was lost: it said 0x8e"));
    const char *hint = strstr(text, "Does another client use the same client id?");
    assert_non_null(hint); /* of the third one only */
    assert_null(strstr(hint + 1, "Does another client"));
    assert_null(strstr(hint, "connected to the broker"));
}

static void test_it_is_said_at_growing_intervals(void **state)
{
    (void)state;
    struct err why = { .code = ERR_REFUSED, .text = "not authorized", .hint = "look at the password" };
    size_t said = 0;
    for (int second = 0; second < 60; second++) {
        log_capture_begin(&captured, LOG_LEVEL_INFO);
        reconnect_failed(&r, &why, false);
        const char *text = log_capture_end(&captured);
        said += text[0] != '\0';
        if (second == 0) {
            assert_non_null(strstr(text, "not authorized, trying again in "));
            assert_non_null(strstr(text, "look at the password"));
        }
        fake_clock_advance(&now, 1000);
    }
    assert_int_equal(said, 3); /* at 0, 10 and 30 s */
}

static void test_nothing_is_said_at_the_end(void **state)
{
    (void)state;
    struct err why = { .code = ERR_IO, .text = "stopped" };
    log_capture_begin(&captured, LOG_LEVEL_INFO);
    reconnect_failed(&r, &why, true);
    assert_string_equal(log_capture_end(&captured), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_waits_grow_while_it_fails, begin),
        cmocka_unit_test_setup(test_a_good_connection_is_made_again_at_once, begin),
        cmocka_unit_test_setup(test_waits_grow_after_short_ones, begin),
        cmocka_unit_test_setup(test_it_is_said_at_growing_intervals, begin),
        cmocka_unit_test_setup(test_nothing_is_said_at_the_end, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
