/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/conf.h"

static struct errs errs;
static struct conf *root;

static int clean_up(void **state)
{
    (void)state;
    conf_free(root);
    root = NULL;
    errs_clear(&errs);
    return 0;
}

static void parse_bytes(const char *text, size_t len, bool json)
{
    clean_up(NULL);
    struct src *src = src_new(json ? "f.json" : "f.yaml", text, len);
    assert_non_null(src);
    root = conf_parse(src, json, &errs);
    assert_int_equal(root == NULL, errs.errors > 0);
    src_unref(src); /* the tree and the errors hold it */
}

static void parse(const char *text, bool json)
{
    parse_bytes(text, strlen(text), json);
}

static void parse_good(const char *text, bool json)
{
    parse(text, json);
    for (size_t i = 0; i < errs.count; i++)
        print_error("%s\n", errs.items[i].text);
    assert_non_null(root);
}

static void assert_errors(const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    errs_sort(&errs);
    errs_print(&errs, &out);
    assert_string_equal(out.len ? out.p : "", expected);
    buf_clear(&out);
}

static void assert_json(const struct conf *c, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    conf_write_json(&out, c);
    assert_false(out.failed);
    assert_string_equal(out.p, expected);
    buf_clear(&out);
}

/* The node's place in the file covers exactly this text. */
static void assert_at(const struct conf *c, const char *text)
{
    assert_non_null(c);
    assert_int_equal(c->at.len, strlen(text));
    assert_memory_equal(c->at.src->text + c->at.off, text, c->at.len);
}

/* --- shapes --- */

static void reads_yaml(void **state)
{
    (void)state;
    parse_good("a: 1\n"
               "b: [x, \"y z\", {c: d}]\n"
               "e:\n"
               "  - f: g\n"
               "    h: 'it''s'\n"
               "  - i\n",
               false);
    assert_int_equal(root->kind, CONF_MAP);
    assert_int_equal(root->count, 3);
    assert_json(root, "{\"a\":1,\"b\":[\"x\",\"y z\",{\"c\":\"d\"}],\"e\":[{\"f\":\"g\",\"h\":\"it's\"},\"i\"]}");
    assert_string_equal(root->keys[1]->text, "b");
    assert_string_equal(conf_kind_name(root), "map");
    assert_string_equal(conf_kind_name(conf_get(root, "b")), "list");
    assert_string_equal(conf_kind_name(conf_get(root, "a")), "text");
    assert_null(conf_get(root, "z"));
    assert_null(conf_get(conf_get(root, "b"), "x"));
    assert_null(conf_get(NULL, "x"));
}

static void reads_json(void **state)
{
    (void)state;
    parse_good(" {\"a\": 1.50, \"b\": [true, null, \"x\\u00e4\\n\"], \"c\\u0064\": {}} ", true);
    assert_json(root, "{\"a\":1.50,\"b\":[true,null,\"x\xc3\xa4\\n\"],\"cd\":{}}");
    assert_int_equal(conf_get(root, "a")->style, CONF_PLAIN);
    assert_int_equal(conf_get(root, "b")->items[2]->style, CONF_QUOTED);
    assert_true(conf_is_null(conf_get(root, "b")->items[1]));
    assert_non_null(conf_get(root, "cd"));
    parse_good("[]", true);
    assert_int_equal(root->count, 0);
    parse_good("5", true);
    assert_json(root, "5");
}

static void styles_of_scalars(void **state)
{
    (void)state;
    parse_good("- a\n- 'b'\n- \"c\"\n- |\n  d\n- >\n  e\n-\n- ~\n- null\n- 'null'\n- Null\n", false);
    static const enum conf_style styles[] = { CONF_PLAIN, CONF_QUOTED, CONF_QUOTED, CONF_LITERAL, CONF_FOLDED,
                                              CONF_PLAIN, CONF_PLAIN,  CONF_PLAIN,  CONF_QUOTED,  CONF_PLAIN };
    static const bool nulls[] = { false, false, false, false, false, true, true, true, false, false };
    assert_int_equal(root->count, 10);
    for (size_t i = 0; i < root->count; i++) {
        assert_int_equal(root->items[i]->style, styles[i]);
        assert_int_equal(conf_is_null(root->items[i]), nulls[i]);
    }
    assert_false(conf_is_null(root));
}

