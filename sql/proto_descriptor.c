/* SPDX-License-Identifier: Apache-2.0 */
/* From a FileDescriptorSet to tables, in two walks: the first declares every message and enum under its full name, the
 * second reads their fields and values, which may refer to any of them. Nothing in a descriptor set is believed. */
#include "sql/proto_descriptor_int.h"

#include <stdlib.h>

static int read_set(struct proto_schema *s, const void *bytes, size_t len)
{
    if (len > PROTO_DESCRIPTOR_MAX)
        return err_set(s->e, ERR_LIMIT, "the descriptor set has %zu bytes, more than %zu", len, PROTO_DESCRIPTOR_MAX);
    if (proto_declare_set(s, proto_reader(len ? bytes : "", len)) < 0 || proto_sort_declared(s) < 0)
        return -1;
    for (const struct declared *d = s->all; d; d = d->next) {
        if ((d->message ? proto_read_message(s, d) : proto_read_enum(s, d)) < 0)
            return -1;
    }
    return 0;
}

struct proto_schema *proto_schema_new(const void *bytes, size_t len, struct err *e)
{
    struct err local = { 0 };
    struct proto_schema *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    arena_init(&s->arena, PROTO_SCHEMA_MAX);
    s->e = e ? e : &local;
    int rc = read_set(s, bytes, len);
    s->e = NULL;
    if (rc == 0)
        return s;
    proto_schema_free(s);
    return NULL;
}

void proto_schema_free(struct proto_schema *s)
{
    if (!s)
        return;
    arena_clear(&s->arena);
    free(s);
}
