/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once: nobody is let in by that, and nothing is lost or used after it was freed (the address sanitizer sees). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "engine/apps/mosquitto_plugin/lifecycle.h"
#include "engine/base/base64.h"
#include "tests/unit/lamp_certificate.h"

#include "tests/unit/failing_alloc.h"

#include "engine/apps/mosquitto_plugin/clients.c"
#include "engine/apps/mosquitto_plugin/lifecycle.c"
#include "engine/apps/mosquitto_plugin/subject.c"
#include "engine/base/buf.c"
#include "engine/mqtt/certificate_vars.c"

static const char handles[4];
static struct buf certificate;

static void count_event(void *ctx, const char *topic, const char *payload, size_t len)
{
    (void)topic;
    assert_int_equal(payload[len - 1], '}');
    ++*(int *)ctx;
}

static struct client *come(struct lifecycle *l, int handle, const char *id)
{
    struct subject_facts f = { .client_id = id,
                               .certificate = (const unsigned char *)certificate.p,
                               .certificate_len = certificate.len };
    struct subject *who = subject_new(&f);
    struct client *c = who ? lifecycle_authenticated(l, &handles[handle], who) : NULL;
    if (!c)
        subject_free(who);
    else
        assert_string_equal(c->who->principal.p, LAMP_FINGERPRINT); /* all of it or none */
    return c;
}

/* Events that were published. */
static int live(void)
{
    int events = 0;
    static const uint64_t seed[2] = { 1, 2 };
    struct lifecycle_port port = { &events, count_event, clock_system, 1 };
    struct clients *t = clients_new(seed);
    struct lifecycle *l = t ? lifecycle_new(t, &port, true) : NULL;
    for (int round = 0; l && round < 2; round++) {
        struct client *a = come(l, 0, "a"), *b = come(l, 1, "b");
        for (int i = 0; a && i < 20; i++)
            lifecycle_subscribed(l, a, "f/#");
        if (b)
            lifecycle_unsubscribed(l, b, "g");
        struct client *again = a ? come(l, 2, "a") : NULL;
        if (a)
            lifecycle_ended(l, a, END_UNKNOWN);
        lifecycle_tick(l);
        if (again)
            lifecycle_ended(l, again, END_BY_CLIENT);
        if (b)
            lifecycle_ended(l, b, END_BY_CLIENT);
    }
    lifecycle_free(l);
    clients_free(t);
    return events;
}

static void test_every_allocation(void **state)
{
    (void)state;
    int all = live(), events = 0;
    assert_true(all > 10);
    size_t tries = 0;
    while (events < all && ++tries < 10000) {
        allocations_left = tries;
        events = live();
        assert_true(events <= all);
        allocations_left = SIZE_MAX;
    }
    assert_true(tries > 20 && tries < 10000);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&certificate, 4096);
    return base64_decode(&certificate, lamp_certificate_base64, strlen(lamp_certificate_base64)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&certificate);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
