/* SPDX-License-Identifier: Apache-2.0 */
/* Mathematical functions (spec 3.1). */
#include "sql/funcs_int.h"

void fn_abs(struct sql_call *c)
{
    struct num n;
    if (!sql_arg_num(c, 0, &n))
        return;
    num_abs(&n, &n);
    c->result = val_from_num(&n, c->version, c->arena);
}

static void to_integer(struct sql_call *c, bool (*rounded)(struct num *, const struct num *))
{
    struct num n;
    if (sql_arg_num(c, 0, &n) && rounded(&n, &n))
        c->result = val_from_num(&n, c->version, c->arena);
}

void fn_ceil(struct sql_call *c)
{
    to_integer(c, num_ceil);
}

void fn_floor(struct sql_call *c)
{
    to_integer(c, num_floor);
}

void fn_round(struct sql_call *c)
{
    to_integer(c, num_round);
}
