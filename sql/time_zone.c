/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/time_zone.h"

#include <string.h>

/* Two digits at text[at], or -1. */
static int two_digits(const char *text, size_t len, size_t at)
{
    if (at + 2 > len || text[at] < '0' || text[at] > '9' || text[at + 1] < '0' || text[at + 1] > '9')
        return -1;
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

/* Minutes or seconds at text[*at]; false if they must be there and are not. */
static bool read_part(const char *text, size_t len, size_t *at, bool colon, enum time_offset_part part, int *v)
{
    size_t digits = *at + colon;
    *v = 0;
    if (part == TIME_OFFSET_NONE)
        return true;
    int n = colon && (*at >= len || text[*at] != ':') ? -1 : two_digits(text, len, digits);
    if (n < 0 || n > 59)
        return part == TIME_OFFSET_MAY;
    *v = n;
    *at = digits + 2;
    return true;
}

size_t time_offset_read(const char *text, size_t len, struct time_offset_form form, int32_t *offset_s, bool *bad)
{
    int minutes, seconds;
    size_t at = 3;
    if (len == 0 || (text[0] != '+' && text[0] != '-'))
        return 0;
    int hours = two_digits(text, len, 1);
    if (hours < 0 || hours > 59 || !read_part(text, len, &at, form.colons, form.minutes, &minutes) ||
        !read_part(text, len, &at, form.colons, form.seconds, &seconds))
        return 0;
    *offset_s = (hours * 60 + minutes) * 60 + seconds;
    *bad = hours > 23;
    if (text[0] == '-')
        *offset_s = -*offset_s;
    return at;
}

static bool is_offset(const char *text, size_t len, int32_t *offset_s)
{
    bool bad = false;
    bool colons = memchr(text, ':', len) != NULL;
    struct time_offset_form form = { .colons = colons, .minutes = TIME_OFFSET_MAY, .seconds = TIME_OFFSET_MAY };
    return time_offset_read(text, len, form, offset_s, &bad) == len && len > 0 && !bad &&
           *offset_s >= -TIME_OFFSET_MAX && *offset_s <= TIME_OFFSET_MAX;
}

bool time_zone_find(struct time_zone *zone, const char *id, size_t len)
{
    static const char *const prefixes[] = { "UTC", "GMT", "UT", "Z", "" };
    const struct tz_zones *zones = tz_zones_system();
    *zone = TIME_ZONE_UTC;
    if (len == 3 && memcmp(id, "UTC", 3) == 0)
        return true;
    if (zones)
        zone->place = tz_zones_find(zones, id, len);
    for (size_t i = 0; !zone->place && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i]);
        if (len >= n && memcmp(id, prefixes[i], n) == 0)
            return (len == n && n > 0) || (prefixes[i][0] != 'Z' && is_offset(id + n, len - n, &zone->offset_s));
    }
    return zone->place != NULL;
}

int32_t time_zone_offset(struct time_zone zone, int64_t utc_s)
{
    return zone.place ? tz_zone_at(zone.place->zone, utc_s)->offset_s : zone.offset_s;
}

int32_t time_zone_offset_local(struct time_zone zone, int64_t local_s)
{
    return zone.place ? tz_zone_at_local(zone.place->zone, local_s)->offset_s : zone.offset_s;
}
