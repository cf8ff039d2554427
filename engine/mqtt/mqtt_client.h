/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to an MQTT broker, by paho.mqtt.c: the subscriber of the mqtt source, or the publisher of republish.
 *
 * A client belongs to one thread, its owner, which calls everything that is not marked otherwise; these calls wait,
 * but not beyond the time-outs of the configuration. What arrives comes by a handler on paho's receive thread. paho
 * has one such thread in a process and hands all acknowledgements through it, those of publishers too: a handler
 * that waited for anything would stop them all.
 *
 * paho acknowledges a message as soon as the handler has returned. */
#ifndef SLUICE_MQTT_CLIENT_H
#define SLUICE_MQTT_CLIENT_H

#include "engine/base/err.h"
#include "engine/mqtt/mqtt_answer.h"
#include "engine/mqtt/mqtt_conf.h"
#include "sluice/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mqtt_client;
struct source_message;

enum mqtt_role {
    MQTT_SUBSCRIBER, /* session as configured */
    MQTT_PUBLISHER,  /* no session outlives the connection */
};

struct mqtt_handler {
    void *ctx;
    /* A message arrived. Valid during the call; the token is not set. False: memory is short, it is handed over
     * again later. NULL for publishers. Thread: paho's. Must not wait. */
    bool (*arrived)(void *ctx, const struct source_message *m);
    /* A connection that mqtt_client_connect made is gone, whoever ended it. May be NULL. Thread: paho's, or the
     * owner's. Must not wait. */
    void (*disconnected)(void *ctx);
};

struct mqtt_subscription {
    const char *filter;
    uint32_t id; /* Subscription Identifier, 0: none */
    struct mqtt_answer answer;
};

struct mqtt_text {
    const char *p; /* NULL: absent; not NUL-terminated */
    size_t len;
};

/* A message to publish. Texts are UTF-8 without NUL, of 65,535 bytes at most; the topic is a valid topic name. */
struct mqtt_publication {
    struct mqtt_text topic, payload;
    uint8_t qos; /* 0 or 1 */
    bool retain;
    /* MQTT 5 only: overlooked with 3.1.1 */
    enum payload_format format;
    struct mqtt_text content_type, response_topic, correlation;
    bool expires;
    uint32_t expiry_s;
    const struct user_property *user_properties;
    size_t user_property_count;
    unsigned hops; /* user property MQTT_HOPS_NAME; 0: none */
    struct mqtt_answer answer;
};

/* Makes no connection. conf is borrowed for as long as the client lives, the rest is copied. Returns owned, or NULL. */
struct mqtt_client *mqtt_client_new(const struct mqtt_conf *conf, enum mqtt_role role, const char *client_id,
                                    const struct mqtt_handler *handler, struct err *e) MUST_CHECK;
void mqtt_client_free(struct mqtt_client *c); /* disconnects; no handler is called afterwards */

/* Connect (ends a former connection). Waits at most connectTimeout. -1: ERR_UNREACHABLE, ERR_REFUSED, ERR_MEMORY. */
int mqtt_client_connect(struct mqtt_client *c, struct err *e) MUST_CHECK;
/* End the connection and wait until it is ended; what arrived until then was handed over. */
void mqtt_client_disconnect(struct mqtt_client *c);
/* Ask for the end of the connection without waiting. Thread: owner or handler. */
void mqtt_client_hang_up(struct mqtt_client *c);
/* Let the running call and all further ones return early (-1). Thread: any. */
void mqtt_client_interrupt(struct mqtt_client *c);

/* A descriptor that interrupts as well when it becomes readable; -1: none. Thread: the owner. */
void mqtt_client_stop_on(struct mqtt_client *c, int fd);

bool mqtt_client_is_connected(struct mqtt_client *c);    /* Thread: any. */
bool mqtt_client_session_present(struct mqtt_client *c); /* the broker still had the session when we connected */
bool mqtt_client_takes_ids(struct mqtt_client *c);       /* the broker takes Subscription Identifiers */
/* The reason code of the DISCONNECT by which the broker ended the last connection (MQTT 5), -1: it sent none. */
int mqtt_client_end_code(struct mqtt_client *c);
bool mqtt_client_was_ended_by_broker(
    struct mqtt_client *c); /* the last connection: closed by the broker, or it went silent */
/* Why the last connection ended, or "" while it stands. */
void mqtt_client_why(struct mqtt_client *c, char *out, size_t size);

/* One SUBSCRIBE per filter, pipelined, each with its identifier; with MQTT 5 retained messages come only for filters
 * that the session did not have. Sets the answers. -1: the connection broke or acknowledged nothing for ackTimeout;
 * it is closed then. */
int mqtt_client_subscribe(struct mqtt_client *c, struct mqtt_subscription *list, size_t count,
                          struct err *e) MUST_CHECK;
int mqtt_client_unsubscribe(struct mqtt_client *c, const char *const *filters, size_t count, struct err *e) MUST_CHECK;

/* Publish in order. Sets the answers: QoS 1 by the broker's acknowledgement, QoS 0 when the message has left; what
 * the broker announced that it does not take (size, retain, QoS) is refused at once. -1: as above, and answers may
 * be missing. */
int mqtt_client_publish(struct mqtt_client *c, struct mqtt_publication *list, size_t count, struct err *e) MUST_CHECK;

#endif
