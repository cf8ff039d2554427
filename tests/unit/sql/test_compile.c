/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler from outside: what a rule tells about itself, what a text may be, and that no text is slow or deep
 * enough to hurt. Single messages are in tests/golden/errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sql/sql.h"

static struct sql_rule *compile(const char *text, size_t len, enum sql_version version, struct errs *errs)
{
    struct sql_paths *paths = sql_paths_new();
    struct src *src = src_new("<sql>", text, len);
    struct sql_rule *rule = sql_rule_compile(src, version, paths, errs);
    src_unref(src); /* the rule keeps what it needs */
    sql_paths_unref(paths);
    return rule;
}

static void a_rule_tells_about_itself(void **state)
{
    (void)state;
    static const char text[] = "SELECT a FROM 'plant/+/it''s' WHERE b";
    struct errs errs = { 0 };
    size_t len = 0;
    struct sql_rule *rule = compile(text, strlen(text), SQL_BETA, &errs);
    assert_non_null(rule);
    assert_int_equal(errs.count, 0);
    assert_string_equal(sql_rule_filter(rule, &len), "plant/+/it's");
    assert_int_equal(len, strlen("plant/+/it's"));
    struct span at = sql_rule_filter_span(rule);
    assert_int_equal(at.off, strlen("SELECT a FROM "));
    assert_int_equal(at.len, strlen("'plant/+/it''s'"));
    assert_string_equal(at.src->text, text);
    assert_int_equal(sql_rule_version(rule), SQL_BETA);
    assert_true(sql_rule_reads_payload(rule));
    sql_rule_free(rule);
    rule = compile("SELECT 1 AS a", 13, SQL_2015_10_08, &errs);
    assert_null(sql_rule_filter(rule, &len));
    assert_int_equal(sql_rule_version(rule), SQL_2015_10_08);
    sql_rule_free(rule);
    sql_rule_free(NULL);
}

static void assert_text_refused(const char *text, size_t len, enum err_code code, uint32_t off, const char *message)
{
    struct errs errs = { 0 };
    assert_null(compile(text, len, SQL_2016_03_23, &errs));
    assert_int_equal(errs.errors, 1);
    assert_int_equal(errs.items[0].code, code);
    assert_int_equal(errs.items[0].at.off, off);
    assert_string_equal(errs.items[0].text, message);
    errs_clear(&errs);
}

static void texts_that_are_refused_as_a_whole(void **state)
{
    (void)state;
    static char big[SQL_MAX_BYTES + 1];
    memset(big, ' ', sizeof(big));
    assert_text_refused("SELECT \xff", 8, ERR_SQL_TOKEN, 7, "the statement is not valid UTF-8 here");
    assert_text_refused("SELECT '\xc3'", 10, ERR_SQL_TOKEN, 8, "the statement is not valid UTF-8 here");
    assert_text_refused("SELECT 'a\0b'", 12, ERR_SQL_TOKEN, 9, "the statement holds a NUL character");
    assert_text_refused(big, sizeof(big), ERR_SQL_LIMIT, 0, "the statement is longer than 131072 bytes");
    memcpy(big, "SELECT a", 8);
    struct errs errs = { 0 };
    struct sql_rule *rule = compile(big, SQL_MAX_BYTES, SQL_2016_03_23, &errs);
    assert_non_null(rule);
    sql_rule_free(rule);
}

static void templates_that_are_refused_as_a_whole(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    struct sql_rule *rule = compile("SELECT a", 8, SQL_2016_03_23, &errs);
    static char big[SQL_MAX_BYTES + 1];
    memset(big, 'x', sizeof(big));
    struct src *texts[] = { src_new("t", "a\0b", 3), src_new("t", "\xff", 1), src_new("t", big, sizeof(big)) };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sql_rule_add_template(rule, texts[i], &errs), -1);
        src_unref(texts[i]);
    }
    assert_int_equal(errs.errors, 3);
    assert_string_equal(errs.items[0].text, "the template holds a NUL character");
    assert_string_equal(errs.items[1].text, "the template is not valid UTF-8 here");
    assert_string_equal(errs.items[2].text, "the template is longer than 131072 bytes");
    errs_clear(&errs);
    sql_rule_free(rule);
}

static void templates_are_numbered(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    struct sql_rule *rule = compile("SELECT a", 8, SQL_2016_03_23, &errs);
    struct src *src = src_new("t", "${a}", 4);
    for (int i = 0; i < 512; i++)
        assert_int_equal(sql_rule_add_template(rule, src, &errs), i);
    assert_int_equal(errs.errors, 0);
    assert_int_equal(sql_rule_add_template(rule, src, &errs), -1);
    assert_string_equal(errs.items[0].text, "a rule has at most 512 templates");
    errs_clear(&errs);
    src_unref(src);
    sql_rule_free(rule);
}

