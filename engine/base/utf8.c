/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: eight bytes of ASCII at a time, anything else character by character by the table of RFC 3629 section 4. */
#include "engine/base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Number of leading bytes that are surely ASCII, in steps of eight. */
static size_t ascii_run(const char *s, size_t len)
{
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        if (word & HIGH_BITS)
            break;
    }
    return i;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Length of the valid character at s, or 0. */
static size_t char_len(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    if (s[0] < 0xE0)
        return len >= 2 && is_tail(s[1]) ? 2 : 0;
    if (len < 3 || !is_tail(s[1]) || !is_tail(s[2]))
        return 0;
    if (s[0] < 0xF0) {
        bool overlong = s[0] == 0xE0 && s[1] < 0xA0, surrogate = s[0] == 0xED && s[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    bool outside = (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F);
    return len >= 4 && is_tail(s[3]) && !outside ? 4 : 0;
}

size_t utf8_valid_prefix(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        i += ascii_run(s + i, len - i);
        if (i == len)
            break;
        size_t n = char_len((const unsigned char *)s + i, len - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

static uint32_t decode(const unsigned char *s, size_t len)
{
    uint32_t c = len == 1 ? s[0] : s[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3Fu);
    return c;
}

static bool is_printable(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    bool no_character = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    return !control && !no_character;
}

size_t utf8_printable_prefix(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0, n; i < len; i += n) {
        n = char_len(p + i, len - i);
        if (n == 0 || !is_printable(decode(p + i, n)))
            return i;
    }
    return len;
}

size_t utf8_step(const char *s, size_t len)
{
    size_t n = char_len((const unsigned char *)s, len);
    return n ? n : 1;
}

size_t utf8_count(const char *s, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; count++)
        i += utf8_step(s + i, len - i);
    return count;
}

size_t utf8_offset(const char *s, size_t len, size_t n)
{
    size_t i = 0;
    while (i < len && n-- > 0)
        i += utf8_step(s + i, len - i);
    return i;
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code_point >> 18 & 0x07));
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}
