/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriber: one client connection of our own to a broker, over TCP or TLS, that subscribes and receives. It joins
 * stream.h, session.h and ack_window.h and does their waiting.
 *
 *     subscriber_connect ──► subscriber_request … ──► subscriber_turn, again and again ──► subscriber_disconnect
 *                               messages come out of subscriber_request and subscriber_turn, through the handler
 *
 * The session, with what is under way, outlives its connections: subscriber_connect begins the next one.
 *
 * Threads: all of it runs on one thread, the owner, and waits only as long as it says, but subscriber_wake and
 * subscriber_settle, which may run anywhere and never wait. */
#ifndef SLUICE_MQTT_SUBSCRIBER_H
#define SLUICE_MQTT_SUBSCRIBER_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/mqtt/mqtt_answer.h"
#include "engine/mqtt/mqtt_conf.h"
#include "engine/mqtt/session.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subscriber;

struct subscriber_handler {
    void *ctx;
    /* A message has come; called once for each, before it is offered: what the owner adds to it (who published) must stay until it
     * is taken or the next one comes. May be NULL. */
    void (*arrived)(void *ctx, struct source_message *m);
    /* A message. Not taken (SINK_FULL): nothing more is read until it is; acknowledgements and pings go on.
     * SINK_CLOSED: nothing more is handed over at all. The token is 0 for QoS 0. */
    enum sink_answer (*message)(void *ctx, const struct source_message *m);
    /* Messages may follow at once (on), or there are no more now (off). May be NULL. */
    void (*gather)(void *ctx, bool on);
    /* Wait until a message may be taken again, at most that long. */
    void (*wait_room)(void *ctx, unsigned timeout_ms);
};

struct subscriber_request {
    struct session_request request; /* the tag is the subscriber's own */
    struct mqtt_answer answer;
};

/* Reads the files for TLS; connects to nothing. conf, clock and handler are borrowed. Returns owned, or NULL. */
struct subscriber *subscriber_new(const struct mqtt_conf *conf, const struct clock *clock,
                                  const struct subscriber_handler *handler, struct err *e) MUST_CHECK;
/* Closes at once. Only when no further settle can come. */
void subscriber_free(struct subscriber *s);

/* Connect (ends a former connection); waits at most connectTimeout, or until subscriber_stop. -1: ERR_UNREACHABLE,
 * ERR_REFUSED, ERR_MEMORY. */
int subscriber_connect(struct subscriber *s, struct err *e) MUST_CHECK;
/* What the broker said at that; valid while connected. */
const struct session_server *subscriber_server(const struct subscriber *s);
bool subscriber_is_connected(const struct subscriber *s);

/* Send the requests, as many at once as may be, and wait for the answers; messages are handed over meanwhile. -1: the
 * connection is over, or nothing was answered for ackTimeout, which ends it; answers may be missing then. */
int subscriber_request(struct subscriber *s, struct subscriber_request *list, size_t count, struct err *e) MUST_CHECK;
/* Read, hand over, acknowledge, write; wait for more until then or until subscriber_wake. Returns after every wait.
 * -1: the connection is over, e says why. */
int subscriber_turn(struct subscriber *s, uint64_t until_ms, struct err *e) MUST_CHECK;
/* From now on only acknowledge: what comes is left where it is. */
void subscriber_pause(struct subscriber *s);
/* Send what is due and DISCONNECT, and wait until the broker has read it, a second at most. */
void subscriber_disconnect(struct subscriber *s);

/* The broker ended the last connection: by DISCONNECT, by closing it, or by silence. */
bool subscriber_was_ended_by_broker(const struct subscriber *s);

/* Let a waiting call return early, or the next one. Thread: any. */
void subscriber_wake(struct subscriber *s);
/* The same, and let subscriber_connect and subscriber_request fail from now on. Thread: any. */
void subscriber_stop(struct subscriber *s);
/* The message of this token (not 0) is final. Thread: any; takes no lock. */
void subscriber_settle(uint64_t token);
/* Messages that came again and were recognised, so that they were not handed over once more. */
uint64_t subscriber_repeated(const struct subscriber *s);
/* QoS 1 and 2 messages that are not final. */
size_t subscriber_open(const struct subscriber *s);

#endif
