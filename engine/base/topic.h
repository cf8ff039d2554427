/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT topic names and topic filters (MQTT 5 section 4.7), with the rule language's one deviation: `sensor/#` does not
 * match `sensor` itself. */
#ifndef SLUICE_BASE_TOPIC_H
#define SLUICE_BASE_TOPIC_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define TOPIC_MAX_BYTES  65535 /* MQTT's own bound */
#define TOPIC_MAX_LEVELS 200   /* Mosquitto's; it ends the connection of whoever goes beyond */

/* A usable topic name: 1 to 65,535 bytes of UTF-8, no wildcard, at most TOPIC_MAX_LEVELS, and none of the characters
 * for which a broker may end the connection (MQTT 5 section 1.5.4): control and non-characters. Says why not in e
 * (ERR_TEMPLATE). */
int topic_check(const char *topic, size_t len, struct err *e) MUST_CHECK;
/* A usable topic filter, within the same bounds: `+` is a whole level, `#` is the last whole level. Returns 0, or -1 with *bad set to the byte
 * offset of the offending character and *why to a constant sentence. */
int topic_filter_check(const char *filter, size_t len, size_t *bad, const char **why) MUST_CHECK;

/* Does the rule's filter match the topic (rule language's meaning)? A leading wildcard does not match `$…`. */
bool topic_filter_match(const char *filter, size_t filter_len, const char *topic, size_t topic_len);
/* Is there a topic that both filters match (MQTT's meaning)? */
bool topic_filter_overlap(const char *a, size_t a_len, const char *b, size_t b_len);
/* Does filter a match every topic that filter b matches (MQTT's meaning)? */
bool topic_filter_covers(const char *a, size_t a_len, const char *b, size_t b_len);

/* The n-th level, from 1; NULL when there are fewer. *len gets its length. */
const char *topic_level(const char *topic, size_t topic_len, size_t n, size_t *len);

/* Basic Ingest: for `$aws/rules/NAME/rest` sets *name and *rest (either length may be 0 when absent) and returns true. */
bool topic_basic_ingest(const char *topic, size_t len, const char **name, size_t *name_len, const char **rest,
                        size_t *rest_len);

#endif
