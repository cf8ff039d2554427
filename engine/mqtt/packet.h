/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT control packets, versions 3.1.1 and 5: bytes to structs and back, for both ends of a connection.
 *
 *     packet_frame ──► where does the first packet in the read buffer end?
 *         └─► packet_decode ──► struct packet, whose texts point into the read buffer
 *     packet_encode ──► bytes appended to a buffer
 *
 * Decoding checks all that the standards demand of a single packet: what needs to be known about the connection is
 * the session's (session.h). A packet that breaks a rule gets the reason code that MQTT 5 names for it, and a constant
 * sentence for the log; 3.1.1 knows no such codes, its connections just end. Nothing here allocates but the caller's
 * buffer, and nothing is kept: every function may run on any thread.
 *
 * Statements of the standards are named as there: [MQTT-3.3.1-4]. Where only the number of 3.1.1 fits, "3.1.1" stands
 * in front. Sources: OASIS "MQTT Version 5.0" (7 March 2019) and "MQTT Version 3.1.1" (29 October 2014). */
#ifndef SLUICE_MQTT_PACKET_H
#define SLUICE_MQTT_PACKET_H

#include "engine/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_LEVEL_311    4u /* the protocol level that CONNECT names */
#define PACKET_LEVEL_5      5u
#define PACKET_LENGTH_MAX   268435455u /* largest Remaining Length, and largest Variable Byte Integer */
#define PACKET_SIZE_MAX     (PACKET_LENGTH_MAX + 5u)
#define PACKET_TEXT_MAX     65535u
#define PACKET_REFUSED_FROM 0x80u /* reason codes from here on are refusals */

enum packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK,
    PACKET_PUBLISH,
    PACKET_PUBACK,
    PACKET_PUBREC,
    PACKET_PUBREL,
    PACKET_PUBCOMP,
    PACKET_SUBSCRIBE,
    PACKET_SUBACK,
    PACKET_UNSUBSCRIBE,
    PACKET_UNSUBACK,
    PACKET_PINGREQ,
    PACKET_PINGRESP,
    PACKET_DISCONNECT,
    PACKET_AUTH,
};

enum packet_sender { PACKET_FROM_CLIENT = 1, PACKET_FROM_SERVER = 2 };

/* Reason codes that are named somewhere in the code; packet_reason_name knows all of them. */
enum packet_reason {
    REASON_SUCCESS = 0x00,
    REASON_DISCONNECT_WITH_WILL = 0x04,
    REASON_UNSPECIFIED = 0x80,
    REASON_MALFORMED = 0x81,
    REASON_PROTOCOL = 0x82,
    REASON_IMPLEMENTATION = 0x83,
    REASON_VERSION = 0x84,
    REASON_CLIENT_ID = 0x85,
    REASON_BAD_PASSWORD = 0x86,
    REASON_NOT_AUTHORIZED = 0x87,
    REASON_UNAVAILABLE = 0x88,
    REASON_SHUTTING_DOWN = 0x8B,
    REASON_KEEP_ALIVE = 0x8D,
    REASON_TAKEN_OVER = 0x8E,
    REASON_FILTER = 0x8F,
    REASON_TOPIC = 0x90,
    REASON_ID_NOT_FOUND = 0x92,
    REASON_RECEIVE_MAX = 0x93,
    REASON_TOPIC_ALIAS = 0x94,
    REASON_TOO_LARGE = 0x95,
    REASON_QUOTA = 0x97,
};

