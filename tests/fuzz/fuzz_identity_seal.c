/* SPDX-License-Identifier: Apache-2.0 */
/* Seals, as a script of steps that the input gives: seal an identity, seal any bytes as if they were one, open, open what was changed, open
 * what is no seal. A model says what each must come to. The module itself is part of this file, for only from inside of it can
 * a true seal be put around what no sealer writes, and salts and counters be chosen. */
#include "engine/mqtt/identity_seal.c"

#define SEALERS   17u /* every third has a key that the opener has not; the others fit the opener's salts */
#define SLOTS     8u
#define STEPS_MAX 300u
#define FIELD_MAX 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* --- the input --- */

struct script {
    const uint8_t *p;
    size_t left;
};

static unsigned take(struct script *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->p++;
}

static uint64_t take_number(struct script *s, unsigned bytes)
{
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | take(s);
    return n;
}

/* Up to `most` bytes, which stay where they are. */
static struct identity_text take_bytes(struct script *s, size_t most)
{
    size_t n = take(s);
    n = n < most ? n : most;
    n = n < s->left ? n : s->left;
    struct identity_text t = { .p = n ? (const char *)s->p : NULL, .len = n };
    s->p += n;
    s->left -= n;
    return t;
}

/* --- what is known of each seal --- */

struct slot {
    struct identity_bound bound;
    unsigned sealer;
    uint64_t counter;
    bool is_good;        /* its texts can be read, */
    struct identity who; /* and are these */
    char sealed[2000];
    size_t len;
};

struct event {
    unsigned sealer;
    uint64_t counter;
    uint32_t subscription;
};

struct model {
    struct slot slots[SLOTS];
    struct event seen[STEPS_MAX], opened[STEPS_MAX];
    size_t seen_count, opened_count;
};

static uint64_t page_number(uint64_t counter)
{
    return counter / PAGE_BITS;
}

/* A page that lies PAGES or a multiple of it before a newer one is gone. */
static bool is_lost(const struct model *m, const struct slot *x)
{
    uint64_t page = page_number(x->counter);
    for (size_t i = 0; i < m->seen_count; i++) {
        uint64_t other = page_number(m->seen[i].counter);
        if (m->seen[i].sealer == x->sealer && other > page && (other - page) % PAGES == 0)
            return true;
    }
    return false;
}

static bool was_seen(const struct model *m, const struct slot *x)
{
    for (size_t i = 0; i < m->seen_count; i++)
        if (m->seen[i].sealer == x->sealer && m->seen[i].counter == x->counter)
            return true;
    return false;
}

static bool is_for_another(const struct model *m, const struct slot *x, uint32_t subscription)
{
    bool found = false;
    for (size_t i = 0; i < m->opened_count; i++) {
        if (m->opened[i].sealer != x->sealer || m->opened[i].counter != x->counter)
            continue;
        if (m->opened[i].subscription == subscription)
            return false;
        found = true;
    }
    return found;
}

static enum seal_result expect(struct model *m, const struct slot *x, bool is_repeat, uint32_t subscription)
{
    struct event event = { x->sealer, x->counter, subscription };
    if (x->sealer % 3 == 2 || !x->is_good)
        return SEAL_FORGED;
    bool lost = is_lost(m, x), first = !lost && !was_seen(m, x);
    if (first)
        m->seen[m->seen_count++] = event;
    if (!first && !is_repeat && !is_for_another(m, x, subscription))
        return SEAL_REPLAYED;
    m->opened[m->opened_count++] = event;
    return SEAL_OPENED;
}

/* --- sealers --- */

static struct identity_key key_of(unsigned n)
{
    struct identity_key k = { .len = 32 };
    memset(k.bytes, 'a' + (int)n, k.len);
    return k;
}

/* Made once, with salts that are always the same. */
static struct sealer *sealer_of(unsigned n)
{
    static struct sealer *sealers[SEALERS];
    struct identity_key k = key_of(n % 3);
    struct err e = { 0 };
    if (sealers[n])
        return sealers[n];
    struct sealer *s = sealers[n] = sealer_new(&k, &e);
    require(s);
    EVP_CIPHER_CTX_free(s->ctx);
    memset(s->salt, (int)n, SALT);
    s->ctx = cipher_new(k.bytes, k.len, s->salt, true);
    require(s->ctx);
    return s;
}

