/* SPDX-License-Identifier: Apache-2.0 */
/* A text is read from its head, part by part, without trying again: only an optional section may be passed over, and it is
 * tried once. Positions are bytes; NO_MATCH ends a section, STOP the whole reading, where Java throws. */
#include "sql/time_parse.h"

#include <string.h>

#include "sql/time_pattern.h"

#define NO_MATCH (-1)
#define STOP     (-2)

struct reader {
    const struct time_pattern *list;
    const char *text;
    ptrdiff_t len; /* that may be read now: less than all inside a padded part */
    struct time_fields fields;
};

/* --- numbers and names --- */

static bool is_digit_at(const struct reader *r, ptrdiff_t at)
{
    return at < r->len && r->text[at] >= '0' && r->text[at] <= '9';
}

static ptrdiff_t count_digits(const struct reader *r, ptrdiff_t at, ptrdiff_t max)
{
    ptrdiff_t n = 0;
    while (n < max && is_digit_at(r, at + n))
        n++;
    return n;
}

static uint64_t digits_value(const struct reader *r, ptrdiff_t at, ptrdiff_t count)
{
    uint64_t v = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        v = v * 10 + (uint64_t)(r->text[at + i] - '0');
    return v;
}

/* The number before the position `at`, or behind it: how many of the digits are the part's own. The parts that follow directly get
 * theirs first. 0: too few. */
static ptrdiff_t own_digits(const struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    ptrdiff_t n = count_digits(r, at, part->max + part->follow);
    if (n < part->min)
        return 0;
    if (part->follow == 0)
        return n;
    return n - part->follow > part->min ? n - part->follow : part->min;
}

/* Is the sign as it must be for so many digits? */
static bool is_sign_right(const struct time_part *part, char sign, ptrdiff_t digits, uint64_t v)
{
    if (sign == '-')
        return v != 0;
    return part->sign != TIME_SIGN_BOTH || (sign == '+') == (digits > part->min);
}

static ptrdiff_t read_number(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    char sign = at < r->len ? r->text[at] : '\0';
    bool has_sign = sign == '-' ? part->sign != TIME_SIGN_NONE : sign == '+' && part->sign == TIME_SIGN_BOTH;
    ptrdiff_t first = at + has_sign, n = own_digits(r, part, first);
    uint64_t v = digits_value(r, first, n), max = (uint64_t)INT64_MAX + (has_sign && sign == '-');
    if (n == 0 || !is_sign_right(part, has_sign ? sign : '\0', n, v))
        return NO_MATCH;
    if (v > max) { /* 19 digits that are too many, as Java sees it: the last is not taken */
        v /= 10;
        n--;
    }
    int64_t value = has_sign && sign == '-' ? (int64_t)(0 - v) : (int64_t)v;
    if (part->kind == TIME_TWO_DIGIT_YEAR && n == 2)
        value += 2000;
    return time_set(&r->fields, part->field, value) ? first + n : NO_MATCH;
}

static ptrdiff_t read_fraction(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    ptrdiff_t n = count_digits(r, at, part->max);
    uint64_t nanos = digits_value(r, at, n);
    if (n < part->min)
        return NO_MATCH;
    for (ptrdiff_t i = n; i < 9; i++)
        nanos *= 10;
    return time_set(&r->fields, part->field, (int64_t)nanos) ? at + n : NO_MATCH;
}

static bool has_prefix(const struct reader *r, ptrdiff_t at, const char *prefix, size_t len)
{
    return (size_t)(r->len - at) >= len && memcmp(r->text + at, prefix, len) == 0;
}

/* The longest name; of values with one name ("M" for March and May) the last, as in Java. */
static ptrdiff_t read_name(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    size_t longest = 0;
    int found = 0;
    for (int i = 0; i < part->names->count; i++) {
        const char *name = part->names->names[part->style][i];
        size_t len = strlen(name);
        if (len >= longest && has_prefix(r, at, name, len)) {
            longest = len;
            found = part->names->first + i;
        }
    }
    return longest > 0 && time_set(&r->fields, part->field, found) ? at + (ptrdiff_t)longest : NO_MATCH;
}

static ptrdiff_t read_literal(const struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    return has_prefix(r, at, part->literal, part->literal_len) ? at + (ptrdiff_t)part->literal_len : NO_MATCH;
}

/* --- offsets and zones --- */

