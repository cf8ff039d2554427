/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/pipeline/sample.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static size_t payload_bytes(void)
{
    struct sample_frame f;
    sample_frame_init(&f, SAMPLE_IN, "0", 0);
    return f.payload_len;
}

void report_heading(const struct pipeline_options *o)
{
    if (o->json)
        return;
    printf("broker to target through one rule; %zu messages of %zu bytes, medians of %zu round%s, window %zu\n",
           o->messages, payload_bytes(), o->rounds, o->rounds == 1 ? "" : "s", o->window);
    printf("                       messages/s                    ratio    CPU s per million      messages\n");
    printf("%-3s %-10s %8s %11s %11s   to slower   %8s %8s %9s %8s\n", "QoS", "target", "sluice", "subscriber",
           "producer", "sluice", "broker", "lost", "doubled");
    fflush(stdout);
}

static void print_person(const struct pipeline_options *o, const struct report_row *row, const double *m)
{
    printf("%-3u %-10s %8.0f %11.0f %11.0f %11.2f %10.2f ", row->qos, row->target, m[FIGURE_SLUICE],
           m[FIGURE_SUBSCRIBER], m[FIGURE_PRODUCER], m[FIGURE_RATIO], m[FIGURE_CPU]);
    if (m[FIGURE_BROKER_CPU] < 0)
        printf("%8s ", "-");
    else
        printf("%8.2f ", m[FIGURE_BROKER_CPU]);
    printf("%9zu ", row->lost);
    if (row->knows_doubled)
        printf("%8zu\n", row->doubled);
    else
        printf("%8s\n", "-");
    if (o->paced_s)
        printf("    evenly %.0f messages/s for %zu s: %.1f CPU s per million, backlog grew by %.0f messages\n",
               m[FIGURE_PACED_RATE], o->paced_s, m[FIGURE_PACED_CPU], m[FIGURE_BACKLOG_GROWTH]);
}

static void print_cpu(const char *name, double value)
{
    if (value < 0)
        printf(",\"%s\":null", name);
    else
        printf(",\"%s\":%.3f", name, value);
}

static void print_json(const struct pipeline_options *o, const struct report_row *row, const double *m)
{
    printf("{\"bench\":\"pipeline\",\"qos\":%u,\"target\":\"%s\",\"messages\":%zu,\"payload_bytes\":%zu,\"rounds\":%zu,"
           "\"window_messages\":%zu",
           row->qos, row->target, o->messages, payload_bytes(), o->rounds, o->window);
    printf(",\"sluice_messages_per_s\":%.0f,\"subscriber_messages_per_s\":%.0f,\"producer_messages_per_s\":%.0f,"
           "\"ratio\":%.3f,\"ratio_least\":%.3f,\"ratio_most\":%.3f",
           m[FIGURE_SLUICE], m[FIGURE_SUBSCRIBER], m[FIGURE_PRODUCER], m[FIGURE_RATIO], row->figures[FIGURE_RATIO][0],
           row->figures[FIGURE_RATIO][o->rounds - 1]);
    print_cpu("sluice_cpu_s_per_million", m[FIGURE_CPU]);
    print_cpu("broker_cpu_s_per_million", m[FIGURE_BROKER_CPU]);
    print_cpu("subscriber_broker_cpu_s_per_million", m[FIGURE_BROKER_CPU_BARE]);
    if (o->paced_s)
        printf(",\"paced_messages_per_s\":%.0f,\"paced_cpu_s_per_million\":%.3f,\"paced_backlog_growth_messages\":%.0f",
               m[FIGURE_PACED_RATE], m[FIGURE_PACED_CPU], m[FIGURE_BACKLOG_GROWTH]);
    printf(",\"given_messages\":%zu,\"lost_messages\":%zu", row->given, row->lost);
    if (row->knows_doubled)
        printf(",\"doubled_messages\":%zu", row->doubled);
    else
        printf(",\"doubled_messages\":null");
    printf(",\"subscriber_lost_messages\":%zu}\n", row->subscriber_lost);
}

void report_print(const struct pipeline_options *o, struct report_row *row)
{
    double m[FIGURE_COUNT];
    for (int i = 0; i < FIGURE_COUNT; i++)
        m[i] = median(row->figures[i], o->rounds);
    if (o->json)
        print_json(o, row, m);
    else
        print_person(o, row, m);
    fflush(stdout);
}
