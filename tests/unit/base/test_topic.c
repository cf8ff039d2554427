/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/topic.h"

static void checks_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "/", "a/b", "$aws/x", "a//b", " ", "\xc3\xa4" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(topic_check(good[i], strlen(good[i]), NULL), 0);
    struct err e = { 0 };
    assert_int_equal(topic_check("a/+/b", 5, &e), -1);
    assert_int_equal(e.code, ERR_TEMPLATE);
    assert_string_equal(e.text, "topic \"a/+/b\" holds the wildcard \"+\"");
    assert_int_equal(topic_check("a#", 2, NULL), -1);
    assert_int_equal(topic_check("", 0, NULL), -1);
    assert_int_equal(topic_check("a\0b", 3, NULL), -1);
    assert_int_equal(topic_check("\xff", 1, NULL), -1);
    assert_int_equal(topic_check("a\x01", 2, &(struct err) { 0 }), -1);
    assert_int_equal(topic_check("a\xef\xbf\xbe", 4, NULL), -1); /* U+FFFE */
    static char big[TOPIC_MAX_BYTES + 1];
    memset(big, '/', TOPIC_MAX_LEVELS);
    assert_int_equal(topic_check(big, TOPIC_MAX_LEVELS - 1, NULL), 0);
    assert_int_equal(topic_check(big, TOPIC_MAX_LEVELS, NULL), -1);
    memset(big, 'x', sizeof(big));
    assert_int_equal(topic_check(big, TOPIC_MAX_BYTES, NULL), 0);
    assert_int_equal(topic_check(big, TOPIC_MAX_BYTES + 1, NULL), -1);
}

static void assert_bad_filter(const char *filter, size_t len, size_t expected)
{
    size_t bad = 999;
    const char *why = NULL;
    assert_int_equal(topic_filter_check(filter, len, &bad, &why), -1);
    assert_int_equal(bad, expected);
    assert_non_null(why);
}

static void checks_filters(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "+", "#", "+/+", "a/#", "/", "/+", "+/", "a/+/#", "$SYS/#", "a//b" };
    size_t bad;
    const char *why;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(topic_filter_check(good[i], strlen(good[i]), &bad, &why), 0);
    assert_bad_filter("", 0, 0);
    assert_bad_filter("a+", 2, 1);
    assert_bad_filter("a/+b/c", 6, 2);
    assert_bad_filter("a/#/c", 5, 2);
    assert_bad_filter("#/", 2, 0);
    assert_bad_filter("ab/c#", 5, 4);
    assert_bad_filter("a/##", 4, 2);
    assert_bad_filter("a/\0", 3, 2);
    assert_bad_filter("a/b\x01/#", 6, 3);
    assert_bad_filter("ab\xff", 3, 2);
}

struct match {
    const char *filter, *topic;
    bool yes;
};

