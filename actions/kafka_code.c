/* SPDX-License-Identifier: Apache-2.0 */
/* Classification of Kafka's errors: a sorted table of librdkafka's names, so that only the producer needs the library.
 *
 * The question behind each row: would the same message go in if somebody waited, or repaired something? What is not
 * here passes by itself (leaders move, brokers start, disks are changed) and waits. Codes of transactions and of
 * consumers are left out. */
#include "actions/kafka_code.h"

#include <stdlib.h>
#include <string.h>

static const struct code_row {
    const char *name;
    enum kafka_verdict verdict;
} rows[] = {
    { "CLUSTER_AUTHORIZATION_FAILED", KAFKA_MISCONFIGURED }, /* no permission for idempotent writes */
    { "ILLEGAL_SASL_STATE", KAFKA_MISCONFIGURED },           /* a listener without SASL */
    { "INVALID_MSG", KAFKA_REJECTED }, /* fails the checksum; old brokers: no key where compaction needs one */
    { "INVALID_MSG_SIZE", KAFKA_REJECTED },
    { "INVALID_PRODUCER_EPOCH", KAFKA_ANEW },
    { "INVALID_PRODUCER_ID_MAPPING", KAFKA_ANEW },
    { "INVALID_RECORD", KAFKA_REJECTED }, /* no key where compaction needs one */
    { "INVALID_REQUIRED_ACKS", KAFKA_MISCONFIGURED },
    { "INVALID_TIMESTAMP", KAFKA_REJECTED },
    { "MSG_SIZE_TOO_LARGE", KAFKA_REJECTED },
    { "OUT_OF_ORDER_SEQUENCE_NUMBER", KAFKA_ANEW },
    { "POLICY_VIOLATION", KAFKA_REJECTED },
    { "PRODUCER_FENCED", KAFKA_ANEW },
    { "RECORD_LIST_TOO_LARGE", KAFKA_REJECTED }, /* larger than a segment of the log */
    { "SASL_AUTHENTICATION_FAILED", KAFKA_MISCONFIGURED },
    { "SECURITY_DISABLED", KAFKA_MISCONFIGURED },
    { "TOPIC_AUTHORIZATION_FAILED", KAFKA_NO_PLACE },
    { "TOPIC_EXCEPTION", KAFKA_NO_PLACE }, /* an invalid name, or a topic of the cluster itself */
    { "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", KAFKA_MISCONFIGURED },
    { "UNKNOWN_PRODUCER_ID", KAFKA_ANEW },
    { "UNKNOWN_TOPIC_OR_PART", KAFKA_NO_PLACE },
    { "UNSUPPORTED_COMPRESSION_TYPE", KAFKA_MISCONFIGURED },
    { "UNSUPPORTED_FOR_MESSAGE_FORMAT", KAFKA_MISCONFIGURED }, /* a header, on a topic of an old format */
    { "UNSUPPORTED_SASL_MECHANISM", KAFKA_MISCONFIGURED },
    { "UNSUPPORTED_VERSION", KAFKA_MISCONFIGURED },
    { "_AUTHENTICATION", KAFKA_MISCONFIGURED }, /* wrong user, password or mechanism */
    { "_BAD_MSG", KAFKA_REJECTED },
    { "_DESTROY", KAFKA_ANEW },
    { "_FATAL", KAFKA_ANEW }, /* of an idempotent producer: it takes nothing any more */
    { "_FENCED", KAFKA_ANEW },
    { "_INVALID_ARG", KAFKA_REJECTED },
    { "_KEY_SERIALIZATION", KAFKA_REJECTED },
    { "_SSL", KAFKA_MISCONFIGURED }, /* certificate, or a listener without TLS */
    { "_STATE", KAFKA_ANEW },
    { "_UNKNOWN_PARTITION", KAFKA_NO_PLACE },
    { "_UNKNOWN_TOPIC", KAFKA_NO_PLACE },
    { "_UNSUPPORTED_FEATURE", KAFKA_MISCONFIGURED }, /* an old broker */
    { "_VALUE_SERIALIZATION", KAFKA_REJECTED },
};

static int compare_row(const void *key, const void *row)
{
    return strcmp(key, ((const struct code_row *)row)->name);
}

enum kafka_verdict kafka_code_verdict(const char *name)
{
    const struct code_row *row = bsearch(name, rows, sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare_row);
    return row ? row->verdict : KAFKA_LATER;
}

/* A certificate that is refused has the code _SSL, unless the server's answer was there at the first step of the handshake already: then
 * librdkafka 2.0 reports it as any connection that could not be made, _TRANSPORT. */
enum kafka_verdict kafka_trouble_verdict(const char *name, const char *text)
{
    return strstr(text, "certificate verify failed") ? KAFKA_MISCONFIGURED : kafka_code_verdict(name);
}
