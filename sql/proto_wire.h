/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of Protocol Buffers: a message as a row of records (https://protobuf.dev/programming-guides/encoding/).
 *
 *     record   tag  payload            tag   varint: field number << 3 | wire type
 *     varint   7 bits a byte, lowest first; the highest bit says that another byte follows; at most 10 bytes
 *
 *     wire type  payload
 *     0 VARINT   a varint
 *     1 FIXED64  8 bytes, lowest first
 *     2 BYTES    a varint that gives the length, and as many bytes
 *     3 GROUP    records up to an END of the same number
 *     4 END      none
 *     5 FIXED32  4 bytes, lowest first
 *
 * Plain reading: no memory, no state but the reader's. Internal to sql/. */
#ifndef SLUICE_SQL_PROTO_WIRE_H
#define SLUICE_SQL_PROTO_WIRE_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proto_wire { PROTO_VARINT, PROTO_FIXED64, PROTO_BYTES, PROTO_GROUP, PROTO_END, PROTO_FIXED32 };

#define PROTO_MAX_NUMBER 536870911 /* of a field: 29 bits */
#define PROTO_MAX_DEPTH  100       /* levels below the outermost message; what the official libraries allow */

struct proto_reader {
    const unsigned char *begin; /* of the whole text, for offsets */
    const unsigned char *p, *end;
    const char *fault; /* why the last read failed, one clause; NULL: none did. p stays at what could not be read */
};

struct proto_record {
    uint32_t number; /* of the field */
    enum proto_wire wire;
    uint64_t value;             /* of VARINT, FIXED32, FIXED64 */
    const unsigned char *bytes; /* of BYTES, else none; borrowed */
    size_t len;
};

static inline struct proto_reader proto_reader(const void *bytes, size_t len)
{
    return (struct proto_reader) { .begin = bytes, .p = bytes, .end = (const unsigned char *)bytes + len };
}
/* For the bytes inside a record of r. */
struct proto_reader proto_reader_inside(const struct proto_reader *r, const struct proto_record *record);
static inline size_t proto_offset(const struct proto_reader *r)
{
    return (size_t)(r->p - r->begin);
}

/* Read one record. False at the end, or with a fault. The records of a GROUP and its END are read as records of their
 * own. */
bool proto_next(struct proto_reader *r, struct proto_record *record) MUST_CHECK;
/* One number of a packed field. False at the end, or with a fault. */
bool proto_next_packed(struct proto_reader *r, enum proto_wire wire, uint64_t *value) MUST_CHECK;
/* Skip what belongs to a record that was read: the rest of a GROUP; nothing of others. `depth`: levels that the record
 * stands at. False: a fault. */
bool proto_skip(struct proto_reader *r, const struct proto_record *record, unsigned depth) MUST_CHECK;

#endif
