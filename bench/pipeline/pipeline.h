/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench pipeline`: broker → one rule → target, against services that are there. For each QoS and target there are rounds, and in
 * each the same messages go three ways, one after the other, so that what else the machine does hits all alike:
 *
 *     load ─► broker ─► bare subscriber              (bare_subscriber.h)
 *     bare producer ─► target                        (target.h)
 *     load ─► broker ─► sluice run ─► target         (child.h)
 *
 * A round's ratio is sluice's speed over that of the slower of the two others, which no rules engine between this broker and this target could
 * pass. What is reported are medians of rounds. Lost and doubled messages are counted at the target, over all rounds. */
#ifndef SLUICE_BENCH_PIPELINE_H
#define SLUICE_BENCH_PIPELINE_H

#include "bench/pipeline/target.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PIPELINE_TARGETS_MAX 8
#define PIPELINE_ROUNDS_MAX  99u
#define PIPELINE_PACED_PART  0.6

struct pipeline_options {
    const char *broker; /* url */
    const char *host;   /* the same, taken apart */
    uint16_t port;
    pid_t broker_pid; /* 0: its CPU time is not known */
    bool qos[2];      /* which to measure */
    size_t messages, rounds, window;
    size_t paced_s; /* after that, evenly at PIPELINE_PACED_PART of the bare subscriber's rate for so long; 0: not */
    bool json;
    struct {
        const struct target_type *type; /* NULL: the end */
        const char *address;
    } targets[PIPELINE_TARGETS_MAX + 1];
};

/* Measure and print on standard output, a line for each QoS and target when it is there. SIGINT and SIGTERM end it in order: -1 with
 * ERR_IO. Thread: main. */
int pipeline_run(const struct pipeline_options *o, struct err *e) MUST_CHECK;

#endif
