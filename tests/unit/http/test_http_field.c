/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/http/http_field.h"

static void values(void **state)
{
    (void)state;
    static const char *const good[] = { "", "a", " a\tb ", "\xc3\xbc", "{\"a\":1}", "~!\"#" };
    static const struct {
        const char *value;
        size_t len;
        const char *why;
    } bad[] = {
        { "a\nb", 3, "line break" }, { "a\r", 2, "line break" },          { "\r\nX: y", 6, "line break" },
        { "\0", 1, "control" },      { "a\x1f", 2, "control character" }, { "\x7f", 1, "control character" },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(http_field_check_value("x", good[i], strlen(good[i]), NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = { 0 };
        assert_int_equal(http_field_check_value("x-name", bad[i].value, bad[i].len, &e), -1);
        assert_int_equal(e.code, ERR_TEMPLATE);
        assert_non_null(strstr(e.text, bad[i].why));
        assert_non_null(strstr(e.text, "\"x-name\""));
    }
}

static int take(void *ctx, const struct conf *name, const struct conf *value, struct errs *errs)
{
    (void)errs;
    buf_printf(ctx, "%s=%s;", name->text, value->text);
    return 0;
}

static int read_fields(const char *yaml, struct buf *out, struct errs *errs)
{
    struct src *src = src_new("test.yaml", yaml, strlen(yaml));
    struct conf *c = conf_parse(src, false, errs);
    src_unref(src);
    assert_non_null(c);
    int rc = http_fields_read(c, take, out, errs);
    conf_free(c);
    return rc;
}

static void both_forms(void **state)
{
    (void)state;
    static const char *const same[] = { "[{ key: a, value: '1' }, { value: b c, key: X-D }]", "{ a: 1, X-D: b c }" };
    for (size_t i = 0; i < 2; i++) {
        struct buf out;
        struct errs errs = { 0 };
        buf_init(&out, 1000);
        assert_int_equal(read_fields(same[i], &out, &errs), 0);
        assert_string_equal(out.p, "a=1;X-D=b c;");
        buf_clear(&out);
    }
    assert_int_equal(http_fields_read(NULL, take, NULL, NULL), 0);
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "''",         "a b", "'a:'",  "ü", "'{a}'", "\"a\\n\"", "'${a}'", "Host", "Content-Length", "transfer-Encoding",
        "connection", "TE",  "expect"
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char yaml[100];
        struct errs errs = { 0 };
        struct buf out;
        buf_init(&out, 1000);
        snprintf(yaml, sizeof(yaml), "[{ key: %s, value: x }]", bad[i]);
        if (read_fields(yaml, &out, &errs) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(errs.errors, 1);
        errs_clear(&errs);
        buf_clear(&out);
    }
}

static void at_most_100(void **state)
{
    (void)state;
    struct buf yaml, out;
    struct errs errs = { 0 };
    buf_init(&yaml, 10000);
    buf_init(&out, 10000);
    for (int i = 0; i < 100; i++)
        buf_printf(&yaml, "x%d: a\n", i);
    assert_int_equal(read_fields(yaml.p, &out, &errs), 0);
    buf_puts(&yaml, "y: a\n");
    assert_int_equal(read_fields(yaml.p, &out, &errs), -1);
    errs_clear(&errs);
    buf_clear(&yaml);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(both_forms),
        cmocka_unit_test(names),
        cmocka_unit_test(at_most_100),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
