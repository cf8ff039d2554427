/* SPDX-License-Identifier: Apache-2.0 */
/* A schema while it is read from its descriptor set, shared by proto_declare.c (first walk), proto_members.c (second
 * walk), proto_descriptor.c (both, and life) and proto_find.c (names). Functions that return int: -1 with the schema's error set. */
#ifndef SLUICE_SQL_PROTO_DESCRIPTOR_INT_H
#define SLUICE_SQL_PROTO_DESCRIPTOR_INT_H

#include "engine/base/arena.h"
#include "sql/proto_descriptor.h"
#include "sql/proto_wire.h"

struct text {
    const char *s;
    size_t len;
};

struct file {
    struct text name, package;
    bool proto3;
    struct file *next;
};

/* A message or enum: where its descriptor is, and the table made of it. */
struct declared {
    const char *name; /* full */
    const struct file *file;
    struct proto_reader bytes;
    struct proto_message *message; /* or */
    struct proto_enum *of;
    struct declared *next;
};

struct proto_schema {
    struct arena arena;
    struct file *files;
    struct declared *all;
    const struct declared **sorted; /* by name */
    uint32_t count;
    unsigned depth; /* of the message being declared */
    struct err *e;
};

/* --- proto_declare.c --- */

/* Declare every message and enum of the set, as `all`; then `sorted` of them. */
int proto_declare_set(struct proto_schema *s, struct proto_reader r) MUST_CHECK;
int proto_sort_declared(struct proto_schema *s) MUST_CHECK;
/* package.name, or NULL. */
const struct declared *proto_find_declared(const struct proto_schema *s, struct text package, struct text name);

/* Bytes of a name that an error shows. */
int proto_shown(size_t len);
int proto_out_of_memory(struct proto_schema *s);
/* After the last record: 0 if it was the end. */
int proto_at_end(struct proto_schema *s, const struct proto_reader *r) MUST_CHECK;
/* Pass over a record that is of no interest. */
int proto_skip_record(struct proto_schema *s, struct proto_reader *r, const struct proto_record *record) MUST_CHECK;
struct text proto_text_of(const struct proto_record *record); /* of BYTES; borrowed */
/* Identifiers with dots between them, or nothing. */
bool proto_is_package(struct text t);
int proto_check_identifier(struct proto_schema *s, struct text name, const char *of, const char *where) MUST_CHECK;
/* A copy of a name as the decoder gives it out. */
int proto_keep_name(struct proto_schema *s, struct val *name, struct text t) MUST_CHECK;

/* --- proto_members.c: once all is declared --- */

int proto_read_enum(struct proto_schema *s, const struct declared *d) MUST_CHECK;
int proto_read_message(struct proto_schema *s, const struct declared *d) MUST_CHECK;

#endif
