/* SPDX-License-Identifier: Apache-2.0 */
/* Values: where they come from and what they hold. Conversions are in val_convert.c, equality in val_equal.c,
 * building in val_build.c, writing in val_write.c. On the hot path.
 *
 * A value of the payload stays a reference to its tape node until someone needs more: a number that is only passed
 * on is never parsed, and its bytes are copied to the output. The exceptions are strings without escapes, which are
 * as cheap as slices of the payload, and numbers whose text the SQL version changes (5.0), which are parsed to know
 * their type. */
#include "sql/value.h"

#include <string.h>

/* --- from the tape --- */

static const uint8_t kind_of_node[] = {
    [JSON_NULL] = VAL_NULL,       [JSON_FALSE] = VAL_BOOL,    [JSON_TRUE] = VAL_BOOL,   [JSON_INT] = VAL_INT,
    [JSON_DECIMAL] = VAL_DECIMAL, [JSON_STRING] = VAL_STRING, [JSON_ARRAY] = VAL_ARRAY, [JSON_OBJECT] = VAL_OBJECT,
};

static struct val tape_value(enum val_kind kind, const struct json_doc *doc, uint32_t node)
{
    return (struct val) { .kind = (uint8_t)kind, .form = VAL_TAPE, .n = node, .doc = doc };
}

/* A Decimal whose text is not what 2016-03-23 prints: it may be whole, so an Int. */
static struct val decimal_of_2016(const struct json_doc *doc, uint32_t node)
{
    const struct json_node *n = json_at(doc, node);
    struct num num;
    if (!num_parse(&num, doc->text + n->off, n->len))
        return tape_value(VAL_DECIMAL, doc, node);
    num_make_whole_int(&num);
    if (num.is_wide)
        return tape_value(num.is_int ? VAL_INT : VAL_DECIMAL, doc, node);
    return val_from_num(&num, SQL_2016_03_23, NULL);
}

struct val val_from_node(const struct json_doc *doc, uint32_t node, enum sql_version version)
{
    const struct json_node *n = json_at(doc, node);
    switch ((enum json_kind)n->kind) {
    case JSON_NULL:
        return val_null();
    case JSON_FALSE:
    case JSON_TRUE:
        return val_bool(n->kind == JSON_TRUE);
    case JSON_STRING:
        if (!(n->flags & JSON_ESCAPED))
            return (struct val) { .kind = VAL_STRING, .exp = 1, .n = n->len, .text = doc->text + n->off };
        break;
    case JSON_DECIMAL:
        if (version != SQL_2015_10_08 && !(n->flags & JSON_CANON_2016))
            return decimal_of_2016(doc, node);
        break;
    case JSON_INT:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return tape_value(kind_of_node[n->kind], doc, node);
}

/* --- numbers --- */

struct val val_from_num(const struct num *n, enum sql_version version, struct arena *a)
{
    struct num r = *n;
    if (version != SQL_2015_10_08 && !r.is_int)
        num_make_whole_int(&r);
    struct val v = { .kind = r.is_int ? VAL_INT : VAL_DECIMAL };
    if (!r.is_wide) {
        v.exp = (int16_t)r.exp;
        v.coef = r.coef;
        return v;
    }
    struct num *kept = a ? arena_alloc(a, sizeof(*kept)) : NULL;
    if (!kept)
        return VAL_UNDEFINED_VALUE;
    *kept = r;
    v.form = VAL_WIDE;
    v.num = kept;
    return v;
}

bool val_num(struct val v, struct num *n)
{
    switch ((enum val_form)v.form) {
    case VAL_HERE:
        *n = (struct num) { .coef = v.coef, .exp = v.exp, .is_int = v.kind == VAL_INT };
        return true;
    case VAL_WIDE:
        *n = *v.num;
        return true;
    case VAL_TAPE:
        break;
    }
    const struct json_node *node = json_at(v.doc, v.n);
    if (!num_parse(n, v.doc->text + node->off, node->len))
        return false;
    if (v.kind == VAL_INT && !n->is_int)
        num_make_whole_int(n);
    return true;
}

#define SMALL_DIGITS 18 /* any 18 digits fit in 64 bits */

/* Number text of at most SMALL_DIGITS digits, without an exponent. */
static bool small_from_text(const char *p, size_t len, struct val_small *small)
{
    const char *end = p + len, *point = NULL;
    bool negative = *p == '-';
    p += negative;
    if (end - p > SMALL_DIGITS)
        return false;
    int64_t coef = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (digit <= 9)
            coef = coef * 10 + (int)digit;
        else if (*p == '.')
            point = p;
        else
            return false;
    }
    small->coef = negative ? -coef : coef;
    small->exp = point ? (int)(point + 1 - end) : 0;
    return true;
}

