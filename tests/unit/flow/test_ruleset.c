/* SPDX-License-Identifier: Apache-2.0 */
/* Rulesets: what a compiled one holds, that it evaluates and renders, and that mistakes do not hide one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/flow/filters.h"
#include "engine/flow/rule_file.h"
#include "engine/flow/ruleset.h"
#include "engine/flow/stats.h"
#include "fake_actions.h"

struct fixture {
    char folder[64];
    struct targets targets;
    struct conf *connections;
    struct rule_def **defs;
    size_t count;
    struct errs errs;
    struct ruleset *rs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char text[] =
        "warehouse: { postgres: { conninfo: x } }\nbus: { mqtt: { url: u } }\nbroken: { mqtt: { ulr: u, url: u } }";
    struct src *src = src_new("sluice.yaml", text, strlen(text));
    snprintf(f->folder, sizeof(f->folder), "/tmp/sluice-ruleset-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    targets_init(&f->targets, fake_types, &fake_env);
    f->connections = conf_parse(src, false, &f->errs);
    assert_int_equal(
        targets_open(&f->targets, f->connections, conf_get(conf_get(f->connections, "bus"), "mqtt"), &f->errs), -1);
    errs_clear(&f->errs);
    src_unref(src);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    ruleset_unref(f->rs);
    assert_int_equal(fake_actions, 0);
    targets_clear(&f->targets);
    assert_int_equal(fake_targets, 0);
    conf_free(f->connections);
    errs_clear(&f->errs);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static void read_rules(struct fixture *f, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    if (rule_file_read(path, &f->defs, &f->count, &f->errs) < 0)
        assert_true(f->errs.errors > 0);
}

static struct ruleset *compile(struct fixture *f, struct stats_table *stats)
{
    f->rs = ruleset_compile(f->defs, f->count, &f->targets, stats, &f->errs);
    f->defs = NULL;
    f->count = 0;
    return f->rs;
}

static struct ruleset *compile_good(struct fixture *f, const char *text)
{
    read_rules(f, "rules.yaml", text);
    compile(f, NULL);
    for (size_t i = 0; i < f->errs.count; i++)
        print_message("%s\n", f->errs.items[i].text);
    assert_non_null(f->rs);
    assert_int_equal(f->errs.errors, 0);
    return f->rs;
}

/* Texts of all errors, one a line, in the order of the files. */
static const char *compile_bad(struct fixture *f)
{
    static char text[4096];
    size_t len = 0;
    assert_null(compile(f, NULL));
    assert_true(f->errs.errors > 0);
    assert_int_equal(fake_actions, 0);
    errs_sort(&f->errs);
    text[0] = '\0';
    for (size_t i = 0; i < f->errs.count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", f->errs.items[i].text);
    return text;
}

static const char three_rules[] =
    "- ruleName: one\n"
    "  sql: SELECT *, topic(2) AS t FROM 'a/+' WHERE v > 1\n"
    "  actions:\n"
    "    - republish: { topic: \"x/${topic(2)}\", qos: 1, roleArn: r }\n"
    "    - postgres: { connection: warehouse, table: t, columns: { a: \"${v}\", b: \"${v}-${v}\" } }\n"
    "  errorAction: { file: { path: errors } }\n"
    "- ruleName: two\n"
    "  sql: SELECT 1 AS x\n"
    "  actions: [{ stdout: }]\n"
    "- ruleName: off\n"
    "  ruleDisabled: true\n"
    "  sql: SELECT 1 AS x FROM 'off'\n"
    "  actions: [{ republish: { topic: t, connection: bus } }]\n"
    "- ruleName: three\n"
    "  sql: SELECT 1 AS x FROM 'a/+'\n"
    "- ruleName: four\n"
    "  sql: SELECT 1 AS x FROM '$aws/things/+/shadow/update'\n";

static void test_contents(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = compile_good(f, three_rules);
    assert_int_equal(rs->rule_count, 4);
    const struct rule *one = &rs->rules[0];
    assert_string_equal(one->name, "one");
    assert_int_equal(one->action_count, 2);
    assert_string_equal(one->actions[0].target->name, "republish");
    assert_int_equal(one->actions[0].template_count, 1);
    assert_string_equal(one->actions[1].target->name, "warehouse");
    assert_int_equal(one->actions[1].template_count, 3);
    assert_string_equal(one->error_action->target->name, "file");
    assert_null(one->stats);
    assert_string_equal(rs->rules[1].name, "two");
    assert_int_equal(rs->rules[1].filter_id, 0);
    assert_null(rs->rules[1].error_action);
    assert_string_equal(rs->rules[2].name, "three");
    assert_int_equal(rs->rules[2].action_count, 0);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(rs->rules[i].index, i);
    assert_int_equal(rs->filter_count, 2);
    assert_string_equal(rs->filters[0].filter, "$aws/things/+/shadow/update");
    assert_string_equal(rs->filters[1].filter, "a/+");
    assert_int_equal(rs->rules[0].filter_id, rs->filters[1].id);
    assert_int_equal(rs->rules[2].filter_id, rs->filters[1].id);
    assert_int_equal(rs->rules[3].filter_id, rs->filters[0].id);
    assert_in_range(rs->filters[0].id, 1, FILTER_ID_MAX);
}

/* Only targets of rules that run are marked: a disabled rule's connection gets no outbox. */
static void test_used_targets(void **state)
{
    struct fixture *f = *state;
    compile_good(f, three_rules);
    for (size_t i = 0; i < f->targets.count; i++) {
        const struct target *t = f->targets.items[i];
        bool unused = strcmp(t->name, "bus") == 0 || strcmp(t->name, "broken") == 0;
        assert_int_equal(t->used, !unused);
    }
}

static void test_routes(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = compile_good(f, three_rules);
    uint32_t out[4];
    enum router_kind kind;
    assert_int_equal(router_match(rs->router, "a/b", 3, NULL, 0, out, 4, &kind), 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
    assert_int_equal(router_match(rs->router, "off", 3, NULL, 0, out, 4, &kind), 0);
    assert_int_equal(router_match(rs->router, "$aws/rules/two/x", 16, NULL, 0, out, 4, &kind), 1);
    assert_int_equal(kind, ROUTER_BASIC_INGEST);
    assert_int_equal(out[0], 1);
    assert_int_equal(router_match(rs->router, "$aws/rules/off/x", 16, NULL, 0, out, 4, &kind), 0);
    assert_int_equal(kind, ROUTER_RULE_NOT_FOUND);
}

/* The template numbers of an action are those that the machine renders. */
static void test_templates_render(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = compile_good(f, three_rules);
    static const char *const want[] = { "t", "7", "7-7" };
    const struct message message = { .topic = "a/b", .topic_len = 3, .payload = "{\"v\":7}", .payload_len = 7 };
    const struct sql_env env = { .rule_name = "one" };
    struct sql_machine *m = sql_machine_new(NULL);
    struct err e = { 0 };
    struct buf out;
    bool flag;
    buf_init(&out, 1024);
    assert_int_equal(sql_machine_begin(m, rs->paths, &message, &e), 0);
    assert_int_equal(sql_machine_run(m, rs->rules[0].sql, &env, &e), SQL_MATCHED);
    assert_int_equal(sql_machine_output(m, &out, &flag, &e), 0);
    assert_string_equal(out.p, "{\"v\":7,\"t\":\"b\"}");
    for (size_t i = 0; i < 3; i++) {
        buf_reset(&out);
        assert_int_equal(
            sql_machine_render(m, rs->rules[0].sql, rs->rules[0].actions[1].templates[i], &env, &out, &flag, &e), 0);
        assert_string_equal(out.p, want[i]);
    }
    buf_reset(&out);
    assert_int_equal(
        sql_machine_render(m, rs->rules[0].sql, rs->rules[0].actions[0].templates[0], &env, &out, &flag, &e), 0);
    assert_string_equal(out.p, "x/b");
    buf_clear(&out);
    sql_machine_free(m);
}

/* Counters are kept by name, so a rule goes on counting in the next ruleset. */
static void test_stats(void **state)
{
    struct fixture *f = *state;
    struct stats_table *stats = stats_table_new(1, 1, fake_types);
    read_rules(f, "rules.yaml", three_rules);
    assert_non_null(compile(f, stats));
    struct rule_stats *one = f->rs->rules[0].stats, *two = f->rs->rules[1].stats;
    assert_non_null(one);
    assert_ptr_not_equal(one, two);
    ruleset_unref(f->rs);
    read_rules(f, "rules.yaml", "- { ruleName: two, sql: SELECT 2 AS y FROM 'b' }");
    assert_non_null(compile(f, stats));
    assert_ptr_equal(f->rs->rules[0].stats, two);
    stats_table_free(stats);
}

static void test_references(void **state)
{
    struct fixture *f = *state;
    struct ruleset *rs = compile_good(f, three_rules);
    assert_ptr_equal(ruleset_ref(rs), rs);
    ruleset_unref(rs);
    assert_int_equal(fake_actions, 4);
    assert_string_equal(rs->rules[0].name, "one");
    ruleset_unref(NULL);
}

static void test_no_rules(void **state)
{
    struct fixture *f = *state;
    assert_non_null(compile(f, NULL));
    assert_int_equal(f->rs->rule_count, 0);
    assert_int_equal(f->rs->filter_count, 0);
}

/* One mistake of every kind, over several files: all of them come out. */
static void test_every_error(void **state)
{
    struct fixture *f = *state;
    read_rules(f, "a.yaml",
               "- ruleName: broken_sql\n"
               "  sql: SELECT clientident() AS c FROM 'a' WHERE foo(1) > 2\n"
               "  actions:\n"
               "    - republish: { topic: \"x/${bar(1)}\", qos: 5 }\n"
               "    - republsh: { topic: t }\n"
               "    - stdout: { colour: red }\n"
               "- ruleName: wrong_target\n"
               "  sql: SELECT * FROM 'a'\n"
               "  actions:\n"
               "    - postgres: { connection: warehause, tabel: t, table: t }\n"
               "  errorAction: { file: { pth: x, path: y } }\n");
    read_rules(f, "b.yaml",
               "- ruleName: wrong_target\n"
               "  sql: SELECT * FROM 'a'\n"
               "- ruleName: bad-name\n"
               "  sql: SELECT * FROM 'a/#/b'\n"
               "- ruleName: off\n"
               "  ruleDisabled: true\n"
               "  sql: SELECT 1 AS FROM 'a'\n"
               "  actions: [stdout]\n");
    static const char *const parts[] = {
        "\"clientident\"",
        "\"foo\"",
        "\"bar\"",
        "\"qos\"",
        "unknown action \"republsh\"",
        "\"colour\"",
        "warehause",
        "\"tabel\"",
        "\"pth\"",
        "rule name \"wrong_target\" is taken",
        "\"bad-name\"",
        "last level",
        "one member, its type",
    };
    const char *text = compile_bad(f);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!strstr(text, parts[i]))
            fail_msg("%s is not in:\n%s", parts[i], text);
    }
    assert_int_equal(f->errs.errors, 14);
}

