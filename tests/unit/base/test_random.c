/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/random.h"

/* The first draws with the state 1, 2, 3, 4: computed by hand from the definition (2 * 5 = 10; 10 rotated left by 7 is
 * 1280; times 9 is 11520), and as the Rust crate rand_xoshiro tests them. */
static void follows_the_reference(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct random r = { .s = { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(random_u64(&r) == expected[i]);
}

/* splitmix64 from seed 1234567: the values of Vigna's splitmix64.c as Rosetta Code lists them. */
static void seeds_by_splitmix64(void **state)
{
    (void)state;
    static const uint64_t expected[] = { UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                         UINT64_C(9817491932198370423), UINT64_C(4593380528125082431) };
    struct random r;
    random_seed(&r, 1234567);
    for (size_t i = 0; i < 4; i++)
        assert_true(r.s[i] == expected[i]);
}

static void units_lie_in_zero_to_one(void **state)
{
    (void)state;
    struct random r;
    random_seed(&r, 42);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double u = random_unit(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(sum / 100000 > 0.495 && sum / 100000 < 0.505);
}

static void uuids_have_their_form(void **state)
{
    (void)state;
    struct random r, same;
    random_seed(&r, 7);
    random_seed(&same, 7);
    char uuid[37], again[37], last[37] = "";
    for (int i = 0; i < 1000; i++) {
        random_uuid(&r, uuid);
        random_uuid(&same, again);
        assert_string_equal(uuid, again);
        assert_string_not_equal(uuid, last);
        assert_int_equal(strlen(uuid), 36);
        assert_int_equal(strspn(uuid, "0123456789abcdef-"), 36);
        assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        strcpy(last, uuid);
    }
}

static void entropy_differs(void **state)
{
    (void)state;
    assert_true(random_entropy() != random_entropy());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_reference),    cmocka_unit_test(seeds_by_splitmix64),
        cmocka_unit_test(units_lie_in_zero_to_one), cmocka_unit_test(uuids_have_their_form),
        cmocka_unit_test(entropy_differs),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
