/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "sql/funcs.h"
#include "sql/machine_int.h"
#include "sql/regexp.h"

static struct arena arena;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)4 << 20);
    buf_init(&out, (size_t)4 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    buf_clear(&out);
    return 0;
}

static struct val string(const char *s)
{
    return val_string(s, strlen(s));
}

static struct val json(const char *text)
{
    struct err e = { 0 };
    const struct json_doc *doc = json_parse(&arena, text, strlen(text), NULL, &e);
    assert_non_null(doc);
    return val_from_node(doc, 0, SQL_2016_03_23);
}

/* Call a body with arguments given as JSON; the result as JSON, "" when Undefined. */
static const char *call_with(struct sql_machine *machine, const char *name, uint32_t count, const struct val *args)
{
    int row = sql_func_find(name, strlen(name));
    assert_true(row >= 0);
    struct sql_call call = {
        .machine = machine, .arena = &arena, .version = SQL_2016_03_23, .args = args, .count = count
    };
    sql_func_at((uint32_t)row)->body(&call);
    buf_reset(&out);
    val_write_json(&out, call.result, SQL_2016_03_23);
    assert_false(out.failed);
    return out.p ? out.p : "";
}

static const char *call1(const char *name, const char *a)
{
    const struct val args[] = { json(a) };
    return call_with(NULL, name, 1, args);
}

static const char *call2(const char *name, const char *a, const char *b)
{
    const struct val args[] = { json(a), json(b) };
    return call_with(NULL, name, 2, args);
}

static const char *call3(const char *name, const char *a, const char *b, const char *c)
{
    const struct val args[] = { json(a), json(b), json(c) };
    return call_with(NULL, name, 3, args);
}

/* --- the table --- */

static void rows_are_sorted_and_found_in_any_case(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sql_func_count(); i++) {
        const struct sql_func *f = sql_func_at(i);
        char upper[64];
        size_t len = strlen(f->name);
        if (i > 0)
            assert_true(strcmp(sql_func_at(i - 1)->name, f->name) < 0);
        for (size_t k = 0; k <= len; k++)
            upper[k] = (char)(f->name[k] >= 'a' && f->name[k] <= 'z' ? f->name[k] - 32 : f->name[k]);
        assert_int_equal(sql_func_find(f->name, len), i);
        assert_int_equal(sql_func_find(upper, len), i);
        assert_int_equal(sql_func_find(f->name, len - 1) == (int)i, 0);
    }
    assert_int_equal(sql_func_find("absx", 4), -1);
    assert_int_equal(sql_func_find("", 0), -1);
    assert_int_equal(sql_func_find("zzz", 3), -1);
}

/* What `params` says there are; "…" is any number. */
static unsigned count_params(const char *params)
{
    unsigned count = params[0] != '\0';
    for (const char *p = params; *p; p++)
        count += *p == ',';
    return strstr(params, "…") ? SQL_ANY_COUNT : count;
}

static void rows_are_complete(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sql_func_count(); i++) {
        const struct sql_func *f = sql_func_at(i);
        assert_true(f->min <= f->max);
        assert_non_null(f->body);
        assert_true(f->doc[0] != '\0' && f->doc[strlen(f->doc) - 1] != '.');
        assert_non_null(f->result);
        assert_int_equal(count_params(f->params), f->max);
        assert_true(f->subject < SQL_SUBJECT_COUNT && sql_func_subject_name(f->subject));
        if (f->flags & SQL_NULL_UNDEF)
            assert_true(f->flags & SQL_STRICT);
    }
}

/* Strict bodies that see no machine must be safe with anything else but Undefined. */
static void pure_bodies_take_any_types(void **state)
{
    static const char *const any[] = { "null", "true", "5", "-2.5", "\"x\"", "\"\"", "[1]", "{\"a\":1}", "1e5000" };
    enum { ANY = sizeof(any) / sizeof(any[0]) };
    (void)state;
    for (uint32_t i = 0; i < sql_func_count(); i++) {
        const struct sql_func *f = sql_func_at(i);
        if (!(f->flags & SQL_PURE))
            continue;
        for (uint32_t round = 0; round < ANY * ANY; round++) {
            struct val args[3] = { json(any[round % ANY]), json(any[round / ANY]), json(any[(round + 1) % ANY]) };
            uint32_t most = f->max < 3 ? f->max : 3;
            for (uint32_t count = f->min; count <= most; count++)
                call_with(NULL, f->name, count, args);
        }
        assert_false(arena.refused);
        arena_reset(&arena);
    }
}

