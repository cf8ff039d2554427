/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of the JDK's DateTimeFormatter (version 11) as a list of what a text must consist of (spec 3.6). Internal to
 * time_pattern.c and time_parse.c.
 *
 * A list is made for each use, on the stack: that costs less than to find it in a cache. */
#ifndef SLUICE_SQL_TIME_PATTERN_H
#define SLUICE_SQL_TIME_PATTERN_H

#include "sql/time_fields.h"
#include "sql/time_format.h"
#include "sql/time_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_OPTIONAL_DEPTH 32 /* of "[" inside "[" */
#define TIME_PARTS_MAX      TIME_PATTERN_MAX

enum time_part_kind {
    TIME_NUMBER,
    TIME_TWO_DIGIT_YEAR, /* 2000 to 2099 */
    TIME_FRACTION,       /* of a second */
    TIME_NAME,
    TIME_OFFSET,       /* "+01:00" */
    TIME_LOCAL_OFFSET, /* "GMT+1" */
    TIME_ZONE_ID,
    TIME_ZONE_NAME, /* or id */
    TIME_LITERAL,
    TIME_OPTIONAL, /* the parts up to `end`, or nothing */
};

enum time_sign {
    TIME_SIGN_NONE,
    TIME_SIGN_MINUS,
    TIME_SIGN_BOTH /* plus only, and always, if the width is exceeded */
};

struct time_part {
    uint8_t kind;        /* enum time_part_kind */
    uint8_t field;       /* enum time_field */
    uint8_t min, max;    /* digits of a number */
    uint8_t sign;        /* enum time_sign */
    uint8_t style;       /* enum time_style */
    uint16_t pad;        /* width that spaces in front fill up; 0: none */
    uint16_t follow;     /* digits of numbers that follow directly and are of fixed width */
    uint16_t end;        /* of TIME_OPTIONAL: index after its last part */
    const char *zero;    /* of TIME_OFFSET: what stands for no offset */
    const char *literal; /* in the pattern */
    size_t literal_len;
    struct time_offset_form form;
    const struct time_names *names;
};

struct time_pattern {
    struct time_part parts[TIME_PARTS_MAX];
    uint16_t count;
};

/* Borrows the pattern. False if Java would refuse it, or a bound is passed. */
bool time_pattern_compile(struct time_pattern *list, const char *pattern, size_t len);

#endif
