/* SPDX-License-Identifier: Apache-2.0 */
/* A TZif file (RFC 8536 section 3):
 *
 *     header  "TZif" version 15 × 0, six counts: isut isstd leap time type char, each of 4 bytes, most significant first
 *     data    time × (4 or 8 bytes) · time × 1 (type) · type × 6 (offset, is_dst, abbreviation's index) · char × 1
 *             · leap × (8 or 12) · isstd × 1 · isut × 1
 *
 * Version 1 is one such block with 4-byte times. From version 2 on a second block with 8-byte times follows, which alone
 * is read, and a footer: line feed, rule of tz_rule.h (may be empty), line feed. */
#include "engine/base/tzif.h"

#include <string.h>

#include "engine/base/civil.h"

#define HEADER_BYTES 44
#define TYPE_BYTES   6
#define TYPES_MAX    256
#define CHARS_MAX    4096
#define AT_MAX_S     (INT64_C(1) << 59) /* farther back is before the universe (RFC 8536 section 3.2) */

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

/* --- reading --- */

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t time_bytes)
{
    if (time_bytes == 4)
        return (int32_t)read_u32(p);
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

/* Returns the version, 1 to 4, or 0 if it is no header or passes a bound. */
static int read_header(const unsigned char *p, size_t len, struct counts *n)
{
    if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
        return 0;
    *n = (struct counts) {
        .isut = read_u32(p + 20),
        .isstd = read_u32(p + 24),
        .leap = read_u32(p + 28),
        .time = read_u32(p + 32),
        .type = read_u32(p + 36),
        .chars = read_u32(p + 40),
    };
    if (n->leap != 0 || n->time > TZIF_MAX_TRANSITIONS || n->type == 0 || n->type > TYPES_MAX || n->chars == 0 ||
        n->chars > CHARS_MAX || n->isut > n->type || n->isstd > n->type)
        return 0;
    if (p[4] == 0)
        return 1;
    return p[4] >= '2' && p[4] <= '4' ? p[4] - '0' : 0;
}

static size_t data_bytes(const struct counts *n, size_t time_bytes)
{
    return n->time * (time_bytes + 1) + n->type * TYPE_BYTES + n->chars + n->isstd + n->isut;
}

static bool read_type(struct tz_type *type, const unsigned char *p, const unsigned char *chars, uint32_t char_count)
{
    int32_t offset_s = (int32_t)read_u32(p);
    uint32_t index = p[5];
    if (offset_s < -TZ_OFFSET_MAX || offset_s > TZ_OFFSET_MAX || p[4] > 1 || index >= char_count)
        return false;
    size_t len = strnlen((const char *)chars + index, char_count - index);
    if (len > TZ_ABBREVIATION_MAX || len == char_count - index)
        return false;
    *type = (struct tz_type) { .offset_s = offset_s, .is_dst = p[4] };
    memcpy(type->abbreviation, chars + index, len);
    return true;
}

static bool read_transitions(const struct counts *n, const unsigned char *p, size_t time_bytes, int64_t *at_s,
                             uint8_t *type_of)
{
    for (uint32_t i = 0; i < n->time; i++) {
        at_s[i] = read_time(p + i * time_bytes, time_bytes);
        type_of[i] = p[n->time * time_bytes + i];
        if (at_s[i] < -AT_MAX_S || at_s[i] > AT_MAX_S || type_of[i] >= n->type || (i > 0 && at_s[i] <= at_s[i - 1]))
            return false;
    }
    return true;
}

static bool read_data(struct tz_zone *zone, const struct counts *n, const unsigned char *p, size_t time_bytes,
                      struct arena *a)
{
    int64_t *at_s = arena_array(a, n->time, sizeof(*at_s));
    uint8_t *type_of = arena_array(a, n->time, sizeof(*type_of));
    struct tz_type *types = arena_array(a, n->type, sizeof(*types));
    if (!at_s || !type_of || !types || !read_transitions(n, p, time_bytes, at_s, type_of))
        return false;
    const unsigned char *type_at = p + n->time * (time_bytes + 1), *chars = type_at + n->type * TYPE_BYTES;
    for (uint32_t i = 0; i < n->type; i++) {
        if (!read_type(&types[i], type_at + i * TYPE_BYTES, chars, n->chars))
            return false;
    }
    *zone =
        (struct tz_zone) { .at_s = at_s, .type_of = type_of, .count = n->time, .types = types, .type_count = n->type };
    return true;
}

static bool read_footer(struct tz_zone *zone, const unsigned char *p, size_t len)
{
    const unsigned char *end = len > 0 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    if (!end)
        return false;
    zone->has_rule = end > p + 1;
    return !zone->has_rule || tz_rule_parse(&zone->rule, (const char *)p + 1, (size_t)(end - p - 1));
}

bool tzif_parse(struct tz_zone *zone, const void *bytes, size_t len, struct arena *a)
{
    const unsigned char *p = bytes;
    struct counts n;
    size_t time_bytes = 4;
    int version = len <= TZIF_MAX_BYTES ? read_header(p, len, &n) : 0;
    if (version == 0)
        return false;
    if (version > 1) {
        size_t first = HEADER_BYTES + data_bytes(&n, time_bytes);
        if (first > len || read_header(p + first, len - first, &n) != version)
            return false;
        time_bytes = 8;
        p += first;
        len -= first;
    }
    size_t size = HEADER_BYTES + data_bytes(&n, time_bytes);
    return size <= len && read_data(zone, &n, p + HEADER_BYTES, time_bytes, a) &&
           (version == 1 || read_footer(zone, p + size, len - size));
}

/* --- transitions of the table --- */

static const struct tz_type *type_after(const struct tz_zone *zone, uint32_t i)
{
    return &zone->types[zone->type_of[i]];
}

static const struct tz_type *type_before(const struct tz_zone *zone, uint32_t i)
{
    return i > 0 ? type_after(zone, i - 1) : &zone->types[0];
}

/* From when on a clock that shows local time shows the time after the transition only. */
static int64_t local_end(int64_t at_s, const struct tz_type *before, const struct tz_type *after)
{
    return at_s + (before->offset_s > after->offset_s ? before->offset_s : after->offset_s);
}

/* How many transitions are at or before that instant, or local time. */
static uint32_t count_passed(const struct tz_zone *zone, int64_t at_s, bool is_local)
{
    uint32_t low = 0, high = zone->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t from = is_local ? local_end(zone->at_s[middle], type_before(zone, middle), type_after(zone, middle))
                                : zone->at_s[middle];
        if (from <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- after the table --- */

/* What the rule gives; of its transitions those of the table's time do not count. Two years around are looked at, since
 * local time and UTC may differ in the year. */
static const struct tz_type *by_rule(const struct tz_zone *zone, int64_t at_s, bool is_local)
{
    const struct tz_rule *rule = &zone->rule;
    const struct tz_type *found = NULL;
    if (!rule->has_daylight)
        return &rule->standard;
    int64_t year = civil_date_of(civil_floor_div(at_s, CIVIL_DAY_SECONDS)).year;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        struct tz_transition changes[2];
        tz_rule_transitions(rule, y, changes);
        for (int i = 0; i < 2; i++) {
            const struct tz_transition *c = &changes[i];
            if (zone->count > 0 && c->at_s <= zone->at_s[zone->count - 1])
                continue;
            if ((is_local ? local_end(c->at_s, c->before, c->after) : c->at_s) <= at_s)
                found = c->after;
            else if (!found)
                return zone->count > 0 ? type_after(zone, zone->count - 1) : c->before;
        }
    }
    return found ? found : &rule->standard;
}

static const struct tz_type *find_type(const struct tz_zone *zone, int64_t at_s, bool is_local)
{
    uint32_t passed = count_passed(zone, at_s, is_local);
    if (passed == zone->count && zone->has_rule)
        return by_rule(zone, at_s, is_local);
    return type_before(zone, passed);
}

const struct tz_type *tz_zone_at(const struct tz_zone *zone, int64_t utc_s)
{
    return find_type(zone, utc_s, false);
}

const struct tz_type *tz_zone_at_local(const struct tz_zone *zone, int64_t local_s)
{
    return find_type(zone, local_s, true);
}
