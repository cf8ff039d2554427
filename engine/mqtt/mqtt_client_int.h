/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a client: mqtt_client.c makes and ends connections, mqtt_request.c subscribes and publishes on them. */
#ifndef SLUICE_MQTT_CLIENT_INT_H
#define SLUICE_MQTT_CLIENT_INT_H

#include <pthread.h>

#include <MQTTAsync.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/mqtt/mqtt_client.h"

#define MQTT_WHY_MAX      200
#define MQTT_CODE_REFUSED 0x80u /* reason codes from here on are refusals */

enum mqtt_link { LINK_NONE, LINK_CONNECTING, LINK_UP, LINK_DOWN };

/* What CONNACK said. */
struct mqtt_broker {
    bool session_present, takes_ids, takes_retain;
    uint32_t receive_max, packet_max, qos_max;
};

/* A request on its way: what paho calls back with. */
struct mqtt_request {
    struct mqtt_client *c;
    struct mqtt_answer *answer;
};

struct mqtt_client {
    const struct mqtt_conf *conf;
    enum mqtt_role role;
    char *client_id;
    struct mqtt_handler handler;
    MQTTAsync paho; /* of the present or last connection; written by the owner while no callback can come */

    /* The owner's */
    struct mqtt_request *requests;
    size_t request_room;
    struct buf topic;
    struct arena view; /* of paho's receive thread */
    int stop_fd;       /* -1: none */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    enum mqtt_link state;
    bool interrupted;
    size_t open, window; /* requests on their way, and how many may be */
    uint64_t answers;    /* ever; shows progress */
    bool lost;           /* a request of the running call will get no answer */
    bool ended_by_broker;
    int end_code; /* of the broker's DISCONNECT, -1: none */
    int connect_code;
    bool got_through; /* the failed connection was one, as far as TCP is concerned */
    char why[MQTT_WHY_MAX], tls_why[MQTT_WHY_MAX];
    struct mqtt_broker broker;
};

typedef bool mqtt_condition(const struct mqtt_client *c);

/* Wait until it holds. False: the connection is down, the client is interrupted, or no answer came for timeout_ms.
 * Locks: c->lock, given up while waiting. */
bool mqtt_client_wait(struct mqtt_client *c, mqtt_condition *holds, uint64_t timeout_ms);

/* End the connection if it stands; no callback comes any more. Thread: the owner. */
void mqtt_client_drop(struct mqtt_client *c);

static inline bool mqtt_client_is_v5(const struct mqtt_client *c)
{
    return c->conf->version == MQTT_V5;
}

struct mqtt_broker mqtt_client_broker(struct mqtt_client *c); /* a copy */

#endif
