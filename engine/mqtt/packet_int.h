/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the codec: a reader over one packet's body, and what the packet_*.c files need of each other. */
#ifndef SLUICE_MQTT_PACKET_INT_H
#define SLUICE_MQTT_PACKET_INT_H

#include "engine/mqtt/packet.h"

/* Reads on from p. The first fault stays; after it everything reads as 0 or empty. */
struct packet_reader {
    const char *p, *end;
    struct packet_fault *fault;
    bool failed;
};

/* Where a property section stands: bits of the mask of allowed properties. A will is no packet, but has properties. */
#define PACKET_BIT(type) (1u << (type))
#define PACKET_BIT_WILL  (1u << 16)

/* Note the fault unless one is noted. */
void packet_fail(struct packet_reader *r, uint8_t code, const char *why);

static inline size_t packet_left(const struct packet_reader *r)
{
    return (size_t)(r->end - r->p);
}

static inline uint16_t packet_peek_u16(const char *p)
{
    return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

uint8_t packet_read_u8(struct packet_reader *r);
uint16_t packet_read_u16(struct packet_reader *r);
uint32_t packet_read_u32(struct packet_reader *r);
uint32_t packet_read_varint(struct packet_reader *r);
struct packet_text packet_read_bytes(struct packet_reader *r); /* binary data with its length */
struct packet_text packet_read_text(struct packet_reader *r);  /* UTF-8 text with its length, checked */
/* UTF-8 without U+0000 ([MQTT-1.5.4-1], [MQTT-1.5.4-2])? */
bool packet_text_is_valid(struct packet_text t);

/* The length of a Variable Byte Integer at p, its value in *v; 0: it is cut off, -1: it has no end within 4 bytes. */
int packet_varint(const char *p, size_t len, uint32_t *v);

/* Read the property section that comes next. where: PACKET_BIT of the packet, or PACKET_BIT_WILL. */
void packet_read_props(struct packet_reader *r, struct packet_props *props, unsigned where, enum packet_sender from);

void packet_read_connect(struct packet_reader *r, struct packet_connect *c, struct packet_props *props);

void packet_put_u16(struct buf *out, size_t v);
void packet_put_u32(struct buf *out, uint32_t v);
void packet_put_varint(struct buf *out, uint32_t v);
bool packet_put_bytes(struct buf *out, struct packet_text t); /* with its length; false: it is too long */
/* Put the length of what was appended since `at` (and of `more` bytes that will come) in front of it. */
bool packet_put_length(struct buf *out, size_t at, size_t more);
/* Append a property section with its length; false: something is too long. */
bool packet_put_props(struct buf *out, const struct packet_props *props, unsigned where);
bool packet_put_connect(struct buf *out, const struct packet_connect *c, const struct packet_props *props);

#endif
