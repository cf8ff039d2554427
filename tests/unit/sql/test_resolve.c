/* SPDX-License-Identifier: Apache-2.0 */
/* What names refer to. Error texts are in tests/golden/errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sql/parse.h"
#include "sql/resolve.h"

/* A resolved statement. */
struct resolved {
    struct src *src;
    struct arena arena;
    struct errs errs;
    struct sql_paths *paths;
    struct ast_statement *st;
};

static void resolve_text(struct resolved *r, const char *text, enum sql_version version)
{
    *r = (struct resolved) { .src = src_new("<sql>", text, strlen(text)), .paths = sql_paths_new() };
    arena_init(&r->arena, (size_t)1 << 20);
    r->st = parse_statement(r->src, &r->arena, &r->errs);
    assert_non_null(r->st);
    assert_int_equal(r->errs.errors, 0);
    struct resolve_context context = {
        .src = r->src, .version = version, .paths = r->paths, .arena = &r->arena, .errs = &r->errs
    };
    resolve_statement(&context, r->st);
}

static void done(struct resolved *r)
{
    sql_paths_unref(r->paths);
    errs_clear(&r->errs);
    arena_clear(&r->arena);
    src_unref(r->src);
}

/* The picture of the first item's expression, without its last newline. */
static void assert_item(const char *expr, const char *expected)
{
    struct resolved r;
    struct buf text, picture;
    buf_init(&text, 10000);
    buf_init(&picture, 10000);
    buf_printf(&text, "SET @v = {'a': 1} SELECT %s AS x FROM 'a/b'", expr);
    resolve_text(&r, text.p, SQL_2016_03_23);
    assert_int_equal(r.errs.errors, 0);
    ast_print(&picture, r.st->query.items->expr, r.paths, 0);
    picture.p[--picture.len] = '\0';
    assert_string_equal(picture.p, expected);
    buf_clear(&picture);
    buf_clear(&text);
    done(&r);
}

static void payload_paths(void **state)
{
    (void)state;
    assert_item("a", "path a");
    assert_item("a.b.c", "path a.b.c");
    assert_item("*.a.b", "path a.b");
    assert_item("(a.b).c", "path a.b.c");
    assert_item("get(*, 'my-key')", "path \"my-key\"");
    assert_item("GET(*, 'my-key').x", "path \"my-key\".x");
    assert_item("get(a.b, 'c d')", "path a.b.\"c d\"");
    assert_item("get(get(*, 'x y').z, 'q')", "path \"x y\".z.q");
    assert_item("get(*, '')", "path \"\"");
}

static void calls_of_get_that_are_no_paths(void **state)
{
    (void)state;
    assert_item("get(a, 0)", "call get\n  path a\n  number 0");
    assert_item("get(*, '0')", "call get\n  payload\n  string \"0\""); /* an Array's element */
    assert_item("get(a, '1e0')", "call get\n  path a\n  string \"1e0\"");
    assert_item("get(a, b)", "call get\n  path a\n  path b");
    assert_item("get(@v, 'a')", "call get\n  variable @v\n  string \"a\"");
    assert_item("get(a)", "call get\n  path a");
    assert_item("get(a, 'b', 'c')", "call get\n  path a\n  string \"b\"\n  string \"c\"");
    assert_item("get(a, 0).b", "member .b\n  of call get\n    path a\n    number 0");
    assert_item("@v.a", "member .a\n  of variable @v");
}

static void names_in_nested_queries(void **state)
{
    (void)state;
    assert_item("(SELECT VALUE a.b FROM c.d)", "nested query\n  select value\n    element.a.b\n  from path c.d");
    assert_item("(SELECT VALUE e.b FROM c AS e)", "nested query\n  select value\n    element.b\n  from path c\n  as e");
    assert_item("(SELECT VALUE e FROM c AS e)", "nested query\n  select value\n    element\n  from path c\n  as e");
    assert_item("(SELECT VALUE b FROM c AS e)", "nested query\n  select value\n    element.b\n  from path c\n  as e");
    assert_item("(SELECT VALUE *.b FROM *)", "nested query\n  select value\n    element.b\n  from payload");
    assert_item("(SELECT VALUE get(*, 'b') FROM c)",
                "nested query\n  select value\n    call get\n      element\n      string \"b\"\n  from path c");
    assert_item("(SELECT VALUE @v FROM @v.a)",
                "nested query\n  select value\n    variable @v\n  from member .a\n    of variable @v");
}

