/* SPDX-License-Identifier: Apache-2.0 */
/* `clientProperties` as AWS IoT writes them: names of Kafka's Java client, and what librdkafka has in their place. */
#ifndef SLUICE_ACTIONS_KAFKA_AWS_H
#define SLUICE_ACTIONS_KAFKA_AWS_H

#include <stdbool.h>

struct kafka_aws_property {
    const char *name;
    const char *to; /* librdkafka's name; NULL: not one of its properties */
    const char
        *accepted;    /* to NULL: the one value that means nothing to us, so that it can be left out; NULL: refused */
    const char *hint; /* refused: what to do instead */
};

/* NULL: AWS does not have it, or it is librdkafka's name as well. */
const struct kafka_aws_property *kafka_aws_find(const char *name);
/* By index, for hints and tests; NULL behind the last. */
const struct kafka_aws_property *kafka_aws_at(unsigned index);
/* "org.apache.kafka.common.serialization.StringSerializer" is "StringSerializer". */
bool kafka_aws_accepts(const struct kafka_aws_property *p, const char *value);

#endif
