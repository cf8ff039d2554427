/* SPDX-License-Identifier: Apache-2.0 */
/* Fails allocation number 1, 2, 3 … until the work succeeds; the sanitizers watch for leaks and wrong accesses. The modules
 * are compiled into this file so that their allocations can be counted; what libyaml allocates is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/failing_alloc.h"

#include "engine/base/arena.c"
#include "engine/base/buf.c"
#include "engine/base/conf.c"
#include "engine/base/conf_secrets.c"
#include "engine/base/err.c"
#include "engine/base/opt.c"
#include "engine/base/src.c"

/* Run the work until it succeeds; returns how often it failed. */
static size_t failures_of(bool (*work)(void))
{
    for (size_t n = 1; n < 1000; n++) {
        allocations_left = n;
        bool ok = work();
        bool none_failed = allocations_left > 0;
        allocations_left = SIZE_MAX;
        if (ok) {
            assert_true(none_failed);
            return n - 1;
        }
        assert_false(none_failed);
    }
    fail_msg("the work never succeeds");
    return 0;
}

static bool make_texts(void)
{
    struct src *file = src_new("f", "abc", 3);
    if (!file)
        return false;
    struct src *inner = src_new_inner("b", 1, (struct span) { file, 1, 1 }, SRC_EXACT, 0);
    bool ok = inner != NULL;
    assert_int_equal(file->refs, ok ? 2 : 1);
    src_unref(inner);
    src_unref(file);
    return ok;
}

static void texts(void **state)
{
    (void)state;
    assert_int_equal(failures_of(make_texts), 6);
}

static bool fill_arena(void)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    bool ok = arena_alloc(&a, 10) && arena_zalloc(&a, 10000) && arena_grow(&a, NULL, 0, 100000);
    arena_clear(&a);
    return ok;
}

static bool fill_buffer(void)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "abc");
    buf_printf(&b, "%0100d", 1);
    buf_printf(&b, "%01000d", 1);
    bool failed = b.failed;
    size_t len = b.len;
    buf_puts(&b, "more");
    assert_true(!failed || (b.failed && b.len == len));
    bool ok = !b.failed;
    buf_clear(&b);
    return ok;
}

static void memory(void **state)
{
    (void)state;
    assert_int_equal(failures_of(fill_arena), 3);
    assert_int_equal(failures_of(fill_buffer), 4);
}

/* Errors are counted even when there is no room to keep them. */
static bool collect_errors(void)
{
    struct errs list = { 0 };
    for (int i = 0; i < 20; i++)
        err_hint(errs_add(&list, SEV_ERROR, ERR_IO, (struct span) { 0 }, "error %d", i), "hint");
    errs_sort(&list);
    assert_int_equal(list.errors, 20);
    bool ok = list.count == 20 && allocations_left > 0;
    errs_clear(&list);
    return ok;
}

static void errors(void **state)
{
    (void)state;
    assert_true(failures_of(collect_errors) >= 6);
}

struct thing {
    char *name, *other;
    int mode;
};

static const char *const modes[] = { "a", "b", NULL };
static const struct opt options[] = {
    { "name", OPT_TEXT, offsetof(struct thing, name), .help = "a name" },
    { "other", OPT_TEXT, offsetof(struct thing, other), .def = "x" },
    { "mode", OPT_CHOICE, offsetof(struct thing, mode), .choices = modes },
};

static bool read_configuration(const char *text, bool json)
{
    struct errs list = { 0 };
    struct thing thing = { 0 };
    struct src *src = src_new("f", text, strlen(text)), *sql = NULL;
    struct conf *root = src ? conf_parse(src, json, &list) : NULL;
    bool ok = root && conf_fill_secrets(root, &list) == 0 &&
              opt_read(options, 3, root, "thing", root->at, &thing, &list) == 0 &&
              (sql = conf_text_src(conf_get(root, "name"))) != NULL;
    assert_true(ok || !src || list.errors > 0 || (root && !sql));
    opt_free(options, 3, &thing);
    src_unref(sql);
    conf_free(root);
    src_unref(src);
    errs_clear(&list);
    return ok;
}

static bool read_yaml(void)
{
    return read_configuration("name: x ${env:HOME}\nmode: b\n", false);
}

static bool read_json(void)
{
    return read_configuration("{\"name\": \"x ${env:HOME}\", \"mode\": \"b\"}", true);
}

static void configuration(void **state)
{
    (void)state;
    setenv("HOME", "/", 0);
    assert_true(failures_of(read_yaml) >= 10);
    assert_true(failures_of(read_json) >= 10);
}

static bool load_file(void)
{
    struct errs list = { 0 };
    struct conf *root = conf_load("/dev/null", &list);
    bool ok = root != NULL;
    assert_true(ok || list.errors > 0);
    conf_free(root);
    errs_clear(&list);
    return ok;
}

static void files(void **state)
{
    (void)state;
    assert_true(failures_of(load_file) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),         cmocka_unit_test(memory), cmocka_unit_test(errors),
        cmocka_unit_test(configuration), cmocka_unit_test(files),
    };
    return cmocka_run_group_tests_name("allocation failure", tests, NULL, NULL);
}
