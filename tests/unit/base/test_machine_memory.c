/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/machine_memory.h"

static char root[] = "/tmp/sluice-test-groups-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static uint64_t limit_of(const char *groups)
{
    char path[PATH_MAX];
    put("groups", groups);
    snprintf(path, sizeof(path), "%s/groups", root);
    return machine_memory_of_groups(path, root, path_of("v1"));
}

static void test_groups(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    static const char *const folders[] = { "a", "a/b", "v1", "v1/c" };
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        assert_int_equal(mkdir(path_of(folders[i]), 0700), 0);
    put("a/memory.max", "1000000\n");
    put("a/b/memory.max", "max\n");
    put("v1/c/memory.limit_in_bytes", "2000000\n");

    assert_true(limit_of("0::/a/b\n") == 1000000); /* the group above sets it */
    assert_true(limit_of("0::/a\n") == 1000000);
    assert_true(limit_of("0::/\n") == UINT64_MAX);
    assert_true(limit_of("0::/not/there\n") == UINT64_MAX);
    assert_true(limit_of("3:cpu:/c\n9:memory:/c\n0::/\n") == 2000000);
    assert_true(limit_of("9:memory:/c\n0::/a/b\n") == 1000000); /* the least */
    assert_true(limit_of("nonsense\n") == UINT64_MAX);
    put("a/b/memory.max", "500\n");
    assert_true(limit_of("0::/a/b\n") == 500);

    static const char *const files[] = { "a/memory.max", "a/b/memory.max", "v1/c/memory.limit_in_bytes", "groups" };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(path_of(files[i]));
    for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;)
        rmdir(path_of(folders[i]));
    rmdir(root);
}

static void test_this_machine_has_some(void **state)
{
    (void)state;
    assert_true(machine_memory() > (1 << 20));
    assert_true(machine_memory() < UINT64_MAX);
    assert_true(machine_memory_of_groups("/not/there", "/not/there", "/not/there") == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