static void test_duplicate_names(void **state)
{
    struct fixture *f = *state;
    read_rules(f, "a.yaml", "- { ruleName: x, sql: SELECT 1 AS a }\n- { ruleName: y, sql: SELECT 1 AS a }\n");
    read_rules(f, "b.yaml", "ruleName: x\nsql: SELECT 1 AS a\nruleDisabled: true\n");
    assert_string_equal(compile_bad(f), "rule name \"x\" is taken\n");
    assert_string_equal(src_place_of(f->errs.items[0].at.src, 0).src->name + strlen(f->folder), "/b.yaml");
    char want[128];
    snprintf(want, sizeof(want), "The first rule of that name is at %s/a.yaml:1:15.", f->folder);
    assert_string_equal(f->errs.items[0].hint, want);
    errs_clear(&f->errs);
    for (int i = 0; i < 2; i++)
        read_rules(f, "c.yaml", "ruleName: z\nsql: SELECT 1 AS a\n");
    assert_string_equal(compile_bad(f), "rule name \"z\" is taken\n");
    assert_string_equal(f->errs.items[0].hint, "The file is read twice.");
}

/* An action on a broken connection: only the connection was wrong, and that was said when it was opened. The
 * ruleset is refused. */
static void test_broken_connection(void **state)
{
    struct fixture *f = *state;
    read_rules(f, "a.yaml", "sql: SELECT * FROM 'a'\nactions: [{ republish: { connection: broken, topic: t } }]\n");
    assert_null(compile(f, NULL));
    assert_int_equal(f->errs.errors, 0);
}

