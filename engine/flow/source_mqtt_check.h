/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice check` says about an mqtt source: settings that cancel a promise, with the arithmetic, and what its
 * filters become. For source_mqtt.c and source_mqtt_ws.c. */
#ifndef SLUICE_FLOW_SOURCE_MQTT_CHECK_H
#define SLUICE_FLOW_SOURCE_MQTT_CHECK_H

#include "engine/base/conf.h"
#include "engine/base/err.h"
#include "engine/mqtt/mqtt_conf.h"
#include "sluice/source.h"

/* map: the source's options, where the remarks point to. Adds warnings and notes only. */
void source_mqtt_check(const struct mqtt_conf *c, const struct conf *map, const struct source_filter *filters,
                       size_t count, struct errs *errs);

#endif
