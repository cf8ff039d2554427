/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/opt.h"

struct thing {
    char *path, *name, *file;
    int64_t count, plain, wait_ms, size_bytes;
    bool on;
    int mode;
    const struct conf *topic, *extra;
};

static const char *const modes[] = { "append", "replace", "skip", NULL };

static const struct opt table[] = {
    { "path", OPT_TEXT, offsetof(struct thing, path), .required = true, .help = "file to append to" },
    { "name", OPT_TEXT, offsetof(struct thing, name), .def = "x y", .help = "name" },
    { "count", OPT_INT, offsetof(struct thing, count), .def = "3", .min = 1, .max = 10, .help = "how many" },
    { "plain", OPT_INT, offsetof(struct thing, plain), .help = "any number" },
    { "wait", OPT_DURATION, offsetof(struct thing, wait_ms), .def = "1500ms", .max = 3600000, .help = "time to wait" },
    { "size", OPT_SIZE, offsetof(struct thing, size_bytes), .def = "64k", .min = 1024, .max = INT64_MAX,
      .help = "room" },
    { "on", OPT_BOOL, offsetof(struct thing, on), .def = "true", .help = "whether" },
    { "mode", OPT_CHOICE, offsetof(struct thing, mode), .def = "replace", .choices = modes, .help = "what to do" },
    { "topic", OPT_TEMPLATE, offsetof(struct thing, topic), .help = "where to" },
    { "extra", OPT_CONF, offsetof(struct thing, extra), .help = "more" },
    { "file", OPT_PATH, offsetof(struct thing, file), .def = "data/out", .help = "file to read" },
    { "roleArn", OPT_TEXT, 0, .ignored = true, .help = "for AWS, ignored" },
};
enum { ROWS = sizeof(table) / sizeof(table[0]) };

static struct errs errs;
static struct conf *root;
static struct thing thing;

static int clean_up(void **state)
{
    (void)state;
    opt_free(table, ROWS, &thing);
    conf_free(root);
    root = NULL;
    errs_clear(&errs);
    memset(&thing, 0, sizeof(thing));
    return 0;
}

static int read_options_of(const char *file, const char *yaml)
{
    clean_up(NULL);
    struct src *src = src_new(file, yaml, strlen(yaml));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(root);
    return opt_read(table, ROWS, root, "file", root->at, &thing, &errs);
}

static int read_options(const char *yaml)
{
    return read_options_of("f.yaml", yaml);
}

static void assert_errors(const char *yaml, const char *expected)
{
    assert_int_equal(read_options(yaml), -1);
    struct buf out;
    buf_init(&out, 1 << 16);
    errs_sort(&errs);
    errs_print(&errs, &out);
    assert_string_equal(out.p, expected);
    buf_clear(&out);
}

static void fills_defaults(void **state)
{
    (void)state;
    assert_int_equal(read_options("path: p\n"), 0);
    assert_string_equal(thing.path, "p");
    assert_string_equal(thing.name, "x y");
    assert_int_equal(thing.count, 3);
    assert_int_equal(thing.plain, 0);
    assert_int_equal(thing.wait_ms, 1500);
    assert_int_equal(thing.size_bytes, 65536);
    assert_true(thing.on);
    assert_int_equal(thing.mode, 1);
    assert_null(thing.topic);
    assert_null(thing.extra);
}

static void reads_every_type(void **state)
{
    (void)state;
    assert_int_equal(
        read_options("path: \"${env:X}\"\nname: 5\ncount: \"7\"\nplain: 9223372036854775807\nwait: 2m\n"
                     "size: 3M\non: false\nmode: skip\ntopic: a/${b}\nextra: [1, {x: y}]\nroleArn: [any]\n"),
        0);
    assert_string_equal(thing.path, "${env:X}");
    assert_string_equal(thing.name, "5");
    assert_int_equal(thing.count, 7);
    assert_true(thing.plain == INT64_MAX);
    assert_int_equal(thing.wait_ms, 120000);
    assert_int_equal(thing.size_bytes, 3 << 20);
    assert_false(thing.on);
    assert_int_equal(thing.mode, 2);
    assert_ptr_equal(thing.topic, conf_get(root, "topic"));
    assert_int_equal(thing.extra->kind, CONF_LIST);
}

static void null_counts_as_absent(void **state)
{
    (void)state;
    assert_int_equal(read_options("path: p\ncount: ~\nname:\ntopic: null\nextra: null\n"), 0);
    assert_int_equal(thing.count, 3);
    assert_string_equal(thing.name, "x y");
    assert_null(thing.topic);
    assert_non_null(thing.extra);
    assert_int_equal(read_options("path: 'null'\n"), 0);
    assert_string_equal(thing.path, "null");
}

