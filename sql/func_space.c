/* SPDX-License-Identifier: Apache-2.0 */
/* String functions that take white space away or add it (spec 3.2). */
#include "sql/funcs_int.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(struct sql_call *c, bool left, bool right)
{
    struct sql_text s;
    if (!sql_arg_text(c, 0, &s))
        return;
    size_t begin = 0, end = s.len;
    while (left && begin < end && is_space(s.s[begin]))
        begin++;
    while (right && end > begin && is_space(s.s[end - 1]))
        end--;
    c->result = sql_part(&s, begin, end - begin);
}

void fn_trim(struct sql_call *c)
{
    trim(c, true, true);
}

void fn_ltrim(struct sql_call *c)
{
    trim(c, true, false);
}

void fn_rtrim(struct sql_call *c)
{
    trim(c, false, true);
}

#define PAD_MAX 1000 /* spaces that one call adds (spec 3.2) */

static void pad(struct sql_call *c, bool left)
{
    struct sql_text s;
    int64_t given;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_i64(c, 1, &given))
        return;
    size_t spaces = given < 0 ? 0 : given > PAD_MAX ? PAD_MAX : (size_t)given;
    char *text = s.len < UINT32_MAX - PAD_MAX ? arena_alloc(c->arena, s.len + spaces) : NULL;
    if (!text)
        return;
    memset(text + (left ? 0 : s.len), ' ', spaces);
    memcpy(text + (left ? spaces : 0), s.s, s.len);
    c->result = val_string(text, s.len + spaces);
    c->result.exp = s.plain;
}

void fn_lpad(struct sql_call *c)
{
    pad(c, true);
}

void fn_rpad(struct sql_call *c)
{
    pad(c, false);
}
