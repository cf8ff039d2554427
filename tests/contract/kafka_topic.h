/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a topic, for tests. Failures end the program. */
#ifndef SLUICE_TESTS_CONTRACT_KAFKA_TOPIC_H
#define SLUICE_TESTS_CONTRACT_KAFKA_TOPIC_H

#include <stddef.h>

struct kafka_topic;

/* The topic with all its partitions; made by the servers if it is missing and they do that. */
struct kafka_topic *kafka_topic_open(const char *servers, const char *name);
void kafka_topic_close(struct kafka_topic *t);
/* Forget what is there by now. */
void kafka_topic_empty(struct kafka_topic *t);
/* Numbers in the bodies `{"n":NUMBER}` since then, by partition and offset; returns how many. */
size_t kafka_topic_read(struct kafka_topic *t, int *numbers, size_t max);

#endif