static void an_empty_text_is_an_empty_map(void **state)
{
    (void)state;
    static const char *const empty[] = { "", "\n\n", "# only this\n", "---\n", "--- # x\n...\n", "\xef\xbb\xbf" };
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        parse_good(empty[i], false);
        assert_int_equal(root->kind, CONF_MAP);
        assert_int_equal(root->count, 0);
    }
    parse("", true);
    assert_int_equal(errs.items[0].code, ERR_JSON_SYNTAX);
}

static void only_json_scalars_keep_their_text(void **state)
{
    (void)state;
    parse_good(
        "[1, -0, 0.10, 1e5, -1.5E+3, 01, +1, 1., .5, 0x1F, 1_000, -, 1e, 123456789012345678901234567890123456789,\n"
        " true, false, null, True, yes, ~, \"1\", 'true', inf, .nan, 12:30, 2020-01-01]",
        false);
    assert_json(root, "[1,-0,0.10,1e5,-1.5E+3,\"01\",\"+1\",\"1.\",\".5\",\"0x1F\",\"1_000\",\"-\",\"1e\","
                      "123456789012345678901234567890123456789,true,false,null,\"True\",\"yes\",\"~\",\"1\",\"true\","
                      "\"inf\",\".nan\",\"12:30\",\"2020-01-01\"]");
}

/* --- places --- */

static void places_of_yaml_nodes(void **state)
{
    (void)state;
    parse_good("\xc3\xa4\xe2\x82\xac: \xf0\x9f\x99\x82 # \xc3\xa4\n"
               "k: \"q\xc3\xa4\"\n"
               "list: [a, {b: c}]\n"
               "block:\n"
               "  x: |\n"
               "    one\n"
               "\n"
               "    two\n"
               "\n"
               "  # a comment\n"
               "  y:\n"
               "    - p\n"
               "    - q:\n"
               "# the end\n",
               false);
    assert_at(root->keys[0], "\xc3\xa4\xe2\x82\xac");
    assert_at(root->items[0], "\xf0\x9f\x99\x82");
    assert_at(conf_get(root, "k"), "\"q\xc3\xa4\"");
    assert_at(conf_get(root, "list"), "[a, {b: c}]");
    assert_at(conf_get(root, "list")->items[1], "{b: c}");
    const struct conf *block = conf_get(root, "block");
    assert_at(conf_get(block, "x"), "|\n    one\n\n    two");
    assert_at(conf_get(block, "y"), "- p\n    - q");
    assert_at(conf_get(block, "y")->items[1]->items[0], "");
    assert_at(block, "x: |\n    one\n\n    two\n\n  # a comment\n  y:\n    - p\n    - q");
    assert_int_equal(root->at.off, 0);
}

static void places_after_a_byte_order_mark_and_crlf(void **state)
{
    (void)state;
    parse_good("\xef\xbb\xbfkey: v\xc3\xa4l\r\nnext: x\r\n", false);
    assert_at(root->keys[0], "key");
    assert_at(root->items[0], "v\xc3\xa4l");
    assert_at(root->keys[1], "next");
    assert_at(root->items[1], "x");
}

static void places_of_json_nodes(void **state)
{
    (void)state;
    parse_good("{\"\xc3\xa4\": [1, \"x\\\"y\"],\n \"b\": {\"c\": null}}", true);
    assert_at(root->keys[0], "\"\xc3\xa4\"");
    assert_at(root->items[0], "[1, \"x\\\"y\"]");
    assert_at(root->items[0]->items[1], "\"x\\\"y\"");
    assert_at(root->items[1], "{\"c\": null}");
    assert_at(root->items[1]->items[0], "null");
}

