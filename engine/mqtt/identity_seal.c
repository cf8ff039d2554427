/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a seal stands in the header. A sealer keeps one cipher context with its key and gives it a new nonce for each message. An opener
 * keeps one for each salt that it has met in a seal that was true: what is forged costs a derivation, but no room.
 *
 * What was seen of a salt is one bit a counter, in pages of 32,768 that are there when first needed. Page n lies in slot n % PAGES;
 * a newer page takes the slot of one that lies PAGES behind, and what is older than what its slot holds cannot be told. */
#include "engine/mqtt/identity_seal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/base64.h"
#include "engine/base/buf.h"

#define VERSION     1u
#define SALT        16u
#define HEAD        (1u + SALT + 8u) /* version, salt, counter */
#define TAG         16u
#define NONCE       12u
#define WORKING_KEY 32u
#define TEXTS       4u
#define PLAIN_MAX   (IDENTITY_MAX_BYTES + 2 * TEXTS)
#define RAW_MAX     (HEAD + PLAIN_MAX + TAG)

#define PAGE_BITS 32768u
#define PAGES     128u /* 4,194,304 counters, 512 KiB */
#define SALTS     16u
#define RECENT    1024u

static const char purpose[] = "sluice identity 1"; /* HKDF's info */

/* --- keys --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line of hexadecimal digits becomes the bytes that it says; anything else stays. */
static void read_hex(struct identity_key *k)
{
    size_t len = k->len;
    while (len > 0 && (k->bytes[len - 1] == '\n' || k->bytes[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < len; i++)
        if (hex_digit((char)k->bytes[i]) < 0)
            return;
    for (size_t i = 0; i < len / 2; i++)
        k->bytes[i] = (unsigned char)(hex_digit((char)k->bytes[2 * i]) << 4 | hex_digit((char)k->bytes[2 * i + 1]));
    k->len = len / 2;
}

int identity_key_read(struct identity_key *k, const char *path, struct err *e)
{
    static const char advice[] = "Make one with: openssl rand -hex 32 > FILE; chmod 640 FILE.";
    struct stat st;
    *k = (struct identity_key) { 0 };
    FILE *f = fopen(path, "rbe");
    if (!f) {
        err_set(e, ERR_IO, "could not read the key file \"%.120s\": %s", path, strerror(errno));
        err_hint(e, "%s", advice);
        return -1;
    }
    k->len = fread(k->bytes, 1, sizeof(k->bytes), f);
    bool failed = ferror(f), longer = k->len == sizeof(k->bytes) && fgetc(f) != EOF;
    k->is_open_to_all = fstat(fileno(f), &st) == 0 && (st.st_mode & S_IROTH) != 0;
    fclose(f);
    if (!failed && !longer)
        read_hex(k);
    if (!failed && !longer && k->len >= IDENTITY_KEY_MIN)
        return 0;
    if (failed)
        err_set(e, ERR_IO, "could not read the key file \"%.120s\"", path);
    else if (longer)
        err_set(e, ERR_CONF_VALUE, "the key file \"%.120s\" has more than %d bytes", path, IDENTITY_KEY_MAX);
    else
        err_set(e, ERR_CONF_VALUE, "the key in \"%.120s\" has %zu bytes: it must have %d at least", path, k->len,
                IDENTITY_KEY_MIN);
    err_hint(e, "%s", advice);
    identity_key_wipe(k);
    return -1;
}

void identity_key_wipe(struct identity_key *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

/* RFC 5869 with SHA-256. */
static bool derive(const unsigned char *key, size_t len, const unsigned char salt[SALT], unsigned char out[WORKING_KEY])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, SALT),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)purpose, sizeof(purpose) - 1),
        OSSL_PARAM_construct_end(),
    };
    bool done = ctx && EVP_KDF_derive(ctx, out, WORKING_KEY, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done;
}

