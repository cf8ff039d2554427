/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and days are converted by counting years from March on, so that the leap day is the last day of a year, in eras
 * of 400 years, which all have the same length: the method of Howard Hinnant's "chrono-Compatible Low-Level Date
 * Algorithms". */
#include "engine/base/civil.h"

#define ERA_YEARS     400
#define ERA_DAYS      146097
#define DAYS_TO_EPOCH 719468 /* from 0000-03-01 to 1970-01-01 */

bool civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_year_length(int64_t year)
{
    return civil_is_leap(year) ? 366 : 365;
}

int civil_month_length(int64_t year, int month)
{
    static const signed char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return lengths[month - 1] + (month == 2 && civil_is_leap(year));
}

/* Days before a month that is counted from March = 0: 0, 31, 61, 92 …, which is linear but for the rounding. */
static int days_before_month(int64_t from_march)
{
    return (int)((153 * from_march + 2) / 5);
}

int64_t civil_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = civil_floor_div(y, ERA_YEARS), of_era = y - era * ERA_YEARS;
    int64_t from_march = (month + 9) % 12;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + days_before_month(from_march) + day - 1;
    return era * ERA_DAYS + day_of_era - DAYS_TO_EPOCH;
}

struct civil_date civil_date_of(int64_t days)
{
    int64_t shifted = days + DAYS_TO_EPOCH;
    int64_t era = civil_floor_div(shifted, ERA_DAYS), day_of_era = shifted - era * ERA_DAYS;
    int64_t of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    int month = (int)((from_march + 2) % 12) + 1;
    return (struct civil_date) {
        .year = of_era + era * ERA_YEARS + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - days_before_month(from_march)) + 1,
    };
}

int civil_day_of_year(int64_t days)
{
    return (int)(days - civil_days(civil_date_of(days).year, 1, 1)) + 1;
}

int civil_weekday(int64_t days)
{
    return (int)civil_floor_mod(days + CIVIL_EPOCH_WEEKDAY - 1, 7) + 1;
}

int civil_local_weekday(int weekday, struct civil_weeks weeks)
{
    return (weekday - weeks.first_day + 7) % 7 + 1;
}

/* The first day of week 1 of the year or month that begins with `first`. */
static int64_t week_one(int64_t first, struct civil_weeks weeks)
{
    int before = civil_local_weekday(civil_weekday(first), weeks) - 1; /* days of that week in the year before */
    return first - before + (7 - before >= weeks.min_days ? 0 : 7);
}

int64_t civil_week_start(int64_t year, struct civil_weeks weeks)
{
    return week_one(civil_days(year, 1, 1), weeks);
}

struct civil_week civil_week_of(int64_t days, struct civil_weeks weeks)
{
    int64_t year = civil_date_of(days).year;
    if (days >= civil_week_start(year + 1, weeks))
        year++;
    else if (days < civil_week_start(year, weeks))
        year--;
    return (struct civil_week) { .year = year, .week = (int)((days - civil_week_start(year, weeks)) / 7) + 1 };
}

int civil_week_of_month(int64_t days, struct civil_weeks weeks)
{
    int64_t first = days - civil_date_of(days).day + 1;
    return (int)civil_floor_div(days - week_one(first, weeks), 7) + 1;
}