static void errors_come_in_the_order_of_the_text(void **state)
{
    (void)state;
    static const char text[] = "SELECT nosuch(), a != 1, @b, cast(c AS d), e[0] FROM f";
    struct errs errs = { 0 };
    errs_add(&errs, SEV_WARNING, ERR_CONF_KEY, (struct span) { 0 }, "from before");
    assert_null(compile(text, strlen(text), SQL_2016_03_23, &errs));
    assert_int_equal(errs.errors, 6);
    assert_int_equal(errs.warnings, 1);
    assert_int_equal(errs.count, 7);
    assert_string_equal(errs.items[0].text, "from before");
    for (size_t i = 2; i < errs.count; i++)
        assert_true(errs.items[i - 1].at.off < errs.items[i].at.off);
    errs_clear(&errs);
}

static void warnings_do_not_refuse(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    struct sql_rule *rule = compile("SELECT a + 1, 2", 15, SQL_2016_03_23, &errs);
    assert_non_null(rule);
    assert_int_equal(errs.errors, 0);
    assert_int_equal(errs.warnings, 2);
    sql_rule_free(rule);
    errs_clear(&errs);
}

/* Texts as long as they may be. A stage that is not linear, or recursion without a bound, shows as a test that
 * takes minutes or crashes. `errors` is what the statement must get at least; 0: it must compile. */
static const struct hostile {
    const char *begin, *part, *end;
    size_t errors;
} hostile[] = {
    { "SELECT ", "(", "", 1 },
    { "SELECT ", "[", "", 1 },
    { "SELECT ", "{'a':", "", 1 },
    { "SELECT ", "f(", "", 1 },
    { "SELECT ", "cast(", "", 1 },
    { "SELECT ", "CASE ", "", 1 },
    { "SELECT ", "CASE a WHEN 1 THEN ", "", 1 },
    { "SELECT ", "NOT ", "a", 1 },
    { "SELECT ", "- ", "a", 1 },
    { "SELECT ", "+", "a", 1 },
    { "SELECT ", "(SELECT a FROM ", "", 1 },
    { "SELECT ", "(SELECT ", "", 1 },
    { "SELECT ", "EXISTS (", "", 1 },
    { "SELECT ", "EXISTS ", "", 1 },
    { "SELECT ", "EXISTS (SELECT a FROM b WHERE ", "", 1 },
    { "SELECT ", "a[", "", 1 },
    { "SELECT ", "a[0],", "b", 20000 },
    { "SELECT ", "a b,", "c", 30000 },
    { "SELECT ", "? ", "", 1 },
    { "SELECT ", "?,", "a", 60000 },
    { "SELECT ", ",", "", 100000 },
    { "SELECT ", ")", "", 1 },
    { "SELECT ", "a) ", "", 1 },
    { "SELECT ", "nosuch(),", "a", 14000 },
    { "SELECT ", "@x,", "a", 40000 },
    { "SELECT ", "cast(a AS q),", "a", 10000 },
    { "SELECT ", "`,", "a", 30000 },
    { "SELECT ", "/*", "", 1 },
    { "SELECT ", "/**/", "a", 30000 },
    { "SELECT ", "--\n", "a", 40000 },
    { "SELECT ", "\xe2\x80\x9c", "\n", 1 },
    { "SELECT ", "\xe2\x80\x93", "a", 1 },
    { "SELECT ", "a IS NULL,", "b", 10000 },
    { "SELECT ", "a LIKE ", "b", 1 },
    { "SELECT ", "a BETWEEN 1 AND ", "b", 1 },
    { "SELECT ", "a.'b',", "c", 20000 },
    { "SELECT ", ".", "", 1 },
    { "SELECT a", ".", "", 1 },
    { "SELECT a", ".a", "", 1 },
    { "SELECT a AS b", ".b", "", 1 },
    { "SELECT '", "''", "", 1 },
    { "SELECT ", "''", " AS x", 0 },
    { "SELECT ", "1", " AS x", 1 },
    { "SELECT a", "b", "()", 1 },
    { "SELECT concat(a", ",a", ") AS x", 1 },
    { "SELECT a", ",a", "", 1 },
    { "SELECT a", "+a", " AS x", 1 },
    { "SELECT 1", "+1", " AS x", 1 },
    { "SELECT a", " OR a", " AS x", 0 },
    { "SELECT ", "1 + 1,", "a", 0 },
    { "SELECT ", "(SELECT VALUE a FROM b) AS c,", "a", 0 },
    { "SELECT ", "EXISTS (SELECT VALUE a FROM b) AS c,", "a", 0 },
    { "SELECT [", "1000,", "1] AS x", 0 },
    { "SELECT [", "a,", "1] AS x", 1 },
    { "SELECT {", "'a':1,", "'b':2} AS x", 0 },
    { "SELECT CASE a ", "WHEN 1 THEN b ", "END AS x", 0 },
    { "SELECT a FROM '", "a/", "b'", 1 },
    { "SELECT a FROM '", "+/", "b'", 1 },
    { "SELECT a FROM '", "a+/", "b'", 1 },
    { "SELECT a FROM ", "x/", "", 1 },
    { "SELECT a FROM 'x'", ",'x'", "", 1 },
    { "SELECT a FROM 'x' ", "FROM 'x' ", "", 10000 },
    { "SELECT a FROM 'x' ", "WHERE a ", "", 10000 },
    { "SELECT a FROM 'x' ", "GROUP ORDER ", "", 10000 },
    { "SELECT a FROM 'x' ", "SELECT ", "", 10000 },
    { "SELECT a FROM 'x' ", "SET ", "", 10000 },
    { "SET ", "@a=1,", "@b=2 SELECT a", 10000 },
    { "SET ", "SET ", "", 10000 },
    { "", "SET @a = 1 ", "SELECT a", 10000 },
    { "", "a ", "", 1 },
    { "", " ", "SELECT a", 0 },
};