static void test_constant_templates(void **state)
{
    struct fixture *f = *state;
    read_rules(
        f, "a.yaml",
        "sql: SELECT * FROM 'a'\nactions:\n  - republish: { topic: a/+ }\n  - republish: { topic: \"a/${x}+\" }\n");
    assert_string_equal(compile_bad(f), "topic \"a/+\" holds the wildcard \"+\"\n");
}

static void test_version_warning(void **state)
{
    struct fixture *f = *state;
    read_rules(f, "a.json", "{\"sql\": \"SELECT a FROM 'a'\", \"actions\": []}");
    read_rules(f, "b.json", "{\"sql\": \"SELECT a FROM 'a'\", \"actions\": [], \"awsIotSqlVersion\": \"2015-10-08\"}");
    read_rules(f, "c.yaml", "sql: SELECT a FROM 'a'");
    assert_non_null(compile(f, NULL));
    assert_int_equal(f->errs.errors, 0);
    assert_int_equal(f->errs.warnings, 1);
    assert_string_equal(f->errs.items[0].text, "awsIotSqlVersion is absent, \"2015-10-08\" is assumed");
    assert_int_equal(sql_rule_version(f->rs->rules[0].sql), SQL_2015_10_08);
    assert_int_equal(sql_rule_version(f->rs->rules[2].sql), SQL_2016_03_23);
}