enum packet_property {
    PROP_PAYLOAD_FORMAT = 0x01,
    PROP_MESSAGE_EXPIRY = 0x02,
    PROP_CONTENT_TYPE = 0x03,
    PROP_RESPONSE_TOPIC = 0x08,
    PROP_CORRELATION_DATA = 0x09,
    PROP_SUBSCRIPTION_ID = 0x0B,
    PROP_SESSION_EXPIRY = 0x11,
    PROP_ASSIGNED_CLIENT_ID = 0x12,
    PROP_SERVER_KEEP_ALIVE = 0x13,
    PROP_AUTH_METHOD = 0x15,
    PROP_AUTH_DATA = 0x16,
    PROP_REQUEST_PROBLEM_INFO = 0x17,
    PROP_WILL_DELAY = 0x18,
    PROP_REQUEST_RESPONSE_INFO = 0x19,
    PROP_RESPONSE_INFO = 0x1A,
    PROP_SERVER_REFERENCE = 0x1C,
    PROP_REASON_STRING = 0x1F,
    PROP_RECEIVE_MAX = 0x21,
    PROP_TOPIC_ALIAS_MAX = 0x22,
    PROP_TOPIC_ALIAS = 0x23,
    PROP_QOS_MAX = 0x24,
    PROP_RETAIN_AVAILABLE = 0x25,
    PROP_USER = 0x26,
    PROP_PACKET_MAX = 0x27,
    PROP_WILDCARD_AVAILABLE = 0x28,
    PROP_SUBSCRIPTION_ID_AVAILABLE = 0x29,
    PROP_SHARED_AVAILABLE = 0x2A,
};

#define PROP_BIT(id) (UINT64_C(1) << (id))

/* Text or bytes, not NUL-terminated. Decoded: they lie in the read buffer. */
struct packet_text {
    const char *p;
    size_t len;
};

#define PACKET_TEXT(literal) ((struct packet_text) { (literal), sizeof(literal) - 1 })

/* The properties of one packet, or of a will. A member holds something only if its bit is in `present`; the rest is
 * left as it was, so that a decoded PUBLISH without properties costs nothing. */
struct packet_props {
    uint64_t present; /* PROP_BIT of each */
    uint8_t payload_format, request_problem_info, request_response_info, qos_max;
    uint8_t retain_available, wildcard_available, subscription_id_available, shared_available;
    uint16_t server_keep_alive, receive_max, topic_alias_max, topic_alias;
    uint32_t message_expiry, session_expiry, will_delay, packet_max;
    uint32_t subscription_id; /* of a SUBSCRIBE; of a PUBLISH see below */
    struct packet_text content_type, response_topic, correlation_data, assigned_client_id, auth_method, auth_data;
    struct packet_text response_info, server_reference, reason_string;
    /* What may come more than once, as encoded; only if PROP_USER or (PUBLISH) PROP_SUBSCRIPTION_ID is present.
     * Walk it with packet_user_next and packet_subscription_id_next; decoding puts the whole section there. Encoding
     * writes those two kinds that it finds in it and overlooks others: build it with packet_put_user and
     * packet_put_subscription_id, or hand on what came. */
    struct packet_text repeated;
};

struct packet_will {
    uint8_t qos;
    bool retain;
    struct packet_text topic, payload;
    struct packet_props props;
};

struct packet_connect {
    uint8_t level;
    bool clean_start, has_will, has_user_name, has_password;
    uint16_t keep_alive_s;
    struct packet_text client_id, user_name, password;
    struct packet_will will; /* if has_will */
};

struct packet_connack {
    bool session_present;
    uint8_t code; /* reason code of MQTT 5; with 3.1.1 its return code, 0 to 5 */
};

