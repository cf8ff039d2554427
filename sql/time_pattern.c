/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that follow one another without anything between ("yyyyMMdd"): the first takes what the others, of fixed width,
 * leave over. So a part remembers how many digits follow it; `open` is the number that may still get followers. */
#include "sql/time_pattern.h"

#include <string.h>

#define DIGITS_MAX 19
#define NONE       UINT16_MAX

struct compiler {
    struct time_pattern *list;
    const char *p, *end;
    uint16_t open; /* the number before, or NONE */
    uint16_t pad;  /* of the next part */
    uint16_t optional[TIME_OPTIONAL_DEPTH];
    uint16_t depth;
};

/* --- parts --- */

static bool add(struct compiler *c, struct time_part part)
{
    if (c->list->count == TIME_PARTS_MAX)
        return false;
    part.pad = c->pad;
    c->pad = 0;
    c->open = NONE;
    c->list->parts[c->list->count++] = part;
    return true;
}

/* A number that may stand directly beside others. Behind a padded one Java fails. */
static bool add_number(struct compiler *c, struct time_part part)
{
    bool is_fixed = part.min == part.max && part.sign == TIME_SIGN_NONE;
    uint16_t open = c->open;
    if (open != NONE && c->list->parts[open].pad > 0)
        return false;
    if (!add(c, part))
        return false;
    c->open = (uint16_t)(c->list->count - 1);
    if (open != NONE && is_fixed) {
        c->list->parts[open].follow = (uint16_t)(c->list->parts[open].follow + part.max);
        c->open = open;
    } else if (open != NONE) {
        c->list->parts[open].follow = 0;
    }
    return true;
}

static bool add_digits(struct compiler *c, enum time_field field, size_t min, size_t max, enum time_sign sign)
{
    if (min > max || max > DIGITS_MAX)
        return false;
    return add_number(c, (struct time_part) { .kind = TIME_NUMBER,
                                              .field = (uint8_t)field,
                                              .min = (uint8_t)min,
                                              .max = (uint8_t)max,
                                              .sign = (uint8_t)sign });
}

static bool add_name(struct compiler *c, enum time_field field, const struct time_names *names, enum time_style style)
{
    return add(
        c, (struct time_part) { .kind = TIME_NAME, .field = (uint8_t)field, .names = names, .style = (uint8_t)style });
}

/* --- what letters mean, by how many there are --- */

struct letter {
    char letter;
    uint8_t field;
    bool (*compile)(struct compiler *c, const struct letter *letter, size_t count);
    const struct time_names *names;
};

/* One: as many digits as there are; two: two. */
static bool compile_number(struct compiler *c, const struct letter *letter, size_t count)
{
    if (count == 1)
        return add_digits(c, letter->field, 1, DIGITS_MAX, TIME_SIGN_MINUS);
    return count == 2 && add_digits(c, letter->field, 2, 2, TIME_SIGN_NONE);
}

static bool compile_single(struct compiler *c, const struct letter *letter, size_t count)
{
    return count == 1 && compile_number(c, letter, count);
}

static bool compile_day_of_year(struct compiler *c, const struct letter *letter, size_t count)
{
    if (count == 1)
        return compile_number(c, letter, count);
    return add_digits(c, letter->field, count, 3, TIME_SIGN_NONE);
}

static bool compile_year(struct compiler *c, const struct letter *letter, size_t count)
{
    if (count == 2)
        return add_number(
            c, (struct time_part) { .kind = TIME_TWO_DIGIT_YEAR, .field = letter->field, .min = 2, .max = 2 });
    return add_digits(c, letter->field, count, DIGITS_MAX, count < 4 ? TIME_SIGN_MINUS : TIME_SIGN_BOTH);
}

static bool compile_long(struct compiler *c, const struct letter *letter, size_t count)
{
    return add_digits(c, letter->field, count, DIGITS_MAX, TIME_SIGN_NONE);
}

static bool compile_signed_long(struct compiler *c, const struct letter *letter, size_t count)
{
    return add_digits(c, letter->field, count, DIGITS_MAX, TIME_SIGN_MINUS);
}

static bool compile_fraction(struct compiler *c, const struct letter *letter, size_t count)
{
    return count <= 9 && add_number(c, (struct time_part) { .kind = TIME_FRACTION,
                                                            .field = letter->field,
                                                            .min = (uint8_t)count,
                                                            .max = (uint8_t)count });
}

/* From three letters on names: short, full, narrow. */
static bool compile_name_from_three(struct compiler *c, const struct letter *letter, size_t count)
{
    return count >= 3 && count <= 5 && add_name(c, letter->field, letter->names, (enum time_style)(count - 3));
}

