/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/flow/inbox.h"

#define SLACK_BYTES ((size_t)64 << 20)

static void a_copy_holds_everything(void **state)
{
    (void)state;
    char topic[] = "a/b", payload[] = "x\0y", type[] = "text/plain", answer[] = "r", data[] = "\1\2", name[] = "k",
         value[] = "v", seal[] = "seal";
    struct user_property users[] = { { name, value, 1, 1 }, { "", "", 0, 0 } };
    uint32_t ids[] = { 7, 268435455, 9 };
    struct source_message m = {
        .message = {
            .topic = topic, .topic_len = 3, .payload = payload, .payload_len = 3, .qos = 2, .retain = true, .dup = true,
            .over_mqtt = true, .content_type = type, .response_topic = answer, .correlation_data = data,
            .correlation_len = 2,
            .payload_format = PAYLOAD_FORMAT_UTF8, .user_properties = users, .user_property_count = 2, .client_id = "c",
            .principal = "p", .source_ip = "::1", .trace_id = "i", .arrival_ms = 5, .seed = 6, .hops = 7,
        },
        .filter_ids = ids,
        .filter_id_count = 3,
        .seal = seal,
        .seal_len = 4,
    };
    struct inbox_item *item = inbox_item_new(&m);
    assert_non_null(item);
    memset(topic, 'z', 3);
    memset(payload, 'z', 3);
    memset(type, 'z', 10);
    memset(users, 0, sizeof(users));
    memset(ids, 0, sizeof(ids));
    memset(seal, 0, sizeof(seal));
    data[0] = answer[0] = name[0] = value[0] = 'z';
    const struct message *c = &item->m.message;
    assert_memory_equal(c->topic, "a/b", 3);
    assert_memory_equal(c->payload, "x\0y", 3);
    assert_true(c->qos == 2 && c->retain && c->dup && c->over_mqtt && c->payload_format == PAYLOAD_FORMAT_UTF8);
    assert_string_equal(c->content_type, "text/plain");
    assert_string_equal(c->response_topic, "r");
    assert_memory_equal(c->correlation_data, "\1\2", 2);
    assert_int_equal(c->user_property_count, 2);
    assert_memory_equal(c->user_properties[0].name, "k", 1);
    assert_memory_equal(c->user_properties[0].value, "v", 1);
    assert_int_equal(c->user_properties[1].name_len, 0);
    assert_string_equal(c->client_id, "c");
    assert_string_equal(c->principal, "p");
    assert_string_equal(c->source_ip, "::1");
    assert_string_equal(c->trace_id, "i");
    assert_int_equal(item->m.seal_len, 4);
    assert_memory_equal(item->m.seal, "seal", 4);
    assert_true(c->arrival_ms == 5 && c->seed == 6 && c->hops == 7);
    assert_int_equal(item->m.filter_id_count, 3);
    assert_int_equal(item->m.filter_ids[0], 7);
    assert_int_equal(item->m.filter_ids[2], 9);
    free(item);
}

static struct inbox_item *small_item(const char *payload)
{
    struct source_message m = {
        .message = { .topic = "t", .topic_len = 1, .payload = payload, .payload_len = strlen(payload) }
    };
    struct inbox_item *item = inbox_item_new(&m);
    assert_non_null(item);
    return item;
}

static void what_is_absent_stays_absent(void **state)
{
    (void)state;
    struct inbox_item *item = small_item("");
    const struct message *c = &item->m.message;
    assert_true(c->payload && !c->content_type && !c->response_topic && !c->correlation_data);
    assert_true(!c->user_properties && !c->client_id && !c->principal && !c->source_ip && !c->trace_id);
    assert_true(!item->m.filter_ids && !item->m.seal);
    free(item);
}

static void first_in_first_out(void **state)
{
    (void)state;
    struct inbox in;
    inbox_init(&in, 10, 10000, SLACK_BYTES);
    assert_null(inbox_take(&in));
    for (int round = 0; round < 3; round++) {
        struct inbox_item *a = small_item("a"), *b = small_item("b");
        inbox_add(&in, a);
        inbox_add(&in, b);
        assert_int_equal(in.messages, 2);
        assert_int_equal(in.bytes, a->size + b->size);
        assert_ptr_equal(inbox_take(&in), a);
        assert_ptr_equal(inbox_take(&in), b);
        assert_null(inbox_take(&in));
        assert_int_equal(in.bytes, 0);
        free(a);
        free(b);
    }
    inbox_add(&in, small_item("left"));
    inbox_clear(&in);
    assert_int_equal(in.messages, 0);
}

static void bounds_are_on_messages_and_bytes(void **state)
{
    (void)state;
    struct inbox in;
    inbox_init(&in, 4, 100000, SLACK_BYTES);
    for (int i = 0; i < 4; i++) {
        assert_false(inbox_is_full(&in));
        inbox_add(&in, small_item("x"));
    }
    assert_true(inbox_is_full(&in));
    assert_false(inbox_is_half_empty(&in));
    assert_false(inbox_is_overfull(&in));
    free(inbox_take(&in));
    free(inbox_take(&in));
    assert_true(inbox_is_half_empty(&in));
    inbox_clear(&in);

    inbox_init(&in, 1000, sizeof(struct inbox_item) + 100, SLACK_BYTES);
    inbox_add(&in, small_item("x"));
    assert_false(inbox_is_full(&in));
    inbox_add(&in, small_item("x"));
    assert_true(inbox_is_full(&in));
    inbox_clear(&in);

    inbox_init(&in, 1, 100000000, SLACK_BYTES);
    for (size_t i = 0; i < INBOX_SLACK_MESSAGES; i++)
        inbox_add(&in, small_item("x"));
    assert_false(inbox_is_overfull(&in));
    inbox_add(&in, small_item("x"));
    assert_true(inbox_is_overfull(&in));
    inbox_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_holds_everything),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(bounds_are_on_messages_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
