/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice eval`: one statement on payloads from standard input, one a line, or on one payload from a file. */
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/evaluate.h"
#include "engine/apps/sluice/read_file.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "engine/base/topic.h"
#include "sql/sql.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define CHECK_MAX  SQL_DEFAULT_ARENA /* for what an evaluation could read */

struct eval {
    struct evaluator ev;
    struct message message;
    const char *rule_name;
    struct random random;
    struct buf out, topic;
    char *mock_text;
    struct arena mock_arena;
    const char *payload_path; /* the whole file is the one payload; "-": all of standard input */
    bool require_json;
    bool was_not_json; /* some payload, and that was an error */
    struct arena check_arena;
};

/* Is it a topic name? NULL is: one is made then. */
static int check_topic(const char *topic)
{
    struct err e = { 0 };
    if (!topic || topic_check(topic, strlen(topic), &e) == 0)
        return 0;
    fprintf(stderr, "sluice eval: %s\n", e.text);
    return -1;
}

/* A topic that the filter matches: its wildcards replaced by a level "x". */
static void topic_from_filter(const char *filter, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(out, filter[i] == '+' || filter[i] == '#' ? 'x' : filter[i]);
}

static int set_topic(struct eval *eval, const char *topic)
{
    size_t len;
    const char *filter = sql_rule_filter(eval->ev.rule, &len);
    if (topic)
        buf_puts(&eval->topic, topic);
    else if (filter)
        topic_from_filter(filter, len, &eval->topic);
    else
        buf_printf(&eval->topic, "$aws/rules/%s/x", eval->rule_name);
    eval->message.topic = eval->topic.p;
    eval->message.topic_len = eval->topic.len;
    if (evaluator_matches_topic(&eval->ev, eval->rule_name, eval->topic.p, eval->topic.len))
        return 0;
    fprintf(stderr, "sluice eval: topic \"%s\" does not match the FROM clause; no message can satisfy this rule\n",
            eval->topic.p);
    return -1;
}

/* What the outside world answers, from a file. */
static int read_mock(struct eval *eval, const char *path)
{
    struct err e = { 0 };
    size_t len = 0;
    eval->mock_text = read_file(path, &len, &e);
    struct src *src = eval->mock_text ? src_new(path, eval->mock_text, len) : NULL;
    const struct json_doc *doc = src ? json_parse(&eval->mock_arena, eval->mock_text, len, src, &e) : NULL;
    int rc = doc ? mock_set(&eval->ev.mock, doc, 0, &e) : -1;
    if (rc < 0) {
        err_set(&e, ERR_MEMORY, "out of memory");
        print_err(&e);
    }
    src_unref(src);
    return rc;
}

/* Is the payload JSON, if it must be? `name` says which one it is. */
static bool accept_payload(struct eval *eval, const char *name, const char *payload, size_t len)
{
    struct err e = { 0 };
    if (!eval->require_json)
        return true;
    arena_reset(&eval->check_arena);
    if (json_parse(&eval->check_arena, payload, len, NULL, &e))
        return true;
    fprintf(stderr, "sluice eval: %s: %s\n", name, e.text);
    eval->was_not_json = true;
    return false;
}

/* Evaluate one payload and print its output. */
static int eval_payload(struct eval *eval, const char *payload, size_t len)
{
    struct err e = { 0 };
    bool is_json;
    eval->message.payload = payload;
    eval->message.payload_len = len;
    eval->message.arrival_ms = clock_now_ms(&clock_system);
    eval->message.seed = random_u64(&eval->random);
    buf_reset(&eval->out);
    enum sql_outcome outcome = evaluator_run(&eval->ev, eval->rule_name, &eval->message, &eval->out, &is_json, &e);
    if (outcome == SQL_FAILED) {
        print_err(&e);
        return -1;
    }
    if (outcome == SQL_MATCHED) {
        if (eval->out.len) /* Undefined is no bytes, and no buffer */
            fwrite(eval->out.p, 1, eval->out.len, stdout);
        putchar('\n');
    }
    return 0;
}

static int eval_lines(struct eval *eval)
{
    char *line = NULL, name[64];
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    for (unsigned long number = 1; (len = getline(&line, &cap, stdin)) >= 0; number++) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        if (len == 0)
            continue;
        snprintf(name, sizeof(name), "line %lu", number);
        if (!accept_payload(eval, name, line, (size_t)len) || eval_payload(eval, line, (size_t)len) < 0)
            rc = -1;
    }
    free(line);
    if (ferror(stdin)) {
        fprintf(stderr, "sluice eval: %s\n", strerror(errno));
        rc = -1;
    }
    return rc;
}

static int eval_file(struct eval *eval)
{
    struct err e = { 0 };
    size_t len;
    bool is_stdin = strcmp(eval->payload_path, "-") == 0;
    char *payload = is_stdin ? read_stdin(&len, &e) : read_file(eval->payload_path, &len, &e), name[256];
    if (!payload) {
        print_err(&e);
        return -1;
    }
    if (is_stdin)
        snprintf(name, sizeof(name), "standard input");
    else
        snprintf(name, sizeof(name), "\"%s\"", eval->payload_path);
    int rc = accept_payload(eval, name, payload, len) ? eval_payload(eval, payload, len) : -1;
    free(payload);
    return rc;
}

/* Compile, prepare the messages, evaluate. */
static int eval_statement(struct eval *eval, const char *sql, enum sql_version version, const char *mock,
                          const char *topic)
{
    struct errs errs = { 0 };
    int rc = evaluator_open(&eval->ev, "<sql>", sql, strlen(sql), version, &errs);
    print_errs(&errs);
    errs_clear(&errs);
    if (rc == 0 && mock)
        rc = read_mock(eval, mock);
    if (rc == 0)
        rc = set_topic(eval, topic);
    if (rc == 0)
        rc = eval->payload_path ? eval_file(eval) : eval_lines(eval);
    evaluator_close(&eval->ev);
    return rc;
}

int cmd_eval(int argc, char **argv)
{
    struct eval eval = { .rule_name = "eval",
                         .message = { .over_mqtt = true, .payload_format = PAYLOAD_FORMAT_ABSENT } };
    const char *topic = NULL, *mock = NULL, *version_name = "2016-03-23";
    const struct cmd_option options[] = {
        { "topic", 't', &topic, NULL },
        { "clientid", 0, &eval.message.client_id, NULL },
        { "principal", 0, &eval.message.principal, NULL },
        { "sourceip", 0, &eval.message.source_ip, NULL },
        { "rule", 0, &eval.rule_name, NULL },
        { "mock", 0, &mock, NULL },
        { "payload", 0, &eval.payload_path, NULL },
        { "require-json", 0, NULL, &eval.require_json },
        { "sql-version", 0, &version_name, NULL },
    };
    bool done;
    enum sql_version version;
    int n = cmd_options("eval", options, sizeof options / sizeof options[0], argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (n != 1) {
        cmd_print_help(cmd_find("eval"), stderr);
        return EXIT_USAGE;
    }
    if (!sql_version_parse(version_name, strlen(version_name), &version)) {
        fprintf(stderr, "sluice eval: unknown SQL version \"%s\"; there are 2015-10-08, 2016-03-23 and beta\n",
                version_name);
        return EXIT_USAGE;
    }
    if (check_topic(topic) < 0)
        return EXIT_USAGE;
    buf_init(&eval.out, OUTPUT_MAX);
    buf_init(&eval.topic, OUTPUT_MAX);
    arena_init(&eval.mock_arena, READ_FILE_MAX);
    arena_init(&eval.check_arena, CHECK_MAX);
    random_seed(&eval.random, random_entropy());
    int rc = eval_statement(&eval, argv[1], version, mock, topic);
    buf_clear(&eval.out);
    buf_clear(&eval.topic);
    arena_clear(&eval.mock_arena);
    arena_clear(&eval.check_arena);
    free(eval.mock_text);
    if (eval.was_not_json)
        return EXIT_NOT_JSON;
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}