/* --- errors --- */

static void duplicate_keys(void **state)
{
    (void)state;
    parse("a: 1\nb: 2\n\"a\": 3\nc: {d: 1, e: 2, d: 3, d: 4}\n", false);
    assert_errors(
        "f.yaml:3:1: error: duplicate key \"a\"\n  3 | \"a\": 3\n    | ^^^\n"
        "  hint: It is already given on line 1.\n"
        "f.yaml:4:17: error: duplicate key \"d\"\n  4 | c: {d: 1, e: 2, d: 3, d: 4}\n    |                 ^\n"
        "  hint: It is already given on line 4.\n"
        "f.yaml:4:23: error: duplicate key \"d\"\n  4 | c: {d: 1, e: 2, d: 3, d: 4}\n"
        "    |                       ^\n"
        "  hint: It is already given on line 4.\n");
    parse("{\"a\": 1,\n \"\\u0061\": 2}", true);
    assert_errors("f.json:2:2: error: duplicate key \"a\"\n  2 |  \"\\u0061\": 2}\n    |  ^^^^^^^^\n"
                  "  hint: It is already given on line 1.\n");
}

static void keys_that_only_begin_alike_differ(void **state)
{
    (void)state;
    parse_good("{\"a\": 1, \"a\\u0000\": 2, \"a\\u0000b\": 3, \"\": 4}", true);
    assert_int_equal(root->count, 4);
    assert_int_equal(root->keys[1]->len, 2);
    assert_string_equal(conf_get(root, "a")->text, "1");
}

static void what_is_not_supported_is_reported_everywhere(void **state)
{
    (void)state;
    parse("a: &x 1\nb: *x\nc: !!str 5\n? [1, {2: 3}]\n: 4\nd: !t {e: &y [z]}\n", false);
    assert_errors("f.yaml:1:4: error: anchors are not supported\n  1 | a: &x 1\n    |    ^^^^\n"
                  "  hint: Write the value out where it is used.\n"
                  "f.yaml:2:4: error: aliases are not supported\n  2 | b: *x\n    |    ^^\n"
                  "  hint: Write the value out where it is used.\n"
                  "f.yaml:3:4: error: tags are not supported\n  3 | c: !!str 5\n    |    ^^^^^^^\n"
                  "  hint: The option decides the type of its value.\n"
                  "f.yaml:4:3: error: a key must be a text, not a list\n  4 | ? [1, {2: 3}]\n    |   ^\n"
                  "f.yaml:6:4: error: tags are not supported\n  6 | d: !t {e: &y [z]}\n    |    ^^^^\n"
                  "  hint: The option decides the type of its value.\n"
                  "f.yaml:6:11: error: anchors are not supported\n  6 | d: !t {e: &y [z]}\n    |           ^^^^\n"
                  "  hint: Write the value out where it is used.\n");
}

static void alias_keys_and_unknown_aliases(void **state)
{
    (void)state;
    parse("*x : 1\n", false);
    assert_errors("f.yaml:1:1: error: aliases are not supported\n  1 | *x : 1\n    | ^^\n"
                  "  hint: Write the value out where it is used.\n");
    parse("*x\n", false);
    assert_int_equal(errs.errors, 1);
}

static void one_document_only(void **state)
{
    (void)state;
    parse("a: 1\n---\nb: 2\n", false);
    assert_errors("f.yaml:2:1: error: a second document begins here\n  2 | ---\n    | ^^^\n"
                  "  hint: Put each document in a file of its own.\n");
}