static bool compile_number_or_name(struct compiler *c, const struct letter *letter, size_t count)
{
    return count <= 2 ? compile_number(c, letter, count) : compile_name_from_three(c, letter, count);
}

static bool compile_name(struct compiler *c, const struct letter *letter, size_t count)
{
    return compile_name_from_three(c, letter, count < 3 ? 3 : count);
}

static bool compile_half(struct compiler *c, const struct letter *letter, size_t count)
{
    return count == 1 && compile_name(c, letter, count);
}

static bool compile_local_day(struct compiler *c, const struct letter *letter, size_t count)
{
    if (count > 2)
        return count <= 5 && add_name(c, TIME_DAY_OF_WEEK, letter->names, (enum time_style)(count - 3));
    return (count == 1 || letter->letter == 'e') && add_digits(c, letter->field, count, count, TIME_SIGN_NONE);
}

/* Two digits at most; but the number counts as of fixed width only if its letters are two. */
static bool compile_week(struct compiler *c, const struct letter *letter, size_t count)
{
    return count <= 2 && add_digits(c, letter->field, count, 2, TIME_SIGN_NONE);
}

static bool compile_week_of_month(struct compiler *c, const struct letter *letter, size_t count)
{
    return count == 1 && add_digits(c, letter->field, 1, 1, TIME_SIGN_NONE);
}

static bool add_offset(struct compiler *c, struct time_offset_form form, const char *zero)
{
    return add(c, (struct time_part) { .kind = TIME_OFFSET, .field = TIME_OFFSET_SECONDS, .form = form, .zero = zero });
}

static bool add_local_offset(struct compiler *c, enum time_style style)
{
    return add(c,
               (struct time_part) { .kind = TIME_LOCAL_OFFSET, .field = TIME_OFFSET_SECONDS, .style = (uint8_t)style });
}

/* X and x: "+HHmm", "+HHMM", "+HH:MM", "+HHMMss", "+HH:MM:ss", where small letters may be missing. */
static bool compile_offset(struct compiler *c, const struct letter *letter, size_t count)
{
    static const char *const zeros[] = { "+00", "+0000", "+00:00", "+0000", "+00:00" };
    if (count > 5)
        return false;
    struct time_offset_form form = {
        .colons = count == 3 || count == 5,
        .minutes = count == 1 ? TIME_OFFSET_MAY : TIME_OFFSET_MUST,
        .seconds = count >= 4 ? TIME_OFFSET_MAY : TIME_OFFSET_NONE,
    };
    return add_offset(c, form, letter->letter == 'X' ? "Z" : zeros[count - 1]);
}

static bool compile_old_offset(struct compiler *c, const struct letter *letter, size_t count)
{
    (void)letter;
    if (count == 4)
        return add_local_offset(c, TIME_FULL);
    struct time_offset_form form = {
        .colons = count == 5,
        .minutes = TIME_OFFSET_MUST,
        .seconds = count == 5 ? TIME_OFFSET_MAY : TIME_OFFSET_NONE,
    };
    return count <= 5 && add_offset(c, form, count == 5 ? "Z" : "+0000");
}

static bool compile_local_offset(struct compiler *c, const struct letter *letter, size_t count)
{
    (void)letter;
    return (count == 1 || count == 4) && add_local_offset(c, count == 4 ? TIME_FULL : TIME_SHORT);
}

static bool compile_zone_id(struct compiler *c, const struct letter *letter, size_t count)
{
    (void)letter;
    return count == 2 && add(c, (struct time_part) { .kind = TIME_ZONE_ID });
}

static bool compile_zone_name(struct compiler *c, const struct letter *letter, size_t count)
{
    if (count > 4 || (letter->letter == 'v' && (count == 2 || count == 3)))
        return false;
    return add(c, (struct time_part) { .kind = TIME_ZONE_NAME, .style = count == 4 ? TIME_FULL : TIME_SHORT });
}

