/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/siphash.h"

/* Key 00 01 … 0f, text 00 01 … (n - 1): Aumasson and Bernstein, "SipHash: a fast short-input PRF", appendix A (n = 15),
 * and vectors_sip64 of the authors' reference code for the others. */
static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

static const struct {
    size_t len;
    uint64_t hash;
} vectors[] = {
    { 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },  { 2, UINT64_C(0x0d6c8009d9a94f5a) },
    { 7, UINT64_C(0xab0200f58b01d137) },  { 8, UINT64_C(0x93f5f5799a932462) },  { 9, UINT64_C(0x9e0082df0ba9e4b0) },
    { 15, UINT64_C(0xa129ca6149be45e5) }, { 63, UINT64_C(0x958a324ceb064572) },
};

static void vectors_agree(void **state)
{
    unsigned char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        struct siphash h;
        siphash_init(&h, key);
        siphash_put(&h, text, vectors[i].len);
        assert_int_equal(siphash_end(&h), vectors[i].hash);
    }
}

/* In which pieces a text comes does not matter. */
static void pieces_do_not_matter(void **state)
{
    unsigned char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)i;
    for (size_t a = 0; a <= 63; a++) {
        for (size_t b = a; b <= 63; b++) {
            struct siphash h;
            siphash_init(&h, key);
            siphash_put(&h, text, a);
            siphash_put(&h, text + a, b - a);
            siphash_put(&h, text + b, 63 - b);
            assert_int_equal(siphash_end(&h), UINT64_C(0x958a324ceb064572));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_agree),
        cmocka_unit_test(pieces_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
