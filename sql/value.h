/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the rule language: 16 bytes each, by value.
 *
 * Strings, numbers, arrays and objects of the payload are references into it (VAL_TAPE), not copies. What an evaluation
 * builds lives in its arena and is gone at the next message. Undefined is kind 0, so zeroed memory is Undefined. */
#ifndef SLUICE_SQL_VALUE_H
#define SLUICE_SQL_VALUE_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/base/num.h"
#include "sql/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum val_kind {
    VAL_UNDEFINED,
    VAL_NULL,
    VAL_BOOL,
    VAL_INT,
    VAL_DECIMAL,
    VAL_STRING,
    VAL_ARRAY,
    VAL_OBJECT,
    VAL_BYTES, /* the raw payload that is not JSON; only `*` yields it */
};

/*  form       kinds                    n            member used
 *  VAL_HERE   Bool                     -            truth
 *             Int, Decimal (small)     -            coef; exp is the exponent
 *             String, Bytes            length       text (not NUL-terminated); exp is 1 if it needs no escapes in JSON
 *             Array                    elements     items[n]; exp is private to val_build.c
 *             Object                   pairs        items[2n]: key (String, VAL_HERE), value, key …; exp as above.
 *                                                   The first "key" may be an Object of the tape instead: all its
 *                                                   members, none of which has the name of a later pair
 *  VAL_TAPE   Int, Decimal, String,    node index   doc; of a number, exp is 0 or the machine's path slot + 1, where
 *             Array, Object                         its parsed form is remembered
 *  VAL_WIDE   Int, Decimal             -            num */
enum val_form { VAL_HERE, VAL_TAPE, VAL_WIDE };

/* Deeper nesting of what programs build is not written or compared. */
#define VAL_MAX_DEPTH 1024

struct val {
    uint8_t kind; /* enum val_kind */
    uint8_t form; /* enum val_form */
    int16_t exp;
    uint32_t n;
    union {
        int64_t coef;
        bool truth;
        const char *text;
        const struct num *num;
        const struct json_doc *doc;
        struct val *items;
    };
};
_Static_assert(sizeof(struct val) == 16, "a value is 16 bytes");

#define VAL_UNDEFINED_VALUE ((struct val) { .kind = VAL_UNDEFINED })

static inline struct val val_null(void)
{
    return (struct val) { .kind = VAL_NULL };
}
static inline struct val val_bool(bool truth)
{
    return (struct val) { .kind = VAL_BOOL, .truth = truth };
}
static inline struct val val_i64(int64_t v)
{
    return (struct val) { .kind = VAL_INT, .coef = v };
}
/* Borrows the bytes. */
static inline struct val val_string(const char *s, size_t len)
{
    return (struct val) { .kind = VAL_STRING, .n = (uint32_t)len, .text = s };
}
static inline bool val_is_undefined(struct val v)
{
    return v.kind == VAL_UNDEFINED;
}
static inline bool val_is_number(struct val v)
{
    return v.kind == VAL_INT || v.kind == VAL_DECIMAL;
}

/* The value of a tape node under a version's number rule (a whole Decimal becomes Int from 2016-03-23 on). */
struct val val_from_node(const struct json_doc *doc, uint32_t node, enum sql_version version);
/* From a number; wide ones are copied to the arena (NULL arena: must be small). Applies the version's whole-number
 * rule. Undefined if the arena is full. */
struct val val_from_num(const struct num *n, enum sql_version version, struct arena *a);
/* The number of an Int or Decimal; false if its text is beyond the language's range. */
bool val_num(struct val v, struct num *n) MUST_CHECK;
/* The bytes of a String; unescaped into the arena where needed. NULL if the arena is full. */
const char *val_text(struct val v, struct arena *a, size_t *len) MUST_CHECK;
/* Member of an Object by name; Undefined for other kinds and missing members. */
struct val val_member(struct val v, const char *key, size_t len, enum sql_version version, struct arena *a);
/* Element of an Array from 0; Undefined for other kinds and out of range. */
struct val val_element(struct val v, size_t i, enum sql_version version);
size_t val_count(struct val v); /* elements or members (of the payload: with those of one name); 0 for other kinds */