/* As sealer_seal, around any bytes. */
static void seal_bytes(struct sealer *s, struct identity_text plain, const struct identity_bound *b, char *out)
{
    int n = 0, rest;
    s->raw[0] = VERSION;
    memcpy(s->raw + 1, s->salt, SALT);
    put_u64(s->raw + 1 + SALT, ++s->counter);
    require(begin(s->ctx, s->raw, b));
    if (plain.len > 0)
        require(EVP_CipherUpdate(s->ctx, s->raw + HEAD, &n, (const unsigned char *)plain.p, (int)plain.len) == 1);
    require(EVP_CipherFinal_ex(s->ctx, s->raw + HEAD + n, &rest) == 1);
    require(EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, TAG, s->raw + HEAD + plain.len) == 1);
    EVP_EncodeBlock((unsigned char *)out, s->raw, (int)(HEAD + plain.len + TAG));
}

/* Read by hand what a sealer might have written. */
static bool parse(struct identity_text plain, struct identity *who)
{
    struct identity_text *texts[] = { &who->client_id, &who->principal, &who->source_ip, &who->trace_id };
    const unsigned char *p = (const unsigned char *)plain.p, *end = p + plain.len;
    for (size_t i = 0; i < 4; i++) {
        if (end - p < 2 || end - p - 2 < p[0] * 256 + p[1])
            return false;
        *texts[i] = (struct identity_text) { .p = (const char *)p + 2, .len = p[0] * 256u + p[1] };
        p += 2 + texts[i]->len;
    }
    return p == end;
}

static void next_counter(struct script *in, struct sealer *s)
{
    switch (take(in) % 4) {
    case 0:
        break;
    case 1:
        s->counter += take_number(in, 1) * PAGE_BITS;
        break;
    case 2:
        s->counter -= take_number(in, 3);
        break;
    default:
        s->counter = take_number(in, 8);
    }
}

/* --- steps --- */

static struct slot *begin_slot(struct script *in, struct model *m, struct sealer **s)
{
    struct slot *x = &m->slots[take(in) % SLOTS];
    unsigned sealer = take(in) % SEALERS;
    *x = (struct slot) { .sealer = sealer };
    *s = sealer_of(sealer);
    next_counter(in, *s);
    struct identity_text topic = take_bytes(in, FIELD_MAX), payload = take_bytes(in, FIELD_MAX);
    x->bound = (struct identity_bound) { topic.p, topic.len, payload.p, payload.len };
    x->counter = (*s)->counter + 1;
    return x;
}

static void step_seal(struct script *in, struct model *m)
{
    struct sealer *s;
    struct slot *x = begin_slot(in, m, &s);
    x->who.client_id = take_bytes(in, FIELD_MAX);
    x->who.principal = take_bytes(in, FIELD_MAX);
    x->who.source_ip = take_bytes(in, FIELD_MAX);
    x->who.trace_id = take_bytes(in, FIELD_MAX);
    x->is_good = true;
    x->len = identity_sealed_len(&x->who);
    require(x->len < sizeof(x->sealed) && sealer_seal(s, &x->who, &x->bound, x->sealed) == 0);
    require(strlen(x->sealed) == x->len);
}

static void step_seal_bytes(struct script *in, struct model *m)
{
    struct sealer *s;
    struct slot *x = begin_slot(in, m, &s);
    struct identity_text plain = take_bytes(in, FIELD_MAX);
    x->is_good = plain.p && parse(plain, &x->who);
    seal_bytes(s, plain, &x->bound, x->sealed);
    x->len = strlen(x->sealed);
}

static void check_text(struct identity_text a, struct identity_text b)
{
    require(a.len == b.len && (a.len == 0 ? a.p == NULL : memcmp(a.p, b.p, a.len) == 0));
}

static void step_open(struct script *in, struct model *m, struct opener *o)
{
    const struct slot *x = &m->slots[take(in) % SLOTS];
    bool is_repeat = take(in) % 4 == 0;
    uint32_t subscription = take(in) % 3;
    struct identity who;
    if (x->len == 0)
        return;
    enum seal_result r = opener_open(o, x->sealed, x->len, &x->bound, is_repeat, subscription, &who);
    require(r == expect(m, x, is_repeat, subscription));
    static const struct identity nobody;
    const struct identity *expected = r == SEAL_OPENED ? &x->who : &nobody;
    check_text(who.client_id, expected->client_id);
    check_text(who.principal, expected->principal);
    check_text(who.source_ip, expected->source_ip);
    check_text(who.trace_id, expected->trace_id);
}

