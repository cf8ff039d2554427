/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a broker that costs as little as one can: whole packets over a socket, 64 KiB at a read. What the bench's own load
 * and the bare subscriber speak; not a client library: it knows CONNECT, SUBSCRIBE, PUBLISH and PUBACK, and never connects again.
 *
 * Single-threaded: one owner. */
#ifndef SLUICE_BENCH_BROKER_LINK_H
#define SLUICE_BENCH_BROKER_LINK_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define BROKER_READ_MAX ((size_t)64 << 10)

enum packet_type { PACKET_CONNACK = 2, PACKET_PUBLISH = 3, PACKET_PUBACK = 4, PACKET_SUBACK = 9, PACKET_PINGRESP = 13 };

struct broker_link {
    int fd;                   /* -1: closed */
    char in[BROKER_READ_MAX]; /* read and not taken yet: [at, len) */
    size_t at, len;
};

struct broker_packet {
    enum packet_type type;
    unsigned flags;
    const uint8_t *body; /* in the link's buffer, until the next packet is asked for */
    size_t len;
};

/* Connect and wait for CONNACK. version: 4 is MQTT 3.1.1, 5 is MQTT 5, then receive_max may be given (0: the protocol's). A clean session.
 * ERR_UNREACHABLE, ERR_REFUSED. */
int broker_link_open(struct broker_link *l, const char *host, uint16_t port, const char *client_id, uint8_t version,
                     uint16_t receive_max, struct err *e) MUST_CHECK;
void broker_link_close(struct broker_link *l); /* says goodbye to the broker; a closed one is left alone */

/* Subscribe to one filter and wait for SUBACK. */
int broker_link_subscribe(struct broker_link *l, const char *filter, unsigned qos, uint8_t version,
                          struct err *e) MUST_CHECK;
/* Ask for a PINGRESP: a broker answers in order, so all that was written before has arrived. */
int broker_link_ping(struct broker_link *l, struct err *e) MUST_CHECK;

/* Write all of it. */
int broker_link_write(struct broker_link *l, const void *p, size_t len, struct err *e) MUST_CHECK;
/* The next packet; waits at most timeout_ms (0: not at all) for bytes. 1: there is one, 0: none in time, -1: the connection is gone
 * (ERR_UNREACHABLE) or a packet is larger than BROKER_READ_MAX (ERR_LIMIT). */
int broker_link_next(struct broker_link *l, int timeout_ms, struct broker_packet *p, struct err *e) MUST_CHECK;
#define BROKER_LENGTH_MAX 4
/* Write the length of a packet's rest, below 2^28; returns how many bytes it takes. */
size_t broker_put_length(char *at, size_t len);

/* Of a PUBLISH with QoS 1 or 2. -1: it is cut short. */
int broker_packet_id(const struct broker_packet *p, uint16_t *id) MUST_CHECK;
static inline unsigned broker_packet_qos(const struct broker_packet *p)
{
    return (p->flags >> 1) & 3;
}

#endif
