/* SPDX-License-Identifier: Apache-2.0 */
/* Functions with regular expressions (spec 3.2). */
#include "sql/funcs_int.h"
#include "sql/machine_int.h"

/* The machine's cache, made at the first need. Constant folding has no machine and takes one for the call. */
static struct sql_regexps *open_cache(struct sql_call *c)
{
    if (!c->machine)
        return sql_regexps_new();
    if (!c->machine->regexps)
        c->machine->regexps = sql_regexps_new();
    return c->machine->regexps;
}

static void close_cache(struct sql_call *c, struct sql_regexps *cache)
{
    if (!c->machine)
        sql_regexps_free(cache);
}

void fn_regexp_matches(struct sql_call *c)
{
    struct sql_text s, pattern;
    if (!sql_arg_text(c, 0, &s) || !sql_arg_text(c, 1, &pattern))
        return;
    struct sql_regexps *cache = open_cache(c);
    if (!cache)
        return;
    enum sql_regexp_answer answer = sql_regexps_search(cache, pattern.s, pattern.len, s.s, s.len);
    close_cache(c, cache);
    if (answer != SQL_REGEXP_NONE)
        c->result = val_bool(answer == SQL_REGEXP_YES);
}