static void only_the_innermost_element_is_searched(void **state)
{
    (void)state;
    assert_item("(SELECT VALUE (SELECT VALUE e.x FROM e.list AS f) FROM c AS e)",
                "nested query\n  select value\n    nested query\n      select value\n        element.e.x\n      from "
                "element.list\n"
                "      as f\n  from path c\n  as e");
}

/* The key of the only item. */
static void assert_key(const char *expr, const char *key, size_t warnings)
{
    struct resolved r;
    struct buf text;
    buf_init(&text, 1000);
    buf_printf(&text, "SET @v = {'a': 1} SELECT z, %s FROM 'a/b'", expr);
    resolve_text(&r, text.p, SQL_2016_03_23);
    assert_int_equal(r.errs.errors, 0);
    assert_int_equal(r.errs.warnings, warnings);
    const struct ast_item *item = r.st->query.items->next;
    assert_int_equal(item->alias_count, 1);
    assert_string_equal(item->alias->text, key);
    buf_clear(&text);
    done(&r);
}

static void keys_of_unaliased_items(void **state)
{
    (void)state;
    assert_key("color", "color", 0);
    assert_key("a.b.c", "c", 0);
    assert_key("*.a", "a", 0);
    assert_key("@v", "v", 0);
    assert_key("@v.name", "name", 0);
    assert_key("get(a, 0).b", "b", 0);
    assert_key("clientId()", "clientId", 0);
    assert_key("get(*, 'my-key')", "get", 0);
    assert_key("Cast(a AS Int)", "Cast", 0);
    assert_key("(a)", "a", 0);
    assert_key("a + 1", "_1", 1);
    assert_key("'x'", "_1", 1);
    assert_key("-a", "_1", 1);
    assert_key("[a]", "_1", 1);
    assert_key("{'a': a}", "_1", 1);
    assert_key("(SELECT a FROM b)", "_1", 1);
    assert_key("CASE a WHEN 1 THEN 2 END", "_1", 1);
    assert_key("EXISTS (SELECT a FROM b)", "_1", 1);
}

static void assert_whole_output(const char *text, bool expected)
{
    struct resolved r;
    resolve_text(&r, text, SQL_2016_03_23);
    assert_int_equal(r.errs.errors, 0);
    assert_int_equal(r.st->query.is_value, expected);
    done(&r);
}

static void a_lone_star_or_object_is_the_output(void **state)
{
    (void)state;
    assert_whole_output("SELECT *", true);
    assert_whole_output("SELECT {'a': 1}", true);
    assert_whole_output("SELECT * AS a", false);
    assert_whole_output("SELECT {'a': 1} AS a", false);
    assert_whole_output("SELECT *, a", false);
    assert_whole_output("SELECT {'a': 1}, a", false);
    assert_whole_output("SELECT [1]", false);
}

static void assert_constant(const char *expr, bool expected)
{
    struct resolved r;
    struct buf text;
    buf_init(&text, 1000);
    buf_printf(&text, "SET @v = 1 SELECT %s AS x", expr);
    resolve_text(&r, text.p, SQL_2016_03_23);
    assert_int_equal(r.errs.errors, 0);
    assert_int_equal(r.st->query.items->expr->constant, expected);
    buf_clear(&text);
    done(&r);
}

static void what_is_constant(void **state)
{
    (void)state;
    assert_constant("1", true);
    assert_constant("1 + 2 * -3", true);
    assert_constant("NOT TRUE OR NULL", true);
    assert_constant("upper('a')", true);
    assert_constant("cast('1' AS Int)", true);
    assert_constant("[1, {'a': 'b'}]", true);
    assert_constant("{'a': 1}.a", true);
    assert_constant("CASE 1 WHEN 2 THEN 3 ELSE 4 END", true);
    assert_constant("1 + a", false);
    assert_constant("@v", false);
    assert_constant("*", false);
    assert_constant("newuuid()", false);
    assert_constant("timestamp()", false);
    assert_constant("upper(a)", false);
    assert_constant("[1, a]", false);
    assert_constant("CASE 1 WHEN 2 THEN a ELSE 4 END", false);
    assert_constant("isNull(SELECT a FROM b)", false);
}

