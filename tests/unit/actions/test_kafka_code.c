/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actions/kafka_code.h"

static const struct {
    const char *name;
    enum kafka_verdict verdict;
} cases[] = {
    { "MSG_SIZE_TOO_LARGE", KAFKA_REJECTED },
    { "INVALID_MSG", KAFKA_REJECTED },
    { "INVALID_MSG_SIZE", KAFKA_REJECTED },
    { "INVALID_RECORD", KAFKA_REJECTED },
    { "INVALID_TIMESTAMP", KAFKA_REJECTED },
    { "POLICY_VIOLATION", KAFKA_REJECTED },
    { "RECORD_LIST_TOO_LARGE", KAFKA_REJECTED },
    { "_BAD_MSG", KAFKA_REJECTED },
    { "UNKNOWN_TOPIC_OR_PART", KAFKA_NO_PLACE },
    { "_UNKNOWN_TOPIC", KAFKA_NO_PLACE },
    { "_UNKNOWN_PARTITION", KAFKA_NO_PLACE },
    { "TOPIC_EXCEPTION", KAFKA_NO_PLACE },
    { "TOPIC_AUTHORIZATION_FAILED", KAFKA_NO_PLACE },
    { "CLUSTER_AUTHORIZATION_FAILED", KAFKA_MISCONFIGURED },
    { "_AUTHENTICATION", KAFKA_MISCONFIGURED },
    { "_SSL", KAFKA_MISCONFIGURED },
    { "SASL_AUTHENTICATION_FAILED", KAFKA_MISCONFIGURED },
    { "UNSUPPORTED_SASL_MECHANISM", KAFKA_MISCONFIGURED },
    { "INVALID_REQUIRED_ACKS", KAFKA_MISCONFIGURED },
    { "UNSUPPORTED_COMPRESSION_TYPE", KAFKA_MISCONFIGURED },
    { "_FATAL", KAFKA_ANEW },
    { "OUT_OF_ORDER_SEQUENCE_NUMBER", KAFKA_ANEW },
    { "UNKNOWN_PRODUCER_ID", KAFKA_ANEW },
    { "INVALID_PRODUCER_EPOCH", KAFKA_ANEW },
    { "_FENCED", KAFKA_ANEW },
    { "NOT_LEADER_FOR_PARTITION", KAFKA_LATER },
    { "LEADER_NOT_AVAILABLE", KAFKA_LATER },
    { "NOT_ENOUGH_REPLICAS", KAFKA_LATER },
    { "NOT_ENOUGH_REPLICAS_AFTER_APPEND", KAFKA_LATER },
    { "REQUEST_TIMED_OUT", KAFKA_LATER },
    { "NETWORK_EXCEPTION", KAFKA_LATER },
    { "KAFKA_STORAGE_ERROR", KAFKA_LATER },
    { "THROTTLING_QUOTA_EXCEEDED", KAFKA_LATER },
    { "_TRANSPORT", KAFKA_LATER },
    { "_MSG_TIMED_OUT", KAFKA_LATER },
    { "_PURGE_QUEUE", KAFKA_LATER },
    { "_PURGE_INFLIGHT", KAFKA_LATER },
    { "_QUEUE_FULL", KAFKA_LATER },
    { "_ALL_BROKERS_DOWN", KAFKA_LATER },
    { "UNKNOWN", KAFKA_LATER },
    { "of a version to come", KAFKA_LATER },
    { "", KAFKA_LATER },
};

static void every_error_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (kafka_code_verdict(cases[i].name) != cases[i].verdict)
            fail_msg("%s: %d", cases[i].name, (int)kafka_code_verdict(cases[i].name));
    }
}

static void a_refused_certificate_is_no_lost_connection(void **state)
{
    (void)state;
    static const char verify[] =
        "ssl://127.0.0.1:9093/bootstrap: error:0A000086:SSL routines::certificate verify failed "
        "(after 7ms in state SSL_HANDSHAKE)";
    assert_int_equal(kafka_trouble_verdict("_TRANSPORT", verify), KAFKA_MISCONFIGURED);
    assert_int_equal(kafka_trouble_verdict("_SSL", verify), KAFKA_MISCONFIGURED);
    assert_int_equal(kafka_trouble_verdict("_TRANSPORT", "127.0.0.1:9092/1: Disconnected (after 7ms in state UP)"),
                     KAFKA_LATER);
    assert_int_equal(kafka_trouble_verdict("_AUTHENTICATION", "SASL authentication error"), KAFKA_MISCONFIGURED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_verdict),
        cmocka_unit_test(a_refused_certificate_is_no_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