static void paths_start_at_the_folder_of_the_file(void **state)
{
    static const struct {
        const char *file, *given, *path;
    } cases[] = {
        { "f.yaml", "file: x", "x" },
        { "etc/f.yaml", "file: x", "etc/x" },
        { "/etc/f.yaml", "file: ../x", "/etc/../x" },
        { "etc/f.yaml", "file: /x", "/x" },
        { "etc/f.yaml", "file: '-'", "-" },
        { "etc/f.yaml", "file: ''", "" },
        { "etc/f.yaml", "on: true", "etc/data/out" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[100];
        snprintf(yaml, sizeof(yaml), "path: p\n%s\n", cases[i].given);
        assert_int_equal(read_options_of(cases[i].file, yaml), 0);
        assert_string_equal(thing.file, cases[i].path);
        assert_string_equal(thing.path, "p");
    }
}

static void durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int64_t wait_ms;
    } waits[] = { { "5", 5000 }, { "250ms", 250 }, { "0", 0 }, { "2s", 2000 }, { "1h", 3600000 }, { "60m", 3600000 } };
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        char yaml[100];
        snprintf(yaml, sizeof(yaml), "{path: p, wait: %s}", waits[i].yaml);
        assert_int_equal(read_options(yaml), 0);
        assert_int_equal(thing.wait_ms, waits[i].wait_ms);
    }
    assert_int_equal(read_options("{path: p, size: 1024}"), 0);
    assert_int_equal(thing.size_bytes, 1024);
    assert_int_equal(read_options("{path: p, size: 2K}"), 0);
    assert_int_equal(thing.size_bytes, 2048);
    assert_int_equal(read_options("{path: p, size: 8589934591G}"), 0);
    assert_true(thing.size_bytes == INT64_C(8589934591) << 30);
    assert_int_equal(read_options("{path: p, size: 8589934592G}"), -1);
    assert_int_equal(read_options("{path: p, size: 17179869185G}"), -1); /* 2^64 + 2^30 */
}

static void reports_everything_that_is_wrong(void **state)
{
    (void)state;
    assert_errors("pth: x\n"
                  "count: 11\n"
                  "plain: -1\n"
                  "wait: 2 s\n"
                  "size: 1k5\n"
                  "on: yes\n"
                  "mode: apend\n"
                  "topic: [a]\n"
                  "frobnicate: 1\n",
                  "f.yaml:1:1: error: file needs the option \"path\"\n  1 | pth: x\n    | ^^^^^^\n"
                  "f.yaml:1:1: error: unknown option \"pth\" of file\n  1 | pth: x\n    | ^^^\n"
                  "  hint: did you mean \"path\"?\n"
                  "f.yaml:2:8: error: \"count\" must be between 1 and 10\n  2 | count: 11\n    |        ^^\n"
                  "f.yaml:3:8: error: \"plain\" must not be negative\n  3 | plain: -1\n    |        ^^\n"
                  "f.yaml:4:7: error: \"wait\" must be a duration such as 250ms, 2s, 5m, 1h or 1d\n  4 | wait: 2 s\n"
                  "    |       ^^^\n"
                  "f.yaml:5:7: error: \"size\" must be a size such as 512, 64k, 16M or 1G\n  5 | size: 1k5\n"
                  "    |       ^^^\n"
                  "f.yaml:6:5: error: \"on\" must be true or false\n  6 | on: yes\n    |     ^^^\n"
                  "f.yaml:7:7: error: \"mode\" must be one of \"append\", \"replace\" or \"skip\"\n  7 | mode: apend\n"
                  "    |       ^^^^^\n  hint: did you mean \"append\"?\n"
                  "f.yaml:8:8: error: \"topic\" must be a text or a number, not a list\n  8 | topic: [a]\n"
                  "    |        ^^^\n"
                  "f.yaml:9:1: error: unknown option \"frobnicate\" of file\n  9 | frobnicate: 1\n    | ^^^^^^^^^^\n");
}

static void ranges_in_their_units(void **state)
{
    (void)state;
    assert_errors("{path: p, wait: 2d, size: 10, count: 1.5, plain: 9223372036854775808}",
                  "f.yaml:1:17: error: \"wait\" must be between 0 and 1h\n"
                  "  1 | {path: p, wait: 2d, size: 10, count: 1.5, plain: 9223372036854775808}\n"
                  "    |                 ^^\n"
                  "f.yaml:1:27: error: \"size\" must be at least 1k\n"
                  "  1 | {path: p, wait: 2d, size: 10, count: 1.5, plain: 9223372036854775808}\n"
                  "    |                           ^^\n"
                  "f.yaml:1:38: error: \"count\" must be a whole number\n"
                  "  1 | {path: p, wait: 2d, size: 10, count: 1.5, plain: 9223372036854775808}\n"
                  "    |                                      ^^^\n"
                  "f.yaml:1:50: error: \"plain\" is out of range\n"
                  "  1 | {path: p, wait: 2d, size: 10, count: 1.5, plain: 9223372036854775808}\n"
                  "    |                                                  ^^^^^^^^^^^^^^^^^^^\n");
    static const char *const bad[] = { "''", "-", "+1", "0x10", "1e3", "' 1'", "-9223372036854775809", "1ms" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char yaml[100];
        snprintf(yaml, sizeof(yaml), "{path: p, plain: %s}", bad[i]);
        assert_int_equal(read_options(yaml), -1);
        assert_int_equal(errs.errors, 1);
    }
}