static ptrdiff_t set_offset(struct reader *r, int32_t offset_s, ptrdiff_t end)
{
    return time_set(&r->fields, TIME_OFFSET_SECONDS, offset_s) ? end : NO_MATCH;
}

static ptrdiff_t read_offset(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    size_t zero_len = strlen(part->zero);
    bool bad = false;
    int32_t offset_s;
    if (has_prefix(r, at, part->zero, zero_len))
        return set_offset(r, 0, at + (ptrdiff_t)zero_len);
    size_t n = time_offset_read(r->text + at, (size_t)(r->len - at), part->form, &offset_s, &bad);
    if (bad)
        return STOP;
    return n > 0 ? set_offset(r, offset_s, at + (ptrdiff_t)n) : NO_MATCH;
}

/* ":" and two digits, of which nothing may be there; adds their value times `unit`. */
static ptrdiff_t read_colon_part(const struct reader *r, ptrdiff_t at, int unit, int32_t *seconds)
{
    if (at + 2 >= r->len || r->text[at] != ':' || !is_digit_at(r, at + 1) || !is_digit_at(r, at + 2))
        return at;
    *seconds += (int32_t)digits_value(r, at + 1, 2) * unit;
    return at + 3;
}

/* Behind the sign: "hh:mm", and ":ss" if it is there. */
static ptrdiff_t read_full_offset(const struct reader *r, ptrdiff_t at, int32_t *seconds)
{
    static const char form[] = "00:00";
    for (ptrdiff_t i = 0; form[i]; i++) {
        if (at + i >= r->len)
            return STOP;
        if (form[i] == ':' ? r->text[at + i] != ':' : !is_digit_at(r, at + i))
            return NO_MATCH;
    }
    *seconds = (int32_t)(digits_value(r, at, 2) * 3600 + digits_value(r, at + 3, 2) * 60);
    return read_colon_part(r, at + 5, 1, seconds);
}

/* Behind the sign: one or two digits, and ":mm" and ":ss" if they are there. */
static ptrdiff_t read_short_offset(const struct reader *r, ptrdiff_t at, int32_t *seconds)
{
    ptrdiff_t n = count_digits(r, at, 2);
    if (n == 0)
        return at >= r->len ? STOP : NO_MATCH;
    *seconds = (int32_t)digits_value(r, at, n) * 3600;
    ptrdiff_t minutes = read_colon_part(r, at + n, 60, seconds);
    return minutes > at + n ? read_colon_part(r, minutes, 1, seconds) : minutes;
}

static ptrdiff_t read_local_offset(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    int32_t seconds = 0;
    if (!has_prefix(r, at, "GMT", 3))
        return NO_MATCH;
    at += 3;
    if (at == r->len || (r->text[at] != '+' && r->text[at] != '-'))
        return set_offset(r, 0, at);
    bool is_negative = r->text[at] == '-';
    ptrdiff_t end =
        part->style == TIME_FULL ? read_full_offset(r, at + 1, &seconds) : read_short_offset(r, at + 1, &seconds);
    return end < 0 ? end : set_offset(r, is_negative ? -seconds : seconds, end);
}

static ptrdiff_t set_zone(struct reader *r, struct time_zone zone, ptrdiff_t end)
{
    r->fields.has_zone = true;
    r->fields.zone = zone;
    return end;
}

/* A zone that is an offset, maybe behind "UTC", "UT" or "GMT", which stand for no offset if none follows. */
static ptrdiff_t read_fixed_zone(struct reader *r, ptrdiff_t at, ptrdiff_t prefix_len)
{
    static const struct time_offset_form form = { true, TIME_OFFSET_MUST, TIME_OFFSET_MAY };
    ptrdiff_t from = at + prefix_len;
    struct time_zone zone = TIME_ZONE_UTC;
    bool bad = false;
    size_t n = time_offset_read(r->text + from, (size_t)(r->len - from), form, &zone.offset_s, &bad);
    if (bad)
        return STOP;
    if (n == 0)
        return prefix_len == 0 ? NO_MATCH : set_zone(r, TIME_ZONE_UTC, from);
    if (zone.offset_s < -TIME_OFFSET_MAX || zone.offset_s > TIME_OFFSET_MAX)
        return NO_MATCH;
    return set_zone(r, zone, from + (ptrdiff_t)n);
}

