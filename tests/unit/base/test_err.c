/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"

static struct src *text_of(const char *name, const char *text)
{
    struct src *src = src_new(name, text, strlen(text));
    assert_non_null(src);
    return src;
}

/* The span of the first occurrence of a word. */
static struct span span_of(const struct src *src, const char *word)
{
    const char *p = strstr(src->text, word);
    assert_non_null(p);
    return (struct span) { src, (uint32_t)(p - src->text), (uint32_t)strlen(word) };
}

static void assert_prints(const struct err *e, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    err_print(e, &out);
    assert_false(out.failed);
    assert_string_equal(out.p, expected);
    buf_clear(&out);
}

static void first_error_stays(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_int_equal(err_set(&e, ERR_IO, "could not open \"%s\"", "f"), -1);
    assert_int_equal(err_set(&e, ERR_MEMORY, "later"), -1);
    assert_int_equal(err_set_at(&e, ERR_MEMORY, (struct span) { 0 }, "later"), -1);
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.text, "could not open \"f\"");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody asked"), -1);
    err_hint(NULL, "nobody asked");
}

static void long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    char text[400];
    for (size_t offset = 0; offset < 4; offset++) {
        memset(text, 'x', offset);
        for (size_t i = offset; i + 2 < sizeof(text); i += 2)
            memcpy(text + i, "\xc3\xa4", 3);
        struct err e = { 0 };
        err_set(&e, ERR_IO, "%s", text);
        size_t len = strlen(e.text);
        assert_in_range(len, sizeof(e.text) - 5, sizeof(e.text) - 1);
        assert_string_equal(e.text + len - 3, "\xe2\x80\xa6");
        assert_memory_equal(e.text + len - 5, "\xc3\xa4", 2);
    }
}

static void a_text_that_just_fits_stays_whole(void **state)
{
    (void)state;
    char text[256] = { 0 };
    memset(text, 'y', 255);
    struct err e = { 0 };
    err_set(&e, ERR_IO, "%s", text);
    assert_string_equal(e.text, text);
}

static void codes_have_unique_names(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_CODE_COUNT; i++) {
        const char *name = err_code_name((enum err_code)i);
        assert_non_null(name);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, err_code_name((enum err_code)j));
    }
    assert_string_equal(err_code_name(ERR_SQL_SYNTAX), "sql_syntax");
    assert_string_equal(err_code_name((enum err_code)9999), "unknown");
}

static void prints_as_documented(void **state)
{
    (void)state;
    struct src *src = text_of("rules/overheat.yaml", "ruleName: overheat\nsql: >\nSELECT clientident() AS client\n");
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_NAME, span_of(src, "clientident()"), "unknown function \"clientident\"");
    err_hint(&e, "did you mean \"%s\"?", "clientid");
    assert_prints(&e, "rules/overheat.yaml:3:8: error: unknown function \"clientident\"\n"
                      "  3 | SELECT clientident() AS client\n"
                      "    |        ^^^^^^^^^^^^^\n"
                      "  hint: did you mean \"clientid\"?\n");
    src_unref(src);
}

static void prints_without_a_place(void **state)
{
    (void)state;
    struct err e = { .code = ERR_IO, .severity = SEV_WARNING, .text = "a\tb\nc\x1b", .hint = "Look\x7f here." };
    assert_prints(&e, "warning: a b?c?\n  hint: Look? here.\n");
    e.severity = SEV_NOTE;
    e.hint[0] = '\0';
    assert_prints(&e, "note: a b?c?\n");
}

static void carets_count_characters(void **state)
{
    (void)state;
    struct src *src = text_of("f", "\t\xc3\xa4\x01\xff \xe2\x82\xac\xe2\x82\xac = 1");
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_NAME, span_of(src, "\xe2\x82\xac\xe2\x82\xac"), "no");
    assert_prints(&e, "f:1:6: error: no\n"
                      "  1 |  \xc3\xa4?? \xe2\x82\xac\xe2\x82\xac = 1\n"
                      "    |      ^^\n");
    src_unref(src);
    src = text_of("f", "\xc2\x9b[0m!"); /* a C1 control sequence must not reach the terminal */
    e = (struct err) { 0 };
    err_set_at(&e, ERR_SQL_NAME, span_of(src, "!"), "no");
    assert_prints(&e, "f:1:5: error: no\n  1 | ?[0m!\n    |     ^\n");
    src_unref(src);
}

