/* SPDX-License-Identifier: Apache-2.0 */
/* Fields to an instant, in the order and with the checks of java.time under the SMART resolver style: a date is made of the fields
 * that suffice for one, the hour of those that give it, then everything else that the text said must agree with both. */
#include "sql/time_fields.h"

#include "engine/base/civil.h"

#define DAY_NANOS       INT64_C(86400000000000)
#define SECOND_NANOS    INT64_C(1000000000)
#define MJD_OF_EPOCH    40587 /* modified Julian day of 1970-01-01 */
#define LOCAL_WEEKS     ((struct civil_weeks) { .first_day = 7, .min_days = 1 })
#define YEAR_OF_ERA_MAX (CIVIL_YEAR_MAX + 1)

struct moment {
    bool has_date, has_time;
    int64_t days;
    int64_t nanos;   /* of the day */
    bool is_day_end; /* 24:00 */
};

static int64_t take(struct time_fields *f, enum time_field field)
{
    f->present &= ~(1u << field);
    return f->values[field];
}

static bool is_in(int64_t v, int64_t min, int64_t max)
{
    return v >= min && v <= max;
}

/* --- the date --- */

static bool set_date(struct moment *m, int64_t days)
{
    bool same = !m->has_date || m->days == days;
    m->has_date = true;
    m->days = days;
    return same;
}

/* The year out of era and year of the era. */
static bool resolve_era(struct time_fields *f)
{
    if (!time_has(f, TIME_YEAR_OF_ERA))
        return true;
    int64_t year = take(f, TIME_YEAR_OF_ERA);
    bool is_before;
    if (!is_in(year, 1, YEAR_OF_ERA_MAX))
        return false;
    if (time_has(f, TIME_ERA))
        is_before = take(f, TIME_ERA) == 0;
    else
        is_before = time_has(f, TIME_YEAR) && f->values[TIME_YEAR] <= 0;
    return time_set(f, TIME_YEAR, is_before ? 1 - year : year);
}

/* A day that the month does not have becomes its last. */
static bool resolve_month_and_day(struct time_fields *f, struct moment *m)
{
    int64_t year = take(f, TIME_YEAR), month = take(f, TIME_MONTH), day = take(f, TIME_DAY_OF_MONTH);
    if (!is_in(year, CIVIL_YEAR_MIN, CIVIL_YEAR_MAX) || !is_in(month, 1, 12) || !is_in(day, 1, 31))
        return false;
    int last = civil_month_length(year, (int)month);
    return set_date(m, civil_days(year, (int)month, day < last ? (int)day : last));
}

static bool resolve_day_of_year(struct time_fields *f, struct moment *m)
{
    int64_t year = take(f, TIME_YEAR), day = take(f, TIME_DAY_OF_YEAR);
    return is_in(year, CIVIL_YEAR_MIN, CIVIL_YEAR_MAX) && is_in(day, 1, civil_year_length(year)) &&
           set_date(m, civil_days(year, 1, 1) + day - 1);
}

static bool resolve_date(struct time_fields *f, struct moment *m)
{
    if (!resolve_era(f))
        return false;
    if (!time_has(f, TIME_YEAR))
        return true;
    if (time_has(f, TIME_MONTH) && time_has(f, TIME_DAY_OF_MONTH))
        return resolve_month_and_day(f, m);
    return !time_has(f, TIME_DAY_OF_YEAR) || resolve_day_of_year(f, m);
}

/* --- dates by weeks, and by number --- */

static bool resolve_week_of_month(struct time_fields *f, struct moment *m)
{
    int64_t year = take(f, TIME_YEAR), month = take(f, TIME_MONTH), week = take(f, TIME_WEEK_OF_MONTH);
    int64_t day = take(f, TIME_DAY_OF_WEEK);
    if (!is_in(year, CIVIL_YEAR_MIN, CIVIL_YEAR_MAX) || !is_in(month, 1, 12) || !is_in(week, 0, 6))
        return false;
    int64_t first = civil_days(year, (int)month, 1);
    int64_t weeks = week - civil_week_of_month(first, LOCAL_WEEKS);
    int64_t days = civil_local_weekday((int)day, LOCAL_WEEKS) - civil_local_weekday(civil_weekday(first), LOCAL_WEEKS);
    return set_date(m, first + weeks * 7 + days);
}

