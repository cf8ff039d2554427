/* SPDX-License-Identifier: Apache-2.0 */
/* The order of callbacks in these tests is what Mosquitto 2.0.11 was seen to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/mosquitto_plugin/lifecycle.h"
#include "engine/base/arena.h"
#include "engine/base/json.h"

/* Handles: only their addresses count. */
static const char handles[8];

struct world {
    struct clients *clients;
    struct lifecycle *lifecycle;
    int64_t now_ms;
    char topics[64][100];
    char payloads[64][1000];
    size_t count, seen;
};

static void publish(void *ctx, const char *topic, const char *payload, size_t len)
{
    struct world *w = ctx;
    assert_true(w->count < 64);
    snprintf(w->topics[w->count], sizeof(w->topics[0]), "%s", topic);
    snprintf(w->payloads[w->count++], sizeof(w->payloads[0]), "%.*s", (int)len, payload);
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_non_null(json_parse(&a, payload, len, NULL, NULL));
    arena_clear(&a);
}

static int64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static uint64_t monotonic_ms(void *ctx)
{
    (void)ctx;
    return 0;
}

static int setup_told(void **state, bool is_told)
{
    struct world *w = calloc(1, sizeof(*w));
    static const uint64_t seed[2] = { 1, 2 };
    struct lifecycle_port port = { w, publish, { now_ms, monotonic_ms, w }, 7 };
    w->now_ms = 1700000000000;
    w->clients = clients_new(seed);
    w->lifecycle = lifecycle_new(w->clients, &port, is_told);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_told(state, true);
}

static int setup_silent(void **state)
{
    return setup_told(state, false);
}

static int teardown(void **state)
{
    struct world *w = *state;
    lifecycle_free(w->lifecycle);
    clients_free(w->clients);
    free(w);
    return 0;
}

static struct client *authenticate(struct world *w, int handle, const char *id)
{
    struct subject_facts f = { .client_id = id, .user_name = "anna", .source_ip = "192.0.2.7" };
    struct subject *who = subject_new(&f);
    assert_non_null(who);
    struct client *c = lifecycle_authenticated(w->lifecycle, &handles[handle], who);
    assert_non_null(c);
    assert_ptr_equal(clients_find(w->clients, &handles[handle]), c);
    return c;
}

static void leave(struct world *w, int handle, enum lifecycle_end end)
{
    struct client *c = clients_find(w->clients, &handles[handle]);
    assert_non_null(c);
    lifecycle_ended(w->lifecycle, c, end);
    assert_null(clients_find(w->clients, &handles[handle]));
}

/* The next event is of this topic and its payload holds these texts. */
static void expect(struct world *w, const char *topic, const char *holds, const char *holds_too)
{
    assert_true(w->seen < w->count);
    assert_string_equal(w->topics[w->seen], topic);
    if (!strstr(w->payloads[w->seen], holds) || !strstr(w->payloads[w->seen], holds_too))
        fail_msg("%s lacks %s or %s", w->payloads[w->seen], holds, holds_too);
    w->seen++;
}

static void expect_no_more(const struct world *w)
{
    if (w->seen != w->count)
        fail_msg("unexpected: %s %s", w->topics[w->seen], w->payloads[w->seen]);
}

#define CONNECTED(id)    "$aws/events/presence/connected/" id
#define DISCONNECTED(id) "$aws/events/presence/disconnected/" id
#define SUBSCRIBED(id)   "$aws/events/subscriptions/subscribed/" id
#define UNSUBSCRIBED(id) "$aws/events/subscriptions/unsubscribed/" id

static void test_members(void **state)
{
    struct world *w = *state;
    struct client *c = authenticate(w, 0, "lamp1");
    expect_no_more(w);
    lifecycle_tick(w->lifecycle);
    char expected[500];
    snprintf(
        expected, sizeof(expected),
        "{\"clientId\":\"lamp1\",\"timestamp\":1700000000000,\"eventType\":\"connected\",\"sessionIdentifier\":\"%s\","
        "\"principalIdentifier\":\"anna\",\"ipAddress\":\"192.0.2.7\",\"versionNumber\":0}",
        c->session_id);
    assert_string_equal(w->payloads[0], expected);
    assert_int_equal(strlen(c->session_id), 32);
    snprintf(expected, sizeof(expected),
             "{\"clientId\":\"lamp1\",\"timestamp\":1700000050456,\"eventType\":\"disconnected\",\"sessionIdentifier\":"
             "\"%s\","
             "\"principalIdentifier\":\"anna\",\"clientInitiatedDisconnect\":true,\"disconnectReason\":"
             "\"CLIENT_INITIATED_DISCONNECT\",\"versionNumber\":0}",
             c->session_id);
    w->now_ms = 1700000050456;
    leave(w, 0, END_BY_CLIENT);
    assert_string_equal(w->payloads[1], expected);
    expect(w, CONNECTED("lamp1"), "", "");
    expect(w, DISCONNECTED("lamp1"), "", "");
    expect_no_more(w);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    authenticate(w, 0, "x");
    leave(w, 0, END_REFUSED);
    lifecycle_tick(w->lifecycle);
    expect_no_more(w);
    assert_int_equal(clients_names(w->clients), 0); /* who is never let in is not remembered */
    authenticate(w, 0, "x");
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("x"), "\"versionNumber\":0", "");
}

