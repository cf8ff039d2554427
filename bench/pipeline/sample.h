/* SPDX-License-Identifier: Apache-2.0 */
/* The numbered message that every run of the bench sends, and what the rule makes of it. Both have the same length whatever the number:
 *
 *     sluice-bench/TAG/in/0042/telemetry   {"device":"press-0042","seq":1000000042,"temperature":81.5,"humidity":40.25,…}
 *     SELECT device, seq, temperature      {"device":"press-0042","seq":1000000042,"temperature":81.5}
 *
 * 100 devices take turns. */
#ifndef SLUICE_BENCH_SAMPLE_H
#define SLUICE_BENCH_SAMPLE_H

#include "engine/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_FIRST  1000000000u /* the number of message 0 */
#define SAMPLE_MAX    100000000u  /* messages of a run at most */
#define SAMPLE_PREFIX "sluice-bench/"

enum sample_kind {
    SAMPLE_IN,  /* what devices send: SAMPLE_PREFIX TAG/in/0042/telemetry */
    SAMPLE_OUT, /* what the rule makes of it: SAMPLE_PREFIX TAG/out/0042 */
};

/* A PUBLISH that only needs its numbers; with the offsets of these. */
struct sample_frame {
    char bytes[512];
    size_t len, payload, payload_len;
    size_t topic_device, device, seq;
    size_t packet_id; /* 0: none (QoS 0) */
};

void sample_frame_init(struct sample_frame *f, enum sample_kind kind, const char *tag, unsigned qos);
/* Write the numbers of message i. */
void sample_frame_number(struct sample_frame *f, size_t i, uint16_t packet_id);

/* Append what the rule makes of message i. */
void sample_output(struct buf *out, size_t i);
unsigned sample_device(size_t i);

/* The number of the message that this text is about, or -1: it holds none of ours. */
int64_t sample_number(const void *text, size_t len);

#endif