bool val_small(const struct val *v, struct val_small *s)
{
    if (v->form == VAL_HERE) {
        s->coef = v->coef;
        s->exp = v->exp;
        return true;
    }
    if (v->form == VAL_WIDE)
        return false;
    const struct json_node *node = json_at(v->doc, v->n);
    return small_from_text(v->doc->text + node->off, node->len, s);
}

static const int64_t pow10[SMALL_DIGITS + 1] = { 1,
                                                 10,
                                                 100,
                                                 1000,
                                                 10000,
                                                 100000,
                                                 1000000,
                                                 10000000,
                                                 100000000,
                                                 1000000000,
                                                 10000000000,
                                                 100000000000,
                                                 1000000000000,
                                                 10000000000000,
                                                 100000000000000,
                                                 1000000000000000,
                                                 10000000000000000,
                                                 100000000000000000,
                                                 1000000000000000000 };

bool val_small_align_far(struct val_small *s, struct val_small *t)
{
    struct val_small *coarse = s->exp > t->exp ? s : t, *fine = coarse == s ? t : s;
    int shift = coarse->exp - fine->exp;
    if (shift > SMALL_DIGITS || __builtin_mul_overflow(coarse->coef, pow10[shift], &coarse->coef))
        return false;
    coarse->exp = fine->exp;
    return true;
}

bool val_from_small(const struct val_small *s, bool is_int, enum sql_version version, struct val *v)
{
    if (s->exp > 0 || s->exp < -SMALL_DIGITS)
        return false;
    *v = (struct val) { .kind = is_int ? VAL_INT : VAL_DECIMAL, .exp = (int16_t)s->exp, .coef = s->coef };
    if (!is_int && version != SQL_2015_10_08 && s->coef % pow10[-s->exp] == 0)
        *v = val_i64(s->coef / pow10[-s->exp]);
    return true;
}

/* --- text, members, elements --- */

const char *val_text(struct val v, struct arena *a, size_t *len)
{
    if (v.form == VAL_TAPE)
        return json_text(v.doc, v.n, a, len);
    *len = v.n;
    return v.text;
}

struct val val_join_strings(struct val x, struct val y, struct arena *a)
{
    size_t x_len, y_len;
    const char *s = val_text(x, a, &x_len), *t = s ? val_text(y, a, &y_len) : NULL;
    if (!t || x_len + y_len > UINT32_MAX)
        return VAL_UNDEFINED_VALUE;
    char *both = arena_alloc(a, x_len + y_len);
    if (!both)
        return VAL_UNDEFINED_VALUE;
    if (x_len)
        memcpy(both, s, x_len);
    if (y_len)
        memcpy(both + x_len, t, y_len);
    struct val v = val_string(both, x_len + y_len);
    v.exp = x.form == VAL_HERE && y.form == VAL_HERE && x.exp == 1 && y.exp == 1;
    return v;
}

static struct val member_of_tape(const struct json_doc *doc, uint32_t object, const char *key, size_t len,
                                 enum sql_version version)
{
    uint32_t node = json_member(doc, object, key, len);
    return node ? val_from_node(doc, node, version) : VAL_UNDEFINED_VALUE;
}

