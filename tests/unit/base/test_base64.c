/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/base64.h"

/* RFC 4648 section 10, and bytes that use the whole alphabet. */
static const struct {
    const char *plain;
    size_t len;
    const char *text;
} rows[] = {
    { "", 0, "" },
    { "f", 1, "Zg==" },
    { "fo", 2, "Zm8=" },
    { "foo", 3, "Zm9v" },
    { "foob", 4, "Zm9vYg==" },
    { "fooba", 5, "Zm9vYmE=" },
    { "foobar", 6, "Zm9vYmFy" },
    { "\xfb\xff\xbf", 3, "+/+/" },
    { "\0\0\0", 3, "AAAA" },
};

static void encodes_and_decodes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&b);
        buf_puts(&b, "<");
        base64_encode(&b, rows[i].plain, rows[i].len);
        assert_string_equal(b.p + 1, rows[i].text);
        buf_reset(&b);
        buf_puts(&b, "<");
        assert_true(base64_decode(&b, rows[i].text, strlen(rows[i].text)));
        assert_int_equal(b.len, 1 + rows[i].len);
        assert_memory_equal(b.p + 1, rows[i].plain, rows[i].len);
    }
    buf_clear(&b);
}

static void every_byte_survives(void **state)
{
    (void)state;
    unsigned char bytes[256];
    for (size_t i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    struct buf text, back;
    buf_init(&text, 1000);
    buf_init(&back, 1000);
    base64_encode(&text, bytes, sizeof(bytes));
    assert_true(base64_decode(&back, text.p, text.len));
    assert_int_equal(back.len, 256);
    assert_memory_equal(back.p, bytes, 256);
    buf_clear(&text);
    buf_clear(&back);
}

static void refuses_what_is_not_base64(void **state)
{
    (void)state;
    static const char *const bad[] = { "Z",    "Zg",   "Zg=",  "Zg===", "====",     "=",    "Z===",    "Zm9v\n",
                                       "Zm-_", "Zm 9", "Z=g=", "=Zg=",  "Zg==Zg==", "Zm9*", "Zm8=Zm8=" };
    struct buf b;
    buf_init(&b, 100);
    buf_puts(&b, "x");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(base64_decode(&b, bad[i], strlen(bad[i])));
        assert_string_equal(b.p, "x");
    }
    assert_false(base64_decode(&b, "Zm9\0", 4));
    buf_clear(&b);
}

static void a_full_buffer_is_marked(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 7);
    base64_encode(&b, "foob", 4);
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    buf_reset(&b);
    assert_true(base64_decode(&b, "Zm9vYmFyZm9v", 12));
    assert_true(b.failed);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes),
        cmocka_unit_test(every_byte_survives),
        cmocka_unit_test(refuses_what_is_not_base64),
        cmocka_unit_test(a_full_buffer_is_marked),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
