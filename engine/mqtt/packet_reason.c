/* SPDX-License-Identifier: Apache-2.0 */
/* Reason codes of MQTT 5 (table 2-6, and the tables of each packet), names of packets. */
#include "engine/mqtt/packet_int.h"

#define IN(type) PACKET_BIT(PACKET_##type)
#define TAKEN    (IN(PUBACK) | IN(PUBREC))
#define RELEASED (IN(PUBREL) | IN(PUBCOMP))
#define ENDS     IN(DISCONNECT)
#define TAKES    (TAKEN | IN(SUBACK) | IN(UNSUBACK))

static const struct reason {
    uint8_t code;
    const char *name;
    unsigned by_server, by_client; /* packets that may carry it */
} reasons[] = {
    /* SUBACK: granted QoS 0. A server's DISCONNECT without a code means this one. */
    { 0x00, "Success", IN(CONNACK) | TAKEN | RELEASED | IN(SUBACK) | IN(UNSUBACK) | ENDS | IN(AUTH),
      TAKEN | RELEASED | ENDS },
    { 0x01, "Granted QoS 1", IN(SUBACK), 0 },
    { 0x02, "Granted QoS 2", IN(SUBACK), 0 },
    { 0x04, "Disconnect with Will Message", 0, ENDS },
    { 0x10, "No matching subscribers", TAKEN, 0 },
    { 0x11, "No subscription existed", IN(UNSUBACK), 0 },
    { 0x18, "Continue authentication", IN(AUTH), IN(AUTH) },
    { 0x19, "Re-authenticate", 0, IN(AUTH) },
    { 0x80, "Unspecified error", IN(CONNACK) | TAKES | ENDS, TAKEN | ENDS },
    { 0x81, "Malformed Packet", IN(CONNACK) | ENDS, ENDS },
    { 0x82, "Protocol Error", IN(CONNACK) | ENDS, ENDS },
    { 0x83, "Implementation specific error", IN(CONNACK) | TAKES | ENDS, TAKEN | ENDS },
    { 0x84, "Unsupported Protocol Version", IN(CONNACK), 0 },
    { 0x85, "Client Identifier not valid", IN(CONNACK), 0 },
    { 0x86, "Bad User Name or Password", IN(CONNACK), 0 },
    { 0x87, "Not authorized", IN(CONNACK) | TAKES | ENDS, TAKEN },
    { 0x88, "Server unavailable", IN(CONNACK), 0 },
    { 0x89, "Server busy", IN(CONNACK) | ENDS, 0 },
    { 0x8A, "Banned", IN(CONNACK), 0 },
    { 0x8B, "Server shutting down", ENDS, 0 },
    { 0x8C, "Bad authentication method", IN(CONNACK) | ENDS, 0 },
    { 0x8D, "Keep Alive timeout", ENDS, 0 },
    { 0x8E, "Session taken over", ENDS, 0 },
    { 0x8F, "Topic Filter invalid", IN(SUBACK) | IN(UNSUBACK) | ENDS, 0 },
    { 0x90, "Topic Name invalid", IN(CONNACK) | TAKEN | ENDS, TAKEN | ENDS },
    { 0x91, "Packet Identifier in use", TAKES, TAKEN },
    { 0x92, "Packet Identifier not found", RELEASED, RELEASED },
    { 0x93, "Receive Maximum exceeded", ENDS, ENDS },
    { 0x94, "Topic Alias invalid", ENDS, ENDS },
    { 0x95, "Packet too large", IN(CONNACK) | ENDS, ENDS },
    { 0x96, "Message rate too high", ENDS, ENDS },
    { 0x97, "Quota exceeded", IN(CONNACK) | TAKEN | IN(SUBACK) | ENDS, TAKEN | ENDS },
    { 0x98, "Administrative action", ENDS, ENDS },
    { 0x99, "Payload format invalid", IN(CONNACK) | TAKEN | ENDS, TAKEN | ENDS },
    { 0x9A, "Retain not supported", IN(CONNACK) | ENDS, 0 },
    { 0x9B, "QoS not supported", IN(CONNACK) | ENDS, 0 },
    { 0x9C, "Use another server", IN(CONNACK) | ENDS, 0 },
    { 0x9D, "Server moved", IN(CONNACK) | ENDS, 0 },
    { 0x9E, "Shared Subscriptions not supported", IN(SUBACK) | ENDS, 0 },
    { 0x9F, "Connection rate exceeded", IN(CONNACK) | ENDS, 0 },
    { 0xA0, "Maximum connect time", ENDS, 0 },
    { 0xA1, "Subscription Identifiers not supported", IN(SUBACK) | ENDS, 0 },
    { 0xA2, "Wildcard Subscriptions not supported", IN(SUBACK) | ENDS, 0 },
};

#define REASON_COUNT (sizeof(reasons) / sizeof(reasons[0]))

static const struct reason *find(uint8_t code)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (reasons[i].code == code)
            return &reasons[i];
    }
    return NULL;
}

const char *packet_reason_name(uint8_t code)
{
    const struct reason *r = find(code);
    return r ? r->name : "unknown reason code";
}

/* 3.1.1: return codes of CONNACK (table 3.1) and SUBACK ([MQTT-3.9.3-2]); nothing else has one. */
static bool fits_311(uint8_t code, enum packet_type type)
{
    if (type == PACKET_CONNACK)
        return code <= 5;
    return code == 0 || (type == PACKET_SUBACK && (code <= 2 || code == REASON_UNSPECIFIED));
}

bool packet_reason_fits(uint8_t code, enum packet_type type, unsigned level, enum packet_sender from)
{
    if (level != PACKET_LEVEL_5)
        return fits_311(code, type);
    const struct reason *r = find(code);
    return r && (from == PACKET_FROM_SERVER ? r->by_server : r->by_client) & PACKET_BIT(type);
}

const char *packet_type_name(enum packet_type type)
{
    static const char *const names[] = { "reserved packet", "CONNECT",  "CONNACK",     "PUBLISH",
                                         "PUBACK",          "PUBREC",   "PUBREL",      "PUBCOMP",
                                         "SUBSCRIBE",       "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                         "PINGREQ",         "PINGRESP", "DISCONNECT",  "AUTH" };
    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}
