/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/num.h"
#include "engine/base/random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct num from_text(const char *s)
{
    struct num n;
    if (!num_parse(&n, s, strlen(s)))
        fail_msg("cannot read %s", s);
    return n;
}

static void assert_text(const struct num *n, const char *expected)
{
    char text[NUM_TEXT_MAX + 1];
    text[num_text(text, n)] = '\0';
    assert_string_equal(text, expected);
}

static void assert_read_as(const char *s, const char *expected, bool is_int)
{
    struct num n = from_text(s);
    assert_text(&n, expected);
    assert_int_equal(n.is_int, is_int);
}

static void assert_refused(const char *s)
{
    struct num n;
    if (num_parse(&n, s, strlen(s)))
        fail_msg("%s was read", s);
}

/* Operations by name, as the case table has them */

static bool compare(struct num *r, const struct num *x, const struct num *y)
{
    *r = num_from_i64(num_cmp(x, y));
    return true;
}

static bool read_only(struct num *r, const struct num *x, const struct num *y)
{
    (void)y;
    *r = *x;
    return true;
}

static bool make_whole(struct num *r, const struct num *x, const struct num *y)
{
    (void)y;
    *r = *x;
    num_make_whole_int(r);
    return true;
}

static bool floor_of(struct num *r, const struct num *x, const struct num *y)
{
    (void)y;
    return num_floor(r, x);
}

static bool ceil_of(struct num *r, const struct num *x, const struct num *y)
{
    (void)y;
    return num_ceil(r, x);
}

static bool round_of(struct num *r, const struct num *x, const struct num *y)
{
    (void)y;
    return num_round(r, x);
}

static const struct {
    const char *name;
    bool (*run)(struct num *r, const struct num *x, const struct num *y);
} operations[] = {
    { "add", num_add },    { "ceil", ceil_of }, { "cmp", compare },      { "div", num_div },
    { "floor", floor_of }, { "mul", num_mul },  { "parse", read_only },  { "rem", num_rem },
    { "round", round_of }, { "sub", num_sub },  { "whole", make_whole },
};

static bool run_operation(const char *name, struct num *r, const struct num *x, const struct num *y)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, name) == 0)
            return operations[i].run(r, x, y);
    }
    fail_msg("no operation %s", name);
    return false;
}

struct num_case {
    const char *operation, *x, *y, *result;
};

static void assert_case(const struct num_case *c)
{
    struct num x, y = num_from_i64(0), r;
    char text[NUM_TEXT_MAX + 1] = "-";
    bool ok = num_parse(&x, c->x, strlen(c->x)) && (c->y[0] == '.' || num_parse(&y, c->y, strlen(c->y)));
    if (ok && run_operation(c->operation, &r, &x, &y))
        text[num_text(text, &r)] = '\0';
    if (strcmp(text, c->result) != 0)
        fail_msg("%s %s %s: %s instead of %s", c->operation, c->x, c->y, text, c->result);
}

