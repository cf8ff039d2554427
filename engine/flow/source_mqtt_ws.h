/* SPDX-License-Identifier: Apache-2.0 */
/* The mqtt source over WebSocket (ws://, wss://), by paho.mqtt.c.
 *
 * A message is acknowledged to the broker when it arrives, because paho does so, not when it is final. What has
 * arrived and is not final yet is lost if the process is killed; a stop hands it over first. */
#ifndef SLUICE_FLOW_SOURCE_MQTT_WS_H
#define SLUICE_FLOW_SOURCE_MQTT_WS_H

#include "sluice/source.h"

extern const struct source_type source_mqtt_ws;

#endif
