/* SPDX-License-Identifier: Apache-2.0 */
/* Seals: what is opened is what was sealed, nothing else opens, and nothing opens twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/base64.h"
#include "engine/mqtt/identity_seal.h"

#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        .p = s, .len = strlen(s)                                                                                       \
    }

static const struct identity lamp = { .client_id = TEXT("lamp-1"),
                                      .principal = TEXT("5f1c"),
                                      .source_ip = TEXT("192.0.2.7"),
                                      .trace_id = TEXT("0b5c1b0a-0000-4000-8000-000000000001") };
static const struct identity_bound message = { .topic = "a/b", .topic_len = 3, .payload = "{}", .payload_len = 2 };
static char sealed[70000];

static struct identity_key key_of(char c)
{
    struct identity_key k = { .len = 32 };
    memset(k.bytes, c, k.len);
    return k;
}

static struct sealer *sealer_of(char c)
{
    struct identity_key k = key_of(c);
    struct err e = { 0 };
    struct sealer *s = sealer_new(&k, &e);
    assert_non_null(s);
    return s;
}

static struct opener *opener_of(const char *keys)
{
    struct identity_key k[OPENER_KEYS_MAX];
    struct err e = { 0 };
    for (size_t i = 0; i < strlen(keys); i++)
        k[i] = key_of(keys[i]);
    struct opener *o = opener_new(k, strlen(keys), &e);
    assert_non_null(o);
    return o;
}

static const char *seal(struct sealer *s)
{
    assert_int_equal(sealer_seal(s, &lamp, &message, sealed), 0);
    assert_int_equal(strlen(sealed), identity_sealed_len(&lamp));
    return sealed;
}

static enum seal_result open_for(struct opener *o, const char *text, bool is_repeat, uint32_t subscription)
{
    struct identity who;
    enum seal_result r = opener_open(o, text, strlen(text), &message, is_repeat, subscription, &who);
    if (r == SEAL_OPENED) {
        assert_int_equal(who.client_id.len, lamp.client_id.len);
        assert_memory_equal(who.client_id.p, lamp.client_id.p, lamp.client_id.len);
        assert_memory_equal(who.trace_id.p, lamp.trace_id.p, lamp.trace_id.len);
    } else {
        assert_null(who.client_id.p);
    }
    return r;
}

static void what_is_opened_is_what_was_sealed(void **state)
{
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    struct identity some = { .client_id = TEXT("x") }, who;
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(open_for(o, seal(s), false, 0), SEAL_OPENED);
    assert_int_equal(sealer_seal(s, &some, &message, sealed), 0);
    assert_int_equal(opener_open(o, sealed, strlen(sealed), &message, false, 0, &who), SEAL_OPENED);
    assert_int_equal(who.client_id.len, 1);
    assert_null(who.principal.p);
    assert_null(who.source_ip.p);
    sealer_free(s);
    opener_free(o);
}

static void nothing_of_it_can_be_changed(void **state)
{
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    struct buf raw, text;
    struct identity who;
    (void)state;
    buf_init(&raw, 1 << 20);
    buf_init(&text, 1 << 20);
    assert_true(base64_decode(&raw, seal(s), strlen(sealed)));
    for (size_t i = 0; i < raw.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            raw.p[i] = (char)(raw.p[i] ^ 1 << bit);
            buf_reset(&text);
            base64_encode(&text, raw.p, raw.len);
            assert_int_equal(opener_open(o, text.p, text.len, &message, true, 0, &who), SEAL_FORGED);
            raw.p[i] = (char)(raw.p[i] ^ 1 << bit);
        }
    for (size_t len = 0; len < strlen(sealed); len++)
        assert_int_equal(opener_open(o, sealed, len, &message, true, 0, &who), SEAL_FORGED);
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_OPENED);
    buf_clear(&raw);
    buf_clear(&text);
    sealer_free(s);
    opener_free(o);
}

static void it_is_bound_to_topic_and_payload(void **state)
{
    static const struct identity_bound others[] = {
        { "a/c", 3, "{}", 2 }, { "a/b", 3, "{ }", 3 }, { "a/b", 3, "", 0 },
        { "a/b{", 4, "}", 1 }, { "a/", 2, "b{}", 3 },
    };
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    struct identity who;
    (void)state;
    seal(s);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(opener_open(o, sealed, strlen(sealed), &others[i], true, 0, &who), SEAL_FORGED);
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_OPENED);
    sealer_free(s);
    opener_free(o);
}

static void it_opens_once(void **state)
{
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    (void)state;
    seal(s);
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_OPENED);
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_REPLAYED);
    assert_int_equal(open_for(o, sealed, true, 0), SEAL_OPENED); /* DUP, RETAIN */
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_REPLAYED);
    sealer_free(s);
    opener_free(o);
}

/* An MQTT 5 broker sends a copy for each subscription that fits. */
static void a_copy_for_each_subscription(void **state)
{
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    char first[512];
    (void)state;
    strcpy(first, seal(s));
    assert_int_equal(open_for(o, first, false, 7), SEAL_OPENED);
    assert_int_equal(open_for(o, first, false, 8), SEAL_OPENED);
    assert_int_equal(open_for(o, first, false, 7), SEAL_REPLAYED);
    assert_int_equal(open_for(o, first, false, 8), SEAL_REPLAYED);
    for (int i = 0; i < 1100; i++)
        assert_int_equal(open_for(o, seal(s), false, 7), SEAL_OPENED);
    assert_int_equal(open_for(o, first, false, 9), SEAL_REPLAYED); /* long ago: a copy comes at once */
    sealer_free(s);
    opener_free(o);
}

