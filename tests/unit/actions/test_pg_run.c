/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/pg_run.h"

/* --- runs --- */

/* Columns a to e; d and e have defaults. */
static struct pg_column columns[] = {
    { .name = "a", .name_len = 1 },
    { .name = "b", .name_len = 1 },
    { .name = "c", .name_len = 1 },
    { .name = "d", .name_len = 1, .has_default = true },
    { .name = "e", .name_len = 1, .has_default = true },
};
static const struct pg_table table = { .plain = "t", .columns = columns, .column_count = 5 };

#define ROWS_MAX 2000

static struct pg_row rows[ROWS_MAX];
static struct pg_value values[ROWS_MAX][5];
static struct act_item items[ROWS_MAX];

/* Rows from text: "a1b2 a1c" is two rows; a letter is a column, what follows its value ("-": null). */
static size_t make_rows(const char *text)
{
    size_t n = 0;
    while (*text) {
        struct pg_row *row = &rows[n];
        *row = (struct pg_row) { .item = &items[n], .values = values[n] };
        for (; *text && *text != ' '; row->count++) {
            struct pg_value *v = &row->values[row->count];
            v->column = (uint32_t)(*text++ - 'a');
            v->len = strcspn(text, "abcde ");
            v->p = *text == '-' ? NULL : text;
            v->len = v->p ? v->len : 0;
            text += strcspn(text, "abcde ");
        }
        text += *text == ' ';
        n++;
    }
    return n;
}

/* The runs of rows as text: "ab:3 c:1", columns and number of rows. */
static void check_runs(enum pg_conflict conflict, const char *keys, const char *text, const char *expected)
{
    uint32_t key_columns[5];
    static struct pg_run run;
    char got[200] = "";
    size_t count = make_rows(text);
    run = (struct pg_run) { .table = &table, .conflict = conflict, .keys = key_columns, .key_count = strlen(keys) };
    for (size_t i = 0; i < run.key_count; i++)
        key_columns[i] = (uint32_t)(keys[i] - 'a');
    for (size_t i = 0; i < count;) {
        size_t n = pg_run_take(&run, rows + i, count - i), at = strlen(got);
        if (at)
            got[at++] = ' ';
        for (size_t k = 0; k < run.column_count; k++)
            got[at++] = (char)('a' + run.columns[k]);
        snprintf(got + at, sizeof(got) - at, ":%zu", n);
        i += n;
    }
    assert_string_equal(got, expected);
}

static void rows_with_the_same_columns_go_together(void **state)
{
    (void)state;
    check_runs(PG_CONFLICT_ERROR, "", "a1", "a:1");
    check_runs(PG_CONFLICT_ERROR, "", "a1b1 a2b2 a3b3", "ab:3");
    check_runs(PG_CONFLICT_IGNORE, "a", "a1d1 a1d2 a1d3", "ad:3");
}

static void leaving_out_is_null_if_there_is_no_default(void **state)
{
    (void)state;
    check_runs(PG_CONFLICT_ERROR, "", "a1 b1 c1 a2c2", "abc:4");
    check_runs(PG_CONFLICT_IGNORE, "a", "a1 a1b1 b1", "ab:3");
    check_runs(PG_CONFLICT_ERROR, "", "a1 a1d1 a1 a1b1", "a:1 ad:1 ab:2");
    check_runs(PG_CONFLICT_ERROR, "", "a1d1 b1d1 c1d1e1", "abd:2 cde:1");
    check_runs(PG_CONFLICT_UPDATE, "a", "a1b1 a2c1 a3b1c1 a4b1c1", "ab:1 ac:1 abc:2");
}

static void a_key_comes_once_in_an_update(void **state)
{
    (void)state;
    check_runs(PG_CONFLICT_UPDATE, "a", "a1b1 a2b2 a1b3 a1b4 a2b5 a3b6", "ab:2 ab:1 ab:3");
    check_runs(PG_CONFLICT_UPDATE, "ab", "a1b2c1 a1b3c1 a2b2c1 a1b2c2", "abc:3 abc:1");
    check_runs(PG_CONFLICT_UPDATE, "ab", "a1b23 a12b3", "ab:2"); /* not the same text one behind the other */
    check_runs(PG_CONFLICT_UPDATE, "a", "a-b1 ab1 a-b2", "ab:2 ab:1");
    check_runs(PG_CONFLICT_IGNORE, "a", "a1b1 a1b2", "ab:2");
    check_runs(PG_CONFLICT_ERROR, "", "a1b1 a1b2", "ab:2");
}

