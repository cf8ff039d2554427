/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas of Protocol Buffers: a FileDescriptorSet (output of `protoc --include_imports --descriptor_set_out=FILE`) read
 * into tables that the decoder walks.
 *
 * A schema is immutable: threads may share it. Format: google/protobuf/descriptor.proto of protobuf 3.21. Extensions
 * and services are left out; files of an "edition" are refused, since their meaning depends on features that are not
 * read here. Internal to sql/. */
#ifndef SLUICE_SQL_PROTO_DESCRIPTOR_H
#define SLUICE_SQL_PROTO_DESCRIPTOR_H

#include "engine/base/err.h"
#include "sql/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_DESCRIPTOR_MAX ((size_t)32 << 10) /* bytes of a descriptor set (spec 9) */
#define PROTO_SCHEMA_MAX     ((size_t)2 << 20)  /* bytes of memory of the schema made of it */

/* As numbered in descriptor.proto. */
enum proto_type {
    PROTO_TYPE_DOUBLE = 1,
    PROTO_TYPE_FLOAT,
    PROTO_TYPE_INT64,
    PROTO_TYPE_UINT64,
    PROTO_TYPE_INT32,
    PROTO_TYPE_FIXED64,
    PROTO_TYPE_FIXED32,
    PROTO_TYPE_BOOL,
    PROTO_TYPE_STRING,
    PROTO_TYPE_GROUP,
    PROTO_TYPE_MESSAGE,
    PROTO_TYPE_BYTES,
    PROTO_TYPE_UINT32,
    PROTO_TYPE_ENUM,
    PROTO_TYPE_SFIXED32,
    PROTO_TYPE_SFIXED64,
    PROTO_TYPE_SINT32,
    PROTO_TYPE_SINT64,
};

struct proto_enum_value {
    int32_t number;
    struct val name; /* a String that needs no escapes, as all names here */
};

struct proto_enum {
    const char *name;                      /* with package, NUL-terminated */
    const struct proto_enum_value *values; /* sorted; of values with one number, the one declared first */
    uint32_t count;                        /* at least 1 */
    int32_t first;                         /* number of the value declared first: the default */
};

struct proto_message;

struct proto_field {
    struct val name;
    uint32_t number;
    uint16_t slot; /* among the message's slots; the fields of a oneof share one */
    uint8_t type;  /* enum proto_type */
    bool repeated; /* maps too */
    bool required;
    bool implicit; /* proto3 without `optional`: a default value means that it is not set */
    union {
        const struct proto_message *message; /* of MESSAGE and GROUP */
        const struct proto_enum *of;         /* of ENUM */
    };
};

struct proto_message {
    const char *name;                 /* with package, NUL-terminated */
    const struct proto_field *fields; /* sorted by number */
    uint32_t field_count, slot_count, required_count;
    bool is_map_entry; /* then the fields are key (1) and value (2) */
};

struct proto_schema;

/* Read a descriptor set. The bytes are not needed afterwards. NULL: ERR_LIMIT (too long, nested too deeply, too large
 * as tables), ERR_REJECTED (no descriptor set, or one that contradicts itself; the text says what is wrong and, where
 * the bytes are broken, at which of them), ERR_MEMORY. O(n log n) of the bytes; takes heap memory. */
struct proto_schema *proto_schema_new(const void *bytes, size_t len, struct err *e) MUST_CHECK;
void proto_schema_free(struct proto_schema *s);

/* The message `type` of the file `file`, both in UTF-8.
 *   file  the .proto file's name without extension (with it is accepted): as protoc was given it ("plant/pump"), or
 *         without folders ("pump") if only one file of the set is called so
 *   type  the message's name with package ("plant.v1.Pump.State") or without ("Pump.State")
 * NULL: ERR_REJECTED, with the name that was perhaps meant as hint. */
const struct proto_message *proto_schema_find(const struct proto_schema *s, const char *file, size_t file_len,
                                              const char *type, size_t type_len, struct err *e) MUST_CHECK;

/* The field of that number, or NULL. `near` is tried first (may be NULL): most records are of the same field as the one
 * before, or of the next. */
const struct proto_field *proto_field_find(const struct proto_message *m, uint32_t number,
                                           const struct proto_field *near);
/* The value's name, or NULL. */
const struct proto_enum_value *proto_enum_find(const struct proto_enum *e, int32_t number);

#endif
