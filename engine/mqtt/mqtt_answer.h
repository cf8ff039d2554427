/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's answers in words: to requests, and to CONNECT. */
#ifndef SLUICE_MQTT_ANSWER_H
#define SLUICE_MQTT_ANSWER_H

#include "engine/base/err.h"
#include "engine/mqtt/packet.h"

#include <stdbool.h>
#include <stdint.h>

/* The broker's answer to one request. */
enum mqtt_outcome { MQTT_UNANSWERED, MQTT_ACCEPTED, MQTT_REFUSED };

#define MQTT_ANSWER_MAX 160

struct mqtt_answer {
    enum mqtt_outcome outcome;
    uint8_t code;               /* MQTT 5 reason code; from 0x80 on: refused */
    char text[MQTT_ANSWER_MAX]; /* refused: the name of the code, and the broker's own reason if it gave one */
};

/* reason: the broker's own, empty if it gave none. */
void mqtt_answer_set(struct mqtt_answer *a, uint8_t code, struct packet_text reason);

/* CONNACK refused: ERR_UNREACHABLE if the broker may take us later without anybody changing anything, else ERR_REFUSED.
 * code: of CONNACK in this version. reason: the broker's own, may be "". Returns -1. */
int mqtt_refusal(const char *url, bool v5, uint8_t code, const char *reason, struct err *e);

#endif
