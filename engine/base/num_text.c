/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from text and to text, and from and to doubles.
 *
 * Texts of at most 18 digits are summed up in 64 bits. Longer ones take a second way that keeps 34 significant digits
 * and rounds half even by the digits after them. The written form is that of java.math.BigDecimal.toString. Doubles go
 * through the C library's text conversions, which round correctly; the locale is "C". */
#include "engine/base/num_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXP_LIMIT 1000000000 /* larger exponents in a text are cut to this: far out of range anyway */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number text taken apart; all pointers into the text. */
struct number_text {
    const char *whole, *fraction; /* digits */
    size_t whole_len, fraction_len;
    int64_t exp;
    bool neg, is_int;
};

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* The digits after 'e'. NULL if there are none. */
static const char *scan_exponent(const char *p, const char *end, bool plus_allowed, int64_t *exp)
{
    bool neg = p < end && *p == '-';
    if (neg || (plus_allowed && p < end && *p == '+'))
        p++;
    const char *digits = p;
    for (*exp = 0; p < end && is_digit(*p); p++)
        *exp = *exp < EXP_LIMIT ? *exp * 10 + (*p - '0') : EXP_LIMIT;
    if (neg)
        *exp = -*exp;
    return p > digits ? p : NULL;
}

static bool scan_number(struct number_text *t, const char *s, size_t len, bool plus_allowed)
{
    const char *p = s, *end = s + len;
    *t = (struct number_text) { .neg = len > 0 && *s == '-', .is_int = true };
    p += t->neg;
    t->whole = p;
    p = skip_digits(p, end);
    t->whole_len = (size_t)(p - t->whole);
    t->fraction = p;
    if (t->whole_len == 0)
        return false;
    if (p < end && *p == '.') {
        t->fraction = ++p;
        p = skip_digits(p, end);
        t->fraction_len = (size_t)(p - t->fraction);
        t->is_int = false;
        if (t->fraction_len == 0)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = scan_exponent(p + 1, end, plus_allowed, &t->exp);
        t->is_int = false;
    }
    return p == end;
}

bool num_is_numeric_string(const char *s, size_t len)
{
    struct number_text t;
    return scan_number(&t, s, len, false);
}

/* Sum of the digits of a long text: the first 34 significant ones, and what follows them. */
struct digits {
    num_u128 coef;
    int kept;        /* digits in coef */
    int64_t dropped; /* digits after them */
    int next;        /* the first of those */
    bool sticky;     /* one of the others is not 0 */
};

static void add_digits(struct digits *d, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int digit = s[i] - '0';
        if (d->kept < NUM_DIGITS) {
            d->coef = d->coef * 10 + (unsigned)digit;
            d->kept += d->coef != 0;
        } else if (d->dropped++ == 0) {
            d->next = digit;
        } else {
            d->sticky |= digit != 0;
        }
    }
}

/* Round half even. A carry out of the last nine makes 10^34: then a digit goes. */
static void round_digits(struct digits *d)
{
    bool up = d->next > 5 || (d->next == 5 && (d->sticky || (d->coef & 1)));
    d->coef += up;
    if (d->coef == num_pow10(NUM_DIGITS)) {
        d->coef /= 10;
        d->dropped++;
    }
}

static int32_t clamp_exp(int64_t exp)
{
    return (int32_t)(exp < -EXP_LIMIT ? -EXP_LIMIT : exp > EXP_LIMIT ? EXP_LIMIT : exp);
}

static bool join_long(struct num *n, const struct number_text *t)
{
    struct digits d = { 0 };
    add_digits(&d, t->whole, t->whole_len);
    add_digits(&d, t->fraction, t->fraction_len);
    if (t->is_int && d.dropped > 0)
        return false;
    round_digits(&d);
    int64_t exp = t->exp - (int64_t)t->fraction_len + d.dropped;
    return num_join(n, &(struct num_parts) { .coef = d.coef, .exp = clamp_exp(exp), .neg = t->neg }, t->is_int);
}

static uint64_t sum_digits(uint64_t sum, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = sum * 10 + (uint64_t)(s[i] - '0');
    return sum;
}

bool num_parse(struct num *n, const char *s, size_t len)
{
    struct number_text t;
    if (!scan_number(&t, s, len, true))
        return false;
    if (t.whole_len + t.fraction_len > 18)
        return join_long(n, &t);
    int64_t coef = (int64_t)sum_digits(sum_digits(0, t.whole, t.whole_len), t.fraction, t.fraction_len);
    int64_t exp = t.exp - (int64_t)t.fraction_len;
    if (exp < -900 || exp > 900)
        return join_long(n, &t);
    num_set_small(n, t.neg ? -coef : coef, (int32_t)exp, t.is_int);
    return true;
}

