/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: a stable code, a place in a text, one sentence and a hint.
 *
 * Functions that can fail return int (0 or -1) or a pointer, and take `struct err *e` last. It is set once, at the deepest
 * place that knows what happened; callers pass it up. Things that can be wrong in several places at once (a rule file,
 * a configuration) collect into a `struct errs`.
 *
 * Wording: lower case, no final period, names in double quotes, reasons given; hints are sentences. No secrets. */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include "engine/base/src.h"

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))

/* Stable codes; err_code_name() gives the documented text of each ("sql_syntax"). One row in err.c each. */
enum err_code {
    ERR_NONE,
    ERR_MEMORY,      /* an allocation failed */
    ERR_LIMIT,       /* a documented bound was passed: size, depth, steps */
    ERR_IO,          /* a file could not be read or written */
    ERR_UNREACHABLE, /* a broker or target could not be reached; may work later */
    ERR_REFUSED,     /* a broker or target refused: authentication, permission */
    ERR_JSON_SYNTAX,
    ERR_YAML_SYNTAX,
    ERR_CONF_KEY,     /* unknown or duplicate key */
    ERR_CONF_TYPE,    /* wrong type or form of a value */
    ERR_CONF_VALUE,   /* value out of range or not allowed here */
    ERR_CONF_MISSING, /* a required key is absent */
    ERR_CONF_NAME,    /* a name that refers to nothing, or is taken */
    ERR_SQL_TOKEN,    /* text that is no token */
    ERR_SQL_SYNTAX,
    ERR_SQL_NAME,    /* unknown function, variable or type */
    ERR_SQL_VERSION, /* not available in the rule's SQL version */
    ERR_SQL_LIMIT,   /* a limit of the language */
    ERR_SQL_VALUE,   /* legal but surely not meant, or not allowed here */
    ERR_EVAL,        /* an evaluation was aborted */
    ERR_TEMPLATE,    /* a rendered parameter is not usable */
    ERR_REJECTED,    /* the target will never take this item */
    ERR_USAGE,       /* the command line */
    ERR_CODE_COUNT
};

enum severity { SEV_ERROR, SEV_WARNING, SEV_NOTE };

struct err {
    enum err_code code;
    enum severity severity;
    struct span at; /* borrowed, except inside `struct errs`, which holds a reference */
    char text[256], hint[160];
};

/* Set an error unless one is already set (code != ERR_NONE). Always returns -1, so: `return err_set(e, …)`. e may be NULL. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_set_at(struct err *e, enum err_code code, struct span at, const char *fmt, ...) PRINTF_LIKE(4, 5);
void err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *err_code_name(enum err_code code);

/* All errors and warnings of one check, in order of discovery; errs_sort orders them by text and offset. At most
 * ERRS_MAX are kept, the rest only counted. Not thread-safe. Zero-initialised is empty. */
#define ERRS_MAX 1000
struct errs {
    struct err *items;
    size_t count, cap;
    size_t errors, warnings; /* totals, also of those not kept */
};

/* Add one; returns it for err_hint, never NULL (when memory is short, a scratch item). */
struct err *errs_add(struct errs *list, enum severity severity, enum err_code code, struct span at, const char *fmt,
                     ...) PRINTF_LIKE(5, 6);
void errs_take(struct errs *list, const struct err *e); /* add a copy of a single error, as it is */
/* Add an error that needs no format. Always returns -1, so: `return errs_refuse(errs, …)`. */
int errs_refuse(struct errs *list, enum err_code code, struct span at, const char *text);
/* Add what is wrong with a constant of a configuration: a copy of a single error at that place; what would be
 * ERR_TEMPLATE of a message is ERR_CONF_VALUE here. Always returns -1. */
int errs_refuse_value(struct errs *list, const struct err *e, struct span at);
/* Put in order and drop repeats: two readers of one map find the same mistake. The totals no longer count those. */
void errs_sort(struct errs *list);
void errs_clear(struct errs *list);

/* Append the printed form to out: place, severity, text, the line with line number, caret line, hint, each with a line end.
 *
 *     rules/overheat.yaml:3:8: error: unknown function "clientident"
 *       3 | SELECT clientident() AS client
 *         |        ^^^^^^^^^^^^^
 *       hint: did you mean "clientid"?
 *
 * A text that does not map into its file (SRC_INSIDE) is shown by itself, with the place where it begins in front:
 *
 *     rules/overheat.yaml:3:6: in this text at 1:8: error: unknown function "clientident"
 *
 * Long lines are cut around the caret ("…"), tabs are shown as one space, control characters as "?". */
struct buf;
void err_print(const struct err *e, struct buf *out);
/* Append only the place ("rules/overheat.yaml:3:8"); nothing if the error has none. */
void err_print_place(const struct err *e, struct buf *out);
/* All of them, and a line that counts those that were not kept. */
void errs_print(const struct errs *list, struct buf *out);

/* The word of `words` (count entries) nearest to `given` for "did you mean", or NULL when none is near (edit distance,
 * case ignored, at most a third of the length). O(count × length²). */
const char *nearest_word(const char *given, size_t len, const char *const *words, size_t count);

#endif
