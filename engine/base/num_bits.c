/* SPDX-License-Identifier: Apache-2.0 */
/* Bits of Ints. An Int of 34 digits takes 113 bits, so all of them are whole in 128 bits of two's complement. */
#include "engine/base/num_int.h"

__extension__ typedef __int128 num_i128;

static num_i128 to_bits(const struct num *x)
{
    struct num_parts p = num_split(x);
    return p.neg ? -(num_i128)p.coef : (num_i128)p.coef;
}

static bool from_bits(struct num *r, num_i128 bits)
{
    struct num_parts p = { .coef = bits < 0 ? (num_u128)-bits : (num_u128)bits, .neg = bits < 0 };
    return num_join(r, &p, true);
}

bool num_bit_and(struct num *r, const struct num *x, const struct num *y)
{
    return from_bits(r, to_bits(x) & to_bits(y));
}

bool num_bit_or(struct num *r, const struct num *x, const struct num *y)
{
    return from_bits(r, to_bits(x) | to_bits(y));
}

bool num_bit_xor(struct num *r, const struct num *x, const struct num *y)
{
    return from_bits(r, to_bits(x) ^ to_bits(y));
}

bool num_bit_not(struct num *r, const struct num *x)
{
    num_i128 bits = to_bits(x), used = 0;
    if (bits < 0)
        return from_bits(r, ~bits);
    while (used < bits)
        used = used << 1 | 1;
    return from_bits(r, bits ^ used);
}
