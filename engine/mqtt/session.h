/* SPDX-License-Identifier: Apache-2.0 */
/* Session: a client's side of MQTT as a state machine, without I/O and without a clock of its own.
 *
 *     session_begin ──► CONNECT in `out`
 *     session_next  ◄── bytes that were read; one event at a time, so that the owner can stop at any message
 *     session_flush ──► acknowledgements that are due, in `out`
 *     session_tick  ──► PINGREQ in `out`, or the end when the server stays silent
 *
 *               CONNACK 0                     DISCONNECT, broken rule, silence
 *     BEGUN ───────────────► CONNECTED ───────────────────────────────────────► ENDED ──session_begin──► BEGUN
 *       └─ refused, something else than CONNACK, silence ─────────────────────────┘
 *
 * It subscribes and receives; it never publishes. The session at the server outlives connections, and with it the ack
 * window: see ack_window.h. After ENDED the owner writes what is left in `out` (a DISCONNECT with the reason) as far as
 * that goes at once, and closes.
 *
 * Thread: the owner's. Times are milliseconds of a clock that never goes back. */
#ifndef SLUICE_MQTT_SESSION_H
#define SLUICE_MQTT_SESSION_H

#include "engine/base/buf.h"
#include "engine/mqtt/arrivals.h"
#include "engine/mqtt/packet.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_REQUESTS 100u /* requests without an answer, at most */
#define SESSION_WHY_MAX  256

/* Texts are borrowed as long as the session lives. */
struct session_conf {
    unsigned level; /* PACKET_LEVEL_311 or _5 */
    struct packet_text client_id, user_name, password;
    bool has_user_name, has_password;
    bool clean_start;
    uint16_t keep_alive_s;     /* 0: none */
    uint32_t session_expiry_s; /* MQTT 5; UINT32_MAX: never */
    uint16_t receive_max;      /* MQTT 5: QoS 1 and 2 messages that the server may send without acknowledgement */
    size_t packet_max;         /* largest packet that we take, in bytes */
    uint16_t alias_max;        /* topic aliases that we allow */
    uint64_t connect_ms;       /* time for CONNACK */
    uint64_t answer_ms;        /* time for the next answer to a request, and for PINGRESP */
};

/* What the server said in CONNACK. */
struct session_server {
    bool present; /* it has kept the session */
    bool takes_ids, takes_shared, takes_wildcards;
    uint8_t qos_max;
    uint32_t packet_max, session_expiry_s;
    uint16_t keep_alive_s;
};

enum session_event {
    SESSION_MORE, /* the bytes hold no further whole packet; session->need says how many there must be (0: unknown) */
    SESSION_STARVED,   /* memory is short: give the same bytes again later */
    SESSION_CONNECTED, /* session->server is set */
    SESSION_MESSAGE,   /* session->message: valid until the next call, and borrows from the bytes */
    SESSION_ANSWER,    /* session->answer */
    SESSION_ENDED,     /* session->end, session_why */
};

/* A SUBSCRIBE or UNSUBSCRIBE of one filter. */
struct session_request {
    const char *filter; /* NUL-terminated */
    size_t tag;         /* comes back with the answer */
    bool unsubscribe;
    uint32_t id; /* Subscription Identifier, 0: none */
    uint8_t qos;
    enum packet_retain_handling retain_handling;
};

struct session_answer {
    size_t tag;
    uint8_t code;              /* reason code; from 0x80 on: refused. 3.1.1: 0 to 2, 0x80 */
    struct packet_text reason; /* the server's own words, empty if it gave none; borrows from the bytes */
};

enum session_end {
    SESSION_REFUSED,      /* CONNACK with a code */
    SESSION_DISCONNECTED, /* DISCONNECT of the server with a code */
    SESSION_BROKEN_RULE,  /* the server's; DISCONNECT with its code is in `out` */
    SESSION_SILENT,       /* the server did not answer in time */
};

struct session {
    const struct session_conf *conf;
    struct arrivals arrivals;
    struct buf out; /* to be written; the owner takes bytes from its front */
    struct session_server server;
    struct source_message message;
    struct session_answer answer;
    size_t need;
    uint64_t repeated; /* messages that came again and were recognised */
    enum session_end end;
    uint8_t end_code; /* reason code; with SESSION_REFUSED and 3.1.1 its return code */
    /* its own */
    enum { SESSION_STATE_NEW, SESSION_STATE_BEGUN, SESSION_STATE_CONNECTED, SESSION_STATE_ENDED } state;
    const char *fault;       /* SESSION_BROKEN_RULE: which */
    enum packet_type packet; /* in which packet */
    char reason[160];        /* the server's own words at the end */
    unsigned pings;          /* PINGREQ without an answer */
    uint64_t begun_ms, sent_ms, received_ms, ping_ms, answered_ms;
    size_t requests;
    struct {
        bool open, unsubscribe;
        size_t tag;
    } request[SESSION_REQUESTS]; /* of packet identifier index + 1 */
};

/* window: of this session; both are borrowed until session_clear. -1: memory. */
int session_init(struct session *s, const struct session_conf *conf, struct ack_window *window,
                 struct err *e) MUST_CHECK;
void session_clear(struct session *s);

/* A new connection stands: what was in `out` is dropped, CONNECT is there instead. */
void session_begin(struct session *s, uint64_t now_ms);
/* Look at what was read: *used bytes are done with, but those of a SESSION_MESSAGE and SESSION_ANSWER stay borrowed
 * until the next call. */
enum session_event session_next(struct session *s, const char *bytes, size_t len, size_t *used, uint64_t now_ms);

/* Append a request. -1: SESSION_REQUESTS are open (session_may_request), or the packet is larger than the server takes
 * (e is set). */
int session_request(struct session *s, const struct session_request *r, uint64_t now_ms, struct err *e) MUST_CHECK;
bool session_may_request(const struct session *s);

/* Append the acknowledgements that are due, so that `out` holds at most `most` bytes. To be called before writing. */
void session_flush(struct session *s, size_t most, uint64_t now_ms);
/* Do what is due at now_ms: SESSION_MORE, or SESSION_ENDED when the server has been silent for too long.
 *   reading  false: the owner does not read at present, so silence means nothing */
enum session_event session_tick(struct session *s, bool reading, uint64_t now_ms);
/* When session_tick is to be called at the latest. */
uint64_t session_deadline(const struct session *s);
/* Append DISCONNECT (code 0: the server keeps the session for its time); the owner then closes. */
void session_disconnect(struct session *s, uint8_t code);

/* Why it ended, for the log: "Session taken over (0x8E)". For a refusal see also mqtt_answer.h. */
void session_why(const struct session *s, char *out, size_t size);

#endif
