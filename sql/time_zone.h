/* SPDX-License-Identifier: Apache-2.0 */
/* A zone as rules and messages name it: a place of the system's table, or a fixed offset from UTC. */
#ifndef SLUICE_SQL_TIME_ZONE_H
#define SLUICE_SQL_TIME_ZONE_H

#include "engine/base/tz.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_OFFSET_MAX (18 * 3600) /* seconds, in either direction, as Java's ZoneOffset */

struct time_zone {
    const struct tz_named *place; /* NULL: a fixed offset */
    int32_t offset_s;
};
#define TIME_ZONE_UTC ((struct time_zone) { .place = NULL, .offset_s = 0 })

/* By the id that parse_time takes: a place, "UTC", "Z", or an offset as "+01:00", "-0930", "+01", also behind "UTC", "GMT" or
 * "UT". False if it is none. */
bool time_zone_find(struct time_zone *zone, const char *id, size_t len);

/* An offset at the head of a text in one of the forms below; two digits each. Returns the bytes read, or 0. */
enum time_offset_part { TIME_OFFSET_NONE, TIME_OFFSET_MAY, TIME_OFFSET_MUST };
struct time_offset_form {
    bool colons;
    enum time_offset_part minutes, seconds;
};
/* Sets *bad if hours, minutes or seconds are out of range, which ends the reading of a whole text, as in Java. */
size_t time_offset_read(const char *text, size_t len, struct time_offset_form form, int32_t *offset_s, bool *bad);

/* Seconds east of UTC at an instant, or at a local time (earlier one of two; before the gap where there is none). */
int32_t time_zone_offset(struct time_zone zone, int64_t utc_s);
int32_t time_zone_offset_local(struct time_zone zone, int64_t local_s);

#endif
