/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/http/lambda_name.h"

#define NAME64 "n234567890123456789012345678901234567890123456789012345678901234"
#define ARN    "arn:aws:lambda:eu-west-1:123456789012:function:"

static void accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *qualifier;
    } cases[] = {
        { "hello", "hello", "" },
        { "Hello-World_2", "Hello-World_2", "" },
        { "hello:prod", "hello", "prod" },
        { "hello:42", "hello", "42" },
        { "hello:$LATEST", "hello", "$LATEST" },
        { "123456789012:function:hello", "hello", "" },
        { "123456789012:function:hello:prod", "hello", "prod" },
        { ARN "hello", "hello", "" },
        { ARN "hello:$LATEST", "hello", "$LATEST" },
        { "arn:aws-cn:lambda:cn-north-1:123456789012:function:hello:prod", "hello", "prod" },
        { NAME64, NAME64, "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lambda_name n;
        struct err e = { 0 };
        if (lambda_name_split(&n, cases[i].text, strlen(cases[i].text), &e) < 0)
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_int_equal(n.name_len, strlen(cases[i].name));
        assert_memory_equal(n.name, cases[i].name, n.name_len);
        assert_int_equal(n.qualifier_len, strlen(cases[i].qualifier));
        assert_memory_equal(n.qualifier, cases[i].qualifier, n.qualifier_len);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":",
        "a:",
        ":a",
        "a b",
        "a/b",
        "../a",
        "a?b",
        "a%2f",
        "\xc3\xbc",
        "a:b:c",
        "a:$latest",
        "a:b/c",
        NAME64 "5",
        "arn:aws:s3:eu-west-1:123456789012:function:a",
        "arn:aws:lambda:eu-west-1:function:a",
        "arn:aws:lambda::1:function:a",
        "arn:aws:lambda:eu-west-1:123456789012:a",
        ARN,
        ARN ":prod",
        ":function:a",
        "a:b:function:c",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lambda_name n;
        struct err e = { 0 };
        if (lambda_name_split(&n, bad[i], strlen(bad[i]), &e) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.code, ERR_TEMPLATE);
        assert_memory_equal(e.text, "the function", 12);
    }
    assert_int_equal(lambda_name_split(&(struct lambda_name) { 0 }, "a\0b", 3, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
