/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bench/pipeline/sample.h"
#include "bench/pipeline/tally.h"

#define COUNT 130

static void note(struct tally *t, size_t i)
{
    char text[64];
    int len = snprintf(text, sizeof text, "{\"seq\":%zu}", SAMPLE_FIRST + i);
    tally_note(t, text, (size_t)len);
}

static void test_counts(void **state)
{
    (void)state;
    struct tally t;
    struct err e = { 0 };
    assert_int_equal(tally_init(&t, COUNT, &e), 0);
    assert_int_equal(tally_lost(&t), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        if (i != 63 && i != 64)
            note(&t, i);
    assert_int_equal(tally_lost(&t), 2);
    note(&t, 0);
    note(&t, 0);
    note(&t, COUNT - 1);
    assert_int_equal(t.doubled, 3);
    note(&t, COUNT);
    tally_note(&t, "{}", 2);
    assert_int_equal(t.foreign, 2);
    note(&t, 63);
    note(&t, 64);
    assert_int_equal(tally_lost(&t), 0);
    assert_int_equal(t.doubled, 3);
    tally_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_counts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
