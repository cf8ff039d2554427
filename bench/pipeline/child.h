/* SPDX-License-Identifier: Apache-2.0 */
/* The service under measurement: a `sluice run` of this same program, as a process of its own, in a temporary folder with one source and
 * one rule. Nothing of it is set but what the bench needs: all other options have their defaults. Single-threaded. */
#ifndef SLUICE_BENCH_CHILD_H
#define SLUICE_BENCH_CHILD_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;                /* 0: none */
    char *conf, *stats, *log; /* paths of its files; owned */
};

/* All in YAML. */
struct child_plan {
    const char *folder; /* to write into: must exist, and be empty but for a child before */
    const char *broker, *tag;
    unsigned qos;
    const char *connections; /* members of the map, one a line, or "" */
    const char *action;      /* "file: { … }" */
};

/* Counters of its rule. */
struct child_counts {
    uint64_t matched, in_flight, delivered;
};

/* Start it and wait until it has subscribed. On -1 (ERR_IO; the text has the end of its log) none runs. */
int child_start(struct child *c, const struct child_plan *plan, struct err *e) MUST_CHECK;
/* What it last wrote about itself, some milliseconds old; zeros if it has not yet. -1: it has ended (ERR_IO). */
int child_read(const struct child *c, struct child_counts *counts, struct err *e) MUST_CHECK;
/* The end of its log, one line, to tell why something does not work. */
void child_log_end(const struct child *c, char *out, size_t size);
/* Ask it to end and wait for that, not for long. -1 with e: it failed, or had to be killed. */
int child_stop(struct child *c, struct err *e) MUST_CHECK;

/* Remove the folder with all that is in it. */
void child_remove_folder(const char *folder);

/* Seconds of CPU that a process has used so far, all its threads; negative: it is not known. */
double process_cpu_s(pid_t pid);

#endif
