/* SPDX-License-Identifier: Apache-2.0 */
/* Fails allocation number 1, 2, 3 … of a question until it succeeds: whoever would be let in is denied until then, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/failing_alloc.h"

#include "engine/admin/auth_ask.c"
#include "engine/admin/auth_emqx.c"
#include "engine/admin/auth_request.c"
#include "engine/base/arena.c"
#include "engine/base/buf.c"

#define FAULTS_MAX 200

static int begun, ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *fake_meet(struct authorizer *a, const struct authorizer_subject *who)
{
    (void)who;
    return allocation_fails() ? NULL : a;
}

static bool fake_may(struct authorizer *a, void *client, enum authorizer_right right, const char *name, size_t len)
{
    (void)right;
    (void)name;
    return client == a && len > 0;
}

static void fake_part(struct authorizer *a, void *client)
{
    assert_ptr_equal(a, client);
}

static bool fits(void *ctx, const char *name, size_t name_len, const char *password, size_t password_len)
{
    (void)ctx;
    return name_len == 4 && memcmp(name, "anna", 4) == 0 && password_len == 6 && memcmp(password, "secret", 6) == 0;
}

static void begin_pause(struct http_pause *p)
{
    (void)p;
    begun++;
}

static void end_pause(struct http_pause *p)
{
    (void)p;
    pthread_mutex_lock(&lock);
    ended++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for_end(void)
{
    pthread_mutex_lock(&lock);
    while (ended < begun)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Is it allowed? What cannot even be written is not. */
static bool is_allowed(struct routes *rt, const struct http_request *request)
{
    struct http_keep keep = { 0 };
    struct http_pause pause = { .begin = begin_pause, .end = end_pause };
    struct http_request r = *request;
    struct http_response out = { .status = 200 };
    r.keep = &keep;
    r.pause = &pause;
    buf_init(&out.body, 4096);
    while (!routes_answer(rt, &r, &out))
        wait_for_end();
    bool allowed = !out.body.failed && strcmp(out.body.p, "{\"result\":\"allow\",\"is_superuser\":false}") == 0;
    if (!allowed && !out.body.failed)
        assert_non_null(strstr(out.body.p, "\"result\":\"deny\""));
    buf_clear(&out.body);
    if (keep.p)
        keep.free(keep.p);
    return allowed;
}

/* How many allocations failed before it was allowed. */
static size_t count_faults(struct routes *rt, const struct http_request *r)
{
    for (size_t n = 1; n < FAULTS_MAX; n++) {
        allocations_left = n;
        bool allowed = is_allowed(rt, r), none_failed = allocations_left > 0;
        allocations_left = SIZE_MAX;
        if (none_failed) {
            assert_true(allowed);
            return n - 1;
        }
        assert_false(allowed);
    }
    fail_msg("%d allocations fail", FAULTS_MAX);
    return 0;
}

static struct http_request question(const char *path, const char *type, const char *body)
{
    return (struct http_request) {
        .method = "POST", .path = path, .content_type = type, .body = body, .body_len = strlen(body)
    };
}

static void test_faults(void **state)
{
    static const char json[] = "{\"clientid\":\"c\",\"username\":\"an\\u006ea\",\"password\":\"secret\"}",
                      form[] = "clientid=c&username=anna&topic=a&action=publish&retain=true";
    struct authorizer authorizer = { .meet = fake_meet, .may = fake_may, .part = fake_part };
    struct err e = { 0 };
    struct routes routes = { .env = { .authorizer = &authorizer }, .line = password_line_new(fits, NULL, 1, &e) };
    (void)state;
    assert_non_null(routes.line);
    struct http_request r = question("/auth/emqx/authenticate", "application/json", json);
    assert_true(count_faults(&routes, &r) >= 4);
    r = question("/auth/emqx/authorize", "application/x-www-form-urlencoded", form);
    assert_true(count_faults(&routes, &r) >= 3);
    assert_int_equal(begun, ended);
    password_line_free(routes.line);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
