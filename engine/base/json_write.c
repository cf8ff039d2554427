/* SPDX-License-Identifier: Apache-2.0 */
/* The writer. On the hot path: what is canonical in the wanted style is copied in one piece; the rest is taken apart
 * only as deep as needed. */
#include "engine/base/json_int.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"

/* Strings */

static void put_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
    char letter = c >= 0x20 ? (char)c : letters[c];
    if (letter)
        buf_put(out, (const char[]) { '\\', letter }, 2);
    else
        buf_put(out, (const char[]) { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

void json_write_string(struct buf *out, const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + len;
    unsigned high = 0;
    buf_putc(out, '"');
    while (p < end) {
        const unsigned char *stop = json_plain_run(p, end, &high);
        buf_put(out, p, (size_t)(stop - p));
        p = stop;
        if (p < end)
            put_escape(out, *p++);
    }
    buf_putc(out, '"');
}

static void put_code_point(struct buf *out, uint32_t c)
{
    char bytes[4];
    if (c < 0x80 && !json_byte_is_plain((unsigned char)c))
        put_escape(out, (unsigned char)c);
    else
        buf_put(out, bytes, utf8_encode(c, bytes));
}

/* String text with its escapes in canonical form. */
static void write_escaped(struct buf *out, const char *p, size_t len)
{
    const char *end = p + len;
    buf_putc(out, '"');
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        const char *stop = escape ? escape : end;
        uint32_t code_point;
        buf_put(out, p, (size_t)(stop - p));
        p = stop;
        if (escape) {
            p = json_escape_decode(p, end, &code_point);
            put_code_point(out, code_point);
        }
    }
    buf_putc(out, '"');
}

/* Numbers */

/* Digits from the first that is not zero, without the exponent. */
static size_t significant_digits(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && s[i] != 'e' && s[i] != 'E'; i++)
        n += s[i] >= '0' && s[i] <= '9' && (n > 0 || s[i] != '0');
    return n;
}

size_t json_number_form(char *out, enum json_kind kind, const char *s, size_t len, enum json_style style)
{
    struct num n;
    if (style == JSON_STYLE_AS_IS || significant_digits(s, len) > NUM_DIGITS || !num_parse(&n, s, len))
        return 0;
    if (kind == JSON_DECIMAL && style == JSON_STYLE_2016)
        num_make_whole_int(&n);
    return num_text(out, &n);
}

/* Also true, false and null, which have one form only. */
static void write_number(struct buf *out, const struct json_node *n, const char *text, enum json_style style)
{
    char form[NUM_TEXT_MAX];
    size_t len = json_number_form(form, n->kind, text, n->len, style);
    buf_put(out, len ? form : text, len ? len : n->len);
}

/* Values */

/* A container that is being written. */
struct level {
    uint32_t at, end; /* next element or key, end */
    bool is_object, is_first;
};

/* The end of the buffer is kept here while short pieces are appended: `at` stands for out->p + out->len. */
struct writer {
    struct buf *out;
    char *at, *end;
    const struct json_doc *d;
    const char *text_end;
    enum json_style style;
    unsigned canon; /* the flag of the style */
    struct level *top;
    struct level levels[JSON_MAX_DEPTH + 1]; /* levels[0] is none */
};

static void leave_buffer(struct writer *w)
{
    w->out->len = (size_t)(w->at - w->out->p);
}

static void enter_buffer(struct writer *w)
{
    bool empty = w->out->cap == 0; /* perhaps no memory at all */
    w->at = empty ? w->out->p : w->out->p + w->out->len;
    w->end = empty ? w->out->p : w->out->p + w->out->cap;
}

__attribute__((noinline)) static void put_growing(struct writer *w, const char *s, size_t n)
{
    leave_buffer(w);
    buf_put(w->out, s, n);
    enter_buffer(w);
}

/* Append a piece of the text. Most are short: a copy of 16 bytes, of which n count, is faster than one of n. */
static inline void put(struct writer *w, const char *s, size_t n)
{
    size_t room = (size_t)(w->end - w->at);
    if (JSON_UNLIKELY(room <= n)) {
        put_growing(w, s, n);
        return;
    }
    if (JSON_LIKELY(n <= 16 && room > 16 && w->text_end - s >= 16))
        memcpy(w->at, s, 16);
    else
        memcpy(w->at, s, n);
    w->at += n;
}

static inline void put_char(struct writer *w, char c)
{
    if (JSON_LIKELY(w->end - w->at > 1))
        *w->at++ = c;
    else
        put_growing(w, &c, 1);
}

/* A scalar that is not canonical. */
static void write_scalar(struct writer *w, const struct json_node *n)
{
    const char *text = w->d->text + n->off;
    leave_buffer(w);
    switch (n->kind) {
    case JSON_STRING:
        write_escaped(w->out, text, n->len);
        break;
    case JSON_INT:
    case JSON_DECIMAL:
        write_number(w->out, n, text, w->style);
        break;
    default:
        buf_put(w->out, text, n->len);
    }
    enter_buffer(w);
}

/* Write a value, or begin a container that has to be taken apart. */
static inline void begin_value(struct writer *w, uint32_t i)
{
    const struct json_node *n = &w->d->tape[i];
    bool is_string = n->kind == JSON_STRING; /* its quotes lie around it */
    if (JSON_LIKELY(n->flags & w->canon)) {
        put(w, w->d->text + n->off - is_string, n->len + 2 * (size_t)is_string);
    } else if (n->kind < JSON_ARRAY) {
        write_scalar(w, n);
    } else {
        put_char(w, n->kind == JSON_OBJECT ? '{' : '[');
        *++w->top = (struct level) { i + 1, n->next, n->kind == JSON_OBJECT, true };
    }
}

/* Write the next member of the innermost container, or end it. */
static void write_next(struct writer *w)
{
    struct level *l = w->top;
    if (l->at == l->end) {
        put_char(w, l->is_object ? '}' : ']');
        w->top--;
        return;
    }
    uint32_t key = l->at, value = l->is_object ? json_value_of(w->d, key) : key;
    l->at = w->d->tape[key + l->is_object].next;
    if (value == 0)
        return; /* a key that was written before */
    if (!l->is_first)
        put_char(w, ',');
    l->is_first = false;
    if (l->is_object) {
        begin_value(w, key);
        put_char(w, ':');
    }
    begin_value(w, value);
}

static void write_container(struct buf *out, const struct json_doc *d, uint32_t i, enum json_style style)
{
    struct writer w;
    w.out = out;
    w.d = d;
    w.text_end = d->text + d->len;
    w.style = style;
    w.canon = 1u << style;
    w.top = w.levels;
    if (d->tape[i].len <= out->max - out->len)
        buf_reserve(out, d->tape[i].len); /* hardly ever longer than it was; what is, grows the buffer */
    enter_buffer(&w);
    for (begin_value(&w, i); w.top > w.levels && !out->failed;)
        write_next(&w);
    leave_buffer(&w);
    buf_put(out, NULL, 0); /* the NUL */
}

void json_write(struct buf *out, const struct json_doc *d, uint32_t i, enum json_style style)
{
    const struct json_node *n = &d->tape[i];
    bool is_string = n->kind == JSON_STRING;
    if (n->flags & 1u << style)
        buf_put(out, d->text + n->off - is_string, n->len + 2 * (size_t)is_string);
    else if (n->kind == JSON_STRING)
        write_escaped(out, d->text + n->off, n->len);
    else if (n->kind == JSON_ARRAY || n->kind == JSON_OBJECT)
        write_container(out, d, i, style);
    else
        write_number(out, n, d->text + n->off, style);
}
