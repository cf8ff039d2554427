/* SPDX-License-Identifier: Apache-2.0 */
/* Functions on the bits of Ints (spec 3.1). Arguments are rounded down to Int. */
#include "sql/funcs_int.h"

static bool arg_int(struct sql_call *c, uint32_t i, struct num *n)
{
    return sql_arg_num(c, i, n) && num_floor(n, n);
}

static void of_two(struct sql_call *c, bool (*operation)(struct num *, const struct num *, const struct num *))
{
    struct num x, y;
    if (arg_int(c, 0, &x) && arg_int(c, 1, &y) && operation(&x, &x, &y))
        c->result = val_from_num(&x, c->version, c->arena);
}

void fn_bitand(struct sql_call *c)
{
    of_two(c, num_bit_and);
}

void fn_bitor(struct sql_call *c)
{
    of_two(c, num_bit_or);
}

void fn_bitxor(struct sql_call *c)
{
    of_two(c, num_bit_xor);
}

void fn_bitnot(struct sql_call *c)
{
    struct num x;
    if (arg_int(c, 0, &x) && num_bit_not(&x, &x))
        c->result = val_from_num(&x, c->version, c->arena);
}