static void test_takeover(void **state)
{
    struct world *w = *state;
    struct client *old = authenticate(w, 0, "same");
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("same"), "\"versionNumber\":0", "");
    char session[40];
    snprintf(session, sizeof(session), "%s", old->session_id);
    authenticate(w, 1, "same");
    lifecycle_is_active(w->lifecycle, old); /* its will is published */
    expect_no_more(w);
    leave(w, 0, END_UNKNOWN);
    expect(w, DISCONNECTED("same"), "\"disconnectReason\":\"DUPLICATE_CLIENTID\",\"versionNumber\":0", session);
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("same"), "\"versionNumber\":1", "");
    assert_null(strstr(w->payloads[w->seen - 1], session));
    leave(w, 1, END_UNKNOWN);
    expect(w, DISCONNECTED("same"), "\"disconnectReason\":\"CONNECTION_LOST\",\"versionNumber\":1",
           "\"clientInitiatedDisconnect\":false");
    expect_no_more(w);
}

/* All in one round of the broker's loop. */
static void test_takeover_of_a_takeover(void **state)
{
    struct world *w = *state;
    authenticate(w, 0, "same");
    authenticate(w, 1, "same");
    expect(w, CONNECTED("same"), "\"versionNumber\":0", "");
    leave(w, 0, END_UNKNOWN);
    expect(w, DISCONNECTED("same"), "DUPLICATE_CLIENTID", "\"versionNumber\":0");
    authenticate(w, 2, "same");
    expect(w, CONNECTED("same"), "\"versionNumber\":1", "");
    leave(w, 1, END_UNKNOWN);
    expect(w, DISCONNECTED("same"), "DUPLICATE_CLIENTID", "\"versionNumber\":1");
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("same"), "\"versionNumber\":2", "");
    expect_no_more(w);
}

static void test_refused_takeover(void **state)
{
    struct world *w = *state;
    authenticate(w, 0, "hold");
    lifecycle_tick(w->lifecycle);
    authenticate(w, 1, "hold"); /* with a wrong password */
    leave(w, 1, END_REFUSED);
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("hold"), "", "");
    leave(w, 0, END_UNKNOWN);
    expect(w, DISCONNECTED("hold"), "CONNECTION_LOST", "\"versionNumber\":0");
    expect_no_more(w);
}

/* CONNECT and DISCONNECT in one TLS record: no tick between. */
static void test_came_and_went(void **state)
{
    struct world *w = *state;
    authenticate(w, 0, "brief");
    leave(w, 0, END_BY_CLIENT);
    expect(w, CONNECTED("brief"), "", "");
    expect(w, DISCONNECTED("brief"), "CLIENT_INITIATED_DISCONNECT", "");
    expect_no_more(w);
}

static void test_subscriptions(void **state)
{
    struct world *w = *state;
    struct client *a = authenticate(w, 0, "a");
    lifecycle_subscribed(w->lifecycle, a, "x/#"); /* what only a connected client does */
    expect(w, CONNECTED("a"), "", "");
    lifecycle_subscribed(w->lifecycle, a, "say \"+\"");
    expect_no_more(w);
    lifecycle_tick(w->lifecycle);
    expect(w, SUBSCRIBED("a"), "\"topics\":[\"x/#\",\"say \\\"+\\\"\"]}", a->session_id);
    lifecycle_tick(w->lifecycle);
    expect_no_more(w);
    lifecycle_subscribed(w->lifecycle, a, "y");
    lifecycle_unsubscribed(w->lifecycle, a, "x/#");
    expect(w, SUBSCRIBED("a"), "\"topics\":[\"y\"]", "\"eventType\":\"subscribed\"");
    struct client *b = authenticate(w, 1, "b");
    expect(w, UNSUBSCRIBED("a"), "\"topics\":[\"x/#\"]", "\"eventType\":\"unsubscribed\"");
    lifecycle_tick(w->lifecycle);
    expect(w, CONNECTED("b"), "", "");
    lifecycle_subscribed(w->lifecycle, a, "1");
    lifecycle_subscribed(w->lifecycle, b, "2");
    expect(w, SUBSCRIBED("a"), "[\"1\"]", "");
    lifecycle_is_active(w->lifecycle, a);
    expect(w, SUBSCRIBED("b"), "[\"2\"]", "");
    lifecycle_subscribed(w->lifecycle, a, "3");
    leave(w, 0, END_BY_CLIENT); /* a clean disconnect makes no "unsubscribed" */
    expect(w, SUBSCRIBED("a"), "[\"3\"]", "");
    expect(w, DISCONNECTED("a"), "", "");
    expect_no_more(w);
}

