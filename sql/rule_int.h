/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled rule holds. Shared by the compiler (compile.c, emit.c, explain.c), which fills it, and the
 * machine, which reads `program` alone. Immutable once the last template was added.
 *
 * A template's code ends with RETURN of the value of its last piece, so for a `single` template of its one value. */
#ifndef SLUICE_SQL_RULE_INT_H
#define SLUICE_SQL_RULE_INT_H

#include "sql/paths.h"
#include "sql/program.h"
#include "sql/sql.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ast_name;

struct sql_template {
    struct src *src; /* its text; a reference */
    bool constant;   /* no `${…}` */
};

/* A name that AS gives to an item of the statement. */
struct sql_alias {
    const char *name;
    uint32_t len;
    bool read;        /* the statement reads a path of the payload that begins with it */
    struct span expr; /* the item */
};

struct sql_rule {
    struct sql_program program; /* its arena holds all that is not counted by references */
    struct src *src;            /* the statement; a reference */
    struct sql_paths *paths;    /* of the ruleset; a reference */
    const char *filter;         /* of FROM, without quotes; NULL without FROM */
    size_t filter_len;
    struct span filter_span;        /* of the string with its quotes */
    bool reads_payload;             /* main code or a template decodes the payload: SLOT or STAR occurs */
    struct sql_template *templates; /* program.template_count of them, as program.templates */
    uint32_t template_cap;          /* room in templates and program.templates */
    uint32_t constant_cap;          /* room in program.constants */
    bool unfolded;                  /* constants are computed in the run, so that a trace sees how */
    bool passes_bytes;              /* the output is `*`, and nothing needs the payload to be JSON: see star_at */
    struct span star_at;            /* that `*` */
    struct sql_alias *aliases;      /* sorted; those that are not `read`, for warnings about templates */
    uint32_t alias_count;
    const struct ast_name *variables; /* of SET: program.set_count of them, for the templates */
};

/* The statement of a rule once more, unfolded. Its paths are only read: all are known. Owned; NULL: memory (errs). */
struct sql_rule *sql_rule_unfold(const struct sql_rule *rule, struct errs *errs) MUST_CHECK;

#endif
