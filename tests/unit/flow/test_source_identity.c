/* SPDX-License-Identifier: Apache-2.0 */
/* Who published: by the seal, by topic or property, or nobody knows. What configuration says about it. */
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

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/flow/source_identity.h"
#include "engine/mqtt/identity_seal.h"
#include "tests/unit/counted_alloc.h"

#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        .p = (s), .len = strlen(s)                                                                                     \
    }
#define URL "{ url: \"mqtt://h\", clientId: c" /* configure adds the end */

static const char *const key_names[] = { "a.key", "b.key" };
static const struct identity lamp = { .client_id = TEXT("lamp-1"),
                                      .principal = TEXT("5f1c"),
                                      .source_ip = TEXT("192.0.2.7"),
                                      .trace_id = TEXT("0b5c1b0a-0000-4000-8000-000000000001") };

static char folder[] = "/tmp/sluice-identity-XXXXXX";
static struct sealer *sealers[2]; /* with the key of each file */
static struct conf *root;
static struct mqtt_conf conf;
static struct source_identity identity;
static struct errs errs;
static char sealed[70000];

/* --- keys and configuration --- */

static int begin(void **state)
{
    (void)state;
    log_setup(STDERR_FILENO, LOG_LEVEL_DISABLED, LOG_FORM_AUTO);
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        struct identity_key key;
        struct err e = { 0 };
        FILE *f = fopen(key_names[i], "w");
        if (!f || fprintf(f, "a key of thirty-two bytes or more, number %zu", i) < 0 || fclose(f) != 0 ||
            chmod(key_names[i], 0640) < 0 || identity_key_read(&key, key_names[i], &e) < 0)
            return -1;
        sealers[i] = sealer_new(&key, &e);
        if (!sealers[i])
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sealer_free(sealers[i]);
        unlink(key_names[i]);
    }
    return rmdir(folder);
}

static int clean_up(void **state)
{
    (void)state;
    source_identity_clear(&identity);
    mqtt_conf_clear(&conf);
    conf_free(root);
    root = NULL;
    errs_clear(&errs);
    chmod(key_names[0], 0640);
    return 0;
}

static int configure(const char *yaml)
{
    char text[500];
    clean_up(NULL);
    snprintf(text, sizeof(text), "%s }", yaml);
    struct src *src = src_new("sluice.yaml", text, strlen(text));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(root);
    assert_int_equal(mqtt_conf_read(&conf, root, &errs), 0);
    return source_identity_read(&identity, &conf, &errs);
}

static void must_configure(const char *yaml)
{
    assert_int_equal(configure(yaml), 0);
    assert_int_equal(errs.count, 0);
}

/* --- messages --- */

static struct source_message message(const char *topic, const char *payload)
{
    return (struct source_message) { .message = { .topic = topic,
                                                  .topic_len = strlen(topic),
                                                  .payload = payload,
                                                  .payload_len = strlen(payload),
                                                  .over_mqtt = true,
                                                  .payload_format = PAYLOAD_FORMAT_ABSENT } };
}

static void seal(struct source_message *m, size_t key, const struct identity *who)
{
    const struct message *x = &m->message;
    struct identity_bound bound = { x->topic, x->topic_len, x->payload, x->payload_len };
    assert_int_equal(sealer_seal(sealers[key], who, &bound, sealed), 0);
    m->seal = sealed;
    m->seal_len = strlen(sealed);
}

static struct source_message lamp_says(size_t key)
{
    struct source_message m = message("plant/7", "{}");
    seal(&m, key, &lamp);
    return m;
}

static enum identity_state name(struct source_message *m)
{
    source_identity_name(&identity, &clock_system, conf.url, m);
    return m->identity;
}

static void assert_nobody(const struct message *m)
{
    assert_true(!m->client_id && !m->principal && !m->source_ip && !m->trace_id);
}

static const char *client_of(struct source_message m)
{
    name(&m);
    return m.message.client_id ? m.message.client_id : "n/a";
}

/* --- seals --- */

static void a_seal_tells_all_four(void **state)
{
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }");
    struct source_message m = lamp_says(0);
    assert_int_equal(name(&m), IDENTITY_OPENED);
    memset(sealed, 'x', sizeof(sealed)); /* what was told does not lie in it */
    assert_string_equal(m.message.client_id, "lamp-1");
    assert_string_equal(m.message.principal, "5f1c");
    assert_string_equal(m.message.source_ip, "192.0.2.7");
    assert_string_equal(m.message.trace_id, "0b5c1b0a-0000-4000-8000-000000000001");
}

static void what_does_not_open_names_nobody(void **state)
{
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }");
    struct source_message none = message("plant/7", "{}"), other_key = lamp_says(1);
    assert_int_equal(name(&none), IDENTITY_ABSENT);
    assert_nobody(&none.message);
    assert_int_equal(name(&other_key), IDENTITY_FORGED);
    assert_nobody(&other_key.message);
    struct source_message moved = lamp_says(0);
    moved.message.topic = "plant/8";
    assert_int_equal(name(&moved), IDENTITY_FORGED);
    struct source_message first = lamp_says(0), again = first;
    assert_int_equal(name(&first), IDENTITY_OPENED);
    assert_int_equal(name(&again), IDENTITY_REPLAYED);
    assert_nobody(&again.message);
}

