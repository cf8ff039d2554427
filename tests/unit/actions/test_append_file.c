/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/append_file.h"
#include "engine/base/clock.h"

static char folder[40];
static int64_t now;

static int64_t fake_now(void *ctx)
{
    (void)ctx;
    return now;
}

static uint64_t fake_monotonic(void *ctx)
{
    (void)ctx;
    return (uint64_t)now;
}

static const struct clock fake_clock = { .now_ms = fake_now, .monotonic_ms = fake_monotonic };
static const struct append_policy plain = { .keep = 5 };

/* Every test has a working folder of its own. */
static int set_up(void **state)
{
    (void)state;
    now = clock_now_ms(&clock_system);
    strcpy(folder, "/tmp/sluice-append-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

#define ITEMS_MAX 1000
static struct act_item items[ITEMS_MAX];
static struct act_item *list[ITEMS_MAX];

/* Items of the words of a text. */
static size_t make_items(const char *text)
{
    size_t n = 0;
    for (; *text; n++) {
        size_t len = strcspn(text, " ");
        items[n] = (struct act_item) { .body = text, .body_len = len };
        list[n] = &items[n];
        text += len + (text[len] == ' ');
    }
    return n;
}

static void open_file(struct append_file *f, const char *path, const struct append_policy *p)
{
    *f = (struct append_file) { 0 };
    assert_int_equal(append_open(f, path, p, &fake_clock), 0);
}

static void append(struct append_file *f, const struct append_policy *p, const char *words)
{
    size_t done, n = make_items(words);
    assert_int_equal(append_items(f, p, &fake_clock, list, n, &done), 0);
    assert_int_equal(done, n);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
}

/* expected NULL: there is no such file. */
static void assert_file(const char *path, const char *expected)
{
    static char text[100000];
    FILE *in = fopen(path, "r");
    if (!expected) {
        assert_null(in);
        return;
    }
    assert_non_null(in);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(text, expected);
}

static void lines_are_appended(void **state)
{
    (void)state;
    struct append_file f;
    open_file(&f, "a", &plain);
    append(&f, &plain, "1 2 3");
    append(&f, &plain, "4");
    assert_file("a", "1\n2\n3\n4\n");
    append_close(&f);
    append_close(&f);
    open_file(&f, "a", &plain);
    append(&f, &plain, "5");
    assert_file("a", "1\n2\n3\n4\n5\n");
    append_close(&f);
}

static void empty_bodies_and_no_items(void **state)
{
    (void)state;
    struct append_file f;
    size_t done;
    open_file(&f, "a", &plain);
    append(&f, &plain, "");
    assert_file("a", "");
    items[0] = items[1] = (struct act_item) { .body = NULL, .body_len = 0 };
    list[0] = &items[0];
    list[1] = &items[1];
    assert_int_equal(append_items(&f, &plain, &fake_clock, list, 2, &done), 0);
    assert_file("a", "\n\n");
    append_close(&f);
}

static void many_lines_in_several_writes(void **state)
{
    (void)state;
    struct append_file f;
    size_t done;
    struct stat st;
    open_file(&f, "a", &plain);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        items[i] = (struct act_item) { .body = "0123456789", .body_len = i % 10 };
        list[i] = &items[i];
    }
    assert_int_equal(append_items(&f, &plain, &fake_clock, list, ITEMS_MAX, &done), 0);
    assert_int_equal(done, ITEMS_MAX);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_size, ITEMS_MAX / 10 * 55);
    assert_int_equal(f.size, st.st_size);
    append_close(&f);
}

static void a_torn_line_is_ended(void **state)
{
    (void)state;
    struct append_file f;
    write_text("a", "whole\nto");
    open_file(&f, "a", &plain);
    append(&f, &plain, "next");
    assert_file("a", "whole\nto\nnext\n");
    append_close(&f);
}

