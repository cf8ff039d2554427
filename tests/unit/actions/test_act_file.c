/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/act_file_int.h"
#include "actions/actions_int.h"
#include "actions/append_file.h"

#include "tests/contract/rig.c" /* a unit test is one program: the rig of the contract tests becomes part of it */

static char folder[40];
static struct rig_target target;
static struct rig_action action;
static void *lane;

static int set_up(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    strcpy(folder, "/tmp/sluice-file-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 && rig_target_open(&target, &act_file, NULL, NULL, &errs) ? 0 : -1;
}

static void open_action(const char *yaml)
{
    struct errs errs = { 0 };
    struct err e = { 0 };
    assert_true(rig_action_open(&action, &target, yaml, &errs));
    errs_clear(&errs); /* warnings */
    lane = act_file.lane_open(target.target, &e);
    assert_non_null(lane);
}

static int tear_down(void **state)
{
    (void)state;
    char command[80];
    if (lane) {
        act_file.lane_close(lane);
        rig_action_close(&action);
        lane = NULL;
    }
    rig_target_close(&target);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* Send one item per name, with the body "x" and its index and the name as `v`; results as letters: d, l, r. */
static const char *send_names(const char *const *names, size_t count, char *reason)
{
    static char results[200];
    struct rig_item *made[200];
    struct act_item *list[200] = { NULL };
    struct err e = { 0 };
    for (size_t i = 0; i < count; i++) {
        char body[20];
        int len = snprintf(body, sizeof(body), "x%zu", i);
        const struct rig_var vars[] = { { "v", names[i] }, { 0 } };
        made[i] = rig_item_new(&action, body, (size_t)len, false, vars);
        list[i] = &made[i]->item;
    }
    assert_int_equal(act_file.send(lane, list, count, &e), 0);
    for (size_t i = 0; i < count; i++) {
        results[i] = "pdlr"[list[i]->result];
        if (reason && list[i]->reason[0])
            strcpy(reason, list[i]->reason);
        rig_item_free(made[i]);
    }
    results[count] = '\0';
    return results;
}

static void assert_file(const char *path, const char *expected)
{
    char text[1000];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(text, expected);
}

/* --- paths --- */

static const struct {
    const char *path;
    size_t constant_len;
    const char *text; /* NULL: usable */
} paths[] = {
    { "a", 1, NULL },
    { "/var/log/a", 10, NULL },
    { "../a", 4, NULL },
    { "a/../b", 6, NULL },
    { "/var/log/x", 9, NULL },
    { "../x", 3, NULL },
    { "../../x", 6, NULL },
    { "/x", 1, NULL },
    { "..x/y", 2, NULL },
    { "x..", 0, NULL },
    { "...", 0, NULL },
    { "a/..b/c", 2, NULL },
    { "x/y/z", 0, NULL },
    { "//x", 1, NULL },
    { "", 0, "the path is empty" },
    { "a/", 2, "the path ends with \"/\", so it names a folder" },
    { "logs/", 5, "the path ends with \"/\", so it names a folder" },
    { "/etc/passwd", 0, "a message cannot choose an absolute path" },
    { "..", 0, "a message cannot choose a path with \"..\"" },
    { "../x", 0, "a message cannot choose a path with \"..\"" },
    { "../x", 1, "a message cannot choose a path with \"..\"" },
    { "../x", 2, "a message cannot choose a path with \"..\"" }, /* `..${v}` with "/x" */
    { "logs/../x", 5, "a message cannot choose a path with \"..\"" },
    { "logs/a/../../x", 5, "a message cannot choose a path with \"..\"" },
    { "../logs/../x", 8, "a message cannot choose a path with \"..\"" },
    { "logs/..", 5, "a message cannot choose a path with \"..\"" },
};

static void messages_choose_names_below_the_constant_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct err e = { 0 };
        const struct act_text path = { .p = paths[i].path, .len = strlen(paths[i].path) };
        int rc = file_path_check(&path, paths[i].constant_len, &e);
        if (rc != (paths[i].text ? -1 : 0))
            fail_msg("%s: %s", paths[i].path, e.text);
        if (paths[i].text)
            assert_string_equal(e.text, paths[i].text);
    }
}

static void paths_that_the_system_cannot_hold(void **state)
{
    (void)state;
    static char longest[PATH_MAX];
    memset(longest, 'a', sizeof(longest));
    struct act_text path = { .p = longest, .len = PATH_MAX };
    struct err e = { 0 };
    assert_int_equal(file_path_check(&path, 0, &e), -1);
    path.len = PATH_MAX - 1;
    assert_int_equal(file_path_check(&path, 0, &e), 0);
    path = (struct act_text) { .p = "a\0b", .len = 3 };
    assert_int_equal(file_path_check(&path, 0, &e), -1);
}

/* --- classification --- */

