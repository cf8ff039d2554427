/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern is runs of one letter each, whose length says how much is written, and text between them; text in single quotes
 * may hold letters. A row of `letters` says what a letter stands for. */
#include "sql/time_format.h"

#include <string.h>

#include "engine/base/civil.h"
#include "sql/time_names.h"

#define UTC "UTC"

struct moment {
    struct time_zone zone;
    int64_t utc_s;
    int32_t offset_s;
    int64_t days; /* local */
    struct civil_date date;
    int second, millis; /* of the local day, of the second */
};

typedef void write_fn(struct buf *out, const struct moment *t, size_t count);

/* --- what the letters write --- */

/* At least `width` digits, behind the sign. */
static void put_number(struct buf *out, int64_t v, size_t width)
{
    char digits[24];
    size_t n = 0;
    uint64_t magnitude = v < 0 ? (uint64_t)-v : (uint64_t)v;
    do {
        digits[n++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (v < 0)
        buf_putc(out, '-');
    for (size_t i = n; i < width; i++)
        buf_putc(out, '0');
    while (n > 0)
        buf_putc(out, digits[--n]);
}

static void put_name(struct buf *out, const struct time_names *names, enum time_style style, int v)
{
    buf_puts(out, names->names[style][v - names->first]);
}

/* Two letters give the last two digits. */
static void put_year(struct buf *out, int64_t year, size_t count)
{
    if (count == 2)
        put_number(out, (year < 0 ? -year : year) % 100, 2);
    else
        put_number(out, year, count);
}

static void write_era(struct buf *out, const struct moment *t, size_t count)
{
    (void)count;
    put_name(out, &time_eras, TIME_SHORT, t->date.year > 0);
}

static void write_century(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, (t->date.year < 0 ? -t->date.year : t->date.year) / 100, count);
}

static void write_year(struct buf *out, const struct moment *t, size_t count)
{
    put_year(out, t->date.year, count);
}

/* Joda takes the last two digits from the year, not from the year of the era. */
static void write_year_of_era(struct buf *out, const struct moment *t, size_t count)
{
    put_year(out, count == 2 || t->date.year > 0 ? t->date.year : 1 - t->date.year, count);
}

static void write_week_year(struct buf *out, const struct moment *t, size_t count)
{
    put_year(out, civil_week_of(t->days, CIVIL_WEEKS_ISO).year, count);
}

static void write_week(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, civil_week_of(t->days, CIVIL_WEEKS_ISO).week, count);
}

static void write_weekday(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, civil_weekday(t->days), count);
}

static void write_weekday_name(struct buf *out, const struct moment *t, size_t count)
{
    put_name(out, &time_days, count >= 4 ? TIME_FULL : TIME_SHORT, civil_weekday(t->days));
}

static void write_day_of_year(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, civil_day_of_year(t->days), count);
}

static void write_month(struct buf *out, const struct moment *t, size_t count)
{
    if (count >= 3)
        put_name(out, &time_months, count >= 4 ? TIME_FULL : TIME_SHORT, t->date.month);
    else
        put_number(out, t->date.month, count);
}

static void write_day(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, t->date.day, count);
}

static int hour_of(const struct moment *t)
{
    return t->second / 3600;
}

/* A clock that shows `hours` where others show 0. */
static int clock_hour(int hour, int hours)
{
    return hour % hours == 0 ? hours : hour % hours;
}

static void write_half(struct buf *out, const struct moment *t, size_t count)
{
    (void)count;
    put_name(out, &time_halves, TIME_SHORT, hour_of(t) >= 12);
}

static void write_hour(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, hour_of(t), count);
}

static void write_clock_hour(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, clock_hour(hour_of(t), 24), count);
}

static void write_half_hour(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, hour_of(t) % 12, count);
}

static void write_half_clock_hour(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, clock_hour(hour_of(t), 12), count);
}

static void write_minute(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, t->second / 60 % 60, count);
}

static void write_second(struct buf *out, const struct moment *t, size_t count)
{
    put_number(out, t->second % 60, count);
}

/* As many digits behind the point, cut off, not rounded. */
static void write_fraction(struct buf *out, const struct moment *t, size_t count)
{
    int rest = t->millis;
    for (size_t i = 0; i < count; i++) {
        buf_putc(out, (char)('0' + rest / 100));
        rest = rest % 100 * 10;
    }
}

/* --- zones --- */

