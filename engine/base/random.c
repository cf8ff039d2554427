/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018;
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), and the kernel's entropy. */
#include "engine/base/random.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void random_seed(struct random *r, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        r->s[i] = splitmix64(&seed);
}

uint64_t random_u64(struct random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_unit(struct random *r)
{
    return (double)(random_u64(r) >> 11) * 0x1p-53;
}

void random_uuid(struct random *r, char out[37])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t high = (random_u64(r) & ~UINT64_C(0xF000)) | UINT64_C(0x4000); /* version 4 */
    uint64_t low = random_u64(r) >> 2 | UINT64_C(0x8000000000000000);       /* variant 10 */
    char *at = out;
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        uint64_t half = i < 16 ? high : low;
        *at++ = hex[half >> (60 - 4 * (i % 16)) & 0xF];
    }
    *at = '\0';
}

uint64_t random_entropy(void)
{
    uint64_t v;
    for (;;) {
        ssize_t n = getrandom(&v, sizeof(v), 0);
        if (n == (ssize_t)sizeof(v))
            return v;
        if (n >= 0 || errno != EINTR)
            break;
    }
    /* A kernel without getrandom: time and process id still tell instances apart. */
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    v = (uint64_t)t.tv_sec << 30 ^ (uint64_t)t.tv_nsec ^ (uint64_t)getpid() << 48;
    return splitmix64(&v);
}
