/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: numbers are stable and distinct; merged sets cover all inputs and do not overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/base/topic.h"
#include "engine/flow/filters.h"

#define MAX_FILTERS 64

static int compare_filters(const void *a, const void *b)
{
    return strcmp(((const struct source_filter *)a)->filter, ((const struct source_filter *)b)->filter);
}

/* ---- numbers ---- */

static void test_numbers_do_not_depend_on_company(void **state)
{
    (void)state;
    struct source_filter alone[] = { { "plant/+/telemetry", 0 } };
    struct source_filter many[] = { { "#", 0 }, { "a/b", 0 }, { "plant/+/telemetry", 0 }, { "x", 0 } };
    filters_number(alone, 1);
    filters_number(many, 4);
    assert_int_equal(alone[0].id, many[2].id);
    for (size_t i = 0; i < 4; i++)
        assert_in_range(many[i].id, 1, FILTER_ID_MAX);
    assert_int_equal(alone[0].id, 0x94aa401); /* the same on every machine: sessions outlive processes */
}

/* So many filters that hashes of 28 bits collide: all ids are distinct all the same, and the same the second time. */
static void test_collisions_are_moved_on(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct source_filter *filters = calloc(MANY, sizeof(*filters));
    char(*texts)[16] = calloc(MANY, sizeof(*texts));
    uint32_t *first = calloc(MANY, sizeof(*first));
    unsigned char *seen = calloc(FILTER_ID_MAX / 8 + 1, 1);
    size_t moved = 0;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof(texts[i]), "f/%06zu", i);
        filters[i].filter = texts[i];
    }
    filters_number(filters, MANY);
    for (size_t i = 0; i < MANY; i++) {
        uint32_t id = filters[i].id;
        struct source_filter alone = { texts[i], 0 };
        assert_in_range(id, 1, FILTER_ID_MAX);
        assert_false(seen[id / 8] & (1 << id % 8));
        seen[id / 8] |= (unsigned char)(1 << id % 8);
        first[i] = id;
        filters_number(&alone, 1);
        moved += alone.id != id;
    }
    assert_in_range(moved, 1, 200); /* about MANY²/2^29 = 19 are expected */
    filters_number(filters, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(filters[i].id, first[i]);
    free(filters);
    free(texts);
    free(first);
    free(seen);
}

/* ---- merging ---- */

/* Merge filters given with "|" between them; the result in the same form. */
static const char *merged(const char *list)
{
    static char out[512];
    char copy[256];
    struct source_filter filters[MAX_FILTERS];
    size_t count = 0, n, len = 0;
    struct arena a;
    arena_init(&a, 1 << 20);
    snprintf(copy, sizeof(copy), "%s", list);
    for (char *save = NULL, *p = strtok_r(copy, "|", &save); p; p = strtok_r(NULL, "|", &save))
        filters[count++] = (struct source_filter) { .filter = p };
    qsort(filters, count, sizeof(*filters), compare_filters);
    const char **set = filters_merge(filters, count, &a, &n);
    assert_non_null(set);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s", i ? "|" : "", set[i]);
    arena_clear(&a);
    return out;
}

static void test_merge(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "a", "a" },
        { "a|b", "a|b" },
        { "a/#|a/+/c", "a/#" },
        { "a/+/c|a/b/+", "a/+/+" },
        { "a/+/c|a/b/c|a/d/c", "a/+/c" },
        { "a|a/#", "a/#" }, /* MQTT's a/# brings "a" too */
        { "a/#|b/#", "a/#|b/#" },
        { "a/#|+/b", "+/#" },
        { "+|a/#", "+/#" },
        { "#|a/b|$aws/x", "#|$aws/x" },
        { "#|+/#|a", "#" },
        { "$aws/+/x|$aws/y/+|+/#", "$aws/+/+|+/#" },
        { "$aws/#|$aws/rules/x|#", "#|$aws/#" },
        { "/a|/+", "/+" },
        { "/a/+|/+/b", "/+/+" },
        { "+/a|b/+", "+/+" },
        { "+/a|b/+|c/d", "+/+" },
        { "+/a|b/+|c/d/e", "+/+|c/d/e" },
        { "+/a/x|b/+/x|c/d/+", "+/+/+" }, /* the first two make +/+/x, which then meets the third */
        { "a/+/#|a/b", "a/+/#" },
        { "a//b|a/+/b", "a/+/b" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char want[512];
        snprintf(want, sizeof(want), "%s", merged(rows[i][1])); /* sorted */
        assert_string_equal(merged(rows[i][0]), want);
        assert_int_equal(strlen(want), strlen(rows[i][1])); /* and no wider */
    }
}

