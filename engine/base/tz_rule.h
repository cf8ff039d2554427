/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of daylight saving for all years: the POSIX form of the TZ variable, with which a TZif file tells what holds after
 * its last transition ("CET-1CEST,M3.5.0,M10.5.0/3"; RFC 8536 section 3.3 with its extensions: quoted names, times from
 * -167 to 167 hours). Internal to the zone modules. */
#ifndef SLUICE_BASE_TZ_RULE_H
#define SLUICE_BASE_TZ_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TZ_ABBREVIATION_MAX 15
#define TZ_OFFSET_MAX       (26 * 3600 - 1) /* seconds, in either direction */

/* Local time of a kind: standard or daylight saving, between two transitions. */
struct tz_type {
    int32_t offset_s; /* east of UTC */
    bool is_dst;
    char abbreviation[TZ_ABBREVIATION_MAX + 1];
};

enum tz_day_kind {
    TZ_DAY_JULIAN,   /* Jn: day 1 to 365, February 29 is never counted */
    TZ_DAY_OF_YEAR,  /* n: day 0 to 365 */
    TZ_DAY_OF_MONTH, /* Mm.w.d: d-th weekday (0 Sunday) of week w (5: the last) of month m */
};

struct tz_change {
    enum tz_day_kind kind;
    int month, week, day;
    int32_t time_s; /* after local midnight; negative is the day before */
};

struct tz_rule {
    struct tz_type standard, daylight;
    bool has_daylight; /* else standard time all year, and no changes */
    struct tz_change to_daylight, to_standard;
};

/* A change of offset at an instant (seconds since 1970). */
struct tz_transition {
    int64_t at_s;
    const struct tz_type *before, *after;
};

/* Read the POSIX form. Rules without dates ("EST5EDT") are refused: a file's footer always has them. */
bool tz_rule_parse(struct tz_rule *rule, const char *s, size_t len);
/* The two transitions of a year in order of time; only of rules with daylight saving. */
void tz_rule_transitions(const struct tz_rule *rule, int64_t year, struct tz_transition out[2]);

#endif
