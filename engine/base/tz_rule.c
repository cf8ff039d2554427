/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/tz_rule.h"

#include <string.h>

#include "engine/base/civil.h"

#define HOURS_MAX        167 /* of a time of change, in either direction */
#define OFFSET_HOURS_MAX 25
#define CHANGE_DEFAULT_S (2 * 3600)

struct reader {
    const char *p, *end;
};

/* --- reading --- */

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One to three digits, at most max. */
static bool read_number(struct reader *r, int max, int *v)
{
    const char *start = r->p;
    *v = 0;
    while (r->p < r->end && is_digit(*r->p) && r->p - start < 3)
        *v = *v * 10 + (*r->p++ - '0');
    return r->p > start && *v <= max;
}

/* Three letters or more, or letters, digits and signs in <>. */
static bool read_name(struct reader *r, char *name)
{
    bool is_quoted = take(r, '<');
    size_t len = 0;
    while (r->p < r->end && (is_letter(*r->p) || (is_quoted && (is_digit(*r->p) || *r->p == '+' || *r->p == '-')))) {
        if (len == TZ_ABBREVIATION_MAX)
            return false;
        name[len++] = *r->p++;
    }
    name[len] = '\0';
    return len >= 3 && (!is_quoted || take(r, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct reader *r, int hours_max, int32_t *seconds)
{
    int hours, minutes = 0, rest = 0;
    bool is_negative = take(r, '-');
    if (!is_negative)
        take(r, '+');
    if (!read_number(r, hours_max, &hours))
        return false;
    if (take(r, ':')) {
        if (!read_number(r, 59, &minutes) || (take(r, ':') && !read_number(r, 59, &rest)))
            return false;
    }
    *seconds = (hours * 60 + minutes) * 60 + rest;
    if (is_negative)
        *seconds = -*seconds;
    return true;
}

/* The offset in this form is what must be added to get UTC. */
static bool read_offset(struct reader *r, struct tz_type *type)
{
    int32_t seconds;
    if (!read_time(r, OFFSET_HOURS_MAX, &seconds))
        return false;
    type->offset_s = -seconds;
    return true;
}

static bool read_day(struct reader *r, struct tz_change *change)
{
    if (take(r, 'M')) {
        change->kind = TZ_DAY_OF_MONTH;
        return read_number(r, 12, &change->month) && change->month >= 1 && take(r, '.') &&
               read_number(r, 5, &change->week) && change->week >= 1 && take(r, '.') && read_number(r, 6, &change->day);
    }
    change->kind = take(r, 'J') ? TZ_DAY_JULIAN : TZ_DAY_OF_YEAR;
    return read_number(r, 365, &change->day) && (change->kind == TZ_DAY_OF_YEAR || change->day >= 1);
}

static bool read_change(struct reader *r, struct tz_change *change)
{
    change->time_s = CHANGE_DEFAULT_S;
    return take(r, ',') && read_day(r, change) && (!take(r, '/') || read_time(r, HOURS_MAX, &change->time_s));
}

bool tz_rule_parse(struct tz_rule *rule, const char *s, size_t len)
{
    struct reader r = { .p = s, .end = s + len };
    *rule = (struct tz_rule) { 0 };
    if (!read_name(&r, rule->standard.abbreviation) || !read_offset(&r, &rule->standard))
        return false;
    if (r.p == r.end)
        return true;
    rule->has_daylight = rule->daylight.is_dst = true;
    rule->daylight.offset_s = rule->standard.offset_s + 3600;
    return read_name(&r, rule->daylight.abbreviation) &&
           ((r.p < r.end && *r.p == ',') || read_offset(&r, &rule->daylight)) && read_change(&r, &rule->to_daylight) &&
           read_change(&r, &rule->to_standard) && r.p == r.end;
}

/* --- using --- */

static int64_t day_of_change(const struct tz_change *change, int64_t year)
{
    int64_t first;
    switch (change->kind) {
    case TZ_DAY_JULIAN:
        return civil_days(year, 1, change->day) + (civil_is_leap(year) && change->day >= 60);
    case TZ_DAY_OF_YEAR:
        return civil_days(year, 1, 1 + change->day);
    case TZ_DAY_OF_MONTH:
        break;
    }
    first = civil_days(year, change->month, 1);
    int64_t day = 1 + (change->day - civil_weekday(first) + 7) % 7 + 7 * (change->week - 1);
    while (day > civil_month_length(year, change->month))
        day -= 7;
    return first + day - 1;
}

static struct tz_transition transition(const struct tz_change *change, int64_t year, const struct tz_type *before,
                                       const struct tz_type *after)
{
    return (struct tz_transition) {
        .at_s = day_of_change(change, year) * CIVIL_DAY_SECONDS + change->time_s - before->offset_s,
        .before = before,
        .after = after,
    };
}

void tz_rule_transitions(const struct tz_rule *rule, int64_t year, struct tz_transition out[2])
{
    out[0] = transition(&rule->to_daylight, year, &rule->standard, &rule->daylight);
    out[1] = transition(&rule->to_standard, year, &rule->daylight, &rule->standard);
    if (out[1].at_s < out[0].at_s) {
        struct tz_transition first = out[1];
        out[1] = out[0];
        out[0] = first;
    }
}
