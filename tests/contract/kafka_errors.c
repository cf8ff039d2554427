/* SPDX-License-Identifier: Apache-2.0 */
/* The kafka action against errors that no real server gives on demand: librdkafka's mock cluster speaks the protocol on
 * loopback and fails the requests that it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "actions/actions_int.h"
#include "engine/base/clock.h"
#include "tests/contract/kafka_topic.h"
#include "tests/contract/rig.h"

#define ITEMS_MAX     1000
#define ACTIONS_MAX   4
#define PRODUCE       0 /* numbers of requests */
#define INIT_PRODUCER 22
#define TARGET_YAML   "bootstrap.servers: \"%s\"\nconnectTimeout: 2s\nsendTimeout: %s\n%s"

static rd_kafka_t *host; /* of the mock cluster */
static rd_kafka_mock_cluster_t *cluster;

static struct rig_target target;
static struct rig_action actions[ACTIONS_MAX];
static size_t action_count;
static void *lane;
static struct act_item *items[ITEMS_MAX];
static size_t count;
static struct err e;
static int rc;
static uint64_t took_ms;
static struct kafka_topic *topic;

/* --- the system's clock, and what was added to it --- */

static uint64_t advanced_ms;
static int stop_fd = -1; /* becomes readable once the second item of a send is done */

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_now_ms(&clock_system) + (int64_t)advanced_ms;
}

static uint64_t monotonic_ms(void *ctx)
{
    (void)ctx;
    if (stop_fd >= 0 && count > 1 && items[1]->result == ACT_DONE)
        eventfd_write(stop_fd, 1);
    return clock_monotonic_ms(&clock_system) + advanced_ms;
}

static const struct clock test_clock = { .now_ms = now_ms, .monotonic_ms = monotonic_ms };

/* --- the system's resolver, unless it hangs --- */

static pthread_mutex_t resolver = PTHREAD_MUTEX_INITIALIZER; /* held by a test: it hangs */
static atomic_int hanging_count;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (strcmp(node, "hangs.example") == 0) {
        hanging_count++;
        pthread_mutex_lock(&resolver);
        pthread_mutex_unlock(&resolver);
        hanging_count--;
        return EAI_NONAME;
    }
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, found);
}

/* --- a cluster, a lane --- */

static int set_up(void **state)
{
    char why[512];
    (void)state;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    assert_non_null(host);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    assert_non_null(cluster);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "t", 1, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "u", 1, 1), 0);
    topic = kafka_topic_open(rd_kafka_mock_cluster_bootstraps(cluster), "t");
    return 0;
}

static void drop_items(void)
{
    for (size_t i = 0; i < count; i++)
        rig_item_free((struct rig_item *)items[i]);
    count = 0;
}

