/* SPDX-License-Identifier: Apache-2.0 */
/* A warm evaluation takes nothing from the heap: every rule of tests/cases/ that asks nothing of the outside world, on
 * its own message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/base64.h"
#include "engine/base/json.h"
#include "sql/sql.h"
#include "tests/unit/counted_alloc.h"

#define CASES       "tests/cases/*.jsonl"
#define FEWEST      1500 /* rules that must have been tried */
#define LONGEST     ((size_t)4 << 20)
#define EVALUATIONS 3 /* of a rule; the last is counted */

/* What an evaluation may wait for: its answers come over the heap. */
static const char *const external[] = {
    "aws_lambda", "get_dynamodb", "get_registry_data", "get_secret", "get_thing_shadow", "machinelearning_predict",
    "'proto'",
};

static struct sql_machine *machine;
static struct buf out;
static struct arena arena;
static size_t tried, refused, left_out;

/* --- a case --- */

/* The member's text, NUL-terminated in the arena, or NULL if there is none or it is no String. */
static const char *text_member(const struct json_doc *doc, uint32_t node, const char *name, size_t *len)
{
    size_t n = 0;
    uint32_t member = json_member(doc, node, name, strlen(name));
    if (!member || json_at(doc, member)->kind != JSON_STRING)
        return NULL;
    const char *text = json_text(doc, member, &arena, &n);
    if (len)
        *len = n;
    return arena_strndup(&arena, text, n);
}

static void read_base64(const struct json_doc *doc, uint32_t node, const char *name, const char **bytes, size_t *len)
{
    size_t n = 0;
    const char *text = text_member(doc, node, name, &n);
    struct buf b;
    if (!text)
        return;
    buf_init(&b, LONGEST);
    assert_true(base64_decode(&b, text, n));
    *bytes = arena_strndup(&arena, b.p ? b.p : "", b.len);
    *len = b.len;
    buf_clear(&b);
}

static void read_payload(const struct json_doc *doc, struct message *m)
{
    uint32_t node = json_member(doc, 0, "payload", 7);
    m->payload = text_member(doc, 0, "payload_text", &m->payload_len);
    if (!m->payload)
        read_base64(doc, 0, "payload_base64", &m->payload, &m->payload_len);
    if (m->payload)
        return;
    m->payload = "{}";
    m->payload_len = 2;
    if (node) { /* as it stands in the file */
        size_t quote = json_at(doc, node)->kind == JSON_STRING;
        m->payload = doc->text + json_at(doc, node)->off - quote;
        m->payload_len = json_at(doc, node)->len + 2 * quote;
    }
}

static void read_user_properties(const struct json_doc *doc, uint32_t list, struct message *m)
{
    struct user_property *p = list ? arena_array(&arena, json_at(doc, list)->count, sizeof(*p)) : NULL;
    if (!p)
        return;
    m->user_properties = p;
    for (uint32_t k = json_first(doc, list); k != json_end(doc, list); k = json_next(doc, list, k), p++) {
        p->name = json_text(doc, json_element(doc, k, 0), &arena, &p->name_len);
        p->value = json_text(doc, json_element(doc, k, 1), &arena, &p->value_len);
        m->user_property_count++;
    }
}

static void read_mqtt5(const struct json_doc *doc, struct message *m)
{
    uint32_t node = json_member(doc, 0, "mqtt5", 5);
    if (!node)
        return;
    m->content_type = text_member(doc, node, "content_type", NULL);
    m->response_topic = text_member(doc, node, "response_topic", NULL);
    read_base64(doc, node, "correlation_data_base64", &m->correlation_data, &m->correlation_len);
    read_user_properties(doc, json_member(doc, node, "user_properties", 15), m);
}

static void read_message(const struct json_doc *doc, struct message *m)
{
    const char *via = text_member(doc, 0, "via", NULL);
    *m = (struct message) { .payload_format = PAYLOAD_FORMAT_ABSENT, .arrival_ms = 1700000000123, .seed = 7 };
    m->topic = text_member(doc, 0, "topic", &m->topic_len);
    if (!m->topic) {
        m->topic = "test";
        m->topic_len = 4;
    }
    m->over_mqtt = !via || strcmp(via, "mqtt") == 0;
    m->client_id = text_member(doc, 0, "clientid", NULL);
    m->principal = text_member(doc, 0, "principal", NULL);
    m->source_ip = text_member(doc, 0, "sourceip", NULL);
    read_payload(doc, m);
    read_mqtt5(doc, m);
}

