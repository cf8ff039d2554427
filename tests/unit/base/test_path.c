/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/base/path.h"

static void is(char *path, const char *expected)
{
    assert_non_null(path);
    assert_string_equal(path, expected);
    free(path);
}

static void a_file_is_in_its_folder(void **state)
{
    (void)state;
    is(path_folder("sluice.yaml"), ".");
    is(path_folder("etc/sluice.yaml"), "etc");
    is(path_folder("/etc/sluice/sluice.yaml"), "/etc/sluice");
    is(path_folder("/sluice.yaml"), "/");
    is(path_folder("../a.yaml"), "..");
}

static void a_relative_path_is_below_the_folder(void **state)
{
    (void)state;
    is(path_below("etc", "rules"), "etc/rules");
    is(path_below("/", "rules"), "/rules");
    is(path_below("etc/", "../x"), "etc/../x");
    is(path_below(".", "rules"), "rules");
    is(path_below(NULL, "rules"), "rules");
    is(path_below("etc", "/rules"), "/rules");
}

static void the_end_of_a_path(void **state)
{
    (void)state;
    assert_true(path_ends_in("rules/a.json", ".json"));
    assert_true(path_ends_in(".json", ".json"));
    assert_true(path_ends_in("a", ""));
    assert_false(path_ends_in("rules/a.jsonl", ".json"));
    assert_false(path_ends_in("json", ".json"));
    assert_false(path_ends_in("", "/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_in_its_folder),
        cmocka_unit_test(a_relative_path_is_below_the_folder),
        cmocka_unit_test(the_end_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
