/* SPDX-License-Identifier: Apache-2.0 */
/* Internals that the json_*.c files share: stepping through string text, and the search for duplicate keys. */
#ifndef SLUICE_BASE_JSON_INT_H
#define SLUICE_BASE_JSON_INT_H

#include "engine/base/json.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_CANON_ALL (JSON_CANON_2015 | JSON_CANON_2016 | JSON_CANON_AS_IS)
#define JSON_COUNT_MAX ((UINT32_C(1) << 24) - 1)

#define JSON_LIKELY(x)   __builtin_expect(!!(x), 1)
#define JSON_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Pieces of the reader's loop. Calls would move its state between registers and memory at every token. */
#define JSON_HOT __attribute__((always_inline)) static inline
/* What the loop must not be burdened with: the unusual, and errors. */
#define JSON_ODD  __attribute__((noinline)) static
#define JSON_COLD __attribute__((noinline, cold)) static

static inline bool json_byte_is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

/* 16 bytes of string or number text: bit k is for the k-th byte. */
struct json_bytes {
    unsigned stops; /* '"', '\' and control characters */
    unsigned high;  /* not ASCII */
};
struct json_digits {
    unsigned digits, zeros, points;
};

#ifdef __SSE2__ /* part of every x86-64 */

JSON_HOT struct json_bytes json_bytes_at(const unsigned char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
    return (struct json_bytes) {
        .stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)),
        .high = (unsigned)_mm_movemask_epi8(v),
    };
}

JSON_HOT struct json_digits json_digits_at(const unsigned char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i value = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    return (struct json_digits) {
        .digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value)),
        .zeros = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('0'))),
        .points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.'))),
    };
}

#else

JSON_HOT struct json_bytes json_bytes_at(const unsigned char *p)
{
    struct json_bytes b = { 0 };
    for (unsigned k = 0; k < 16; k++) {
        b.stops |= (unsigned)!json_byte_is_plain(p[k]) << k;
        b.high |= (unsigned)(p[k] >> 7) << k;
    }
    return b;
}

JSON_HOT struct json_digits json_digits_at(const unsigned char *p)
{
    struct json_digits d = { 0 };
    for (unsigned k = 0; k < 16; k++) {
        d.digits |= (unsigned)((unsigned char)(p[k] - '0') <= 9) << k;
        d.zeros |= (unsigned)(p[k] == '0') << k;
        d.points |= (unsigned)(p[k] == '.') << k;
    }
    return d;
}

#endif

/* First byte of [p, end) that is '"', '\' or a control character; end if there is none. *high becomes nonzero if a byte
 * before it, or one of the 15 after it, is not ASCII. */
const unsigned char *json_plain_run(const unsigned char *p, const unsigned char *end, unsigned *high);

/* Decode the escape at p (its backslash) of a checked string that ends at end: its code point, and a pair of surrogate
 * escapes as one; a lone surrogate is U+FFFD. Returns the byte after it. */
const char *json_escape_decode(const char *p, const char *end, uint32_t *code_point);
/* The value of string text without quotes into out (len bytes are enough); returns its length. */
size_t json_unescape(char *out, const char *s, size_t len);

/* The value of string text without quotes, byte by byte, without memory. */
struct json_value_reader {
    const char *p, *end;
    char bytes[4]; /* of an escape, from bytes[at] to before bytes[n] */
    unsigned at, n;
};
int json_next_byte(struct json_value_reader *r); /* -1 at the end */

/* The form of number text in a style into out (NUM_TEXT_MAX bytes); returns its length, or 0 if the text is to be kept
 * as it is: numbers that the language cannot hold exactly. */
size_t json_number_form(char *out, enum json_kind kind, const char *s, size_t len, enum json_style style);

/* Room for the search in large objects, kept from object to object of one text. */
struct json_keys {
    struct arena *arena;
    struct json_key *keys; /* of cap keys; as table, undefined while cap is 0 */
    uint32_t *table;       /* of slots slots in use, cap * 4 at most */
    size_t cap, slots;
};

enum json_keys_answer { JSON_KEYS_DIFFER, JSON_KEYS_REPEAT, JSON_KEYS_NO_ROOM };

/* Look for keys that occur twice among the members from node first to before node end, and mark them (json.h: next). */
enum json_keys_answer json_keys_check(struct json_keys *ks, const char *text, struct json_node *tape, uint32_t first,
                                      uint32_t end);

#endif
