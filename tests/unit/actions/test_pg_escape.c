/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "actions/pg_escape.h"

#define ROW(in, out)                                                                                                   \
    {                                                                                                                  \
        in, sizeof(in) - 1, out, sizeof(out) - 1                                                                       \
    }

static const struct {
    const char *in;
    size_t in_len;
    const char *out;
    size_t out_len;
} copy_cases[] = {
    ROW("", ""),
    ROW("plain", "plain"),
    ROW("\\", "\\\\"),
    ROW("\t", "\\t"),
    ROW("\n", "\\n"),
    ROW("\r", "\\r"),
    ROW("\r\n", "\\r\\n"),
    ROW("\\N", "\\\\N"), /* not the null marker */
    ROW("\\.", "\\\\."), /* not the end of data */
    ROW("\\\\n", "\\\\\\\\n"),
    ROW("a\tb", "a\\tb"),
    ROW("\ta", "\\ta"),
    ROW("a\t", "a\\t"),
    ROW("\t\n\r\\", "\\t\\n\\r\\\\"),
    ROW("it's \"x\" $1 {a,b} NULL", "it's \"x\" $1 {a,b} NULL"),
    ROW("\b\f\v\x01\x7f", "\b\f\v\x01\x7f"),
    ROW("\xe2\x82\xac\xf0\x9f\x98\x80\xc2\x85", "\xe2\x82\xac\xf0\x9f\x98\x80\xc2\x85"),
};

static void copy_fields(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof(copy_cases) / sizeof(copy_cases[0]); i++) {
        buf_reset(&b);
        buf_puts(&b, "");
        pg_escape_copy(&b, copy_cases[i].in, copy_cases[i].in_len);
        assert_string_equal(b.p, copy_cases[i].out);
        assert_int_equal(b.len, copy_cases[i].out_len);
    }
    buf_clear(&b);
}

static void copy_null(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    pg_escape_copy(&b, NULL, 0);
    assert_string_equal(b.p, "\\N");
    buf_clear(&b);
}

/* Whatever goes in, what comes out has no separator, and reading it by the manual's rules gives it back. */
static void copy_is_reversible_for_every_byte(void **state)
{
    (void)state;
    struct buf b;
    char in[3], back[8];
    buf_init(&b, 100);
    for (int i = 1; i < 256; i++) {
        in[0] = (char)i;
        in[1] = '\\';
        in[2] = (char)i;
        buf_reset(&b);
        pg_escape_copy(&b, in, 3);
        assert_null(memchr(b.p, '\t', b.len));
        assert_null(memchr(b.p, '\n', b.len));
        assert_null(memchr(b.p, '\r', b.len));
        size_t n = 0;
        for (size_t k = 0; k < b.len; k++) {
            char c = b.p[k];
            if (c == '\\') {
                c = b.p[++k];
                c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            }
            back[n++] = c;
        }
        assert_int_equal(n, 3);
        assert_memory_equal(back, in, 3);
    }
    buf_clear(&b);
}

static void arrays(void **state)
{
    (void)state;
    struct buf b;
    static const char expected[] = "\0\0\0\1"
                                   "\0\0\0\1"
                                   "\0\0\0\x19"
                                   "\0\0\0\3"
                                   "\0\0\0\1"
                                   "\0\0\0\3{\"\\"
                                   "\xff\xff\xff\xff"
                                   "\0\0\0\0";
    buf_init(&b, 1000);
    pg_array_head(&b, 3);
    pg_array_element(&b, "{\"\\", 3);
    pg_array_element(&b, NULL, 0);
    pg_array_element(&b, "", 0);
    assert_int_equal(b.len, sizeof(expected) - 1);
    assert_memory_equal(b.p, expected, b.len);
    buf_clear(&b);
}

static void lengths_are_written_in_network_order(void **state)
{
    (void)state;
    static char text[70000];
    struct buf b;
    buf_init(&b, 100000);
    pg_array_element(&b, text, 0x010203);
    assert_memory_equal(b.p, "\x00\x01\x02\x03", 4);
    assert_int_equal(b.len, 4 + 0x010203);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_fields),
        cmocka_unit_test(copy_null),
        cmocka_unit_test(copy_is_reversible_for_every_byte),
        cmocka_unit_test(arrays),
        cmocka_unit_test(lengths_are_written_in_network_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
