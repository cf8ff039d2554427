/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar: days since 1970-01-01 to and from dates of the proleptic Gregorian calendar (ISO 8601: the year 0 exists,
 * it is 1 BC), and weeks. No zones. Years may be CIVIL_YEAR_MIN to CIVIL_YEAR_MAX, which is Java's range. Functions without
 * state. */
#ifndef SLUICE_BASE_CIVIL_H
#define SLUICE_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#define CIVIL_YEAR_MAX      999999999
#define CIVIL_YEAR_MIN      (-CIVIL_YEAR_MAX)
#define CIVIL_DAY_SECONDS   86400
#define CIVIL_EPOCH_WEEKDAY 4 /* 1970-01-01 was a Thursday */

struct civil_date {
    int64_t year;
    int month, day; /* from 1 */
};

bool civil_is_leap(int64_t year);
int civil_year_length(int64_t year);
int civil_month_length(int64_t year, int month); /* month 1 to 12 */
/* Days since 1970-01-01; month 1 to 12, day may be any. */
int64_t civil_days(int64_t year, int month, int day);
struct civil_date civil_date_of(int64_t days);
int civil_day_of_year(int64_t days); /* from 1 */
int civil_weekday(int64_t days);     /* Monday 1 to Sunday 7 */

/* How weeks are counted: the weekday on which they begin, and how many days of the first week must be in the year. */
struct civil_weeks {
    int first_day, min_days;
};
#define CIVIL_WEEKS_ISO ((struct civil_weeks) { .first_day = 1, .min_days = 4 })

struct civil_week {
    int64_t year; /* to which the week belongs */
    int week;     /* from 1 */
};
struct civil_week civil_week_of(int64_t days, struct civil_weeks weeks);
int civil_week_of_month(int64_t days, struct civil_weeks weeks); /* from 0 */
/* Position of an ISO weekday in such a week, from 1. */
int civil_local_weekday(int weekday, struct civil_weeks weeks);
/* First day of week 1 of a year, in days since 1970-01-01. */
int64_t civil_week_start(int64_t year, struct civil_weeks weeks);

/* Division that rounds down, and its remainder (0 to divisor - 1); the divisor is positive. */
static inline int64_t civil_floor_div(int64_t v, int64_t divisor)
{
    return v / divisor - (v % divisor < 0);
}
static inline int64_t civil_floor_mod(int64_t v, int64_t divisor)
{
    return v % divisor + (v % divisor < 0 ? divisor : 0);
}

#endif
