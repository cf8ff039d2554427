/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin asks of the broker, without its headers: the one door to Mosquitto's plugin API beside plugin.c. All of it is the broker's
 * thread's. */
#ifndef SLUICE_PLUGIN_BROKER_H
#define SLUICE_PLUGIN_BROKER_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct mosquitto;
struct mqtt5__property;

enum broker_log { BROKER_LOG_INFO, BROKER_LOG_NOTICE, BROKER_LOG_WARNING, BROKER_LOG_ERROR };

/* One line to the broker's log, with "sluice: " in front. */
void broker_log(enum broker_log level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Each line of a text by itself. */
void broker_log_lines(enum broker_log level, const char *text);
void broker_log_errs(const struct errs *errs);

/* QoS 1, not retained; topic ends in NUL. False: the broker would not take it. It is delivered in the next round of its loop. */
bool broker_publish(const char *topic, const char *payload, size_t len);

/* NULL: none. Borrowed, as long as the broker's callback runs. */
const char *broker_client_id(const struct mosquitto *client);
const char *broker_client_user_name(const struct mosquitto *client);
const char *broker_client_address(const struct mosquitto *client);
/* Its certificate in DER: owned (certificate_free) and *len; NULL: none. *failed: it has one that could not be read. */
unsigned char *broker_client_certificate(const struct mosquitto *client, size_t *len, bool *failed);
/* Has the client sent DISCONNECT? Mosquitto tells only by a function that is not of the plugin API; where that is missing: false. */
bool broker_client_said_goodbye(struct mosquitto *client);

/* Remove every user property of this name from a PUBLISH's list. -1: not enough memory, the list is as it was. */
int broker_properties_remove(struct mqtt5__property **list, const char *name) MUST_CHECK;
/* Append a user property; both are copied. */
int broker_properties_add(struct mqtt5__property **list, const char *name, const char *value) MUST_CHECK;

#endif
