/* SPDX-License-Identifier: Apache-2.0 */
/* Words for codes: MQTT 5 section 2.4, and 3.1.1 section 3.2.2.3 for CONNACK. */
#include "engine/mqtt/mqtt_answer.h"

#include <stdio.h>

void mqtt_answer_set(struct mqtt_answer *a, uint8_t code, struct packet_text reason)
{
    a->outcome = code >= PACKET_REFUSED_FROM ? MQTT_REFUSED : MQTT_ACCEPTED;
    a->code = code;
    a->text[0] = '\0';
    if (a->outcome == MQTT_REFUSED)
        snprintf(a->text, sizeof(a->text), "%s (0x%02X)%s%.*s", packet_reason_name(code), code, reason.len ? ": " : "",
                 (int)reason.len, reason.len ? reason.p : "");
}

/* Below 6 these are codes of 3.1.1: MQTT 5 has no refusals there. */
static const char *refusal_name(uint8_t code)
{
    static const char *const v3[] = { "Connection accepted", "Unacceptable protocol version", "Client id rejected",
                                      "Server unavailable",  "Bad user name or password",     "Not authorized" };
    return code < sizeof(v3) / sizeof(v3[0]) ? v3[code] : packet_reason_name(code);
}

/* Server unavailable or busy, quota and rate exceeded, use another server. */
static bool is_passing(uint8_t code)
{
    return code == 3 || code == 0x88 || code == 0x89 || code == 0x97 || code == 0x9C || code == 0x9F;
}

int mqtt_refusal(const char *url, bool v5, uint8_t code, const char *reason, struct err *e)
{
    err_set(e, is_passing(code) ? ERR_UNREACHABLE : ERR_REFUSED, "broker %s refused the connection: %s%s%s", url,
            refusal_name(code), reason[0] ? ": " : "", reason);
    if (code == 1 || code == REASON_VERSION)
        err_hint(e, "Try the option version: \"%s\".", v5 ? "3.1.1" : "5");
    return -1;
}
