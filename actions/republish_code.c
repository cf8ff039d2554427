/* SPDX-License-Identifier: Apache-2.0 */
/* Reason codes of PUBACK (MQTT 5 section 3.4.2.1) and of DISCONNECT (section 3.14.2.1).
 *
 * A refusal without a reason (0x80, 0x83, codes of later versions) is final: the broker has seen this message and
 * did not want it. Trying again would block what comes behind it for ever; rejected, it goes to the error action or
 * the dead letters and nothing is lost. */
#include "actions/republish_code.h"

#include <stddef.h>

#define FIRST_REFUSAL 0x80

static const struct {
    uint8_t code;
    enum republish_verdict verdict;
} verdicts[] = {
    { 0x80, REPUBLISH_REJECTED },      /* unspecified error */
    { 0x83, REPUBLISH_REJECTED },      /* implementation specific error */
    { 0x87, REPUBLISH_MISCONFIGURED }, /* not authorized */
    { 0x88, REPUBLISH_LATER },         /* server unavailable */
    { 0x89, REPUBLISH_LATER },         /* server busy */
    { 0x8B, REPUBLISH_LATER },         /* server shutting down */
    { 0x8D, REPUBLISH_LATER },         /* keep alive timeout */
    { 0x8E, REPUBLISH_LATER },         /* session taken over */
    { 0x90, REPUBLISH_REJECTED },      /* topic name invalid */
    { 0x91, REPUBLISH_LATER },         /* packet identifier in use */
    { 0x93, REPUBLISH_LATER },         /* receive maximum exceeded */
    { 0x95, REPUBLISH_REJECTED },      /* packet too large */
    { 0x96, REPUBLISH_LATER },         /* message rate too high */
    { 0x97, REPUBLISH_LATER },         /* quota exceeded */
    { 0x98, REPUBLISH_LATER },         /* administrative action */
    { 0x99, REPUBLISH_REJECTED },      /* payload format invalid */
    { 0x9A, REPUBLISH_REJECTED },      /* retain not supported */
    { 0x9B, REPUBLISH_REJECTED },      /* QoS not supported */
    { 0x9C, REPUBLISH_LATER },         /* use another server */
    { 0x9D, REPUBLISH_LATER },         /* server moved */
    { 0x9F, REPUBLISH_LATER },         /* connection rate exceeded */
    { 0xA0, REPUBLISH_LATER },         /* maximum connect time */
};

enum republish_verdict republish_verdict_of(uint8_t code)
{
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        if (verdicts[i].code == code)
            return verdicts[i].verdict;
    }
    return code < FIRST_REFUSAL ? REPUBLISH_DONE : REPUBLISH_REJECTED;
}
