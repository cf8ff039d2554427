/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas that a machine has made of descriptor sets, found again by the bytes they were made of: so that decoding takes
 * nothing from the heap once it has seen a descriptor set. Belongs to one machine. Internal to sql/. */
#ifndef SLUICE_SQL_PROTO_CACHE_H
#define SLUICE_SQL_PROTO_CACHE_H

#include "engine/base/err.h"
#include "sql/proto_descriptor.h"

#include <stddef.h>

#define PROTO_CACHE 8 /* descriptor sets; each takes at most some 44 KiB and PROTO_SCHEMA_MAX */

struct proto_cache;

struct proto_cache *proto_cache_new(void); /* owned; NULL: memory */
void proto_cache_free(struct proto_cache *c);

/* The schema of a descriptor set in base64. Valid until PROTO_CACHE - 1 other sets have been asked for. NULL: see
 * proto_schema_new; ERR_REJECTED also for what is not base64. That is remembered too. Takes heap memory only when the
 * set is not in the cache. */
const struct proto_schema *proto_cache_get(struct proto_cache *c, const char *base64, size_t len,
                                           struct err *e) MUST_CHECK;

#endif