static void errors_have_their_verdict(void **state)
{
    (void)state;
    static const struct {
        int failure;
        enum file_verdict constant, by_message;
    } cases[] = {
        { ENOSPC, FILE_LATER, FILE_LATER },
        { EDQUOT, FILE_LATER, FILE_LATER },
        { EIO, FILE_LATER, FILE_LATER },
        { EFBIG, FILE_LATER, FILE_LATER },
        { EMFILE, FILE_LATER, FILE_LATER },
        { ENFILE, FILE_LATER, FILE_LATER },
        { ENOMEM, FILE_LATER, FILE_LATER },
        { ESTALE, FILE_LATER, FILE_LATER },
        { EROFS, FILE_MISCONFIGURED, FILE_MISCONFIGURED },
        { EACCES, FILE_MISCONFIGURED, FILE_REJECTED },
        { EPERM, FILE_MISCONFIGURED, FILE_REJECTED },
        { EISDIR, FILE_MISCONFIGURED, FILE_REJECTED },
        { ENOENT, FILE_MISCONFIGURED, FILE_REJECTED },
        { ENOTDIR, FILE_MISCONFIGURED, FILE_REJECTED },
        { ENAMETOOLONG, FILE_MISCONFIGURED, FILE_REJECTED },
        { ELOOP, FILE_MISCONFIGURED, FILE_REJECTED },
        { EINVAL, FILE_MISCONFIGURED, FILE_REJECTED },
        { EILSEQ, FILE_MISCONFIGURED, FILE_REJECTED },
        { APPEND_NOT_REGULAR, FILE_MISCONFIGURED, FILE_REJECTED },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(file_verdict_of(cases[i].failure, false), cases[i].constant);
        assert_int_equal(file_verdict_of(cases[i].failure, true), cases[i].by_message);
    }
}

/* --- sending --- */

static void files_by_template(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b/c", "a", "../up", "", "b/c", "/abs", "a" };
    open_action("path: 'out/${v}.ndjson'");
    assert_string_equal(send_names(names, 8, NULL), "dddrdddd"); /* "out/.ndjson" and "out//abs.ndjson" are usable */
    assert_file("out/a.ndjson", "x0\nx2\nx7\n");
    assert_file("out/b/c.ndjson", "x1\nx5\n");
    assert_file("out/abs.ndjson", "x6\n");
}

static void a_bad_name_is_rejected_and_a_bad_constant_waits(void **state)
{
    (void)state;
    char reason[ACT_REASON_MAX];
    static const char *const names[] = { "folder", "good", "folder/x/..", "missing/x" };
    assert_int_equal(mkdir("folder", 0777), 0);
    open_action("path: '${v}'\ncreateFolders: false");
    assert_string_equal(send_names(names, 4, reason), "rdrr");
    assert_string_equal(reason, "cannot write to \"missing/x\": No such file or directory");
    assert_string_equal(send_names(names, 1, reason), "r");
    assert_string_equal(reason, "cannot write to \"folder\": it is no regular file");
    tear_down(NULL);
    set_up(NULL);
    assert_int_equal(mkdir("folder", 0777), 0);
    open_action("path: folder");
    assert_string_equal(send_names(names, 1, reason), "l");
    assert_string_equal(reason, "misconfigured: could not write to \"folder\": it is no regular file");
    assert_int_equal(rmdir("folder"), 0);
    assert_string_equal(send_names(names, 1, NULL), "d");
}

static void more_files_than_are_kept_open(void **state)
{
    (void)state;
    static char texts[2 * FILE_OPEN_MAX][8];
    const char *names[2 * FILE_OPEN_MAX];
    for (size_t i = 0; i < 2 * FILE_OPEN_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "f%zu", i);
        names[i] = texts[i];
    }
    open_action("path: '${v}'");
    for (size_t round = 0; round < 3; round++) {
        const char *results = send_names(names, 2 * FILE_OPEN_MAX, NULL);
        assert_int_equal(strspn(results, "d"), 2 * FILE_OPEN_MAX);
    }
    assert_file("f0", "x0\nx0\nx0\n");
    assert_file("f127", "x127\nx127\nx127\n");
}

static void a_file_that_was_renamed_is_begun_anew(void **state)
{
    (void)state;
    static const char *const names[] = { "a" };
    open_action("path: '${v}'");
    assert_string_equal(send_names(names, 1, NULL), "d");
    assert_int_equal(rename("a", "b"), 0);
    assert_string_equal(send_names(names, 1, NULL), "d");
    assert_file("a", "x0\n");
    assert_file("b", "x0\n");
}

static void rotation_is_configured(void **state)
{
    (void)state;
    static const char *const names[] = { "", "", "", "", "" };
    open_action("path: a\nrotateSize: 6\nkeep: 1\nsync: batch");
    assert_string_equal(send_names(names, 5, NULL), "ddddd");
    assert_file("a", "x4\n");
    assert_file("a.1", "x2\nx3\n");
    assert_int_equal(access("a.2", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_choose_names_below_the_constant_part),
        cmocka_unit_test(paths_that_the_system_cannot_hold),
        cmocka_unit_test(errors_have_their_verdict),
        cmocka_unit_test_setup_teardown(files_by_template, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_name_is_rejected_and_a_bad_constant_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_files_than_are_kept_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_was_renamed_is_begun_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_is_configured, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
