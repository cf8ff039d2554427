/* SPDX-License-Identifier: Apache-2.0 */
/* Text to instants, by a pattern of the JDK's DateTimeFormatter as version 11 reads it with Locale.ENGLISH and its default,
 * the SMART resolver style (spec 3.6). */
#ifndef SLUICE_SQL_TIME_PARSE_H
#define SLUICE_SQL_TIME_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970 of a text: in UTC if it names no zone, at the start of the day if it names no time. False if the pattern
 * is no pattern, the text does not match it to its end, or does not name an instant in range. O(text + pattern). */
bool time_parse(const char *text, size_t text_len, const char *pattern, size_t pattern_len, int64_t *millis);

#endif
