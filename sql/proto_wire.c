/* SPDX-License-Identifier: Apache-2.0 */
/* Reading records. On the hot path of rules that decode.
 *
 * As the official libraries do, bits of a varint beyond 64 are dropped (of a tag: beyond 32), and a varint may be longer
 * than it needs to be. */
#include "sql/proto_wire.h"

#include <string.h>

#define VARINT_MAX_BYTES 10
#define TAG_MAX_BYTES    5

static bool fault(struct proto_reader *r, const char *why)
{
    r->fault = why;
    return false;
}

struct proto_reader proto_reader_inside(const struct proto_reader *r, const struct proto_record *record)
{
    return (struct proto_reader) { .begin = r->begin, .p = record->bytes, .end = record->bytes + record->len };
}

static bool read_varint(struct proto_reader *r, uint64_t *value)
{
    uint64_t v = 0;
    size_t left = (size_t)(r->end - r->p);
    for (size_t i = 0; i < VARINT_MAX_BYTES; i++) {
        if (i == left)
            return fault(r, "the bytes end inside a number");
        v |= (uint64_t)(r->p[i] & 0x7f) << (7 * i);
        if (r->p[i] < 0x80) {
            r->p += i + 1;
            *value = v;
            return true;
        }
    }
    return fault(r, "a number has more than 10 bytes");
}

static bool read_fixed(struct proto_reader *r, size_t width, uint64_t *value)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->p) < width)
        return fault(r, "the bytes end inside a number");
    for (size_t i = 0; i < width; i++)
        v |= (uint64_t)r->p[i] << (8 * i);
    r->p += width;
    *value = v;
    return true;
}

static bool read_bytes(struct proto_reader *r, struct proto_record *record)
{
    uint64_t len;
    const unsigned char *at = r->p;
    if (!read_varint(r, &len))
        return false;
    if (len > (size_t)(r->end - r->p)) {
        r->p = at;
        return fault(r, "a length goes beyond the end");
    }
    record->bytes = r->p;
    record->len = (size_t)len;
    r->p += len;
    return true;
}

static bool read_tag(struct proto_reader *r, struct proto_record *record)
{
    uint64_t tag;
    const unsigned char *at = r->p;
    if (!read_varint(r, &tag))
        return false;
    record->number = (uint32_t)tag >> 3;
    record->wire = (enum proto_wire)(tag & 7);
    bool too_long = r->p - at > TAG_MAX_BYTES;
    if (!too_long && record->number > 0 && record->wire <= PROTO_FIXED32)
        return true;
    r->p = at;
    return fault(r, too_long         ? "a tag has more than 5 bytes"
                    : record->number ? "there is no such wire type"
                                     : "0 is no field number");
}

bool proto_next(struct proto_reader *r, struct proto_record *record)
{
    if (r->p == r->end || !read_tag(r, record))
        return false;
    record->bytes = r->p;
    record->len = 0;
    switch (record->wire) {
    case PROTO_VARINT:
        return read_varint(r, &record->value);
    case PROTO_FIXED64:
        return read_fixed(r, 8, &record->value);
    case PROTO_FIXED32:
        return read_fixed(r, 4, &record->value);
    case PROTO_BYTES:
        return read_bytes(r, record);
    case PROTO_GROUP:
    case PROTO_END:
        break;
    }
    return true;
}

bool proto_next_packed(struct proto_reader *r, enum proto_wire wire, uint64_t *value)
{
    if (r->p == r->end)
        return false;
    return wire == PROTO_VARINT ? read_varint(r, value) : read_fixed(r, wire == PROTO_FIXED64 ? 8 : 4, value);
}

bool proto_skip(struct proto_reader *r, const struct proto_record *record, unsigned depth)
{
    uint32_t open[PROTO_MAX_DEPTH]; /* numbers of the groups around */
    struct proto_record inner;
    unsigned count = 0;
    if (record->wire != PROTO_GROUP)
        return true;
    if (depth >= PROTO_MAX_DEPTH)
        return fault(r, "messages are nested too deeply");
    open[count++] = record->number;
    while (count > 0) {
        if (!proto_next(r, &inner))
            return r->fault ? false : fault(r, "the bytes end inside a group");
        if (inner.wire == PROTO_END && open[--count] != inner.number)
            return fault(r, "a group ends that did not begin");
        if (inner.wire != PROTO_GROUP)
            continue;
        if (depth + count >= PROTO_MAX_DEPTH)
            return fault(r, "messages are nested too deeply");
        open[count++] = inner.number;
    }
    return true;
}
