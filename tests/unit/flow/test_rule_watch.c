/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/conf_files.h"
#include "engine/flow/rule_watch.h"

static char before[4096];
static struct rule_watch *watch;

/* Each test stands in an empty folder of its own with a folder "rules". */
static int set_up(void **state)
{
    static char folder[40];
    snprintf(folder, sizeof(folder), "/tmp/sluice-watch-XXXXXX");
    *state = folder;
    if (!getcwd(before, sizeof(before)) || !mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    return mkdir("rules", 0700);
}

static int tear_down(void **state)
{
    char command[80];
    rule_watch_free(watch);
    watch = NULL;
    snprintf(command, sizeof(command), "rm -r '%s'", (const char *)*state);
    return chdir(before) == 0 && system(command) == 0 ? 0 : -1;
}

static void watch_path(const char *path)
{
    struct err e = { 0 };
    watch = rule_watch_new(&path, 1, conf_files_has_name, &e);
    assert_non_null(watch);
    assert_false(rule_watch_take(watch));
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void files_of_a_folder(void **state)
{
    (void)state;
    watch_path("rules");
    touch("rules/a.yaml");
    assert_true(rule_watch_take(watch));
    assert_false(rule_watch_take(watch));
    touch("rules/notes.txt");
    touch("rules/.a.yaml.swp");
    touch("elsewhere.yaml");
    assert_false(rule_watch_take(watch));
    assert_int_equal(rename("rules/a.yaml", "rules/b.json"), 0);
    assert_true(rule_watch_take(watch));
    assert_int_equal(unlink("rules/b.json"), 0);
    assert_true(rule_watch_take(watch));
}

static void one_file(void **state)
{
    (void)state;
    watch_path("sluice.yaml"); /* which is not there yet */
    touch("other.yaml");
    assert_false(rule_watch_take(watch));
    touch("sluice.yaml");
    assert_true(rule_watch_take(watch));
    touch("new");
    assert_int_equal(rename("new", "sluice.yaml"), 0);
    assert_true(rule_watch_take(watch));
}

/* As Kubernetes changes a mounted ConfigMap. */
static void a_link_that_turns(void **state)
{
    (void)state;
    assert_int_equal(mkdir("rules/..1", 0700), 0);
    assert_int_equal(symlink("..1", "rules/..data"), 0);
    assert_int_equal(symlink("..data/a.yaml", "rules/a.yaml"), 0);
    watch_path("rules/a.yaml");
    assert_int_equal(symlink("..2", "rules/..tmp"), 0);
    assert_int_equal(rename("rules/..tmp", "rules/..data"), 0);
    assert_true(rule_watch_take(watch));
}

static void a_folder_that_goes_and_comes(void **state)
{
    (void)state;
    watch_path("rules/");
    assert_int_equal(rename("rules", "away"), 0);
    assert_true(rule_watch_take(watch));
    touch("away/a.yaml");
    assert_false(rule_watch_take(watch));
    assert_int_equal(mkdir("rules", 0700), 0);
    assert_true(rule_watch_take(watch));
    touch("rules/a.yaml");
    assert_true(rule_watch_take(watch));
    assert_int_equal(unlink("rules/a.yaml"), 0);
    assert_int_equal(rmdir("rules"), 0);
    assert_true(rule_watch_take(watch));
    assert_false(rule_watch_take(watch));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_a_folder),
        TEST(one_file),
        TEST(a_link_that_turns),
        TEST(a_folder_that_goes_and_comes),
    };
    return cmocka_run_group_tests_name("rule_watch", tests, NULL, NULL);
}