/* A week that the year does not have becomes its last. */
static bool resolve_week(struct time_fields *f, struct moment *m)
{
    int64_t year = take(f, TIME_WEEK_YEAR), week = take(f, TIME_WEEK), day = take(f, TIME_DAY_OF_WEEK);
    if (!is_in(year, CIVIL_YEAR_MIN, CIVIL_YEAR_MAX) || !is_in(week, 1, 53))
        return false;
    int64_t start = civil_week_start(year, LOCAL_WEEKS);
    int64_t weeks = (civil_week_start(year + 1, LOCAL_WEEKS) - start) / 7;
    return set_date(m,
                    start + ((week < weeks ? week : weeks) - 1) * 7 + civil_local_weekday((int)day, LOCAL_WEEKS) - 1);
}

static bool resolve_local_day(struct time_fields *f)
{
    int64_t day = take(f, TIME_LOCAL_DAY_OF_WEEK);
    if (!is_in(day, 1, 7))
        return false;
    f->present |= 1u << TIME_DAY_OF_WEEK;
    f->values[TIME_DAY_OF_WEEK] = (LOCAL_WEEKS.first_day - 1 + day - 1) % 7 + 1;
    return true;
}

static bool resolve_day_number(struct time_fields *f, struct moment *m)
{
    int64_t days = take(f, TIME_MODIFIED_JULIAN_DAY);
    return is_in(days, civil_days(CIVIL_YEAR_MIN, 1, 1) + MJD_OF_EPOCH,
                 civil_days(CIVIL_YEAR_MAX, 12, 31) + MJD_OF_EPOCH) &&
           set_date(m, days - MJD_OF_EPOCH);
}

static bool resolve_weeks(struct time_fields *f, struct moment *m)
{
    if (time_has(f, TIME_LOCAL_DAY_OF_WEEK) && !resolve_local_day(f))
        return false;
    if (time_has(f, TIME_MODIFIED_JULIAN_DAY) && !resolve_day_number(f, m))
        return false;
    if (!time_has(f, TIME_DAY_OF_WEEK))
        return true;
    if (time_has(f, TIME_YEAR))
        return !time_has(f, TIME_WEEK_OF_MONTH) || !time_has(f, TIME_MONTH) || resolve_week_of_month(f, m);
    return !time_has(f, TIME_WEEK_YEAR) || !time_has(f, TIME_WEEK) || resolve_week(f, m);
}

/* --- the time of day --- */

/* Clocks that show 24 or 12 where others show 0, which is taken as well. */
static bool resolve_clock_hour(struct time_fields *f, enum time_field clock, enum time_field hour, int64_t hours)
{
    if (!time_has(f, clock))
        return true;
    int64_t v = take(f, clock);
    return is_in(v, 0, hours) && time_set(f, hour, v == hours ? 0 : v);
}

static bool resolve_half(struct time_fields *f)
{
    if (!time_has(f, TIME_HALF) || !time_has(f, TIME_HALF_HOUR))
        return true;
    int64_t half = take(f, TIME_HALF), hour = take(f, TIME_HALF_HOUR);
    return is_in(hour, 0, 11) && time_set(f, TIME_HOUR, half * 12 + hour);
}

static bool set_seconds(struct time_fields *f, int64_t second_of_day)
{
    bool hour = time_set(f, TIME_HOUR, second_of_day / 3600);
    bool minute = time_set(f, TIME_MINUTE, second_of_day / 60 % 60);
    return time_set(f, TIME_SECOND, second_of_day % 60) && hour && minute;
}

static bool resolve_nano_of_day(struct time_fields *f)
{
    if (!time_has(f, TIME_NANO_OF_DAY))
        return true;
    int64_t nanos = take(f, TIME_NANO_OF_DAY);
    return is_in(nanos, 0, DAY_NANOS - 1) && set_seconds(f, nanos / SECOND_NANOS) &&
           time_set(f, TIME_NANO, nanos % SECOND_NANOS);
}

/* The milliseconds must not differ from nanoseconds in the text, which may be finer. */
static bool resolve_milli_of_day(struct time_fields *f)
{
    if (!time_has(f, TIME_MILLI_OF_DAY))
        return true;
    int64_t millis = take(f, TIME_MILLI_OF_DAY), nanos = millis % 1000 * 1000000;
    if (!is_in(millis, 0, DAY_NANOS / 1000000 - 1) || !set_seconds(f, millis / 1000))
        return false;
    if (!time_has(f, TIME_NANO))
        return time_set(f, TIME_NANO, nanos);
    return time_set(f, TIME_NANO, nanos + f->values[TIME_NANO] % 1000000);
}

