/* SPDX-License-Identifier: Apache-2.0 */
/* The Intel decimal library, the only file that includes it. Library build 000: arguments by value, rounding mode and
 * status flags per call, so nothing is shared between threads.
 *
 * Numbers of the language have exponents from -1032 to 999, so sums, products and quotients stay far inside
 * decimal128's range (1E-6176 to 9.99E6144): the library neither overflows nor underflows, and its rounding to 34
 * digits is the only rounding there is. */
#define DECIMAL_CALL_BY_REFERENCE      0
#define DECIMAL_GLOBAL_ROUNDING        0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0

#include "engine/base/num_int.h"

#include <assert.h>

#include <bid_conf.h>
#include <bid_functions.h>

static BID_UINT128 to_bid(const struct num_parts *p)
{
    uint64_t wide[2];
    num_pack(wide, p);
    return (BID_UINT128) { { wide[0], wide[1] } };
}

static struct num_parts from_bid(BID_UINT128 v)
{
    assert((v.w[1] >> 61 & 3) != 3); /* neither infinity nor NaN */
    return num_unpack((const uint64_t[]) { v.w[0], v.w[1] });
}

struct num_parts num_wide_add(const struct num_parts *x, const struct num_parts *y)
{
    _IDEC_flags flags = 0;
    return from_bid(bid128_add(to_bid(x), to_bid(y), BID_ROUNDING_TO_NEAREST, &flags));
}

struct num_parts num_wide_mul(const struct num_parts *x, const struct num_parts *y)
{
    _IDEC_flags flags = 0;
    return from_bid(bid128_mul(to_bid(x), to_bid(y), BID_ROUNDING_TO_NEAREST, &flags));
}

struct num_parts num_wide_div(const struct num_parts *x, const struct num_parts *y)
{
    _IDEC_flags flags = 0;
    assert(y->coef != 0);
    return from_bid(bid128_div(to_bid(x), to_bid(y), BID_ROUNDING_TO_NEAREST, &flags));
}
