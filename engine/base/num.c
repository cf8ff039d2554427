/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on Ints and Decimals.
 *
 * A number is small if and only if its coefficient fits into 64 bits, so each value with its scale has one form. Small
 * operands with a small result never leave the registers; on the hot path that is nearly all there is. Larger Ints are
 * computed here in 128 bits (34 digits need 113), larger Decimals by the library behind num_wide.c. Every way out that
 * is not plainly in range goes through num_join, which knows the limits of the language. */
#include "engine/base/num_int.h"

#include <assert.h>

#define SAFE_EXP 900 /* small operands with exponents up to here give results far inside the range */

const uint64_t num_pow10_64[20] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

num_u128 num_pow10(int n)
{
    assert(n >= 0 && n <= 38);
    return n < 20 ? (num_u128)num_pow10_64[n] : (num_u128)num_pow10_64[19] * num_pow10_64[n - 19];
}

static int count_digits_64(uint64_t v)
{
    int n = 1;
    while (n < 20 && v >= num_pow10_64[n])
        n++;
    return n;
}

int num_count_digits(num_u128 v)
{
    num_u128 high = v / num_pow10_64[19];
    return high ? 19 + count_digits_64((uint64_t)high) : count_digits_64((uint64_t)v);
}

#define BID_BIAS      6176
#define BID_EXP_SHIFT 49
#define BID_COEF_HIGH ((UINT64_C(1) << BID_EXP_SHIFT) - 1)

void num_pack(uint64_t wide[2], const struct num_parts *p)
{
    uint64_t exp = (uint64_t)(uint32_t)(p->exp + BID_BIAS);
    wide[0] = (uint64_t)p->coef;
    wide[1] = (uint64_t)(p->coef >> 64) | exp << BID_EXP_SHIFT | (p->neg ? NUM_BID_SIGN : 0);
}

struct num_parts num_unpack(const uint64_t wide[2])
{
    return (struct num_parts) { .coef = (num_u128)(wide[1] & BID_COEF_HIGH) << 64 | wide[0],
                                .exp = (int32_t)(wide[1] >> BID_EXP_SHIFT & 0x3FFF) - BID_BIAS,
                                .neg = (wide[1] & NUM_BID_SIGN) != 0 };
}

struct num_parts num_split(const struct num *x)
{
    if (!x->is_wide)
        return (struct num_parts) { .coef = num_magnitude(x->coef), .exp = x->exp, .neg = x->coef < 0 };
    return num_unpack(x->wide);
}

/* Is it in the language's range? A zero has no magnitude: its exponent is brought into range instead. */
static bool fits_language(struct num_parts *p, bool is_int)
{
    if (is_int)
        return p->exp == 0 && p->coef < num_pow10(NUM_DIGITS);
    if (p->coef == 0) {
        p->exp = p->exp < NUM_ZERO_EXP_MIN ? NUM_ZERO_EXP_MIN : p->exp > NUM_EXP_MAX ? NUM_EXP_MAX : p->exp;
        return true;
    }
    int digits = num_count_digits(p->coef);
    assert(digits <= NUM_DIGITS);
    int32_t adjusted = p->exp + digits - 1;
    return adjusted >= NUM_EXP_MIN && adjusted <= NUM_EXP_MAX;
}

bool num_join(struct num *r, const struct num_parts *p, bool is_int)
{
    struct num_parts v = *p;
    if (!fits_language(&v, is_int))
        return false;
    if (v.coef <= (num_u128)INT64_MAX + v.neg) {
        uint64_t low = (uint64_t)v.coef;
        num_set_small(r, (int64_t)(v.neg ? 0 - low : low), v.exp, is_int);
        return true;
    }
    *r = (struct num) { .is_int = is_int, .is_wide = true };
    num_pack(r->wide, &v);
    return true;
}

static bool is_safe(int32_t exp)
{
    return exp >= -SAFE_EXP && exp <= SAFE_EXP;
}

static bool scale_up(int64_t coef, int32_t by, int64_t *scaled)
{
    return by <= 18 && !__builtin_mul_overflow(coef, (int64_t)num_pow10_64[by], scaled);
}

/* Two numbers brought to the smaller exponent. */
struct aligned {
    int64_t x, y;
    int32_t exp;
};

