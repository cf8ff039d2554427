/* SPDX-License-Identifier: Apache-2.0 */
/* The two documents about a message that could not be delivered: what the error action gets (rule language, section
 * 7.2) and the line in the dead-letter store. Pure: message in, JSON out. */
#ifndef SLUICE_FLOW_DOCUMENT_H
#define SLUICE_FLOW_DOCUMENT_H

#include "engine/base/buf.h"
#include "sluice/action.h"
#include "sluice/message.h"

#include <stddef.h>
#include <stdint.h>

/* One failed action. */
struct failure {
    const char *action;   /* "RepublishAction" */
    const char *resource; /* what it wrote to: topic, table, path */
    size_t resource_len;
    const char *reason;
    enum act_batching batching; /* of the action */
};

/* {"ruleName","topic","cloudwatchTraceId","clientId","sourceIp"?,"base64OriginalPayload","failures":[…]}.
 *
 * If an action that sends batches is among the failed ones, the form is that of batches, with this message as its only
 * one: {"ruleName","topic","payloadsWithMetadata":[{"id":1,"cloudwatchTraceId",…}],"failures":[{"affectedIds":[1],…}]};
 * "topic" stands in the entry if its batches mix topics.
 *
 * Text that is not valid UTF-8 gets U+FFFD for each bad byte. */
void document_error(struct buf *out, const char *rule, const struct message *m, const struct failure *failures,
                    size_t count);

/* One line without its line end. The members that describe the message are those of case files and of the `replay`
 * source, so a dead-letter file can be replayed as it is:
 * {"time","rule","topic","qos","retain"?,"clientid"?,"principal"?,"sourceip"?,"traceid"?,"via"?,
 * "mqtt5"?,"payload_base64","failures":[…]}. now_ms: since 1970-01-01 UTC. */
void document_dead_letter(struct buf *out, int64_t now_ms, const char *rule, const struct message *m,
                          const struct failure *failures, size_t count);

/* The message's trace id: what traceid() gives. The message's own, or 36 characters drawn into room. */
const char *document_trace_id(const struct message *m, char room[37]);

#endif
