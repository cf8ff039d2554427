/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the rounds of one QoS and target, and how they are printed. */
#ifndef SLUICE_BENCH_REPORT_H
#define SLUICE_BENCH_REPORT_H

#include "bench/pipeline/pipeline.h"

enum figure {
    FIGURE_SLUICE,     /* messages/s, as the next two */
    FIGURE_SUBSCRIBER, /* the bare one */
    FIGURE_PRODUCER,   /* the bare one */
    FIGURE_RATIO,
    FIGURE_CPU,             /* of sluice, s per million messages */
    FIGURE_BROKER_CPU,      /* in sluice's run; as the next one negative if it is not known */
    FIGURE_BROKER_CPU_BARE, /* in the bare subscriber's run */
    FIGURE_PACED_RATE,      /* given evenly, messages/s; as the next two 0 without paced_s */
    FIGURE_PACED_CPU,       /* of sluice, s per million messages */
    FIGURE_BACKLOG_GROWTH, /* messages that were under way in the last third of that time more than in the first, on average */
    FIGURE_COUNT
};

struct report_row {
    unsigned qos;
    const char *target;
    double figures[FIGURE_COUNT][PIPELINE_ROUNDS_MAX];
    size_t given, lost, doubled; /* of sluice, over all rounds */
    bool knows_doubled;
    size_t subscriber_lost;
};

void report_heading(const struct pipeline_options *o);
/* Sorts the figures. */
void report_print(const struct pipeline_options *o, struct report_row *row);

#endif