static void rotation_by_size(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_size = 6, .keep = 3 };
    open_file(&f, "a", &p);
    append(&f, &p, "11 22 33 44 55");
    assert_file("a.2", "11\n22\n");
    assert_file("a.1", "33\n44\n");
    assert_file("a", "55\n");
    append(&f, &p, "66 77 88 99 largerthanthelimit x");
    assert_file("a", "x\n");
    assert_file("a.1", "largerthanthelimit\n");
    assert_file("a.2", "99\n");
    assert_file("a.3", "77\n88\n");
    assert_file("a.4", NULL);
    append_close(&f);
    open_file(&f, "a", &p); /* the size is that of the file, not of the process */
    append(&f, &p, "12345");
    assert_file("a", "12345\n");
    assert_file("a.1", "x\n");
    append_close(&f);
}

static void rotation_keeps_one(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_size = 1, .keep = 1 };
    open_file(&f, "a", &p);
    append(&f, &p, "1 2 3");
    assert_file("a", "3\n");
    assert_file("a.1", "2\n");
    assert_file("a.2", NULL);
    append_close(&f);
}

static void rotation_by_age(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_age_ms = 1000, .keep = 2 };
    open_file(&f, "a", &p);
    append(&f, &p, "1");
    now += 999;
    append(&f, &p, "2");
    now += 1;
    append(&f, &p, "3");
    assert_file("a.1", "1\n2\n");
    assert_file("a", "3\n");
    append_close(&f);
    now += 60000; /* the age counts from the file's birth, also in another process */
    open_file(&f, "a", &p);
    append(&f, &p, "4");
    assert_file("a.1", "3\n");
    assert_file("a", "4\n");
    append_close(&f);
}

static void an_empty_file_has_no_age(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_age_ms = 1000, .keep = 2 };
    open_file(&f, "a", &p);
    now += 5000;
    append(&f, &p, "1");
    assert_file("a", "1\n");
    assert_file("a.1", NULL);
    append_close(&f);
}

static void a_gap_in_the_numbers_is_no_error(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_size = 1, .keep = 4 };
    write_text("a.3", "old\n");
    open_file(&f, "a", &p);
    append(&f, &p, "1 2");
    assert_file("a.4", "old\n");
    assert_file("a.1", "1\n");
    assert_file("a.2", NULL);
    append_close(&f);
}

static void a_rotation_that_fails_loses_nothing(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_size = 4, .keep = 1 };
    size_t done, n;
    assert_int_equal(mkdir("a.1", 0777), 0); /* a file cannot be renamed to a folder */
    open_file(&f, "a", &p);
    n = make_items("1 2 3 4");
    assert_int_equal(append_items(&f, &p, &fake_clock, list, n, &done), EISDIR);
    assert_int_equal(done, 2);
    assert_file("a", "1\n2\n");
    assert_int_equal(rmdir("a.1"), 0);
    append(&f, &p, "3 4");
    assert_file("a.1", "1\n2\n");
    assert_file("a", "3\n4\n");
    append_close(&f);
}

static void sync_is_possible(void **state)
{
    (void)state;
    struct append_file f;
    const struct append_policy p = { .rotate_size = 4, .keep = 2, .sync = true };
    assert_int_equal(mkdir("d", 0777), 0);
    open_file(&f, "d/a", &p);
    assert_true(f.is_fresh);
    append(&f, &p, "1 2 3");
    assert_false(f.is_fresh);
    assert_file("d/a.1", "1\n2\n");
    assert_file("d/a", "3\n");
    append_close(&f);
    char absolute[80];
    snprintf(absolute, sizeof(absolute), "%s/q//r/a", folder);
    const char *const paths[] = { "x/y/z/a", absolute, "a" };
    for (size_t i = 0; i < 3; i++) {
        const struct append_policy with_folders = { .keep = 1, .sync = true, .create_folders = true };
        open_file(&f, paths[i], &with_folders);
        assert_int_equal(f.made_folders, i < 2);
        append(&f, &with_folders, "1");
        assert_false(f.made_folders);
        append_close(&f);
    }
}

