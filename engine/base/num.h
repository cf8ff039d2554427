/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers of the rule language: Int (at most 34 digits) and Decimal (34 significant digits, magnitude 1E-999 to
 * 9.99E999). Never a double. A small number is a 64-bit coefficient and an exponent; a larger one is a decimal128 of
 * the Intel decimal library. decimal128's range is wider than the language's and it rounds silently: both are checked
 * here.
 *
 * A value is coefficient × 10^exponent and keeps its scale as java.math.BigDecimal does: 5.10 stays 5.10.
 * Results with more than 34 digits are rounded half even (Decimal) or fail (Int). */
#ifndef SLUICE_BASE_NUM_H
#define SLUICE_BASE_NUM_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUM_DIGITS   34
#define NUM_EXP_MAX  999 /* of the adjusted (scientific) exponent */
#define NUM_EXP_MIN  (-999)
#define NUM_TEXT_MAX 48 /* no text that num_write makes is longer */

struct num {
    union {
        int64_t coef;     /* small: coef × 10^exp */
        uint64_t wide[2]; /* wide: a decimal128 in binary integer encoding (low, high) */
    };
    int32_t exp; /* small only; 0 for Int */
    bool is_int;
    bool is_wide;
};

static inline struct num num_from_i64(int64_t v)
{
    return (struct num) { .coef = v, .exp = 0, .is_int = true };
}

/* Read JSON number text, or text of the numeric-string pattern `-?\d+(\.\d+)?([eE]-?\d+)?` (which is stricter about
 * '+'): no sign of plus in front, no spaces. Text without fraction and exponent gives an Int. A Decimal with more than
 * 34 digits is rounded; an Int of more than 34 digits, or a value out of range, is refused; a zero is never out of
 * range, its exponent is brought to -1032..999. False if refused. O(len). */
bool num_parse(struct num *n, const char *s, size_t len) MUST_CHECK;
/* True if s matches the numeric-string pattern of the language (spec 2.3). */
bool num_is_numeric_string(const char *s, size_t len);

/* The 2016-03-23 rule: a Decimal whose value is whole, of at most 34 digits, becomes an Int. */
void num_make_whole_int(struct num *n);
bool num_is_whole(const struct num *n);
bool num_is_zero(const struct num *n);
int num_sign(const struct num *n); /* -1, 0, 1 */

/* Arithmetic; false: no result (division by zero, Int overflow beyond 34 digits, Decimal out of range).
 * Int with Int gives Int (division truncates toward zero, remainder has the dividend's sign); otherwise Decimal. Scales
 * as BigDecimal: + and - the larger scale, * the sum, / the shortest exact quotient not shorter than the preferred
 * scale (dividend's minus divisor's), else 34 digits; % as decimal remainder of the truncated quotient. r may alias x
 * or y. */
bool num_add(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_sub(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_mul(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_div(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_rem(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
void num_neg(struct num *r, const struct num *x);
void num_abs(struct num *r, const struct num *x);
int num_cmp(const struct num *x, const struct num *y); /* by value: 5 equals 5.0; -1, 0, 1 */

/* To Int; false when the result has more than 34 digits. */
bool num_floor(struct num *r, const struct num *x) MUST_CHECK;
bool num_ceil(struct num *r, const struct num *x) MUST_CHECK;
bool num_round(struct num *r, const struct num *x) MUST_CHECK; /* halves away from zero */

/* Cut, not round, to a number of decimal places (at least 0), without zeros at the end of what is left. An Int stays. */
void num_trunc(struct num *r, const struct num *x, int places);

/* Bits of Ints, negative ones in two's complement of any width; false when the result has more than 34 digits. Of
 * num_bit_not of a number that is not negative: the bits up to its highest one are inverted (13 gives 2, 0 gives 0);
 * a negative number has no highest bit, all are (-14 gives 13). r may alias x or y. */
bool num_bit_and(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_bit_or(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_bit_xor(struct num *r, const struct num *x, const struct num *y) MUST_CHECK;
bool num_bit_not(struct num *r, const struct num *x) MUST_CHECK;

/* To machine integers: false when not an exact integer in range. */
bool num_to_i64(const struct num *x, int64_t *v) MUST_CHECK;
/* Nearest double (by way of the decimal text; exact rounding). */
double num_to_double(const struct num *x);
/* The Decimal that holds a double: its shortest text that reads back as the same double; whole values with one zero
 * fraction digit (32.0). False if not finite or out of range. */
bool num_from_double(struct num *r, double d) MUST_CHECK;

/* Append the text: Int plain digits; Decimal by the rule of BigDecimal.toString: plain when the scale is not negative
 * and the adjusted exponent at least -6, else d.dddE±n. */
void num_write(struct buf *out, const struct num *x);
/* Same into a caller's array of NUM_TEXT_MAX bytes; returns the length. */
size_t num_text(char *text, const struct num *x);

#endif
