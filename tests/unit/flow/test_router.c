/* SPDX-License-Identifier: Apache-2.0 */
/* Router: hand-picked topics, and random rule sets held against topic_filter_match one filter at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/base/topic.h"
#include "engine/flow/router.h"

#define MAX_FOUND 4096

/* A router of rules 0, 1, 2 … named r0, r1, r2 …; a NULL filter is a Basic Ingest rule. Ids are 100 + index of the
 * filter's first rule. */
static struct router *make(const char *const *filters, size_t count)
{
    struct router_entry *entries = calloc(count + 1, sizeof(*entries));
    char(*names)[24] = calloc(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        entries[i] = (struct router_entry) { .filter = filters[i], .rule_name = names[i], .rule = (uint32_t)i };
        if (!filters[i])
            continue;
        entries[i].filter_len = strlen(filters[i]);
        entries[i].filter_id = (uint32_t)(100 + i);
        for (size_t k = 0; k < i; k++) {
            if (filters[k] && strcmp(filters[k], filters[i]) == 0)
                entries[i].filter_id = entries[k].filter_id;
        }
    }
    struct router *r = router_new(entries, count);
    assert_non_null(r);
    free(entries); /* the router keeps nothing of its input */
    free(names);
    return r;
}

static size_t match_ids(const struct router *r, const char *topic, const uint32_t *ids, size_t id_count, uint32_t *out,
                        enum router_kind *kind)
{
    return router_match(r, topic, strlen(topic), ids, id_count, out, MAX_FOUND, kind);
}

/* The rules as text: "0 2 5". */
static const char *found(const struct router *r, const char *topic)
{
    static char text[256];
    uint32_t out[MAX_FOUND];
    enum router_kind kind;
    size_t n = match_ids(r, topic, NULL, 0, out, &kind), len = 0;
    assert_int_equal(kind, ROUTER_TOPIC);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", i ? " " : "", out[i]);
    return text;
}

static void test_wildcards(void **state)
{
    (void)state;
    const char *const filters[] = { "a/b", "a/+", "a/#", "#", "+/b", "+", "a/b/c", "+/+/c", "a//c", "a" };
    struct router *r = make(filters, 10);
    assert_string_equal(found(r, "a/b"), "0 1 2 3 4");
    assert_string_equal(found(r, "a"), "3 5 9"); /* not a/# */
    assert_string_equal(found(r, "a/"), "1 2 3");
    assert_string_equal(found(r, "a/b/c"), "2 3 6 7");
    assert_string_equal(found(r, "a//c"), "2 3 7 8");
    assert_string_equal(found(r, "x/b"), "3 4");
    assert_string_equal(found(r, "x/y/z"), "3");
    assert_string_equal(found(r, "ab"), "3 5");
    router_free(r);
}

static void test_dollar_topics(void **state)
{
    (void)state;
    const char *const filters[] = { "#", "+/x", "$aws/#", "$aws/+", "$aws/x", "+/#", "$aws/things/+/shadow" };
    struct router *r = make(filters, 7);
    assert_string_equal(found(r, "$aws/x"), "2 3 4");
    assert_string_equal(found(r, "$aws"), "");
    assert_string_equal(found(r, "$aws/things/t/shadow"), "2 6");
    assert_string_equal(found(r, "aws/x"), "0 1 5");
    assert_string_equal(found(r, "x/$aws"), "0 5");
    router_free(r);
}

static void test_backtracking(void **state)
{
    (void)state;
    const char *const filters[] = { "a/b/c/d", "a/+/c/e", "+/b/+/f", "a/b/+/f", "+/+/+/+" };
    struct router *r = make(filters, 5);
    assert_string_equal(found(r, "a/b/c/f"), "2 3 4");
    assert_string_equal(found(r, "a/b/c/e"), "1 4");
    assert_string_equal(found(r, "a/b/c/d/e"), "");
    router_free(r);
}

