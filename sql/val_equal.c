/* SPDX-License-Identifier: Apache-2.0 */
/* Equality of `=` (spec 2.7): numbers by value, other types only with their like, Objects without regard to order.
 *
 * Objects mostly come with their keys in the same order, so they are walked side by side first; at the first key that
 * differs the rest goes through an index. Recursion is bounded by the reader's depth and VAL_MAX_DEPTH. */
#include "sql/value_int.h"

#include <string.h>

struct comparison {
    enum sql_version version;
    struct arena *a;
    unsigned depth;
};

static bool equal(struct comparison *c, struct val x, struct val y);

static bool equal_bytes(const char *x, size_t x_len, const char *y, size_t y_len)
{
    return x_len == y_len && (x_len == 0 || memcmp(x, y, x_len) == 0);
}

/* Texts beyond the language's range have no value to compare; inside Arrays and Objects the same text is the same number,
 * so that a copy equals its original. */
static bool equal_number_text(const struct val *x, const struct val *y)
{
    if (x->form != VAL_TAPE || y->form != VAL_TAPE)
        return false;
    const struct json_node *m = json_at(x->doc, x->n), *n = json_at(y->doc, y->n);
    return equal_bytes(x->doc->text + m->off, m->len, y->doc->text + n->off, n->len);
}

static bool equal_numbers(const struct val *x, const struct val *y)
{
    struct val_small s, t;
    if (val_small(x, &s) && val_small(y, &t) && s.exp == t.exp)
        return s.coef == t.coef;
    struct num m, n;
    bool has_x = val_num(*x, &m), has_y = val_num(*y, &n);
    if (!has_x || !has_y)
        return !has_x && !has_y && equal_number_text(x, y);
    return num_cmp(&m, &n) == 0;
}

static bool equal_strings(struct comparison *c, const struct val *x, const struct val *y)
{
    size_t x_len, y_len;
    const char *s = val_text(*x, c->a, &x_len), *t = s ? val_text(*y, c->a, &y_len) : NULL;
    return t && equal_bytes(s, x_len, t, y_len);
}

static bool equal_arrays(struct comparison *c, const struct val *x, const struct val *y)
{
    struct val_elements s = val_elements(*x, c->version), t = val_elements(*y, c->version);
    struct val v, w;
    for (;;) {
        bool has_x = val_elements_next(&s, &v), has_y = val_elements_next(&t, &w);
        if (!has_x || !has_y)
            return has_x == has_y;
        if (!equal(c, v, w))
            return false;
    }
}

/* The members of x that `it` has not passed yet, its current one included, against an index of all of y. */
static bool equal_by_index(struct comparison *c, struct val_members *it, const struct val *y, uint32_t passed)
{
    struct val_index index;
    if (!val_index_make(&index, *y, c->version, c->a))
        return false;
    do {
        const struct val_indexed *other = val_index_find(&index, it->key, it->key_len);
        if (!other || !equal(c, it->value, other->value))
            return false;
        passed++;
    } while (val_members_next(it, c->a));
    return passed == index.count;
}

static bool equal_objects(struct comparison *c, const struct val *x, const struct val *y)
{
    struct val_members s = val_members(*x, c->version), t = val_members(*y, c->version);
    for (uint32_t passed = 0;; passed++) {
        bool has_x = val_members_next(&s, c->a), has_y = val_members_next(&t, c->a);
        if (!has_x || !has_y)
            return has_x == has_y && !c->a->refused;
        if (!equal_bytes(s.key, s.key_len, t.key, t.key_len))
            return equal_by_index(c, &s, y, passed);
        if (!equal(c, s.value, t.value))
            return false;
    }
}

static bool equal_containers(struct comparison *c, const struct val *x, const struct val *y)
{
    if (x->form == VAL_TAPE && y->form == VAL_TAPE && x->doc == y->doc && x->n == y->n)
        return true;
    if (c->depth == VAL_MAX_DEPTH)
        return false;
    c->depth++;
    bool same = x->kind == VAL_ARRAY ? equal_arrays(c, x, y) : equal_objects(c, x, y);
    c->depth--;
    return same;
}

static bool equal(struct comparison *c, struct val x, struct val y)
{
    if (val_is_number(x) && val_is_number(y))
        return equal_numbers(&x, &y);
    if (x.kind != y.kind)
        return false;
    switch ((enum val_kind)x.kind) {
    case VAL_BOOL:
        return x.truth == y.truth;
    case VAL_STRING:
        return equal_strings(c, &x, &y);
    case VAL_ARRAY:
    case VAL_OBJECT:
        return equal_containers(c, &x, &y);
    case VAL_BYTES:
        return equal_bytes(x.text, x.n, y.text, y.n);
    case VAL_UNDEFINED:
    case VAL_NULL:
    case VAL_INT:
    case VAL_DECIMAL:
        break;
    }
    return true;
}

bool val_equal(struct val x, struct val y, enum sql_version version, struct arena *a)
{
    struct comparison c = { .version = version, .a = a };
    return equal(&c, x, y);
}
