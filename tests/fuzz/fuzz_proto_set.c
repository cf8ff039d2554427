/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor sets: the first line names a file and a message, "FILE MESSAGE", the rest is the set. What is read of a set is a schema
 * or an error, and a schema that was read can be used: the set itself, and bytes that say little, are decoded as that message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/proto_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct proto_message *type, const void *bytes, size_t len)
{
    struct err e = { 0 };
    struct val v;
    struct arena arena;
    arena_init(&arena, (size_t)64 << 20);
    if (proto_decode(type, bytes, len, SQL_2016_03_23, &arena, &v, &e) < 0 && !e.code)
        abort();
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL, *space = end ? memchr(data, ' ', size) : NULL;
    struct err e = { 0 };
    if (!end || !space || space > end)
        return 0;
    size_t len = (size_t)(data + size - end) - 1;
    struct proto_schema *schema = proto_schema_new(end + 1, len, &e);
    if (!schema) {
        if (!e.code)
            abort();
        return 0;
    }
    const struct proto_message *type = proto_schema_find(schema, (const char *)data, (size_t)(space - data),
                                                         (const char *)space + 1, (size_t)(end - space) - 1, &e);
    if (type) {
        decode(type, end + 1, len);
        decode(type, "\x08\x01\x12\x00\x1a\x00\x22\x00", 8);
    }
    proto_schema_free(schema);
    return 0;
}