static void test_basic_ingest(void **state)
{
    (void)state;
    const char *const filters[] = { "a/#", NULL, "$aws/#", "#" };
    struct router *r = make(filters, 4);
    uint32_t out[4];
    enum router_kind kind;
    const char *const topics[] = { "$aws/rules/r1/plant/7", "$aws/rules/r1/", "$aws/rules/r1" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(match_ids(r, topics[i], NULL, 0, out, &kind), 1);
        assert_int_equal(kind, ROUTER_BASIC_INGEST);
        assert_int_equal(out[0], 1);
    }
    assert_int_equal(match_ids(r, "$aws/rules/r0/x", NULL, 0, out, &kind), 1); /* its filter does not matter */
    assert_int_equal(out[0], 0);
    const char *const unknown[] = { "$aws/rules/r9/x", "$aws/rules/", "$aws/rules/R1/x", "$aws/rules//r1" };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(match_ids(r, unknown[i], NULL, 0, out, &kind), 0);
        assert_int_equal(kind, ROUTER_RULE_NOT_FOUND);
    }
    assert_int_equal(match_ids(r, "$aws/rulesx/r1", NULL, 0, out, &kind), 1);
    assert_int_equal(kind, ROUTER_TOPIC);
    router_free(r);
}

/* With MQTT 5, '$aws/#' brings a second copy of a Basic Ingest message; it must not run the rule again. */
static void test_basic_ingest_copies(void **state)
{
    (void)state;
    const char *const filters[] = { "$aws/#", NULL };
    struct router *r = make(filters, 2);
    uint32_t out[4];
    enum router_kind kind;
    const uint32_t foreign[] = { 100 }, both[] = { 100, 7 };
    assert_int_equal(match_ids(r, "$aws/rules/r1/x", foreign, 1, out, &kind), 0);
    assert_int_equal(kind, ROUTER_TOPIC);
    assert_int_equal(match_ids(r, "$aws/rules/r1/x", both, 2, out, &kind), 1);
    assert_int_equal(kind, ROUTER_BASIC_INGEST);
    router_free(r);
}

static void test_filter_ids(void **state)
{
    (void)state;
    const char *const filters[] = { "a/#", "a/+", "a/b", "a/#", "c" };
    struct router *r = make(filters, 5);
    uint32_t out[8];
    enum router_kind kind;
    const uint32_t one[] = { 100 }, two[] = { 102, 101 }, unknown[] = { 999 }, other[] = { 104 },
                   mixed[] = { 999, 101 };
    assert_int_equal(match_ids(r, "a/b", one, 1, out, &kind), 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 3);
    assert_int_equal(match_ids(r, "a/b", two, 2, out, &kind), 2);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
    assert_int_equal(match_ids(r, "a/b", unknown, 1, out, &kind), 0);
    assert_int_equal(match_ids(r, "a/b", other, 1, out, &kind), 0); /* the topic still has to match */
    assert_int_equal(match_ids(r, "a/b", mixed, 2, out, &kind), 1);
    assert_int_equal(match_ids(r, "a", one, 1, out, &kind), 0); /* MQTT's a/# matches "a", the rule's does not */
    router_free(r);
}

static void test_too_small_array(void **state)
{
    (void)state;
    const char *const filters[] = { "a", "a", "a", "+", "#" };
    struct router *r = make(filters, 5);
    uint32_t out[3] = { 77, 77, 77 };
    enum router_kind kind;
    assert_int_equal(router_match(r, "a", 1, NULL, 0, out, 2, &kind), 5);
    assert_int_equal(out[2], 77);
    assert_int_equal(router_match(r, "a", 1, NULL, 0, NULL, 0, &kind), 5);
    router_free(r);
}

static void test_empty(void **state)
{
    (void)state;
    struct router *r = router_new(NULL, 0);
    assert_non_null(r);
    assert_string_equal(found(r, "a/b"), "");
    assert_string_equal(found(r, ""), "");
    router_free(r);
    router_free(NULL);
}

/* A topic of the longest kind against filters as deep: no recursion, no trouble. */
static void test_deep(void **state)
{
    (void)state;
    size_t len = TOPIC_MAX_BYTES;
    char *plus = malloc(len + 1), *topic = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        plus[i] = i % 2 ? '/' : '+';
        topic[i] = i % 2 ? '/' : 'a';
    }
    plus[len] = topic[len] = '\0';
    const char *const filters[] = { plus, topic, "a/a/a/#" };
    struct router *r = make(filters, 3);
    assert_string_equal(found(r, topic), "0 1 2");
    topic[len - 1] = 'b';
    assert_string_equal(found(r, topic), "0 2");
    router_free(r);
    free(plus);
    free(topic);
}

