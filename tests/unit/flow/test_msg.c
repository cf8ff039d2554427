/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/flow/msg.h"
#include "engine/flow/ruleset.h"

static struct ruleset rules = { .refs = 1 };

/* Heap memory that the test scribbles over after the copy. */
static char *owned(const char *s)
{
    char *p = strdup(s);
    assert_non_null(p);
    return p;
}

static void test_everything_is_copied(void **state)
{
    (void)state;
    char *texts[] = { owned("a/b"),    owned("payload"),   owned("text/plain"), owned("re"),         owned("corr"),
                      owned("client"), owned("principal"), owned("1.2.3.4"),    owned("k1v1k22v22"), owned("trace") };
    struct user_property properties[] = { { texts[8], texts[8] + 2, 2, 2 }, { texts[8] + 4, texts[8] + 7, 3, 3 } };
    const struct message m = { .topic = texts[0],
                               .topic_len = 3,
                               .payload = texts[1],
                               .payload_len = 7,
                               .qos = 1,
                               .dup = true,
                               .content_type = texts[2],
                               .response_topic = texts[3],
                               .correlation_data = texts[4],
                               .correlation_len = 4,
                               .payload_format = PAYLOAD_FORMAT_UTF8,
                               .user_properties = properties,
                               .user_property_count = 2,
                               .client_id = texts[5],
                               .principal = texts[6],
                               .source_ip = texts[7],
                               .trace_id = texts[9],
                               .arrival_ms = 5,
                               .seed = 6,
                               .hops = 7 };
    struct msg *copy = msg_new(&m, &rules, (uint32_t[]) { 3, 9, 11 }, 3);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        memset(texts[i], 'x', strlen(texts[i]));
        free(texts[i]);
    }
    memset(properties, 0, sizeof(properties));
    const struct message *c = &copy->message;
    assert_memory_equal(c->topic, "a/b", 3);
    assert_memory_equal(c->payload, "payload", 7);
    assert_string_equal(c->content_type, "text/plain");
    assert_string_equal(c->response_topic, "re");
    assert_memory_equal(c->correlation_data, "corr", 4);
    assert_string_equal(c->client_id, "client");
    assert_string_equal(c->principal, "principal");
    assert_string_equal(c->source_ip, "1.2.3.4");
    assert_string_equal(c->trace_id, "trace");
    assert_int_equal(c->user_property_count, 2);
    assert_memory_equal(c->user_properties[0].name, "k1", 2);
    assert_memory_equal(c->user_properties[1].value, "v22", 3);
    assert_true(c->qos == 1 && c->dup && !c->retain && c->hops == 7 && c->seed == 6 && c->arrival_ms == 5);
    assert_int_equal(copy->rule_count, 3);
    assert_int_equal(copy->rules[2], 11);
    msg_free(copy);
}

static void test_absent_stays_absent(void **state)
{
    (void)state;
    const struct message m = { .topic = "t", .topic_len = 1, .payload = NULL, .payload_format = PAYLOAD_FORMAT_ABSENT };
    struct msg *copy = msg_new(&m, &rules, (uint32_t[]) { 0 }, 1);
    assert_non_null(copy);
    assert_null(copy->message.content_type);
    assert_null(copy->message.correlation_data);
    assert_null(copy->message.user_properties);
    assert_null(copy->message.client_id);
    assert_null(copy->message.trace_id);
    assert_non_null(copy->message.payload); /* empty, not absent */
    msg_free(copy);
    msg_free(NULL);
}

static void test_holds_its_ruleset(void **state)
{
    (void)state;
    const struct message m = { .topic = "t", .topic_len = 1, .payload = "" };
    struct msg *copy = msg_new(&m, &rules, (uint32_t[]) { 0 }, 1);
    assert_ptr_equal(copy->ruleset, &rules);
    assert_int_equal(rules.refs, 2);
    msg_free(copy);
    assert_int_equal(rules.refs, 1);
}

static uint64_t settled_token;
static void *settled_source;

static void settled(void *source, uint64_t token)
{
    settled_source = source;
    settled_token = token;
}

static void test_the_token_goes_back(void **state)
{
    (void)state;
    static const struct source_type type = { .settled = settled };
    int source;
    const struct msg_origin origin = { .type = &type, .handle = &source };
    const struct msg m = { .origin = &origin, .token = 77 };
    msg_settle(&m);
    assert_ptr_equal(settled_source, &source);
    assert_int_equal(settled_token, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_copied),
        cmocka_unit_test(test_absent_stays_absent),
        cmocka_unit_test(test_holds_its_ruleset),
        cmocka_unit_test(test_the_token_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
