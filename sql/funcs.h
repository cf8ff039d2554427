/* SPDX-License-Identifier: Apache-2.0 */
/* The function table: one row a function. The resolver asks it for names, versions and purity, the VM calls through
 * it, and docs follow from it. To add one: a row in funcs.c, a body in func_<subject>.c, cases in tests/cases/. */
#ifndef SLUICE_SQL_FUNCS_H
#define SLUICE_SQL_FUNCS_H

#include "sql/value.h"
#include "sql/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql_machine;

enum sql_func_flag {
    SQL_STRICT = 1,        /* any Undefined argument makes the result Undefined; the body never sees one */
    SQL_PURE = 2,          /* depends on its arguments alone: folded when they are constant */
    SQL_NULL_UNDEF = 4,    /* with STRICT: so does any Null argument */
    SQL_TAKES_BYTES = 8,   /* may be given `*` of a payload that is not JSON */
    SQL_ABSORBS = 16,      /* a failed look-up in the first argument makes it Undefined */
    SQL_ASKS = 32,         /* asks the outside world (include/sluice/lookup.h) */
    SQL_ROLE_LAST = 64,    /* the last argument is a role, a constant that nothing here reads; */
    SQL_ROLE_SECOND = 128, /* the second one is */
};

enum sql_func_subject {
    SQL_MATHEMATICS,
    SQL_TEXT,
    SQL_DIGESTS,
    SQL_VALUES, /* collections, types and control */
    SQL_MESSAGE,
    SQL_TIME,
    SQL_OUTSIDE,
    SQL_SUBJECT_COUNT
};

/* What a body gets and gives. */
struct sql_call {
    struct sql_machine *machine; /* NULL while folding constants: pure bodies do not use it */
    struct arena *arena;         /* for what the result refers to */
    enum sql_version version;
    const struct val *args;
    uint32_t count;    /* within the row's min and max */
    struct val result; /* Undefined on entry */
};

struct sql_func {
    const char *name; /* lower case; rows are sorted by it */
    enum sql_func_subject subject;
    uint8_t min, max;   /* argument count; SQL_ANY_COUNT: no upper bound. Another count gives Undefined at run time */
    const char *params; /* for people: "name: Type, …", [ ] around what may be left out */
    const char *result; /* and the result's type; Number: Int or Decimal. Lint reads it */
    unsigned flags;
    enum sql_version since;
    void (*body)(struct sql_call *call);
    const char *doc; /* one line */
};
#define SQL_ANY_COUNT 255

/* Row by name (any case), or -1. */
int sql_func_find(const char *name, size_t len);
const struct sql_func *sql_func_at(uint32_t row);
uint32_t sql_func_count(void);
const char *sql_func_subject_name(enum sql_func_subject subject);

#endif
