/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: one pass checks a text (RFC 8259, strictly) and writes a flat tape; a direct writer makes compact text.
 *
 * The tape is an array of 16-byte nodes in text order. A container's node comes before its contents; a member is its
 * key node followed by its value's node(s). `next` skips a whole value:
 *
 *     {"a":[1,2],"b":true}     0 OBJECT next=8   children from 1 to next
 *                              1 STRING "a"      (key; its value is at 2)
 *                              2 ARRAY  next=5
 *                              3 INT 1   4 INT 2
 *                              5 STRING "b"
 *                              6 TRUE   next=7   -> 7 is the end
 *
 * Strings and numbers are not copied: a node says where its text lies. Canonical nodes can be copied to the output as
 * they are (see enum json_flag), others are rewritten by json_write. The text is borrowed: it must outlive the doc. */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_BYTES ((size_t)256 << 20)
#define JSON_MAX_DEPTH 512 /* deeper texts are refused with ERR_LIMIT */

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_INT, JSON_DECIMAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* What number text looks like on output: SQL 2015-10-08 keeps `5.0`, 2016-03-23 prints whole numbers as Int (`5`). Both
 * write Decimals as num_write does (`1E+3`, `1.2E-7`), and `-0` as `0`. What the language cannot hold exactly keeps its
 * text in every style: Ints and Decimals of more than 34 digits, and numbers out of range. */
enum json_style { JSON_STYLE_2015, JSON_STYLE_2016, JSON_STYLE_AS_IS };

enum json_flag {
    JSON_CANON_2015 = 1,  /* copying the bytes is what json_write would print in that style: no white space inside, */
    JSON_CANON_2016 = 2,  /* no duplicate key, no escape that json_write_string would write otherwise, no number */
    JSON_CANON_AS_IS = 4, /* text that changes. The flag of a style is 1u << enum json_style */
    JSON_ESCAPED = 8,     /* string: holds a backslash, so its text is not its value */
    JSON_DUPLICATE = 16,  /* object: a key occurs twice (the last one wins) */
};

struct json_node {
    uint32_t off;        /* of the first byte: of strings, the byte after the opening quote */
    uint32_t len;        /* bytes of text: of strings, without quotes; of containers, with their brackets */
    uint32_t next;       /* index of the node after this value; of keys: of their value, see json_value_of() */
    uint32_t count : 24; /* arrays: elements, objects: members (saturates at 2^24-1); else 0 */
    uint32_t kind : 3;   /* enum json_kind */
    uint32_t flags : 5;  /* enum json_flag */
};
_Static_assert(sizeof(struct json_node) == 16, "a tape node is 16 bytes");

struct json_doc {
    const char *text;
    size_t len;
    const struct json_node *tape; /* node 0 is the whole value */
    uint32_t count;
};

/* Check and index a text. The doc (and its tape) is in the arena; text is borrowed.
 * NULL on error: ERR_JSON_SYNTAX (also invalid UTF-8, lone surrogate escapes are allowed and read as U+FFFD),
 * ERR_LIMIT (depth, size, arena bound). The error's text names the byte offset and the reason; if `src` is given,
 * the error's span points into it at that offset. O(len), no recursion; 45 KiB of stack. The tape takes 16 bytes per
 * node, at first room for one node per four bytes of text; texts that are no container are copied once. */
const struct json_doc *json_parse(struct arena *a, const char *text, size_t len, const struct src *src,
                                  struct err *e) MUST_CHECK;

static inline const struct json_node *json_at(const struct json_doc *d, uint32_t i)
{
    return &d->tape[i];
}

/* Index of the value of the member named key (UTF-8 bytes, compared unescaped), or 0 if there is none or node i is no
 * object. With duplicate keys the last one. O(members). */
uint32_t json_member(const struct json_doc *d, uint32_t i, const char *key, size_t key_len);
/* Index of the n-th element of an array (from 0), or 0. O(n). */
uint32_t json_element(const struct json_doc *d, uint32_t i, size_t n);

/* The value of a string node: points into the text, or, if JSON_ESCAPED, to a copy in the arena. NULL: arena bound. */
const char *json_text(const struct json_doc *d, uint32_t i, struct arena *a, size_t *len) MUST_CHECK;

/* Append node i as compact JSON. Duplicate keys: the last value at the place of the first key. */
void json_write(struct buf *out, const struct json_doc *d, uint32_t i, enum json_style style);
/* Append s as a JSON string with quotes: escapes ", \ and control characters (\b \f \n \r \t, else \u00xx with
 * lower-case digits); '/' and other characters stay. s must be valid UTF-8. */
void json_write_string(struct buf *out, const char *s, size_t len);

/* True if the bytes need no escaping inside quotes. */
bool json_is_plain(const char *s, size_t len);

/* Equality as case files need it: objects without regard to key order, numbers by value (5 equals 5.0; exactly,
 * whatever their length), with an absolute tolerance for numbers if tol > 0. O(size) for objects of one key order, else
 * O(members²). */
bool json_same(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j, double tol);

/* Iterate:  for (uint32_t k = json_first(d, i); k != json_end(d, i); k = json_next(d, i, k))
 * In an array k is an element; in an object k is a key and k + 1 its value. */
static inline uint32_t json_first(const struct json_doc *d, uint32_t i)
{
    (void)d;
    return i + 1;
}
/* Value of the key node k: the last one if the key occurs twice; 0 for the later ones, which are to be skipped. */
static inline uint32_t json_value_of(const struct json_doc *d, uint32_t k)
{
    return d->tape[k].next;
}
static inline uint32_t json_end(const struct json_doc *d, uint32_t i)
{
    return d->tape[i].next;
}
static inline uint32_t json_next(const struct json_doc *d, uint32_t i, uint32_t k)
{
    return d->tape[i].kind == JSON_OBJECT ? d->tape[k + 1].next : d->tape[k].next;
}

#endif
