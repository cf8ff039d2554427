/* SPDX-License-Identifier: Apache-2.0 */
/* Ack window: the QoS 1 and 2 messages of one MQTT session that have arrived and are not done with, and the order in
 * which they are acknowledged.
 *
 *     PUBLISH ──receive──► OPEN ──settle (any thread)──► final ──acknowledge──► PUBACK: ACKED ──confirmed──► gone
 *                                                                          └──► PUBREC: RELEASE ──PUBREL──► gone
 *
 * Acknowledgements leave in the order in which the PUBLISH packets came on this connection ([MQTT-4.6.0-2],
 * [MQTT-4.6.0-3]): a message that is not final holds back those behind it.
 *
 * A window outlives connections. What comes again on a resumed session is recognised by its fingerprint, a keyed hash
 * of what was published, and not by its packet identifier alone: RabbitMQ numbers anew after a reconnect.
 *   - A message that we have not acknowledged is owed to us. A packet with DUP and its fingerprint takes its place,
 *     each at most once, so that the number of equal messages is right whichever copy is which.
 *   - A message that we have acknowledged comes again if the acknowledgement was lost. It is recognised by fingerprint
 *     and identifier, for a while: until an answer of the peer proves that it has read the acknowledgement.
 *   - A QoS 2 message is held by its identifier until PUBREL.
 * What is not recognised is handed over: rather twice than never.
 *
 * Threads: everything runs on the thread that owns the connection, but ack_window_settle, which takes no lock and may
 * run anywhere. */
#ifndef SLUICE_MQTT_ACK_WINDOW_H
#define SLUICE_MQTT_ACK_WINDOW_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ack_window;

/* A QoS 1 or 2 PUBLISH. */
struct ack_arrival {
    uint16_t id;
    uint8_t qos; /* 1 or 2 */
    bool dup;
    uint64_t fingerprint;
};

enum ack_verdict {
    ACK_NEW,    /* hand it over; settle its token when it is final */
    ACK_KNOWN,  /* came again: nothing to hand over, it will be acknowledged in its turn */
    ACK_IN_USE, /* its identifier belongs to another message of this connection: a protocol error of the peer */
    ACK_MEMORY, /* not taken */
};

/* receive_max: what we told the peer, 1 to 65,535. More than that is taken all the same (Mosquitto sends more after a reconnect, as
 * a broker and as a bridge); who wants a bound stops reading at ack_window_due.
 * serving: the peer is a client that publishes to us; what we have acknowledged is not recognised: a device that uses one
 * identifier for all its messages, with the same content, would lose some.
 * wake: called by ack_window_settle when the message that holds back all others becomes final; must not wait; NULL: nobody.
 * Returns owned, or NULL: memory. */
struct ack_window *ack_window_new(size_t receive_max, bool serving, void (*wake)(void *ctx), void *ctx) MUST_CHECK;
/* Only when no further settle can come: the tokens point into the window. */
void ack_window_free(struct ack_window *w);

/* A new connection. present: the peer has kept the session; otherwise what is under way is nobody's any more, and its
 * tokens are only taken back. */
void ack_window_begin(struct ack_window *w, bool present);

/* A PUBLISH came. *token is set with ACK_NEW; it is never 0. */
enum ack_verdict ack_window_receive(struct ack_window *w, const struct ack_arrival *a, uint64_t *token) MUST_CHECK;
/* The message that came last (ACK_NEW) could not be handed over before the connection ended: as if it had not come. */
void ack_window_withdraw(struct ack_window *w, uint64_t token);
/* PUBREL came: forget the identifier. False: it was not held. */
bool ack_window_release(struct ack_window *w, uint16_t id);

/* The message of this token is final. Once for each token. Thread: any. */
void ack_window_settle(uint64_t token);

/* Append PUBACK or PUBREC for all that are due and fit: `room` bytes of out at most. Returns how many. */
size_t ack_window_acknowledge(struct ack_window *w, unsigned level, struct buf *out, size_t room);
/* Before the thread sleeps: true if something is due already; else wake will be called when something is. */
bool ack_window_arm(struct ack_window *w);

/* The peer's answer that is awaited (PINGRESP) proves that it has read what was sent before the question: mark when
 * the question is asked, confirm when the answer is there. */
void ack_window_mark(struct ack_window *w);
void ack_window_confirm(struct ack_window *w);

/* Messages of this connection without PUBACK or PUBREC: they wait for us alone. */
size_t ack_window_due(const struct ack_window *w);
/* Messages of this connection that use up the peer's Receive Maximum: QoS 1 without PUBACK, QoS 2 without PUBCOMP. */
size_t ack_window_used(const struct ack_window *w);
/* Messages that are not final yet, those of former connections and sessions included. */
size_t ack_window_open(const struct ack_window *w);

#endif
