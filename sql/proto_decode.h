/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a Protocol Buffers message to an Object of the rule language. On the hot path of rules that decode: takes
 * nothing from the heap. Internal to sql/.
 *
 *   names       as in the .proto file; members in the order of the field numbers
 *   unset       fields are left out, and so are fields of proto3 without `optional` that have their default value
 *   scalars     see proto_value.h; bytes are base64, Strings must be UTF-8
 *   repeated    Arrays, packed or not, whatever the schema says; maps are Objects, their keys as text
 *   twice       the last scalar counts, the last member of a oneof, the last entry of a key; messages are merged
 *   unknown     fields are skipped, and so are fields of another wire type than the schema's, and extensions
 *   required    fields of proto2 that are missing are an error
 *   well-known  types (Timestamp, Any, …) are messages like others */
#ifndef SLUICE_SQL_PROTO_DECODE_H
#define SLUICE_SQL_PROTO_DECODE_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "sql/proto_descriptor.h"
#include "sql/value.h"
#include "sql/version.h"

#include <stddef.h>

#define PROTO_INPUT_MAX  ((size_t)128 << 10) /* bytes of a message (spec 9) */
#define PROTO_OUTPUT_MAX ((size_t)128 << 10) /* bytes of what it is as JSON (spec 9) */

/* Decode a message of that type. The value borrows the bytes and the schema, the rest of it is in the arena.
 * -1: ERR_LIMIT (too long, too long as JSON, nested more than PROTO_MAX_DEPTH deep), ERR_REJECTED (no such message; the
 * text names byte offset and field), ERR_MEMORY (the arena is full). O(n log n) of the bytes, whatever they are; of the
 * arena it takes at most some 100 bytes per byte and PROTO_OUTPUT_MAX. Elements count towards the output when they are
 * read, even if what they are in is replaced by a later field. */
int proto_decode(const struct proto_message *type, const void *bytes, size_t len, enum sql_version version,
                 struct arena *a, struct val *object, struct err *e) MUST_CHECK;

#endif
