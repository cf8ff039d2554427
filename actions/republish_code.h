/* SPDX-License-Identifier: Apache-2.0 */
/* What a reason code of MQTT 5 in a PUBACK means for delivery. */
#ifndef SLUICE_ACTIONS_REPUBLISH_CODE_H
#define SLUICE_ACTIONS_REPUBLISH_CODE_H

#include <stdint.h>

enum republish_verdict {
    REPUBLISH_DONE,
    REPUBLISH_LATER,         /* the broker may take the same message later */
    REPUBLISH_MISCONFIGURED, /* once somebody has changed the broker's permissions */
    REPUBLISH_REJECTED,      /* this message is at fault, or the broker keeps its reason to itself */
};

enum republish_verdict republish_verdict_of(uint8_t code);

#endif
