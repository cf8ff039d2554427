/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: system entropy for seeds and ids, and a small generator that a seed determines (xoshiro256**, Blackman
 * and Vigna 2018) for jitter and for the draws of a message. */
#ifndef SLUICE_BASE_RANDOM_H
#define SLUICE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

void random_seed(struct random *r, uint64_t seed); /* expands by splitmix64 */
uint64_t random_u64(struct random *r);
double random_unit(struct random *r); /* uniform in [0, 1), 53 bits */
/* A version 4 UUID (RFC 9562) in 36 lower-case characters and NUL. */
void random_uuid(struct random *r, char out[37]);
/* 64 bits from the kernel (getrandom). */
uint64_t random_entropy(void);

#endif
