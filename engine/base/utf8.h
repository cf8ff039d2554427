/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629): checking, counting, stepping. */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the valid prefix: equals len when all is valid (no overlong forms, surrogates, or values above U+10FFFF). */
size_t utf8_valid_prefix(const char *s, size_t len);
static inline bool utf8_is_valid(const char *s, size_t len)
{
    return utf8_valid_prefix(s, len) == len;
}
/* Length of the prefix that is valid and holds no control character (U+0000 to U+001F, U+007F to U+009F) and no
 * non-character (U+FDD0 to U+FDEF, U+xxFFFE, U+xxFFFF). */
size_t utf8_printable_prefix(const char *s, size_t len);
/* Bytes of the character at s, at least 1: a byte that begins no valid character counts as one by itself. len > 0. */
size_t utf8_step(const char *s, size_t len);
/* Number of characters (by utf8_step). */
size_t utf8_count(const char *s, size_t len);
/* Byte offset of the n-th character (from 0, by utf8_step), or len if there are fewer. */
size_t utf8_offset(const char *s, size_t len, size_t n);
/* Write a code point as UTF-8 into out (4 bytes); returns the number of bytes. */
size_t utf8_encode(uint32_t code_point, char out[4]);

#endif