static void texts_hold_no_nul(void **state)
{
    (void)state;
    assert_int_equal(read_options("path: \"a\\0b\"\n"), -1);
    assert_string_equal(errs.items[0].text, "\"path\" cannot hold a NUL character");
}

static void a_wrong_value_is_not_repeated(void **state)
{
    (void)state;
    setenv("SLUICE_TEST_SECRET", "hunter2", 1);
    static const char yaml[] = "{path: p, count: '${env:SLUICE_TEST_SECRET}', mode: '${env:SLUICE_TEST_SECRET}'}";
    struct src *src = src_new("f.yaml", yaml, strlen(yaml));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    assert_int_equal(conf_fill_secrets(root, &errs), 0);
    assert_int_equal(opt_read(table, ROWS, root, "file", root->at, &thing, &errs), -1);
    struct buf out;
    buf_init(&out, 1 << 16);
    errs_print(&errs, &out);
    assert_int_equal(errs.errors, 2);
    assert_null(strstr(out.p, "hunter2"));
    buf_clear(&out);
}

static void options_that_are_no_map(void **state)
{
    (void)state;
    assert_errors("[a]", "f.yaml:1:1: error: the options of file must be a map, not a list\n  1 | [a]\n    | ^^^\n");
    clean_up(NULL);
    assert_int_equal(opt_read(table, ROWS, NULL, "file", (struct span) { 0 }, &thing, &errs), -1);
    assert_int_equal(errs.errors, 1);
    assert_int_equal(errs.items[0].code, ERR_CONF_MISSING);
    assert_int_equal(thing.count, 3);
}

static void no_options_at_all(void **state)
{
    (void)state;
    assert_int_equal(opt_read(NULL, 0, NULL, "x", (struct span) { 0 }, NULL, &errs), 0);
    assert_int_equal(read_options("path: p"), 0);
    assert_int_equal(opt_read(NULL, 0, root, "x", root->at, NULL, &errs), -1);
}

static void take_other(void *ctx, const struct conf *key, const struct conf *value, struct errs *list)
{
    buf_printf(ctx, "%s=%s;", key->text, value->text);
    if (strcmp(key->text, "bad") == 0)
        errs_add(list, SEV_ERROR, ERR_CONF_KEY, key->at, "bad");
}

static void other_members_go_to_who_asks_for_them(void **state)
{
    (void)state;
    struct buf others;
    buf_init(&others, 1000);
    assert_int_equal(read_options("a.b: 1\npath: p\ncount: 5\nz: 2"), -1);
    errs_clear(&errs);
    opt_free(table, ROWS, &thing);
    assert_int_equal(opt_read_with(table, ROWS, root, "file", root->at, &thing, take_other, &others, &errs), 0);
    assert_string_equal(others.p, "a.b=1;z=2;");
    assert_int_equal(thing.count, 5);
    assert_int_equal(read_options("path: p\nbad: 1"), -1);
    errs_clear(&errs);
    opt_free(table, ROWS, &thing);
    assert_int_equal(opt_read_with(table, ROWS, root, "file", root->at, &thing, take_other, &others, &errs), -1);
    assert_int_equal(errs.errors, 1);
    buf_clear(&others);
}

static void help_is_made_from_the_rows(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    opt_help(table, ROWS, &out);
    assert_string_equal(out.p, "  path     text                 file to append to (required)\n"
                               "  name     text                 name (default x y)\n"
                               "  count    number               how many (default 3, 1 to 10)\n"
                               "  plain    number               any number\n"
                               "  wait     duration             time to wait (default 1500ms, 0 to 1h)\n"
                               "  size     size                 room (default 64k, at least 1k)\n"
                               "  on       true|false           whether (default true)\n"
                               "  mode     append|replace|skip  what to do (default replace)\n"
                               "  topic    template             where to\n"
                               "  extra    structure            more\n"
                               "  file     path                 file to read (default data/out)\n"
                               "  roleArn  text                 for AWS, ignored\n");
    buf_clear(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fills_defaults),
        TEST(reads_every_type),
        TEST(null_counts_as_absent),
        TEST(durations_and_sizes),
        TEST(ranges_in_their_units),
        TEST(reports_everything_that_is_wrong),
        TEST(texts_hold_no_nul),
        TEST(options_that_are_no_map),
        TEST(a_wrong_value_is_not_repeated),
        TEST(no_options_at_all),
        TEST(help_is_made_from_the_rows),
        TEST(paths_start_at_the_folder_of_the_file),
        TEST(other_members_go_to_who_asks_for_them),
    };
    return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