/* Names of the system's table that Java does not have: old abbreviations, which are no places. */
static bool is_known_to_java(const char *name)
{
    static const char *const unknown[] = { "EST", "HST", "MST", "ROC" };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        if (strcmp(name, unknown[i]) == 0)
            return false;
    }
    return true;
}

/* The longest id or, if asked for, name of a zone. */
static ptrdiff_t read_place(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    const struct tz_zones *zones = tz_zones_system();
    const char *text = r->text + at;
    size_t len = (size_t)(r->len - at), used = 0;
    if (!zones)
        return NO_MATCH;
    const struct tz_named *place = tz_zones_longest(zones, text, len);
    if (place && !is_known_to_java(place->name))
        place = NULL;
    size_t id_len = place ? strlen(place->name) : 0;
    const char *name = part->kind == TIME_ZONE_NAME ? time_zone_name_read(text, len, part->style, &used) : NULL;
    if (name && used >= id_len) { /* "CET" is both */
        place = tz_zones_find(zones, name, strlen(name));
        id_len = used;
    }
    if (!place)
        return *text == 'Z' ? set_zone(r, TIME_ZONE_UTC, at + 1) : NO_MATCH;
    return set_zone(r, (struct time_zone) { .place = place }, at + (ptrdiff_t)id_len);
}

static ptrdiff_t read_zone(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    if (at == r->len)
        return NO_MATCH;
    if (r->text[at] == '+' || r->text[at] == '-')
        return read_fixed_zone(r, at, 0);
    if (has_prefix(r, at, "UT", 2))
        return read_fixed_zone(r, at, has_prefix(r, at, "UTC", 3) ? 3 : 2);
    if (has_prefix(r, at, "GMT0", 4))
        return set_zone(r, TIME_ZONE_UTC, at + 4);
    if (has_prefix(r, at, "GMT", 3))
        return read_fixed_zone(r, at, 3);
    return read_place(r, part, at);
}

/* --- the list --- */

static ptrdiff_t read_part(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    switch ((enum time_part_kind)part->kind) {
    case TIME_NUMBER:
    case TIME_TWO_DIGIT_YEAR:
        return read_number(r, part, at);
    case TIME_FRACTION:
        return read_fraction(r, part, at);
    case TIME_NAME:
        return read_name(r, part, at);
    case TIME_OFFSET:
        return read_offset(r, part, at);
    case TIME_LOCAL_OFFSET:
        return read_local_offset(r, part, at);
    case TIME_ZONE_ID:
    case TIME_ZONE_NAME:
        return read_zone(r, part, at);
    case TIME_LITERAL:
        return read_literal(r, part, at);
    case TIME_OPTIONAL:
        break;
    }
    return NO_MATCH;
}

/* The part must fill its width to the end, spaces in front. */
static ptrdiff_t read_padded(struct reader *r, const struct time_part *part, ptrdiff_t at)
{
    ptrdiff_t whole = r->len, end = at + part->pad;
    if (end > whole)
        return NO_MATCH;
    while (at < end && r->text[at] == ' ')
        at++;
    r->len = end;
    at = read_part(r, part, at);
    r->len = whole;
    return at == end || at == STOP ? at : NO_MATCH;
}

/* Parts from one index up to another. Recursion: sections inside sections, at most TIME_OPTIONAL_DEPTH. */
static ptrdiff_t read_parts(struct reader *r, uint16_t i, uint16_t end, ptrdiff_t at)
{
    while (i < end && at >= 0) {
        const struct time_part *part = &r->list->parts[i++];
        if (part->kind != TIME_OPTIONAL) {
            at = part->pad > 0 ? read_padded(r, part, at) : read_part(r, part, at);
            continue;
        }
        struct time_fields before = r->fields;
        ptrdiff_t after = read_parts(r, i, part->end, at);
        if (after == NO_MATCH)
            r->fields = before;
        else
            at = after;
        i = part->end;
    }
    return at;
}

bool time_parse(const char *text, size_t text_len, const char *pattern, size_t pattern_len, int64_t *millis)
{
    struct time_pattern list;
    if (text_len > PTRDIFF_MAX || !time_pattern_compile(&list, pattern, pattern_len))
        return false;
    struct reader r = { .list = &list, .text = text, .len = (ptrdiff_t)text_len };
    return read_parts(&r, 0, list.count, 0) == r.len && time_resolve(&r.fields, millis);
}
