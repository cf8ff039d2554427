/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables: every option is one row next to its user, and everything follows from the row: reading, checking,
 * defaults, "did you mean", `--help` and docs.
 *
 *     static const struct opt file_options[] = {
 *         { "path", OPT_TEMPLATE, offsetof(struct file_act, path), .required = true, .help = "file to append to" },
 *         { "rotateBytes", OPT_SIZE, offsetof(struct file_act, rotate_bytes), .def = "0", .max = INT64_MAX, .help = "…" },
 *     }; */
#ifndef SLUICE_BASE_OPT_H
#define SLUICE_BASE_OPT_H

#include "engine/base/conf.h"

#include <stdint.h>

enum opt_type {
    OPT_TEXT,     /* char *: owned by the object, freed by opt_free */
    OPT_PATH,     /* char *: likewise; a relative path is taken from the folder of the file that names it. "-" stays */
    OPT_INT,      /* int64_t, min..max */
    OPT_BOOL,     /* bool: true or false */
    OPT_DURATION, /* int64_t milliseconds: "250ms", "2s", "5m", "1h", "1d"; a bare number is seconds */
    OPT_SIZE,     /* int64_t bytes: "64k", "16M", "1G" (powers of 1024); a bare number is bytes */
    OPT_CHOICE,   /* int: index into `choices` */
    OPT_TEMPLATE, /* const struct conf *: a scalar that is a substitution template; borrowed from the tree */
    OPT_CONF,     /* const struct conf *: any shape, read by the user itself; borrowed from the tree */
    OPT_TYPE_COUNT
};

struct opt { // NOLINT(clang-analyzer-optin.performance.Padding): rows begin with name, type, offset
    const char *name;
    enum opt_type type;
    size_t offset;              /* of the field in the object */
    const char *def;            /* default as text, NULL: zero; not for OPT_TEMPLATE and OPT_CONF */
    int64_t min, max;           /* of numbers; both 0: any that is not negative. A default need not lie between them */
    const char *const *choices; /* NULL-terminated */
    bool required;
    bool ignored;     /* accepted and not stored: for compatibility (roleArn), or read elsewhere (connection) */
    const char *help; /* one line */
};

/* Fill obj (already zeroed) from a map (NULL or a null scalar: only defaults). A null value counts as absent, except for
 * OPT_CONF. Numbers, durations, sizes and booleans may be quoted. Unknown keys, wrong types, values out of range and missing
 * required keys go to errs, each at its place; of an unusable value its error once more. `what` names the map in errors ('unknown option "tpic" of republish').
 * Returns 0 if nothing was wrong. */
int opt_read(const struct opt *table, size_t count, const struct conf *map, const char *what, struct span at, void *obj,
             struct errs *errs) MUST_CHECK;
/* What becomes of a key that has no row. Reports by itself what is wrong with it. */
typedef void opt_other(void *ctx, const struct conf *key, const struct conf *value, struct errs *errs);
/* As opt_read, for a map that may hold free-form members beside those of the table: each goes to `other`. */
int opt_read_with(const struct opt *table, size_t count, const struct conf *map, const char *what, struct span at,
                  void *obj, opt_other *other, void *ctx, struct errs *errs) MUST_CHECK;
/* Free what opt_read stored in obj (OPT_TEXT, OPT_PATH) and zero those fields. */
void opt_free(const struct opt *table, size_t count, void *obj);
/* Append one line per option: name, type, help, and in parentheses default and range. */
void opt_help(const struct opt *table, size_t count, struct buf *out);

#endif