static void yaml_syntax_errors_have_a_place(void **state)
{
    (void)state;
    parse("a: 1\nb: [1, 2\nc: 3\n", false);
    assert_errors("f.yaml:3:2: error: did not find expected ',' or ']' while parsing a flow sequence\n"
                  "  3 | c: 3\n    |  ^\n  hint: It begins on line 2.\n");
    parse("\xc3\xa4: \"\xc3\xa4\" x\n", false);
    assert_errors("f.yaml:1:8: error: did not find expected key while parsing a block mapping\n"
                  "  1 | \xc3\xa4: \"\xc3\xa4\" x\n    |        ^\n");
    parse("a: b: c\n", false);
    assert_errors("f.yaml:1:5: error: mapping values are not allowed in this context\n  1 | a: b: c\n    |     ^\n");
    parse("a:\n\tb: 1\n", false);
    assert_int_equal(errs.errors, 1);
    assert_int_equal(errs.items[0].code, ERR_YAML_SYNTAX);
    assert_int_equal(src_place_of(errs.items[0].at.src, errs.items[0].at.off).line, 2);
}

static void bytes_that_are_not_utf8_have_a_place(void **state)
{
    (void)state;
    parse("a: \xc3\xa4\nb: x\xff\n", false);
    assert_int_equal(errs.errors, 1);
    assert_int_equal(errs.items[0].code, ERR_YAML_SYNTAX);
    assert_int_equal(errs.items[0].at.off, 10);
    parse("\xef\xbb\xbf"
          "b: x\xff\n",
          false);
    assert_int_equal(errs.items[0].at.off, 7);
    parse_bytes("a: \0\n", 5, false);
    assert_int_equal(errs.items[0].at.off, 3);
    parse("{\"a\": \"\xff\"}", true);
    assert_int_equal(errs.items[0].code, ERR_JSON_SYNTAX);
    assert_int_equal(errs.items[0].at.off, 7);
}

static void a_brace_in_plain_flow_text_gets_a_hint(void **state)
{
    (void)state;
    parse("republish: { topic: alarm/${topic(2)}, qos: 1 }\n", false);
    assert_int_equal(errs.errors, 1);
    assert_string_equal(errs.items[0].hint, "Inside { } and [ ], put a text that holds \"${\" in quotes.");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[700];
    for (int json = 0; json < 2; json++) {
        for (int levels = CONF_MAX_DEPTH - 1; levels <= CONF_MAX_DEPTH + 100; levels++) {
            memset(text, '[', (size_t)levels);
            memset(text + levels, ']', (size_t)levels);
            text[2 * levels] = '\0';
            parse(text, json);
            assert_int_equal(errs.errors, levels > CONF_MAX_DEPTH);
            assert_true(!errs.count || errs.items[0].code == ERR_LIMIT);
        }
    }
    char deep[201] = "", closed[201] = "";
    memset(deep, '[', 200);
    memset(closed, ']', 200);
    snprintf(text, sizeof(text), "a: %s x, {y: z} %s\nb: 1\nb: 2\n", deep, closed);
    parse(text, false);
    assert_int_equal(errs.count, 2); /* reading goes on behind what is too deep */
    assert_int_equal(errs.items[1].code, ERR_CONF_KEY);
}

static void size_is_bounded(void **state)
{
    (void)state;
    char *text = malloc(CONF_MAX_BYTES + 1);
    memset(text, '\n', CONF_MAX_BYTES + 1);
    parse_bytes(text, CONF_MAX_BYTES, false);
    assert_non_null(root);
    parse_bytes(text, CONF_MAX_BYTES + 1, false);
    assert_int_equal(errs.items[0].code, ERR_LIMIT);
    free(text);
}

static void many_keys_do_not_take_long(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, CONF_MAX_BYTES);
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "key%d: \xc3\xa4\n", i);
    buf_puts(&b, "key5: again\n");
    parse_bytes(b.p, b.len, false);
    assert_int_equal(errs.errors, 1);
    assert_string_equal(errs.items[0].hint, "It is already given on line 6.");
    buf_clear(&b);
}

/* --- scalars as source texts --- */