/* A context that has its key and waits for nonces. NULL: the library refused. */
static EVP_CIPHER_CTX *cipher_new(const unsigned char *key, size_t len, const unsigned char salt[SALT], bool sealing)
{
    unsigned char working[WORKING_KEY];
    EVP_CIPHER_CTX *ctx = derive(key, len, salt, working) ? EVP_CIPHER_CTX_new() : NULL;
    if (ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, working, NULL, sealing) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    OPENSSL_cleanse(working, sizeof(working));
    return ctx;
}

/* --- the form --- */

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (unsigned char)v;
}

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static bool feed(EVP_CIPHER_CTX *ctx, const void *p, size_t len)
{
    int n;
    return len == 0 || (len <= INT32_MAX && EVP_CipherUpdate(ctx, NULL, &n, p, (int)len) == 1);
}

/* Give the context its nonce, and what the seal is bound to. head: HEAD bytes. */
static bool begin(EVP_CIPHER_CTX *ctx, const unsigned char *head, const struct identity_bound *b)
{
    unsigned char nonce[NONCE] = { 0 }, len[2] = { (unsigned char)(b->topic_len >> 8), (unsigned char)b->topic_len };
    memcpy(nonce + NONCE - 8, head + 1 + SALT, 8);
    return b->topic_len <= UINT16_MAX && EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) == 1 &&
           feed(ctx, head, HEAD) && feed(ctx, len, sizeof(len)) && feed(ctx, b->topic, b->topic_len) &&
           feed(ctx, b->payload, b->payload_len);
}

static const struct identity_text *text_of(const struct identity *who, size_t i)
{
    const struct identity_text *texts[TEXTS] = { &who->client_id, &who->principal, &who->source_ip, &who->trace_id };
    return texts[i];
}

static size_t texts_len(const struct identity *who)
{
    size_t sum = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        if (text_of(who, i)->len > IDENTITY_MAX_BYTES)
            return SIZE_MAX;
        sum += text_of(who, i)->len;
    }
    return sum <= IDENTITY_MAX_BYTES ? sum : SIZE_MAX;
}

static size_t put_texts(unsigned char *p, const struct identity *who)
{
    size_t at = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        const struct identity_text *t = text_of(who, i);
        p[at++] = (unsigned char)(t->len >> 8);
        p[at++] = (unsigned char)t->len;
        if (t->len)
            memcpy(p + at, t->p, t->len);
        at += t->len;
    }
    return at;
}

/* An empty text is unknown. */
static bool get_texts(const unsigned char *p, size_t len, struct identity *who)
{
    struct identity_text *texts[TEXTS] = { &who->client_id, &who->principal, &who->source_ip, &who->trace_id };
    size_t at = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        if (len - at < 2)
            return false;
        size_t n = (size_t)p[at] << 8 | p[at + 1];
        at += 2;
        if (n > len - at)
            return false;
        *texts[i] = (struct identity_text) { .p = n ? (const char *)p + at : NULL, .len = n };
        at += n;
    }
    return at == len;
}

/* --- sealing --- */

struct sealer {
    EVP_CIPHER_CTX *ctx;
    uint64_t counter;
    unsigned char salt[SALT];
    unsigned char plain[PLAIN_MAX], raw[RAW_MAX];
};

struct sealer *sealer_new(const struct identity_key *k, struct err *e)
{
    struct sealer *s = calloc(1, sizeof(*s));
    if (s && RAND_bytes(s->salt, SALT) == 1)
        s->ctx = cipher_new(k->bytes, k->len, s->salt, true);
    if (s && s->ctx)
        return s;
    err_set(e, ERR_MEMORY, "could not prepare to seal identities: no memory, or no random numbers");
    free(s);
    return NULL;
}

void sealer_free(struct sealer *s)
{
    if (!s)
        return;
    EVP_CIPHER_CTX_free(s->ctx);
    OPENSSL_cleanse(s, sizeof(*s));
    free(s);
}