static void test_merge_nothing(void **state)
{
    (void)state;
    struct arena a;
    size_t n = 9;
    arena_init(&a, 1 << 16);
    assert_non_null(filters_merge(NULL, 0, &a, &n));
    assert_int_equal(n, 0);
    arena_clear(&a);
}

static void test_merge_out_of_memory(void **state)
{
    (void)state;
    struct source_filter filters[] = { { "a/+/c", 0 }, { "a/b/+", 0 } };
    struct arena a;
    size_t n;
    arena_init(&a, 0);
    assert_null(filters_merge(filters, 2, &a, &n));
    arena_clear(&a);
}

static void random_filter(struct random *rnd, char *out)
{
    static const char *const words[] = { "a", "b", "c", "", "$x" };
    size_t levels = 1 + random_u64(rnd) % 4, len = 0;
    for (size_t i = 0; i < levels; i++) {
        uint64_t pick = random_u64(rnd) % 8;
        const char *word = words[random_u64(rnd) % 5];
        if (pick == 0)
            word = "+";
        if (pick == 1 && i + 1 == levels)
            word = "#";
        len += (size_t)snprintf(out + len, 32 - len, "%s%s", i ? "/" : "", word);
    }
}

/* Does a broker send a message of this topic for the filter? Unlike the rule's meaning, "a/#" brings "a". */
static bool brings(const char *filter, const char *topic)
{
    return topic_filter_overlap(filter, strlen(filter), topic, strlen(topic));
}

static void check_merged(const struct source_filter *filters, size_t count, const char *const *set, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || strcmp(set[i - 1], set[i]) < 0);
        for (size_t k = 0; k < i; k++)
            assert_false(topic_filter_overlap(set[i], strlen(set[i]), set[k], strlen(set[k])));
        bool needed = false;
        for (size_t k = 0; k < count; k++)
            needed = needed || brings(set[i], filters[k].filter);
        assert_true(needed);
    }
    for (size_t i = 0; i < count; i++) {
        bool covered = false;
        for (size_t k = 0; k < n; k++)
            covered =
                covered || topic_filter_covers(set[k], strlen(set[k]), filters[i].filter, strlen(filters[i].filter));
        if (!covered)
            fail_msg("\"%s\" is not covered", filters[i].filter);
    }
}

/* Every topic of up to three levels of a small alphabet: brought once if any input brings it, never twice. */
static void check_topics(const struct source_filter *filters, size_t count, const char *const *set, size_t n)
{
    static const char *const words[] = { "a", "b", "c", "", "$x", "z" };
    for (size_t t = 0; t < 6 * 7 * 7; t++) {
        char topic[32];
        size_t x = t % 6, y = t / 6 % 7, z = t / 42;
        int len = snprintf(topic, sizeof(topic), "%s", words[x]);
        if (y > 0)
            len += snprintf(topic + len, sizeof(topic) - (size_t)len, "/%s", words[y - 1]);
        if (y > 0 && z > 0)
            snprintf(topic + len, sizeof(topic) - (size_t)len, "/%s", words[z - 1]);
        size_t wanted = 0, got = 0;
        for (size_t i = 0; i < count; i++)
            wanted += brings(filters[i].filter, topic);
        for (size_t i = 0; i < n; i++)
            got += brings(set[i], topic);
        assert_true(got <= 1);
        assert_true(got == 1 || wanted == 0);
    }
}

