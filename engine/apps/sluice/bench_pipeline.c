/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench pipeline`: its command line. The measuring is in bench/pipeline/. */
#include "engine/apps/sluice/benches.h"
#include "engine/apps/sluice/cmds.h"

#include <stdlib.h>
#include <string.h>

#include "bench/pipeline/load.h"
#include "bench/pipeline/pipeline.h"
#include "bench/pipeline/sample.h"
#include "engine/mqtt/mqtt_conf.h"

/* The options as texts. */
struct texts {
    const char *broker, *broker_pid, *qos, *messages, *rounds, *window, *paced, *only;
    const char *addresses[PIPELINE_TARGETS_MAX]; /* of target_types */
};

static int read_qos(const char *text, bool *qos)
{
    bool both = strcmp(text, "both") == 0;
    qos[0] = both || strcmp(text, "0") == 0;
    qos[1] = both || strcmp(text, "1") == 0;
    return qos[0] || qos[1] ? 0 : bench_wrong("qos", text, "must be 0, 1 or both");
}

static int read_broker(const char *url, struct mqtt_address *a)
{
    struct err e = { 0 };
    if (mqtt_address_parse(a, url, &e) < 0)
        return bench_wrong("broker", url, e.text);
    return a->tls || a->websocket ? bench_wrong("broker", url, "must begin with mqtt://: the bench speaks plain MQTT")
                                  : 0;
}

static size_t target_count(void)
{
    size_t n = 0;
    while (target_types[n])
        n++;
    return n;
}

/* Is the name in the list "a,b,c"? */
static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* Every word of the list must be the name of a target. */
static int check_only(const char *list)
{
    const char *names[PIPELINE_TARGETS_MAX];
    size_t count = target_count();
    for (size_t i = 0; i < count; i++)
        names[i] = target_types[i]->name;
    for (const char *word = list;; word++) {
        size_t len = strcspn(word, ","), i = 0;
        while (i < count && (strlen(names[i]) != len || strncmp(names[i], word, len) != 0))
            i++;
        if (i == count) {
            bench_wrong("only", list, "must be a list of republish, file, postgres, kafka, http");
            const char *near = nearest_word(word, len, names, count);
            if (near)
                fprintf(stderr, "hint: did you mean \"%s\"?\n", near);
            return -1;
        }
        word += len;
        if (*word == '\0')
            return 0;
    }
}

static int choose_targets(const struct texts *t, struct pipeline_options *o)
{
    size_t n = 0;
    if (t->only && check_only(t->only) < 0)
        return -1;
    for (size_t i = 0; target_types[i]; i++) {
        const struct target_type *type = target_types[i];
        if (t->only && !is_listed(t->only, type->name))
            continue;
        if (type->option && !t->addresses[i]) {
            fprintf(stderr, "sluice bench: %s is left out: no --%s\n", type->name, type->option);
            continue;
        }
        o->targets[n].type = type;
        o->targets[n++].address = t->addresses[i];
    }
    if (n == 0) {
        fputs("sluice bench: no target is left to measure\n", stderr);
        return -1;
    }
    return 0;
}

static int read_texts(const struct texts *t, struct mqtt_address *address, struct pipeline_options *o)
{
    size_t pid = 0;
    if (read_qos(t->qos, o->qos) < 0 || bench_read_number("messages", t->messages, 1, SAMPLE_MAX, &o->messages) < 0 ||
        bench_read_number("rounds", t->rounds, 1, PIPELINE_ROUNDS_MAX, &o->rounds) < 0 ||
        bench_read_number("window", t->window, 1, LOAD_WINDOW_MAX, &o->window) < 0 ||
        bench_read_number("paced", t->paced, 0, 3600, &o->paced_s) < 0 ||
        (t->broker_pid && bench_read_number("broker-pid", t->broker_pid, 1, INT32_MAX, &pid) < 0) ||
        read_broker(t->broker, address) < 0 || choose_targets(t, o) < 0)
        return -1;
    o->broker = t->broker;
    o->host = address->host;
    o->port = address->port;
    o->broker_pid = (pid_t)pid;
    return 0;
}

static const char **address_of(struct texts *t, const char *option)
{
    size_t i = 0;
    while (!target_types[i]->option || strcmp(target_types[i]->option, option) != 0)
        i++;
    return &t->addresses[i];
}

int bench_pipeline(int argc, char **argv)
{
    struct texts t = { .broker = "mqtt://127.0.0.1:1883",
                       .qos = "both",
                       .messages = "100000",
                       .rounds = "3",
                       .window = "10000",
                       .paced = "0" };
    struct pipeline_options o = { 0 };
    struct mqtt_address address = { 0 };
    struct err e = { 0 };
    const struct cmd_option options[] = {
        { "broker", 0, &t.broker, NULL },
        { "broker-pid", 0, &t.broker_pid, NULL },
        { "postgres", 0, address_of(&t, "postgres"), NULL },
        { "kafka", 0, address_of(&t, "kafka"), NULL },
        { "http", 0, address_of(&t, "http"), NULL },
        { "qos", 0, &t.qos, NULL },
        { "messages", 0, &t.messages, NULL },
        { "rounds", 0, &t.rounds, NULL },
        { "window", 0, &t.window, NULL },
        { "paced", 0, &t.paced, NULL },
        { "only", 0, &t.only, NULL },
        { "json", 0, NULL, &o.json },
    };
    int code;
    if (!bench_options(options, sizeof options / sizeof options[0], argc, argv, &code))
        return code;
    code = EXIT_USAGE;
    if (read_texts(&t, &address, &o) == 0)
        code = pipeline_run(&o, &e) == 0 ? EXIT_OK : fail("bench", "%s", e.text);
    mqtt_address_clear(&address);
    return code;
}
