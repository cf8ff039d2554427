/* SPDX-License-Identifier: Apache-2.0 */
/* Options of an MQTT connection: `{ mqtt: { url: …, … } }` in sluice.yaml, for a source and for a connection alike.
 *
 * There is one table for both, so that one map can serve both: a republish action without a connection of its own
 * uses the map of the first mqtt source, and each of the two overlooks what only concerns the other. */
#ifndef SLUICE_MQTT_CONF_H
#define SLUICE_MQTT_CONF_H

#include "engine/base/opt.h"

#include <stdbool.h>
#include <stdint.h>

enum mqtt_version { MQTT_V5, MQTT_V311 }; /* in the order of the option's choices */

/* What to do with messages that come only because we subscribed; in the order of the option's choices. */
enum mqtt_retained { MQTT_RETAINED_IGNORE, MQTT_RETAINED_EVALUATE };

struct mqtt_address {
    bool tls, websocket;
    char *host; /* name or address, without brackets */
    uint16_t port;
    char *uri; /* as the MQTT library wants it */
};

struct mqtt_conf {
    /* rows of mqtt_options */
    char *url, *client_id, *user_name, *password;
    char *ca_file, *cert_file, *key_file, *key_password;
    bool verify_host;
    int version; /* enum mqtt_version */
    int64_t keep_alive_ms, connect_timeout_ms, ack_timeout_ms;
    int64_t reconnect_min_ms, reconnect_max_ms;
    int64_t qos; /* of subscriptions */
    bool clean_start;
    int64_t session_expiry_ms, restart_budget_ms;
    bool basic_ingest;
    char *share;                                  /* group of a shared subscription, or NULL */
    int retained;                                 /* enum mqtt_retained */
    const struct conf *identity, *client_id_from; /* who published; borrowed, read by the source */
    int64_t receive_max, packet_max;
    int64_t pending_messages, pending_bytes;
    int64_t in_flight;
    /* made from them */
    struct mqtt_address address;
    struct span at; /* of the version if it is given, else of the map: for remarks on it */
};

#define MQTT_OPTION_COUNT 29
extern const struct opt mqtt_options[MQTT_OPTION_COUNT];

/* Read and check the options (map: may be NULL, then the url is missing). Files are checked to be readable, relative
 * paths are taken from the folder of the configuration file. Connects to nothing. -1 after adding to errs; clear in
 * either case. */
int mqtt_conf_read(struct mqtt_conf *c, const struct conf *map, struct errs *errs) MUST_CHECK;
void mqtt_conf_clear(struct mqtt_conf *c);

/* Take a url apart: mqtt://host[:port], mqtts://, tcp://, ssl://, ws://host[:port][/path], wss://. Returns owned parts
 * (mqtt_address_clear); -1 with the reason in e. */
int mqtt_address_parse(struct mqtt_address *a, const char *url, struct err *e) MUST_CHECK;
void mqtt_address_clear(struct mqtt_address *a);

#endif