static void many_keys(void **state)
{
    (void)state;
    static char text[20 * ROWS_MAX];
    static struct pg_run run;
    const uint32_t key = 0;
    size_t at = 0;
    for (unsigned i = 0; i < 1500; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "a%ub1 ", i % 1000);
    run = (struct pg_run) { .table = &table, .conflict = PG_CONFLICT_UPDATE, .keys = &key, .key_count = 1 };
    assert_int_equal(make_rows(text), 1500);
    assert_int_equal(pg_run_take(&run, rows, 1500), 1000);
    assert_int_equal(pg_run_take(&run, rows + 1000, 500), 500);
}

/* --- writing: a server that refuses the rows it is told to --- */

struct server {
    const char *bad; /* indexes (as bytes) of rows that it refuses; */
    size_t bad_count;
    bool names_line;   /* and says which */
    size_t wrong_line; /* says this line instead */
    size_t later_at;   /* answers LATER from this row on; SIZE_MAX: never */
    size_t statements, rows_sent;
    size_t written[ROWS_MAX], written_count;
};

static bool is_bad(const struct server *s, size_t index)
{
    return index < 256 && memchr(s->bad, (int)index, s->bad_count);
}

static int write_rows(void *ctx, const struct pg_run *run, const struct pg_row *first, size_t count,
                      struct pg_failure *f)
{
    struct server *s = ctx;
    size_t start = (size_t)(first - rows);
    (void)run;
    assert_true(count > 0);
    s->statements++;
    s->rows_sent += count;
    for (size_t i = 0; i < count; i++) {
        if (start + i >= s->later_at)
            return pg_fail(f, PG_LATER, "wait");
        if (!is_bad(s, start + i))
            continue;
        pg_fail(f, PG_REJECTED, "row %zu", start + i);
        if (s->names_line)
            snprintf(f->context, sizeof(f->context), "COPY t, line %zu, column a: \"x\"",
                     s->wrong_line ? s->wrong_line : i + 1);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        s->written[s->written_count++] = start + i;
    return 0;
}

static void assert_written(const struct server *s, size_t count)
{
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        char reason[40];
        snprintf(reason, sizeof(reason), "row %zu", i);
        if (is_bad(s, i)) {
            assert_int_equal(items[i].result, ACT_REJECTED);
            assert_memory_equal(items[i].reason, reason, strlen(reason));
            continue;
        }
        assert_int_equal(items[i].result, ACT_DONE);
        assert_true(next < s->written_count);
        assert_int_equal(s->written[next++], i);
    }
    assert_int_equal(next, s->written_count);
}

/* Write count rows of which some are bad; returns the number of statements. */
static size_t check_write(size_t count, const char *bad, size_t bad_count, bool names_line, size_t wrong_line)
{
    static struct server s;
    static struct pg_run run;
    struct pg_failure f = { 0 };
    size_t limit = ACT_BATCH_MAX;
    s = (struct server) {
        .bad = bad, .bad_count = bad_count, .names_line = names_line, .wrong_line = wrong_line, .later_at = SIZE_MAX
    };
    run = (struct pg_run) { .table = &table };
    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct pg_row) { .item = &items[i] };
    assert_int_equal(pg_run_write(&run, rows, count, &limit, write_rows, &s, &f), 0);
    assert_written(&s, count);
    assert_true(limit >= 1 && limit <= ACT_BATCH_MAX);
    return s.statements;
}

static void good_rows_take_one_statement(void **state)
{
    (void)state;
    assert_int_equal(check_write(1, "", 0, true, 0), 1);
    assert_int_equal(check_write(1000, "", 0, true, 0), 1);
    assert_int_equal(check_write(1500, "", 0, false, 0), 2);
}

static void a_named_row_is_cut_out(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        const char bad = (char)i;
        assert_true(check_write(10, &bad, 1, true, 0) <= 5);
    }
    assert_true(check_write(1000, "\x64", 1, true, 0) <= 6);
}

static void an_unnamed_row_is_found_by_halving(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        const char bad = (char)i;
        assert_true(check_write(10, &bad, 1, false, 0) <= 12);
    }
    assert_true(check_write(1000, "\x64", 1, false, 0) <= 30);
}

static void a_wrong_line_rejects_no_good_row(void **state)
{
    (void)state;
    for (size_t line = 1; line <= 12; line++) {
        check_write(10, "\0\4\5\x09", 4, true, line);
        check_write(10, "\x03", 1, true, line);
    }
}

static void every_pattern_of_bad_rows(void **state)
{
    (void)state;
    for (unsigned mask = 0; mask < 1 << 8; mask++) {
        char bad[8];
        size_t n = 0;
        for (unsigned i = 0; i < 8; i++) {
            if (mask & 1u << i)
                bad[n++] = (char)i;
        }
        check_write(8, bad, n, true, 0);
        check_write(8, bad, n, false, 0);
        check_write(8, bad, n, true, 3);
    }
}

