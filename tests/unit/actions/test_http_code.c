/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actions/http_code.h"
#include "engine/http/http_link.h"

static void verdicts(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum http_verdict http, lambda;
    } cases[] = {
        { 0, HTTP_LATER, HTTP_LATER },
        { 100, HTTP_LATER, HTTP_LATER },
        { 199, HTTP_LATER, HTTP_LATER },
        { 200, HTTP_DONE, HTTP_DONE },
        { 202, HTTP_DONE, HTTP_DONE },
        { 299, HTTP_DONE, HTTP_DONE },
        { 300, HTTP_REJECTED, HTTP_REJECTED },
        { 301, HTTP_REJECTED, HTTP_REJECTED },
        { 399, HTTP_REJECTED, HTTP_REJECTED },
        { 400, HTTP_REJECTED, HTTP_REJECTED },
        { 401, HTTP_REJECTED, HTTP_MISCONFIGURED },
        { 403, HTTP_REJECTED, HTTP_MISCONFIGURED },
        { 404, HTTP_REJECTED, HTTP_REJECTED },
        { 407, HTTP_REJECTED, HTTP_REJECTED },
        { 408, HTTP_LATER, HTTP_LATER },
        { 409, HTTP_REJECTED, HTTP_LATER },
        { 410, HTTP_REJECTED, HTTP_REJECTED },
        { 413, HTTP_REJECTED, HTTP_REJECTED },
        { 424, HTTP_REJECTED, HTTP_REJECTED },
        { 425, HTTP_LATER, HTTP_LATER },
        { 426, HTTP_REJECTED, HTTP_REJECTED },
        { 429, HTTP_LATER, HTTP_LATER },
        { 499, HTTP_REJECTED, HTTP_REJECTED },
        { 500, HTTP_LATER, HTTP_LATER },
        { 503, HTTP_LATER, HTTP_LATER },
        { 599, HTTP_LATER, HTTP_LATER },
        { 600, HTTP_LATER, HTTP_LATER },
        { 1000, HTTP_LATER, HTTP_LATER },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (http_status_verdict(cases[i].status) != cases[i].http ||
            lambda_status_verdict(cases[i].status) != cases[i].lambda)
            fail_msg("%d", cases[i].status);
    }
}

/* 1994-11-06T08:49:37Z, the example of RFC 9110 section 5.6.7, in its three forms. */
static void retry_after(void **state)
{
    (void)state;
    const int64_t now = 784111777000;
    static const struct {
        const char *value;
        int64_t before_ms;
        uint32_t expected;
    } cases[] = {
        { "0", 0, 0 },
        { "120", 0, 120000 },
        { "120 ", 0, 120000 },
        { "86400", 0, 86400000 },
        { "86401", 0, 86400000 },
        { "18446744073709551616", 0, 86400000 },
        { "", 0, 0 },
        { "-1", 0, 0 },
        { "1.5", 0, 0 },
        { "10s", 0, 0 },
        { "soon", 0, 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 5500, 5500 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 5500, 5500 },
        { "Sun Nov  6 08:49:37 1994", 5500, 5500 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0, 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", -1000, 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 90000000, 86400000 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t ms = http_retry_after_ms(cases[i].value, now - cases[i].before_ms);
        if (ms != cases[i].expected)
            fail_msg("%s: %u", cases[i].value, ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
