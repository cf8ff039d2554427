/* SPDX-License-Identifier: Apache-2.0 */
/* Functions computed in binary64 (spec 3.1: "double"), by the C library. The result is the Decimal with the shortest
 * digits that read back as the same double (spec 4.6); what is not finite is Undefined. */
#include "sql/funcs_int.h"

#include <math.h>

#include "sql/machine_int.h"

static void give(struct sql_call *c, double d)
{
    struct num n;
    if (num_from_double(&n, d))
        c->result = val_from_num(&n, c->version, c->arena);
}

static void of_one(struct sql_call *c, double (*function)(double))
{
    struct num x;
    if (sql_arg_num(c, 0, &x))
        give(c, function(num_to_double(&x)));
}

static void of_two(struct sql_call *c, double (*function)(double, double))
{
    struct num x, y;
    if (sql_arg_num(c, 0, &x) && sql_arg_num(c, 1, &y))
        give(c, function(num_to_double(&x), num_to_double(&y)));
}

void fn_acos(struct sql_call *c)
{
    of_one(c, acos);
}

void fn_asin(struct sql_call *c)
{
    of_one(c, asin);
}

void fn_atan(struct sql_call *c)
{
    of_one(c, atan);
}

void fn_atan2(struct sql_call *c)
{
    of_two(c, atan2);
}

void fn_cos(struct sql_call *c)
{
    of_one(c, cos);
}

void fn_cosh(struct sql_call *c)
{
    of_one(c, cosh);
}

void fn_exp(struct sql_call *c)
{
    of_one(c, exp);
}

void fn_ln(struct sql_call *c)
{
    of_one(c, log);
}

void fn_log(struct sql_call *c)
{
    of_one(c, log10);
}

void fn_power(struct sql_call *c)
{
    of_two(c, pow);
}

void fn_rand(struct sql_call *c)
{
    struct random r = sql_machine_draw(c->machine);
    give(c, random_unit(&r));
}

void fn_sin(struct sql_call *c)
{
    of_one(c, sin);
}

void fn_sinh(struct sql_call *c)
{
    of_one(c, sinh);
}

void fn_sqrt(struct sql_call *c)
{
    of_one(c, sqrt);
}

void fn_tan(struct sql_call *c)
{
    of_one(c, tan);
}

void fn_tanh(struct sql_call *c)
{
    of_one(c, tanh);
}