/* A copy for another subscription, and what the broker marks as sent again. */
static void what_a_broker_sends_twice_opens_twice(void **state)
{
    static const uint32_t seven[] = { 7 }, eight[] = { 8 };
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }");
    struct source_message m = lamp_says(0), copy = m, same = m, dup = m, retained = m;
    m.filter_ids = same.filter_ids = seven;
    copy.filter_ids = eight;
    m.filter_id_count = same.filter_id_count = copy.filter_id_count = 1;
    dup.message.dup = retained.message.retain = true;
    assert_int_equal(name(&m), IDENTITY_OPENED);
    assert_int_equal(name(&copy), IDENTITY_OPENED);
    assert_int_equal(name(&same), IDENTITY_REPLAYED);
    assert_int_equal(name(&dup), IDENTITY_OPENED);
    assert_string_equal(dup.message.client_id, "lamp-1");
    assert_int_equal(name(&retained), IDENTITY_OPENED);
}

static void two_keys_are_valid_while_they_change(void **state)
{
    (void)state;
    must_configure(URL ", identity: { keyFile: b.key, previousKeyFile: a.key }");
    struct source_message old = lamp_says(0);
    assert_int_equal(name(&old), IDENTITY_OPENED);
    struct source_message new = lamp_says(1);
    assert_int_equal(name(&new), IDENTITY_OPENED);
    must_configure(URL ", identity: { keyFile: b.key }");
    old = lamp_says(0);
    assert_int_equal(name(&old), IDENTITY_FORGED);
}

static void what_is_of_the_broker_has_no_seal(void **state)
{
    static const struct {
        const char *topic;
        enum identity_state expected;
    } cases[] = { { "$SYS/broker/uptime", IDENTITY_UNASKED },
                  { "$aws/events/presence/connected/lamp-1", IDENTITY_UNASKED },
                  { "$aws/rules/r/a", IDENTITY_ABSENT },
                  { "a/$SYS", IDENTITY_ABSENT } };
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source_message m = message(cases[i].topic, "1");
        assert_int_equal(name(&m), cases[i].expected);
    }
    struct source_message m = message("$SYS/broker/uptime", "1");
    m.seal = "lamp-1";
    m.seal_len = 6;
    assert_int_equal(name(&m), IDENTITY_FORGED);
}

static void without_a_key_nothing_is_opened(void **state)
{
    (void)state;
    must_configure(URL);
    struct source_message m = lamp_says(0);
    assert_int_equal(name(&m), IDENTITY_UNASKED);
    assert_nobody(&m.message);
}

/* A broker that is not strict, and a seal all the same. */
static void what_is_no_text_is_unknown(void **state)
{
    static const struct identity odd = { .client_id = TEXT("a\xff"),
                                         .principal = { "a\0b", 3 },
                                         .source_ip = TEXT("::1") };
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }");
    struct source_message m = message("a", "");
    seal(&m, 0, &odd);
    assert_int_equal(name(&m), IDENTITY_OPENED);
    assert_null(m.message.client_id);
    assert_null(m.message.principal);
    assert_string_equal(m.message.source_ip, "::1");
}

/* The longest that a seal holds, and the longest client id beside it. */
static void the_longest_have_room(void **state)
{
    static char principal[IDENTITY_MAX_BYTES + 1], topic[65536];
    static struct identity who = { .principal = { principal, IDENTITY_MAX_BYTES } };
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }, clientIdFrom: { topicLevel: 1 }");
    memset(principal, 'p', IDENTITY_MAX_BYTES);
    memset(topic, 't', 65535);
    struct source_message m = message(topic, "");
    seal(&m, 0, &who);
    assert_int_equal(name(&m), IDENTITY_OPENED);
    assert_string_equal(m.message.principal, principal);
    assert_string_equal(m.message.client_id, topic);
}

/* --- clientIdFrom --- */

static void a_level_of_the_topic(void **state)
{
    static const struct {
        const char *topic, *client;
    } cases[] = {
        { "plant/gw-7/t", "gw-7" }, { "plant/gw-7", "gw-7" }, { "plant", "n/a" },
        { "plant//t", "n/a" },      { "plant/", "n/a" },      { "$aws/rules/r/plant/gw-8", "gw-8" },
        { "$aws/rules/r", "n/a" },  { "plant/a\xff", "n/a" },
    };
    (void)state;
    must_configure(URL ", clientIdFrom: { topicLevel: 2 }");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(client_of(message(cases[i].topic, "{}")), cases[i].client);
}

