/* SPDX-License-Identifier: Apache-2.0 */
/* Implicit conversions, spec 2.3: one function for each column of its table. */
#include "sql/value.h"

#include <string.h>

/* --- to numbers --- */

struct val val_to_decimal(struct val v, enum sql_version version, struct arena *a)
{
    struct num n;
    size_t len;
    if (val_is_number(v) || v.kind == VAL_NULL)
        return v;
    if (v.kind != VAL_STRING)
        return VAL_UNDEFINED_VALUE;
    const char *s = val_text(v, a, &len);
    if (!s || !num_is_numeric_string(s, len) || !num_parse(&n, s, len))
        return VAL_UNDEFINED_VALUE;
    n.is_int = false;
    return val_from_num(&n, version, a);
}

/* Decimals are floored (spec 2.3 note 1); of a String the fraction is dropped. */
struct val val_to_int(struct val v, enum sql_version version, struct arena *a)
{
    bool from_text = v.kind == VAL_STRING;
    struct val d = val_to_decimal(v, version, a);
    struct num n;
    if (d.kind != VAL_DECIMAL)
        return d;
    if (!val_num(d, &n))
        return VAL_UNDEFINED_VALUE;
    bool ok = from_text && num_sign(&n) < 0 ? num_ceil(&n, &n) : num_floor(&n, &n);
    return ok ? val_from_num(&n, version, a) : VAL_UNDEFINED_VALUE;
}

/* --- to Boolean --- */

static bool is_word(const char *s, size_t len, const char *word, size_t word_len)
{
    if (len != word_len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((s[i] | 0x20) != word[i]) /* the words have letters only, and nothing but their capitals meets them so */
            return false;
    }
    return true;
}

struct val val_to_bool(struct val v, struct arena *a)
{
    size_t len;
    if (v.kind == VAL_BOOL)
        return v;
    if (v.kind != VAL_STRING)
        return VAL_UNDEFINED_VALUE;
    const char *s = val_text(v, a, &len);
    if (s && is_word(s, len, "true", 4))
        return val_bool(true);
    if (s && is_word(s, len, "false", 5))
        return val_bool(false);
    return VAL_UNDEFINED_VALUE;
}

/* --- to String --- */

static struct val plain_string(const char *s, size_t len)
{
    return (struct val) { .kind = VAL_STRING, .exp = 1, .n = (uint32_t)len, .text = s };
}

static unsigned canonical_flag(enum sql_version version)
{
    return version == SQL_2015_10_08 ? JSON_CANON_2015 : JSON_CANON_2016;
}

static struct val number_to_string(struct val v, struct arena *a)
{
    char text[NUM_TEXT_MAX];
    size_t len = val_number_text(text, v);
    if (len == 0) {
        const struct json_node *node = json_at(v.doc, v.n); /* beyond the language's range: its text as it came */
        return plain_string(v.doc->text + node->off, node->len);
    }
    char *copy = arena_alloc(a, len);
    return copy ? plain_string(memcpy(copy, text, len), len) : VAL_UNDEFINED_VALUE;
}

#define FIRST_GUESS ((size_t)256)

/* Room that the JSON text probably fits in: of a part of the payload, as much as it had there. */
static size_t guess_size(struct val v)
{
    return v.form == VAL_TAPE ? (size_t)json_at(v.doc, v.n)->len + FIRST_GUESS : FIRST_GUESS;
}

/* JSON text in the arena: written into a buffer of fixed size, which is doubled until it is enough. */
static struct val json_to_string(struct val v, enum sql_version version, struct arena *a)
{
    char *text = NULL;
    for (size_t had = 0, size = guess_size(v); size < UINT32_MAX; had = size, size *= 2) {
        text = arena_grow(a, text, had, size);
        if (!text)
            break;
        struct buf fixed = { .p = text, .cap = size, .max = size - 1 };
        val_write_json(&fixed, v, version);
        if (!fixed.failed) {
            text = arena_grow(a, text, size, fixed.len);
            return text ? val_string(text, fixed.len) : VAL_UNDEFINED_VALUE;
        }
    }
    return VAL_UNDEFINED_VALUE;
}

struct val val_to_string(struct val v, enum sql_version version, struct arena *a)
{
    if (v.kind == VAL_STRING)
        return v;
    if (v.kind == VAL_BOOL)
        return v.truth ? plain_string("true", 4) : plain_string("false", 5);
    if (v.kind < VAL_INT || v.kind == VAL_BYTES)
        return VAL_UNDEFINED_VALUE;
    if (v.form == VAL_TAPE) {
        const struct json_node *node = json_at(v.doc, v.n);
        struct val text = val_string(v.doc->text + node->off, node->len);
        text.exp = val_is_number(v);
        if (node->flags & canonical_flag(version))
            return text;
    }
    return val_is_number(v) ? number_to_string(v, a) : json_to_string(v, version, a);
}