/* --- text --- */

static void case_mapping_is_unicode_and_without_locale(void **state)
{
    (void)state;
    assert_string_equal(call1("lower", "\"HeLLo I\""), "\"hello i\"");
    assert_string_equal(call1("upper", "\"stra\\u00dfe \\u00e9 i\""), "\"STRASSE \xc3\x89 I\"");
    assert_string_equal(call1("lower", "\"\\u0130\\u03a3\""), "\"i\xcc\x87\xcf\x82\"");
    assert_string_equal(call1("upper", "\"\\u0390\\u0390\\u0390\""),
                        "\"\xce\x99\xcc\x88\xcc\x81\xce\x99\xcc\x88\xcc\x81\xce\x99\xcc\x88\xcc\x81\"");
    assert_string_equal(call1("upper", "\"\""), "\"\"");
    assert_string_equal(call1("lower", "\"\\ud800X\""), "\"\xef\xbf\xbdx\"");
}

static void no_case_mapping_is_longer_than_three_times(void **state)
{
    char bytes[4];
    (void)state;
    for (uint32_t c = 0x80; c < 0x20000; c++) {
        if (c >= 0xD800 && c < 0xE000)
            continue;
        struct val v = val_string(bytes, utf8_encode(c, bytes));
        assert_true(*call_with(NULL, "upper", 1, &v) != '\0');
        assert_true(*call_with(NULL, "lower", 1, &v) != '\0');
        arena_reset(&arena);
    }
}

static void positions_count_characters(void **state)
{
    (void)state;
    assert_string_equal(call2("indexof", "\"a\\u20acb\\u20ac\"", "\"b\""), "2");
    assert_string_equal(call1("length", "\"\\ud83d\\ude00x\""), "2");
    assert_string_equal(call3("substring", "\"a\\u20acbc\"", "1", "3"), "\"\xe2\x82\xac\x62\"");
    assert_string_equal(call3("substring", "\"abc\"", "-99999999999999999999999", "99999999999999999999999"),
                        "\"abc\"");
    assert_string_equal(call2("substring", "\"abc\"", "1e30"), "\"\"");
    assert_string_equal(call2("get", "\"a\\u20acb\"", "1"), "\"\xe2\x82\xac\"");
    assert_string_equal(call2("get", "\"abc\"", "99999999999999999999999"), "");
}

static void parts_keep_their_escapes(void **state)
{
    (void)state;
    assert_string_equal(call2("substring", "\"a\\\"b\\nc\"", "1"), "\"\\\"b\\nc\"");
    assert_string_equal(call1("trim", "\" \\t\\n\\\"x\\\" \\r\""), "\"\\\"x\\\"\"");
    assert_string_equal(call3("replace", "\"a-b\"", "\"-\"", "\"\\\"\""), "\"a\\\"b\"");
    assert_string_equal(call2("concat", "\"\\\\\"", "\"\\n\""), "\"\\\\\\n\"");
}

static void replacing_without_bound_is_refused(void **state)
{
    static char text[100001];
    (void)state;
    memset(text, 'a', 100000);
    const struct val args[] = { string(text), string("a"), string(text) };
    assert_string_equal(call_with(NULL, "replace", 3, args), "");
    assert_true(arena.refused);
    assert_string_equal(call3("replace", "\"abc\"", "\"\"", "\"x\""), "\"abc\"");
}

static void base64_both_ways(void **state)
{
    (void)state;
    const struct val bytes[] = { { .kind = VAL_BYTES, .n = 3, .text = "\xff\x00\x01" }, string("base64") };
    assert_string_equal(call_with(NULL, "encode", 2, bytes), "\"/wAB\"");
    assert_string_equal(call2("encode", "\"x\"", "\"hex\""), "");
    assert_string_equal(call2("decode", "\"/wAB\"", "\"base64\""), "\"\xef\xbf\xbd\\u0000\\u0001\"");
    assert_string_equal(call2("decode", "\"eyJhIjo1LjB9\"", "\"base64\""), "{\"a\":5}");
    assert_string_equal(call2("decode", "\"a\"", "\"base64\""), "null");
    assert_string_equal(call2("decode", "\"\"", "\"base64\""), "\"\"");
    assert_string_equal(call2("decode", "5", "\"base64\""), "");
    assert_string_equal(call2("decode", "\"YQ==\"", "\"proto\""), "");
}