static void a_user_property(void **state)
{
    static const struct user_property users[] = {
        { "Device", "x", 6, 1 }, { "devic", "x", 5, 1 }, { "device", "gw-7", 6, 4 }, { "device", "gw-8", 6, 4 },
    }, empty[] = { { "device", "", 6, 0 } };
    struct source_message m = message("a/b", "{}");
    (void)state;
    must_configure(URL ", clientIdFrom: { userProperty: device }");
    assert_string_equal(client_of(m), "n/a");
    m.message.user_properties = users;
    m.message.user_property_count = 2;
    assert_string_equal(client_of(m), "n/a");
    m.message.user_property_count = 4;
    assert_string_equal(client_of(m), "gw-7");
    m.message.user_properties = empty;
    m.message.user_property_count = 1;
    assert_string_equal(client_of(m), "n/a");
}

static void the_seal_comes_first(void **state)
{
    static const struct identity nameless = { .principal = TEXT("p") };
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key }, clientIdFrom: { topicLevel: 2 }");
    assert_string_equal(client_of(lamp_says(0)), "lamp-1");
    assert_string_equal(client_of(lamp_says(1)), "7");
    assert_string_equal(client_of(message("plant/8", "{}")), "8");
    struct source_message m = message("plant/9", "{}");
    seal(&m, 0, &nameless);
    assert_string_equal(client_of(m), "9");
}

/* --- memory --- */

static void warm_it_takes_nothing_from_the_heap(void **state)
{
    (void)state;
    must_configure(URL ", identity: { keyFile: a.key, previousKeyFile: b.key }, clientIdFrom: { topicLevel: 1 }");
    for (int i = 0; i < 10; i++) {
        struct source_message m = lamp_says((size_t)i % 2);
        size_t before = allocations;
        assert_int_equal(name(&m), IDENTITY_OPENED);
        if (i >= 4)
            assert_int_equal(allocations, before);
        struct source_message again = lamp_says(0), second;
        second = again;
        assert_int_equal(name(&again), IDENTITY_OPENED);
        before = allocations;
        assert_int_equal(name(&second), IDENTITY_REPLAYED);
        second = message("plant/7", "{}");
        assert_int_equal(name(&second), IDENTITY_ABSENT);
        assert_int_equal(allocations, before);
    }
}

/* --- what check says --- */

static size_t warnings(const char *yaml)
{
    must_configure(yaml);
    source_identity_check(&identity, &conf, &errs);
    assert_int_equal(errs.errors, 0);
    return errs.warnings;
}

static void a_key_that_all_may_read_warns(void **state)
{
    (void)state;
    assert_int_equal(warnings(URL ", identity: { keyFile: a.key }"), 0);
    clean_up(NULL);
    assert_int_equal(chmod(key_names[1], 0644), 0);
    assert_int_equal(warnings(URL ", identity: { keyFile: a.key, previousKeyFile: b.key }"), 1);
    assert_non_null(strstr(errs.items[0].text, "everybody on this machine can read the key"));
    assert_int_equal(errs.items[0].at.off, strlen(URL ", identity: { keyFile: a.key, previousKeyFile: "));
    assert_non_null(strstr(errs.items[0].hint, "chmod 640 "));
    assert_int_equal(chmod(key_names[1], 0640), 0);
}

static void identity_needs_mqtt_5(void **state)
{
    (void)state;
    assert_int_equal(warnings(URL ", version: 3.1.1, identity: { keyFile: a.key }"), 1);
    assert_non_null(strstr(errs.items[0].text, "needs MQTT 5"));
    assert_int_equal(warnings(URL ", version: 3.1.1, clientIdFrom: { topicLevel: 1 }"), 1);
    assert_int_equal(warnings(URL ", version: 3.1.1, clientIdFrom: { userProperty: p }"), 2);
}

static void who_tells_the_client(void **state)
{
    (void)state;
    must_configure(URL);
    assert_false(source_identity_names_clients(root));
    must_configure(URL ", identity: { keyFile: a.key }");
    assert_true(source_identity_names_clients(root));
    must_configure(URL ", clientIdFrom: { topicLevel: 1 }");
    assert_true(source_identity_names_clients(root));
}

int main(void)
{
    count_allocations();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_seal_tells_all_four, clean_up),
        cmocka_unit_test_teardown(what_does_not_open_names_nobody, clean_up),
        cmocka_unit_test_teardown(what_a_broker_sends_twice_opens_twice, clean_up),
        cmocka_unit_test_teardown(two_keys_are_valid_while_they_change, clean_up),
        cmocka_unit_test_teardown(what_is_of_the_broker_has_no_seal, clean_up),
        cmocka_unit_test_teardown(without_a_key_nothing_is_opened, clean_up),
        cmocka_unit_test_teardown(what_is_no_text_is_unknown, clean_up),
        cmocka_unit_test_teardown(the_longest_have_room, clean_up),
        cmocka_unit_test_teardown(a_level_of_the_topic, clean_up),
        cmocka_unit_test_teardown(a_user_property, clean_up),
        cmocka_unit_test_teardown(the_seal_comes_first, clean_up),
        cmocka_unit_test_teardown(warm_it_takes_nothing_from_the_heap, clean_up),
        cmocka_unit_test_teardown(a_key_that_all_may_read_warns, clean_up),
        cmocka_unit_test_teardown(identity_needs_mqtt_5, clean_up),
        cmocka_unit_test_teardown(who_tells_the_client, clean_up),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