static int tear_down(void **state)
{
    (void)state;
    drop_items();
    act_kafka.lane_close(lane);
    lane = NULL;
    while (action_count > 0)
        rig_action_close(&actions[--action_count]);
    rig_target_close(&target);
    kafka_topic_close(topic);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

static void open_lane(void)
{
    struct err why = { 0 };
    lane = act_kafka.lane_open(target.target, &why);
    assert_non_null(lane);
}

static void open_target(const char *send_timeout, const char *more)
{
    char yaml[1000];
    struct errs errs = { 0 };
    snprintf(yaml, sizeof(yaml), TARGET_YAML, rd_kafka_mock_cluster_bootstraps(cluster), send_timeout, more);
    assert_true(rig_target_open(&target, &act_kafka, yaml, &test_clock, &errs));
    errs_clear(&errs);
    open_lane();
}

static void open_action(const char *yaml)
{
    struct errs errs = { 0 };
    bool opened = rig_action_open(&actions[action_count++], &target, yaml, &errs);
    if (!opened)
        print_error("%s\n", errs.items[0].text);
    assert_true(opened);
    errs_clear(&errs);
}

static void add(size_t action, int n, uint64_t key, const char *v)
{
    char body[64];
    const struct rig_var vars[] = { { "v", v }, { 0 } };
    snprintf(body, sizeof(body), "{\"n\":%d}", n);
    struct rig_item *it = rig_item_new(&actions[action], body, strlen(body), true, vars);
    it->item.key = key;
    items[count++] = &it->item;
}

static void add_many(int first, int last)
{
    for (int n = first; n <= last; n++)
        add(0, n, (uint64_t)n % 7 + 1, "t");
}

static void send_all(void)
{
    uint64_t start = clock_monotonic_ms(&clock_system);
    e = (struct err) { 0 };
    rc = act_kafka.send(lane, items, count, &e);
    took_ms = clock_monotonic_ms(&clock_system) - start;
    if (rc < 0) {
        act_kafka.lane_close(lane);
        open_lane();
    }
}

static void assert_result(size_t i, enum act_result result, const char *reason)
{
    if (items[i]->result != result || !strstr(items[i]->reason, reason))
        fail_msg("item %zu: %d \"%s\", not %d \"%s\"", i, (int)items[i]->result, items[i]->reason, (int)result, reason);
}

static void assert_all(enum act_result result, const char *reason)
{
    if (rc < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < count; i++)
        assert_result(i, result, reason);
}

/* Exactly these have arrived, in this order. */
static void assert_arrived(int first, int last)
{
    static int numbers[2 * ITEMS_MAX];
    size_t n = kafka_topic_read(topic, numbers, 2 * ITEMS_MAX);
    assert_int_equal(n, last - first + 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(numbers[i], first + (int)i);
}

/* 1 to last have arrived, some of them again, but none before an earlier one had. */
static void assert_arrived_in_order(int last)
{
    static int numbers[2 * ITEMS_MAX];
    int next = 1;
    size_t n = kafka_topic_read(topic, numbers, 2 * ITEMS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true(numbers[i] <= next);
        next += numbers[i] == next;
    }
    assert_int_equal(next, last + 1);
}

static void set_down(bool down)
{
    if (down)
        rd_kafka_mock_broker_set_down(cluster, 1);
    else
        rd_kafka_mock_broker_set_up(cluster, 1);
}

/* --- tests --- */

static void all_is_well(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t");
    add_many(1, 1000);
    send_all();
    assert_all(ACT_DONE, "");
    assert_arrived(1, 1000);
}

static void push(int request, rd_kafka_resp_err_t code, size_t times)
{
    for (size_t i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(cluster, (int16_t)request, 1, code);
}

/* Errors that pass are librdkafka's to try again, in order, with and without idempotence. */
static void passing_errors_pass(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    };
    open_target("20s", "retry.backoff.ms: 10");
    open_action("topic: t");
    open_action("topic: t\nclientProperties: { acks: \"1\" }");
    int n = 1;
    for (size_t action = 0; action < 2; action++) {
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
            drop_items();
            for (int k = 0; k < 20; k++)
                add(action, n++, 1, "t");
            push(PRODUCE, codes[i], 1);
            send_all();
            assert_all(ACT_DONE, "");
        }
    }
    assert_arrived(1, n - 1);
}

/* What refuses a message alone is final; in company it is not known whose fault it is. */
static void messages_are_rejected_alone(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG,      RD_KAFKA_RESP_ERR_INVALID_RECORD,
        RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,  RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    };
    open_target("10s", "");
    open_action("topic: t");
    int n = 1;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        drop_items();
        add(0, 0, 1, "t");
        push(PRODUCE, codes[i], 1);
        send_all();
        assert_all(ACT_REJECTED, rd_kafka_err2name(codes[i]));
        drop_items();
        for (int k = 0; k < 10; k++)
            add(0, n++, 1, "t");
        push(PRODUCE, codes[i], 2); /* all ten, then the first half */
        send_all();
        assert_all(ACT_DONE, "");
    }
    assert_arrived(1, n - 1);
}

static void the_bad_one_is_found(void **state)
{
    (void)state;
    static const size_t refusals[] = { 4,
                                       5 }; /* 8, 4, 2, 1: the first is bad; … then the second: of the pair and alone */
    open_target("10s", "");
    open_action("topic: t");
    int n = 1;
    for (size_t i = 0; i < 2; i++) {
        drop_items();
        add(0, 0, 1, "t");
        if (i == 1)
            add(0, 0, 1, "t");
        while (count < 8)
            add(0, n++, 1, "t");
        push(PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, refusals[i]);
        send_all();
        for (size_t k = 0; k < 8; k++)
            assert_result(k, k <= i ? ACT_REJECTED : ACT_DONE, k <= i ? "MSG_SIZE_TOO_LARGE" : "");
    }
    assert_arrived(1, n - 1);
}

