/* SPDX-License-Identifier: Apache-2.0 */
/* What the scalars of Protocol Buffers are in the rule language: the JSON mapping of proto3
 * (https://protobuf.dev/programming-guides/json/), but for 64-bit integers, which are numbers. Internal to sql/. */
#ifndef SLUICE_SQL_PROTO_VALUE_H
#define SLUICE_SQL_PROTO_VALUE_H

#include "sql/proto_descriptor.h"
#include "sql/proto_wire.h"
#include "sql/value.h"

/* How values of a type stand on the wire when they are not packed. */
enum proto_wire proto_wire_of(enum proto_type type);

/* A number of the wire without the bits that the type does not have; 0 exactly if it is the type's default. */
uint64_t proto_narrow(enum proto_type type, uint64_t raw);
/* The value of a narrowed number: Int or Decimal (float: the shortest digits that read back as the same float), Boolean,
 * an enum value's name, or its number if it has none; "NaN", "Infinity", "-Infinity". Not for STRING, BYTES, MESSAGE
 * and GROUP. Undefined if the arena is full. */
struct val proto_number(const struct proto_field *field, uint64_t narrowed, enum sql_version version, struct arena *a);

#endif
