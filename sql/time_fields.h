/* SPDX-License-Identifier: Apache-2.0 */
/* What a text says about a time, field by field, and the instant that follows from it (spec 3.6). Internal to time_parse.c and
 * time_resolve.c. */
#ifndef SLUICE_SQL_TIME_FIELDS_H
#define SLUICE_SQL_TIME_FIELDS_H

#include "sql/time_zone.h"

#include <stdbool.h>
#include <stdint.h>

/* Named as Java's ChronoField; weeks are those of Locale.ENGLISH, from Sunday on, and the first week has January 1. */
enum time_field {
    TIME_ERA,
    TIME_YEAR,
    TIME_YEAR_OF_ERA,
    TIME_QUARTER,
    TIME_MONTH,
    TIME_DAY_OF_YEAR,
    TIME_DAY_OF_MONTH,
    TIME_ALIGNED_DAY, /* day of month, modulo 7, from 1 */
    TIME_DAY_OF_WEEK,
    TIME_WEEK_YEAR,
    TIME_WEEK,
    TIME_WEEK_OF_MONTH,
    TIME_LOCAL_DAY_OF_WEEK,
    TIME_MODIFIED_JULIAN_DAY,
    TIME_FIRST_OF_DAY, /* fields before are of the date, from here on of the time of day */
    TIME_HALF = TIME_FIRST_OF_DAY,
    TIME_HOUR,            /* 0 to 23, or 24:00 */
    TIME_CLOCK_HOUR,      /* 1 to 24 */
    TIME_HALF_HOUR,       /* 0 to 11 */
    TIME_HALF_CLOCK_HOUR, /* 1 to 12 */
    TIME_MINUTE,
    TIME_SECOND,
    TIME_NANO,
    TIME_MILLI_OF_DAY,
    TIME_NANO_OF_DAY,
    TIME_OFFSET_SECONDS,
    TIME_FIELDS
};

struct time_fields {
    uint32_t present; /* bit of each field */
    bool has_zone;
    struct time_zone zone;
    int64_t values[TIME_FIELDS];
};

static inline bool time_has(const struct time_fields *f, enum time_field field)
{
    return (f->present & 1u << field) != 0;
}

/* Set a field; false if it has another value already. */
static inline bool time_set(struct time_fields *f, enum time_field field, int64_t v)
{
    bool same = !time_has(f, field) || f->values[field] == v;
    f->present |= 1u << field;
    f->values[field] = v;
    return same;
}

/* Milliseconds since 1970. False if the fields do not name a day, contradict one another, are out of range, or name a part of the
 * time of day only. Changes the fields. */
bool time_resolve(struct time_fields *f, int64_t *millis);

#endif
