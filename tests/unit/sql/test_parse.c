/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of the parser, before names are resolved. Error texts are in tests/golden/errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sql/parse.h"

/* The picture of an expression, as `SELECT VALUE expr`, with newlines as "; " and without its first line. */
static void assert_expr(const char *expr, const char *expected)
{
    struct buf text, picture;
    struct arena a;
    struct errs errs = { 0 };
    buf_init(&text, 10000);
    buf_init(&picture, 10000);
    arena_init(&a, (size_t)1 << 20);
    buf_printf(&text, "SELECT VALUE %s", expr);
    struct src *src = src_new("<sql>", text.p, text.len);
    struct ast_statement *st = parse_statement(src, &a, &errs);
    assert_non_null(st);
    assert_int_equal(errs.errors, 0);
    assert_true(st->query.is_value);
    ast_print(&picture, st->query.items->expr, NULL, 0);
    assert_true(picture.len > 0);
    picture.p[--picture.len] = '\0';
    assert_string_equal(picture.p, expected);
    src_unref(src);
    arena_clear(&a);
    errs_clear(&errs);
    buf_clear(&picture);
    buf_clear(&text);
}

static void priorities(void **state)
{
    (void)state;
    assert_expr("1 + 2 * 3", "sum\n  number 1\n  + product\n    number 2\n    * number 3");
    assert_expr("(1 + 2) * 3", "product\n  sum\n    number 1\n    + number 2\n  * number 3");
    assert_expr("1 - 2 + 3", "sum\n  number 1\n  - number 2\n  + number 3");
    assert_expr("1 - (2 + 3)", "sum\n  number 1\n  - sum\n    number 2\n    + number 3");
    assert_expr("(1 - 2) + 3", "sum\n  sum\n    number 1\n    - number 2\n  + number 3");
    assert_expr("1 OR 2 AND NOT 3 = 4 + 5",
                "or\n  number 1\n  OR and\n    number 2\n    AND not\n      comparison\n        number 3\n"
                "        = sum\n          number 4\n          + number 5");
    assert_expr("NOT NOT TRUE", "not\n  not\n    true");
    assert_expr("-1 * 2", "product\n  negative\n    number 1\n  * number 2");
    assert_expr("1 - -2", "sum\n  number 1\n  - negative\n    number 2");
    assert_expr("1 IN [2]", "comparison\n  number 1\n  IN array\n    number 2");
    assert_expr("1 < 2 AND 3 >= 4 OR 5 <> 6", "or\n  and\n    comparison\n      number 1\n      < number 2\n    AND "
                                              "comparison\n      number 3\n      >= number 4\n"
                                              "  OR comparison\n    number 5\n    <> number 6");
    assert_expr("* * 2", "product\n  payload\n  * number 2");
}

static void operands(void **state)
{
    (void)state;
    assert_expr("a", "unresolved .a");
    assert_expr("a.from.select", "unresolved .a.from.select");
    assert_expr("(a).b", "unresolved .a.b");
    assert_expr("*.a.b", "unresolved .a.b\n  of payload");
    assert_expr("@v", "variable @v");
    assert_expr("@v.a", "unresolved .a\n  of variable @v");
    assert_expr("get(a, 0).b", "unresolved .b\n  of call get\n    unresolved .a\n    number 0");
    assert_expr("value", "unresolved .value");
    assert_expr("NULL", "null");
    assert_expr("'it''s'", "string \"it's\"");
    assert_expr("[]", "array");
    assert_expr("{}", "object");
    assert_expr("{'a': 1, \"b\": [2],}", "object\n  \"a\"\n    number 1\n  \"b\"\n    array\n      number 2");
    assert_expr("Cast(a AS Int)", "cast to Int\n  unresolved .a");
    assert_expr("f()", "call f");
    assert_expr("cast", "unresolved .cast");
}

static void choices(void **state)
{
    (void)state;
    assert_expr("CASE a WHEN 1 THEN 2 END", "case\n  unresolved .a\n  when number 1\n  then number 2");
    assert_expr(
        "case a when 1 then 2 when 3 then case b when 4 then 5 end else 6 end",
        "case\n  unresolved .a\n  when number 1\n  then number 2\n  when number 3\n  then case\n    unresolved .b\n"
        "    when number 4\n    then number 5\n  else number 6");
}

static void nested_queries(void **state)
{
    (void)state;
    assert_expr("(SELECT * FROM a.b)",
                "nested query\n  select\n    all members\n      payload\n  from unresolved .a.b");
    assert_expr(
        "(SELECT VALUE x FROM @v.w AS x WHERE x > 1)",
        "nested query\n  select value\n    unresolved .x\n  from unresolved .w\n    of variable @v\n  as x\n  where\n"
        "    comparison\n      unresolved .x\n      > number 1");
    assert_expr("f(SELECT a, b AS c FROM *, 2)",
                "call f\n  nested query\n    select\n      all members\n        unresolved .a\n"
                "      item c\n        unresolved .b\n    from payload\n  number 2");
    assert_expr("EXISTS (SELECT a FROM b)",
                "exists\n  select\n    all members\n      unresolved .a\n  from unresolved .b");
}

/* Parse a whole statement without errors. */
static struct ast_statement *statement(const char *text, struct arena *a, struct src **src)
{
    struct errs errs = { 0 };
    arena_init(a, (size_t)1 << 20);
    *src = src_new("<sql>", text, strlen(text));
    struct ast_statement *st = parse_statement(*src, a, &errs);
    assert_non_null(st);
    assert_int_equal(errs.errors, 0);
    return st;
}

static void done(struct arena *a, struct src *src)
{
    arena_clear(a);
    src_unref(src);
}

