/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/mosquitto_plugin/clients.h"
#include "engine/base/base64.h"
#include "tests/unit/lamp_certificate.h"

#define MANY 5000

static const uint64_t seed[2] = { 3, 4 };
static char handles[MANY];

static struct subject *subject(const char *id)
{
    struct subject_facts f = { .client_id = id, .source_ip = "127.0.0.1" };
    struct subject *s = subject_new(&f);
    assert_non_null(s);
    return s;
}

static struct client *join(struct clients *t, int handle, const char *id)
{
    struct client *c = clients_add(t, &handles[handle], subject(id));
    assert_non_null(c);
    c->state = CLIENT_CONNECTED;
    client_next_version(c);
    return c;
}

static void count_visit(void *ctx, struct client *c)
{
    assert_int_equal(c->version, 0);
    c->version = 1; /* nobody is visited twice */
    ++*(size_t *)ctx;
}

static void test_many(void **state)
{
    (void)state;
    struct clients *t = clients_new(seed);
    char id[20];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        join(t, i, id);
    }
    assert_int_equal(clients_count(t), MANY);
    assert_int_equal(clients_names(t), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        assert_string_equal(clients_find(t, &handles[i])->who->client_id.p, id);
    }
    size_t visited = 0, at = 0;
    do
        at = clients_visit(t, at, 100, count_visit, &visited);
    while (at);
    assert_int_equal(visited, MANY);
    for (int i = 0; i < MANY; i += 2)
        clients_remove(t, clients_find(t, &handles[i]), i);
    assert_int_equal(clients_count(t), MANY / 2);
    assert_int_equal(clients_names(t), MANY);
    assert_null(clients_find(t, &handles[0]));
    assert_non_null(clients_find(t, &handles[1]));
    assert_string_equal(clients_departed(t, "c2")->client_id.p, "c2");
    assert_null(clients_departed(t, "c3"));
    clients_forget(t, CLIENTS_REMEMBER_MS + 1000); /* of 0, 2, 4 … ms those up to 1,000 */
    assert_null(clients_departed(t, "c1000"));
    assert_non_null(clients_departed(t, "c1002"));
    clients_free(t);
}

static void test_bounds(void **state)
{
    (void)state;
    struct clients *t = clients_new(seed);
    char id[20];
    for (int i = 0; i < CLIENTS_REMEMBER_COUNT + 10; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        clients_remove(t, join(t, 0, id), i);
    }
    assert_int_equal(clients_names(t), CLIENTS_REMEMBER_COUNT);
    assert_null(clients_departed(t, "c9"));
    assert_non_null(clients_departed(t, "c10"));
    char *longest = calloc(1, 65536);
    memset(longest, 'x', 65535);
    for (int i = 0; i < 1000; i++) { /* 128 MB, were they all kept */
        snprintf(id, sizeof(id), "%04d", i);
        memcpy(longest, id, 4);
        clients_remove(t, join(t, 0, longest), 200000);
    }
    assert_true(clients_names(t) < 1000);
    assert_true(clients_names(t) > CLIENTS_REMEMBER_BYTES / 65536 / 4);
    assert_non_null(clients_departed(t, longest));
    free(longest);
    clients_free(t);
}

static void test_filters(void **state)
{
    (void)state;
    struct client_filters f = { 0 };
    size_t kept = 0;
    for (int i = 0; i < 20000; i++)
        kept += client_filters_add(&f, "a/b");
    assert_int_equal(kept, f.count);
    assert_int_equal(kept, 10000);
    client_filters_clear(&f);
    assert_int_equal(f.count, 0);
}

static void test_subject(void **state)
{
    (void)state;
    struct subject_facts f = { .client_id = "c", .user_name = "anna", .source_ip = "::1" };
    struct subject *s = subject_new(&f);
    assert_string_equal(s->principal.p, "anna");
    assert_string_equal(s->user_name.p, "anna");
    subject_free(s);
    struct buf der;
    buf_init(&der, 4096);
    assert_true(base64_decode(&der, lamp_certificate_base64, strlen(lamp_certificate_base64)));
    f.certificate = (const unsigned char *)der.p;
    f.certificate_len = der.len;
    s = subject_new(&f);
    assert_string_equal(s->principal.p, LAMP_FINGERPRINT);
    assert_string_equal(s->user_name.p, "anna");
    assert_string_equal(s->source_ip.p, "::1");
    assert_int_equal(s->certificate_count, 36);
    assert_memory_equal(s->certificate[1].name.p, "Subject.CommonName", s->certificate[1].name.len);
    assert_memory_equal(s->certificate[1].value.p, "lamp1", s->certificate[1].value.len);
    assert_true(s->bytes > 36 * sizeof(struct policy_value));
    subject_free(s);
    f.certificate_len--; /* cannot be read: no subject rather than one without a principal */
    assert_null(subject_new(&f));
    buf_clear(&der);
    f = (struct subject_facts) { .client_id = "c" };
    s = subject_new(&f);
    assert_null(s->principal.p);
    assert_null(s->source_ip.p);
    subject_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
