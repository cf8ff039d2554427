/* SPDX-License-Identifier: Apache-2.0 */
/* Search for duplicate keys, in the objects where the reader's filter could not exclude them.
 *
 * Small objects are compared pair by pair, large ones through a hash table. Its hash is seeded from the kernel's
 * entropy, so that nobody can prepare keys that fall into one slot, and the cost stays linear in the text. Keys with
 * escapes are compared by their values. */
#include "engine/base/json_int.h"
#include "engine/base/random.h"

#include <pthread.h>

#define PAIRWISE_MAX 16

struct json_key {
    const char *s;
    uint32_t len;
    uint32_t node;
    uint32_t hash; /* half of it */
};

static uint64_t load_64(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

static bool same_key(const struct json_key *x, const struct json_key *y)
{
    return x->len == y->len && memcmp(x->s, y->s, x->len) == 0;
}

/* Key `later` repeats key `first`: the first one's place gets the later one's value. */
static void mark_repeated(struct json_node *tape, const struct json_key *first, const struct json_key *later)
{
    tape[first->node].next = later->node + 1;
    tape[later->node].next = 0;
}

static bool read_key(struct json_key *key, struct arena *arena, const char *text, const struct json_node *tape,
                     uint32_t k)
{
    *key = (struct json_key) { .s = text + tape[k].off, .len = tape[k].len, .node = k };
    if (!(tape[k].flags & JSON_ESCAPED))
        return true;
    char *value = arena_alloc(arena, key->len);
    if (!value)
        return false;
    key->len = (uint32_t)json_unescape(value, key->s, key->len);
    key->s = value;
    return true;
}

static enum json_keys_answer check_pairs(struct json_keys *ks, const char *text, struct json_node *tape, uint32_t first,
                                         uint32_t end)
{
    struct json_key keys[PAIRWISE_MAX];
    enum json_keys_answer answer = JSON_KEYS_DIFFER;
    size_t n = 0;
    for (uint32_t k = first; k != end; k = tape[k + 1].next) {
        if (!read_key(&keys[n], ks->arena, text, tape, k))
            return JSON_KEYS_NO_ROOM;
        size_t i = 0;
        while (i < n && !same_key(&keys[i], &keys[n]))
            i++;
        if (i < n) {
            mark_repeated(tape, &keys[i], &keys[n]);
            answer = JSON_KEYS_REPEAT;
        } else {
            n++;
        }
    }
    return answer;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last n bytes of a key, 0 <= n < 8, in a word of their own. Overlapping loads give each byte a place. */
static uint64_t load_rest(const char *p, size_t n)
{
    uint32_t low, high;
    if (n >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    const unsigned char *b = (const unsigned char *)p;
    return n == 0 ? 0 : (uint64_t)b[0] << 16 | (uint64_t)b[n / 2] << 8 | b[n - 1];
}

/* A seeded hash by multiplications to 128 bits that are folded to 64. */
static uint64_t hash_key(const struct json_key *key, uint64_t seed)
{
    uint64_t h = seed ^ key->len;
    const char *p = key->s, *end = key->s + key->len;
    for (; end - p >= 8; p += 8)
        h = fold(h ^ load_64(p), UINT64_C(0xD6E8FEB86659FD93));
    h = fold(h ^ load_rest(p, (size_t)(end - p)), UINT64_C(0xA0761D6478BD642F));
    return fold(h ^ seed, UINT64_C(0x9E3779B97F4A7C15));
}

static uint64_t process_seed;

static void draw_seed(void)
{
    process_seed = random_entropy();
}

/* Room for n keys, and an empty table of at least four times as many slots (a power of two): then most keys find their
 * slot empty. */
static bool make_room(struct json_keys *ks, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, draw_seed);
    if (n > ks->cap) {
        size_t cap = 32;
        while (cap < n)
            cap *= 2;
        ks->cap = 0;
        ks->keys = arena_array(ks->arena, cap, sizeof(*ks->keys));
        ks->table = arena_array(ks->arena, cap * 4, sizeof(*ks->table));
        if (!ks->keys || !ks->table)
            return false;
        ks->cap = cap;
    }
    for (ks->slots = 128; ks->slots < 4 * n; ks->slots *= 2)
        ;
    memset(ks->table, 0, ks->slots * sizeof(*ks->table));
    return true;
}

/* The earlier key that is the same as key number n; NULL if there is none, and then it is added. A slot holds the
 * number of its key from 1; 0 is empty. */
static const struct json_key *find_or_add(struct json_keys *ks, uint32_t n)
{
    struct json_key *key = &ks->keys[n];
    uint64_t hash = hash_key(key, process_seed);
    key->hash = (uint32_t)(hash >> 32);
    for (size_t at = hash & (ks->slots - 1);; at = (at + 1) & (ks->slots - 1)) {
        if (ks->table[at] == 0) {
            ks->table[at] = n + 1;
            return NULL;
        }
        const struct json_key *other = &ks->keys[ks->table[at] - 1];
        if (other->hash == key->hash && same_key(other, key))
            return other;
    }
}

static enum json_keys_answer check_table(struct json_keys *ks, const char *text, struct json_node *tape, uint32_t first,
                                         uint32_t end, size_t n)
{
    enum json_keys_answer answer = JSON_KEYS_DIFFER;
    uint32_t number = 0;
    if (!make_room(ks, n))
        return JSON_KEYS_NO_ROOM;
    for (uint32_t k = first; k != end; k = tape[k + 1].next) {
        if (!read_key(&ks->keys[number], ks->arena, text, tape, k))
            return JSON_KEYS_NO_ROOM;
        const struct json_key *earlier = find_or_add(ks, number);
        if (earlier) {
            mark_repeated(tape, earlier, &ks->keys[number]);
            answer = JSON_KEYS_REPEAT;
        } else {
            number++;
        }
    }
    return answer;
}

enum json_keys_answer json_keys_check(struct json_keys *ks, const char *text, struct json_node *tape, uint32_t first,
                                      uint32_t end)
{
    size_t n = 0;
    for (uint32_t k = first; k != end; k = tape[k + 1].next)
        n++;
    return n <= PAIRWISE_MAX ? check_pairs(ks, text, tape, first, end) : check_table(ks, text, tape, first, end, n);
}