/* A number of few digits: coef × 10^exp. */
struct val_small {
    int64_t coef;
    int exp;
};
/* The small form of an Int or Decimal, or false: it is no small number, take val_num. Cheaper than val_num. */
bool val_small(const struct val *v, struct val_small *s) MUST_CHECK;
/* The value of a small form, under the version's number rule; false if it is too near the bounds of the language to
 * tell. */
bool val_from_small(const struct val_small *s, bool is_int, enum sql_version version, struct val *v) MUST_CHECK;
/* Bring two to one exponent, the smaller; false when the digits do not fit. */
bool val_small_align_far(struct val_small *s, struct val_small *t) MUST_CHECK;
static inline bool val_small_align(struct val_small *s, struct val_small *t)
{
    return s->exp == t->exp || val_small_align_far(s, t);
}

/* Walk over an Array's elements: struct val_elements it = val_elements(v, version); while (val_elements_next(&it,
 * &item)) … Other kinds have none. */
struct val_elements {
    enum sql_version version;
    const struct json_doc *doc;
    uint32_t node, end;
    const struct val *item, *last;
};
struct val_elements val_elements(struct val array, enum sql_version version);
static inline bool val_elements_next(struct val_elements *it, struct val *v)
{
    if (!it->doc) {
        if (it->item == it->last)
            return false;
        *v = *it->item++;
        return true;
    }
    if (it->node == it->end)
        return false;
    *v = val_from_node(it->doc, it->node, it->version);
    it->node = json_at(it->doc, it->node)->next;
    return true;
}

/* Walk over an Object's members:  struct val_members it = val_members(v, version); while (val_members_next(&it, a)) …
 * Ends early when the arena is full. */
struct val_members {
    const char *key; /* of the current member */
    uint32_t key_len;
    bool key_plain; /* needs no escapes in JSON */
    struct val value;
    /* private */
    enum sql_version version;
    const struct json_doc *doc;
    uint32_t node, end;
    const struct val *pair, *last;
};
struct val_members val_members(struct val object, enum sql_version version);
bool val_members_next(struct val_members *it, struct arena *a);

/* Building. An Array or Object begins as val_array() or val_object() and grows by these; each returns false when the
 * arena is full (which the arena remembers, so a builder may ask it once at the end). The items belong to that one
 * value: copies made before the last addition must not be used. */
static inline struct val val_array(void)
{
    return (struct val) { .kind = VAL_ARRAY };
}
static inline struct val val_object(void)
{
    return (struct val) { .kind = VAL_OBJECT };
}
bool val_append(struct val *array, struct val item, struct arena *a);
/* Append the elements of another Array. */
bool val_append_all(struct val *array, struct val source, enum sql_version version, struct arena *a);
/* Add a member whose name no other has. Constant time. */
bool val_add(struct val *object, struct val key, struct val value, struct arena *a);
/* Set a member; one of the same name is replaced in its place. O(members). */
bool val_put(struct val *object, struct val key, struct val value, enum sql_version version, struct arena *a);
/* Set a member of a nested object: names is an Array of Strings. What is no object on the way is replaced by one. */
bool val_put_path(struct val *object, struct val names, struct val value, enum sql_version version, struct arena *a);
/* Add all members of `source`; same-named ones are replaced in their place. Constant time for an Object of the
 * payload added to an empty one, else O(n log n) of both. */
bool val_spread(struct val *object, struct val source, enum sql_version version, struct arena *a);

/* Implicit conversions, spec 2.3. Undefined when there is none. */
struct val val_to_decimal(struct val v, enum sql_version version, struct arena *a);
struct val val_to_int(struct val v, enum sql_version version, struct arena *a); /* floors */
struct val val_to_bool(struct val v, struct arena *a);
struct val val_to_string(struct val v, enum sql_version version, struct arena *a);

/* Two Strings, one after the other. Undefined if the arena is full. */
struct val val_join_strings(struct val x, struct val y, struct arena *a);

/* Equality of `=` (spec 2.7) for two defined values. */
bool val_equal(struct val x, struct val y, enum sql_version version, struct arena *a);

/* Append as compact JSON (spec 4.5, 4.6). Undefined appends nothing; Bytes are appended as they are. What is nested
 * deeper than VAL_MAX_DEPTH makes the buffer fail. */
void val_write_json(struct buf *out, struct val v, enum sql_version version);
/* Text of a number into a caller's array; returns its length. 0: the number is a text beyond the language's range. */
size_t val_number_text(char text[NUM_TEXT_MAX], struct val v);

#endif