/* The text at `path` (a key of the root) maps every character to the same character in the file. */
static void assert_exact(const char *yaml, bool json, const char *key)
{
    parse_good(yaml, json);
    const struct conf *c = conf_get(root, key);
    assert_non_null(c);
    struct src *src = conf_text_src(c);
    assert_int_equal(src->len, c->len);
    assert_memory_equal(src->text, c->text, c->len);
    assert_int_equal(src->fit, SRC_EXACT);
    for (uint32_t i = 0; i < src->len; i++) {
        struct src_place p = src_place_of(src, i);
        assert_ptr_equal(p.src, c->at.src);
        char there = p.src->text[p.off];
        if (src->text[i] != '\n')
            assert_int_equal(there, src->text[i]);
        else
            assert_true(there == '\n' || there == '\r' || there == '\0');
    }
    struct src_place end = src_place_of(src, (uint32_t)src->len);
    assert_true(end.off <= c->at.off + c->at.len);
    src_unref(src);
}

static void literal_blocks_map_exactly(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "x: 1\nsql: |\n  SELECT *\n  FROM 'a'\n",
        "sql: |\n  one",
        "sql: |-\n  SELECT *\n  FROM 'a'\nx: 1\n",
        "sql: |+\n  SELECT *\n  FROM 'a'\n\n\nx: 1\n",
        "sql: |2\n    indented first\n  then not\n",
        "sql: |2-\n   one more\n\n     three more\n",
        "sql: |-2\n   one more\n",
        "sql: | # a comment\n  x\n\n\n    y\n \n  z\n",
        "sql: |\n\n\n  after blank lines\n  \xc3\xa4 \xe2\x82\xac x\n",
        "# \xc3\xa4\nsql: |\r\n  a\r\n  b\r\n",
        "sql: |\n  a\r\n\r\n    b\n",
        "sql: |\n      deep\n        deeper  \n      x\n",
        "sql: |\n  # no comment\n  'q' \"r\" \\n\n",
        "sql:   |\n t\tab\n  x\n",
        "\xef\xbb\xbfsql: |\n  bom\n",
    };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        assert_exact(blocks[i], false, "sql");
}

static void one_line_scalars_map_exactly(void **state)
{
    (void)state;
    assert_exact("sql: SELECT * FROM 'a'\n", false, "sql");
    assert_exact("sql:\n  SELECT * FROM 'a' # comment\n", false, "sql");
    assert_exact("sql: \"SELECT * FROM 'a'\"\n", false, "sql");
    assert_exact("sql: 'SELECT \"x\\n\"'\n", false, "sql");
    assert_exact("{x: \xc3\xa4, sql: \"\xc3\xa4 b\"}", false, "sql");
    assert_exact("sql: \"\"\n", false, "sql");
    assert_exact("sql: ''\n", false, "sql");
    assert_exact("{\"x\":\"\xc3\xa4\",\"sql\": \"SELECT * FROM '\xc3\xa4'\"}", true, "sql");
    assert_exact("{\"sql\": 12}", true, "sql");
}

static void other_scalars_do_not_map(void **state)
{
    (void)state;
    static const char *const scalars[] = {
        "sql: >\n  SELECT *\n  FROM 'a'\n",
        "sql: 'SELECT ''x'''\n",
        "sql: \"SELECT \\\"x\\\"\"\n",
        "sql: SELECT *\n  FROM 'a'\n",
        "sql: \"SELECT *\n  FROM 'a'\"\n",
        "sql: \"a\\nb\"\n",
        "sql: >\n  a\n",
        "sql: |\n  a\r  b\n",           /* a bare CR is a line end for YAML only */
        "sql: |\n  a\xe2\x80\xa8  b\n", /* so is the line separator */
    };
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
        parse_good(scalars[i], false);
        struct src *src = conf_text_src(conf_get(root, "sql"));
        assert_int_equal(src->fit, SRC_INSIDE);
        assert_ptr_equal(src->at.src, root->at.src);
        assert_int_equal(src->at.off, 5);
        src_unref(src);
    }
    parse_good("{\"sql\": \"a\\u0062\"}", true);
    struct src *src = conf_text_src(conf_get(root, "sql"));
    assert_int_equal(src->fit, SRC_INSIDE);
    assert_string_equal(src->text, "ab");
    src_unref(src);
}