/* ---- against brute force ---- */

#define FILTERS 120
#define TOPICS  400

static void random_levels(struct random *rnd, char *out, bool is_filter)
{
    static const char *const words[] = { "a", "b", "c", "", "$x", "aa" };
    size_t levels = 1 + random_u64(rnd) % 5, len = 0;
    for (size_t i = 0; i < levels; i++) {
        uint64_t pick = random_u64(rnd) % 10;
        const char *word = words[random_u64(rnd) % 6];
        if (is_filter && pick < 3)
            word = "+";
        if (is_filter && pick == 3 && i + 1 == levels)
            word = "#";
        len += (size_t)snprintf(out + len, 32 - len, "%s%s", i ? "/" : "", word);
    }
}

static size_t expected(char filters[][32], size_t count, const char *topic, const uint32_t *ids, size_t id_count,
                       uint32_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        while (strcmp(filters[first], filters[i]) != 0)
            first++;
        bool wanted = id_count == 0;
        for (size_t k = 0; k < id_count; k++)
            wanted = wanted || ids[k] == 100 + first;
        if (wanted && topic_filter_match(filters[i], strlen(filters[i]), topic, strlen(topic)))
            out[n++] = (uint32_t)i;
    }
    return n;
}

static size_t compare_one_set(struct random *rnd)
{
    static char filters[FILTERS][32];
    const char *pointers[FILTERS];
    size_t count = 1 + random_u64(rnd) % FILTERS, total = 0;
    for (size_t i = 0; i < count; i++) {
        random_levels(rnd, filters[i], true);
        pointers[i] = filters[i];
    }
    struct router *r = make(pointers, count);
    for (size_t t = 0; t < TOPICS; t++) {
        char topic[32];
        uint32_t want[FILTERS], got[FILTERS], ids[3];
        enum router_kind kind;
        random_levels(rnd, topic, false);
        size_t id_count = random_u64(rnd) % 4;
        for (size_t k = 0; k < id_count; k++)
            ids[k] = (uint32_t)(100 + random_u64(rnd) % count);
        size_t n = expected(filters, count, topic, ids, id_count, want);
        assert_int_equal(router_match(r, topic, strlen(topic), ids, id_count, got, FILTERS, &kind), n);
        assert_memory_equal(got, want, n * sizeof(*got));
        total += n;
    }
    router_free(r);
    return total;
}

static void test_against_brute_force(void **state)
{
    (void)state;
    struct random rnd;
    random_seed(&rnd, 20160323);
    size_t total = 0;
    for (int i = 0; i < 200; i++)
        total += compare_one_set(&rnd);
    assert_true(total > 10000); /* the random sets do match something */
}

/* 100,000 rules, most of them under one parent: built and asked without any cost per rule, nor memory. */
static void test_many_rules(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    char(*filters)[32] = calloc(MANY, sizeof(*filters));
    const char **pointers = calloc(MANY, sizeof(*pointers));
    struct router_entry *entries = calloc(MANY, sizeof(*entries));
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(filters[i], sizeof(filters[i]), i % 10 ? "plant/%u/telemetry" : "plant/%u/#", i);
        entries[i] = (struct router_entry) { filters[i], strlen(filters[i]), i + 1, filters[i], i };
    }
    struct router *r = router_new(entries, MANY);
    assert_non_null(r);
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < MANY; i++) {
        char topic[64];
        uint32_t out[2];
        enum router_kind kind;
        int len = snprintf(topic, sizeof(topic), "plant/%u/telemetry", i);
        assert_int_equal(router_match(r, topic, (size_t)len, NULL, 0, out, 2, &kind), 1);
        assert_int_equal(out[0], i);
    }
    assert_int_equal(mallinfo2().uordblks, before);
    router_free(r);
    free(filters);
    free(pointers);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_dollar_topics),
        cmocka_unit_test(test_backtracking),
        cmocka_unit_test(test_basic_ingest),
        cmocka_unit_test(test_basic_ingest_copies),
        cmocka_unit_test(test_filter_ids),
        cmocka_unit_test(test_too_small_array),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_against_brute_force),
        cmocka_unit_test(test_many_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
