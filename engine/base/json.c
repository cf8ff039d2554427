/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in a tape, and the values of strings.
 *
 * A key with escapes is compared byte by byte as it is decoded, so that a look-up needs no memory. */
#include "engine/base/json_int.h"
#include "engine/base/utf8.h"

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Has the word a '"', a '\\' or a control character? (The usual carry tricks, exact for this question.) */
static bool word_stops(uint64_t w)
{
    uint64_t quote = w ^ EACH_BYTE('"'), backslash = w ^ EACH_BYTE('\\');
    uint64_t hit =
        ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash) | ((w - EACH_BYTE(0x20)) & ~w);
    return (hit & EACH_BYTE(0x80)) != 0;
}

const unsigned char *json_plain_run(const unsigned char *p, const unsigned char *end, unsigned *high)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        struct json_bytes b = json_bytes_at(p);
        *high |= b.high;
        if (b.stops)
            return p + __builtin_ctz(b.stops);
    }
#endif
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        *high |= (w & EACH_BYTE(0x80)) != 0;
        if (word_stops(w))
            break;
    }
    while (p < end && json_byte_is_plain(*p))
        *high |= *p++ & 0x80u;
    return p;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static const char *decode_unicode(const char *p, const char *end, uint32_t *code_point)
{
    uint32_t c = hex4(p + 2);
    p += 6;
    *code_point = c;
    if (c < 0xD800 || c > 0xDFFF)
        return p;
    *code_point = 0xFFFD;
    if (c > 0xDBFF || end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return p;
    uint32_t low = hex4(p + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return p;
    *code_point = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    return p + 6;
}

const char *json_escape_decode(const char *p, const char *end, uint32_t *code_point)
{
    switch (p[1]) {
    case 'b':
        *code_point = '\b';
        break;
    case 'f':
        *code_point = '\f';
        break;
    case 'n':
        *code_point = '\n';
        break;
    case 'r':
        *code_point = '\r';
        break;
    case 't':
        *code_point = '\t';
        break;
    case 'u':
        return decode_unicode(p, end, code_point);
    default:
        *code_point = (unsigned char)p[1];
    }
    return p + 2;
}

size_t json_unescape(char *out, const char *s, size_t len)
{
    const char *p = s, *end = s + len;
    char *at = out;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        memcpy(at, p, plain);
        at += plain;
        p += plain;
        if (escape) {
            uint32_t code_point;
            p = json_escape_decode(p, end, &code_point);
            at += utf8_encode(code_point, at);
        }
    }
    return (size_t)(at - out);
}

int json_next_byte(struct json_value_reader *r)
{
    if (r->at < r->n)
        return (unsigned char)r->bytes[r->at++];
    if (r->p == r->end)
        return -1;
    if (*r->p != '\\')
        return (unsigned char)*r->p++;
    uint32_t code_point;
    r->p = json_escape_decode(r->p, r->end, &code_point);
    r->n = (unsigned)utf8_encode(code_point, r->bytes);
    r->at = 1;
    return (unsigned char)r->bytes[0];
}

static bool escaped_is(const char *text, size_t text_len, const char *s, size_t len)
{
    struct json_value_reader r = { .p = text, .end = text + text_len };
    for (size_t i = 0; i < len; i++) {
        if (json_next_byte(&r) != (unsigned char)s[i])
            return false;
    }
    return json_next_byte(&r) < 0;
}

static bool key_is(const struct json_doc *d, uint32_t k, const char *s, size_t len)
{
    const struct json_node *n = &d->tape[k];
    const char *text = d->text + n->off;
    if (n->flags & JSON_ESCAPED)
        return escaped_is(text, n->len, s, len);
    return n->len == len && memcmp(text, s, len) == 0;
}

uint32_t json_member(const struct json_doc *d, uint32_t i, const char *key, size_t key_len)
{
    if (d->tape[i].kind != JSON_OBJECT)
        return 0;
    for (uint32_t k = json_first(d, i); k != json_end(d, i); k = json_next(d, i, k)) {
        if (key_is(d, k, key, key_len))
            return json_value_of(d, k);
    }
    return 0;
}

uint32_t json_element(const struct json_doc *d, uint32_t i, size_t n)
{
    if (d->tape[i].kind != JSON_ARRAY)
        return 0;
    for (uint32_t k = json_first(d, i); k != json_end(d, i); k = json_next(d, i, k)) {
        if (n-- == 0)
            return k;
    }
    return 0;
}

const char *json_text(const struct json_doc *d, uint32_t i, struct arena *a, size_t *len)
{
    const struct json_node *n = &d->tape[i];
    const char *text = d->text + n->off;
    *len = n->len;
    if (!(n->flags & JSON_ESCAPED))
        return text;
    char *value = arena_alloc(a, n->len);
    if (value)
        *len = json_unescape(value, text, n->len);
    return value;
}

bool json_is_plain(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned high = 0;
    return len == 0 || json_plain_run(p, p + len, &high) == p + len;
}