static void a_source_text_outlives_the_tree(void **state)
{
    (void)state;
    parse_good("sql: |\n  SELECT x\n", false);
    struct src *src = conf_text_src(conf_get(root, "sql"));
    clean_up(NULL);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_NAME, (struct span) { src, 7, 1 }, "no");
    errs_take(&errs, &e);
    assert_errors("f.yaml:2:10: error: no\n  2 |   SELECT x\n    |          ^\n");
    src_unref(src);
}

/* --- secrets --- */

static void fills_secrets(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-test-conf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hush\xc3\xa4\n", 7), 7);
    close(fd);
    setenv("SLUICE_TEST_A", "al\"pha", 1);
    setenv("SLUICE_TEST_N", "null", 1);
    char text[400];
    snprintf(text, sizeof(text),
             "a: \"x-${env:SLUICE_TEST_A}-${file:%s}-y\"\nb: [\"${env:SLUICE_TEST_N}\", \"${topic(2)} $ ${\"]\n"
             "\"${env:SLUICE_TEST_A}\": k\nc: ${env:SLUICE_TEST_N}\n",
             path);
    parse_good(text, false);
    assert_int_equal(conf_fill_secrets(root, &errs), 0);
    assert_json(root, "{\"a\":\"x-al\\\"pha-hush\xc3\xa4-y\",\"b\":[\"null\",\"${topic(2)} $ ${\"],"
                      "\"${env:SLUICE_TEST_A}\":\"k\",\"c\":\"null\"}");
    assert_false(conf_is_null(conf_get(root, "c")));
    struct src *src = conf_text_src(conf_get(root, "a"));
    assert_int_equal(src->fit, SRC_INSIDE);
    src_unref(src);
    unlink(path);
}

static void what_was_filled_in_is_not_read_again(void **state)
{
    (void)state;
    setenv("SLUICE_TEST_B", "${env:SLUICE_TEST_B}", 1);
    parse_good("a: x${env:SLUICE_TEST_B}y\n", false);
    assert_int_equal(conf_fill_secrets(root, &errs), 0);
    assert_string_equal(conf_get(root, "a")->text, "x${env:SLUICE_TEST_B}y");
}

static void missing_secrets_are_errors_at_their_place(void **state)
{
    (void)state;
    unsetenv("SLUICE_TEST_NONE");
    parse_good("a: x ${env:SLUICE_TEST_NONE} y\nb: ${file:/nonexistent/x}\nc: ${env:}\nd: ${env:OPEN\n", false);
    assert_int_equal(conf_fill_secrets(root, &errs), -1);
    assert_errors("f.yaml:1:6: error: the environment variable \"SLUICE_TEST_NONE\" is not set\n"
                  "  1 | a: x ${env:SLUICE_TEST_NONE} y\n    |      ^^^^^^^^^^^^^^^^^^^^^^^\n"
                  "f.yaml:2:4: error: could not open \"/nonexistent/x\": No such file or directory\n"
                  "  2 | b: ${file:/nonexistent/x}\n    |    ^^^^^^^^^^^^^^^^^^^^^^\n"
                  "f.yaml:3:4: error: \"${env:}\" names no environment variable\n"
                  "  3 | c: ${env:}\n    |    ^^^^^^^\n"
                  "f.yaml:4:4: error: the \"}\" that ends this substitution is missing\n"
                  "  4 | d: ${env:OPEN\n    |    ^^^^^^^^^^\n");
}