static void clauses(void **state)
{
    (void)state;
    struct arena a;
    struct src *src;
    struct ast_statement *st = statement("set @a = 1, @b = @a\nselect x as y.z, * from \"it''s/'b\" where c", &a, &src);
    assert_int_equal(st->set_count, 2);
    assert_string_equal(st->sets->name.text, "a");
    assert_string_equal(st->sets->next->name.text, "b");
    assert_int_equal(st->query.count, 2);
    assert_false(st->query.is_value);
    assert_true(st->query.items->aliased);
    assert_int_equal(st->query.items->alias_count, 2);
    assert_string_equal(st->query.items->alias->next->text, "z");
    assert_false(st->query.items->next->aliased);
    assert_string_equal(st->filter, "it''s/'b");
    assert_int_equal(st->filter_len, strlen("it''s/'b"));
    assert_int_equal(st->filter_at.off, strlen("set @a = 1, @b = @a\nselect x as y.z, * from "));
    assert_non_null(st->query.where);
    done(&a, src);
    st = statement("SELECT *", &a, &src);
    assert_null(st->filter);
    assert_null(st->query.where);
    done(&a, src);
}

static void value_is_a_keyword_in_front_of_an_expression(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_value;
    } rows[] = {
        { "SELECT VALUE a", true },
        { "SELECT value *", true },
        { "SELECT VALUE (SELECT a FROM b)", true },
        { "SELECT VALUE [1]", true },
        { "SELECT VALUE {}", true },
        { "SELECT VALUE -1", true },
        { "SELECT VALUE NOT a", true },
        { "SELECT VALUE CASE a WHEN 1 THEN 2 END", true },
        { "SELECT value", false },
        { "SELECT value FROM 'a'", false },
        { "SELECT value, a", false },
        { "SELECT value AS b", false },
        { "SELECT value.a", false },
        { "SELECT value + 1 AS b", false },
        { "SELECT a AS value", false },
        { "SELECT value = 1 AS b", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct src *src;
        assert_int_equal(statement(rows[i].text, &a, &src)->query.is_value, rows[i].is_value);
        done(&a, src);
    }
}

static void any_word_is_an_alias(void **state)
{
    (void)state;
    static const char *const words[] = { "timestamp", "time", "topic", "value", "select", "from",
                                         "where",     "as",   "end",   "true",  "set" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct arena a;
        struct src *src;
        char text[64];
        snprintf(text, sizeof(text), "SELECT a AS %s FROM 'b'", words[i]);
        struct ast_statement *st = statement(text, &a, &src);
        assert_string_equal(st->query.items->alias->text, words[i]);
        assert_non_null(st->filter);
        done(&a, src);
    }
}

static void assert_span(const struct ast *node, const char *text, const char *part)
{
    assert_int_equal(node->at.len, strlen(part));
    assert_memory_equal(text + node->at.off, part, strlen(part));
}

static void nodes_have_spans(void **state)
{
    (void)state;
    static const char text[] = "SELECT VALUE  (a.b + f( 1 )) * 'x' = cast(c AS Int) ";
    struct arena a;
    struct src *src;
    const struct ast *cmp = statement(text, &a, &src)->query.items->expr;
    assert_span(cmp, text, "(a.b + f( 1 )) * 'x' = cast(c AS Int)");
    const struct ast *product = cmp->list.items, *cast = product->next;
    assert_span(product, text, "(a.b + f( 1 )) * 'x'");
    assert_span(cast, text, "cast(c AS Int)");
    const struct ast *sum = product->list.items;
    assert_span(sum, text, "a.b + f( 1 )");
    assert_span(sum->list.items, text, "a.b");
    assert_span(sum->list.items->next, text, "f( 1 )");
    assert_span(sum->next, text, "'x'");
    done(&a, src);
}

static void embedded_expressions_end_at_their_brace(void **state)
{
    (void)state;
    static const char text[] = "a/${concat('}', {'b': 1}.b)}/c";
    struct src *src = src_new("<template>", text, strlen(text));
    struct arena a;
    struct errs errs = { 0 };
    uint32_t off = 4;
    arena_init(&a, (size_t)1 << 20);
    struct ast *expr = parse_embedded(src, &off, &a, &errs);
    assert_non_null(expr);
    assert_int_equal(expr->kind, AST_CALL);
    assert_string_equal(text + off, "/c");
    assert_int_equal(errs.errors, 0);
    done(&a, src);
}

static void lacking_memory_is_an_error(void **state)
{
    (void)state;
    static const char text[] = "SET @a = [1, {'x': y.z}] SELECT f(a, 'b') AS c.d, (SELECT e FROM g AS h WHERE i) AS j, "
                               "CASE k WHEN 1 THEN -2 END AS l "
                               "FROM 'm' WHERE NOT a AND EXISTS (SELECT * FROM n)";
    struct src *src = src_new("<sql>", text, strlen(text));
    bool worked = false;
    for (size_t bytes = 0; !worked; bytes += 64) {
        struct arena a;
        struct errs errs = { 0 };
        arena_init(&a, bytes);
        worked = parse_statement(src, &a, &errs) != NULL;
        assert_int_equal(errs.errors, worked ? 0 : 1);
        assert_true(worked || errs.items[0].code == ERR_MEMORY);
        arena_clear(&a);
        errs_clear(&errs);
        assert_true(bytes < 100000);
    }
    src_unref(src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priorities),
        cmocka_unit_test(operands),
        cmocka_unit_test(choices),
        cmocka_unit_test(nested_queries),
        cmocka_unit_test(clauses),
        cmocka_unit_test(value_is_a_keyword_in_front_of_an_expression),
        cmocka_unit_test(any_word_is_an_alias),
        cmocka_unit_test(nodes_have_spans),
        cmocka_unit_test(embedded_expressions_end_at_their_brace),
        cmocka_unit_test(lacking_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
