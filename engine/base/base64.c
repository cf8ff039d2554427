/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: four characters for three bytes, written straight into the buffer's room. */
#include "engine/base/base64.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *p, size_t len)
{
    const unsigned char *in = p;
    if (len > SIZE_MAX / 4 * 3 - 3 || !buf_reserve(out, (len + 2) / 3 * 4)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)in[i + 2] : 0;
        char group[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                          alphabet[bits & 63] };
        if (left < 3)
            group[3] = '=';
        if (left < 2)
            group[2] = '=';
        buf_put(out, group, 4);
    }
}

/* Value of a character, or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Number of characters before the padding; false when padding or length is wrong. */
static bool strip_padding(const char *s, size_t len, size_t *digits)
{
    if (len % 4 != 0)
        return false;
    *digits = len;
    if (len && s[len - 1] == '=')
        *digits = s[len - 2] == '=' ? len - 2 : len - 1;
    return true;
}

bool base64_decode(struct buf *out, const char *s, size_t len)
{
    size_t digits;
    if (!strip_padding(s, len, &digits))
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (digit_value(s[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < digits; i += 4) {
        uint32_t bits = 0;
        size_t n = digits - i < 4 ? digits - i : 4;
        for (size_t k = 0; k < 4; k++)
            bits = bits << 6 | (k < n ? (uint32_t)digit_value(s[i + k]) : 0);
        char bytes[3] = { (char)(bits >> 16), (char)(bits >> 8 & 0xFF), (char)(bits & 0xFF) };
        buf_put(out, bytes, n - 1);
    }
    return true;
}
