/* SPDX-License-Identifier: Apache-2.0 */
/* Listener: MQTT clients connect to us and publish. It joins stream.h and served.h for many connections at once, and keeps their
 * sessions.
 *
 *     listener_open ──► listener_turn, again and again ──► listener_pause ──► listener_turn … ──► listener_free
 *                          messages come out of listener_turn, through the handler
 *
 * A session is known by its client id. It outlives its connection as long as the client asked for and the options allow, and
 * with it what is under way: what the client sends again after a reconnect is recognised. Sessions live in memory.
 *
 * An authorizer says which client may connect and publish what. A client that publishes what it may not is disconnected, as AWS IoT does; nothing of
 * the message is noted, so it is not acknowledged either.
 *
 * Threads: all of it runs on one thread, the owner, but listener_wake and listener_settle, which may run anywhere. */
#ifndef SLUICE_MQTT_LISTENER_H
#define SLUICE_MQTT_LISTENER_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/mqtt/listen_conf.h"
#include "sluice/authorizer.h"
#include "sluice/session_store.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener;

struct listener_handler {
    void *ctx;
    /* A message, with client id, principal and source address. Not taken (SINK_FULL): nothing more is read from this client until
     * it is. SINK_CLOSED: nothing more is handed over at all. The token is 0 for QoS 0 and for a will. */
    enum sink_answer (*message)(void *ctx, const struct source_message *m);
    /* Wait until a message may be taken again, at most that long. */
    void (*wait_room)(void *ctx, unsigned timeout_ms);
};

struct listener_counts {
    size_t connections, sessions;
    uint64_t refused; /* since the start: wrong password, too many, a broken rule */
};

struct listener_ports {
    struct client_store *store;    /* NULL: no session outlives the process */
    struct authorizer *authorizer; /* NULL: who is let in may do everything */
};

/* Reads the files for TLS and the passwords; binds. conf, clock and handler are borrowed, what ports names till listener_free.
 * Returns owned; NULL: ERR_IO (the address is taken, the store cannot be read), ERR_CONF_VALUE, ERR_MEMORY. */
struct listener *listener_open(const struct listen_conf *conf, const struct clock *clock,
                               const struct listener_handler *handler, const struct listener_ports *ports,
                               struct err *e) MUST_CHECK;
/* Says goodbye to all (MQTT 5: server shutting down) and closes. Only when no further settle can come. */
void listener_free(struct listener *l);

/* Accept, read, hand over, acknowledge, write; wait for more until then or until listener_wake. Returns after every wait. */
void listener_turn(struct listener *l, uint64_t until_ms);
/* From now on only acknowledge: nobody new is let in, and what comes is left where it is. */
void listener_pause(struct listener *l);

/* Let a waiting listener_turn return early, or the next one. Thread: any. */
void listener_wake(struct listener *l);
/* The message of this token (not 0) is final. Thread: any; takes no lock. */
void listener_settle(uint64_t token);
struct listener_counts listener_count(const struct listener *l);
/* QoS 1 and 2 messages that are not final. */
size_t listener_unsettled(const struct listener *l);

#endif