/* A stand-in knows the version of its rule. */
static void test_broken_sql_keeps_version(void **state)
{
    struct fixture *f = *state;
    read_rules(f, "a.yaml",
               "sql: SELECT FROM 'a'\nactions: [{ file: { path: \"${length(x)}\" } }]\nawsIotSqlVersion: 2016-03-23\n");
    compile_bad(f);
    assert_int_equal(f->errs.errors, 1);
    errs_clear(&f->errs);
    read_rules(f, "b.yaml",
               "sql: SELECT FROM 'a'\nactions: [{ file: { path: \"${length(x)}\" } }]\nawsIotSqlVersion: 2015-10-08\n");
    compile_bad(f);
    assert_int_equal(f->errs.errors, 2);
}

static void test_many_rules(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 5000 };
    char *text = malloc((size_t)MANY * 120), *p = text;
    for (int i = 0; i < MANY; i++)
        p += sprintf(p, "- { ruleName: r%d, sql: \"SELECT t FROM 'plant/%d/+'\", actions: [{ file: { path: p } }] }\n",
                     i, i / 2);
    struct ruleset *rs = compile_good(f, text);
    assert_int_equal(rs->rule_count, MANY);
    assert_int_equal(rs->filter_count, MANY / 2);
    assert_int_equal(f->targets.count, 4);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_used_targets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_templates_render, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicate_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant_templates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_warning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_sql_keeps_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_rules, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
