/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one row a command (cmds.c), one file each.
 *
 * Exit codes, the same for all: 0 success, 1 the work failed (errors found, tests failed, messages remained, standard output
 * could not be written), 2 the command line was wrong, 3 a payload of `sluice eval --require-json` is not JSON. */
#ifndef SLUICE_APP_CMDS_H
#define SLUICE_APP_CMDS_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdio.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_JSON = 3 };

struct cmd {
    const char *name;
    const char *usage;                 /* after "sluice NAME " */
    const char *doc;                   /* one line */
    const char *details;               /* the rest of `sluice NAME --help` */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct cmd cmds[];
extern const size_t cmd_count;

const struct cmd *cmd_find(const char *name);
void cmd_print_help(const struct cmd *cmd, FILE *out);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_functions(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_show_options(int argc, char **argv);
int cmd_passwd(int argc, char **argv);
int cmd_authorize(int argc, char **argv);

/* Parsed command line: options are `--name value`, `--name=value` or `-x value`; the rest is `args`.
 *   static const struct cmd_option options[] = { { "topic", 't', &topic }, { "json", 0, NULL, &json } };
 * A row has `text` (takes a value) or `flag`. Returns the number of plain arguments (moved to argv[1] …), or -1 after printing why and the usage.
 * --help prints the command's help and sets *done: the caller returns EXIT_OK. */
struct cmd_option {
    const char *name;
    char letter; /* 0: none */
    const char **text;
    bool *flag;
};
int cmd_options(const char *command, const struct cmd_option *options, size_t count, int argc, char **argv, bool *done);

/* Print err_print's form of one error, or of all errors of a list, on standard error. */
void print_err(const struct err *e);
void print_errs(struct errs *errs);
/* Report the errors of a running service: as print_errs does if the log is for a person, else each as a line of the log.
 * secret_file: its text is not for the log, which shows a place in it without the line. */
void report_errs(struct errs *errs, const char *secret_file);
/* Print an unexpected failure as "sluice NAME: text" on standard error; returns EXIT_FAILED. */
int fail(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
