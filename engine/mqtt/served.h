/* SPDX-License-Identifier: Apache-2.0 */
/* Served: the server's side of one MQTT connection as a state machine, without I/O and without a clock of its own. The counterpart
 * of session.h for clients that connect to us and publish; there is nothing to subscribe to.
 *
 *     served_next ◄── bytes that were read; one event at a time
 *        SERVED_CONNECT: the owner looks at `connect`, and answers by served_accept or served_refuse before it goes on
 *     served_flush ──► acknowledgements that are due, in `out`
 *     served_tick  ──► the end, when the client stays silent
 *
 *               CONNECT           accept               DISCONNECT, broken rule, silence, served_disconnect
 *     WAITING ────────────► ASKED ───────► CONNECTED ─────────────────────────────────────────────────────► ENDED
 *        └─ something else, silence ─ refuse ┴─────────────────────────────────────────────────────────────────┘
 *
 * What outlives the connection (the session: topic aliases excepted, the ack window) is the owner's `struct arrivals`.
 * After ENDED the owner writes what is left in `out` as far as that goes at once, and closes.
 *
 * Thread: the owner's. Times are milliseconds of a clock that never goes back. */
#ifndef SLUICE_MQTT_SERVED_H
#define SLUICE_MQTT_SERVED_H

#include "engine/base/buf.h"
#include "engine/mqtt/arrivals.h"
#include "engine/mqtt/packet.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct served_limits {
    uint16_t receive_max; /* QoS 1 and 2 messages that a client may send without acknowledgement */
    size_t packet_max;    /* bytes */
    uint16_t alias_max;   /* topic aliases that a client may set */
    uint64_t connect_ms;  /* time for CONNECT */
    uint16_t keep_alive_max_s;
    uint32_t session_expiry_max_s;
};

enum served_event {
    SERVED_MORE,    /* the bytes hold no further whole packet; served->need says how many there must be (0: unknown) */
    SERVED_STARVED, /* memory is short: give the same bytes again later */
    SERVED_CONNECT, /* served->connect and served->props: valid until the answer */
    SERVED_MESSAGE, /* served->message: valid until the next call, and borrows from the bytes */
    SERVED_ENDED,   /* served->why */
};

struct served {
    const struct served_limits *limits;
    unsigned level; /* of CONNECT; 0: it has not come */
    struct buf out; /* to be written; the owner takes bytes from its front */
    struct packet_connect connect;
    struct packet_props props;
    struct source_message message;
    size_t need;
    size_t packet_size;        /* of the packet of the last event; the last of the bytes that were used */
    const char *why;           /* how it ended, for the log */
    uint8_t end_code;          /* reason code of the end; 0: the client has said goodbye */
    uint32_t session_expiry_s; /* how long the client's session is to be kept after the connection */
    bool has_will;             /* the client's will is to be published: it ended without a goodbye */
    struct buf will_topic, will_payload;
    uint8_t will_qos;
    bool will_retain;
    /* its own */
    enum { SERVED_STATE_WAITING, SERVED_STATE_ASKED, SERVED_STATE_CONNECTED, SERVED_STATE_ENDED } state;
    struct arrivals *arrivals; /* of the session */
    uint16_t keep_alive_s;
    uint64_t begun_ms, received_ms;
};

/* limits: borrowed until served_clear. */
void served_init(struct served *s, const struct served_limits *limits, uint64_t now_ms);
/* Bytes of its buffers. */
size_t served_held(const struct served *s);
void served_clear(struct served *s);

/* Look at what was read: *used bytes are done with, but those of SERVED_CONNECT and SERVED_MESSAGE stay borrowed. */
enum served_event served_next(struct served *s, const char *bytes, size_t len, size_t *used, uint64_t now_ms);
/* The message of SERVED_MESSAGE was not taken: as if it had not come. Its packet is to be given again. */
void served_take_back(struct served *s);

/* Let the client in. arrivals: of its session, begun here; borrowed until the end. assigned: the client id that the client left
 * to us; NULL: it has its own. */
void served_accept(struct served *s, struct arrivals *arrivals, bool session_present, const char *assigned);
/* code: reason code of MQTT 5; 3.1.1 gets the return code that comes nearest. */
void served_refuse(struct served *s, uint8_t code, const char *why);

/* Append the acknowledgements that are due, so that `out` holds at most `most` bytes. */
void served_flush(struct served *s, size_t most);
/* SERVED_MORE, or SERVED_ENDED when the client has been silent for too long.
 *   reading  false: the owner does not read at present, so silence means nothing */
enum served_event served_tick(struct served *s, bool reading, uint64_t now_ms);
/* End it from this side: DISCONNECT with the code in `out` (MQTT 5). why: a constant. */
void served_disconnect(struct served *s, uint8_t code, const char *why);

#endif