static void must_be_forged(struct opener *o, const char *sealed, size_t len, const struct identity_bound *b)
{
    struct identity who;
    char *copy = malloc(len ? len : 1); /* so that reading behind its end is seen */
    require(copy);
    if (len)
        memcpy(copy, sealed, len);
    require(opener_open(o, copy, len, b, true, 1, &who) == SEAL_FORGED);
    free(copy);
}

/* One byte of what the text says is another. */
static void step_flip(struct script *in, struct model *m, struct opener *o)
{
    const struct slot *x = &m->slots[take(in) % SLOTS];
    size_t at = take_number(in, 2);
    unsigned char mask = (unsigned char)(take(in) | 1u);
    char text[sizeof(x->sealed)];
    struct buf raw;
    if (x->len == 0)
        return;
    buf_init(&raw, sizeof(x->sealed));
    require(base64_decode(&raw, x->sealed, x->len));
    raw.p[at % raw.len] = (char)(raw.p[at % raw.len] ^ mask);
    int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)raw.p, (int)raw.len);
    must_be_forged(o, text, (size_t)n, &x->bound);
    buf_clear(&raw);
}

/* The text itself is cut, or one of its characters is another. */
static void step_spoil(struct script *in, struct model *m, struct opener *o)
{
    const struct slot *x = &m->slots[take(in) % SLOTS];
    size_t at = take_number(in, 2);
    unsigned c = take(in);
    struct slot spoiled = *x;
    struct buf before, after;
    if (x->len == 0)
        return;
    at %= x->len;
    if (c == 0)
        spoiled.len = at;
    spoiled.sealed[at] = (char)c;
    buf_init(&before, sizeof(x->sealed));
    buf_init(&after, sizeof(x->sealed));
    bool same = base64_decode(&before, x->sealed, x->len) && base64_decode(&after, spoiled.sealed, spoiled.len) &&
                before.len == after.len && memcmp(before.p, after.p, before.len) == 0;
    if (!same)
        must_be_forged(o, spoiled.sealed, spoiled.len, &x->bound);
    buf_clear(&before);
    buf_clear(&after);
}

/* Another topic or payload; also the same bytes with another border between them. */
static void step_move(struct script *in, struct model *m, struct opener *o)
{
    const struct slot *x = &m->slots[take(in) % SLOTS];
    unsigned way = take(in) % 3;
    static char longer[FIELD_MAX + 1];
    struct identity_bound b = x->bound;
    if (x->len == 0)
        return;
    if (way == 0 && b.topic_len > 0)
        b.topic_len--;
    else if (way == 1 && b.payload_len > 0)
        b.payload_len--;
    else {
        if (b.topic_len)
            memcpy(longer, b.topic, b.topic_len);
        longer[b.topic_len++] = '/';
        b.topic = longer;
    }
    must_be_forged(o, x->sealed, x->len, &b);
}

/* What no sealer made: a text, and bytes in base64. */
static void step_raw(struct script *in, struct opener *o)
{
    static const struct identity_bound bound = { .topic = "t", .topic_len = 1 };
    struct identity_text t = take_bytes(in, FIELD_MAX);
    char text[FIELD_MAX * 2];
    must_be_forged(o, t.p, t.len, &bound);
    int n = t.len ? EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)t.p, (int)t.len) : 0;
    must_be_forged(o, text, (size_t)n, &bound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model m;
    struct identity_key keys[] = { key_of(0), key_of(1) };
    struct script in = { data, size };
    struct err e = { 0 };
    struct opener *o = opener_new(keys, 2, &e);
    require(o);
    memset(&m, 0, sizeof(m));
    for (unsigned i = 0; i < SEALERS; i++)
        sealer_of(i)->counter = 0;
    for (size_t steps = 0; in.left > 0 && steps < STEPS_MAX; steps++)
        switch (take(&in) % 8) {
        case 0:
            step_seal(&in, &m);
            break;
        case 1:
            step_seal_bytes(&in, &m);
            break;
        case 2:
            step_flip(&in, &m, o);
            break;
        case 3:
            step_spoil(&in, &m, o);
            break;
        case 4:
            step_move(&in, &m, o);
            break;
        case 5:
            step_raw(&in, o);
            break;
        default:
            step_open(&in, &m, o);
        }
    opener_free(o);
    return 0;
}