static void matches(void **state)
{
    (void)state;
    static const struct match rows[] = {
        { "a/b", "a/b", true },       { "a/b", "a/c", false },
        { "a/b", "a", false },        { "a", "a/b", false },
        { "a/b", "a/bc", false },     { "+", "a", true },
        { "+", "a/b", false },        { "+/b", "a/b", true },
        { "a/+", "a/", true },        { "a/+", "a", false },
        { "+/+", "/", true },         { "/+", "/a", true },
        { "+", "/a", false },         { "#", "a", true },
        { "#", "/", true },           { "#", "a/b/c", true },
        { "a/#", "a/b", true },       { "a/#", "a/b/c", true },
        { "a/#", "a/", true },        { "a/#", "a", false }, /* the deviation */
        { "a/+/#", "a/b", false },    { "a/+/#", "a/b/", true },
        { "#", "$SYS/x", false },     { "+/x", "$SYS/x", false },
        { "$SYS/#", "$SYS/x", true }, { "$SYS/+", "$SYS/x", true },
        { "a/+", "a/$x", true },      { "$aws/things/+/shadow/update", "$aws/things/t1/shadow/update", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct match *m = &rows[i];
        assert_int_equal(topic_filter_match(m->filter, strlen(m->filter), m->topic, strlen(m->topic)), m->yes);
    }
}

static bool overlap(const char *a, const char *b)
{
    bool yes = topic_filter_overlap(a, strlen(a), b, strlen(b));
    assert_int_equal(topic_filter_overlap(b, strlen(b), a, strlen(a)), yes);
    return yes;
}

static bool covers(const char *a, const char *b)
{
    return topic_filter_covers(a, strlen(a), b, strlen(b));
}

static void overlaps(void **state)
{
    (void)state;
    assert_true(overlap("a/b", "a/b"));
    assert_false(overlap("a/b", "a/c"));
    assert_true(overlap("a/+", "+/b"));
    assert_true(overlap("a/#", "a"));
    assert_true(overlap("a/#", "+/b/c"));
    assert_false(overlap("a/+", "a"));
    assert_false(overlap("a/+/c", "a/b/d"));
    assert_true(overlap("#", "+"));
    assert_false(overlap("#", "$SYS/x"));
    assert_false(overlap("+/x", "$SYS/x"));
    assert_true(overlap("$SYS/#", "$SYS/+"));
    assert_true(overlap("a/b/#", "a/#"));
    assert_false(overlap("a/b/#", "a"));
}

static void covers_all_topics(void **state)
{
    (void)state;
    assert_true(covers("a/b", "a/b"));
    assert_true(covers("a/+", "a/b"));
    assert_false(covers("a/b", "a/+"));
    assert_true(covers("a/#", "a"));
    assert_true(covers("a/#", "a/+/c"));
    assert_true(covers("a/#", "a/#"));
    assert_false(covers("a/+", "a/#"));
    assert_false(covers("a", "a/#"));
    assert_true(covers("#", "+/b"));
    assert_true(covers("+/#", "#"));
    assert_false(covers("+/+/#", "#"));
    assert_false(covers("+", "#"));
    assert_false(covers("#", "$SYS/x"));
    assert_false(covers("+/x", "$SYS/x"));
    assert_true(covers("$SYS/#", "$SYS/x"));
    assert_false(covers("+/#", "$SYS/#"));
}

/* All filters of up to three levels and all topics of up to four over a small alphabet, held against the definition. The
 * topics have a word and a level that no filter has, so that wildcards show. */
enum { MAX_LEVELS = 4, MAX_TEXTS = 200 };

struct texts {
    char text[MAX_TEXTS][16];
    size_t count;
};

static void add_texts(struct texts *all, const char *const *words, size_t word_count, size_t levels)
{
    size_t total = 1, bad;
    const char *why;
    for (size_t i = 0; i < levels; i++)
        total *= word_count;
    for (size_t code = 0; code < total; code++) {
        assert_true(all->count < MAX_TEXTS);
        char *s = all->text[all->count];
        s[0] = '\0';
        size_t rest = code;
        for (size_t i = 0; i < levels; i++, rest /= word_count)
            strcat(strcat(s, i ? "/" : ""), words[rest % word_count]);
        all->count += topic_filter_check(s, strlen(s), &bad, &why) == 0;
    }
}

/* MQTT's meaning: the language's, and "x/#" also matches "x". */
static bool mqtt_match(const char *filter, const char *topic)
{
    size_t len = strlen(filter);
    if (topic_filter_match(filter, len, topic, strlen(topic)))
        return true;
    return len > 2 && strcmp(filter + len - 2, "/#") == 0 && topic_filter_match(filter, len - 2, topic, strlen(topic));
}

static void overlap_and_cover_follow_the_definition(void **state)
{
    (void)state;
    static const char *const filter_words[] = { "a", "$", "+", "#" }, *const topic_words[] = { "a", "$", "z" };
    static struct texts filters, topics;
    for (size_t levels = 1; levels <= MAX_LEVELS; levels++) {
        if (levels < MAX_LEVELS)
            add_texts(&filters, filter_words, 4, levels);
        add_texts(&topics, topic_words, 3, levels);
    }
    assert_int_equal(topics.count, 3 + 9 + 27 + 81);
    for (size_t i = 0; i < filters.count * filters.count; i++) {
        const char *x = filters.text[i / filters.count], *y = filters.text[i % filters.count];
        bool any = false, all = true;
        for (size_t k = 0; k < topics.count; k++) {
            bool in_x = mqtt_match(x, topics.text[k]), in_y = mqtt_match(y, topics.text[k]);
            any = any || (in_x && in_y);
            all = all && (in_x || !in_y);
        }
        if (overlap(x, y) != any || covers(x, y) != all)
            fail_msg("%s and %s: overlap should be %d, covers %d", x, y, any, all);
    }
}

static void assert_level(const char *topic, size_t n, const char *expected)
{
    size_t len = 0;
    const char *s = topic_level(topic, strlen(topic), n, &len);
    if (!expected) {
        assert_null(s);
        return;
    }
    assert_non_null(s);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(s, expected, len);
}

static void finds_levels(void **state)
{
    (void)state;
    assert_level("a/bc/", 0, NULL);
    assert_level("a/bc/", 1, "a");
    assert_level("a/bc/", 2, "bc");
    assert_level("a/bc/", 3, "");
    assert_level("a/bc/", 4, NULL);
    assert_level("/x", 1, "");
    assert_level("abc", 1, "abc");
    assert_level("abc", SIZE_MAX, NULL);
}

static void assert_basic(const char *topic, bool yes, const char *name, const char *rest)
{
    const char *n = NULL, *r = NULL;
    size_t n_len = 99, r_len = 99;
    assert_int_equal(topic_basic_ingest(topic, strlen(topic), &n, &n_len, &r, &r_len), yes);
    if (!yes)
        return;
    assert_int_equal(n_len, strlen(name));
    assert_memory_equal(n, name, n_len);
    assert_int_equal(r_len, strlen(rest));
    assert_memory_equal(r, rest, r_len);
}

static void splits_basic_ingest(void **state)
{
    (void)state;
    assert_basic("$aws/rules/R/a/b", true, "R", "a/b");
    assert_basic("$aws/rules/R/", true, "R", "");
    assert_basic("$aws/rules/R", true, "R", "");
    assert_basic("$aws/rules/", true, "", "");
    assert_basic("$aws/rules//x", true, "", "x");
    assert_basic("$aws/rules", false, "", "");
    assert_basic("$aws/rule/R/a", false, "", "");
    assert_basic("x", false, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_names),      cmocka_unit_test(checks_filters),
        cmocka_unit_test(matches),           cmocka_unit_test(overlaps),
        cmocka_unit_test(covers_all_topics), cmocka_unit_test(overlap_and_cover_follow_the_definition),
        cmocka_unit_test(finds_levels),      cmocka_unit_test(splits_basic_ingest),
    };
    return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