static void assert_code(const char *text, enum sql_version version, enum err_code code, size_t errors)
{
    struct resolved r;
    resolve_text(&r, text, version);
    assert_int_equal(r.errs.errors, errors);
    for (size_t i = 0; i < r.errs.count; i++) {
        if (r.errs.items[i].severity == SEV_ERROR)
            assert_int_equal(r.errs.items[i].code, code);
    }
    done(&r);
}

static void codes_of_errors(void **state)
{
    (void)state;
    assert_code("SELECT nosuch()", SQL_BETA, ERR_SQL_NAME, 1);
    assert_code("SELECT @a", SQL_BETA, ERR_SQL_NAME, 1);
    assert_code("SELECT cast(a AS nosuch)", SQL_BETA, ERR_SQL_NAME, 1);
    assert_code("SELECT [1]", SQL_2015_10_08, ERR_SQL_VERSION, 1);
    assert_code("SELECT cast(a AS bool)", SQL_2015_10_08, ERR_SQL_VERSION, 1);
    assert_code("SELECT isUndefined(a)", SQL_2015_10_08, ERR_SQL_VERSION, 1);
    assert_code("SELECT isUndefined(a)", SQL_2016_03_23, ERR_NONE, 0);
    assert_code("SELECT 12345678901234567890123456789012345", SQL_BETA, ERR_SQL_LIMIT, 1);
    assert_code("SELECT 1234567890123456789012345678901234", SQL_BETA, ERR_NONE, 0);
    assert_code("SELECT abs(1, 2, 3), abs()", SQL_BETA, ERR_NONE, 0); /* Undefined, not an error */
}

static void slots_are_shared_between_statements(void **state)
{
    (void)state;
    struct resolved r;
    resolve_text(&r, "SELECT a.b, a.b.c, b", SQL_2016_03_23);
    uint32_t count = sql_paths_count(r.paths);
    assert_int_equal(count, 4);
    struct src *src = src_new("<sql>", "SELECT a.b, get(a, 'b'), *.b", 28);
    struct ast_statement *st = parse_statement(src, &r.arena, &r.errs);
    struct resolve_context context = {
        .src = src, .version = SQL_BETA, .paths = r.paths, .arena = &r.arena, .errs = &r.errs
    };
    resolve_statement(&context, st);
    assert_int_equal(sql_paths_count(r.paths), count);
    assert_int_equal(st->query.items->expr->path.slot, r.st->query.items->expr->path.slot);
    assert_int_equal(st->query.items->next->expr->call.slot, r.st->query.items->expr->path.slot);
    src_unref(src);
    done(&r);
}

static void slots_run_out(void **state)
{
    (void)state;
    struct resolved r;
    resolve_text(&r, "SELECT known", SQL_2016_03_23);
    for (uint32_t i = 1; i < SQL_MAX_SLOTS; i++) {
        char text[16];
        const char *name = text;
        uint32_t len = (uint32_t)snprintf(text, sizeof(text), "%u", i);
        assert_int_equal(sql_paths_intern(r.paths, &name, &len, 1), i);
    }
    struct src *src = src_new("<sql>", "SELECT known, new, get(*, 'newer')", 34);
    struct ast_statement *st = parse_statement(src, &r.arena, &r.errs);
    struct resolve_context context = {
        .src = src, .version = SQL_BETA, .paths = r.paths, .arena = &r.arena, .errs = &r.errs
    };
    resolve_statement(&context, st);
    assert_int_equal(r.errs.errors, 2);
    assert_int_equal(r.errs.items[0].code, ERR_SQL_LIMIT);
    assert_string_equal(r.errs.items[0].text, "the rules read more than 65535 different paths");
    assert_int_equal(r.errs.items[0].at.off, 14);
    src_unref(src);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_paths),
        cmocka_unit_test(calls_of_get_that_are_no_paths),
        cmocka_unit_test(names_in_nested_queries),
        cmocka_unit_test(only_the_innermost_element_is_searched),
        cmocka_unit_test(keys_of_unaliased_items),
        cmocka_unit_test(a_lone_star_or_object_is_the_output),
        cmocka_unit_test(what_is_constant),
        cmocka_unit_test(codes_of_errors),
        cmocka_unit_test(slots_are_shared_between_statements),
        cmocka_unit_test(slots_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