static void no_permission_for_a_topic(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t");
    open_action("topic: '${v}'");
    for (size_t action = 0; action < 2; action++) {
        drop_items();
        add(action, 1, 1, "t");
        push(PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
        send_all();
        if (action == 0)
            assert_all(ACT_LATER, "misconfigured: TOPIC_AUTHORIZATION_FAILED");
        else
            assert_all(ACT_REJECTED, "TOPIC_AUTHORIZATION_FAILED");
    }
}

static void a_missing_topic(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: gone");
    open_action("topic: '${v}'");
    rd_kafka_mock_topic_set_error(cluster, "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    add(0, 1, 1, "");
    add(1, 2, 2, "gone");
    add(1, 1, 3, "t");
    send_all();
    assert_result(0, ACT_LATER, "misconfigured: topic \"gone\": UNKNOWN_TOPIC_OR_PART");
    assert_result(1, ACT_LATER, "topic \"gone\"");
    assert_result(2, ACT_DONE, "");
    advanced_ms += 2000;
    drop_items();
    add(0, 1, 1, "");
    add(1, 2, 2, "gone");
    send_all();
    assert_result(0, ACT_LATER, "misconfigured: topic \"gone\": UNKNOWN_TOPIC_OR_PART");
    assert_result(1, ACT_REJECTED, "topic \"gone\": UNKNOWN_TOPIC_OR_PART");
    rd_kafka_mock_topic_set_error(cluster, "gone", RD_KAFKA_RESP_ERR_NO_ERROR);
    send_all();
    assert_all(ACT_DONE, "");
    assert_arrived(1, 1);
}

static void a_partition_that_is_not_there(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t\npartition: '3'");
    open_action("topic: t\npartition: '${v}'");
    add(0, 0, 1, "");
    add(1, 0, 2, "1");
    add(1, 0, 3, "two");
    add(1, 0, 4, "-1");
    add(1, 0, 5, "");
    add(1, 1, 6, "0");
    send_all();
    assert_result(0, ACT_LATER, "misconfigured: topic \"t\" has 1 partitions, none with the number 3");
    assert_result(1, ACT_REJECTED, "none with the number 1");
    for (size_t i = 2; i < 5; i++)
        assert_result(i, ACT_REJECTED, "the partition must be a number");
    assert_result(5, ACT_DONE, "");
    assert_arrived(1, 1);
}

static void what_waits_holds_its_key(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t\npartition: '3'");
    open_action("topic: t");
    add(1, 1, 1, "");
    add(0, 0, 1, "");
    add(1, 0, 1, "");
    add(1, 2, 2, "");
    add(0, 0, 0, "");
    add(1, 3, 0, ""); /* no key: no order */
    send_all();
    assert_result(0, ACT_DONE, "");
    assert_result(1, ACT_LATER, "misconfigured");
    assert_result(2, ACT_LATER, "waits for an earlier message of its key");
    assert_result(3, ACT_DONE, "");
    assert_result(5, ACT_DONE, "");
    assert_arrived(1, 3);
}

/* A producer that may not be idempotent gives up for good; a new one is made for the next send. */
static void a_fatal_error(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t");
    open_action("topic: t\nclientProperties: { acks: \"1\" }");
    push(INIT_PRODUCER, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 1);
    add(0, 0, 1, "");
    add(1, 1, 2, "");
    send_all();
    assert_int_equal(rc, 0);
    assert_result(0, ACT_LATER, "misconfigured: CLUSTER_AUTHORIZATION_FAILED");
    assert_result(1, ACT_DONE, "");
    drop_items();
    add(0, 2, 1, "");
    send_all();
    assert_all(ACT_DONE, "");
    assert_arrived(1, 2);
}

static void all_servers_are_down(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t");
    add_many(1, 10);
    send_all();
    assert_all(ACT_DONE, "");
    set_down(true);
    for (int i = 0; i < 2; i++) {
        drop_items();
        add_many(11, 20);
        send_all();
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_UNREACHABLE);
        assert_true(strstr(e.text, "127.0.0.1") != NULL);
        assert_true(took_ms < 5000);
    }
    set_down(false);
    send_all();
    assert_all(ACT_DONE, "");
    assert_arrived(1, 20);
}

/* The server has the first ones, but the answer is late: they come again, and nothing passes them. */
static void a_server_that_is_slow(void **state)
{
    (void)state;
    open_target("300ms", "");
    open_action("topic: t");
    add_many(1, 10);
    send_all();
    assert_all(ACT_DONE, "");
    rd_kafka_mock_broker_set_rtt(cluster, 1, 1000);
    drop_items();
    add_many(11, 20);
    send_all();
    assert_all(ACT_LATER, "no answer from the servers in time");
    assert_true(took_ms >= 300 && took_ms < 300 + 2000);
    rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
    for (int tries = 0; tries < 20 && (tries == 0 || rc < 0 || items[0]->result != ACT_DONE); tries++)
        send_all();
    assert_all(ACT_DONE, "");
    assert_arrived_in_order(20);
}

/* Nobody leads the partition, so the round stays in librdkafka's queue: given back, it must not be sent after all. */
static void what_timed_out_does_not_arrive_later(void **state)
{
    (void)state;
    open_target("300ms", "");
    open_action("topic: t");
    add(0, 1, 1, "");
    send_all();
    assert_all(ACT_DONE, "");
    rd_kafka_mock_partition_set_leader(cluster, "t", 0, -1);
    push(PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 1);
    drop_items();
    add(0, 0, 1, "");
    send_all();
    assert_all(ACT_LATER, "");
    rd_kafka_mock_partition_set_leader(cluster, "t", 0, 1);
    drop_items();
    add(0, 2, 1, "");
    for (int tries = 0; tries < 100 && items[0]->result != ACT_DONE; tries++)
        send_all();
    assert_all(ACT_DONE, "");
    assert_arrived(1, 2);
}

static void *go_down_in_a_while(void *ctx)
{
    (void)ctx;
    rd_kafka_poll(host, 300);
    set_down(true);
    return NULL;
}

/* The end of all servers is noticed while a send waits for reports. */
static void the_servers_go_down_midway(void **state)
{
    (void)state;
    pthread_t thread;
    open_target("60s", "");
    open_action("topic: t");
    add(0, 1, 1, "");
    send_all();
    assert_all(ACT_DONE, "");
    rd_kafka_mock_broker_set_rtt(cluster, 1, 20000);
    assert_int_equal(pthread_create(&thread, NULL, go_down_in_a_while, NULL), 0);
    drop_items();
    add(0, 2, 1, "");
    send_all();
    pthread_join(thread, NULL);
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_true(took_ms < 10000);
    rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
    set_down(false);
    for (int tries = 0; tries < 100 && (rc < 0 || items[0]->result != ACT_DONE); tries++)
        send_all();
    assert_all(ACT_DONE, "");
    assert_arrived_in_order(2); /* the server had it, the answer was lost */
}

/* What has its report when a send is stopped keeps its result, the rest has none. */
static void a_stop_between_rounds(void **state)
{
    (void)state;
    open_target("60s", "batch.num.messages: 2");
    open_action("topic: t");
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(stop_fd >= 0);
    act_kafka.lane_stop_fd(lane, stop_fd);
    for (int n = 1; n <= 6; n++)
        add(0, n, 1, "t");
    send_all();
    close(stop_fd);
    stop_fd = -1;
    assert_int_equal(rc, -1);
    assert_string_equal(e.text, "stopped before the servers answered");
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i]->result, i < 2 ? ACT_DONE : ACT_PENDING);
    drop_items();
    for (int n = 3; n <= 6; n++)
        add(0, n, 1, "t");
    send_all();
    assert_all(ACT_DONE, "");
    assert_arrived_in_order(6); /* librdkafka may have sent a batch that was full already */
}