static void spans_end_with_their_first_line(void **state)
{
    (void)state;
    struct src *src = text_of("f", "a (b +\r\n c) d\n");
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_NAME, span_of(src, "(b +\r\n c)"), "no");
    assert_prints(&e, "f:1:3: error: no\n  1 | a (b +\n    |   ^^^^\n");
    src_unref(src);
}

static void empty_spans_get_one_caret(void **state)
{
    (void)state;
    struct src *src = text_of("f", "SELECT * FROM\n\n");
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, (struct span) { src, (uint32_t)src->len, 0 }, "expected a topic filter");
    assert_prints(&e, "f:1:14: error: expected a topic filter\n"
                      "  1 | SELECT * FROM\n"
                      "    |              ^\n");
    e = (struct err) { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, (struct span) { src, 7, 0 }, "no");
    assert_prints(&e, "f:1:8: error: no\n  1 | SELECT * FROM\n    |        ^\n");
    src_unref(src);
    src = text_of("f", "");
    e = (struct err) { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, (struct span) { src, 0, 0 }, "no");
    assert_prints(&e, "f:1:1: error: no\n  1 | \n    | ^\n");
    src_unref(src);
}

static void spans_beyond_the_text_are_clipped(void **state)
{
    (void)state;
    struct src *src = text_of("f", "abc");
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, (struct span) { src, 1, UINT32_MAX }, "no");
    assert_prints(&e, "f:1:2: error: no\n  1 | abc\n    |  ^^\n");
    e.at.off = UINT32_MAX;
    assert_prints(&e, "f:1:4: error: no\n  1 | abc\n    |    ^\n");
    src_unref(src);
}

static void wide_line_numbers_move_the_gutter(void **state)
{
    (void)state;
    char text[400] = "";
    for (int i = 0; i < 120; i++)
        strcat(text, "\n");
    strcat(text, "x");
    struct src *src = text_of("f", text);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, span_of(src, "x"), "no");
    assert_prints(&e, "f:121:1: error: no\n  121 | x\n      | ^\n");
    src_unref(src);
}

/* A line of `before` dots, a word, `after` dots; returns the printed excerpt's two lines. */
static void print_long(size_t before, const char *word, size_t after, char line[600], char caret[600])
{
    static char text[4096];
    memset(text, '.', before);
    strcpy(text + before, word);
    memset(text + before + strlen(word), '.', after);
    text[before + strlen(word) + after] = '\0';
    struct src *src = text_of("f", text);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, span_of(src, word), "no");
    struct buf out;
    buf_init(&out, 1 << 16);
    err_print(&e, &out);
    const char *second = strchr(out.p, '\n') + 1, *third = strchr(second, '\n') + 1;
    snprintf(line, 600, "%.*s", (int)(third - 1 - second), second);
    snprintf(caret, 600, "%.*s", (int)strcspn(third, "\n"), third);
    buf_clear(&out);
    src_unref(src);
}

/* Columns as a terminal shows them: the ellipsis is three bytes but one column. */
static size_t columns(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    return n;
}

static void long_lines_are_cut_around_the_caret(void **state)
{
    (void)state;
    char line[600], caret[600];
    static const size_t befores[] = { 0, 1, 60, 79, 80, 81, 100, 500, 2000 };
    static const size_t afters[] = { 0, 1, 30, 150, 2000 };
    for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++) {
        for (size_t j = 0; j < sizeof(afters) / sizeof(afters[0]); j++) {
            print_long(befores[i], "word", afters[j], line, caret);
            assert_in_range(columns(line, strlen(line)), 8, 6 + 120);
            const char *word = strstr(line, "word");
            assert_non_null(word);
            assert_int_equal(columns(line, (size_t)(word - line)), strcspn(caret, "^"));
            assert_int_equal(strlen(strchr(caret, '^')), 4);
            bool cut = befores[i] + 4 + afters[j] > 120;
            assert_int_equal(strstr(line, "\xe2\x80\xa6") != NULL, cut);
            assert_true(!cut || columns(line, strlen(line)) >= 6 + 119); /* no room is wasted */
        }
    }
}

