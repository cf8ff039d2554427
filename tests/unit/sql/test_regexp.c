/* SPDX-License-Identifier: Apache-2.0 */
/* Searching with regular expressions: groups, and that no text makes a search long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sql/regexp.h"

#define MOST_MS 200 /* of processor time; five times what the slowest took, with sanitizers */

static struct sql_regexps *cache;

static int setup(void **state)
{
    (void)state;
    cache = sql_regexps_new();
    return cache ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sql_regexps_free(cache);
    return 0;
}

static bool begin(const char *pattern, const char *s)
{
    return sql_regexps_begin(cache, pattern, strlen(pattern), s, strlen(s));
}

static void assert_group(uint32_t group, size_t first, size_t last)
{
    struct sql_regexp_part part = sql_regexps_group(cache, group);
    assert_int_equal(part.begin, first);
    assert_int_equal(part.end, last);
}

static void groups_have_places_and_names(void **state)
{
    (void)state;
    assert_true(begin("(?<key>\\w+)=(?<value>\\d+)?", "a=12;bc="));
    assert_int_equal(sql_regexps_group_count(cache), 2);
    assert_int_equal(sql_regexps_group_named(cache, "value", 5), 2);
    assert_int_equal(sql_regexps_group_named(cache, "valu", 4), 0);
    assert_int_equal(sql_regexps_group_named(cache, "a name that is longer than 32 bytes", 35), 0);
    assert_int_equal(sql_regexps_find(cache, 0), SQL_REGEXP_YES);
    assert_group(0, 0, 4);
    assert_group(1, 0, 1);
    assert_group(2, 2, 4);
    assert_int_equal(sql_regexps_find(cache, 4), SQL_REGEXP_YES);
    assert_group(0, 5, 8);
    assert_group(1, 5, 7);
    assert_group(2, 0, 0);
    assert_int_equal(sql_regexps_find(cache, 8), SQL_REGEXP_NO);
    assert_false(begin("(", "x"));
    assert_false(begin("x", "\xff"));
}

static void room_for_groups_grows(void **state)
{
    enum { GROUPS = 500 };
    char pattern[3 * GROUPS + 1], text[GROUPS + 1];
    (void)state;
    for (int i = 0; i < GROUPS; i++)
        memcpy(pattern + 3 * i, "(.)", 4);
    memset(text, 'x', GROUPS);
    text[GROUPS] = '\0';
    assert_true(begin("(a)", "a"));
    assert_int_equal(sql_regexps_find(cache, 0), SQL_REGEXP_YES);
    assert_true(begin(pattern, text));
    assert_int_equal(sql_regexps_find(cache, 0), SQL_REGEXP_YES);
    assert_group(GROUPS, GROUPS - 1, GROUPS);
    assert_true(begin("(a)", "ba"));
    assert_int_equal(sql_regexps_find(cache, 0), SQL_REGEXP_YES);
    assert_group(1, 1, 2);
}

/* Search again and again, behind each match. */
static enum sql_regexp_answer find_all(const char *pattern, const char *s, size_t len)
{
    enum sql_regexp_answer answer;
    if (!sql_regexps_begin(cache, pattern, strlen(pattern), s, len))
        return SQL_REGEXP_NONE;
    for (size_t from = 0; from <= len; from++) {
        answer = sql_regexps_find(cache, from);
        if (answer != SQL_REGEXP_YES)
            return answer;
        from = sql_regexps_group(cache, 0).end;
    }
    return SQL_REGEXP_NO;
}

static void no_text_makes_a_search_long(void **state)
{
    static const char *const patterns[] = {
        "(a+)+$",     "a*[bc]",           "(a|a)*[bc]",        "(?:a*)*[bc]",
        ".*.*[bc]",   "(a|aa)+$",         "(.*)(.*)(.*)[bc]",  "a+a+a+[bc]",
        "(a+)\\1[x]", "(?:.a|a.)*[bc]",   "(?=a*[bc])x|a*[d]", "a*[bc]|a",
        "(?=(a*))",   "(?<=a{1,100})[b]", "([a-z]+)*=[0-9]",   "(?:a?){50}a{50}[bc]",
    };
    static const size_t sizes[] = { 30, 1000, SQL_REGEXP_SHORT_BYTES, SQL_REGEXP_SHORT_BYTES + 1, 10000, 128 << 10 };
    char *text = malloc(sizes[5] + 1);
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            memset(text, 'a', sizes[k]);
            text[sizes[k]] = '!';
            clock_t start = clock();
            find_all(patterns[i], text, sizes[k] + 1);
            long ms = (long)((clock() - start) * 1000 / CLOCKS_PER_SEC);
            if (ms > MOST_MS)
                fail_msg("%s: %ld ms for %zu bytes", patterns[i], ms, sizes[k]);
        }
    }
    free(text);
}

static void assert_found(const char *pattern, const char *s, size_t first, size_t last)
{
    if (!begin(pattern, s) || sql_regexps_find(cache, 0) != SQL_REGEXP_YES)
        fail_msg("%s: no match in %zu bytes", pattern, strlen(s));
    assert_group(0, first, last);
}

/* What takes more than the first, quick search still gets its answer. */
static void harmless_searches_of_long_texts_have_answers(void **state)
{
    enum { WORDS = 20000 };
    char *text = malloc(4 * WORDS + 1);
    (void)state;
    for (int words = 100; words <= WORDS; words += WORDS - 100) {
        size_t len = 4 * (size_t)words;
        for (int i = 0; i < words; i++)
            memcpy(text + 4 * i, i % 2 ? "xyx," : "abc,", 4);
        text[len] = '\0';
        assert_found("^(?:\\w+,)*$", text, 0, len);
        assert_found("x,$", text, len - 2, len);
        assert_int_equal(find_all("(\\w+),\\1,\\1", text, len), SQL_REGEXP_NO);
        text[len - 1] = '!';
        assert_found("(?:\\w+,)+\\w+!", text, 0, len);
        assert_found("[^,]+!", text, len - 4, len);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(groups_have_places_and_names, setup, teardown),
        cmocka_unit_test_setup_teardown(room_for_groups_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(no_text_makes_a_search_long, setup, teardown),
        cmocka_unit_test_setup_teardown(harmless_searches_of_long_texts_have_answers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
