/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/arena.h"

static void gives_aligned_separate_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    unsigned char *p[200];
    for (size_t i = 0; i < 200; i++) {
        p[i] = arena_alloc(&a, i);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[i][k], i);
        assert_true(i == 0 || p[i] != p[i - 1]);
    }
    arena_clear(&a);
    assert_int_equal(arena_used(&a), 0);
}

static void keeps_its_bound(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    assert_null(arena_strndup(&a, "x", SIZE_MAX));
    size_t n = 0;
    while (arena_alloc(&a, 16))
        n++;
    assert_int_equal(n, 62);
    assert_int_equal(arena_used(&a), 992);
    arena_reset(&a);
    assert_int_equal(arena_used(&a), 0);
    assert_non_null(arena_alloc(&a, 900));
    arena_clear(&a);
    arena_init(&a, 100000); /* many blocks */
    for (n = 0; arena_alloc(&a, 16); n++)
        assert_int_equal(arena_used(&a), 16 * (n + 1));
    assert_int_equal(n, 100000 / 16);
    arena_clear(&a);
    arena_init(&a, 0);
    assert_null(arena_alloc(&a, 1));
    arena_clear(&a);
}

static void remembers_that_it_refused(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 50));
    assert_false(a.refused);
    assert_null(arena_alloc(&a, 50));
    assert_true(a.refused);
    assert_non_null(arena_alloc(&a, 10));
    assert_true(a.refused);
    arena_reset(&a);
    assert_false(a.refused);
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    assert_true(a.refused);
    arena_clear(&a);
    assert_false(a.refused);
}

static void a_warm_arena_takes_nothing_from_the_heap(void **state)
{
    (void)state;
    static const size_t sizes[] = { 10, 5000, 3, 70000, 200, 2000000, 8, 100, 9000 };
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    struct arena a;
    void *first[COUNT];
    arena_init(&a, (size_t)64 << 20);
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(first[i] = arena_alloc(&a, sizes[i]));
    size_t used = arena_used(&a);
    for (int round = 0; round < 3; round++) {
        arena_reset(&a);
        for (size_t i = 0; i < COUNT; i++)
            assert_ptr_equal(arena_alloc(&a, sizes[i]), first[i]);
        assert_int_equal(arena_used(&a), used);
    }
    arena_clear(&a);
}

static void reset_gives_large_blocks_back(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, (size_t)64 << 20);
    assert_non_null(arena_alloc(&a, 100));
    void *first = a.first;
    assert_non_null(arena_alloc(&a, ARENA_KEEP + 1));
    arena_reset(&a);
    assert_ptr_equal(a.first, first);
    assert_non_null(arena_alloc(&a, 100));
    assert_ptr_equal(a.current, first);
    arena_clear(&a);
}

static void zalloc_clears_used_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    memset(arena_alloc(&a, 500), 0xFF, 500);
    arena_reset(&a);
    const unsigned char *p = arena_zalloc(&a, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(p[i], 0);
    arena_clear(&a);
}

static void grows_in_place_when_last(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *p = arena_grow(&a, NULL, 0, 10);
    memcpy(p, "0123456789", 10);
    assert_ptr_equal(arena_grow(&a, p, 10, 1000), p);
    assert_int_equal(arena_used(&a), 1008);
    assert_ptr_equal(arena_grow(&a, p, 1000, 20), p);
    assert_int_equal(arena_used(&a), 32);
    void *other = arena_alloc(&a, 1);
    char *q = arena_grow(&a, p, 20, 40);
    assert_ptr_not_equal(q, p);
    assert_memory_equal(q, "0123456789", 10);
    assert_true((void *)q != other);
    char *r = arena_grow(&a, q, 40, 100000); /* the block is too small */
    assert_memory_equal(r, "0123456789", 10);
    assert_null(arena_grow(&a, r, 100000, (size_t)2 << 20));
    assert_memory_equal(r, "0123456789", 10);
    arena_clear(&a);
}

static void growing_keeps_the_bound(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    char *p = arena_alloc(&a, 500);
    assert_null(arena_grow(&a, p, 500, 1100)); /* although the block has the room */
    assert_ptr_equal(arena_grow(&a, p, 500, 960), p);
    arena_clear(&a);
}

static void copies_texts(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_string_equal(arena_strndup(&a, "hello", 4), "hell");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_memory_equal(arena_strndup(&a, "a\0b", 3), "a\0b", 4);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_aligned_separate_memory),
        cmocka_unit_test(keeps_its_bound),
        cmocka_unit_test(remembers_that_it_refused),
        cmocka_unit_test(a_warm_arena_takes_nothing_from_the_heap),
        cmocka_unit_test(reset_gives_large_blocks_back),
        cmocka_unit_test(zalloc_clears_used_memory),
        cmocka_unit_test(grows_in_place_when_last),
        cmocka_unit_test(growing_keeps_the_bound),
        cmocka_unit_test(copies_texts),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
