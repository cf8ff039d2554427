/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "engine/base/civil.h"

#define US_WEEKS ((struct civil_weeks) { .first_day = 7, .min_days = 1 })

static void knows_leap_years(void **state)
{
    (void)state;
    assert_true(civil_is_leap(2000) && civil_is_leap(2024) && civil_is_leap(0) && civil_is_leap(-4));
    assert_false(civil_is_leap(1900) || civil_is_leap(2023) || civil_is_leap(-1) || civil_is_leap(-100));
    assert_int_equal(civil_year_length(2024), 366);
    assert_int_equal(civil_month_length(2024, 2), 29);
    assert_int_equal(civil_month_length(2023, 2), 28);
    assert_int_equal(civil_month_length(2023, 12), 31);
}

static void assert_date(int64_t days, int64_t year, int month, int day)
{
    struct civil_date date = civil_date_of(days);
    assert_int_equal(date.year, year);
    assert_int_equal(date.month, month);
    assert_int_equal(date.day, day);
    assert_int_equal(civil_days(year, month, day), days);
}

static void converts_dates(void **state)
{
    (void)state;
    assert_date(0, 1970, 1, 1);
    assert_date(-1, 1969, 12, 31);
    assert_date(11016, 2000, 2, 29);
    assert_date(-719528, 0, 1, 1);
    assert_date(-719529, -1, 12, 31);
    assert_date(INT64_C(365241780471), CIVIL_YEAR_MAX, 12, 31);
    assert_date(INT64_C(-365243219162), CIVIL_YEAR_MIN, 1, 1);
    assert_int_equal(civil_days(2024, 1, 60), civil_days(2024, 2, 29));
}

/* Every day of 1,000 years follows the one before, and the C library agrees. */
static void counts_day_by_day(void **state)
{
    (void)state;
    struct civil_date before = civil_date_of(-200001);
    for (int64_t days = -200000; days < 200000; days++) {
        struct civil_date date = civil_date_of(days);
        time_t t = (time_t)days * CIVIL_DAY_SECONDS;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(civil_day_of_year(days), tm.tm_yday + 1);
        assert_int_equal(civil_weekday(days) % 7, tm.tm_wday);
        assert_int_equal(civil_days(date.year, date.month, date.day), days);
        assert_true(date.day == before.day + 1 || date.day == 1);
        char text[16];
        assert_true(strftime(text, sizeof(text), "%G-%V", &tm) > 0);
        struct civil_week week = civil_week_of(days, CIVIL_WEEKS_ISO);
        char *end;
        assert_int_equal(week.year, strtol(text, &end, 10));
        assert_int_equal(week.week, strtol(end + 1, NULL, 10));
        before = date;
    }
}

static void counts_local_weeks(void **state)
{
    (void)state;
    /* 2009-01-01 was a Thursday; weeks from Sunday on, so week 1 of 2009 began on 2008-12-28. */
    assert_int_equal(civil_week_start(2009, US_WEEKS), civil_days(2008, 12, 28));
    assert_int_equal(civil_week_start(2009, CIVIL_WEEKS_ISO), civil_days(2008, 12, 29));
    struct civil_week week = civil_week_of(civil_days(2008, 12, 28), US_WEEKS);
    assert_true(week.year == 2009 && week.week == 1);
    week = civil_week_of(civil_days(2008, 12, 27), US_WEEKS);
    assert_true(week.year == 2008 && week.week == 52);
    assert_int_equal(civil_local_weekday(7, US_WEEKS), 1);
    assert_int_equal(civil_local_weekday(6, US_WEEKS), 7);
    assert_int_equal(civil_week_of_month(civil_days(2009, 2, 1), US_WEEKS), 1);
    assert_int_equal(civil_week_of_month(civil_days(2009, 2, 28), US_WEEKS), 4);
    assert_int_equal(civil_week_of_month(civil_days(2009, 3, 1), CIVIL_WEEKS_ISO), 0);
}

static void divides_downwards(void **state)
{
    (void)state;
    assert_int_equal(civil_floor_div(-1, 1000), -1);
    assert_int_equal(civil_floor_mod(-1, 1000), 999);
    assert_int_equal(civil_floor_div(-1000, 1000), -1);
    assert_int_equal(civil_floor_mod(-1000, 1000), 0);
    assert_int_equal(civil_floor_div(INT64_MIN, 1000), -INT64_C(9223372036854776));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_leap_years),   cmocka_unit_test(converts_dates),    cmocka_unit_test(counts_day_by_day),
        cmocka_unit_test(counts_local_weeks), cmocka_unit_test(divides_downwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
