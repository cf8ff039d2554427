/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/kafka_topic.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define PATIENCE_MS    60000
#define PARTITIONS_MAX 16

struct kafka_topic {
    rd_kafka_t *rk;
    rd_kafka_topic_t *handle;
    char name[250];
    int partitions;
    int64_t begin[PARTITIONS_MAX];
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_topic: %s: %s\n", what, why);
    exit(2);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[512];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static int64_t end_of(struct kafka_topic *t, int partition)
{
    int64_t low, high;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(t->rk, t->name, partition, &low, &high, PATIENCE_MS);
    if (code)
        die(t->name, rd_kafka_err2str(code));
    return high;
}

/* The first question makes the servers create the topic. */
static void find_partitions(struct kafka_topic *t)
{
    for (int tries = 0; tries < PATIENCE_MS / 100 && t->partitions == 0; tries++) {
        const struct rd_kafka_metadata *md;
        if (rd_kafka_metadata(t->rk, 0, t->handle, &md, PATIENCE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (md->topic_cnt == 1 && md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
                t->partitions = md->topics[0].partition_cnt;
            rd_kafka_metadata_destroy(md);
        }
        if (t->partitions == 0)
            rd_kafka_poll(t->rk, 100);
    }
    if (t->partitions == 0 || t->partitions > PARTITIONS_MAX)
        die(t->name, "not there, or too many partitions");
}

struct kafka_topic *kafka_topic_open(const char *servers, const char *name)
{
    char why[512];
    struct kafka_topic *t = calloc(1, sizeof(*t));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", servers);
    set(conf, "allow.auto.create.topics", "true");
    set(conf, "fetch.wait.max.ms", "20");
    t->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (!t->rk)
        die(servers, why);
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->handle = rd_kafka_topic_new(t->rk, name, NULL);
    find_partitions(t);
    kafka_topic_empty(t);
    return t;
}

void kafka_topic_close(struct kafka_topic *t)
{
    rd_kafka_topic_destroy(t->handle);
    rd_kafka_destroy(t->rk);
    free(t);
}

void kafka_topic_empty(struct kafka_topic *t)
{
    for (int p = 0; p < t->partitions; p++)
        t->begin[p] = end_of(t, p);
}

static int number_of(const rd_kafka_message_t *m)
{
    char body[64] = "";
    memcpy(body, m->payload, m->len < sizeof(body) - 1 ? m->len : sizeof(body) - 1);
    return strncmp(body, "{\"n\":", 5) == 0 ? atoi(body + 5) : -1;
}

static size_t read_partition(struct kafka_topic *t, int p, int *numbers, size_t max)
{
    size_t n = 0;
    int64_t end = end_of(t, p), at = t->begin[p];
    if (at >= end)
        return 0;
    if (rd_kafka_consume_start(t->handle, p, at) < 0)
        die(t->name, "cannot read");
    while (at < end) {
        rd_kafka_message_t *m = rd_kafka_consume(t->handle, p, PATIENCE_MS);
        if (!m || m->err)
            die(t->name, m ? rd_kafka_message_errstr(m) : "no message");
        at = m->offset + 1;
        if (n < max)
            numbers[n] = number_of(m);
        n++;
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consume_stop(t->handle, p);
    return n;
}

size_t kafka_topic_read(struct kafka_topic *t, int *numbers, size_t max)
{
    size_t n = 0;
    for (int p = 0; p < t->partitions; p++)
        n += read_partition(t, p, numbers + n, n < max ? max - n : 0);
    return n;
}
