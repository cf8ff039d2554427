/* SPDX-License-Identifier: Apache-2.0 */
/* Hop count: a user property of our own that counts how often a message was republished, so that loops end. It is
 * hidden from rules. Anybody may send one: it can only make a message end sooner. */
#ifndef SLUICE_MQTT_HOPS_H
#define SLUICE_MQTT_HOPS_H

#include <stdbool.h>
#include <stddef.h>

#define MQTT_HOPS_NAME   "sluice-hops"
#define MQTT_HOPS_DIGITS 9u

/* Is this user property a hop count? Then *hops is raised to it. One whose value is not a plain number of up to nine
 * digits is not ours. */
bool mqtt_hops_read(const char *name, size_t name_len, const char *value, size_t value_len, unsigned *hops);

#endif
