/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON: the members by which case files, the `replay` source and dead letters describe one.
 *
 *     {"topic":"plant/7/telemetry","payload":{"t":21.5},"qos":1,"clientid":"gw-7",
 *      "mqtt5":{"content_type":"application/json","user_properties":[["k","v"]]}}
 *
 *     topic                                 text
 *     payload | payload_text | payload_base64   any JSON value (its compact text), text, or bytes; absent: {}
 *     qos (0 to 2), retain, dup             default 0, false, false
 *     clientid, principal, sourceip, traceid   text
 *     via                                   "mqtt" (default) or "http"
 *     now                                   arrival in milliseconds since 1970-01-01 UTC
 *     mqtt5                                 content_type, response_topic, correlation_data_base64,
 *                                           payload_format_indicator (0, 1), user_properties (list of [name, value])
 *
 * Other members are left alone: they are the case's or the dead letter's. A member that is null counts as absent. */
#ifndef SLUICE_FLOW_MESSAGE_JSON_H
#define SLUICE_FLOW_MESSAGE_JSON_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "sluice/message.h"

#include <stdint.h>

/* Read the object at node i. Everything is in the arena or the doc's text. topic stays NULL when absent. -1: a member
 * has the wrong type or value, or the arena is full. */
int message_json_read(const struct json_doc *doc, uint32_t i, struct arena *a, struct message *m,
                      struct err *e) MUST_CHECK;

#endif
