/* SPDX-License-Identifier: Apache-2.0 */
/* The contract against the servers that SLUICE_TEST_KAFKA names ("host:port"); tests/integration/test_kafka_action.py
 * starts one and runs this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "tests/contract/contract.h"
#include "tests/contract/kafka_topic.h"

static struct kafka_topic *topic;

static void begin(void)
{
    kafka_topic_empty(topic);
}

static void end(void) {}

static size_t read_back(int *numbers, size_t max)
{
    return kafka_topic_read(topic, numbers, max);
}

static const char *const bad_targets[] = {
    "{}",
    "bootstrap.servers: [a]",
    "bootstrap.servers: a:1\nsendTimeout: soon",
    "bootstrap.servers: a:1\nbatch.sise: 10",
    "bootstrap.servers: a:1\nbatch.size: many",
    "bootstrap.servers: a:1\nbatch.size: [10]",
    "bootstrap.servers: a:1\nacks: 2",
    "bootstrap.servers: a:1\nlinger.ms: 5",
    "bootstrap.servers: a:1\ngroup.id: g",
    "bootstrap.servers: a:1\ndr_msg_cb: f",
    "bootstrap.servers: a:1\nacks: 0\nenable.idempotence: true",
    "bootstrap.servers: a:1\nsecurity.protocol: SSL\nssl.ca.location: /no/such/file",
    NULL,
};

static const char *const bad_actions[] = {
    "{}",
    "topic: ''",
    "topic: [a]",
    "topic: 'a b'",
    "topic: '..'",
    "topic: 'a/${v}'",
    "topic: '${}'",
    "topic: a\nkey: '${}'",
    "topic: a\npartition: -1",
    "topic: a\npartition: 1.5",
    "topic: a\npartition: 2147483648",
    "topic: a\npartition: ''",
    "topic: a\nheaders: { a: b }",
    "topic: a\nheaders: []",
    "topic: a\nheaders: [a]",
    "topic: a\nheaders: [{ key: a }]",
    "topic: a\nheaders: [{ key: '', value: a }]",
    "topic: a\nheaders: [{ key: a, value: '${}' }]",
    "topic: a\nclientProperties: all",
    "topic: a\nclientProperties: { acks: some }",
    "topic: a\nclientProperties: { akcs: all }",
    "topic: a\nclientProperties: { key.serializer: LongSerializer }",
    "topic: a\nclientProperties: { sasl.plain.password: \"${v}\" }",
    "topic: a\nconnection: x\ndestinationArn: y",
    "tpic: a",
    NULL,
};

int main(void)
{
    const char *servers = getenv("SLUICE_TEST_KAFKA");
    if (!servers) {
        fprintf(stderr, "SLUICE_TEST_KAFKA: the servers of a Kafka to test with\n");
        return 77;
    }
    char target[200];
    snprintf(target, sizeof(target), "bootstrap.servers: \"%s\"", servers);
    const struct contract contract = {
        .type = &act_kafka,
        .target = target,
        .bad_targets = bad_targets,
        .action = "topic: 'contract-${v}'\nkey: k",
        .other_action = "topic: contract-good\nkey: k\nclientProperties: { compression.type: lz4 }",
        .bad_actions = bad_actions,
        .resource = "contract-good",
        .good_v = "good",
        .bad_v = "no/topic",
        .begin = begin,
        .end = end,
        .read_back = read_back,
    };
    topic = kafka_topic_open(servers, "contract-good");
    int failed = contract_run(&contract);
    kafka_topic_close(topic);
    return failed;
}
