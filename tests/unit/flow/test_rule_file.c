/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files: every accepted shape, and what a definition holds afterwards. Error texts are in tests/golden/conf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/flow/rule_file.h"

struct fixture {
    char folder[64];
    struct rule_def **defs;
    size_t count;
    struct errs errs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/sluice-rules-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++)
        rule_def_free(f->defs[i]);
    free(f->defs);
    errs_clear(&f->errs);
    f->defs = NULL;
    f->count = 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    forget(f);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    return path;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(path_of(f, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int read_path(struct fixture *f, const char *name)
{
    return rule_file_read(path_of(f, name), &f->defs, &f->count, &f->errs);
}

/* Write a file and read it; there must be no error. */
static void read_good(struct fixture *f, const char *name, const char *text)
{
    forget(f);
    put(f, name, text);
    int rc = read_path(f, name);
    for (size_t i = 0; i < f->errs.count; i++)
        print_message("%s\n", f->errs.items[i].text);
    assert_int_equal(rc, 0);
    assert_int_equal(f->errs.errors, 0);
}

/* Write a file and read it; exactly that error must come, and the definition, if there is one, must be marked. */
static void read_bad(struct fixture *f, const char *name, const char *text, enum err_code code, const char *part)
{
    forget(f);
    put(f, name, text);
    assert_int_equal(read_path(f, name), -1);
    assert_int_equal(f->errs.errors, 1);
    assert_int_equal(f->errs.items[0].code, code);
    if (!strstr(f->errs.items[0].text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, f->errs.items[0].text);
    if (f->count)
        assert_true(f->defs[0]->has_errors);
}

static void test_yaml_rule(void **state)
{
    struct fixture *f = *state;
    read_good(f, "a.yaml",
              "ruleName: overheat\n"
              "description: hot ones\n"
              "sql: |\n"
              "  SELECT *\n"
              "  FROM 'a/b'\n"
              "actions:\n"
              "  - republish: { topic: x }\n"
              "  - stdout:\n"
              "errorAction:\n"
              "  file: { path: e }\n"
              "tests:\n"
              "  - { topic: a/b }\n");
    assert_int_equal(f->count, 1);
    const struct rule_def *d = f->defs[0];
    assert_string_equal(d->name, "overheat");
    assert_int_equal(src_place_of(d->name_at.src, d->name_at.off).line, 1);
    assert_int_equal(src_place_of(d->name_at.src, d->name_at.off).column, 11);
    assert_string_equal(d->sql->text, "SELECT *\nFROM 'a/b'\n");
    struct src_place from = src_place_of(d->sql, 9); /* positions in the block are those of the file */
    assert_int_equal(from.line, 5);
    assert_int_equal(from.column, 3);
    assert_int_equal(d->version, SQL_2016_03_23);
    assert_true(d->version_is_default);
    assert_false(d->disabled);
    assert_false(d->has_errors);
    assert_int_equal(d->actions->count, 2);
    assert_string_equal(d->actions->items[0]->keys[0]->text, "republish");
    assert_int_equal(d->actions->items[1]->items[0]->kind, CONF_MAP); /* nothing stands for no options */
    assert_int_equal(d->actions->items[1]->items[0]->count, 0);
    assert_string_equal(d->error_action->keys[0]->text, "file");
    assert_int_equal(d->tests->count, 1);
}

static void test_yaml_list(void **state)
{
    struct fixture *f = *state;
    read_good(f, "many.yml",
              "- { ruleName: a, sql: SELECT 1 AS x, awsIotSqlVersion: 2015-10-08 }\n"
              "- { ruleName: b, sql: SELECT 2 AS x, ruleDisabled: true, awsIotSqlVersion: beta, actions: [] }\n");
    assert_int_equal(f->count, 2);
    assert_string_equal(f->defs[0]->name, "a");
    assert_int_equal(f->defs[0]->version, SQL_2015_10_08);
    assert_false(f->defs[0]->version_is_default);
    assert_null(f->defs[0]->actions);
    assert_int_equal(f->defs[1]->version, SQL_BETA);
    assert_true(f->defs[1]->disabled);
    assert_int_equal(f->defs[1]->actions->count, 0);
    assert_ptr_equal(f->defs[0]->root, f->defs[1]->root);
    rule_def_free(f->defs[0]); /* the other one still has its tree */
    f->defs[0] = NULL;
    assert_string_equal(conf_get(f->defs[1]->map, "sql")->text, "SELECT 2 AS x");
}

static void test_payload_in_json(void **state)
{
    struct fixture *f = *state;
    read_good(f, "hot_devices.json",
              "{\"sql\": \"SELECT * FROM 'a'\", \"ruleDisabled\": false, \"description\": \"d\",\n"
              " \"actions\": [{\"republish\": {\"topic\": \"x\", \"roleArn\": \"arn:aws:iam::1:role/r\"}}]}");
    assert_int_equal(f->count, 1);
    assert_string_equal(f->defs[0]->name, "hot_devices");
    assert_int_equal(f->defs[0]->version, SQL_2015_10_08);
    assert_true(f->defs[0]->version_is_default);
    assert_int_equal(f->defs[0]->name_at.off, 0);
    struct src_place star = src_place_of(f->defs[0]->sql, 7);
    assert_int_equal(star.line, 1);
    assert_int_equal(star.column, 17);
    read_good(f, "a.json", "{\"ruleName\": \"b\", \"sql\": \"x\", \"awsIotSqlVersion\": \"2016-03-23\"}");
    assert_string_equal(f->defs[0]->name, "b");
    assert_int_equal(f->defs[0]->version, SQL_2016_03_23);
}

static void test_get_topic_rule(void **state)
{
    struct fixture *f = *state;
    read_good(f, "got.json",
              "{\"ruleArn\": \"arn:aws:iot:us-east-1:123456789012:rule/hot\",\n"
              " \"rule\": {\"ruleName\": \"hot\", \"sql\": \"SELECT 1 AS a\", \"description\": \"\", \"createdAt\": "
              "1453237718.0,\n"
              "  \"actions\": [], \"ruleDisabled\": true, \"awsIotSqlVersion\": \"2016-03-23\"}}");
    assert_string_equal(f->defs[0]->name, "hot");
    assert_true(f->defs[0]->disabled);
    read_good(f, "got.yaml",
              "ruleArn: x\nrule: { ruleName: cold, sql: SELECT 1 AS a, createdAt: '2024-01-01T00:00:00+00:00' }\n");
    assert_string_equal(f->defs[0]->name, "cold");
}

static void test_create_topic_rule(void **state)
{
    struct fixture *f = *state;
    read_good(f, "body.json",
              "{\"ruleName\": \"hot\", \"topicRulePayload\": {\"sql\": \"SELECT 1 AS a\", \"actions\": []}, \"tags\": "
              "\"a=b\"}");
    assert_string_equal(f->defs[0]->name, "hot");
    assert_int_equal(f->defs[0]->name_at.len, 5);
    read_good(f, "stem.json", "{\"topicRulePayload\": {\"sql\": \"SELECT 1 AS a\", \"actions\": []}}");
    assert_string_equal(f->defs[0]->name, "stem");
    read_bad(f, "two.json", "{\"ruleName\": \"hot\", \"topicRulePayload\": {\"ruleName\": \"x\", \"sql\": \"s\"}}",
             ERR_CONF_KEY, "already given");
    assert_string_equal(f->defs[0]->name, "hot");
    read_bad(f, "shape.json", "{\"topicRulePayload\": []}", ERR_CONF_TYPE, "must be a map");
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char name[160], text[256];
    memset(name, 'n', sizeof(name));
    snprintf(text, sizeof(text), "{ ruleName: %.128s, sql: s }", name);
    read_good(f, "a.yaml", text);
    snprintf(text, sizeof(text), "{ ruleName: %.129s, sql: s }", name);
    read_bad(f, "a.yaml", text, ERR_CONF_VALUE, "is not a rule name");
    read_bad(f, "a.yaml", "{ ruleName: a-b, sql: s }", ERR_CONF_VALUE, "\"a-b\" is not a rule name");
    read_bad(f, "a.yaml", "{ ruleName: '', sql: s }", ERR_CONF_VALUE, "is not a rule name");
    read_bad(f, "a.yaml", "{ ruleName: h\xc3\xa4, sql: s }", ERR_CONF_VALUE, "is not a rule name");
    read_bad(f, "over-heat.json", "{\"sql\": \"s\"}", ERR_CONF_VALUE, "\"over-heat\" is not a rule name");
    assert_non_null(strstr(f->errs.items[0].hint, "Rename the file"));
    read_bad(f, "a.yaml", "- { sql: s }", ERR_CONF_MISSING, "a rule in a list needs");
    read_good(f, "stem.of.yaml", "{ ruleName: _0aZ, sql: s }");
    read_good(f, "stem.yaml", "sql: s");
    assert_string_equal(f->defs[0]->name, "stem");
}

static void test_bad_shapes(void **state)
{
    struct fixture *f = *state;
    read_bad(f, "a.yaml", "just text", ERR_CONF_TYPE, "a rule must be a map, not a text");
    read_bad(f, "a.yaml", "- x", ERR_CONF_TYPE, "a rule must be a map, not a text");
    read_bad(f, "a.yaml", "ruleName: x", ERR_CONF_MISSING, "needs the option \"sql\"");
    assert_true(f->defs[0]->sql_is_missing);
    assert_int_equal(f->defs[0]->sql->len, 0);
    read_bad(f, "a.json", "{}", ERR_CONF_MISSING, "needs the option \"sql\"");
    read_bad(f, "a.yaml", "{ slq: s, sql: s }", ERR_CONF_KEY, "unknown option \"slq\"");
    assert_string_equal(f->errs.items[0].hint, "did you mean \"sql\"?");
    read_bad(f, "a.yaml", "{ sql: s, ruleDisabled: maybe }", ERR_CONF_TYPE, "true or false");
    read_bad(f, "a.yaml", "{ sql: s, awsIotSqlVersion: 2016-03-32 }", ERR_CONF_VALUE,
             "unknown SQL version \"2016-03-32\"");
    assert_string_equal(f->errs.items[0].hint, "did you mean \"2016-03-23\"?");
    read_bad(f, "a.yaml", "{ sql: s, tests: {} }", ERR_CONF_TYPE, "\"tests\" must be a list, not a map");
    read_bad(f, "a.yaml", "{ sql: [s] }", ERR_CONF_TYPE, "\"sql\" must be a text");
    read_bad(f, "a.yaml", "{ sql: s, sql: t }", ERR_CONF_KEY, "duplicate key");
}

static void test_bad_actions(void **state)
{
    struct fixture *f = *state;
    read_bad(f, "a.yaml", "{ sql: s, actions: { stdout: {} } }", ERR_CONF_TYPE,
             "\"actions\" must be a list, not a map");
    read_bad(f, "a.yaml", "{ sql: s, actions: [stdout] }", ERR_CONF_TYPE, "an action must be a map with one member");
    assert_string_equal(f->errs.items[0].hint, "Write \"stdout: {}\".");
    read_bad(f, "a.yaml", "{ sql: s, actions: [{}] }", ERR_CONF_TYPE, "it is empty");
    read_bad(f, "a.yaml", "{ sql: s, actions: [{ a: {}, b: {} }] }", ERR_CONF_TYPE,
             "has exactly one member, here \"a\"");
    read_bad(f, "a.yaml", "sql: s\nactions:\n  - republish:\n    topic: x\n", ERR_CONF_TYPE,
             "exactly one member, here \"republish\"");
    assert_non_null(strstr(f->errs.items[0].hint, "indented further"));
    read_bad(f, "a.yaml", "{ sql: s, actions: [{ a: x }] }", ERR_CONF_TYPE,
             "the options of a must be a map, not a text");
    read_bad(f, "a.yaml", "{ sql: s, errorAction: [{ a: {} }] }", ERR_CONF_TYPE,
             "the error action must be a map with one member");
    read_good(f, "a.yaml", "{ sql: s, errorAction: , actions: }");
    assert_null(f->defs[0]->error_action);
    assert_null(f->defs[0]->actions);
}

static void test_action_count(void **state)
{
    struct fixture *f = *state;
    char text[512] = "sql: s\nactions:\n";
    for (int i = 0; i < 10; i++)
        strcat(text, "  - stdout:\n");
    read_good(f, "a.yaml", text);
    assert_int_equal(f->defs[0]->actions->count, 10);
    strcat(text, "  - stdout:\n");
    read_bad(f, "a.yaml", text, ERR_LIMIT, "a rule has at most 10 actions, not 11");
    assert_int_equal(src_place_of(f->errs.items[0].at.src, f->errs.items[0].at.off).line, 13);
}

static void test_size(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(RULE_MAX_BYTES + 1000);
    const int overhead = (int)strlen("\"sql\":\"\",\"description\":\"d\",");
    sprintf(text, "{ description: d, sql: \"%*s\" }", RULE_MAX_BYTES - overhead, "");
    read_good(f, "a.yaml", text);
    sprintf(text, "{ description: dd, sql: \"%*s\" }", RULE_MAX_BYTES - overhead, "");
    read_bad(f, "a.yaml", text, ERR_LIMIT, "larger than 131072 bytes");
    sprintf(text, "{ sql: s, tests: [\"%*s\"] }", RULE_MAX_BYTES, ""); /* tests are not part of the payload */
    read_good(f, "a.yaml", text);
    free(text);
}

static void test_folder(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(path_of(f, "rules"), 0700), 0);
    put(f, "rules/b.yaml", "sql: s");
    put(f, "rules/a.json", "{\"sql\": \"s\"}");
    put(f, "rules/c.yml", "sql: s");
    put(f, "rules/.hidden.yaml", "sql: s");
    put(f, "rules/notes.txt", "sql: s");
    put(f, "rules/d.yaml~", "sql: s");
    assert_int_equal(mkdir(path_of(f, "rules/folder.yaml"), 0700), 0);
    assert_int_equal(read_path(f, "rules/"), 0);
    assert_int_equal(f->count, 3);
    assert_string_equal(f->defs[0]->name, "a");
    assert_string_equal(f->defs[1]->name, "b");
    assert_string_equal(f->defs[2]->name, "c");
    assert_null(strstr(f->defs[2]->name_at.src->name, "//"));
}

static void test_folder_with_broken_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(path_of(f, "rules"), 0700), 0);
    put(f, "rules/a.yaml", "sql: s\nactions: x");
    put(f, "rules/b.yaml", "{");
    put(f, "rules/c.yaml", "sql: s");
    assert_int_equal(symlink("nowhere", path_of(f, "rules/d.yaml")), 0);
    assert_int_equal(read_path(f, "rules"), -1);
    assert_int_equal(f->errs.errors, 3);
    assert_int_equal(f->errs.items[0].code, ERR_CONF_TYPE);
    assert_int_equal(f->errs.items[1].code, ERR_YAML_SYNTAX);
    assert_int_equal(f->errs.items[2].code, ERR_IO);
    assert_int_equal(f->count, 2);
    assert_true(f->defs[0]->has_errors);
    assert_false(f->defs[1]->has_errors);
}

static void test_nothing_to_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(path_of(f, "rules"), 0700), 0);
    assert_int_equal(read_path(f, "rules"), 0);
    assert_int_equal(f->errs.warnings, 1);
    assert_non_null(strstr(f->errs.items[0].text, "no rule files in"));
    read_good(f, "empty.yaml", "# later\n");
    assert_int_equal(f->count, 0);
    assert_int_equal(f->errs.warnings, 1);
    read_good(f, "list.json", "[]");
    assert_int_equal(f->errs.warnings, 1);
    forget(f);
    assert_int_equal(read_path(f, "missing.yaml"), -1);
    assert_int_equal(f->errs.errors, 1);
    assert_int_equal(f->errs.items[0].code, ERR_IO);
    assert_non_null(strstr(f->errs.items[0].text, "missing.yaml\": No such file or directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_yaml_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_payload_in_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get_topic_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_topic_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_actions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_action_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_with_broken_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