static void make_hostile(const struct hostile *h, struct buf *text)
{
    buf_reset(text);
    buf_puts(text, h->begin);
    while (text->len + strlen(h->part) + strlen(h->end) <= SQL_MAX_BYTES)
        buf_puts(text, h->part);
    buf_puts(text, h->end);
}

static void no_text_is_slow_or_deep_enough_to_hurt(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, SQL_MAX_BYTES);
    buf_init(&out, (size_t)64 << 20);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct errs errs = { 0 };
        make_hostile(&hostile[i], &text);
        struct sql_rule *rule = compile(text.p, text.len, SQL_2016_03_23, &errs);
        if ((errs.errors == 0) != (hostile[i].errors == 0) || errs.errors < hostile[i].errors)
            fail_msg("%s%s…%s has %zu errors", hostile[i].begin, hostile[i].part, hostile[i].end, errs.errors);
        assert_true((rule != NULL) == (errs.errors == 0));
        assert_true(errs.count <= ERRS_MAX);
        if (rule) {
            buf_reset(&out);
            sql_rule_explain(rule, &out);
            assert_false(out.failed);
        }
        sql_rule_free(rule);
        errs_clear(&errs);
    }
    buf_clear(&out);
    buf_clear(&text);
}

static void hostile_templates(void **state)
{
    (void)state;
    static const struct hostile rows[] = {
        { "", "${a}xxxxx", "", 0 },
        { "", "${a}", "", 1 },
        { "", "$", "", 0 },
        { "", "${", "", 1 },
        { "", "${}", "", 30000 },
        { "", "${'", "", 1 },
        { "", "${{", "", 1 },
        { "", "${a b}", "", 20000 },
        { "", "}", "", 0 },
        { "${", "{'a':", "", 1 },
        { "", "${nosuch()}", "", 10000 },
    };
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errs errs = { 0 };
        struct sql_rule *rule = compile("SELECT a", 8, SQL_2016_03_23, &errs);
        make_hostile(&rows[i], &text);
        struct src *src = src_new("<template>", text.p, text.len);
        int index = sql_rule_add_template(rule, src, &errs);
        if ((errs.errors == 0) != (rows[i].errors == 0) || errs.errors < rows[i].errors)
            fail_msg("%s%s… has %zu errors", rows[i].begin, rows[i].part, errs.errors);
        assert_true((index == 0) == (errs.errors == 0));
        src_unref(src);
        sql_rule_free(rule);
        errs_clear(&errs);
    }
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_tells_about_itself),
        cmocka_unit_test(texts_that_are_refused_as_a_whole),
        cmocka_unit_test(templates_that_are_refused_as_a_whole),
        cmocka_unit_test(templates_are_numbered),
        cmocka_unit_test(errors_come_in_the_order_of_the_text),
        cmocka_unit_test(warnings_do_not_refuse),
        cmocka_unit_test(no_text_is_slow_or_deep_enough_to_hurt),
        cmocka_unit_test(hostile_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
