/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/err.h"

static const char *const words[] = { "clientid", "topic", "timestamp", "abs", "qos", "round", "trunc" };

static const char *near(const char *given)
{
    return nearest_word(given, strlen(given), words, sizeof(words) / sizeof(words[0]));
}

static void finds_the_word_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(near("clientident"), "clientid");
    assert_string_equal(near("tpic"), "topic");
    assert_string_equal(near("TOPIC"), "topic");
    assert_string_equal(near("timestmap"), "timestamp");
    assert_string_equal(near("qso"), "qos"); /* a swap counts once */
    assert_string_equal(near("roundd"), "round");
}

static void says_nothing_when_nothing_is_near(void **state)
{
    (void)state;
    assert_null(near("xyz"));
    assert_null(near(""));
    assert_null(near("q"));
    assert_null(near("temperature"));
    assert_null(nearest_word("a", 1, words, 0));
}

static void prefers_the_nearest(void **state)
{
    (void)state;
    static const char *const similar[] = { "columnss", "column", "columns" };
    assert_string_equal(nearest_word("colums", 6, similar, 3), "column"); /* first of equals */
    assert_string_equal(nearest_word("columns", 7, similar, 3), "columns");
}

static void long_words_are_left_alone(void **state)
{
    (void)state;
    char big[1000];
    memset(big, 'a', sizeof(big));
    big[999] = '\0';
    const char *const list[] = { big, "topic" };
    assert_null(nearest_word(big, 999, list, 2));
    assert_string_equal(nearest_word("topik", 5, list, 2), "topic");
    assert_string_equal(nearest_word("topikXXXX", 5, list, 2), "topic"); /* the length counts, not a NUL */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_word_that_was_meant),
        cmocka_unit_test(says_nothing_when_nothing_is_near),
        cmocka_unit_test(prefers_the_nearest),
        cmocka_unit_test(long_words_are_left_alone),
    };
    return cmocka_run_group_tests_name("nearest_word", tests, NULL, NULL);
}