/* Neither a send nor the lane's end waits for the resolver. */
static void a_name_that_is_looked_up_for_long(void **state)
{
    (void)state;
    struct errs errs = { 0 };
    pthread_mutex_lock(&resolver);
    assert_true(rig_target_open(&target, &act_kafka, "bootstrap.servers: hangs.example:9092\nconnectTimeout: 500ms",
                                &test_clock, &errs));
    errs_clear(&errs);
    open_lane();
    open_action("topic: t");
    add(0, 1, 1, "");
    uint64_t start = clock_monotonic_ms(&clock_system);
    send_all();
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_true(hanging_count > 0);
    assert_true(clock_monotonic_ms(&clock_system) - start < 10000); /* send_all has closed the lane */
    pthread_mutex_unlock(&resolver);
    while (hanging_count > 0)
        usleep(1000);
}

/* One rule's wrong way to the servers is not the others' trouble. */
static void a_rule_with_its_own_security(void **state)
{
    (void)state;
    open_target("10s", "");
    open_action("topic: t\nclientProperties: { security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, "
                "sasl.plain.username: u, sasl.plain.password: secret-word }");
    open_action("topic: t");
    add(0, 0, 1, "");
    add(1, 1, 2, "");
    send_all();
    assert_int_equal(rc, 0);
    assert_int_equal(items[0]->result, ACT_LATER);
    assert_null(strstr(items[0]->reason, "secret-word"));
    assert_result(1, ACT_DONE, "");
    assert_arrived(1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_well),
        TEST(passing_errors_pass),
        TEST(messages_are_rejected_alone),
        TEST(the_bad_one_is_found),
        TEST(no_permission_for_a_topic),
        TEST(a_missing_topic),
        TEST(a_partition_that_is_not_there),
        TEST(what_waits_holds_its_key),
        TEST(a_fatal_error),
        TEST(all_servers_are_down),
        TEST(a_server_that_is_slow),
        TEST(what_timed_out_does_not_arrive_later),
        TEST(the_servers_go_down_midway),
        TEST(a_stop_between_rounds),
        TEST(a_name_that_is_looked_up_for_long),
        TEST(a_rule_with_its_own_security),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
