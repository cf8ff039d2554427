/* SPDX-License-Identifier: Apache-2.0 */
/* Who published, in a PUBLISH: hidden from the message, kept for the source, and part of what makes a message itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/mqtt/arrivals.h"
#include "engine/mqtt/identity_seal.h"

static struct ack_window *window;
static struct arrivals arrivals;
static struct buf properties;
static struct packet_fault fault;

static int set_up(void **state)
{
    struct err e = { 0 };
    (void)state;
    window = ack_window_new(10, false, NULL, NULL);
    buf_init(&properties, 1 << 20);
    if (!window || arrivals_init(&arrivals, window, 0, &e) < 0)
        return -1;
    arrivals_begin(&arrivals, PACKET_LEVEL_5, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arrivals_clear(&arrivals);
    ack_window_free(window);
    buf_clear(&properties);
    return 0;
}

static void put_user(const char *name, const char *value)
{
    struct packet_text n = { name, strlen(name) }, v = { value, strlen(value) };
    packet_put_user(&properties, n, v);
}

/* A PUBLISH with the properties that were put. */
static struct packet publish(uint16_t id, bool dup)
{
    struct packet p = { .type = PACKET_PUBLISH };
    p.publish.topic = PACKET_TEXT("a/b");
    p.publish.payload = PACKET_TEXT("{}");
    p.publish.qos = id > 0;
    p.publish.id = id;
    p.publish.dup = dup;
    p.props.present = PROP_BIT(PROP_USER);
    p.props.repeated = (struct packet_text) { properties.p, properties.len };
    return p;
}

static enum arrival arrive(uint16_t id, bool dup, struct source_message *m)
{
    struct packet p = publish(id, dup);
    return arrivals_publish(&arrivals, &p, m, &fault);
}

static enum arrival arrive_sealed(uint16_t id, bool dup, const char *seal, struct source_message *m)
{
    buf_reset(&properties);
    put_user(IDENTITY_PROPERTY, seal);
    return arrive(id, dup, m);
}

static void it_is_hidden_and_the_last_one_counts(void **state)
{
    struct source_message m;
    (void)state;
    put_user(IDENTITY_PROPERTY, "a client's own");
    put_user("k", "v");
    put_user(IDENTITY_PROPERTY, "the broker's");
    put_user("Sluice-Identity", "another name");
    assert_int_equal(arrive(0, false, &m), ARRIVAL_MESSAGE);
    assert_int_equal(m.message.user_property_count, 2);
    assert_memory_equal(m.message.user_properties[0].name, "k", 1);
    assert_memory_equal(m.message.user_properties[1].name, "Sluice-Identity", 15);
    assert_int_equal(m.seal_len, 12);
    assert_memory_equal(m.seal, "the broker's", 12);
    assert_int_equal(m.identity, IDENTITY_UNASKED);
    buf_reset(&properties);
    put_user("k", "v");
    assert_int_equal(arrive(0, false, &m), ARRIVAL_MESSAGE);
    assert_null(m.seal);
}

/* Two clients that publish the same are two publishers. */
static void messages_that_differ_in_it_alone_are_two(void **state)
{
    struct source_message first, second, again;
    (void)state;
    assert_int_equal(arrive_sealed(1, false, "one", &first), ARRIVAL_MESSAGE);
    assert_int_equal(arrive_sealed(2, false, "two", &second), ARRIVAL_MESSAGE);
    assert_null(second.message.user_properties);
    arrivals_begin(&arrivals, PACKET_LEVEL_5, true); /* the broker sends again, with other identifiers */
    assert_int_equal(arrive_sealed(7, true, "two", &again), ARRIVAL_KNOWN);
    assert_int_equal(arrive_sealed(8, true, "three", &again), ARRIVAL_MESSAGE);
    ack_window_settle(again.token);
    assert_int_equal(arrive_sealed(9, true, "one", &again), ARRIVAL_KNOWN);
    ack_window_settle(first.token);
    ack_window_settle(second.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_hidden_and_the_last_one_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_that_differ_in_it_alone_are_two, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