static void concat_drops_undefined_beside_arrays(void **state)
{
    const struct val args[] = { json("[1,[2]]"), VAL_UNDEFINED_VALUE, val_null(), json("[]") };
    const struct val texts[] = { string("a"), VAL_UNDEFINED_VALUE };
    (void)state;
    assert_string_equal(call_with(NULL, "concat", 4, args), "[1,[2],null]");
    assert_string_equal(call_with(NULL, "concat", 2, texts), "");
    assert_string_equal(call_with(NULL, "concat", 0, NULL), "");
}

/* --- regular expressions --- */

static void patterns_are_those_of_java(void **state)
{
    static const struct {
        const char *pattern, *text;
        enum sql_regexp_answer answer;
    } rows[] = {
        { "\\u00e9", "caf\xc3\xa9", SQL_REGEXP_YES },
        { "^\\u20ac$", "\xe2\x82\xac", SQL_REGEXP_YES },
        { "[\\u0061-\\u0063]", "b", SQL_REGEXP_YES },
        { "\\u12", "x", SQL_REGEXP_NONE },
        { "\\Q(*\\E", "a(*b", SQL_REGEXP_YES },
        { "\\Q[a&&", "[a&&", SQL_REGEXP_YES },
        { "\\(*", "((", SQL_REGEXP_YES },
        { "[(*]", "*", SQL_REGEXP_YES },
        { "(*UCP)x", "x", SQL_REGEXP_NONE },
        { "a(*FAIL)", "a", SQL_REGEXP_NONE },
        { "[a-z&&[^b]]", "b", SQL_REGEXP_NONE },
        { "[a[bc]]", "b", SQL_REGEXP_NONE },
        { "[]a]", "]", SQL_REGEXP_YES },
        { "[^]a]", "a", SQL_REGEXP_NO },
        { "[a&]", "&", SQL_REGEXP_YES },
        { "\\C", "x", SQL_REGEXP_NONE },
        { "\\", "\\", SQL_REGEXP_NONE },
        { "\\d", "\xd9\xa3", SQL_REGEXP_NO },
        { "^b", "a\nb", SQL_REGEXP_NO },
        { "(?m)^b", "a\nb", SQL_REGEXP_YES },
        { "a$", "a\n", SQL_REGEXP_YES },
        { "a.b", "a\nb", SQL_REGEXP_NO },
        { "(?<y>\\d+)-\\k<y>", "12-12", SQL_REGEXP_YES },
        { "x", "\xff", SQL_REGEXP_NONE },
        { "\xff", "x", SQL_REGEXP_NONE },
        { "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", SQL_REGEXP_NONE },
    };
    struct sql_regexps *cache = sql_regexps_new();
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum sql_regexp_answer answer =
            sql_regexps_search(cache, rows[i].pattern, strlen(rows[i].pattern), rows[i].text, strlen(rows[i].text));
        if (answer != rows[i].answer)
            fail_msg("%s: %d", rows[i].pattern, (int)answer);
    }
    sql_regexps_free(cache);
}

static void the_cache_forgets_the_least_used(void **state)
{
    struct sql_regexps *cache = sql_regexps_new();
    char pattern[32];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3 * SQL_REGEXP_CACHE; i++) {
            int len = snprintf(pattern, sizeof(pattern), "^%d$", i);
            assert_int_equal(sql_regexps_search(cache, pattern, (size_t)len, pattern + 1, (size_t)len - 2),
                             SQL_REGEXP_YES);
            assert_int_equal(sql_regexps_search(cache, "kept", 4, "kept", 4), SQL_REGEXP_YES);
            assert_int_equal(sql_regexps_search(cache, "(", 1, "x", 1), SQL_REGEXP_NONE);
        }
    }
    char *large = malloc(SQL_REGEXP_MAX_BYTES + 1);
    memset(large, 'a', SQL_REGEXP_MAX_BYTES + 1);
    assert_int_equal(sql_regexps_search(cache, large, SQL_REGEXP_MAX_BYTES, large, 10), SQL_REGEXP_NO);
    assert_int_equal(sql_regexps_search(cache, large, SQL_REGEXP_MAX_BYTES + 1, large, 10), SQL_REGEXP_NONE);
    free(large);
    sql_regexps_free(cache);
    sql_regexps_free(NULL);
}

/* --- the message --- */

