/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench NAME`: each bench has options of its own, so its name comes first. */
#include "engine/apps/sluice/benches.h"
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bench_options(const struct cmd_option *options, size_t count, int argc, char **argv, int *code)
{
    bool done;
    int n = cmd_options("bench", options, count, argc, argv, &done);
    *code = done ? EXIT_OK : EXIT_USAGE;
    if (n > 0)
        cmd_print_help(cmd_find("bench"), stderr);
    return n == 0 && !done;
}

int bench_wrong(const char *option, const char *value, const char *reason)
{
    fprintf(stderr, "sluice bench: --%s \"%s\" %s\n", option, value, reason);
    return -1;
}

int bench_read_number(const char *option, const char *text, size_t least, size_t most, size_t *n)
{
    char *end, reason[64];
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && v >= least && v <= most) {
        *n = (size_t)v;
        return 0;
    }
    snprintf(reason, sizeof reason, "must be a number from %zu to %zu", least, most);
    return bench_wrong(option, text, reason);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} benches[] = {
    { "eval", bench_eval },
    { "ingest", bench_ingest },
    { "pipeline", bench_pipeline },
};

int cmd_bench(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof benches / sizeof benches[0]; i++)
        if (strcmp(argv[1], benches[i].name) == 0)
            return benches[i].run(argc - 1, argv + 1);
    return bench_eval(argc, argv);
}