static void only_bad_rows_cost_about_one_statement_each(void **state)
{
    (void)state;
    char bad[256];
    for (size_t i = 0; i < 256; i++)
        bad[i] = (char)i;
    assert_true(check_write(256, bad, 256, true, 0) <= 256 + 20);
    assert_true(check_write(256, bad, 256, false, 0) <= 256 + 20);
}

static void later_stops_and_keeps_order(void **state)
{
    (void)state;
    static struct server s;
    static struct pg_run run;
    struct pg_failure f = { 0 };
    size_t limit = 4;
    s = (struct server) { .bad = "\1", .bad_count = 1, .names_line = true, .later_at = 6 };
    run = (struct pg_run) { .table = &table };
    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < 20; i++)
        rows[i] = (struct pg_row) { .item = &items[i] };
    assert_int_equal(pg_run_write(&run, rows, 20, &limit, write_rows, &s, &f), -1);
    assert_int_equal(f.verdict, PG_LATER);
    size_t i = 0;
    while (items[i].result != ACT_PENDING)
        i++;
    assert_true(i <= 6);
    for (; i < 20; i++)
        assert_int_equal(items[i].result, ACT_PENDING);
    s.later_at = 0; /* a batch that took too long is smaller next time, but never empty */
    limit = 8;
    for (size_t expected = 4; expected >= 1; expected /= 2) {
        assert_int_equal(pg_run_write(&run, rows, 20, &limit, write_rows, &s, &f), -1);
        assert_int_equal(limit, expected);
    }
    assert_int_equal(pg_run_write(&run, rows, 20, &limit, write_rows, &s, &f), -1);
    assert_int_equal(limit, 1);
}

static void the_limit_recovers(void **state)
{
    (void)state;
    static struct server s;
    static struct pg_run run;
    struct pg_failure f = { 0 };
    size_t limit = 1;
    s = (struct server) { .bad = "", .later_at = SIZE_MAX };
    run = (struct pg_run) { .table = &table };
    for (size_t i = 0; i < 2000; i++)
        rows[i] = (struct pg_row) { .item = &items[i] };
    assert_int_equal(pg_run_write(&run, rows, 2000, &limit, write_rows, &s, &f), 0);
    assert_int_equal(limit, ACT_BATCH_MAX);
    assert_true(s.statements < 15);
}

/* --- the line that an error names --- */

static void copy_contexts(void **state)
{
    (void)state;
    static const struct {
        const char *context, *table;
        size_t line;
    } cases[] = {
        { "COPY t, line 3, column v: \"x\"", "t", 3 },
        { "COPY t, line 12", "t", 12 },
        { "COPY t, line 7: \"1\t2\"", "t", 7 },
        { "COPY t, Zeile 3, Spalte v: \"x\"", "t", 3 },
        { "COPY t, \xe8\xa1\x8c 31", "t", 31 },
        { "COPY a, line 9, line 3, column v", "a, line 9", 3 },
        { "COPY table2, line 3", "table2", 3 },
        { "COPY table2, line 3", "table", 0 },
        { "COPY other, line 3", "t", 0 },
        { "COPY t", "t", 0 },
        { "COPY t, ", "t", 0 },
        { "COPY t, line: \"4\"", "t", 0 },
        { "COPY t, \"4\"", "t", 0 },
        { "PL/pgSQL function f() line 3 at RAISE", "t", 0 },
        { "", "t", 0 },
        { "COPY t, line 99999999999999999999999999999999", "t", SIZE_MAX },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t line = pg_copy_error_line(cases[i].context, cases[i].table);
        if (cases[i].line == SIZE_MAX)
            assert_true(line > 1000000); /* none of a batch */
        else
            assert_int_equal(line, cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_with_the_same_columns_go_together),
        cmocka_unit_test(leaving_out_is_null_if_there_is_no_default),
        cmocka_unit_test(a_key_comes_once_in_an_update),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(good_rows_take_one_statement),
        cmocka_unit_test(a_named_row_is_cut_out),
        cmocka_unit_test(an_unnamed_row_is_found_by_halving),
        cmocka_unit_test(a_wrong_line_rejects_no_good_row),
        cmocka_unit_test(every_pattern_of_bad_rows),
        cmocka_unit_test(only_bad_rows_cost_about_one_statement_each),
        cmocka_unit_test(later_stops_and_keeps_order),
        cmocka_unit_test(the_limit_recovers),
        cmocka_unit_test(copy_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
