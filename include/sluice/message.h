/* SPDX-License-Identifier: Apache-2.0 */
/* A message as it arrived: plain data, immutable while anyone reads it. All text is borrowed from its owner (the flow's
 * struct msg, a case runner, an evaluation from the command line). */
#ifndef SLUICE_MESSAGE_H
#define SLUICE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user_property {
    const char *name, *value; /* UTF-8, not NUL-terminated */
    size_t name_len, value_len;
};

enum payload_format { PAYLOAD_FORMAT_ABSENT = -1, PAYLOAD_FORMAT_BYTES = 0, PAYLOAD_FORMAT_UTF8 = 1 };

struct message {
    const char *topic;
    size_t topic_len;
    const char *payload;
    size_t payload_len;
    uint8_t qos;
    bool retain, dup;
    bool over_mqtt; /* false: clientid() is n/a, traceid() Undefined */

    /* MQTT 5 properties; NULL when absent */
    const char *content_type, *response_topic; /* NUL-terminated */
    const char *correlation_data;
    size_t correlation_len;
    enum payload_format payload_format;
    const struct user_property *user_properties; /* in message order, without the hidden ones */
    size_t user_property_count;

    /* Who published, as far as it is known; NULL otherwise. NUL-terminated. Without a trace_id traceid() draws one */
    const char *client_id, *principal, *source_ip, *trace_id;

    int64_t arrival_ms; /* since 1970-01-01 UTC: what timestamp() gives */
    uint64_t seed;      /* rand(), newuuid() and traceid() are drawn from it, so a second evaluation sees the same */
    unsigned hops;      /* how often a rule republished it already */
};

#endif