size_t identity_sealed_len(const struct identity *who)
{
    size_t texts = texts_len(who);
    return texts == SIZE_MAX ? 0 : (HEAD + texts + 2 * TEXTS + TAG + 2) / 3 * 4;
}

int sealer_seal(struct sealer *s, const struct identity *who, const struct identity_bound *b, char *out)
{
    int n, rest;
    if (texts_len(who) == SIZE_MAX)
        return -1;
    size_t len = put_texts(s->plain, who);
    s->raw[0] = VERSION;
    memcpy(s->raw + 1, s->salt, SALT);
    put_u64(s->raw + 1 + SALT, ++s->counter);
    if (!begin(s->ctx, s->raw, b) || EVP_CipherUpdate(s->ctx, s->raw + HEAD, &n, s->plain, (int)len) != 1 ||
        EVP_CipherFinal_ex(s->ctx, s->raw + HEAD + n, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, TAG, s->raw + HEAD + len) != 1)
        return -1;
    EVP_EncodeBlock((unsigned char *)out, s->raw, (int)(HEAD + len + TAG)); /* ends in NUL */
    return 0;
}

/* --- opening --- */

struct page {
    uint64_t number;
    uint64_t bits[PAGE_BITS / 64];
};

struct salt {
    EVP_CIPHER_CTX *ctx; /* NULL: this place is free */
    uint64_t used;       /* by the opener's clock */
    unsigned char salt[SALT];
    struct page *pages[PAGES];
};

/* An opening, so that copies for other subscriptions can be told from repetitions. */
struct recent {
    uint64_t counter;
    uint32_t subscription;
    unsigned char salt[SALT];
};

struct opener {
    struct identity_key keys[OPENER_KEYS_MAX];
    size_t key_count;
    struct salt salts[SALTS];
    uint64_t clock;
    struct recent recent[RECENT];
    size_t recent_count, recent_at;
    struct buf raw;
    unsigned char plain[PLAIN_MAX];
};

struct opener *opener_new(const struct identity_key *keys, size_t count, struct err *e)
{
    struct opener *o = count >= 1 && count <= OPENER_KEYS_MAX ? calloc(1, sizeof(*o)) : NULL;
    if (!o) {
        err_set(e, ERR_MEMORY, "not enough memory to open identities");
        return NULL;
    }
    memcpy(o->keys, keys, count * sizeof(*keys));
    o->key_count = count;
    buf_init(&o->raw, RAW_MAX);
    return o;
}

static void salt_clear(struct salt *s)
{
    EVP_CIPHER_CTX_free(s->ctx);
    for (size_t i = 0; i < PAGES; i++)
        free(s->pages[i]);
    *s = (struct salt) { 0 };
}

void opener_free(struct opener *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < SALTS; i++)
        salt_clear(&o->salts[i]);
    buf_clear(&o->raw);
    OPENSSL_cleanse(o, sizeof(*o));
    free(o);
}