struct val val_member(struct val v, const char *key, size_t len, enum sql_version version, struct arena *a)
{
    (void)a;
    if (v.kind != VAL_OBJECT)
        return VAL_UNDEFINED_VALUE;
    if (v.form == VAL_TAPE)
        return member_of_tape(v.doc, v.n, key, len, version);
    for (uint32_t i = v.n; i-- > 0;) {
        const struct val *name = &v.items[2 * (size_t)i];
        if (name->kind == VAL_OBJECT)
            return member_of_tape(name->doc, name->n, key, len, version);
        if (name->n == len && memcmp(name->text, key, len) == 0)
            return name[1];
    }
    return VAL_UNDEFINED_VALUE;
}

struct val val_element(struct val v, size_t i, enum sql_version version)
{
    if (v.kind != VAL_ARRAY)
        return VAL_UNDEFINED_VALUE;
    if (v.form == VAL_HERE)
        return i < v.n ? v.items[i] : VAL_UNDEFINED_VALUE;
    uint32_t node = json_element(v.doc, v.n, i);
    return node ? val_from_node(v.doc, node, version) : VAL_UNDEFINED_VALUE;
}

#define COUNT_MAX ((1u << 24) - 1) /* where json_node.count saturates */

/* Members or elements of a tape node; the node's own count saturates. */
static size_t count_of_node(const struct json_doc *doc, uint32_t node)
{
    const struct json_node *n = json_at(doc, node);
    if (n->count < COUNT_MAX)
        return n->count;
    size_t count = 0;
    for (uint32_t k = json_first(doc, node); k != json_end(doc, node); k = json_next(doc, node, k))
        count++;
    return count;
}

size_t val_count(struct val v)
{
    if (v.kind != VAL_ARRAY && v.kind != VAL_OBJECT)
        return 0;
    if (v.form == VAL_TAPE)
        return count_of_node(v.doc, v.n);
    if (v.kind == VAL_OBJECT && v.n && v.items[0].kind == VAL_OBJECT)
        return count_of_node(v.items[0].doc, v.items[0].n) + v.n - 1;
    return v.n;
}

/* --- walking over elements and members --- */

struct val_elements val_elements(struct val array, enum sql_version version)
{
    struct val_elements it = { .version = version };
    if (array.kind != VAL_ARRAY)
        return it;
    if (array.form == VAL_TAPE) {
        it.doc = array.doc;
        it.node = json_first(it.doc, array.n);
        it.end = json_end(it.doc, array.n);
    } else {
        it.item = array.items;
        it.last = array.n ? array.items + array.n : array.items;
    }
    return it;
}

static void members_enter_tape(struct val_members *it, const struct val *object)
{
    it->doc = object->doc;
    it->node = json_first(it->doc, object->n);
    it->end = json_end(it->doc, object->n);
}

struct val_members val_members(struct val object, enum sql_version version)
{
    struct val_members it = { .version = version };
    if (object.kind != VAL_OBJECT)
        return it;
    if (object.form == VAL_TAPE) {
        members_enter_tape(&it, &object);
        return it;
    }
    it.pair = object.items;
    it.last = object.n ? object.items + 2 * (size_t)object.n : object.items;
    if (object.n && object.items[0].kind == VAL_OBJECT) {
        members_enter_tape(&it, &object.items[0]);
        it.pair += 2;
    }
    return it;
}

bool val_members_next(struct val_members *it, struct arena *a)
{
    while (it->node != it->end) {
        uint32_t key = it->node, value = json_value_of(it->doc, key);
        it->node = json_at(it->doc, key + 1)->next;
        if (value == 0)
            continue; /* an earlier key of the same name has its value */
        size_t len;
        it->key = json_text(it->doc, key, a, &len);
        if (!it->key)
            return false;
        it->key_len = (uint32_t)len;
        it->key_plain = !(json_at(it->doc, key)->flags & JSON_ESCAPED);
        it->value = val_from_node(it->doc, value, it->version);
        return true;
    }
    if (it->pair == it->last)
        return false;
    it->key = it->pair->text;
    it->key_len = it->pair->n;
    it->key_plain = it->pair->exp == 1;
    it->value = it->pair[1];
    it->pair += 2;
    return true;
}