static const char *context(const struct message *m, const struct sql_env *env, const char *name)
{
    struct err e = { 0 };
    struct sql_paths *paths = sql_paths_new();
    struct sql_machine *machine = sql_machine_new(NULL);
    assert_int_equal(sql_machine_begin(machine, paths, m, &e), 0);
    machine->env = env;
    const char *text = call_with(machine, name, 0, NULL);
    sql_machine_free(machine);
    sql_paths_unref(paths);
    return text;
}

static void context_of_a_bare_message(void **state)
{
    const struct message m = { .topic = "a/\"b", .topic_len = 4, .payload_format = PAYLOAD_FORMAT_ABSENT };
    (void)state;
    assert_string_equal(context(&m, NULL, "topic"), "\"a/\\\"b\"");
    assert_string_equal(context(&m, NULL, "clientid"), "\"n/a\"");
    assert_string_equal(context(&m, NULL, "principal"), "");
    assert_string_equal(context(&m, NULL, "sourceip"), "");
    assert_string_equal(context(&m, NULL, "traceid"), "");
    assert_string_equal(context(&m, NULL, "accountid"), "\"000000000000\"");
    assert_string_equal(context(&m, NULL, "get_user_properties"), "");
}

static void basic_ingest_prefix_is_of_this_rule(void **state)
{
    const struct message m = { .topic = "$aws/rules/R/x/y", .topic_len = 16 },
                         bare = { .topic = "$aws/rules/R", .topic_len = 12 };
    const struct sql_env own = { .rule_name = "R" }, other = { .rule_name = "Rx" };
    (void)state;
    assert_string_equal(context(&m, &own, "topic"), "\"x/y\"");
    assert_string_equal(context(&m, NULL, "topic"), "\"x/y\"");
    assert_string_equal(context(&m, &other, "topic"), "\"$aws/rules/R/x/y\"");
    assert_string_equal(context(&bare, &own, "topic"), "\"\"");
}

static void draws_depend_on_message_rule_and_code(void **state)
{
    struct message m = { .topic = "t", .topic_len = 1, .seed = 7, .over_mqtt = true, .client_id = "c" };
    const struct sql_env r = { .rule_name = "r" }, s = { .rule_name = "s" };
    char first[64], second[64];
    struct err e = { 0 };
    (void)state;
    snprintf(first, sizeof(first), "%s", context(&m, &r, "newuuid"));
    assert_string_equal(context(&m, &r, "newuuid"), first);
    assert_string_not_equal(context(&m, &s, "newuuid"), first);
    snprintf(second, sizeof(second), "%s", context(&m, &r, "traceid"));
    assert_string_equal(context(&m, &s, "traceid"), second);
    m.seed = 8;
    assert_string_not_equal(context(&m, &r, "newuuid"), first);
    assert_string_not_equal(context(&m, &r, "traceid"), second);
    m.trace_id = "i-1"; /* the publisher's own */
    assert_string_equal(context(&m, &r, "traceid"), "\"i-1\"");
    assert_string_equal(context(&m, &s, "traceid"), "\"i-1\"");
    struct sql_paths *paths = sql_paths_new();
    struct sql_machine *machine = sql_machine_new(NULL);
    assert_int_equal(sql_machine_begin(machine, paths, &m, &e), 0);
    snprintf(first, sizeof(first), "%s", call_with(machine, "newuuid", 0, NULL));
    assert_string_not_equal(call_with(machine, "newuuid", 0, NULL), first);
    machine->draws = 0;
    machine->draw_code = 1;
    assert_string_not_equal(call_with(machine, "newuuid", 0, NULL), first);
    sql_machine_free(machine);
    sql_paths_unref(paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_found_in_any_case),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test_setup_teardown(pure_bodies_take_any_types, setup, teardown),
        cmocka_unit_test_setup_teardown(case_mapping_is_unicode_and_without_locale, setup, teardown),
        cmocka_unit_test_setup_teardown(no_case_mapping_is_longer_than_three_times, setup, teardown),
        cmocka_unit_test_setup_teardown(positions_count_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_keep_their_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(replacing_without_bound_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(concat_drops_undefined_beside_arrays, setup, teardown),
        cmocka_unit_test(patterns_are_those_of_java),
        cmocka_unit_test(the_cache_forgets_the_least_used),
        cmocka_unit_test_setup_teardown(context_of_a_bare_message, setup, teardown),
        cmocka_unit_test_setup_teardown(basic_ingest_prefix_is_of_this_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(draws_depend_on_message_rule_and_code, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
