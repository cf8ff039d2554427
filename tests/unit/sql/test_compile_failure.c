/* SPDX-License-Identifier: Apache-2.0 */
/* Fails allocation number 1, 2, 3 … of compiling until the work succeeds: each failure is an error with a reason,
 * nothing leaks (the sanitizers watch), and what is there still works. The modules that allocate are compiled into
 * this file, so that their allocations can be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/failing_alloc.h"

#include "engine/base/arena.c"
#include "sql/compile.c"
#include "sql/paths.c"

#undef malloc
#undef calloc
#undef realloc

#define NEVER SIZE_MAX

static const char statement[] = "SET @a = temp.x + 1, @b = [1, 'two', {'three': 4.5}] SELECT *, @a AS out.a, @b AS "
                                "out.b, concat('x', upper('y')) AS c, "
                                "(SELECT VALUE e.v FROM list AS e WHERE e.n = 'temperature') AS d, CASE kind WHEN 1 "
                                "THEN 'one' ELSE get(*, 'my-key') END AS f, "
                                "12345678901234567890123456789012 AS wide, cast(a AS Int) AS g FROM "
                                "'plant/+/telemetry' WHERE EXISTS (SELECT a FROM h) AND "
                                "temp.y > 80";

static struct sql_paths *new_paths(void)
{
    allocations_left = NEVER;
    struct sql_paths *paths = sql_paths_new();
    assert_non_null(paths);
    return paths;
}

static void compiling_fails_well(void **state)
{
    (void)state;
    struct src *src = src_new("<sql>", statement, strlen(statement));
    struct sql_rule *rule = NULL;
    size_t n = 1;
    for (; !rule; n++) {
        struct errs errs = { 0 };
        struct sql_paths *paths = new_paths();
        allocations_left = n;
        rule = sql_rule_compile(src, SQL_2016_03_23, paths, &errs);
        bool failed = allocations_left == 0;
        allocations_left = NEVER;
        assert_true(rule || errs.errors > 0);
        assert_true(rule || failed);
        sql_paths_unref(paths);
        errs_clear(&errs);
        assert_true(n < 10000);
    }
    assert_true(n > 5);
    sql_rule_free(rule);
    src_unref(src);
}

static void adding_a_template_fails_well(void **state)
{
    (void)state;
    static const char text[] = "a/${@a}/${concat('p', lower('Q'))}/${new.path.of.names}/${get(*, 'k-k')}";
    struct src *src = src_new("<sql>", statement, strlen(statement)),
               *template = src_new("<template>", text, strlen(text));
    int index = -1;
    for (size_t n = 1; index < 0; n++) {
        struct errs errs = { 0 };
        struct sql_paths *paths = new_paths();
        struct sql_rule *rule = sql_rule_compile(src, SQL_2016_03_23, paths, &errs);
        assert_non_null(rule);
        allocations_left = n;
        index = sql_rule_add_template(rule, template, &errs);
        allocations_left = NEVER;
        assert_true(index == 0 || errs.errors > 0);
        assert_int_equal(rule->program.template_count, index == 0);
        assert_true(sql_rule_add_template(rule, template, &errs) >= 0);
        sql_rule_free(rule);
        sql_paths_unref(paths);
        errs_clear(&errs);
        assert_true(n < 10000);
    }
    src_unref(template);
    src_unref(src);
}

static void interning_fails_well(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b", "c" };
    static const uint32_t lens[] = { 1, 1, 1 };
    allocations_left = 1;
    assert_null(sql_paths_new());
    allocations_left = 2;
    assert_null(sql_paths_new());
    int slot = -1;
    for (size_t n = 1; slot < 0; n++) {
        struct sql_paths *paths = new_paths();
        allocations_left = n;
        slot = sql_paths_intern(paths, names, lens, 3);
        allocations_left = NEVER;
        int again = sql_paths_intern(paths, names, lens, 3);
        assert_int_not_equal(again, -1);
        assert_int_equal(sql_paths_count(paths), 3);
        assert_int_equal(sql_paths_at(paths, (uint32_t)again)->count, 3);
        sql_paths_unref(paths);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiling_fails_well),
        cmocka_unit_test(adding_a_template_fails_well),
        cmocka_unit_test(interning_fails_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