static void two_keys_for_rotation(void **state)
{
    struct sealer *old = sealer_of('o'), *new = sealer_of('n'), *wrong = sealer_of('w');
    struct opener *o = opener_of("no");
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(open_for(o, seal(old), false, 0), SEAL_OPENED);
        assert_int_equal(open_for(o, seal(new), false, 0), SEAL_OPENED);
        assert_int_equal(open_for(o, seal(wrong), false, 0), SEAL_FORGED);
    }
    sealer_free(old);
    sealer_free(new);
    sealer_free(wrong);
    opener_free(o);
}

/* Brokers that started sixteen times push out the first salt; forged salts push out nothing. */
static void salts_are_bounded(void **state)
{
    struct opener *o = opener_of("k");
    struct sealer *kept = sealer_of('k');
    char first[512];
    (void)state;
    strcpy(first, seal(kept));
    assert_int_equal(open_for(o, first, false, 0), SEAL_OPENED);
    for (int i = 0; i < 100; i++) {
        struct sealer *forger = sealer_of('f');
        assert_int_equal(open_for(o, seal(forger), false, 0), SEAL_FORGED);
        sealer_free(forger);
    }
    assert_int_equal(open_for(o, first, false, 0), SEAL_REPLAYED);
    for (int i = 0; i < 15; i++) {
        struct sealer *s = sealer_of('k');
        assert_int_equal(open_for(o, seal(s), false, 0), SEAL_OPENED);
        sealer_free(s);
    }
    assert_int_equal(open_for(o, seal(kept), false, 0), SEAL_OPENED);
    assert_int_equal(open_for(o, first, false, 0), SEAL_REPLAYED);
    sealer_free(kept);
    opener_free(o);
}

/* In whatever order; but what lies four million behind cannot be told from a repetition. */
static void order_and_distance(void **state)
{
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    char early[3][512];
    (void)state;
    for (int i = 0; i < 3; i++)
        strcpy(early[i], seal(s));
    assert_int_equal(open_for(o, early[2], false, 0), SEAL_OPENED);
    assert_int_equal(open_for(o, early[0], false, 0), SEAL_OPENED);
    assert_int_equal(open_for(o, early[2], false, 0), SEAL_REPLAYED);
    for (long i = 0; i < 4200000; i++)
        assert_int_equal(sealer_seal(s, &lamp, &message, sealed), 0);
    assert_int_equal(open_for(o, sealed, false, 0), SEAL_OPENED);
    assert_int_equal(open_for(o, early[1], false, 0), SEAL_REPLAYED);
    assert_int_equal(open_for(o, early[1], true, 0), SEAL_OPENED);
    sealer_free(s);
    opener_free(o);
}

static void long_texts(void **state)
{
    static char text[IDENTITY_MAX_BYTES + 1];
    struct sealer *s = sealer_of('k');
    struct opener *o = opener_of("k");
    struct identity long_one = { .client_id = { .p = text, .len = IDENTITY_MAX_BYTES } }, who;
    (void)state;
    memset(text, 'x', sizeof(text));
    assert_true(identity_sealed_len(&long_one) < 65536);
    assert_int_equal(sealer_seal(s, &long_one, &message, sealed), 0);
    assert_int_equal(strlen(sealed), identity_sealed_len(&long_one));
    assert_int_equal(opener_open(o, sealed, strlen(sealed), &message, false, 0, &who), SEAL_OPENED);
    assert_int_equal(who.client_id.len, IDENTITY_MAX_BYTES);
    long_one.principal = (struct identity_text) { .p = "y", .len = 1 };
    assert_int_equal(identity_sealed_len(&long_one), 0);
    assert_int_equal(sealer_seal(s, &long_one, &message, sealed), -1);
    long_one.client_id.len++;
    assert_int_equal(identity_sealed_len(&long_one), 0);
    sealer_free(s);
    opener_free(o);
}

static void key_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *error; /* NULL: right */
        size_t key_len;
    } rows[] = {
        { "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef\n", 65, NULL, 32 },
        { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\xff", 64, NULL, 64 },
        { "0123456789abcdef0123456789abcdef\n", 33, "16 bytes", 0 },
        { "", 0, "0 bytes", 0 },
        { "short", 5, "5 bytes", 0 },
    };
    char path[] = "/tmp/sluice-key-XXXXXX";
    struct identity_key k;
    (void)state;
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = { 0 };
        FILE *f = fopen(path, "wb");
        fwrite(rows[i].bytes, 1, rows[i].len, f);
        fclose(f);
        assert_int_equal(chmod(path, i % 2 ? 0600 : 0644), 0);
        assert_int_equal(identity_key_read(&k, path, &e), rows[i].error ? -1 : 0);
        if (rows[i].error) {
            assert_non_null(strstr(e.text, rows[i].error));
            assert_non_null(strstr(e.hint, "openssl rand"));
            continue;
        }
        assert_int_equal(k.len, rows[i].key_len);
        assert_int_equal(k.is_open_to_all, i % 2 == 0);
    }
    unlink(path);
    struct err e = { 0 };
    assert_int_equal(identity_key_read(&k, path, &e), -1);
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.hint, "openssl rand"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_opened_is_what_was_sealed),
        cmocka_unit_test(nothing_of_it_can_be_changed),
        cmocka_unit_test(it_is_bound_to_topic_and_payload),
        cmocka_unit_test(it_opens_once),
        cmocka_unit_test(a_copy_for_each_subscription),
        cmocka_unit_test(two_keys_for_rotation),
        cmocka_unit_test(salts_are_bounded),
        cmocka_unit_test(order_and_distance),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(key_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