static void secret_files_are_beside_the_file_that_names_them(void **state)
{
    (void)state;
    static const char yaml[] = "a: ${file:password}\n";
    char folder[] = "/tmp/sluice-test-conf-XXXXXX", name[100], secret[100];
    assert_non_null(mkdtemp(folder));
    snprintf(name, sizeof(name), "%s/f.yaml", folder);
    snprintf(secret, sizeof(secret), "%s/password", folder);
    int fd = open(secret, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "hush", 4), 4);
    close(fd);
    struct src *src = src_new(name, yaml, strlen(yaml));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(root);
    assert_int_equal(conf_fill_secrets(root, &errs), 0);
    assert_string_equal(conf_get(root, "a")->text, "hush");
    unlink(secret);
    rmdir(folder);
}

static void a_secret_file_is_bounded(void **state)
{
    (void)state;
    parse_good("a: ${file:/dev/zero}\n", false);
    assert_int_equal(conf_fill_secrets(root, &errs), -1);
    assert_int_equal(errs.items[0].code, ERR_LIMIT);
}

/* --- files --- */

static void loads_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/sluice-test-conf-XXXXXX", path[100];
    assert_non_null(mkdtemp(dir));
    static const struct {
        const char *name, *text, *json;
    } files[] = { { "a.yaml", "{x: [1]}", "{\"x\":[1]}" }, { "b.json", "{\"x\": [1]}", "{\"x\":[1]}" } };
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
        FILE *f = fopen(path, "w");
        fputs(files[i].text, f);
        fclose(f);
        clean_up(NULL);
        root = conf_load(path, &errs);
        assert_non_null(root);
        assert_string_equal(root->at.src->name, path);
        assert_json(root, files[i].json);
        unlink(path);
    }
    clean_up(NULL);
    assert_null(conf_load(path, &errs));
    assert_int_equal(errs.items[0].code, ERR_IO);
    assert_null(conf_load(dir, &errs));
    assert_int_equal(errs.items[1].code, ERR_IO);
    rmdir(dir);
    errs_clear(&errs);
    assert_null(conf_load("/dev/zero", &errs));
    assert_int_equal(errs.items[0].code, ERR_LIMIT);
    root = NULL;
    conf_free(NULL);
}

static void loads_partly(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-test-conf-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "a: 1\nb: *x\na: 2\nc: [3]\n---\nd: 4\n";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    assert_null(conf_load(path, &errs));
    assert_int_equal(errs.errors, 3);
    errs_clear(&errs);
    root = conf_load_partly(path, &errs);
    assert_non_null(root);
    assert_int_equal(errs.errors, 3);
    assert_string_equal(conf_get(root, "a")->text, "1");
    assert_true(conf_get(root, "b")->unusable);
    assert_int_equal(conf_get(root, "c")->count, 1);
    assert_null(conf_get(root, "d"));
    unlink(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_yaml),
        TEST(reads_json),
        TEST(styles_of_scalars),
        TEST(an_empty_text_is_an_empty_map),
        TEST(only_json_scalars_keep_their_text),
        TEST(places_of_yaml_nodes),
        TEST(places_after_a_byte_order_mark_and_crlf),
        TEST(places_of_json_nodes),
        TEST(duplicate_keys),
        TEST(keys_that_only_begin_alike_differ),
        TEST(what_is_not_supported_is_reported_everywhere),
        TEST(alias_keys_and_unknown_aliases),
        TEST(one_document_only),
        TEST(yaml_syntax_errors_have_a_place),
        TEST(bytes_that_are_not_utf8_have_a_place),
        TEST(a_brace_in_plain_flow_text_gets_a_hint),
        TEST(depth_is_bounded),
        TEST(size_is_bounded),
        TEST(many_keys_do_not_take_long),
        TEST(literal_blocks_map_exactly),
        TEST(one_line_scalars_map_exactly),
        TEST(other_scalars_do_not_map),
        TEST(a_source_text_outlives_the_tree),
        TEST(fills_secrets),
        TEST(what_was_filled_in_is_not_read_again),
        TEST(missing_secrets_are_errors_at_their_place),
        TEST(secret_files_are_beside_the_file_that_names_them),
        TEST(a_secret_file_is_bounded),
        TEST(loads_files),
        TEST(loads_partly),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
