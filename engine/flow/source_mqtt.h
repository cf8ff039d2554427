/* SPDX-License-Identifier: Apache-2.0 */
/* The mqtt source: subscribes to a broker for the rules' filters, by our own transport (engine/mqtt/subscriber.h).
 *
 * A QoS 1 or 2 message is acknowledged to the broker when it is final. Kill the process at any instant: what was not
 * acknowledged comes again. Brokers behind ws:// and wss:// are the business of source_mqtt_ws.h. */
#ifndef SLUICE_FLOW_SOURCE_MQTT_H
#define SLUICE_FLOW_SOURCE_MQTT_H

#include "sluice/source.h"

extern const struct source_type source_mqtt;

#endif
