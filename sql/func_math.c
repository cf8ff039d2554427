/* SPDX-License-Identifier: Apache-2.0 */
/* Mathematical functions with decimal results (spec 3.1); func_double.c and func_bits.c have the others. */
#include "sql/funcs_int.h"
#include "sql/vm.h"

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

void fn_sign(struct sql_call *c)
{
    struct num n;
    if (sql_arg_num(c, 0, &n))
        c->result = val_i64(num_sign(&n));
}

void fn_mod(struct sql_call *c)
{
    struct num x, y;
    if (!sql_arg_num(c, 0, &x) || !sql_arg_num(c, 1, &y))
        return;
    sql_charge(c, sql_rem_steps(&x, &y));
    if (num_rem(&x, &x, &y))
        c->result = val_from_num(&x, c->version, c->arena);
}

#define TRUNC_MAX_PLACES 34 /* spec 3.1 */

void fn_trunc(struct sql_call *c)
{
    struct num n;
    int64_t places;
    if (!val_is_number(c->args[1]) || !sql_arg_num(c, 0, &n) || !sql_arg_i64(c, 1, &places))
        return;
    if (places > TRUNC_MAX_PLACES)
        places = TRUNC_MAX_PLACES;
    num_trunc(&n, &n, places < 0 ? 0 : (int)places);
    c->result = val_from_num(&n, c->version, c->arena);
}

/* No value of the language is NaN: what would be one is Undefined. */
void fn_nanvl(struct sql_call *c)
{
    bool has_value = c->args[0].kind != VAL_UNDEFINED && c->args[0].kind != VAL_NULL;
    c->result = c->args[has_value ? 0 : 1];
}