/* Parts smaller than the hour, down to nanoseconds, without one left out between. */
static bool make_time(struct time_fields *f, struct moment *m)
{
    bool has_minute = time_has(f, TIME_MINUTE), has_second = time_has(f, TIME_SECOND),
         has_nano = time_has(f, TIME_NANO);
    if (!time_has(f, TIME_HOUR))
        return true;
    if ((has_second && !has_minute) || (has_nano && !has_second))
        return false;
    int64_t hour = take(f, TIME_HOUR), minute = has_minute ? take(f, TIME_MINUTE) : 0;
    int64_t second = has_second ? take(f, TIME_SECOND) : 0, nano = has_nano ? take(f, TIME_NANO) : 0;
    m->has_time = true;
    m->is_day_end = hour == 24 && minute == 0 && second == 0 && nano == 0;
    if (m->is_day_end)
        return true;
    m->nanos = ((hour * 60 + minute) * 60 + second) * SECOND_NANOS + nano;
    return is_in(hour, 0, 23) && is_in(minute, 0, 59) && is_in(second, 0, 59) && is_in(nano, 0, SECOND_NANOS - 1);
}

static bool resolve_time(struct time_fields *f, struct moment *m)
{
    return resolve_clock_hour(f, TIME_CLOCK_HOUR, TIME_HOUR, 24) &&
           resolve_clock_hour(f, TIME_HALF_CLOCK_HOUR, TIME_HALF_HOUR, 12) && resolve_half(f) &&
           resolve_nano_of_day(f) && resolve_milli_of_day(f) && make_time(f, m);
}

/* --- what else the text said --- */

static int64_t date_field(int64_t days, enum time_field field)
{
    struct civil_date date = civil_date_of(days);
    switch (field) {
    case TIME_ERA:
        return date.year > 0;
    case TIME_YEAR:
        return date.year;
    case TIME_QUARTER:
        return (date.month - 1) / 3 + 1;
    case TIME_MONTH:
        return date.month;
    case TIME_DAY_OF_YEAR:
        return civil_day_of_year(days);
    case TIME_DAY_OF_MONTH:
        return date.day;
    case TIME_ALIGNED_DAY:
        return (date.day - 1) % 7 + 1;
    case TIME_DAY_OF_WEEK:
        return civil_weekday(days);
    case TIME_WEEK_YEAR:
        return civil_week_of(days, LOCAL_WEEKS).year;
    case TIME_WEEK:
        return civil_week_of(days, LOCAL_WEEKS).week;
    default:
        return civil_week_of_month(days, LOCAL_WEEKS);
    }
}

/* Of the time of day only these can be left when there is one; without one, any of them is a part of a time. */
static bool agrees(const struct moment *m, enum time_field field, int64_t v)
{
    int64_t hour = m->nanos / SECOND_NANOS / 3600;
    if (field < TIME_FIRST_OF_DAY)
        return date_field(m->days, field) == v;
    if (field == TIME_HALF)
        return m->has_time && hour / 12 == v;
    return field == TIME_HALF_HOUR && m->has_time && hour % 12 == v;
}

static bool cross_check(const struct time_fields *f, const struct moment *m)
{
    for (enum time_field field = 0; field < TIME_OFFSET_SECONDS; field++) {
        if (time_has(f, field) && !agrees(m, field, f->values[field]))
            return false;
    }
    return true;
}

/* --- the instant --- */

static bool make_instant(const struct time_fields *f, const struct moment *m, int64_t *millis)
{
    int64_t local_s = (m->days + m->is_day_end) * CIVIL_DAY_SECONDS + m->nanos / SECOND_NANOS, offset_s = 0;
    if (time_has(f, TIME_OFFSET_SECONDS))
        offset_s = f->values[TIME_OFFSET_SECONDS];
    else if (f->has_zone)
        offset_s = time_zone_offset_local(f->zone, local_s);
    if (!is_in(offset_s, -TIME_OFFSET_MAX, TIME_OFFSET_MAX))
        return false;
    return !__builtin_mul_overflow(local_s - offset_s, 1000, millis) &&
           !__builtin_add_overflow(*millis, m->nanos / 1000000 % 1000, millis);
}

bool time_resolve(struct time_fields *f, int64_t *millis)
{
    struct moment m = { 0 };
    return resolve_date(f, &m) && resolve_time(f, &m) && resolve_weeks(f, &m) && m.has_date && cross_check(f, &m) &&
           make_instant(f, &m, millis);
}
