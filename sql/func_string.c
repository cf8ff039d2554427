/* SPDX-License-Identifier: Apache-2.0 */
/* String functions (spec 3.2). Positions and lengths count characters (Unicode code points). Results that are a part
 * of an argument refer to it. White space is in func_space.c. */
#include "sql/funcs_int.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>

#include "engine/base/utf8.h"

/* --- comparing and searching --- */

void fn_startswith(struct sql_call *c)
{
    struct sql_text s, t;
    if (sql_arg_text(c, 0, &s) && sql_arg_text(c, 1, &t))
        c->result = val_bool(t.len <= s.len && memcmp(s.s, t.s, t.len) == 0);
}

void fn_endswith(struct sql_call *c)
{
    struct sql_text s, t;
    if (sql_arg_text(c, 0, &s) && sql_arg_text(c, 1, &t))
        c->result = val_bool(t.len <= s.len && memcmp(s.s + s.len - t.len, t.s, t.len) == 0);
}

void fn_indexof(struct sql_call *c)
{
    struct sql_text s, t;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &t))
        return;
    sql_charge(c, s.len / 2);
    const char *found = memmem(s.s, s.len, t.s, t.len);
    c->result = val_i64(found ? (int64_t)utf8_count(s.s, (size_t)(found - s.s)) : -1);
}

void fn_length(struct sql_call *c)
{
    struct sql_text s;
    if (sql_arg_text(c, 0, &s))
        c->result = val_i64((int64_t)utf8_count(s.s, s.len));
}

void fn_numbytes(struct sql_call *c)
{
    struct sql_text s;
    if (sql_arg_text(c, 0, &s))
        c->result = val_i64((int64_t)s.len);
}

/* --- parts --- */

static size_t offset_of(const struct sql_text *text, int64_t character)
{
    if (character <= 0)
        return 0;
    return (uint64_t)character >= text->len ? text->len : utf8_offset(text->s, text->len, (size_t)character);
}

void fn_substring(struct sql_call *c)
{
    struct sql_text s;
    int64_t from, to = INT64_MAX;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_i64(c, 1, &from) || (c->count == 3 && !sql_arg_i64(c, 2, &to)))
        return;
    sql_charge(c, s.len);
    size_t begin = offset_of(&s, from), end = offset_of(&s, to);
    c->result = sql_part(&s, begin, end > begin ? end - begin : 0);
}

/* --- new texts --- */

void fn_chr(struct sql_call *c)
{
    struct num n;
    int64_t code;
    if (!sql_arg_num(c, 0, &n) || !num_floor(&n, &n) || !num_to_i64(&n, &code) || code < 0 || code > 127)
        return;
    char *text = arena_alloc(c->arena, 1);
    if (!text)
        return;
    *text = (char)code;
    c->result = val_string(text, 1);
}

static size_t count_occurrences(const struct sql_text *s, const struct sql_text *t)
{
    size_t count = 0;
    const char *p = s->s, *end = s->s + s->len;
    while ((p = memmem(p, (size_t)(end - p), t->s, t->len))) {
        p += t->len;
        count++;
    }
    return count;
}

static char *put(char *out, const char *s, size_t len)
{
    memcpy(out, s, len);
    return out + len;
}

void fn_replace(struct sql_call *c)
{
    struct sql_text s, t, u;
    size_t grown, size;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &t) || !sql_arg_text(c, 2, &u))
        return;
    sql_charge(c, s.len);
    size_t count = t.len > 0 ? count_occurrences(&s, &t) : 0;
    if (count == 0) {
        c->result = sql_part(&s, 0, s.len);
        return;
    }
    if (__builtin_mul_overflow(count, u.len, &grown) || __builtin_add_overflow(grown, s.len - count * t.len, &size))
        size = SIZE_MAX; /* the arena refuses it */
    char *text = arena_array(c->arena, size, 1), *out = text;
    if (!text || size > UINT32_MAX)
        return;
    const char *p = s.s, *end = s.s + s.len;
    for (const char *found; (found = memmem(p, (size_t)(end - p), t.s, t.len)); p = found + t.len) {
        out = put(out, p, (size_t)(found - p));
        out = put(out, u.s, u.len);
    }
    put(out, p, (size_t)(end - p));
    c->result = val_string(text, size);
}

/* --- case --- */

/* True when the text was ASCII: then its mapping is in out. */
static bool map_ascii(const struct sql_text *s, char *out, char first, char last)
{
    unsigned char high = 0;
    for (size_t i = 0; i < s->len; i++) {
        char ch = s->s[i];
        high |= (unsigned char)ch;
        out[i] = (char)(ch >= first && ch <= last ? ch ^ 0x20 : ch);
    }
    return high < 0x80;
}

typedef uint8_t *map_fn(const uint8_t *s, size_t n, const char *language, uninorm_t form, uint8_t *result, size_t *len);

#define LONGEST_MAPPING 3 /* a character's mapping takes at most so many times its bytes (U+0390: 2 to 6) */

static void map_case(struct sql_call *c, char first, char last, map_fn *map)
{
    struct sql_text s;
    if (!sql_arg_text(c, 0, &s))
        return;
    char *text = arena_alloc(c->arena, s.len);
    if (!text)
        return;
    if (map_ascii(&s, text, first, last)) {
        c->result = val_string(text, s.len);
        c->result.exp = s.plain;
        return;
    }
    sql_charge(c, s.len * 2);
    size_t room = s.len * LONGEST_MAPPING, len = room;
    uint8_t *wide = arena_array(c->arena, s.len, LONGEST_MAPPING);
    uint8_t *mapped = wide ? map((const uint8_t *)s.s, s.len, NULL, NULL, wide, &len) : NULL;
    if (mapped == wide && mapped)
        c->result = val_string((const char *)wide, len);
    else
        free(mapped); /* longer than any mapping is */
}

void fn_lower(struct sql_call *c)
{
    map_case(c, 'A', 'Z', u8_tolower);
}

void fn_upper(struct sql_call *c)
{
    map_case(c, 'a', 'z', u8_toupper);
}

/* --- concat --- */

static void concat_arrays(struct sql_call *c)
{
    struct val all = val_array();
    for (uint32_t i = 0; i < c->count; i++) {
        struct val v = c->args[i];
        if (v.kind == VAL_ARRAY)
            val_append_all(&all, v, c->version, c->arena);
        else if (!val_is_undefined(v))
            val_append(&all, v, c->arena);
    }
    c->result = all;
}

static void concat_texts(struct sql_call *c)
{
    struct sql_text *texts = arena_array(c->arena, c->count, sizeof(*texts));
    size_t size = 0;
    bool plain = true;
    for (uint32_t i = 0; texts && i < c->count; i++) {
        if (!sql_arg_text(c, i, &texts[i]))
            return;
        size += texts[i].len;
        plain &= texts[i].plain;
    }
    char *all = texts && size <= UINT32_MAX ? arena_alloc(c->arena, size) : NULL, *out = all;
    if (!all)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        out = put(out, texts[i].s, texts[i].len);
    c->result = val_string(all, size);
    c->result.exp = plain;
}

static bool has_kind(const struct sql_call *c, enum val_kind kind)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->args[i].kind == kind)
            return true;
    }
    return false;
}

void fn_concat(struct sql_call *c)
{
    if (c->count == 1)
        c->result = c->args[0];
    else if (has_kind(c, VAL_ARRAY))
        concat_arrays(c);
    else if (has_kind(c, VAL_STRING))
        concat_texts(c);
}
