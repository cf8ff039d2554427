/* SPDX-License-Identifier: Apache-2.0 */
/* kafka: a topic of the bench's own, of one partition; the bare producer is librdkafka's loop with an idempotent producer and defaults. What
 * arrived is read back. The only file here that knows librdkafka. */
#include "bench/pipeline/target.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline/sample.h"
#include "engine/base/json.h"

#define NAME_MAX_BYTES 64
#define ANSWER_MS      30000
#define POLL_MS        10
#define OUTPUT_MAX     ((size_t)256)

struct kafka_target {
    const struct target_env *env;
    char topic[NAME_MAX_BYTES];
    rd_kafka_t *producer, *consumer;
    struct buf output;
    struct tally *tally;
    int64_t from; /* offset at the last clear */
    size_t reported, failed;
    rd_kafka_resp_err_t why;
};

/* Thread: the one that polls. */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_target *t = opaque;
    (void)rk;
    t->reported++;
    t->failed += m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    t->why = m->err ? m->err : t->why;
}

static int kafka_error(struct err *e, const char *what, rd_kafka_resp_err_t code)
{
    return err_set(e, ERR_UNREACHABLE, "Kafka: %s: %s", what, rd_kafka_err2str(code));
}

static rd_kafka_t *make(struct kafka_target *t, rd_kafka_type_t type, const char *const (*props)[2], struct err *e)
{
    char why[160] = "not enough memory";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool ok = rd_kafka_conf_set(conf, "bootstrap.servers", t->env->address, why, sizeof why) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; ok && props[i][0]; i++)
        ok = rd_kafka_conf_set(conf, props[i][0], props[i][1], why, sizeof why) == RD_KAFKA_CONF_OK;
    rd_kafka_conf_set_opaque(conf, t);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *rk = ok ? rd_kafka_new(type, conf, why, sizeof why) : NULL;
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        err_set(e, ERR_CONF_VALUE, "Kafka: %s", why);
    }
    return rk;
}

/* Ask for the topic to be made or deleted, and wait for the answer. */
static rd_kafka_resp_err_t admin(struct kafka_target *t, bool create)
{
    char why[160];
    rd_kafka_queue_t *answers = rd_kafka_queue_new(t->producer);
    if (create) {
        rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(t->topic, 1, 1, why, sizeof why);
        rd_kafka_CreateTopics(t->producer, &topic, 1, NULL, answers);
        rd_kafka_NewTopic_destroy(topic);
    } else {
        rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(t->topic);
        rd_kafka_DeleteTopics(t->producer, &topic, 1, NULL, answers);
        rd_kafka_DeleteTopic_destroy(topic);
    }
    rd_kafka_event_t *answer = rd_kafka_queue_poll(answers, ANSWER_MS);
    rd_kafka_resp_err_t code = answer ? rd_kafka_event_error(answer) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    size_t count = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (answer && !code && create)
        results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer), &count);
    if (count)
        code = rd_kafka_topic_result_error(results[0]);
    if (answer)
        rd_kafka_event_destroy(answer);
    rd_kafka_queue_destroy(answers);
    return code;
}

static void kafka_close(void *target)
{
    struct kafka_target *t = target;
    if (t->producer) {
        (void)admin(t, false);
        rd_kafka_destroy(t->producer);
    }
    if (t->consumer)
        rd_kafka_destroy(t->consumer);
    buf_clear(&t->output);
    free(t);
}

/* A topic that was just made is not known everywhere at once. */
static int end_offset(struct kafka_target *t, int64_t *offset, struct err *e)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    for (int waited = 0; code && waited < ANSWER_MS; waited += POLL_MS) {
        int64_t low;
        code = rd_kafka_query_watermark_offsets(t->consumer, t->topic, 0, &low, offset, ANSWER_MS);
        if (code)
            rd_kafka_poll(t->producer, POLL_MS);
    }
    return code ? kafka_error(e, "end of the topic", code) : 0;
}

