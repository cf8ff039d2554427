/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"

static void appends(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_puts(&b, "ab");
    assert_string_equal(b.p, "ab");
    buf_putc(&b, 'c');
    buf_put(&b, "d\0e", 3);
    buf_put(&b, NULL, 0);
    buf_printf(&b, "-%d-%s", 7, "x");
    buf_put_u64(&b, 0);
    buf_put_u64(&b, UINT64_MAX);
    buf_put_i64(&b, INT64_MIN);
    buf_put_i64(&b, -5);
    buf_put_i64(&b, INT64_MAX);
    static const char expected[] = "abcd\0e-7-x018446744073709551615-9223372036854775808-59223372036854775807";
    assert_int_equal(b.len, sizeof(expected) - 1);
    assert_memory_equal(b.p, expected, sizeof(expected)); /* with the NUL */
    assert_false(b.failed);
    buf_clear(&b);
    assert_null(b.p);
    assert_int_equal(b.max, 1000);
}

static void holds_exactly_its_bound(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_puts(&b, "12345");
    assert_false(b.failed);
    assert_string_equal(b.p, "12345");
    buf_putc(&b, '6');
    assert_true(b.failed);
    assert_string_equal(b.p, "12345");
    buf_clear(&b);
    buf_init(&b, 0);
    buf_puts(&b, "");
    assert_false(b.failed);
    assert_string_equal(b.p, "");
    buf_putc(&b, 'x');
    assert_true(b.failed);
    buf_clear(&b);
}

static void nothing_is_added_after_a_failure(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_puts(&b, "keep");
    char big[200] = { 0 };
    buf_put(&b, big, sizeof(big));
    assert_true(b.failed);
    buf_putc(&b, 'x');
    buf_puts(&b, "y");
    buf_printf(&b, "%d", 5);
    buf_put(&b, NULL, 0);
    assert_false(buf_reserve(&b, 0));
    assert_string_equal(b.p, "keep");
    assert_int_equal(b.len, 4);
    buf_reset(&b);
    assert_false(b.failed);
    assert_int_equal(b.len, 0);
    buf_puts(&b, "again and longer than before");
    assert_string_equal(b.p, "again and longer than before");
    buf_clear(&b);
}

static void a_failed_printf_leaves_no_part(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_puts(&b, "abc");
    buf_printf(&b, "%s", "123456");
    assert_true(b.failed);
    assert_string_equal(b.p, "abc");
    buf_reset(&b);
    buf_printf(&b, "%s", "12345678");
    assert_false(b.failed);
    assert_string_equal(b.p, "12345678");
    buf_clear(&b);
}

static void printf_grows(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    buf_printf(&b, "%05000d", 1);
    assert_int_equal(b.len, 5000);
    assert_int_equal(strlen(b.p), 5000);
    buf_printf(&b, "%c", 'z');
    assert_int_equal(b.p[5000], 'z');
    buf_clear(&b);
}

static void reserve_refuses_what_overflows(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_putc(&b, 'x');
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_reset(&b);
    assert_true(buf_reserve(&b, 100));
    char *p = b.p;
    for (int i = 0; i < 100; i++)
        buf_putc(&b, 'y');
    assert_ptr_equal(b.p, p);
    buf_clear(&b);
}

static void a_reset_buffer_takes_nothing_from_the_heap(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_printf(&b, "%0500d", 1);
    char *p = b.p;
    size_t cap = b.cap;
    buf_reset(&b);
    assert_string_equal(b.p, "");
    buf_printf(&b, "%0500d", 1);
    assert_ptr_equal(b.p, p);
    assert_int_equal(b.cap, cap);
    buf_clear(&b);
    buf_reset(&b);
}

static void detaches(void **state)
{
    (void)state;
    struct buf b;
    size_t len;
    buf_init(&b, 10);
    buf_puts(&b, "abc");
    char *p = buf_detach(&b, &len);
    assert_string_equal(p, "abc");
    assert_int_equal(len, 3);
    free(p);
    assert_int_equal(b.len, 0);
    p = buf_detach(&b, &len);
    assert_string_equal(p, "");
    assert_int_equal(len, 0);
    free(p);
    buf_printf(&b, "%011d", 1);
    assert_null(buf_detach(&b, &len));
    assert_int_equal(len, 0);
    assert_false(b.failed);
    buf_puts(&b, "usable");
    assert_string_equal(b.p, "usable");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(holds_exactly_its_bound),
        cmocka_unit_test(nothing_is_added_after_a_failure),
        cmocka_unit_test(a_failed_printf_leaves_no_part),
        cmocka_unit_test(printf_grows),
        cmocka_unit_test(reserve_refuses_what_overflows),
        cmocka_unit_test(a_reset_buffer_takes_nothing_from_the_heap),
        cmocka_unit_test(detaches),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
