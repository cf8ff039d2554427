/* SPDX-License-Identifier: Apache-2.0 */
/* Section 2 of the paper. Words are read little end first, whatever the machine. */
#include "engine/base/siphash.h"

#include <endian.h>
#include <string.h>

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void round_once(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void compress(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    round_once(v);
    round_once(v);
    v[0] ^= word;
}

void siphash_init(struct siphash *h, const uint64_t key[2])
{
    *h = (struct siphash) { .v = { key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                                   key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573) } };
}

static inline uint64_t load_word(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

/* One byte at the end; a full word is taken in. */
static inline void put_byte(struct siphash *h, unsigned char byte)
{
    unsigned at = h->total++ % 8;
    h->tail |= (uint64_t)byte << (8 * at);
    if (at < 7)
        return;
    compress(h->v, h->tail);
    h->tail = 0;
}

void siphash_put(struct siphash *h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes, *end = p + len;
    while (p < end && h->total % 8)
        put_byte(h, *p++);
    for (; end - p >= 8; p += 8, h->total += 8)
        compress(h->v, load_word(p));
    while (p < end)
        put_byte(h, *p++);
}

uint64_t siphash_end(struct siphash *h)
{
    compress(h->v, h->tail | h->total << 56);
    h->v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_once(h->v);
    return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