static void test_matches_big_decimal(void **state)
{
    (void)state;
    static const struct num_case cases[] = {
#include "num_cases.inc"
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_case(&cases[i]);
}

static void check(const char *operation, const char *x, const char *y, const char *result)
{
    assert_case(&(struct num_case) { operation, x, y, result });
}

static void test_reads_text(void **state)
{
    (void)state;
    assert_read_as("0", "0", true);
    assert_read_as("-0", "0", true);
    assert_read_as("007", "7", true);
    assert_read_as("5.10", "5.10", false);
    assert_read_as("-0.0", "0.0", false);
    assert_read_as("1E3", "1E+3", false);
    assert_read_as("1e+3", "1E+3", false);
    assert_read_as("1.5e-10", "1.5E-10", false);
    assert_read_as("0.000001", "0.000001", false);
    assert_read_as("0.0000001", "1E-7", false);
    assert_read_as("9223372036854775807", "9223372036854775807", true);
    assert_read_as("9223372036854775808", "9223372036854775808", true);
    assert_read_as("-9223372036854775808", "-9223372036854775808", true);
    assert_read_as("9999999999999999999999999999999999", "9999999999999999999999999999999999", true);
    assert_read_as("00000000009999999999999999999999999999999999", "9999999999999999999999999999999999", true);
    assert_read_as("9.9E999", "9.9E+999", false);
    assert_read_as("1E-999", "1E-999", false);
}

static void test_refuses_text(void **state)
{
    (void)state;
    static const char *const texts[] = { "",   "-",  "+1",  ".5",    "5.",   "1e",       "1e+", "1.e3", " 1",
                                         "1 ", "1x", "--1", "1.2.3", "0x10", "Infinity", "NaN", "1E",   "1-" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
    assert_refused("10000000000000000000000000000000000"); /* 35 digits */
    assert_refused("1E1000");
    assert_refused("1E-1000");
    assert_refused("1E99999999999999999999");
    assert_refused("9.99999999999999999999999999999999999E999"); /* rounds up to 1E1000 */
}

static void test_rounds_long_decimals_half_even(void **state)
{
    (void)state;
    assert_read_as("1.2345678901234567890123456789012345", "1.234567890123456789012345678901234", false);
    assert_read_as("1.2345678901234567890123456789012335", "1.234567890123456789012345678901234", false);
    assert_read_as("1.23456789012345678901234567890123450001", "1.234567890123456789012345678901235", false);
    assert_read_as("99999999999999999999999999999999999.5", "1.000000000000000000000000000000000E+35", false);
    assert_read_as("0.00000000000000000000000000000000000000012", "1.2E-40", false);
}

static void test_bounds_zero_exponents(void **state)
{
    (void)state;
    assert_read_as("0E5000", "0E+999", false);
    assert_read_as("0E-5000", "0E-1032", false);
    assert_read_as("0E999999999999999999999999", "0E+999", false);
    check("mul", "0E-900", "1E-900", "0E-1032");
}

/* Very long texts are read in one pass, and cut or refused. */
static void test_long_texts(void **state)
{
    (void)state;
    static char digits[10002];
    memset(digits, '9', 10000);
    assert_refused(digits);
    digits[5000] = '.';
    assert_refused(digits); /* 1E5000 */
    memset(digits, '0', 9999);
    digits[9999] = '7';
    assert_read_as(digits, "7", true);
    digits[1] = '.';
    assert_refused(digits); /* 7E-9998 */
    snprintf(digits + 9995, 7, "1E9995");
    assert_read_as(digits, "1E+1", false); /* 1E-9994 with another exponent */
}

static void test_numeric_strings(void **state)
{
    (void)state;
    static const char *const good[] = { "0",    "-1",  "007",  "1.50",
                                        "1e-3", "1E3", "-0.0", "12345678901234567890123456789012345678" };
    static const char *const bad[] = { "", "+1", ".5", "5.", "1E+3", " 1", "1 ", "e3", "0x1", "1e", "-", "1,5" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(num_is_numeric_string(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(num_is_numeric_string(bad[i], strlen(bad[i])));
}

static void test_sums_keep_the_larger_scale(void **state)
{
    (void)state;
    check("add", "0.1", "0.2", "0.3");
    check("add", "1.10", "2.2", "3.30");
    check("sub", "1.0", "1.00", "0.00");
    check("add", "5", "5.0", "10.0");
    check("add", "9223372036854775807", "1", "9223372036854775808");
    check("sub", "-9223372036854775808", "1", "-9223372036854775809");
    check("add", "9999999999999999999999999999999999", "1", "-");
    check("add", "9999999999999999999999999999999999", "1.0", "1.000000000000000000000000000000000E+34");
    check("sub", "9223372036854775808", "1", "9223372036854775807");
    check("add", "9.9E999", "1E998", "-");
    check("sub", "1.5E-999", "1.4E-999", "-"); /* below 1E-999 */
}

static void test_cuts_to_places(void **state)
{
    static const struct {
        const char *x;
        int places;
        const char *result;
    } rows[] = {
        { "2.888", 2, "2.88" },   { "-2.888", 0, "-2" }, { "1.500", 3, "1.5" }, { "200.00", 1, "200" },
        { "2E+3", 0, "2E+3" },    { "0.00", 1, "0" },    { "1E-999", 34, "0" }, { "1.5E-34", 34, "1E-34" },
        { "9E-35", 34, "0" },     { "12", 0, "12" },     { "0E-900", 5, "0" },  { "1.20E+900", 3, "1.20E+900" },
        { "1200.10", 0, "1200" },
    };
    struct num n;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        n = from_text(rows[i].x);
        num_trunc(&n, &n, rows[i].places);
        assert_text(&n, rows[i].result);
    }
    n = from_text("0.1234567890123456789012345678901234");
    num_trunc(&n, &n, 20);
    assert_text(&n, "0.1234567890123456789");
}

static void test_bits(void **state)
{
    const struct num most = from_text("9999999999999999999999999999999999"), one = num_from_i64(1);
    struct num n, m;
    (void)state;
    for (int64_t x = -300; x <= 300; x += 7) {
        for (int64_t y = -300; y <= 300; y += 11) {
            const struct num a = num_from_i64(x), b = num_from_i64(y);
            assert_true(num_bit_and(&n, &a, &b) && n.coef == (x & y) && n.is_int);
            assert_true(num_bit_or(&n, &a, &b) && n.coef == (x | y));
            assert_true(num_bit_xor(&n, &a, &b) && n.coef == (x ^ y));
        }
    }
    m = most;
    assert_true(num_bit_and(&n, &most, &one) && n.coef == 1);
    assert_true(num_bit_xor(&m, &m, &most) && num_is_zero(&m));
    num_neg(&m, &most);
    assert_true(num_bit_xor(&n, &m, &most));
    assert_text(&n, "-2");
    m = from_text("384593717069655257060992658440192"); /* the bits below 2^113 that `most` has not */
    assert_false(num_bit_or(&n, &m, &most));
    m = from_text("5192296858534827628530496329220096"); /* 2^112 */
    assert_true(num_bit_not(&n, &m));
    assert_text(&n, "5192296858534827628530496329220095");
    m = from_text("-5192296858534827628530496329220097");
    assert_true(num_bit_not(&n, &m));
    assert_text(&n, "5192296858534827628530496329220096");
}

static void test_products_add_the_scales(void **state)
{
    (void)state;
    check("mul", "1.50", "2.0", "3.000");
    check("mul", "3037000500", "3037000500", "9223372037000250000");
    check("mul", "99999999999999999", "100000000000000001", "9999999999999999999999999999999999");
    check("mul", "100000000000000000", "100000000000000000", "-");
    check("mul", "1E500", "1E500", "-");
    check("mul", "1E-500", "1E-500", "-");
    check("mul", "12345678901234567890123456789012345678", "0", "-"); /* the operand itself is refused */
}

static void test_quotients(void **state)
{
    (void)state;
    check("div", "7", "2", "3");
    check("div", "-7", "2", "-3");
    check("div", "7.0", "2", "3.5");
    check("div", "1.0", "3", "0.3333333333333333333333333333333333");
    check("div", "600.00", "3", "200.00");
    check("div", "1", "8.0", "0.125");
    check("div", "1E3", "1E1", "1E+2");
    check("div", "0.0", "5", "0.0");
    check("div", "1", "0", "-");
    check("div", "1.0", "0.00", "-");
    check("div", "-9223372036854775808", "-1", "9223372036854775808");
    check("div", "-9223372036854775808", "-1.0", "9223372036854775808");
    check("div", "-922337203685477580.8", "-0.1", "9223372036854775808");
    check("div", "9999999999999999999999999999999999", "-3", "-3333333333333333333333333333333333");
}

static void test_remainders(void **state)
{
    (void)state;
    check("rem", "8", "3", "2");
    check("rem", "-8", "3", "-2");
    check("rem", "8", "-3", "2");
    check("rem", "5.5", "2", "1.5");
    check("rem", "5", "7.25", "5");
    check("rem", "100", "2.5", "0");
    check("rem", "5", "2.50", "0.00");
    check("rem", "1", "0", "-");
    check("rem", "-9223372036854775808", "-1", "0");
    check("rem", "-9223372036854775808", "-1.0", "0.0");
    check("rem", "-922337203685477580.8", "-0.1", "0.0");
    check("rem", "1E999", "7", "6");
    check("rem", "9999999999999999999999999999999999", "10000000000", "9999999999");
}

static void test_operands_may_be_the_result(void **state)
{
    (void)state;
    struct num n = from_text("12345678901234567890.5");
    assert_true(num_add(&n, &n, &n));
    assert_text(&n, "24691357802469135781.0");
    assert_true(num_div(&n, &n, &n));
    assert_text(&n, "1");
    n = from_text("-12.5");
    num_neg(&n, &n);
    assert_text(&n, "12.5");
    assert_true(num_round(&n, &n));
    assert_text(&n, "13");
}

static void test_signs(void **state)
{
    (void)state;
    struct num n, r;
    static const char *const texts[] = { "-9223372036854775808", "-9223372036854775809", "-0.5",
                                         "-123456789012345678901234.5" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        n = from_text(texts[i]);
        assert_int_equal(num_sign(&n), -1);
        assert_false(num_is_zero(&n));
        num_neg(&r, &n);
        assert_text(&r, texts[i] + 1);
        assert_int_equal(num_sign(&r), 1);
        num_abs(&r, &n);
        assert_text(&r, texts[i] + 1);
        num_neg(&r, &r);
        assert_int_equal(num_cmp(&r, &n), 0);
        assert_memory_equal(&r.coef, &n.coef, sizeof(r.coef)); /* one form for one value */
    }
    n = from_text("-0.00");
    assert_true(num_is_zero(&n));
    assert_int_equal(num_sign(&n), 0);
}

static void test_compares_by_value(void **state)
{
    (void)state;
    check("cmp", "5", "5.0", "0");
    check("cmp", "5.000", "5E0", "0");
    check("cmp", "-1", "0.0", "-1");
    check("cmp", "0E10", "0", "0");
    check("cmp", "1E999", "9223372036854775807", "1");
    check("cmp", "-1E999", "-9223372036854775807", "-1");
    check("cmp", "1E-999", "0", "1");
    check("cmp", "12345678901234567890.12", "12345678901234567890.1200", "0");
    check("cmp", "12345678901234567890.12", "12345678901234567890.1201", "-1");
}

static void test_whole_numbers(void **state)
{
    (void)state;
    check("whole", "5.0", ".", "5");
    check("whole", "1E3", ".", "1000");
    check("whole", "1E33", ".", "1000000000000000000000000000000000");
    check("whole", "1E34", ".", "1E+34");
    check("whole", "5.10", ".", "5.10");
    check("whole", "-0.0", ".", "0");
    check("whole", "123456789012345678901.000", ".", "123456789012345678901");
    struct num n = from_text("2.50E1");
    assert_false(n.is_int);
    assert_true(num_is_whole(&n));
    num_make_whole_int(&n);
    assert_true(n.is_int);
    n = from_text("1E300");
    assert_true(num_is_whole(&n));
    num_make_whole_int(&n);
    assert_false(n.is_int); /* too many digits */
    n = from_text("0.5");
    assert_false(num_is_whole(&n));
    n = from_text("1E-999");
    assert_false(num_is_whole(&n));
}

static void test_to_int(void **state)
{
    (void)state;
    check("floor", "-1.2", ".", "-2");
    check("floor", "1.2", ".", "1");
    check("ceil", "-1.2", ".", "-1");
    check("ceil", "1.2", ".", "2");
    check("round", "1.5", ".", "2");
    check("round", "-1.5", ".", "-2");
    check("round", "-1.1", ".", "-1");
    check("round", "0.4999999999999999999999999999999999", ".", "0");
    check("floor", "-1E-999", ".", "-1");
    check("ceil", "1E-999", ".", "1");
    check("round", "1E-999", ".", "0");
    check("floor", "1E33", ".", "1000000000000000000000000000000000");
    check("floor", "1E34", ".", "-");
    check("ceil", "999999999999999999999999999999999.5", ".", "1000000000000000000000000000000000");
}

static void test_to_machine_integers(void **state)
{
    (void)state;
    int64_t v;
    struct num n = from_text("-9223372036854775808");
    assert_true(num_to_i64(&n, &v));
    assert_true(v == INT64_MIN);
    n = from_text("9223372036854775808");
    assert_false(num_to_i64(&n, &v));
    n = from_text("12.00");
    assert_true(num_to_i64(&n, &v));
    assert_int_equal(v, 12);
    n = from_text("1E3");
    assert_true(num_to_i64(&n, &v));
    assert_int_equal(v, 1000);
    n = from_text("12.5");
    assert_false(num_to_i64(&n, &v));
    n = from_text("1E40");
    assert_false(num_to_i64(&n, &v));
}

static void assert_double_text(double d, const char *expected)
{
    struct num n;
    assert_true(num_from_double(&n, d));
    assert_false(n.is_int);
    assert_text(&n, expected);
}

static void test_from_doubles(void **state)
{
    (void)state;
    struct num n;
    assert_double_text(32, "32.0");
    assert_double_text(0, "0.0");
    assert_double_text(-0.0, "0.0");
    assert_double_text(0.1, "0.1");
    assert_double_text(0.1 + 0.2, "0.30000000000000004");
    assert_double_text(-0.1425465430742778, "-0.1425465430742778");
    assert_double_text(1.5707963267948966, "1.5707963267948966");
    assert_double_text(100, "100.0");
    assert_double_text(1e22, "10000000000000000000000.0");
    assert_double_text(1e300, "1E+300");
    assert_double_text(1e-7, "1E-7");
    assert_double_text(5e-324, "5E-324");
    assert_double_text(DBL_MAX, "1.7976931348623157E+308");
    assert_double_text(DBL_MIN, "2.2250738585072014E-308");
    assert_false(num_from_double(&n, NAN));
    assert_false(num_from_double(&n, INFINITY));
    assert_false(num_from_double(&n, -INFINITY));
}

static void test_doubles_survive(void **state)
{
    (void)state;
    struct random r;
    random_seed(&r, 7);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_u64(&r);
        double d;
        struct num n;
        memcpy(&d, &bits, sizeof(d));
        if (!isfinite(d))
            continue;
        assert_true(num_from_double(&n, d));
        assert_true(num_to_double(&n) == d);
    }
}

static void test_to_doubles(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double d;
    } cases[] = { { "0.1", 0.1 },
                  { "23.07", 23.07 },
                  { "1E22", 1e22 },
                  { "-1E-22", -1e-22 },
                  { "1E999", INFINITY },
                  { "1E-999", 0 },
                  { "9007199254740993", 9007199254740992.0 }, /* a tie */
                  { "9007199254740993.000000000000000001", 9007199254740994.0 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct num n = from_text(cases[i].text);
        assert_true(num_to_double(&n) == cases[i].d);
    }
}

static void test_writes_to_buffers(void **state)
{
    (void)state;
    struct buf out;
    struct num n = from_text("-1.234567890123456789012345678901234E-999");
    buf_init(&out, 1000);
    num_write(&out, &n);
    assert_string_equal(out.p, "-1.234567890123456789012345678901234E-999");
    assert_true(out.len <= NUM_TEXT_MAX);
    buf_clear(&out);
}

/* x = (x / y) × y + x % y for random operands, and no result of an addition depends on the order. */
static void test_laws_hold(void **state)
{
    (void)state;
    struct random r;
    random_seed(&r, 11);
    for (int i = 0; i < 20000; i++) {
        struct num x = num_from_i64((int64_t)random_u64(&r) >> (random_u64(&r) & 63));
        struct num y = num_from_i64((int64_t)random_u64(&r) >> (random_u64(&r) & 63)), q, m, back, sum, other;
        assert_true(num_add(&sum, &x, &y) && num_add(&other, &y, &x));
        assert_int_equal(num_cmp(&sum, &other), 0);
        assert_true(num_sub(&back, &sum, &y));
        assert_int_equal(num_cmp(&back, &x), 0);
        if (num_is_zero(&y))
            continue;
        assert_true(num_div(&q, &x, &y) && num_rem(&m, &x, &y) && num_mul(&q, &q, &y) && num_add(&q, &q, &m));
        assert_int_equal(num_cmp(&q, &x), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches_big_decimal),
        cmocka_unit_test(test_reads_text),
        cmocka_unit_test(test_refuses_text),
        cmocka_unit_test(test_rounds_long_decimals_half_even),
        cmocka_unit_test(test_bounds_zero_exponents),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_numeric_strings),
        cmocka_unit_test(test_sums_keep_the_larger_scale),
        cmocka_unit_test(test_cuts_to_places),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_products_add_the_scales),
        cmocka_unit_test(test_quotients),
        cmocka_unit_test(test_remainders),
        cmocka_unit_test(test_operands_may_be_the_result),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_compares_by_value),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_to_int),
        cmocka_unit_test(test_to_machine_integers),
        cmocka_unit_test(test_from_doubles),
        cmocka_unit_test(test_doubles_survive),
        cmocka_unit_test(test_to_doubles),
        cmocka_unit_test(test_writes_to_buffers),
        cmocka_unit_test(test_laws_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