static void carets_do_not_leave_the_cut_line(void **state)
{
    (void)state;
    char line[600], caret[600], word[1001];
    memset(word, 'w', 1000);
    word[1000] = '\0';
    print_long(300, word, 300, line, caret);
    assert_true(strlen(caret) <= columns(line, strlen(line)));
    assert_true(strlen(strchr(caret, '^')) > 60);
}

static void inner_exact_text_shows_the_file(void **state)
{
    (void)state;
    struct src *file = text_of("r.yaml", "sql: |\n  SELECT *\n  FROM x y\n");
    struct src *sql = src_new_inner("SELECT *\nFROM x y\n", 18, (struct span) { file, 9, 20 }, SRC_EXACT, 2);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, span_of(sql, "x y"), "no");
    assert_prints(&e, "r.yaml:3:8: error: no\n  3 |   FROM x y\n    |        ^^^\n");
    src_unref(sql);
    src_unref(file);
}

static void inner_text_that_does_not_map_shows_itself(void **state)
{
    (void)state;
    struct src *file = text_of("r.yaml", "ruleName: x\nsql: \"SELECT *\\nFROM x y\"\n");
    struct src *sql = src_new_inner("SELECT *\nFROM x y", 17, span_of(file, "\"SELECT"), SRC_INSIDE, 0);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_SYNTAX, span_of(sql, "x"), "no");
    assert_prints(&e, "r.yaml:2:6: in this text at 2:6: error: no\n  2 | FROM x y\n    |      ^\n");

    struct buf place;
    buf_init(&place, 1000);
    err_print_place(&e, &place);
    assert_string_equal(place.p, "r.yaml:2:6: in this text at 2:6");
    buf_clear(&place);
    src_unref(sql);
    src_unref(file);
}

static void lists_count_and_keep_their_texts(void **state)
{
    (void)state;
    struct errs list = { 0 };
    struct src *src = text_of("f", "abc");
    err_hint(errs_add(&list, SEV_ERROR, ERR_CONF_KEY, span_of(src, "b"), "one %d", 1), "H.");
    errs_add(&list, SEV_WARNING, ERR_CONF_KEY, span_of(src, "c"), "two");
    struct err e = { .code = ERR_IO, .text = "three" };
    errs_take(&list, &e);
    src_unref(src); /* the list holds it */
    assert_int_equal(list.count, 3);
    assert_int_equal(list.errors, 2);
    assert_int_equal(list.warnings, 1);
    struct buf out;
    buf_init(&out, 10000);
    errs_print(&list, &out);
    assert_string_equal(out.p, "f:1:2: error: one 1\n  1 | abc\n    |  ^\n  hint: H.\n"
                               "f:1:3: warning: two\n  1 | abc\n    |   ^\n"
                               "error: three\n");
    buf_clear(&out);
    errs_clear(&list);
    assert_int_equal(list.count + list.errors + list.warnings, 0);
    errs_clear(&list);
}