/* Digits of a magnitude, without leading zeros; returns their number (at most 39). */
static int write_digits(char digits[40], num_u128 v)
{
    char reversed[40];
    int n = 0;
    for (; v > UINT64_MAX; v /= 10)
        reversed[n++] = (char)('0' + (int)(v % 10));
    uint64_t low = (uint64_t)v;
    do {
        reversed[n++] = (char)('0' + (int)(low % 10));
        low /= 10;
    } while (low);
    for (int i = 0; i < n; i++)
        digits[i] = reversed[n - 1 - i];
    return n;
}

static char *put(char *at, const char *s, size_t n)
{
    memcpy(at, s, n);
    return at + n;
}

static char *put_zeros(char *at, int32_t n)
{
    memset(at, '0', (size_t)n);
    return at + n;
}

static char *put_plain(char *at, const char *digits, int n, int32_t scale)
{
    if (scale == 0)
        return put(at, digits, (size_t)n);
    int32_t whole = n - scale; /* digits before the point */
    if (whole > 0) {
        at = put(at, digits, (size_t)whole);
        *at++ = '.';
        return put(at, digits + whole, (size_t)scale);
    }
    at = put(at, "0.", 2);
    at = put_zeros(at, -whole);
    return put(at, digits, (size_t)n);
}

static char *put_scientific(char *at, const char *digits, int n, int32_t adjusted)
{
    *at++ = digits[0];
    if (n > 1) {
        *at++ = '.';
        at = put(at, digits + 1, (size_t)n - 1);
    }
    *at++ = 'E';
    *at++ = adjusted < 0 ? '-' : '+';
    char exp[40];
    int len = write_digits(exp, (num_u128)(adjusted < 0 ? -adjusted : adjusted));
    return put(at, exp, (size_t)len);
}

size_t num_text(char *text, const struct num *x)
{
    struct num_parts p = num_split(x);
    char digits[40], *at = text;
    int n = write_digits(digits, p.coef);
    int32_t adjusted = p.exp + n - 1;
    if (p.neg)
        *at++ = '-';
    if (p.exp <= 0 && adjusted >= -6)
        at = put_plain(at, digits, n, -p.exp);
    else
        at = put_scientific(at, digits, n, adjusted);
    return (size_t)(at - text);
}

void num_write(struct buf *out, const struct num *x)
{
    char text[NUM_TEXT_MAX];
    buf_put(out, text, num_text(text, x));
}

/* Both the coefficient and the power of ten are doubles then, so that one correctly rounded operation is exact
 * rounding (Clinger, "How to read floating point numbers accurately", 1990). */
static bool is_exact_in_double(const struct num *x)
{
    return !x->is_wide && num_magnitude(x->coef) <= UINT64_C(1) << 53 && x->exp >= -22 && x->exp <= 22;
}

double num_to_double(const struct num *x)
{
    static const double pow10_double[23] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    if (is_exact_in_double(x)) {
        double coef = (double)x->coef;
        return x->exp < 0 ? coef / pow10_double[-x->exp] : coef * pow10_double[x->exp];
    }
    char text[NUM_TEXT_MAX + 1];
    text[num_text(text, x)] = '\0';
    return strtod(text, NULL);
}

/* Digits and exponent of the shortest text that reads back as d (finite): ±d.ddd…E±x. Seventeen digits always do;
 * fifteen are tried first, fewer only where doubles themselves have fewer. */
static void shortest_text(char text[40], double d)
{
    for (int precision = fabs(d) < 2.2250738585072014e-308 ? 1 : 15; precision <= 17; precision++) {
        snprintf(text, 40, "%.*e", precision - 1, d);
        if (strtod(text, NULL) == d)
            return;
    }
}

static void strip_zeros(struct num_parts *p)
{
    while (p->coef != 0 && p->coef % 10 == 0) {
        p->coef /= 10;
        p->exp++;
    }
}

bool num_from_double(struct num *r, double d)
{
    char text[40];
    struct num exact;
    if (!isfinite(d))
        return false;
    if (d == 0) {
        num_set_small(r, 0, -1, false);
        return true;
    }
    shortest_text(text, d);
    if (!num_parse(&exact, text, strlen(text)))
        return false;
    struct num_parts p = num_split(&exact);
    strip_zeros(&p);
    if (p.exp >= 0 && p.exp + 1 + num_count_digits(p.coef) <= NUM_DIGITS) {
        p.coef *= num_pow10(p.exp + 1);
        p.exp = -1;
    }
    return num_join(r, &p, false);
}
