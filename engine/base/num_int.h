/* SPDX-License-Identifier: Apache-2.0 */
/* Internals that num.c, num_text.c and num_wide.c share: a number taken apart, and decimal128's bit layout.
 *
 * decimal128, binary integer encoding, as we use it (no infinities, no NaN, coefficient below 10^34 < 2^113):
 *
 *     wide[1]  63 sign | 62..49 exponent + 6176 | 48..0 high bits of the coefficient
 *     wide[0]  low 64 bits of the coefficient */
#ifndef SLUICE_BASE_NUM_INT_H
#define SLUICE_BASE_NUM_INT_H

#include "engine/base/num.h"

__extension__ typedef unsigned __int128 num_u128;

#define NUM_BID_SIGN     (UINT64_C(1) << 63)
#define NUM_ZERO_EXP_MIN (NUM_EXP_MIN - NUM_DIGITS + 1) /* the exponent of the last digit of the finest number */

/* ±coef × 10^exp */
struct num_parts {
    num_u128 coef;
    int32_t exp;
    bool neg;
};

/* To decimal128 and back. The coefficient has at most 34 digits. */
void num_pack(uint64_t wide[2], const struct num_parts *p);
struct num_parts num_unpack(const uint64_t wide[2]);

extern const uint64_t num_pow10_64[20];

num_u128 num_pow10(int n);        /* 0 <= n <= 38 */
int num_count_digits(num_u128 v); /* of 0: 1 */

static inline uint64_t num_magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static inline void num_set_small(struct num *r, int64_t coef, int32_t exp, bool is_int)
{
    *r = (struct num) { .coef = coef, .exp = exp, .is_int = is_int };
}

struct num_parts num_split(const struct num *x);
/* Put together a coefficient of at most 38 digits. False when it is no number of the language: an Int with an exponent
 * or of more than 34 digits, a Decimal out of range. A Decimal must have at most 34 digits. */
bool num_join(struct num *r, const struct num_parts *p, bool is_int) MUST_CHECK;

/* Decimal arithmetic to 34 digits, half even; results may be out of the language's range (num_join tells). */
struct num_parts num_wide_add(const struct num_parts *x, const struct num_parts *y);
struct num_parts num_wide_mul(const struct num_parts *x, const struct num_parts *y);
struct num_parts num_wide_div(const struct num_parts *x, const struct num_parts *y); /* y is not zero */

#endif
