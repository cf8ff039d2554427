/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4: a 64-bit keyed hash that nobody without the key can make collide (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012; the reference vectors of its appendix A are the test). In pieces:
 *
 *     struct siphash h;
 *     siphash_init(&h, key);
 *     siphash_put(&h, bytes, len);        // any number of times; only the whole text counts, not its pieces
 *     uint64_t v = siphash_end(&h);
 *
 * Any thread; about 1.5 cycles a byte and 60 a call. */
#ifndef SLUICE_BASE_SIPHASH_H
#define SLUICE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash {
    uint64_t v[4];
    uint64_t tail;  /* bytes that do not fill a word yet, little end first */
    uint64_t total; /* bytes put */
};

void siphash_init(struct siphash *h, const uint64_t key[2]);
void siphash_put(struct siphash *h, const void *bytes, size_t len);
uint64_t siphash_end(struct siphash *h);

#endif
