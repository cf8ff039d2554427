/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/flow/memory_plan.h"

#define MIB ((size_t)1 << 20)

static void test_the_parts_are_the_whole(void **state)
{
    (void)state;
    for (size_t workers = 0; workers < 20; workers++) {
        for (size_t sources = 0; sources < 5; sources++) {
            struct memory_plan p = memory_plan_make(1024 * MIB, workers, sources);
            size_t w = workers ? workers : 1, s = sources ? sources : 1, program = 256 * MIB;
            size_t sum = program + s * p.source + p.messages + 2 * p.results + w * p.evaluation;
            assert_in_range(sum, 1023 * MIB, 1024 * MIB);
            assert_true(w * p.kept < p.results);
        }
    }
}

static void test_a_gibibyte(void **state)
{
    (void)state;
    struct memory_plan p = memory_plan_make(1024 * MIB, 4, 2);
    assert_int_equal(p.source, 64 * MIB);
    assert_int_equal(p.messages, 128 * MIB);
    assert_int_equal(p.results, 192 * MIB);
    assert_int_equal(p.evaluation, 32 * MIB);
}

static void test_an_option_beyond_its_part(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    memory_part_check(0, UINT64_MAX, "maxPacketSize", NULL, &errs);
    memory_part_check(8 * MIB, 8 * MIB, "maxPacketSize", NULL, &errs);
    assert_int_equal(errs.errors, 0);
    memory_part_check(8 * MIB, 16 * MIB + 512 * 1024, "maxPacketSize", NULL, &errs);
    assert_int_equal(errs.errors, 1);
    assert_string_equal(errs.items[0].text,
                        "\"maxPacketSize\" needs 16.5 MiB, and this source's part of memory.limit is 8 MiB");
    errs_clear(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts_are_the_whole),
        cmocka_unit_test(test_a_gibibyte),
        cmocka_unit_test(test_an_option_beyond_its_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
