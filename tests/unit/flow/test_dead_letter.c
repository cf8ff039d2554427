/* SPDX-License-Identifier: Apache-2.0 */
/* The store by itself: how it opens the `file` action, and that nothing is ever rejected by it. (What lands in it:
 * test_worker.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/log.h"
#include "engine/flow/dead_letter.h"
#include "fake_clock.h"
#include "scripted_action.h"

static struct script_target file;
static char opened_path[100], opened_sync[20];
static bool constant;

static void *open_target(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)env, (void)errs;
    assert_null(conf);
    return &file;
}

static void close_target(void *target)
{
    assert_ptr_equal(target, &file);
}

static void *open_action(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    struct script_action *a = script_action_open(target, conf, host, errs);
    snprintf(opened_path, sizeof(opened_path), "%s", conf_get(conf, "path")->text);
    snprintf(opened_sync, sizeof(opened_sync), "%s", conf_get(conf, "sync")->text);
    constant = a && host->template_is_constant(host, a->to);
    return a;
}

static void *refuse_action(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target, (void)host;
    errs_add(errs, SEV_ERROR, ERR_IO, conf->at, "no such folder");
    return NULL;
}

static struct action_type type = {
    .name = "file", .target_open = open_target, .target_close = close_target, SCRIPT_PORT
};
static const struct action_type *const types[] = { &type, NULL };

static void nothing(void *ctx)
{
    (void)ctx;
}

static void test_opens_the_file_action(void **state)
{
    (void)state;
    static const char path[] = "/tmp/var/\"dead\" ${letters}\xc3\xa4.ndjson";
    struct fake_clock clock;
    struct pressure pressure;
    pressure_init(&pressure, 0, nothing, NULL);
    struct targets targets;
    struct errs errs = { 0 };
    struct outbox_conf conf = { .clock = &clock.clock, .retry = { 1, 1 }, .bound = 10, .pressure = &pressure };
    struct queue home;
    struct queue_chain came = { 0 }, none = { 0 };
    struct delivery d = { .home = &home, .item = { .body = "letter", .body_len = 6 } };
    fake_clock_init(&clock);
    script_init(&file);
    type.action_open = open_action;
    targets_init(&targets, types, NULL);
    assert_int_equal(queue_init(&home, 1, NULL), 0);

    struct dead_letter *dl = dead_letter_open(path, &targets, &conf, &errs);
    assert_non_null(dl);
    assert_int_equal(errs.count, 0);
    assert_string_equal(opened_path, path); /* as it stands: there is no message to fill it from */
    assert_string_equal(opened_sync, "batch");
    assert_true(constant);

    script_say(&file, NULL, SCRIPT_REJECT, 3, 0);
    assert_int_equal(outbox_start(dead_letter_outbox(dl), NULL), 0);
    dead_letter_address(dl, &d);
    outbox_push(dead_letter_outbox(dl), &d);
    while (!came.first) {
        fake_clock_advance(&clock, 1);
        queue_take(&home, &came, &none, 0, 1);
    }
    assert_int_equal(d.item.result, ACT_DONE);
    assert_int_equal(file.sends, 4);
    char *done = script_done(&file), expected[100];
    snprintf(expected, sizeof(expected), "%s|letter", path);
    assert_string_equal(done, expected);
    free(done);

    outbox_close(dead_letter_outbox(dl));
    outbox_join(dead_letter_outbox(dl));
    dead_letter_close(dl);
    queue_clear(&home);
    targets_clear(&targets);
    script_clear(&file);
}

static void test_errors_are_passed_on(void **state)
{
    (void)state;
    struct targets targets;
    struct errs errs = { 0 };
    struct outbox_conf conf = { 0 };
    static const struct action_type *const no_types[] = { NULL };
    type.action_open = refuse_action;
    targets_init(&targets, types, NULL);
    assert_null(dead_letter_open("/tmp/x", &targets, &conf, &errs));
    assert_int_equal(errs.errors, 1);
    assert_string_equal(errs.items[0].text, "no such folder");
    targets_clear(&targets);
    targets_init(&targets, no_types, NULL);
    assert_null(dead_letter_open("/tmp/x", &targets, &conf, &errs));
    assert_int_equal(errs.errors, 2);
    errs_clear(&errs);
    dead_letter_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_the_file_action),
        cmocka_unit_test(test_errors_are_passed_on),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