/* clang-format off */
static const struct letter letters[] = {
    { 'A', TIME_MILLI_OF_DAY, compile_long, NULL },
    { 'D', TIME_DAY_OF_YEAR, compile_day_of_year, NULL },
    { 'E', TIME_DAY_OF_WEEK, compile_name, &time_days },
    { 'F', TIME_ALIGNED_DAY, compile_single, NULL },
    { 'G', TIME_ERA, compile_name, &time_eras },
    { 'H', TIME_HOUR, compile_number, NULL },
    { 'K', TIME_HALF_HOUR, compile_number, NULL },
    { 'L', TIME_MONTH, compile_number_or_name, &time_months },
    { 'M', TIME_MONTH, compile_number_or_name, &time_months },
    { 'N', TIME_NANO_OF_DAY, compile_long, NULL },
    { 'O', TIME_OFFSET_SECONDS, compile_local_offset, NULL },
    { 'Q', TIME_QUARTER, compile_number_or_name, &time_quarters },
    { 'S', TIME_NANO, compile_fraction, NULL },
    { 'V', 0, compile_zone_id, NULL },
    { 'W', TIME_WEEK_OF_MONTH, compile_week_of_month, NULL },
    { 'X', TIME_OFFSET_SECONDS, compile_offset, NULL },
    { 'Y', TIME_WEEK_YEAR, compile_year, NULL },
    { 'Z', TIME_OFFSET_SECONDS, compile_old_offset, NULL },
    { 'a', TIME_HALF, compile_half, &time_halves },
    { 'c', TIME_LOCAL_DAY_OF_WEEK, compile_local_day, &time_days },
    { 'd', TIME_DAY_OF_MONTH, compile_number, NULL },
    { 'e', TIME_LOCAL_DAY_OF_WEEK, compile_local_day, &time_days },
    { 'g', TIME_MODIFIED_JULIAN_DAY, compile_signed_long, NULL },
    { 'h', TIME_HALF_CLOCK_HOUR, compile_number, NULL },
    { 'k', TIME_CLOCK_HOUR, compile_number, NULL },
    { 'm', TIME_MINUTE, compile_number, NULL },
    { 'n', TIME_NANO, compile_long, NULL },
    { 'q', TIME_QUARTER, compile_number_or_name, &time_quarters },
    { 's', TIME_SECOND, compile_number, NULL },
    { 'u', TIME_YEAR, compile_year, NULL },
    { 'v', 0, compile_zone_name, NULL },
    { 'w', TIME_WEEK, compile_week, NULL },
    { 'x', TIME_OFFSET_SECONDS, compile_offset, NULL },
    { 'y', TIME_YEAR_OF_ERA, compile_year, NULL },
    { 'z', 0, compile_zone_name, NULL },
};
/* clang-format on */

/* --- the pattern --- */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Steps over a run of one letter; returns its length. */
static size_t take_run(struct compiler *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p == *start)
        c->p++;
    return (size_t)(c->p - start);
}

static bool compile_letters(struct compiler *c)
{
    char letter = *c->p;
    size_t count = take_run(c);
    if (letter == 'p') { /* pads what follows */
        if (c->p == c->end || !is_letter(*c->p))
            return false;
        c->pad = (uint16_t)count;
        c->open = NONE;
        letter = *c->p;
        count = take_run(c);
    }
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == letter)
            return letters[i].compile(c, &letters[i], count);
    }
    return false;
}

static bool add_literal(struct compiler *c, const char *text, size_t len)
{
    return add(c, (struct time_part) { .kind = TIME_LITERAL, .literal = text, .literal_len = len });
}

/* Up to the closing quote. Two quotes inside stand for one; so a literal ends with the first of them, and the next begins behind
 * the second. Nothing between the quotes stands for a quote as well. */
static bool compile_quoted(struct compiler *c)
{
    const char *first = ++c->p, *start = first;
    while (c->p < c->end) {
        if (*c->p++ != '\'')
            continue;
        bool is_end = c->p == c->end || *c->p != '\'';
        size_t len = (size_t)(c->p - start);
        if (is_end && c->p == first + 1)
            return add_literal(c, first, 1);
        if (is_end)
            return len == 1 || add_literal(c, start, len - 1);
        if (!add_literal(c, start, len))
            return false;
        start = ++c->p;
    }
    return false;
}

static bool open_optional(struct compiler *c)
{
    c->p++;
    if (c->depth == TIME_OPTIONAL_DEPTH || !add(c, (struct time_part) { .kind = TIME_OPTIONAL }))
        return false;
    c->optional[c->depth++] = (uint16_t)(c->list->count - 1);
    return true;
}

static void close_optional(struct compiler *c)
{
    c->open = NONE;
    c->list->parts[c->optional[--c->depth]].end = c->list->count;
}

static bool compile_sign(struct compiler *c)
{
    switch (*c->p) {
    case '\'':
        return compile_quoted(c);
    case '[':
        return open_optional(c);
    case ']':
        if (c->depth == 0)
            return false;
        c->p++;
        close_optional(c);
        return true;
    case '{':
    case '}':
    case '#':
        return false;
    default:
        return add_literal(c, c->p++, 1);
    }
}

bool time_pattern_compile(struct time_pattern *list, const char *pattern, size_t len)
{
    struct compiler c = { .list = list, .p = pattern, .end = pattern + len, .open = NONE };
    list->count = 0;
    if (len > TIME_PATTERN_MAX)
        return false;
    while (c.p < c.end) {
        if (!(is_letter(*c.p) ? compile_letters(&c) : compile_sign(&c)))
            return false;
    }
    while (c.depth > 0) /* what is not closed ends with the pattern */
        close_optional(&c);
    return true;
}
