/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench ingest`: how fast messages get from a socket that is always full to the router of a `sluice run` of its own, beside a bare
 * reader of the same bytes, taking turns. No broker: the bench is one, on a loopback port, that has nothing else to do than write. */
#ifndef SLUICE_BENCH_INGEST_H
#define SLUICE_BENCH_INGEST_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ingest_options {
    double seconds; /* of each run */
    size_t rounds;
    bool json;
    uint64_t (*bare)(int fd); /* bare_reader_run */
};

/* Measure and print. -1 with e: it could not. */
int ingest_run(const struct ingest_options *o, struct err *e) MUST_CHECK;

#endif
