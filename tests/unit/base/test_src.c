/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/src.h"

static struct src *text_of(const char *text)
{
    struct src *src = src_new("f", text, strlen(text));
    assert_non_null(src);
    return src;
}

static void assert_place(const struct src *src, uint32_t off, uint32_t line, uint32_t column)
{
    struct src_place p = src_place_of(src, off);
    assert_int_equal(p.line, line);
    assert_int_equal(p.column, column);
}

static void copies_name_and_text(void **state)
{
    (void)state;
    char name[] = "a.yaml", text[] = "x\0y";
    struct src *src = src_new(name, text, 3);
    memset(name, '#', sizeof(name));
    memset(text, '#', sizeof(text));
    assert_string_equal(src->name, "a.yaml");
    assert_memory_equal(src->text, "x\0y", 4);
    assert_int_equal(src->len, 3);
    assert_int_equal(src->fit, SRC_ALONE);
    src_unref(src);
    src_unref(NULL);
}

static void inner_text_keeps_the_outer_one(void **state)
{
    (void)state;
    struct src *file = text_of("a: b\n");
    struct src *inner = src_new_inner("b", 1, (struct span) { file, 3, 1 }, SRC_EXACT, 0);
    assert_int_equal(file->refs, 2);
    src_unref(file);
    assert_string_equal(inner->name, "f");
    assert_place(inner, 0, 1, 4);
    assert_ptr_equal(src_ref(inner), inner);
    src_unref(inner);
    src_unref(inner); /* the leak checker sees whether both texts went */
}

static void finds_lines_and_columns(void **state)
{
    (void)state;
    struct src *src = text_of("ab\nc\r\n\nde");
    assert_place(src, 0, 1, 1);
    assert_place(src, 1, 1, 2);
    assert_place(src, 2, 1, 3); /* the line end itself */
    assert_place(src, 3, 2, 1);
    assert_place(src, 4, 2, 2);
    assert_place(src, 5, 2, 2); /* \n of \r\n is not a column of its own */
    assert_place(src, 6, 3, 1);
    assert_place(src, 8, 4, 2);
    assert_place(src, 9, 4, 3); /* end of text */
    assert_place(src, 500, 4, 3);
    struct src_place p = src_place_of(src, 4);
    assert_int_equal(p.line_off, 3);
    assert_int_equal(p.line_len, 1);
    src_unref(src);
}

static void counts_characters(void **state)
{
    (void)state;
    struct src *src = text_of("\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82x\n\xff\x80y");
    assert_place(src, 2, 1, 2);
    assert_place(src, 5, 1, 3);
    assert_place(src, 9, 1, 4);
    assert_place(src, 13, 2, 3); /* invalid bytes count one each */
    src_unref(src);
}

static void end_is_behind_the_last_line(void **state)
{
    (void)state;
    struct src *src = text_of("SELECT\n\r\n\n");
    assert_place(src, 10, 1, 7);
    src_unref(src);
    src = text_of("\n\n");
    assert_place(src, 2, 1, 1);
    src_unref(src);
    src = text_of("");
    assert_place(src, 0, 1, 1);
    src_unref(src);
}

static void exact_fit_moves_lines_and_columns(void **state)
{
    (void)state;
    struct src *file = text_of("name: x\nsql: |\n  one\n\n    two\n  three\nnext: 1\n");
    /* the block begins at "one", offset 17 */
    const char *sql = "one\n\n  two\nthree\n";
    struct src *inner = src_new_inner(sql, strlen(sql), (struct span) { file, 17, 24 }, SRC_EXACT, 2);
    assert_place(inner, 0, 3, 3);
    assert_place(inner, 2, 3, 5);
    assert_place(inner, 4, 4, 1);  /* the blank line has no indentation in the file */
    assert_place(inner, 7, 5, 5);  /* "two" */
    assert_place(inner, 11, 6, 3); /* "three" */
    assert_place(inner, 17, 6, 8); /* the end: behind "three", not on "next" */
    assert_ptr_equal(src_place_of(inner, 7).src, file);
    assert_memory_equal(file->text + src_place_of(inner, 7).off, "two", 3);
    src_unref(inner);
    src_unref(file);
}

static void exact_fit_nests(void **state)
{
    (void)state;
    struct src *file = text_of("k: 'abc def'\n");
    struct src *mid = src_new_inner("abc def", 7, (struct span) { file, 4, 7 }, SRC_EXACT, 0);
    struct src *in = src_new_inner("def", 3, (struct span) { mid, 4, 3 }, SRC_EXACT, 0);
    assert_place(in, 1, 1, 10);
    assert_ptr_equal(src_place_of(in, 1).src, file);
    src_unref(file);
    src_unref(mid);
    src_unref(in);
}

static void exact_fit_survives_a_short_outer_text(void **state)
{
    (void)state;
    struct src *file = text_of("a: b");
    struct src *inner = src_new_inner("b\nc\nd", 5, (struct span) { file, 3, 1 }, SRC_EXACT, 2);
    assert_place(inner, 4, 1, 5);
    src_unref(inner);
    src_unref(file);
}

static void inside_stays_in_the_inner_text(void **state)
{
    (void)state;
    struct src *file = text_of("\n\nk: \"a\\nb\"\n");
    struct src *inner = src_new_inner("a\nb", 3, (struct span) { file, 5, 6 }, SRC_INSIDE, 0);
    assert_place(inner, 2, 2, 1);
    assert_ptr_equal(src_place_of(inner, 2).src, inner);
    struct span out = src_outermost(inner, 2);
    assert_ptr_equal(out.src, file);
    assert_int_equal(out.off, 5);
    src_unref(inner);
    src_unref(file);
}

static void inner_without_outer_stands_alone(void **state)
{
    (void)state;
    struct src *inner = src_new_inner("abc", 3, (struct span) { 0 }, SRC_INSIDE, 0);
    assert_int_equal(inner->fit, SRC_ALONE);
    assert_place(inner, 1, 1, 2);
    src_unref(inner);
}

static void outermost_of_exact(void **state)
{
    (void)state;
    struct src *file = text_of("k: |\n  a\n  b\n");
    struct src *inner = src_new_inner("a\nb\n", 4, (struct span) { file, 7, 6 }, SRC_EXACT, 2);
    assert_int_equal(src_outermost(inner, 2).off, 11);
    assert_int_equal(src_outermost(file, 4).off, 4);
    src_unref(inner);
    src_unref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_name_and_text),
        cmocka_unit_test(inner_text_keeps_the_outer_one),
        cmocka_unit_test(finds_lines_and_columns),
        cmocka_unit_test(counts_characters),
        cmocka_unit_test(end_is_behind_the_last_line),
        cmocka_unit_test(exact_fit_moves_lines_and_columns),
        cmocka_unit_test(exact_fit_nests),
        cmocka_unit_test(exact_fit_survives_a_short_outer_text),
        cmocka_unit_test(inside_stays_in_the_inner_text),
        cmocka_unit_test(inner_without_outer_stands_alone),
        cmocka_unit_test(outermost_of_exact),
    };
    return cmocka_run_group_tests_name("src", tests, NULL, NULL);
}
