/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5 between paho's form and ours. Private to this folder. */
#ifndef SLUICE_MQTT_PROPS_H
#define SLUICE_MQTT_PROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <MQTTProperties.h>

#include "engine/base/arena.h"
#include "engine/mqtt/mqtt_client.h"
#include "sluice/source.h"

/* Fill in what the properties of an arrived PUBLISH say: texts, user properties without the hop count and the identity, hops, seal,
 * Subscription Identifiers. Texts are borrowed from props or copied into the arena. -1: memory. */
int mqtt_props_read(const MQTTProperties *props, struct source_message *m, struct arena *a) MUST_CHECK;

/* Append a publication's properties (paho copies them). -1: memory. */
int mqtt_props_write(const struct mqtt_publication *p, MQTTProperties *props) MUST_CHECK;

/* Append one property with a number, of the width that its identifier has. -1: memory. */
int mqtt_props_add_number(MQTTProperties *props, enum MQTTPropertyCodes id, uint32_t v) MUST_CHECK;
/* The number of a property, or `absent`. */
uint32_t mqtt_props_number(const MQTTProperties *props, enum MQTTPropertyCodes id, uint32_t absent);
/* The broker's own reason, "" if it gave none; cut to size, control characters made blanks. */
void mqtt_props_reason(const MQTTProperties *props, char *out, size_t size);

/* Bytes of a PUBLISH packet. props_len: of its properties without their length field; -1 with 3.1.1, which has none. */
uint64_t mqtt_publish_size(size_t topic_len, size_t payload_len, int qos, int props_len);

#endif