/* --- a rule --- */

static void evaluate(struct sql_paths *paths, const struct sql_rule *rule, int template, const struct message *m,
                     const struct sql_env *env)
{
    struct err e = { 0 };
    bool flag;
    buf_reset(&out);
    if (sql_machine_begin(machine, paths, m, &e) < 0)
        fail_msg("%s", e.text);
    if (sql_machine_run(machine, rule, env, &e) == SQL_MATCHED && sql_machine_output(machine, &out, &flag, &e) == 0 &&
        template >= 0 && sql_machine_render(machine, rule, template, env, &out, &flag, &e) < 0)
        buf_reset(&out);
}

static int add_template(struct sql_rule *rule, const struct json_doc *doc)
{
    size_t len;
    struct errs errs = { 0 };
    const char *text = text_member(doc, 0, "template", &len);
    if (!text)
        return -1;
    struct src *src = src_new("<template>", text, len);
    int index = sql_rule_add_template(rule, src, &errs);
    src_unref(src);
    errs_clear(&errs);
    return index;
}

static struct sql_rule *compile(const struct json_doc *doc, const char *sql, struct sql_paths *paths)
{
    struct errs errs = { 0 };
    size_t len;
    enum sql_version version = SQL_2016_03_23;
    const char *name = text_member(doc, 0, "version", &len);
    if (name)
        assert_true(sql_version_parse(name, len, &version));
    struct src *src = src_new("<sql>", sql, strlen(sql));
    struct sql_rule *rule = sql_rule_compile(src, version, paths, &errs);
    src_unref(src);
    errs_clear(&errs);
    return rule;
}

static void try_rule(const struct json_doc *doc, const char *sql, const char *where)
{
    struct message message;
    const char *name = text_member(doc, 0, "rule", NULL);
    const struct sql_env env = { .rule_name = name ? name : "test" };
    struct sql_paths *paths = sql_paths_new();
    struct sql_rule *rule = compile(doc, sql, paths);
    size_t before = 0;
    if (!rule) {
        refused++;
        sql_paths_unref(paths);
        return;
    }
    int template = add_template(rule, doc);
    read_message(doc, &message);
    for (int i = 0; i < EVALUATIONS; i++) {
        before = allocations;
        evaluate(paths, rule, template, &message, &env);
    }
    if (allocations != before)
        fail_msg("%s: %zu allocations: %s", where, allocations - before, sql);
    tried++;
    sql_rule_free(rule);
    sql_paths_unref(paths);
}

static bool is_external(const struct json_doc *doc, const char *sql)
{
    bool found = json_member(doc, 0, "mock", 4) != 0;
    for (size_t i = 0; i < sizeof(external) / sizeof(external[0]); i++)
        found |= strcasestr(sql, external[i]) != NULL;
    return found;
}

static void try_case(const char *line, size_t len, const char *where)
{
    struct err e = { 0 };
    arena_reset(&arena);
    const struct json_doc *doc = json_parse(&arena, line, len, NULL, &e);
    if (!doc)
        fail_msg("%s: %s", where, e.text);
    const char *sql = text_member(doc, 0, "sql", NULL);
    if (!sql || is_external(doc, sql))
        left_out++;
    else
        try_rule(doc, sql, where);
}

static void try_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL, where[300];
    size_t cap = 0;
    assert_non_null(f);
    ssize_t len;
    for (int number = 1; (len = getline(&line, &cap, f)) > 0; number++) {
        snprintf(where, sizeof(where), "%s:%d", path, number);
        try_case(line, (size_t)len, where);
    }
    free(line);
    fclose(f);
}

static void rules_of_all_cases(void **state)
{
    glob_t files;
    (void)state;
    machine = sql_machine_new(NULL);
    buf_init(&out, (size_t)64 << 20);
    arena_init(&arena, (size_t)64 << 20);
    assert_int_equal(glob(CASES, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        try_file(files.gl_pathv[i]);
    globfree(&files);
    sql_machine_free(machine);
    buf_clear(&out);
    arena_clear(&arena);
    print_message("%zu rules, %zu that do not compile, %zu that ask the outside world\n", tried, refused, left_out);
    assert_true(tried >= FEWEST);
    assert_true(allocations > tried); /* they are counted at all */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rules_of_all_cases) };
    count_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
