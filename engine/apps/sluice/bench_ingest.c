/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench ingest`: its command line. The measuring is in bench/pipeline/ingest.c. */
#include "engine/apps/sluice/benches.h"
#include "engine/apps/sluice/cmds.h"

#include "bench/pipeline/bare_reader.h"
#include "bench/pipeline/ingest.h"

#define SECONDS_MAX 3600u
#define ROUNDS_MAX  99u

int bench_ingest(int argc, char **argv)
{
    const char *seconds = "2", *rounds = "5";
    struct ingest_options o = { .bare = bare_reader_run };
    struct err e = { 0 };
    size_t whole = 0;
    const struct cmd_option options[] = {
        { "seconds", 0, &seconds, NULL },
        { "rounds", 0, &rounds, NULL },
        { "json", 0, NULL, &o.json },
    };
    int code;
    if (!bench_options(options, sizeof options / sizeof options[0], argc, argv, &code))
        return code;
    if (bench_read_number("seconds", seconds, 1, SECONDS_MAX, &whole) < 0 ||
        bench_read_number("rounds", rounds, 1, ROUNDS_MAX, &o.rounds) < 0)
        return EXIT_USAGE;
    o.seconds = (double)whole;
    return ingest_run(&o, &e) == 0 ? EXIT_OK : fail("bench", "%s", e.text);
}