static void put_offset(struct buf *out, int32_t offset_s, const char *separator, bool with_seconds)
{
    int32_t magnitude = offset_s < 0 ? -offset_s : offset_s;
    buf_putc(out, offset_s < 0 ? '-' : '+');
    put_number(out, magnitude / 3600, 2);
    buf_puts(out, separator);
    put_number(out, magnitude / 60 % 60, 2);
    if (with_seconds && magnitude % 60 != 0) {
        buf_puts(out, separator);
        put_number(out, magnitude % 60, 2);
    }
}

static void put_zone_id(struct buf *out, struct time_zone zone)
{
    if (zone.place)
        buf_puts(out, zone.place->name);
    else if (zone.offset_s == 0)
        buf_puts(out, UTC);
    else
        put_offset(out, zone.offset_s, ":", true);
}

/* What has no name is written as its offset. */
static void put_zone_name(struct buf *out, const struct moment *t, bool is_long)
{
    const char *id = t->zone.place ? t->zone.place->name : UTC;
    const char *abbreviation = t->zone.place ? tz_zone_at(t->zone.place->zone, t->utc_s)->abbreviation : UTC;
    if (!t->zone.place && t->zone.offset_s != 0) {
        put_offset(out, t->offset_s, ":", true);
        return;
    }
    const struct time_zone_name *name = time_zone_name_at(id, abbreviation, t->offset_s);
    if (name)
        buf_puts(out, is_long ? name->name : name->abbreviation);
    else if (abbreviation[0] == '+' || abbreviation[0] == '-')
        put_offset(out, t->offset_s, ":", true);
    else
        buf_puts(out, abbreviation);
}

static void write_zone_name(struct buf *out, const struct moment *t, size_t count)
{
    put_zone_name(out, t, count >= 4);
}

static void write_zone(struct buf *out, const struct moment *t, size_t count)
{
    if (count >= 3)
        put_zone_id(out, t->zone);
    else
        put_offset(out, t->offset_s, count == 2 ? ":" : "", false);
}

/* --- the pattern --- */

static const struct {
    char letter;
    write_fn *write;
} letters[] = {
    { 'C', write_century },      { 'D', write_day_of_year },
    { 'E', write_weekday_name }, { 'G', write_era },
    { 'H', write_hour },         { 'K', write_half_hour },
    { 'M', write_month },        { 'S', write_fraction },
    { 'Y', write_year_of_era },  { 'Z', write_zone },
    { 'a', write_half },         { 'd', write_day },
    { 'e', write_weekday },      { 'h', write_half_clock_hour },
    { 'k', write_clock_hour },   { 'm', write_minute },
    { 's', write_second },       { 'w', write_week },
    { 'x', write_week_year },    { 'y', write_year },
    { 'z', write_zone_name },
};

static write_fn *find_letter(char letter)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == letter)
            return letters[i].write;
    }
    return NULL;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The text up to the next letter that is not quoted. A quote that is not closed quotes all that follows. */
static const char *write_text(struct buf *out, const char *p, const char *end)
{
    bool is_quoted = false;
    for (; p < end && (is_quoted || !is_letter(*p)); p++) {
        if (*p != '\'') {
            buf_putc(out, *p);
        } else if (end - p > 1 && p[1] == '\'') {
            buf_putc(out, '\'');
            p++;
        } else {
            is_quoted = !is_quoted;
        }
    }
    return p;
}

static struct moment moment_of(int64_t millis, struct time_zone zone)
{
    struct moment t = { .zone = zone, .utc_s = civil_floor_div(millis, 1000) };
    t.millis = (int)civil_floor_mod(millis, 1000);
    t.offset_s = time_zone_offset(zone, t.utc_s);
    int64_t local_s = t.utc_s + t.offset_s;
    t.days = civil_floor_div(local_s, CIVIL_DAY_SECONDS);
    t.second = (int)civil_floor_mod(local_s, CIVIL_DAY_SECONDS);
    t.date = civil_date_of(t.days);
    return t;
}

bool time_format(struct buf *out, const char *pattern, size_t len, int64_t millis, struct time_zone zone)
{
    struct moment t = moment_of(millis, zone);
    const char *p = pattern, *end = pattern + len;
    if (len == 0 || len > TIME_PATTERN_MAX)
        return false;
    while (p < end) {
        const char *start = p;
        if (!is_letter(*p)) {
            p = write_text(out, p, end);
            continue;
        }
        while (p < end && *p == *start)
            p++;
        write_fn *write = find_letter(*start);
        if (!write)
            return false;
        write(out, &t, (size_t)(p - start));
    }
    return true;
}
