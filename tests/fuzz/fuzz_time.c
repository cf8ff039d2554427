/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns and texts: the first line is a pattern, the rest a text. Whatever they are, they are read within bounds; and an instant
 * that was read is written in full and read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/time_format.h"
#include "sql/time_parse.h"

#define YEAR_10000_MS INT64_C(253402300800000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Formats with a buffer of the bound; returns the length, or 0. */
static size_t format(char *out, const char *pattern, size_t len, int64_t millis)
{
    struct time_zone zone;
    struct buf b = { .p = out, .cap = TIME_TEXT_MAX + 1, .max = TIME_TEXT_MAX };
    require(time_zone_find(&zone, "Europe/Paris", 12) || time_zone_find(&zone, "UTC", 3));
    bool ok = time_format(&b, pattern, len, millis, zone);
    require(b.len <= TIME_TEXT_MAX && b.p == out);
    return ok && !b.failed ? b.len : 0;
}

static void check_round_trip(int64_t millis)
{
    static const char joda[] = "yyyy-MM-dd HH:mm:ss.SSS ZZ", jdk[] = "uuuu-MM-dd HH:mm:ss.SSS xxx";
    char text[TIME_TEXT_MAX + 1];
    int64_t again;
    if (millis < 0 || millis >= YEAR_10000_MS)
        return;
    size_t len = format(text, joda, strlen(joda), millis);
    require(time_parse(text, len, jdk, strlen(jdk), &again) && again == millis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *pattern = (const char *)data;
    const char *end = size ? memchr(data, '\n', size) : NULL;
    size_t pattern_len = end ? (size_t)(end - pattern) : size;
    const char *text = end ? end + 1 : pattern + size;
    size_t text_len = size - (size_t)(text - pattern);
    char out[TIME_TEXT_MAX + 1];
    int64_t millis;
    struct time_zone zone;
    if (time_parse(text, text_len, pattern, pattern_len, &millis))
        check_round_trip(millis);
    format(out, pattern, pattern_len, 1234567890123);
    format(out, pattern, pattern_len, INT64_MIN);
    format(out, pattern, pattern_len, INT64_MAX);
    if (time_zone_find(&zone, text, text_len))
        require(time_zone_offset(zone, 0) <= TZ_OFFSET_MAX);
    return 0;
}
