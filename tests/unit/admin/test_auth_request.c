/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of brokers' questions: both forms, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/admin/auth_request.h"

static struct auth_request q;
static struct err e;

static int read_bytes(bool is_form, const char *body, size_t len)
{
    auth_request_clear(&q);
    auth_request_init(&q);
    e = (struct err) { 0 };
    return auth_request_read(&q, is_form, body, len, &e);
}

static int setup(void **state)
{
    (void)state;
    auth_request_init(&q);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_request_clear(&q);
    return 0;
}

static void assert_reads(bool is_form, const char *body)
{
    assert_int_equal(read_bytes(is_form, body, strlen(body)), 0);
}

static void assert_refused(bool is_form, const char *body, const char *why)
{
    assert_int_equal(read_bytes(is_form, body, strlen(body)), -1);
    if (!strstr(e.text, why))
        fail_msg("%s: \"%s\" instead of \"%s\"", body, e.text, why);
}

static void test_json(void **state)
{
    (void)state;
    assert_reads(false,
                 "{\"clientid\":\"l\\u00e4mp\",\"username\":null,\"acc\":3,\"retain\":true,\"other\":{\"topic\":1}}");
    assert_true(auth_request_is(&q, AUTH_CLIENT, "lämp"));
    assert_true(auth_request_is(&q, AUTH_ACC, "3"));
    assert_true(auth_request_is(&q, AUTH_RETAIN, "true"));
    assert_true(auth_request_lacks(&q, AUTH_USER) && auth_request_lacks(&q, AUTH_TOPIC));
    assert_false(auth_request_is(&q, AUTH_TOPIC, ""));
    assert_reads(false, "{}");
    assert_reads(false, "{\"topic\":\"\"}");
    assert_true(auth_request_lacks(&q, AUTH_TOPIC));
}

static void test_json_refused(void **state)
{
    (void)state;
    assert_refused(false, "", "");
    assert_refused(false, "clientid=a", "");
    assert_refused(false, "[]", "must be an object");
    assert_refused(false, "{\"topic\":[]}", "\"topic\" must be a text");
    assert_refused(false, "{\"clientid\":\"a\",\"clientid\":\"b\"}", "given twice");
    assert_refused(false, "{\"clientid\":\"a\",\"client\\u0069d\":\"b\"}", "given twice");
    assert_refused(false, "{\"clientid\":\"a\\u0000b\"}", "\"clientid\" is not text");
    assert_reads(false, "{\"password\":\"a\\u0000b\"}");
    assert_int_equal(q.fields[AUTH_PASSWORD].len, 3);
}

static void test_form(void **state)
{
    (void)state;
    assert_reads(true, "clientid=lamp%2d1&username=anna+b%2B&&topic=a%2Fb%3D%26&password&x=%41=b&acc=4&");
    assert_true(auth_request_is(&q, AUTH_CLIENT, "lamp-1"));
    assert_true(auth_request_is(&q, AUTH_USER, "anna b+"));
    assert_true(auth_request_is(&q, AUTH_TOPIC, "a/b=&"));
    assert_true(auth_request_is(&q, AUTH_PASSWORD, ""));
    assert_true(auth_request_is(&q, AUTH_ACC, "4"));
    assert_reads(true, "");
    assert_reads(true, "password=%00%ff");
    assert_memory_equal(q.fields[AUTH_PASSWORD].p, "\0\xff", 3);
}

static void test_form_refused(void **state)
{
    (void)state;
    assert_refused(true, "topic=%", "two hexadecimal digits");
    assert_refused(true, "topic=%4", "two hexadecimal digits");
    assert_refused(true, "topic=%4g", "two hexadecimal digits");
    assert_refused(true, "x%=1", "two hexadecimal digits");
    assert_refused(true, "topic=a&topic=a", "given twice");
    assert_refused(true, "topic=&topic=a", "given twice");
    assert_refused(true, "topic=a%00", "\"topic\" is not text");
    assert_refused(true, "username=%ff", "\"username\" is not text");
}

/* The query of an address and a body: neither replaces what the other says. */
static void test_query_and_body(void **state)
{
    (void)state;
    assert_int_equal(auth_request_add(&q, "clientid", 8, "lamp-1", 6, &e), 0);
    assert_int_equal(auth_request_add(&q, "other", 5, "\xff", 1, &e), 0);
    assert_int_equal(auth_request_add(&q, "username", 8, NULL, 0, &e), 0);
    assert_int_equal(auth_request_read(&q, false, "{\"topic\":\"a\"}", 13, &e), 0);
    assert_true(auth_request_is(&q, AUTH_CLIENT, "lamp-1") && auth_request_is(&q, AUTH_TOPIC, "a"));
    assert_true(auth_request_lacks(&q, AUTH_USER));
    assert_int_equal(auth_request_read(&q, true, "clientid=lamp-1", 15, &e), -1);
    assert_non_null(strstr(e.text, "\"clientid\" is given twice"));
    e = (struct err) { 0 };
    assert_int_equal(auth_request_add(&q, "acc", 3, "\xc3", 1, &e), -1);
    assert_non_null(strstr(e.text, "\"acc\" is not text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_query_and_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_form, setup, teardown),
        cmocka_unit_test_setup_teardown(test_form_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
