/* SPDX-License-Identifier: Apache-2.0 */
/* Equality of values, as tests need it. Recursion is bounded by JSON_MAX_DEPTH.
 *
 * Numbers are compared digit by digit in their texts, so that numbers of any length and range compare exactly. Members
 * are looked for in b after the place of the last one found, so objects of one order cost no search. */
#include "engine/base/json_int.h"
#include "engine/base/num.h"

#include <math.h>

#define EXP_LIMIT (INT64_C(1) << 60) /* larger exponents are cut to this */

/* Number text without its zeros at either end: digits from first to before end (a point may be among them), of which
 * the first counts 10^magnitude. */
struct decimal {
    const char *first, *end; /* the same for zero */
    int64_t magnitude;
    bool neg;
};

static int64_t read_exponent(const char *p, const char *end)
{
    if (p == end)
        return 0;
    p++;
    bool neg = *p == '-';
    int64_t exp = 0;
    for (p += *p == '-' || *p == '+'; p < end; p++)
        exp = exp < EXP_LIMIT / 10 ? exp * 10 + (*p - '0') : EXP_LIMIT;
    return neg ? -exp : exp;
}

static struct decimal read_decimal(const char *s, size_t len)
{
    struct decimal v = { .neg = *s == '-' };
    const char *p = s + v.neg, *end = s + len, *point = NULL, *mantissa_end;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = p;
        } else if (*p != '0') {
            v.first = v.first ? v.first : p;
            v.end = p + 1;
        }
    }
    mantissa_end = p;
    if (!v.first)
        return (struct decimal) { 0 };
    if (!point)
        point = mantissa_end;
    v.magnitude = (point - v.first) - (v.first < point) + read_exponent(mantissa_end, end);
    return v;
}

static bool same_decimal(const struct decimal *x, const struct decimal *y)
{
    if (x->neg != y->neg || x->magnitude != y->magnitude)
        return false;
    const char *p = x->first, *q = y->first;
    while (p < x->end && q < y->end) {
        p += *p == '.'; /* a digit follows: the last one is not a point */
        q += *q == '.';
        if (*p++ != *q++)
            return false;
    }
    return p == x->end && q == y->end;
}

static bool is_near(const char *x, size_t x_len, const char *y, size_t y_len, double tol)
{
    struct num a, b;
    if (!num_parse(&a, x, x_len) || !num_parse(&b, y, y_len))
        return false;
    return fabs(num_to_double(&a) - num_to_double(&b)) <= tol;
}

static bool equal_numbers(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j, double tol)
{
    const struct json_node *m = &a->tape[i], *n = &b->tape[j];
    const char *x = a->text + m->off, *y = b->text + n->off;
    struct decimal v = read_decimal(x, m->len), w = read_decimal(y, n->len);
    return same_decimal(&v, &w) || (tol > 0 && is_near(x, m->len, y, n->len, tol));
}

static bool equal_strings(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j)
{
    const struct json_node *m = &a->tape[i], *n = &b->tape[j];
    struct json_value_reader x = { .p = a->text + m->off, .end = a->text + m->off + m->len };
    struct json_value_reader y = { .p = b->text + n->off, .end = b->text + n->off + n->len };
    if (!((m->flags | n->flags) & JSON_ESCAPED))
        return m->len == n->len && memcmp(x.p, y.p, m->len) == 0;
    for (;;) {
        int c = json_next_byte(&x);
        if (c != json_next_byte(&y))
            return false;
        if (c < 0)
            return true;
    }
}

static bool equal_arrays(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j, double tol)
{
    uint32_t l = json_first(b, j);
    for (uint32_t k = json_first(a, i); k != json_end(a, i); k = json_next(a, i, k)) {
        if (l == json_end(b, j) || !json_same(a, k, b, l, tol))
            return false;
        l = json_next(b, j, l);
    }
    return l == json_end(b, j);
}

static uint32_t count_members(const struct json_doc *d, uint32_t i)
{
    uint32_t count = 0;
    for (uint32_t k = json_first(d, i); k != json_end(d, i); k = json_next(d, i, k))
        count += json_value_of(d, k) != 0;
    return count;
}

/* The key of object j of b that is the same as key k of a, searched from key `from` on and around; 0 if there is none.
 * */
static uint32_t find_key(const struct json_doc *a, uint32_t k, const struct json_doc *b, uint32_t j, uint32_t from)
{
    if (json_first(b, j) == json_end(b, j))
        return 0;
    uint32_t l = from == json_end(b, j) ? json_first(b, j) : from, start = l;
    do {
        if (json_value_of(b, l) && equal_strings(a, k, b, l))
            return l;
        l = json_next(b, j, l);
        if (l == json_end(b, j))
            l = json_first(b, j);
    } while (l != start);
    return 0;
}

static bool equal_objects(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j, double tol)
{
    if (count_members(a, i) != count_members(b, j))
        return false;
    uint32_t l = json_first(b, j);
    for (uint32_t k = json_first(a, i); k != json_end(a, i); k = json_next(a, i, k)) {
        if (!json_value_of(a, k))
            continue;
        l = find_key(a, k, b, j, l);
        if (l == 0 || !json_same(a, json_value_of(a, k), b, json_value_of(b, l), tol))
            return false;
        l = json_next(b, j, l);
    }
    return true;
}

static bool is_number(const struct json_node *n)
{
    return n->kind == JSON_INT || n->kind == JSON_DECIMAL;
}

bool json_same(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j, double tol)
{
    const struct json_node *m = &a->tape[i], *n = &b->tape[j];
    if (is_number(m) && is_number(n))
        return equal_numbers(a, i, b, j, tol);
    if (m->kind != n->kind)
        return false;
    switch (m->kind) {
    case JSON_STRING:
        return equal_strings(a, i, b, j);
    case JSON_ARRAY:
        return equal_arrays(a, i, b, j, tol);
    case JSON_OBJECT:
        return equal_objects(a, i, b, j, tol);
    default:
        return true;
    }
}
