/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: bounds, and that a traced run comes to the same end as a plain one. What they look like is in
 * tests/golden/cli/explain-trace*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"

#define OUT_MAX ((size_t)16 << 20)

struct trial {
    struct sql_paths *paths;
    struct sql_rule *rule;
    struct sql_machine *machine;
    struct buf out, trace;
    struct err e;
};

static void trial_open(struct trial *t, const char *sql, const char *payload)
{
    struct errs errs = { 0 };
    struct src *src = src_new("<sql>", sql, strlen(sql));
    const struct message message = {
        .topic = "t", .topic_len = 1, .payload = payload, .payload_len = strlen(payload), .seed = 7
    };
    *t = (struct trial) { .paths = sql_paths_new(), .machine = sql_machine_new(NULL) };
    t->rule = sql_rule_compile(src, SQL_2016_03_23, t->paths, &errs);
    assert_non_null(t->rule);
    buf_init(&t->out, OUT_MAX);
    buf_init(&t->trace, OUT_MAX);
    static struct message kept;
    kept = message;
    assert_int_equal(sql_machine_begin(t->machine, t->paths, &kept, &t->e), 0);
    src_unref(src);
    errs_clear(&errs);
}

static void trial_close(struct trial *t)
{
    sql_machine_free(t->machine);
    sql_rule_free(t->rule);
    sql_paths_unref(t->paths);
    buf_clear(&t->out);
    buf_clear(&t->trace);
}

static size_t count_lines(const struct buf *b)
{
    size_t lines = 0;
    for (size_t i = 0; i < b->len; i++)
        lines += b->p[i] == '\n';
    return lines;
}

/* The output of a plain run stands in the trace's last line; random values are the same in both. */
static void a_trace_comes_to_the_same_end(void **state)
{
    static const char *const statements[] = {
        "SELECT a + 1 AS x, newuuid() AS u FROM 't'",
        "SET @v = (SELECT VALUE n FROM e) SELECT @v AS v, get(@v, 0) AS f FROM 't' WHERE a = 5",
        "SELECT CASE a WHEN 5 THEN concat('x', 1 / 0) ELSE 'y' END AS c, {\"k\": [1 + 1, a]} AS o FROM 't'",
        "SELECT VALUE get_or_default(missing, 1 + 2) FROM 't'",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct trial t;
        const struct sql_env env = { .rule_name = "r" };
        bool is_json;
        trial_open(&t, statements[i], "{\"a\":5,\"e\":[{\"n\":1},{\"n\":2}]}");
        assert_int_equal(sql_machine_run(t.machine, t.rule, &env, &t.e), SQL_MATCHED);
        buf_puts(&t.out, "\noutput ");
        assert_int_equal(sql_machine_output(t.machine, &t.out, &is_json, &t.e), 0);
        buf_putc(&t.out, '\n');
        assert_int_equal(sql_rule_trace(t.rule, t.machine, &env, &t.trace, &t.e), SQL_MATCHED);
        assert_true(t.trace.len > t.out.len);
        assert_memory_equal(t.trace.p + t.trace.len - t.out.len, t.out.p, t.out.len);
        assert_int_equal(sql_machine_run(t.machine, t.rule, &env, &t.e), SQL_MATCHED);
        trial_close(&t);
    }
}

static void a_long_trace_is_cut(void **state)
{
    struct trial t;
    const struct sql_env env = { 0 };
    struct buf payload;
    (void)state;
    buf_init(&payload, OUT_MAX);
    buf_puts(&payload, "{\"e\":[0");
    for (int i = 0; i < 30000; i++)
        buf_puts(&payload, ",1");
    buf_puts(&payload, "]}");
    trial_open(&t, "SELECT (SELECT VALUE x + 1 FROM e AS x) AS s FROM 't'", payload.p);
    assert_int_equal(sql_rule_trace(t.rule, t.machine, &env, &t.trace, &t.e), SQL_MATCHED);
    assert_in_range(count_lines(&t.trace), 10000, 10003);
    assert_non_null(strstr(t.trace.p, "(the rest is left out)"));
    trial_close(&t);
    buf_clear(&payload);
}

/* With its constants in the run a statement may be too long for bytecode: then it is traced as it is. */
static void a_rule_at_the_limit_is_traced_folded(void **state)
{
    struct trial t;
    const struct sql_env env = { 0 };
    struct buf sql;
    (void)state;
    buf_init(&sql, OUT_MAX);
    for (int item = 0; item < 3; item++) {
        buf_puts(&sql, item ? ", 1" : "SELECT 1");
        for (int i = 0; i < 20000; i++)
            buf_puts(&sql, "+1");
        buf_printf(&sql, " AS s%d", item);
    }
    buf_puts(&sql, " FROM 't'");
    trial_open(&t, sql.p, "{}");
    assert_int_equal(sql_rule_trace(t.rule, t.machine, &env, &t.trace, &t.e), SQL_MATCHED);
    assert_non_null(strstr(t.trace.p, "output {\"s0\":20001,\"s1\":20001,\"s2\":20001}"));
    trial_close(&t);
    buf_clear(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_comes_to_the_same_end),
        cmocka_unit_test(a_long_trace_is_cut),
        cmocka_unit_test(a_rule_at_the_limit_is_traced_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