static void folders_are_made_on_demand(void **state)
{
    (void)state;
    struct append_file f = { 0 };
    struct append_policy p = { .keep = 1 };
    assert_int_equal(append_open(&f, "x/y/z", &p, &fake_clock), ENOENT);
    assert_null(f.path);
    p.create_folders = true;
    open_file(&f, "x/y/z", &p);
    append(&f, &p, "1");
    append_close(&f);
    open_file(&f, "x/y/other", &p);
    append_close(&f);
    assert_file("x/y/z", "1\n");
    write_text("file", "");
    assert_int_equal(append_open(&f, "file/a", &p, &fake_clock), ENOTDIR);
}

static void only_regular_files(void **state)
{
    (void)state;
    struct append_file f = { 0 };
    assert_int_equal(mkdir("d", 0777), 0);
    assert_int_equal(mkfifo("p", 0666), 0);
    assert_int_equal(append_open(&f, "d", &plain, &fake_clock), APPEND_NOT_REGULAR);
    assert_int_equal(append_open(&f, "p", &plain, &fake_clock),
                     APPEND_NOT_REGULAR); /* and does not wait for a reader */
    assert_int_equal(append_open(&f, "/dev/null", &plain, &fake_clock), APPEND_NOT_REGULAR);
    assert_null(f.path);
}

static void changes_by_others_are_noticed(void **state)
{
    (void)state;
    struct append_file f;
    open_file(&f, "a", &plain);
    append(&f, &plain, "1");
    assert_true(append_is_current(&f));
    FILE *other = fopen("a", "a");
    fputs("by another\n", other);
    fclose(other);
    assert_true(append_is_current(&f));
    assert_int_equal(f.size, 13);
    assert_int_equal(truncate("a", 0), 0);
    assert_false(append_is_current(&f));
    append_close(&f);
    open_file(&f, "a", &plain);
    assert_int_equal(rename("a", "b"), 0);
    assert_false(append_is_current(&f));
    write_text("a", "");
    assert_false(append_is_current(&f));
    append_close(&f);
}

/* A limit on the size of files stands for a full disk: both end a write in the middle. */
static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_whole_lines(void **state)
{
    (void)state;
    struct append_file f;
    size_t done = 99, n;
    open_file(&f, "a", &plain);
    append(&f, &plain, "1234");
    for (rlim_t room = 5; room <= 5 + 15; room++) {
        limit_file_size(room);
        n = make_items("aaaa bbbb cccc");
        int rc = append_items(&f, &plain, &fake_clock, list, n, &done);
        limit_file_size(RLIM_INFINITY);
        assert_int_equal(rc, room < 20 ? EFBIG : 0);
        assert_int_equal(done, (room - 5) / 5);
        static const char *const expected[] = { "1234\n", "1234\naaaa\n", "1234\naaaa\nbbbb\n",
                                                "1234\naaaa\nbbbb\ncccc\n" };
        assert_file("a", expected[done]);
        assert_int_equal(truncate("a", 5), 0);
        f.size = 5;
    }
    append_close(&f);
}

static void a_torn_file_is_repaired_before_more_is_written(void **state)
{
    (void)state;
    struct append_file f;
    open_file(&f, "a", &plain);
    append(&f, &plain, "1");
    FILE *rest = fopen("a", "a"); /* what a failed write left, and could not be cut */
    fputs("to", rest);
    fclose(rest);
    f.is_torn = true;
    assert_true(append_is_current(&f));
    append(&f, &plain, "2");
    assert_file("a", "1\n2\n");
    assert_false(f.is_torn);
    append_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_appended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_bodies_and_no_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_lines_in_several_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_line_is_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_by_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_keeps_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_by_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_has_no_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gap_in_the_numbers_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rotation_that_fails_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sync_is_possible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_made_on_demand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_regular_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_by_others_are_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_file_is_repaired_before_more_is_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