struct packet_publish {
    bool dup, retain;
    uint8_t qos;
    uint16_t id; /* QoS 0: 0 */
    struct packet_text topic, payload;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP. 3.1.1: the code is always 0. */
struct packet_ack {
    uint16_t id;
    uint8_t code;
};

enum packet_retain_handling { RETAIN_SEND, RETAIN_SEND_IF_NEW, RETAIN_SEND_NOT };

/* One filter of a SUBSCRIBE; of an UNSUBSCRIBE the filter alone. 3.1.1 has the QoS only. */
struct packet_filter {
    struct packet_text filter;
    uint8_t qos;
    bool no_local, retain_as_published;
    uint8_t retain_handling; /* enum packet_retain_handling */
};

/* SUBSCRIBE and UNSUBSCRIBE. Encoding takes `filters`, decoding leaves it NULL and sets `encoded`. */
struct packet_request {
    uint16_t id;
    size_t count;
    const struct packet_filter *filters;
    struct packet_text encoded; /* walk it with packet_filter_next */
};

/* SUBACK, UNSUBACK: one reason code a filter. UNSUBACK of 3.1.1 has none. */
struct packet_answer {
    uint16_t id;
    struct packet_text codes;
};

struct packet {
    enum packet_type type;
    union {
        struct packet_connect connect;
        struct packet_connack connack;
        struct packet_publish publish;
        struct packet_ack ack;
        struct packet_request request;
        struct packet_answer answer;
        uint8_t code; /* DISCONNECT, AUTH */
    };
    struct packet_props props; /* 3.1.1: none present */
};

/* A broken rule. */
struct packet_fault {
    uint8_t code;    /* enum packet_reason, from 0x80 on */
    const char *why; /* a constant, without the packet's name */
};

enum packet_border { PACKET_PARTIAL, PACKET_WHOLE, PACKET_BAD };

/* The borders of one packet. */
struct packet_frame {
    uint8_t first; /* type and flags */
    uint8_t head;  /* bytes before the body: 2 to 5; 0 while that is not known */
    size_t size;   /* of the whole packet, head and body; 0 while that is not known */
    const char *body;
};

/* Find the end of the packet that begins at `bytes` (len >= 0).
 *   max    largest packet that is taken, in bytes: what we told the peer, or PACKET_SIZE_MAX
 * PACKET_WHOLE: *f is set and lies within len. PACKET_PARTIAL: more bytes are needed; f->size says how many it will
 * have as soon as that is known. PACKET_BAD: *fault says why (also before the whole packet is there). */
enum packet_border packet_frame(const char *bytes, size_t len, size_t max, struct packet_frame *f,
                                struct packet_fault *fault);

/* Decode and check one packet.
 *   level  PACKET_LEVEL_311 or _5, overlooked for CONNECT, which says its own
 *   from   who sent it: each end may send only some of the packets, properties and codes
 * Returns 0; p borrows the frame's bytes. Or -1: *fault is set, and of p only the type (CONNECT: and the level) is
 * valid. O(size of the packet). */
int packet_decode(struct packet *p, const struct packet_frame *f, unsigned level, enum packet_sender from,
                  struct packet_fault *fault) MUST_CHECK;

/* Walk the filters of a decoded SUBSCRIBE or UNSUBSCRIBE: *rest is its `encoded` at first. False at the end. */
bool packet_filter_next(enum packet_type type, struct packet_text *rest, struct packet_filter *f);
/* Walk decoded properties: *rest is `repeated` at first. False at the end. */
bool packet_user_next(struct packet_text *rest, struct packet_text *name, struct packet_text *value);
bool packet_subscription_id_next(struct packet_text *rest, uint32_t *id);

/* Append the packet. The caller keeps the rules that need sense (a filter's syntax, codes, UTF-8); what would not fit
 * the format is refused: texts over 65,535 bytes, a packet of more than max bytes. Then it returns -1 and out is as
 * long as before; or out->failed is set, since it is full. Properties that the packet may not carry are left out, with 3.1.1 all of them. */
int packet_encode(struct buf *out, const struct packet *p, unsigned level, size_t max) MUST_CHECK;
/* Append a PUBACK, PUBREC, PUBREL or PUBCOMP without properties; out->failed says if there was no room. */
void packet_put_ack(struct buf *out, enum packet_type type, unsigned level, uint16_t id, uint8_t code);
void packet_put_user(struct buf *out, struct packet_text name, struct packet_text value);
void packet_put_subscription_id(struct buf *out, uint32_t id);

/* A usable topic name or filter? 0, or -1 and *fault. An empty name is refused as well. level: shared subscriptions
 * exist in MQTT 5 only. */
int packet_topic_check(struct packet_text topic, struct packet_fault *fault) MUST_CHECK;
int packet_filter_check(struct packet_text filter, unsigned level, struct packet_fault *fault) MUST_CHECK;

/* "PUBLISH"; never NULL. */
const char *packet_type_name(enum packet_type type);
/* "Not authorized" for 0x87; never NULL. */
const char *packet_reason_name(uint8_t code);
/* May this packet carry this code? */
bool packet_reason_fits(uint8_t code, enum packet_type type, unsigned level, enum packet_sender from);

#endif
