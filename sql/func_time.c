/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of time (spec 3.6). */
#include "sql/funcs_int.h"
#include "sql/time_format.h"
#include "sql/time_parse.h"

/* A pattern is read anew in each call. */
#define PATTERN_BYTE_STEPS 3

static bool arg_pattern(struct sql_call *c, uint32_t i, struct sql_text *pattern)
{
    if (!sql_arg_text(c, i, pattern))
        return false;
    sql_charge(c, PATTERN_BYTE_STEPS * pattern->len);
    return true;
}

/* Exact: an instant beyond 64 bits is none. */
static bool arg_millis(struct sql_call *c, uint32_t i, int64_t *millis)
{
    struct num n;
    struct val whole = val_to_int(c->args[i], c->version, c->arena);
    return whole.kind == VAL_INT && val_num(whole, &n) && num_to_i64(&n, millis);
}

static bool arg_zone(struct sql_call *c, uint32_t i, struct time_zone *zone)
{
    struct sql_text id;
    *zone = TIME_ZONE_UTC;
    return i >= c->count || (sql_arg_text(c, i, &id) && time_zone_find(zone, id.s, id.len));
}

void fn_parse_time(struct sql_call *c)
{
    struct sql_text pattern;
    struct time_zone zone;
    int64_t millis;
    char text[TIME_TEXT_MAX + 1];
    struct buf out = { .p = text, .cap = sizeof(text), .max = TIME_TEXT_MAX };
    if (!arg_pattern(c, 0, &pattern) || !arg_millis(c, 1, &millis) || !arg_zone(c, 2, &zone) ||
        !time_format(&out, pattern.s, pattern.len, millis, zone) || out.failed)
        return;
    const char *copy = arena_strndup(c->arena, text, out.len);
    if (copy)
        c->result = sql_text_of_bytes(copy, out.len, c->arena);
}

void fn_time_to_epoch(struct sql_call *c)
{
    struct sql_text text, pattern;
    int64_t millis;
    if (sql_arg_text(c, 0, &text) && arg_pattern(c, 1, &pattern) &&
        time_parse(text.s, text.len, pattern.s, pattern.len, &millis))
        c->result = val_i64(millis);
}