static void test_merge_random(void **state)
{
    (void)state;
    struct random rnd;
    random_seed(&rnd, 314159);
    size_t merged_sets = 0, kept = 0;
    for (int round = 0; round < 3000; round++) {
        char texts[MAX_FILTERS][32];
        struct source_filter filters[MAX_FILTERS];
        size_t wanted = 1 + random_u64(&rnd) % (round % 2 ? 6 : MAX_FILTERS), count = 0, n;
        for (size_t i = 0; i < wanted; i++) {
            random_filter(&rnd, texts[i]);
            filters[i] = (struct source_filter) { .filter = texts[i] };
        }
        qsort(filters, wanted, sizeof(*filters), compare_filters);
        for (size_t i = 0; i < wanted; i++) {
            if (count == 0 || strcmp(filters[count - 1].filter, filters[i].filter) != 0)
                filters[count++] = filters[i];
        }
        struct arena a;
        arena_init(&a, 1 << 22);
        const char **set = filters_merge(filters, count, &a, &n);
        assert_non_null(set);
        check_merged(filters, count, set, n);
        check_topics(filters, count, set, n);
        merged_sets += n < count;
        kept += n == count;
        arena_clear(&a);
    }
    assert_true(merged_sets > 500 && kept > 300);
}

/* As many filters as rules of a large plant, none overlapping, and then one that takes them all. */
static void test_merge_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct source_filter *filters = calloc(MANY + 1, sizeof(*filters));
    char(*texts)[24] = calloc(MANY, sizeof(*texts));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof(texts[i]), "plant/%06zu/+", i);
        filters[i].filter = texts[i];
    }
    struct arena a;
    size_t n;
    arena_init(&a, SIZE_MAX / 2);
    const char **set = filters_merge(filters, MANY, &a, &n);
    assert_non_null(set);
    assert_int_equal(n, MANY);
    filters[MANY].filter = "plant/#";
    set = filters_merge(filters, MANY + 1, &a, &n);
    assert_non_null(set);
    assert_int_equal(n, 1);
    assert_string_equal(set[0], "plant/#");
    arena_clear(&a);
    free(filters);
    free(texts);
}

/* ---- two lists as one ---- */

static void test_union(void **state)
{
    (void)state;
    struct source_filter a[] = { { "a", 1 }, { "c", 3 }, { "d", 4 } }, b[] = { { "b", 2 }, { "c", 3 }, { "e", 5 } };
    size_t count;
    struct source_filter *both = filters_union(a, 3, b, 3, &count);
    assert_non_null(both);
    assert_int_equal(count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(both[i].filter[0], 'a' + i);
        assert_int_equal(both[i].id, i + 1);
    }
    free(both);
    both = filters_union(NULL, 0, NULL, 0, &count);
    assert_non_null(both);
    assert_int_equal(count, 0);
    free(both);
}

/* A number that would stand for two filters, and a filter of two numbers: the broker could not tell them apart, nor we. */
static void test_union_of_what_does_not_agree(void **state)
{
    (void)state;
    struct source_filter a[] = { { "a", 1 } }, same_number[] = { { "b", 1 } }, other_number[] = { { "a", 2 } };
    size_t count;
    assert_null(filters_union(a, 1, same_number, 1, &count));
    assert_null(filters_union(a, 1, other_number, 1, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_do_not_depend_on_company),
        cmocka_unit_test(test_collisions_are_moved_on),
        cmocka_unit_test(test_union),
        cmocka_unit_test(test_union_of_what_does_not_agree),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_nothing),
        cmocka_unit_test(test_merge_out_of_memory),
        cmocka_unit_test(test_merge_random),
        cmocka_unit_test(test_merge_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