static void test_reasons_from_the_log(void **state)
{
    static const struct {
        const char *line, *reason;
    } rows[] = {
        { "1700000000: Client c closed its connection.", "CONNECTION_LOST" },
        { "1700000000: Client c has exceeded timeout, disconnecting.", "MQTT_KEEP_ALIVE_TIMEOUT" },
        { "Client c has exceeded timeout, disconnecting.", "MQTT_KEEP_ALIVE_TIMEOUT" },
        { "1700000000: Client c disconnected due to protocol error.", "CLIENT_ERROR" },
        { "1700000000: Client c disconnected due to malformed packet.", "CLIENT_ERROR" },
        { "1700000000: Client c disconnected, not authorised.", "AUTH_ERROR" },
        { "1700000000: Client c been disconnected by administrative action.", "SERVER_INITIATED_DISCONNECT" },
        { "1700000000: Client c disconnected.", "CLIENT_INITIATED_DISCONNECT" },
        { "1700000000: Client cc has exceeded timeout, disconnecting.", "CONNECTION_LOST" }, /* somebody else */
        { "1700000000: Client c has exceeded timeout, disconnecting. closed its connection.", "CONNECTION_LOST" },
        { "1700000000: Client ", "CONNECTION_LOST" },
        { "1700000000", "CONNECTION_LOST" },
        { "", "CONNECTION_LOST" },
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        authenticate(w, 0, "c");
        lifecycle_tick(w->lifecycle);
        lifecycle_log_line(w->lifecycle, rows[i].line, strlen(rows[i].line));
        leave(w, 0, END_UNKNOWN);
        expect(w, CONNECTED("c"), "", "");
        expect(w, DISCONNECTED("c"), rows[i].reason, "");
    }
    /* A line explains the disconnect that follows in the same round, no later one. */
    authenticate(w, 0, "c");
    lifecycle_tick(w->lifecycle);
    lifecycle_log_line(w->lifecycle, "1: Client c has exceeded timeout, disconnecting.", 48);
    lifecycle_tick(w->lifecycle);
    leave(w, 0, END_UNKNOWN);
    expect(w, CONNECTED("c"), "", "");
    expect(w, DISCONNECTED("c"), "CONNECTION_LOST", "");
    authenticate(w, 0, "c");
    leave(w, 0, END_BY_RELOAD);
    expect(w, CONNECTED("c"), "", "");
    expect(w, DISCONNECTED("c"), "AUTH_ERROR", "\"clientInitiatedDisconnect\":false");
}

static void test_ids_without_events(void **state)
{
    struct world *w = *state;
    static const char *const ids[] = { "a#", "+", "a/+/b", "\xff\xfe", "a\x01" };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct client *c = authenticate(w, 0, ids[i]);
        lifecycle_tick(w->lifecycle);
        lifecycle_subscribed(w->lifecycle, c, "f");
        leave(w, 0, END_BY_CLIENT);
    }
    char *longest = calloc(1, 65536);
    memset(longest, 'x', 65535);
    authenticate(w, 0, longest); /* no topic has room for it */
    lifecycle_tick(w->lifecycle);
    leave(w, 0, END_UNKNOWN);
    free(longest);
    expect_no_more(w);
}

static void test_versions_are_remembered_for_an_hour(void **state)
{
    struct world *w = *state;
    authenticate(w, 0, "v");
    lifecycle_tick(w->lifecycle);
    leave(w, 0, END_UNKNOWN);
    w->now_ms += CLIENTS_REMEMBER_MS - 1;
    lifecycle_tick(w->lifecycle);
    authenticate(w, 0, "v");
    lifecycle_tick(w->lifecycle);
    assert_non_null(strstr(w->payloads[w->count - 1], "\"versionNumber\":1"));
    w->now_ms += 10 * CLIENTS_REMEMBER_MS; /* it stays as long as it is connected */
    lifecycle_tick(w->lifecycle);
    leave(w, 0, END_UNKNOWN);
    assert_non_null(strstr(w->payloads[w->count - 1], "\"versionNumber\":1"));
    assert_non_null(clients_departed(w->clients, "v"));
    w->now_ms += CLIENTS_REMEMBER_MS;
    lifecycle_tick(w->lifecycle);
    assert_null(clients_departed(w->clients, "v"));
    assert_int_equal(clients_names(w->clients), 0);
    authenticate(w, 0, "v");
    lifecycle_tick(w->lifecycle);
    assert_non_null(strstr(w->payloads[w->count - 1], "\"versionNumber\":0"));
}

static void test_silent(void **state)
{
    struct world *w = *state;
    struct client *c = authenticate(w, 0, "s");
    lifecycle_subscribed(w->lifecycle, c, "f");
    lifecycle_tick(w->lifecycle);
    assert_int_equal(c->state, CLIENT_CONNECTED);
    leave(w, 0, END_BY_CLIENT);
    expect_no_more(w);
}

#define TEST(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)
#define SILENT(f) cmocka_unit_test_setup_teardown(f, setup_silent, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_members),
        TEST(test_refused),
        TEST(test_takeover),
        TEST(test_takeover_of_a_takeover),
        TEST(test_refused_takeover),
        TEST(test_came_and_went),
        TEST(test_subscriptions),
        TEST(test_reasons_from_the_log),
        TEST(test_ids_without_events),
        TEST(test_versions_are_remembered_for_an_hour),
        SILENT(test_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