static void sorting_drops_what_was_said_before(void **state)
{
    (void)state;
    struct src *src = text_of("f", "a b");
    struct errs list = { 0 };
    err_hint(errs_add(&list, SEV_ERROR, ERR_CONF_KEY, span_of(src, "b"), "unknown"), "Seen.");
    errs_add(&list, SEV_ERROR, ERR_CONF_KEY, span_of(src, "b"), "other");
    errs_add(&list, SEV_WARNING, ERR_CONF_KEY, span_of(src, "b"), "unknown");
    errs_add(&list, SEV_ERROR, ERR_CONF_KEY, span_of(src, "a"), "unknown");
    errs_add(&list, SEV_ERROR, ERR_CONF_KEY, span_of(src, "b"), "unknown");
    errs_add(&list, SEV_WARNING, ERR_CONF_KEY, span_of(src, "b"), "unknown");
    for (int i = 0; i < 2; i++) /* without a place nothing is known to be the same */
        errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { 0 }, "no place");
    assert_int_equal(list.errors, 6); /* whoever compares the totals must see each */
    errs_sort(&list);
    static const char *const order[] = { "unknown", "unknown", "other", "unknown", "no place", "no place" };
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < list.count; i++)
        assert_string_equal(list.items[i].text, order[i]);
    assert_string_equal(list.items[1].hint, "Seen.");
    assert_int_equal(list.items[3].severity, SEV_WARNING);
    assert_int_equal(list.errors, 5);
    assert_int_equal(list.warnings, 1);
    assert_int_equal(src->refs, 5);
    errs_clear(&list);
    assert_int_equal(src->refs, 1);
    src_unref(src);
}

static void lists_are_bounded(void **state)
{
    (void)state;
    struct errs list = { 0 };
    struct src *src = text_of("f", "abc");
    for (int i = 0; i < ERRS_MAX + 5; i++) {
        struct err *e =
            errs_add(&list, i % 2 ? SEV_ERROR : SEV_WARNING, ERR_CONF_KEY, span_of(src, "b"), "n%zu", (size_t)i);
        assert_non_null(e);
        err_hint(e, "h");
    }
    assert_int_equal(list.count, ERRS_MAX);
    assert_int_equal(list.errors + list.warnings, ERRS_MAX + 5);
    struct buf out;
    buf_init(&out, 1 << 20);
    errs_print(&list, &out);
    assert_non_null(strstr(out.p, "\n2 more errors and 3 more warnings are not shown\n"));
    buf_clear(&out);
    errs_clear(&list);
    assert_int_equal(src->refs, 1);
    src_unref(src);
}

static void lists_sort_by_text_and_place(void **state)
{
    (void)state;
    struct src *a = text_of("a", "sql: |\n  x y z\nend: \"1\\n2\"\n"), *b = text_of("b", "0123456789");
    struct src *exact = src_new_inner("x y z\n", 6, (struct span) { a, 9, 6 }, SRC_EXACT, 2);
    struct src *inside = src_new_inner("1\n2", 3, span_of(a, "\"1"), SRC_INSIDE, 0);
    struct errs list = { 0 };
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { b, 5, 1 }, "b5");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { inside, 2, 1 }, "in2");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { exact, 4, 1 }, "z");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { b, 1, 1 }, "b1");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { inside, 0, 1 }, "in0");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { exact, 0, 1 }, "x");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { a, 16, 1 }, "end");
    errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { b, 1, 1 }, "b1 again");
    errs_sort(&list);
    static const char *const order[] = { "b1", "b1 again", "b5", "x", "z", "end", "in0", "in2" };
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_string_equal(list.items[i].text, order[i]);
    errs_clear(&list);
    src_unref(exact);
    src_unref(inside);
    assert_int_equal(a->refs, 1);
    src_unref(a);
    src_unref(b);
    errs_sort(&list); /* empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_stays),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(a_text_that_just_fits_stays_whole),
        cmocka_unit_test(codes_have_unique_names),
        cmocka_unit_test(prints_as_documented),
        cmocka_unit_test(prints_without_a_place),
        cmocka_unit_test(carets_count_characters),
        cmocka_unit_test(spans_end_with_their_first_line),
        cmocka_unit_test(empty_spans_get_one_caret),
        cmocka_unit_test(spans_beyond_the_text_are_clipped),
        cmocka_unit_test(wide_line_numbers_move_the_gutter),
        cmocka_unit_test(long_lines_are_cut_around_the_caret),
        cmocka_unit_test(carets_do_not_leave_the_cut_line),
        cmocka_unit_test(inner_exact_text_shows_the_file),
        cmocka_unit_test(inner_text_that_does_not_map_shows_itself),
        cmocka_unit_test(lists_count_and_keep_their_texts),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(sorting_drops_what_was_said_before),
        cmocka_unit_test(lists_sort_by_text_and_place),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
