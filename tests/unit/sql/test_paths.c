/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sql/paths.h"

#define ROOT UINT32_MAX

/* Intern "a.b.c". */
static int intern(struct sql_paths *p, const char *dotted)
{
    const char *names[16];
    uint32_t lens[16], count = 0;
    for (const char *s = dotted;; s++) {
        names[count] = s;
        lens[count] = (uint32_t)strcspn(s, ".");
        s += lens[count++];
        if (!*s)
            return sql_paths_intern(p, names, lens, count);
    }
}

static void assert_name(const struct sql_path *path, uint32_t i, const char *name)
{
    assert_int_equal(path->lens[i], strlen(name));
    assert_string_equal(path->names[i], name);
}

static void prefixes_get_slots(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    int slot = intern(p, "state.reported.temp");
    assert_int_equal(sql_paths_count(p), 3);
    const struct sql_path *path = sql_paths_at(p, (uint32_t)slot);
    assert_int_equal(path->count, 3);
    assert_name(path, 0, "state");
    assert_name(path, 1, "reported");
    assert_name(path, 2, "temp");
    assert_int_equal(path->parent, intern(p, "state.reported"));
    assert_int_equal(sql_paths_at(p, path->parent)->parent, intern(p, "state"));
    assert_int_equal(sql_paths_at(p, (uint32_t)intern(p, "state"))->parent, ROOT);
    assert_int_equal(sql_paths_count(p), 3);
    sql_paths_unref(p);
}

static void the_same_path_has_one_slot(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    int a = intern(p, "a"), ab = intern(p, "a.b"), b = intern(p, "b"), ba = intern(p, "b.a");
    assert_int_equal(intern(p, "a.b"), ab);
    assert_int_equal(intern(p, "a"), a);
    assert_int_equal(intern(p, "b.a"), ba);
    assert_true(a != b && ab != ba && a != ab);
    assert_int_not_equal(intern(p, "A"), a);
    assert_int_not_equal(intern(p, "ab"), ab);
    sql_paths_unref(p);
}

static void names_are_copied_and_may_be_anything(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    char name[] = "my key.\xc3\xa4";
    const char *names[] = { name, "" };
    uint32_t lens[] = { (uint32_t)strlen(name), 0 };
    int slot = sql_paths_intern(p, names, lens, 2);
    name[0] = 'X';
    const struct sql_path *path = sql_paths_at(p, (uint32_t)slot);
    assert_name(path, 0, "my key.\xc3\xa4");
    assert_name(path, 1, "");
    sql_paths_unref(p);
}

static void paths_stay_where_they_are(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    const struct sql_path *first = sql_paths_at(p, (uint32_t)intern(p, "first.one"));
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.x", i);
        assert_int_not_equal(intern(p, name), -1);
    }
    assert_name(first, 1, "one");
    assert_ptr_equal(sql_paths_at(p, (uint32_t)intern(p, "first.one")), first);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.x", i);
        const struct sql_path *path = sql_paths_at(p, (uint32_t)intern(p, name));
        assert_int_equal(path->count, 2);
        assert_name(path, 1, "x");
    }
    assert_int_equal(sql_paths_count(p), 10002);
    sql_paths_unref(p);
}

static void there_is_a_last_slot(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    char name[16];
    for (int i = 0; i < SQL_MAX_SLOTS; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(intern(p, name), i);
    }
    assert_int_equal(intern(p, "another"), -1);
    assert_int_equal(intern(p, "7"), 7);
    assert_int_equal(intern(p, "7.another"), -1);
    assert_int_equal(sql_paths_count(p), SQL_MAX_SLOTS);
    sql_paths_unref(p);
}

static void references_keep_it(void **state)
{
    (void)state;
    struct sql_paths *p = sql_paths_new();
    assert_ptr_equal(sql_paths_ref(p), p);
    sql_paths_unref(p);
    assert_int_equal(intern(p, "a"), 0);
    sql_paths_unref(p);
    sql_paths_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_get_slots),
        cmocka_unit_test(the_same_path_has_one_slot),
        cmocka_unit_test(names_are_copied_and_may_be_anything),
        cmocka_unit_test(paths_stay_where_they_are),
        cmocka_unit_test(there_is_a_last_slot),
        cmocka_unit_test(references_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
