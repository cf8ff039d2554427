/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench` can measure, one file each. argv[0] is "bench" or the bench's name, the rest its options. */
#ifndef SLUICE_APP_BENCHES_H
#define SLUICE_APP_BENCHES_H

#include "engine/apps/sluice/cmds.h"

#include <stdbool.h>
#include <stddef.h>

int bench_eval(int argc, char **argv);
int bench_ingest(int argc, char **argv);
int bench_pipeline(int argc, char **argv);

/* Read a bench's options, which take no further argument. False: it ends here with *code, since its help was wanted or what is wrong was said. */
bool bench_options(const struct cmd_option *options, size_t count, int argc, char **argv, int *code);
/* Options: say on standard error what is wrong with one, and return -1; read a number from `least` to `most`. */
int bench_wrong(const char *option, const char *value, const char *reason);
int bench_read_number(const char *option, const char *text, size_t least, size_t most, size_t *n);

#endif
