/* SPDX-License-Identifier: Apache-2.0 */
/* A statement and the message it is tried on. */
#include "engine/apps/sluice/trial.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/read_file.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/topic.h"

#define TOPIC_MAX ((size_t)1 << 20)

size_t trial_init(struct trial *t, const char *command, struct cmd_option *options)
{
    *t = (struct trial) { .command = command,
                          .rule_name = "eval",
                          .version_name = "2016-03-23",
                          .message = { .over_mqtt = true, .payload_format = PAYLOAD_FORMAT_ABSENT } };
    const struct cmd_option rows[TRIAL_OPTIONS] = {
        { "topic", 't', &t->topic_name, NULL },
        { "clientid", 0, &t->message.client_id, NULL },
        { "principal", 0, &t->message.principal, NULL },
        { "sourceip", 0, &t->message.source_ip, NULL },
        { "rule", 0, &t->rule_name, NULL },
        { "mock", 0, &t->mock_path, NULL },
        { "payload", 0, &t->payload_path, NULL },
        { "sql-version", 0, &t->version_name, NULL },
    };
    memcpy(options, rows, sizeof(rows));
    buf_init(&t->topic, TOPIC_MAX);
    arena_init(&t->mock_arena, READ_FILE_MAX);
    random_seed(&t->random, random_entropy());
    return TRIAL_OPTIONS;
}

/* A topic that the filter matches: its wildcards replaced by a level "x". */
static void topic_from_filter(const char *filter, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(out, filter[i] == '+' || filter[i] == '#' ? 'x' : filter[i]);
}

static int set_topic(struct trial *t)
{
    size_t len;
    const char *filter = sql_rule_filter(t->ev.rule, &len);
    if (t->topic_name)
        buf_puts(&t->topic, t->topic_name);
    else if (filter)
        topic_from_filter(filter, len, &t->topic);
    else
        buf_printf(&t->topic, "$aws/rules/%s/x", t->rule_name);
    t->message.topic = t->topic.p;
    t->message.topic_len = t->topic.len;
    if (evaluator_matches_topic(&t->ev, t->rule_name, t->topic.p, t->topic.len))
        return EXIT_OK;
    return fail(t->command, "topic \"%s\" does not match the FROM clause; no message can satisfy this rule",
                t->topic.p);
}

/* What the outside world answers, from a file. */
static int read_mock(struct trial *t)
{
    struct err e = { 0 };
    size_t len = 0;
    t->mock_text = read_file(t->mock_path, &len, &e);
    struct src *src = t->mock_text ? src_new(t->mock_path, t->mock_text, len) : NULL;
    const struct json_doc *doc = src ? json_parse(&t->mock_arena, t->mock_text, len, src, &e) : NULL;
    int rc = doc ? mock_set(&t->ev.mock, doc, 0, &e) : -1;
    if (rc < 0) {
        err_set(&e, ERR_MEMORY, "out of memory");
        print_err(&e);
    }
    src_unref(src);
    return rc < 0 ? EXIT_FAILED : EXIT_OK;
}

int trial_check(const struct trial *t, enum sql_version *version)
{
    struct err e = { 0 };
    if (!sql_version_parse(t->version_name, strlen(t->version_name), version)) {
        fail(t->command, "unknown SQL version \"%s\"; there are 2015-10-08, 2016-03-23 and beta", t->version_name);
        return EXIT_USAGE;
    }
    if (t->topic_name && topic_check(t->topic_name, strlen(t->topic_name), &e) < 0) {
        fail(t->command, "%s", e.text);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

int trial_open(struct trial *t, const char *sql)
{
    struct errs errs = { 0 };
    enum sql_version version;
    int code = trial_check(t, &version);
    if (code != EXIT_OK)
        return code;
    int rc = evaluator_open(&t->ev, "<sql>", sql, strlen(sql), version, &errs);
    print_errs(&errs);
    errs_clear(&errs);
    if (rc < 0)
        return EXIT_FAILED;
    if (t->mock_path)
        code = read_mock(t);
    return code == EXIT_OK ? set_topic(t) : code;
}

void trial_close(struct trial *t)
{
    evaluator_close(&t->ev);
    buf_clear(&t->topic);
    arena_clear(&t->mock_arena);
    free(t->mock_text);
}

void trial_set_payload(struct trial *t, const char *payload, size_t len)
{
    t->message.payload = payload;
    t->message.payload_len = len;
    t->message.arrival_ms = clock_now_ms(&clock_system);
    t->message.seed = random_u64(&t->random);
}

char *trial_read_payload(const struct trial *t, size_t *len)
{
    struct err e = { 0 };
    bool is_stdin = !t->payload_path || strcmp(t->payload_path, "-") == 0;
    char *payload = is_stdin ? read_stdin(len, &e) : read_file(t->payload_path, len, &e);
    if (!payload)
        print_err(&e);
    return payload;
}
