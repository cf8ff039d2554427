/* SPDX-License-Identifier: Apache-2.0 */
/* The text of values: compact JSON (spec 4.5) and number text (spec 4.6). On the hot path: what comes from the
 * payload and is canonical there is copied, the rest is written straight into the output. */
#include "sql/value.h"

#include <string.h>

/* --- numbers --- */

/* Digits of v, right-aligned before end; returns their begin. */
static char *put_digits(char *end, uint64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
        "9899";
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v < 10) {
        *--end = (char)('0' + v);
        return end;
    }
    end -= 2;
    memcpy(end, pairs + 2 * v, 2);
    return end;
}

#define MAX_PLAIN_SCALE 18 /* of what small_text writes; more is rare */
#define MIN_ADJUSTED    (-6)

/* coef × 10^exp in plain notation; 0 when it needs another. */
static size_t small_text(char text[NUM_TEXT_MAX], int64_t coef, int exp)
{
    char digits[24], *end = digits + sizeof(digits);
    char *begin = put_digits(end, coef < 0 ? 0 - (uint64_t)coef : (uint64_t)coef), *out = text;
    int count = (int)(end - begin), scale = -exp;
    if (scale < 0 || scale > MAX_PLAIN_SCALE || count - 1 - scale < MIN_ADJUSTED)
        return 0;
    if (coef < 0)
        *out++ = '-';
    int whole = count - scale;
    if (whole <= 0) {
        *out++ = '0';
        *out++ = '.';
        memset(out, '0', (size_t)-whole);
        out -= whole;
        whole = 0;
    } else {
        memcpy(out, begin, (size_t)whole);
        out += whole;
        if (scale > 0)
            *out++ = '.';
    }
    memcpy(out, begin + whole, (size_t)(count - whole));
    return (size_t)(out + (count - whole) - text);
}

size_t val_number_text(char text[NUM_TEXT_MAX], struct val v)
{
    struct num n;
    if (v.form == VAL_HERE) {
        size_t len = small_text(text, v.coef, v.exp);
        if (len)
            return len;
    }
    return val_num(v, &n) ? num_text(text, &n) : 0;
}

/* --- JSON --- */

struct writer {
    struct buf *out;
    enum sql_version version;
    enum json_style style;
    unsigned canonical; /* flag of the style */
    unsigned depth;
};

static void write_value(struct writer *w, const struct val *v);

/* Room for n more bytes, whose length the caller adds; NULL: the buffer failed. */
static inline char *room(struct buf *out, size_t n)
{
    if (out->cap - out->len <= n && !buf_reserve(out, n))
        return NULL;
    return out->p + out->len;
}

/* A plain string, with the byte that follows it if that is not NUL. */
static void write_plain(struct buf *out, const char *s, size_t len, char after)
{
    size_t n = len + 2 + (after != '\0');
    char *p = room(out, n);
    if (!p)
        return;
    *p++ = '"';
    memcpy(p, s, len);
    p += len;
    *p++ = '"';
    *p = after;
    out->len += n;
    out->p[out->len] = '\0';
}

static void write_string(struct buf *out, const struct val *v, char after)
{
    if (v->exp == 1) {
        write_plain(out, v->text, v->n, after);
        return;
    }
    json_write_string(out, v->text, v->n);
    if (after)
        buf_putc(out, after);
}

static void write_tape(struct writer *w, const struct val *v)
{
    const struct json_node *node = json_at(v->doc, v->n);
    if (!(node->flags & w->canonical)) {
        json_write(w->out, v->doc, v->n, w->style);
        return;
    }
    size_t quote = node->kind == JSON_STRING;
    buf_put(w->out, v->doc->text + node->off - quote, node->len + 2 * quote);
}

static void write_number(struct writer *w, const struct val *v)
{
    char text[NUM_TEXT_MAX];
    buf_put(w->out, text, val_number_text(text, *v));
}

static void write_array(struct writer *w, const struct val *v)
{
    buf_putc(w->out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i > 0)
            buf_putc(w->out, ',');
        write_value(w, &v->items[i]);
    }
    buf_putc(w->out, ']');
}

/* The members of the tape Object at the front: its text without the closing brace. */
static void write_base(struct writer *w, const struct val *base)
{
    write_tape(w, base);
    if (!w->out->failed)
        w->out->len--;
}

static void write_object(struct writer *w, const struct val *v)
{
    const struct val *pair = v->items, *last = v->n ? pair + 2 * (size_t)v->n : pair;
    if (v->n > 0 && pair->kind == VAL_OBJECT) {
        write_base(w, pair);
        pair += 2;
    } else {
        buf_putc(w->out, '{');
    }
    for (bool first = pair == v->items; pair < last; pair += 2, first = false) {
        if (!first)
            buf_putc(w->out, ',');
        write_string(w->out, &pair[0], ':');
        write_value(w, &pair[1]);
    }
    buf_putc(w->out, '}');
}

static void write_container(struct writer *w, const struct val *v)
{
    if (w->depth == VAL_MAX_DEPTH) {
        buf_reserve(w->out, SIZE_MAX); /* cannot be met: the buffer fails */
        return;
    }
    w->depth++;
    if (v->kind == VAL_ARRAY)
        write_array(w, v);
    else
        write_object(w, v);
    w->depth--;
}

static void write_value(struct writer *w, const struct val *v)
{
    if (v->form == VAL_TAPE) {
        write_tape(w, v);
        return;
    }
    switch ((enum val_kind)v->kind) {
    case VAL_UNDEFINED:
        break;
    case VAL_NULL:
        buf_put(w->out, "null", 4);
        break;
    case VAL_BOOL:
        buf_put(w->out, v->truth ? "true" : "false", v->truth ? 4 : 5);
        break;
    case VAL_INT:
    case VAL_DECIMAL:
        write_number(w, v);
        break;
    case VAL_STRING:
        write_string(w->out, v, '\0');
        break;
    case VAL_ARRAY:
    case VAL_OBJECT:
        write_container(w, v);
        break;
    case VAL_BYTES:
        buf_put(w->out, v->text, v->n);
        break;
    }
}

void val_write_json(struct buf *out, struct val v, enum sql_version version)
{
    struct writer w = { .out = out, .version = version };
    w.style = version == SQL_2015_10_08 ? JSON_STYLE_2015 : JSON_STYLE_2016;
    w.canonical = version == SQL_2015_10_08 ? JSON_CANON_2015 : JSON_CANON_2016;
    write_value(&w, &v);
}
