/* SPDX-License-Identifier: Apache-2.0 */
/* English names in dates and times, as Java prints and reads them for Locale.ENGLISH: of months, days, eras, quarters,
 * halves of the day, and of time zones. Immutable tables. */
#ifndef SLUICE_SQL_TIME_NAMES_H
#define SLUICE_SQL_TIME_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum time_style { TIME_SHORT, TIME_FULL, TIME_NARROW, TIME_STYLES };

/* The names of a field's values; names[i] is that of the value first + i. */
struct time_names {
    int first, count;
    const char *const *names[TIME_STYLES];
};
extern const struct time_names time_months, time_days, time_eras, time_quarters, time_halves;

/* A name of a zone's standard or daylight saving time. TZif files have abbreviations only, and of places whose people use none
 * just an offset ("-03"); this table adds the long names, and for such places short ones. */
struct time_zone_name {
    const char *abbreviation;
    int32_t offset_s;
    const char *name;
    const char *zone; /* what the names mean in a text: the place best known for it */
};
/* The row for what a zone's file says: by abbreviation and offset if that is of letters, else by the zone's own id and offset.
 * NULL if there is none. */
const struct time_zone_name *time_zone_name_at(const char *zone, const char *abbreviation, int32_t offset_s);

/* The longest name in the table with which the text begins: returns the zone's id and sets *used, or NULL. Names of
 * standard or daylight saving time ("PST") and names that cover both ("PT") mean the same: the place, whose clocks tell which it
 * is. */
const char *time_zone_name_read(const char *text, size_t len, enum time_style style, size_t *used);

#endif
