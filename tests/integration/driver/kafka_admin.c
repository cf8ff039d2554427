/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and deletes topics, for tests (Kafka's own tool needs seconds to start).
 *
 *     kafka_admin SERVERS create TOPIC PARTITIONS [NAME=VALUE]…
 *     kafka_admin SERVERS delete TOPIC
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define PATIENCE_MS 60000

static int die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_admin: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *connect_to(const char *servers)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", servers, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        die(servers, why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!rk)
        die(servers, why);
    return rk;
}

static void create(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **arguments, int count)
{
    char why[512];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(arguments[0], atoi(arguments[1]), 1, why, sizeof(why));
    if (!topic)
        die(arguments[0], why);
    for (int i = 2; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (!value)
            die(arguments[i], "no NAME=VALUE");
        *value++ = '\0';
        rd_kafka_NewTopic_set_config(topic, arguments[i], value);
    }
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
}

static void drop(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *name)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

/* The result of the one topic. */
static void check(rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (!event || rd_kafka_event_error(event))
        die("the request", event ? rd_kafka_event_error_string(event) : "no answer");
    if (rd_kafka_event_CreateTopics_result(event))
        results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    else if (rd_kafka_event_DeleteTopics_result(event))
        results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        if (rd_kafka_topic_result_error(results[i]))
            die(rd_kafka_topic_result_name(results[i]), rd_kafka_topic_result_error_string(results[i]));
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return die("usage", "SERVERS create TOPIC PARTITIONS [NAME=VALUE]... | SERVERS delete TOPIC");
    rd_kafka_t *rk = connect_to(argv[1]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    if (strcmp(argv[2], "create") == 0 && argc >= 5)
        create(rk, queue, argv + 3, argc - 3);
    else
        drop(rk, queue, argv[3]);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
    check(event);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return 0;
}
