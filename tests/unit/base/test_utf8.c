/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/utf8.h"

/* By definition: every code point but the surrogates encodes to valid UTF-8, and nothing else of the same length does. */
static void all_code_points(void **state)
{
    (void)state;
    char s[4];
    size_t wrong = 0;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        size_t n = utf8_encode(cp, s);
        bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;
        wrong += utf8_is_valid(s, n) == surrogate;
        wrong += n != (cp < 0x80 ? 1u : cp < 0x800 ? 2u : cp < 0x10000 ? 3u : 4u);
        if (!surrogate) {
            wrong += utf8_count(s, n) != 1 || utf8_step(s, n) != n;
            wrong += n > 1 && utf8_valid_prefix(s, n - 1) != 0;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Counting the valid two-, three- and four-byte sequences finds overlong forms and values out of range. */
static void number_of_valid_sequences(void **state)
{
    (void)state;
    size_t two = 0, three = 0, four = 0;
    for (uint32_t a = 0x80; a < 0x100; a++) {
        for (uint32_t b = 0; b < 0x100; b++) {
            char s[4] = { (char)a, (char)b, (char)0x80, (char)0x80 };
            two += utf8_is_valid(s, 2);
            three += utf8_is_valid(s, 3);
            four += utf8_is_valid(s, 4);
        }
    }
    assert_int_equal(two, 0x780);
    assert_int_equal(three, (0x10000 - 0x800 - 0x800) / 64);
    assert_int_equal(four, 0x100000 / 4096);
}

static void invalid_bytes_at_every_place(void **state)
{
    (void)state;
    static const char *const bad[] = { "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
                                       "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                                       "\xff",         "\xe2\x82",         "\xf0\x9f\x99",     "\xc3" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t at = 0; at < 40; at++) {
            char s[64];
            memset(s, 'a', sizeof(s));
            memcpy(s + at, bad[i], strlen(bad[i]));
            assert_int_equal(utf8_valid_prefix(s, sizeof(s)), at);
            assert_int_equal(utf8_valid_prefix(s, at + strlen(bad[i])), at);
            assert_int_equal(utf8_step(s + at, sizeof(s) - at), 1);
        }
    }
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("a\0b", 3));
}

static void counts_and_steps(void **state)
{
    (void)state;
    static const char s[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82z";
    static const size_t offsets[] = { 0, 1, 3, 6, 10, 11, 11 };
    assert_int_equal(utf8_count(s, sizeof(s) - 1), 5);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        assert_int_equal(utf8_offset(s, sizeof(s) - 1, i), offsets[i]);
    assert_int_equal(utf8_count("\xff\x80"
                                "a",
                                3),
                     3);
    assert_int_equal(utf8_count("", 0), 0);
}

/* What a broker takes: U+0001 is valid UTF-8 and yet may end a connection. */
static void printable(void **state)
{
    (void)state;
    static const uint32_t bad[] = { 0, 1, 0x1F, 0x7F, 0x80, 0x9F, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF };
    static const uint32_t good[] = { ' ', '~', 0xA0, 0xE4, 0xFDCF, 0xFDF0, 0xFFFD, 0x1F600, 0x10FFFD };
    char s[8] = "ab";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(utf8_printable_prefix(s, 2 + utf8_encode(bad[i], s + 2)), 2);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t len = 2 + utf8_encode(good[i], s + 2);
        assert_int_equal(utf8_printable_prefix(s, len), len);
    }
    assert_int_equal(utf8_printable_prefix("a\xff", 2), 1);
    assert_int_equal(utf8_printable_prefix("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_code_points),           cmocka_unit_test(printable),
        cmocka_unit_test(number_of_valid_sequences), cmocka_unit_test(invalid_bytes_at_every_place),
        cmocka_unit_test(counts_and_steps),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