/* False when that takes more than 64 bits, or the result could be out of range. */
static bool align_small(struct aligned *a, const struct num *x, const struct num *y)
{
    if (x->is_wide || y->is_wide)
        return false;
    *a = (struct aligned) { x->coef, y->coef, x->exp };
    if (x->exp == y->exp)
        return is_safe(a->exp);
    if (x->exp < y->exp)
        return scale_up(y->coef, y->exp - x->exp, &a->y) && is_safe(a->exp);
    a->exp = y->exp;
    return scale_up(x->coef, x->exp - y->exp, &a->x) && is_safe(a->exp);
}

static struct num_parts add_ints(const struct num_parts *x, const struct num_parts *y)
{
    if (x->neg == y->neg)
        return (struct num_parts) { .coef = x->coef + y->coef, .neg = x->neg };
    if (x->coef >= y->coef)
        return (struct num_parts) { .coef = x->coef - y->coef, .neg = x->neg };
    return (struct num_parts) { .coef = y->coef - x->coef, .neg = y->neg };
}

static bool add_large(struct num *r, const struct num *x, const struct num *y, bool subtract)
{
    struct num_parts a = num_split(x), b = num_split(y);
    b.neg ^= subtract;
    bool is_int = x->is_int && y->is_int;
    struct num_parts sum = is_int ? add_ints(&a, &b) : num_wide_add(&a, &b);
    return num_join(r, &sum, is_int);
}

bool num_add(struct num *r, const struct num *x, const struct num *y)
{
    struct aligned a;
    int64_t sum;
    if (!align_small(&a, x, y) || __builtin_add_overflow(a.x, a.y, &sum))
        return add_large(r, x, y, false);
    num_set_small(r, sum, a.exp, x->is_int && y->is_int);
    return true;
}

bool num_sub(struct num *r, const struct num *x, const struct num *y)
{
    struct aligned a;
    int64_t difference;
    if (!align_small(&a, x, y) || __builtin_sub_overflow(a.x, a.y, &difference))
        return add_large(r, x, y, true);
    num_set_small(r, difference, a.exp, x->is_int && y->is_int);
    return true;
}

static bool mul_large(struct num *r, const struct num *x, const struct num *y)
{
    struct num_parts a = num_split(x), b = num_split(y), product;
    bool is_int = x->is_int && y->is_int;
    if (is_int) {
        product = (struct num_parts) { .neg = a.neg != b.neg };
        if (__builtin_mul_overflow(a.coef, b.coef, &product.coef))
            return false;
    } else {
        product = num_wide_mul(&a, &b);
    }
    return num_join(r, &product, is_int);
}

bool num_mul(struct num *r, const struct num *x, const struct num *y)
{
    int64_t product;
    if (x->is_wide || y->is_wide || !is_safe(x->exp + y->exp) || __builtin_mul_overflow(x->coef, y->coef, &product))
        return mul_large(r, x, y);
    num_set_small(r, product, x->exp + y->exp, x->is_int && y->is_int);
    return true;
}

/* INT64_MIN / -1 is the one quotient of 64-bit numbers that overflows. */
static bool is_plain_division(const struct num *x, const struct num *y)
{
    return !x->is_wide && !y->is_wide && !(y->coef == -1 && x->coef == INT64_MIN);
}

static bool div_ints(struct num *r, const struct num *x, const struct num *y)
{
    if (is_plain_division(x, y)) {
        num_set_small(r, x->coef / y->coef, 0, true);
        return true;
    }
    struct num_parts a = num_split(x), b = num_split(y);
    struct num_parts quotient = { .coef = a.coef / b.coef, .neg = a.neg != b.neg };
    return num_join(r, &quotient, true);
}

bool num_div(struct num *r, const struct num *x, const struct num *y)
{
    if (num_is_zero(y))
        return false;
    if (x->is_int && y->is_int)
        return div_ints(r, x, y);
    if (is_plain_division(x, y) && is_safe(x->exp - y->exp) && x->coef % y->coef == 0) {
        num_set_small(r, x->coef / y->coef, x->exp - y->exp, false); /* exact at the preferred scale */
        return true;
    }
    struct num_parts a = num_split(x), b = num_split(y), quotient = num_wide_div(&a, &b);
    return num_join(r, &quotient, false);
}

