/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text, by a pattern of Joda-Time's DateTimeFormat (spec 3.6). English names; the calendar is the proleptic
 * Gregorian one. The pattern is read as it is used: in one pass, without memory, so there is nothing to keep compiled. */
#ifndef SLUICE_SQL_TIME_FORMAT_H
#define SLUICE_SQL_TIME_FORMAT_H

#include "engine/base/buf.h"
#include "sql/time_zone.h"

#define TIME_PATTERN_MAX 512  /* bytes */
#define TIME_TEXT_MAX    8192 /* bytes of a formatted time */

/* Append the text of an instant (milliseconds since 1970) as clocks in the zone show it. False if the pattern is empty, too
 * long, or has a letter that means nothing; what was appended then is of no use. */
bool time_format(struct buf *out, const char *pattern, size_t len, int64_t millis, struct time_zone zone);

#endif
