/* SPDX-License-Identifier: Apache-2.0 */
/* Checks are done one after another; who still waits at the end is told that it does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "engine/admin/password_line.h"

#define CHECKS 8

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, fitting, begun;
    bool is_held; /* the one that is being checked stays so */
} now = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_done(struct password_check *check)
{
    pthread_mutex_lock(&now.lock);
    now.done++;
    now.fitting += check->fits;
    pthread_cond_broadcast(&now.changed);
    pthread_mutex_unlock(&now.lock);
}

static bool fits(void *ctx, const char *name, size_t name_len, const char *password, size_t password_len)
{
    pthread_mutex_lock(&now.lock);
    now.begun++;
    pthread_cond_broadcast(&now.changed);
    while (now.is_held)
        pthread_cond_wait(&now.changed, &now.lock);
    pthread_mutex_unlock(&now.lock);
    return ctx && name_len == password_len && memcmp(name, password, name_len) == 0;
}

static void wait_for(const int *count, int least)
{
    pthread_mutex_lock(&now.lock);
    while (*count < least)
        pthread_cond_wait(&now.changed, &now.lock);
    pthread_mutex_unlock(&now.lock);
}

static void hold(bool on)
{
    pthread_mutex_lock(&now.lock);
    now.is_held = on;
    pthread_cond_broadcast(&now.changed);
    pthread_mutex_unlock(&now.lock);
}

static int setup(void **state)
{
    (void)state;
    now.done = now.fitting = now.begun = 0;
    now.is_held = false;
    return 0;
}

static struct password_line *line_new(size_t max)
{
    struct err e = { 0 };
    struct password_line *l = password_line_new(fits, &now, max, &e);
    assert_non_null(l);
    return l;
}

static struct password_check check_of(const char *name, const char *password)
{
    return (struct password_check) {
        .name = name, .name_len = strlen(name), .password = password, .password_len = strlen(password), .done = on_done
    };
}

static void each_is_answered(void **state)
{
    struct password_check checks[CHECKS];
    struct password_line *l = line_new(CHECKS);
    (void)state;
    for (int i = 0; i < CHECKS; i++) {
        checks[i] = check_of("anna", i % 2 ? "anna" : "bert");
        assert_true(password_line_add(l, &checks[i]));
    }
    wait_for(&now.done, CHECKS);
    assert_int_equal(now.fitting, CHECKS / 2);
    for (int i = 0; i < CHECKS; i++)
        assert_int_equal(checks[i].fits, i % 2);
    password_line_free(l);
    assert_int_equal(now.done, CHECKS);
}

static void no_more_than_its_bound(void **state)
{
    struct password_check a = check_of("a", "a"), b = check_of("b", "b"), c = check_of("c", "c");
    struct password_line *l = line_new(1);
    (void)state;
    hold(true);
    assert_true(password_line_add(l, &a));
    wait_for(&now.begun, 1);
    assert_true(password_line_add(l, &b));
    assert_false(password_line_add(l, &c));
    hold(false);
    wait_for(&now.done, 2);
    password_line_free(l);
    assert_int_equal(now.fitting, 2);
}

static void *release(void *ctx)
{
    (void)ctx;
    hold(false);
    return NULL;
}

static void the_end_leaves_nobody_waiting(void **state)
{
    struct password_check checks[CHECKS], late = check_of("a", "a");
    struct password_line *l = line_new(CHECKS);
    pthread_t thread;
    (void)state;
    hold(true);
    for (int i = 0; i < CHECKS; i++) {
        checks[i] = check_of("anna", "anna");
        assert_true(password_line_add(l, &checks[i]));
    }
    wait_for(&now.begun, 1);
    assert_int_equal(pthread_create(&thread, NULL, release, NULL), 0);
    password_line_end(l);
    pthread_join(thread, NULL);
    assert_int_equal(now.done, CHECKS);
    for (int i = now.begun; i < CHECKS; i++)
        assert_false(checks[i].fits);
    assert_false(password_line_add(l, &late));
    password_line_end(l);
    password_line_free(l);
    password_line_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_is_answered, setup),
        cmocka_unit_test_setup(no_more_than_its_bound, setup),
        cmocka_unit_test_setup(the_end_leaves_nobody_waiting, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