static bool rem_ints(struct num *r, const struct num *x, const struct num *y)
{
    if (is_plain_division(x, y)) {
        num_set_small(r, x->coef % y->coef, 0, true);
        return true;
    }
    struct num_parts a = num_split(x), b = num_split(y);
    struct num_parts rest = { .coef = a.coef % b.coef, .neg = a.neg };
    return num_join(r, &rest, true);
}

/* Magnitudes of numbers that are not zero. */
static int compare_magnitudes(const struct num_parts *x, const struct num_parts *y)
{
    int32_t adjusted_x = x->exp + num_count_digits(x->coef), adjusted_y = y->exp + num_count_digits(y->coef);
    if (adjusted_x != adjusted_y)
        return adjusted_x < adjusted_y ? -1 : 1;
    num_u128 a = x->coef, b = y->coef; /* as long as one another once at one exponent: at most 34 digits */
    if (x->exp > y->exp)
        a *= num_pow10(x->exp - y->exp);
    else
        b *= num_pow10(y->exp - x->exp);
    return (a > b) - (a < b);
}

static int32_t count_zeros(num_u128 v, int32_t max)
{
    int32_t zeros = 0;
    for (; zeros < max && v % 10 == 0; zeros++)
        v /= 10;
    return zeros;
}

/* x mod y for x with a larger exponent: long division, one digit of the quotient at a time (at most 2,064 of them).
 * BigDecimal computes x - q × y, where the whole quotient q has its final zeros cut, back to the preferred scale. So
 * the remainder has the scale of that product, which is shorter than y's by as many zeros. */
static struct num_parts long_remainder(const struct num_parts *x, const struct num_parts *y)
{
    int32_t digits = x->exp - y->exp, zeros = 0;
    num_u128 rest = x->coef % y->coef, quotient = x->coef / y->coef;
    if (quotient != 0)
        zeros = count_zeros(quotient, digits);
    for (int32_t left = digits; left > 0; left--) {
        if (rest == 0) {
            zeros += left;
            break;
        }
        zeros = rest * 10 / y->coef ? 0 : zeros + 1;
        rest = rest * 10 % y->coef;
    }
    if (zeros > digits)
        zeros = digits;
    for (int32_t i = 0; i < zeros; i++)
        rest /= 10;
    return (struct num_parts) { .coef = rest, .exp = y->exp + zeros, .neg = x->neg };
}

static bool rem_decimals(struct num *r, const struct num *x, const struct num *y)
{
    struct num_parts a = num_split(x), b = num_split(y);
    if (a.coef == 0 || compare_magnitudes(&a, &b) < 0)
        return num_join(r, &a, false);
    if (a.exp > b.exp) {
        a = long_remainder(&a, &b);
    } else {
        a.coef %= b.coef * num_pow10(b.exp - a.exp); /* y is not larger than x, so this has at most 34 digits */
    }
    return num_join(r, &a, false);
}

bool num_rem(struct num *r, const struct num *x, const struct num *y)
{
    if (num_is_zero(y))
        return false;
    if (x->is_int && y->is_int)
        return rem_ints(r, x, y);
    struct aligned a;
    if (align_small(&a, x, y) && a.exp == x->exp && a.y != -1) {
        num_set_small(r, a.x % a.y, a.exp, false);
        return true;
    }
    return rem_decimals(r, x, y);
}

void num_neg(struct num *r, const struct num *x)
{
    if (!x->is_wide && x->coef != INT64_MIN) {
        num_set_small(r, -x->coef, x->exp, x->is_int);
        return;
    }
    struct num_parts p = num_split(x);
    p.neg = !p.neg;
    bool fits = num_join(r, &p, x->is_int);
    assert(fits); /* the range is symmetric */
    (void)fits;
}

void num_abs(struct num *r, const struct num *x)
{
    if (num_sign(x) < 0)
        num_neg(r, x);
    else
        *r = *x;
}

bool num_is_zero(const struct num *n)
{
    return !n->is_wide && n->coef == 0;
}

int num_sign(const struct num *n)
{
    if (n->is_wide)
        return n->wide[1] & NUM_BID_SIGN ? -1 : 1;
    return (n->coef > 0) - (n->coef < 0);
}

