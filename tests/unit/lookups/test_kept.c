/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are kept: for how long, which of them, and which goes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lookups/kept.h"

static struct kept *kept;

static int setup(void **state)
{
    (void)state;
    kept = kept_new();
    return kept ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    kept_free(kept);
    return 0;
}

static struct lookup_question question(const char *function, const char *args)
{
    return (struct lookup_question) { .function = function, .args = args, .args_len = strlen(args) };
}

static void add(const char *args, uint64_t until_ms, const char *text)
{
    struct lookup_question q = question("get_secret", args);
    kept_add(kept, &q, until_ms, text, strlen(text));
}

static void expect(const char *args, uint64_t now_ms, const char *text)
{
    struct lookup_question q = question("get_secret", args);
    char *found;
    size_t len;
    bool is_there = kept_find(kept, &q, now_ms, &found, &len);
    if (is_there != (text != NULL) || (text && (len != strlen(text) || strcmp(found, text) != 0)))
        fail_msg("%s at %llu: %s", args, (unsigned long long)now_ms, is_there ? found : "nothing");
    free(found);
}

static void an_answer_is_kept_until_its_time(void **state)
{
    (void)state;
    expect("[\"a\"]", 0, NULL);
    add("[\"a\"]", 1000, "\"x\"");
    expect("[\"a\"]", 999, "\"x\"");
    expect("[\"b\"]", 999, NULL);
    expect("[\"a\"]", 1000, NULL);
    expect("[\"a\"]", 999, NULL); /* it is gone */
}

static void the_function_is_part_of_the_question(void **state)
{
    (void)state;
    char *found;
    size_t len;
    struct lookup_question other = question("decode", "[\"a\"]");
    add("[\"a\"]", 1000, "1");
    assert_false(kept_find(kept, &other, 0, &found, &len));
    expect("[\"a\"]", 0, "1");
}

static void a_newer_answer_takes_the_place(void **state)
{
    (void)state;
    add("[\"a\"]", 1000, "1");
    add("[\"a\"]", 2000, "2");
    expect("[\"a\"]", 1500, "2");
}

static void the_one_not_used_for_longest_makes_room(void **state)
{
    char args[32];
    (void)state;
    for (size_t i = 0; i < KEPT_MAX; i++) {
        snprintf(args, sizeof(args), "[%zu]", i);
        add(args, 1000, args);
    }
    expect("[0]", 0, "[0]"); /* used: now 1 is the oldest */
    add("[\"new\"]", 1000, "new");
    expect("[1]", 0, NULL);
    expect("[0]", 0, "[0]");
    expect("[\"new\"]", 0, "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_kept_until_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(the_function_is_part_of_the_question, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_answer_takes_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(the_one_not_used_for_longest_makes_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
