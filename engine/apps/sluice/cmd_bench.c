/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench NAME`: each bench has options of its own, so its name comes first. */
#include "engine/apps/sluice/benches.h"
#include "engine/apps/sluice/cmds.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} benches[] = {
    { "eval", bench_eval },
    { "pipeline", bench_pipeline },
};

int cmd_bench(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof benches / sizeof benches[0]; i++)
        if (strcmp(argv[1], benches[i].name) == 0)
            return benches[i].run(argc - 1, argv + 1);
    return bench_eval(argc, argv);
}