int num_cmp(const struct num *x, const struct num *y)
{
    if (!x->is_wide && !y->is_wide && x->exp == y->exp)
        return (x->coef > y->coef) - (x->coef < y->coef);
    int sign_x = num_sign(x), sign_y = num_sign(y);
    if (sign_x != sign_y || sign_x == 0)
        return (sign_x > sign_y) - (sign_x < sign_y);
    struct num_parts a = num_split(x), b = num_split(y);
    return sign_x * compare_magnitudes(&a, &b);
}

enum tail { TAIL_NONE, TAIL_BELOW_HALF, TAIL_HALF_OR_MORE };

/* Cut a magnitude at the point; *tail says what fell off. False when the whole part has more than 34 digits. */
static bool cut_fraction(const struct num_parts *p, num_u128 *whole, enum tail *tail)
{
    *tail = TAIL_NONE;
    *whole = p->coef;
    if (p->exp == 0 || p->coef == 0)
        return true;
    if (p->exp > 0) {
        if (p->exp + num_count_digits(p->coef) > NUM_DIGITS)
            return false;
        *whole *= num_pow10(p->exp);
        return true;
    }
    if (p->exp < -38) {
        *whole = 0;
        *tail = TAIL_BELOW_HALF; /* a coefficient has 34 digits */
        return true;
    }
    num_u128 unit = num_pow10(-p->exp), rest = p->coef % unit;
    *whole = p->coef / unit;
    if (rest != 0)
        *tail = rest >= unit - rest ? TAIL_HALF_OR_MORE : TAIL_BELOW_HALF;
    return true;
}

void num_make_whole_int(struct num *n)
{
    struct num_parts p;
    enum tail tail;
    if (n->is_int)
        return;
    if (!n->is_wide && n->exp < 0 && n->exp >= -18 && n->coef % (int64_t)num_pow10_64[-n->exp] != 0)
        return;
    p = num_split(n);
    if (!cut_fraction(&p, &p.coef, &tail) || tail != TAIL_NONE)
        return;
    p.exp = 0;
    bool fits = num_join(n, &p, true);
    assert(fits);
    (void)fits;
}

bool num_is_whole(const struct num *n)
{
    if (!n->is_wide && n->exp >= 0)
        return true;
    struct num_parts p = num_split(n);
    enum tail tail;
    return p.exp >= 0 || (cut_fraction(&p, &p.coef, &tail) && tail == TAIL_NONE);
}

/* To Int; away_neg, away_pos: smallest tail that moves a negative or positive number away from zero. */
static bool to_int(struct num *r, const struct num *x, int away_neg, int away_pos)
{
    if (!x->is_wide && x->exp == 0) {
        num_set_small(r, x->coef, 0, true);
        return true;
    }
    struct num_parts p = num_split(x);
    enum tail tail;
    if (!cut_fraction(&p, &p.coef, &tail))
        return false;
    p.coef += (int)tail >= (p.neg ? away_neg : away_pos);
    p.exp = 0;
    return num_join(r, &p, true);
}

#define TAIL_NEVER (TAIL_HALF_OR_MORE + 1)

bool num_floor(struct num *r, const struct num *x)
{
    return to_int(r, x, TAIL_BELOW_HALF, TAIL_NEVER);
}

bool num_ceil(struct num *r, const struct num *x)
{
    return to_int(r, x, TAIL_NEVER, TAIL_BELOW_HALF);
}

bool num_round(struct num *r, const struct num *x)
{
    return to_int(r, x, TAIL_HALF_OR_MORE, TAIL_HALF_OR_MORE);
}

void num_trunc(struct num *r, const struct num *x, int places)
{
    if (x->is_int) {
        *r = *x;
        return;
    }
    struct num_parts p = num_split(x);
    if (p.exp < -places) {
        int32_t cut = -places - p.exp;
        p.coef = cut > NUM_DIGITS ? 0 : p.coef / num_pow10(cut);
        p.exp = -places;
    }
    for (; p.exp < 0 && p.coef % 10 == 0; p.exp++)
        p.coef /= 10;
    bool fits = num_join(r, &p, false);
    assert(fits); /* nearer to zero than x, and no finer than 34 places */
    (void)fits;
}

bool num_to_i64(const struct num *x, int64_t *v)
{
    struct num whole = *x;
    num_make_whole_int(&whole);
    if (whole.is_wide || !whole.is_int)
        return false;
    *v = whole.coef;
    return true;
}
