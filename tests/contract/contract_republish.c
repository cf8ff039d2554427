/* SPDX-License-Identifier: Apache-2.0 */
/* The contract against the broker that SLUICE_TEST_MQTT names; tests/integration/test_mqtt.py starts one and runs
 * this. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "engine/mqtt/mqtt_client.h"
#include "sluice/source.h"
#include "tests/contract/contract.h"

#define NUMBERS_MAX 10000

/* A subscriber that collects what arrives. A message to `last` comes behind everything that was published before it. */
static struct {
    struct mqtt_conf conf;
    struct mqtt_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int numbers[NUMBERS_MAX];
    size_t count;
    bool last;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool on_arrived(void *ctx, const struct source_message *m)
{
    (void)ctx;
    char text[40];
    snprintf(text, sizeof(text), "%.*s", (int)m->message.payload_len, m->message.payload);
    pthread_mutex_lock(&seen.lock);
    if (strcmp(text, "last") == 0)
        seen.last = true;
    else if (seen.count < NUMBERS_MAX && sscanf(text, "{\"n\":%d}", &seen.numbers[seen.count]) == 1)
        seen.count++;
    pthread_cond_signal(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    return true;
}

static void must(int rc, const struct err *e)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s\n", e->text);
    abort();
}

static void connect_subscriber(void)
{
    const struct mqtt_handler handler = { .arrived = on_arrived };
    struct mqtt_subscription all = { .filter = "contract/#" };
    struct err e = { 0 };
    seen.client = mqtt_client_new(&seen.conf, MQTT_SUBSCRIBER, "contract-subscriber", &handler, &e);
    must(seen.client ? 0 : -1, &e);
    must(mqtt_client_connect(seen.client, &e), &e);
    must(mqtt_client_subscribe(seen.client, &all, 1, &e), &e);
}

static size_t read_back(int *numbers, size_t max)
{
    struct mqtt_publication last = {
        .topic = { "contract/good", 13 }, .payload = { "last", 4 }, .qos = 1, .format = PAYLOAD_FORMAT_ABSENT
    };
    struct err e = { 0 };
    pthread_mutex_lock(&seen.lock);
    seen.last = false;
    pthread_mutex_unlock(&seen.lock);
    must(mqtt_client_publish(seen.client, &last, 1, &e), &e);
    pthread_mutex_lock(&seen.lock);
    while (!seen.last)
        pthread_cond_wait(&seen.changed, &seen.lock);
    size_t n = seen.count < max ? seen.count : max;
    memcpy(numbers, seen.numbers, n * sizeof(*numbers));
    pthread_mutex_unlock(&seen.lock);
    return n;
}

/* Everything of the former test has arrived: its end has read it. */
static void begin(void)
{
    pthread_mutex_lock(&seen.lock);
    seen.count = 0;
    pthread_mutex_unlock(&seen.lock);
}

static void end(void)
{
    int ignored;
    read_back(&ignored, 1);
}

static const char *const bad_targets[] = {
    "{}",
    "url: 127.0.0.1",
    "url: mqt://127.0.0.1",
    "url: mqtt://:1883",
    "url: mqtt://h:0",
    "url: mqtt://h\nqos: 3",
    "url: mqtt://h\nversion: 4",
    "url: mqtt://h\ncaFile: /etc/passwd",
    "url: mqtts://h\ncaFile: /no/such/file",
    "url: mqtts://h\nkeyFile: /etc/passwd",
    "url: mqtt://h\nport: 1883",
    NULL,
};

static const char *const bad_actions[] = {
    "{}",
    "topic: ''",
    "topic: a/+",
    "topic: a/#/${v}",
    "topic: $aws/things/t/shadow/update",
    "topic: $$aws/things/t/jobs/x",
    "topic: '${}'",
    "topic: a\nqos: 2",
    "topic: a\nheaders: { contentTyp: x }",
    "topic: a\nheaders: { responseTopic: '#' }",
    "topic: a\nheaders: { correlationData: '?' }",
    "topic: a\nheaders: { messageExpiry: soon }",
    "topic: a\nheaders: { userProperties: [] }",
    "topic: a\nheaders: { userProperties: [{ key: a }] }",
    "topic: a\nmaxHops: 0",
    "topc: a",
    NULL,
};

int main(void)
{
    const char *url = getenv("SLUICE_TEST_MQTT");
    if (!url) {
        fprintf(stderr, "SLUICE_TEST_MQTT: the url of a broker to test with\n");
        return 77;
    }
    char target[500];
    struct errs errs = { 0 };
    snprintf(target, sizeof(target), "url: %s\ncleanStart: true\nsessionExpiry: 0", url);
    struct src *src = src_new("target", target, strlen(target));
    struct conf *conf = conf_parse(src, false, &errs);
    if (!conf || mqtt_conf_read(&seen.conf, conf, &errs) < 0)
        abort();
    const struct contract contract = {
        .type = &act_republish,
        .target = target,
        .bad_targets = bad_targets,
        .action = "topic: 'contract/${v}'\nqos: 1",
        .other_action = "topic: contract/good\nqos: 1\nheaders: { contentType: application/json }",
        .bad_actions = bad_actions,
        .resource = "contract/good",
        .good_v = "good",
        .bad_v = "a/#",
        .begin = begin,
        .end = end,
        .read_back = read_back,
    };
    connect_subscriber();
    int failed = contract_run(&contract);
    mqtt_client_free(seen.client);
    mqtt_conf_clear(&seen.conf);
    conf_free(conf);
    src_unref(src);
    return failed;
}
