/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of policies: text, `*`, `?` and variables. A variable's value is literal: what looks like a wildcard in it is none.
 *
 * Matching goes from left to right and returns only to the last `*` (where that one took too little, an earlier one cannot help), so
 * it takes at most length of text × length of pattern steps. */
#include <stdlib.h>
#include <string.h>

#include "engine/devices/policy_int.h"

/* --- reading --- */

struct reader {
    const struct conf *scalar;
    struct policy_pattern *p;
    unsigned flags;
    struct errs *errs;
};

static void add_piece(struct policy_pattern *p, enum policy_piece_kind kind, char *text, size_t len)
{
    struct policy_piece *last = p->count ? &p->pieces[p->count - 1] : NULL;
    if (kind == PIECE_TEXT && last && last->kind == PIECE_TEXT && last->text.p + last->text.len == text) {
        last->text.len += len;
        return;
    }
    if (kind == PIECE_STAR && last && last->kind == PIECE_STAR)
        return;
    p->pieces[p->count++] = (struct policy_piece) { .kind = kind, .text = { .p = text, .len = len } };
}

/* text: at "${". Returns the length of what was read; 0: it does not end. */
static size_t read_variable(struct reader *r, char *text, size_t len)
{
    char *end = memchr(text, '}', len);
    if (!end)
        return 0;
    size_t whole = (size_t)(end - text) + 1, n = whole - 3;
    char *name = text + 2;
    if (n == 1 && strchr("*?$", *name)) {
        add_piece(r->p, PIECE_TEXT, name, 1);
        return whole;
    }
    add_piece(r->p, PIECE_VARIABLE, text, whole);
    struct policy_piece *piece = &r->p->pieces[r->p->count - 1];
    piece->variable = policy_variable_read(name, n);
    if (piece->variable.kind != VARIABLE_NONE)
        return whole;
    size_t count = 0;
    while (policy_variable_names[count])
        count++;
    const char *near = nearest_word(name, n, policy_variable_names, count);
    struct err *e = errs_add(r->errs, SEV_WARNING, ERR_CONF_NAME, r->scalar->at,
                             "unknown policy variable \"%.*s\": it never has a value", (int)(n < 80 ? n : 80), name);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    return whole;
}

static int read_pieces(struct reader *r, char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 1;
        if ((r->flags & PATTERN_VARIABLES) && text[i] == '$' && i + 1 < len && text[i + 1] == '{') {
            n = read_variable(r, text + i, len - i);
            if (n == 0)
                return errs_refuse(r->errs, ERR_CONF_VALUE, r->scalar->at,
                                   "a policy variable begins with \"${\" and does not end with \"}\"");
        } else if ((r->flags & PATTERN_WILD) && text[i] == '*') {
            add_piece(r->p, PIECE_STAR, text + i, 1);
        } else if ((r->flags & PATTERN_WILD) && text[i] == '?') {
            add_piece(r->p, PIECE_ANY, text + i, 1);
        } else {
            add_piece(r->p, PIECE_TEXT, text + i, 1);
        }
        i += n;
    }
    return 0;
}

int policy_pattern_read(struct policy_pattern *p, const struct conf *scalar, unsigned flags, struct errs *errs)
{
    struct reader r = { .scalar = scalar, .p = p, .flags = flags, .errs = errs };
    *p = (struct policy_pattern) { .text = malloc(scalar->len + 1),
                                   .pieces = calloc(scalar->len + 1, sizeof(*p->pieces)) };
    if (!p->text || !p->pieces) {
        policy_pattern_clear(p);
        return errs_refuse(errs, ERR_MEMORY, scalar->at, "not enough memory for the policy");
    }
    memcpy(p->text, scalar->text, scalar->len);
    if (read_pieces(&r, p->text, scalar->len) == 0) {
        struct policy_piece *fitting = realloc(p->pieces, (p->count + 1) * sizeof(*p->pieces));
        p->pieces = fitting ? fitting : p->pieces;
        return 0;
    }
    policy_pattern_clear(p);
    return -1;
}

void policy_pattern_clear(struct policy_pattern *p)
{
    free(p->text);
    free(p->pieces);
    *p = (struct policy_pattern) { 0 };
}

/* --- matching --- */

static bool is_same(const char *a, const char *b, size_t len, bool is_cased)
{
    if (is_cased)
        return memcmp(a, b, len) == 0;
    for (size_t i = 0; i < len; i++) { /* not strncasecmp, which ends at a NUL */
        char x = a[i], y = b[i];
        x = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y)
            return false;
    }
    return true;
}

/* The literal text of a piece that is no wildcard. */
static struct policy_text literal_of(const struct policy_piece *piece, const struct policy_context *c)
{
    struct policy_text value = { 0 };
    if (piece->kind == PIECE_VARIABLE)
        value = policy_variable_value(&piece->variable, c);
    return value.p ? value : piece->text;
}

/* Bytes of the character at p, as UTF-8 says; 1 for what is none. */
static size_t character_len(const char *p, size_t len)
{
    size_t n = 1;
    while (n < len && n < 4 && ((unsigned char)p[0] & 0xC0) == 0xC0 && ((unsigned char)p[n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* Does the piece begin the text? How many bytes it takes; -1: no. */
static ptrdiff_t take(const struct policy_piece *piece, const struct policy_context *c, struct policy_text text,
                      bool is_cased)
{
    if (piece->kind == PIECE_ANY)
        return text.len ? (ptrdiff_t)character_len(text.p, text.len) : -1;
    struct policy_text l = literal_of(piece, c);
    return l.len <= text.len && is_same(l.p, text.p, l.len, is_cased) ? (ptrdiff_t)l.len : -1;
}

bool policy_pattern_matches(const struct policy_pattern *p, const struct policy_context *c, struct policy_text text,
                            bool is_cased)
{
    size_t at = 0, piece = 0, star_at = 0, after_star = SIZE_MAX; /* after_star: the piece behind the last `*` */
    for (;;) {
        struct policy_text rest = { .p = text.p + at, .len = text.len - at };
        ptrdiff_t n = -1;
        if (piece == p->count && rest.len == 0)
            return true;
        if (piece < p->count && p->pieces[piece].kind == PIECE_STAR) {
            after_star = ++piece;
            star_at = at;
            if (piece == p->count)
                return true;
            continue;
        }
        if (piece < p->count)
            n = take(&p->pieces[piece], c, rest, is_cased);
        if (n >= 0) {
            at += (size_t)n;
            piece++;
        } else if (after_star != SIZE_MAX && star_at < text.len) {
            at = star_at += character_len(text.p + star_at, text.len - star_at);
            piece = after_star;
        } else {
            return false;
        }
    }
}

size_t policy_pattern_expand(const struct policy_pattern *p, const struct policy_context *c, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct policy_text l = literal_of(&p->pieces[i], c);
        if (l.len > size - at)
            return size + 1;
        if (l.len)
            memcpy(out + at, l.p, l.len);
        at += l.len;
    }
    return at;
}