static bool decipher(struct opener *o, EVP_CIPHER_CTX *ctx, const struct identity_bound *b, size_t *len)
{
    unsigned char *raw = (unsigned char *)o->raw.p, *tag = raw + o->raw.len - TAG;
    int n = 0, rest;
    *len = o->raw.len - HEAD - TAG;
    return begin(ctx, raw, b) && EVP_CipherUpdate(ctx, o->plain, &n, raw + HEAD, (int)*len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
           EVP_CipherFinal_ex(ctx, o->plain + n, &rest) == 1;
}

static struct salt *find_salt(struct opener *o, const unsigned char salt[SALT])
{
    for (size_t i = 0; i < SALTS; i++)
        if (o->salts[i].ctx && memcmp(o->salts[i].salt, salt, SALT) == 0)
            return &o->salts[i];
    return NULL;
}

/* A place for a new salt: a free one, or that of the salt that was met longest ago. */
static struct salt *make_place(struct opener *o)
{
    struct salt *oldest = &o->salts[0];
    for (size_t i = 0; i < SALTS; i++) {
        if (!o->salts[i].ctx)
            return &o->salts[i];
        if (o->salts[i].used < oldest->used)
            oldest = &o->salts[i];
    }
    salt_clear(oldest);
    return oldest;
}

/* The salt whose seal this is, its texts deciphered; NULL: forged. */
static struct salt *verify(struct opener *o, const struct identity_bound *b, size_t *len)
{
    const unsigned char *salt = (const unsigned char *)o->raw.p + 1;
    struct salt *known = find_salt(o, salt);
    if (known)
        return decipher(o, known->ctx, b, len) ? known : NULL;
    for (size_t i = 0; i < o->key_count; i++) {
        EVP_CIPHER_CTX *ctx = cipher_new(o->keys[i].bytes, o->keys[i].len, salt, false);
        if (ctx && decipher(o, ctx, b, len)) {
            struct salt *s = make_place(o);
            s->ctx = ctx;
            memcpy(s->salt, salt, SALT);
            return s;
        }
        EVP_CIPHER_CTX_free(ctx);
    }
    return NULL;
}

/* The page of a counter; NULL: it lies too far behind, or memory is short. */
static struct page *page_of(struct salt *s, uint64_t counter)
{
    uint64_t number = counter / PAGE_BITS;
    struct page **slot = &s->pages[number % PAGES];
    if (!*slot && (*slot = calloc(1, sizeof(**slot))))
        (*slot)->number = number;
    if (*slot && (*slot)->number < number) {
        memset(*slot, 0, sizeof(**slot));
        (*slot)->number = number;
    }
    return *slot && (*slot)->number == number ? *slot : NULL;
}

/* Note the counter. False: it was noted before, or nobody can tell. */
static bool is_first(struct salt *s, uint64_t counter)
{
    struct page *page = page_of(s, counter);
    if (!page)
        return false;
    uint64_t *word = &page->bits[counter % PAGE_BITS / 64], bit = UINT64_C(1) << counter % 64;
    bool first = !(*word & bit);
    *word |= bit;
    return first;
}

/* A copy of something just opened, for another subscription. */
static bool is_copy(const struct opener *o, const struct recent *r)
{
    bool found = false;
    for (size_t i = 0; i < o->recent_count; i++) {
        const struct recent *k = &o->recent[i];
        if (k->counter != r->counter || memcmp(k->salt, r->salt, SALT) != 0)
            continue;
        if (k->subscription == r->subscription)
            return false;
        found = true;
    }
    return found;
}

static bool may_come(struct opener *o, struct salt *s, uint64_t counter, bool is_repeat, uint32_t subscription)
{
    struct recent r = { .counter = counter, .subscription = subscription };
    memcpy(r.salt, s->salt, SALT);
    if (!is_first(s, counter) && !is_repeat && !is_copy(o, &r))
        return false;
    o->recent[o->recent_at] = r;
    o->recent_at = (o->recent_at + 1) % RECENT;
    if (o->recent_count < RECENT)
        o->recent_count++;
    return true;
}

enum seal_result opener_open(struct opener *o, const char *sealed, size_t len, const struct identity_bound *b,
                             bool is_repeat, uint32_t subscription, struct identity *who)
{
    size_t plain;
    *who = (struct identity) { 0 };
    buf_reset(&o->raw);
    if (len > (RAW_MAX + 2) / 3 * 4 || !base64_decode(&o->raw, sealed, len) || o->raw.len < HEAD + 2 * TEXTS + TAG ||
        (unsigned char)o->raw.p[0] != VERSION)
        return SEAL_FORGED;
    struct salt *s = verify(o, b, &plain);
    if (!s || !get_texts(o->plain, plain, who))
        return SEAL_FORGED;
    s->used = ++o->clock;
    if (may_come(o, s, get_u64((const unsigned char *)o->raw.p + 1 + SALT), is_repeat, subscription))
        return SEAL_OPENED;
    *who = (struct identity) { 0 };
    return SEAL_REPLAYED;
}
