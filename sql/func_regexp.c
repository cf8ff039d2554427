/* SPDX-License-Identifier: Apache-2.0 */
/* Functions with regular expressions (spec 3.2). */
#include "sql/funcs_int.h"

#include <string.h>

#include "engine/base/utf8.h"
#include "sql/machine_int.h"

/* The machine's cache, made at the first need. Constant folding has no machine and takes one for the call. Closing it
 * charges what the searches took. */
static struct sql_regexps *open_cache(struct sql_call *c)
{
    if (!c->machine)
        return sql_regexps_new();
    if (!c->machine->regexps)
        c->machine->regexps = sql_regexps_new();
    return c->machine->regexps;
}

static void close_cache(struct sql_call *c, struct sql_regexps *cache)
{
    sql_charge(c, sql_regexps_took(cache));
    if (!c->machine)
        sql_regexps_free(cache);
}

void fn_regexp_matches(struct sql_call *c)
{
    struct sql_text s, pattern;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &pattern))
        return;
    struct sql_regexps *cache = open_cache(c);
    if (!cache)
        return;
    enum sql_regexp_answer answer = sql_regexps_search(cache, pattern.s, pattern.len, s.s, s.len);
    close_cache(c, cache);
    if (answer != SQL_REGEXP_NONE)
        c->result = val_bool(answer == SQL_REGEXP_YES);
}

void fn_regexp_substr(struct sql_call *c)
{
    struct sql_text s, pattern;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &pattern))
        return;
    struct sql_regexps *cache = open_cache(c);
    if (!cache)
        return;
    if (sql_regexps_search(cache, pattern.s, pattern.len, s.s, s.len) == SQL_REGEXP_YES) {
        struct sql_regexp_part found = sql_regexps_group(cache, 0);
        if (found.begin <= found.end) /* \K ends it before its begin if it wants to */
            c->result = sql_part(&s, found.begin, found.end - found.begin);
    }
    close_cache(c, cache);
}

/* --- replacing --- */

/* The text of the result while it grows in the arena. */
struct grown {
    struct arena *a;
    char *p;
    size_t len, cap;
    bool failed;
};

static void grow_put(struct grown *g, const char *s, size_t len)
{
    if (len > g->cap - g->len) {
        size_t cap = 2 * g->cap + len;
        char *p = g->failed || cap > UINT32_MAX ? NULL : arena_grow(g->a, g->p, g->cap, cap);
        if (!p) {
            g->failed = true;
            return;
        }
        g->p = p;
        g->cap = cap;
    }
    if (len > 0)
        memcpy(g->p + g->len, s, len);
    g->len += len;
}

/* A replacement is a sequence of pieces: literal text, and groups. */
struct piece {
    enum { PIECE_END, PIECE_TEXT, PIECE_GROUP, PIECE_INVALID } kind;
    const char *text;
    size_t len;
    uint32_t group;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* `$n`: as many digits as make the number of a group that there is, the first one always. */
static const char *read_number(const char *p, const char *end, uint32_t count, struct piece *piece)
{
    uint32_t group = (uint32_t)(*p++ - '0');
    for (; p < end && is_digit(*p); p++) {
        uint32_t longer = group * 10 + (uint32_t)(*p - '0');
        if (longer > count)
            break;
        group = longer;
    }
    piece->kind = group <= count ? PIECE_GROUP : PIECE_INVALID;
    piece->group = group;
    return p;
}

/* `${name}`, from behind the brace. */
static const char *read_name(const char *p, const char *end, const struct sql_regexps *cache, struct piece *piece)
{
    const char *name = p;
    if (p < end && is_letter(*p)) {
        while (p < end && (is_letter(*p) || is_digit(*p)))
            p++;
    }
    piece->group = p < end && *p == '}' ? sql_regexps_group_named(cache, name, (size_t)(p - name)) : 0;
    piece->kind = piece->group > 0 ? PIECE_GROUP : PIECE_INVALID;
    return p + 1;
}

/* The piece at p, by the rules of java.util.regex.Matcher.appendReplacement; returns where the next one begins. */
static const char *read_piece(const char *p, const char *end, const struct sql_regexps *cache, struct piece *piece)
{
    *piece = (struct piece) { .kind = PIECE_END };
    if (p == end)
        return p;
    if (*p == '$' && end - p > 1 && is_digit(p[1]))
        return read_number(p + 1, end, sql_regexps_group_count(cache), piece);
    if (*p == '$' && end - p > 1 && p[1] == '{')
        return read_name(p + 2, end, cache, piece);
    piece->kind = PIECE_INVALID;
    if (*p == '$' || (*p == '\\' && ++p == end))
        return p;
    piece->kind = PIECE_TEXT;
    piece->text = p;
    for (p++; p < end && *p != '$' && *p != '\\';) /* the first is literal whatever it is */
        p++;
    piece->len = (size_t)(p - piece->text);
    return p;
}

static bool is_replacement(const struct sql_text *u, const struct sql_regexps *cache)
{
    struct piece piece;
    const char *p = u->s, *end = u->s + u->len;
    do
        p = read_piece(p, end, cache, &piece);
    while (piece.kind == PIECE_TEXT || piece.kind == PIECE_GROUP);
    return piece.kind == PIECE_END;
}

static void put_replacement(struct grown *g, const struct sql_text *s, const struct sql_text *u,
                            const struct sql_regexps *cache)
{
    struct piece piece;
    const char *p = u->s, *end = u->s + u->len;
    while (p = read_piece(p, end, cache, &piece), piece.kind != PIECE_END) {
        if (piece.kind == PIECE_TEXT) {
            grow_put(g, piece.text, piece.len);
        } else {
            struct sql_regexp_part part = sql_regexps_group(cache, piece.group);
            grow_put(g, s->s + part.begin, part.end - part.begin);
        }
    }
}

/* All matches replaced; false when there is no answer. As in Java a match may be empty, also directly behind another;
 * after an empty one the search goes on a character later. */
static bool replace_all(struct grown *g, const struct sql_text *s, const struct sql_text *u, struct sql_regexps *cache)
{
    size_t copied = 0, from = 0;
    enum sql_regexp_answer answer = SQL_REGEXP_NO;
    while (from <= s->len && (answer = sql_regexps_find(cache, from)) == SQL_REGEXP_YES && !g->failed) {
        struct sql_regexp_part match = sql_regexps_group(cache, 0);
        if (match.begin < from || match.end < match.begin)
            return false;
        grow_put(g, s->s + copied, match.begin - copied);
        put_replacement(g, s, u, cache);
        copied = from = match.end;
        if (match.end == match.begin)
            from += from < s->len ? utf8_step(s->s + from, s->len - from) : 1;
    }
    grow_put(g, s->s + copied, s->len - copied);
    return answer != SQL_REGEXP_NONE && !g->failed;
}

void fn_regexp_replace(struct sql_call *c)
{
    struct sql_text s, pattern, u;
    struct grown g = { .a = c->arena };
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &pattern) || !sql_arg_text(c, 2, &u))
        return;
    struct sql_regexps *cache = open_cache(c);
    if (!cache)
        return;
    if (sql_regexps_begin(cache, pattern.s, pattern.len, s.s, s.len) && is_replacement(&u, cache) &&
        replace_all(&g, &s, &u, cache))
        c->result = val_string(g.p ? g.p : "", g.len);
    close_cache(c, cache);
}