static void *kafka_open(const struct target_env *env, struct err *e)
{
    static const char *const producer[][2] = { { "enable.idempotence", "true" }, { "log_level", "3" }, { NULL, NULL } };
    static const char *const consumer[][2] = { { "group.id", "sluice-bench" },
                                               { "enable.auto.commit", "false" },
                                               { "fetch.wait.max.ms", "10" },
                                               { "log_level", "3" },
                                               { NULL, NULL } };
    struct kafka_target *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, ERR_MEMORY, "not enough memory");
        return NULL;
    }
    t->env = env;
    buf_init(&t->output, OUTPUT_MAX);
    snprintf(t->topic, sizeof t->topic, "sluice-bench-%s", env->tag);
    t->producer = make(t, RD_KAFKA_PRODUCER, producer, e);
    t->consumer = t->producer ? make(t, RD_KAFKA_CONSUMER, consumer, e) : NULL;
    rd_kafka_resp_err_t code = t->consumer ? admin(t, true) : RD_KAFKA_RESP_ERR__FAIL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return t;
    kafka_error(e, "could not make a topic", code);
    kafka_close(t);
    return NULL;
}

static int kafka_clear(void *target, struct tally *tally, struct err *e)
{
    struct kafka_target *t = target;
    t->tally = tally;
    return end_offset(t, &t->from, e);
}

static void kafka_configure(void *target, struct buf *connections, struct buf *action)
{
    const struct kafka_target *t = target;
    buf_puts(connections, "  bus: { kafka: { bootstrap.servers: ");
    json_write_string(connections, t->env->address, strlen(t->env->address));
    buf_puts(connections, " } }\n");
    buf_printf(action, "kafka: { connection: bus, topic: %s }", t->topic);
}

static int put(struct kafka_target *t, size_t i, struct err *e)
{
    rd_kafka_resp_err_t code;
    buf_reset(&t->output);
    sample_output(&t->output, i);
    while ((code = rd_kafka_producev(t->producer, RD_KAFKA_V_TOPIC(t->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                     RD_KAFKA_V_VALUE(t->output.p, t->output.len), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(t->producer, POLL_MS);
    return code ? kafka_error(e, "could not produce", code) : 0;
}

static int kafka_produce(void *target, size_t first, size_t count, struct err *e)
{
    struct kafka_target *t = target;
    t->reported = t->failed = 0;
    for (size_t i = first; i < first + count; i++) {
        if (put(t, i, e) < 0)
            return -1;
        if (i % TARGET_BATCH == 0)
            rd_kafka_poll(t->producer, 0);
    }
    rd_kafka_resp_err_t code = rd_kafka_flush(t->producer, ANSWER_MS);
    if (code || t->failed || t->reported != count)
        return kafka_error(e, "could not deliver", code ? code : t->why);
    return 0;
}

/* Read the partition from one offset to another. */
static int read_back(struct kafka_target *t, int64_t to, struct err *e)
{
    int64_t next = t->from;
    while (next < to) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(t->consumer, ANSWER_MS);
        if (!m)
            return kafka_error(e, "could not read the topic", RD_KAFKA_RESP_ERR__TIMED_OUT);
        if (!m->err) {
            tally_note(t->tally, m->payload, m->len);
            next = m->offset + 1;
        }
        rd_kafka_message_destroy(m);
    }
    return 0;
}

static int kafka_arrived(void *target, struct err *e)
{
    struct kafka_target *t = target;
    int64_t to;
    if (end_offset(t, &to, e) < 0)
        return -1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, t->topic, 0)->offset = t->from;
    rd_kafka_resp_err_t code = rd_kafka_assign(t->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    int rc = code ? kafka_error(e, "could not read the topic", code) : read_back(t, to, e);
    rd_kafka_assign(t->consumer, NULL);
    return rc;
}

const struct target_type target_kafka = {
    .name = "kafka",
    .option = "kafka",
    .open = kafka_open,
    .close = kafka_close,
    .clear = kafka_clear,
    .configure = kafka_configure,
    .produce = kafka_produce,
    .arrived = kafka_arrived,
};
