/* SPDX-License-Identifier: Apache-2.0 */
/* A few entries, compared one by one: by length, then byte by byte, which for the set that is meant costs a
 * microsecond. The least recently used one makes room. */
#include "sql/proto_cache.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/base64.h"

#define BASE64_MAX ((PROTO_DESCRIPTOR_MAX + 2) / 3 * 4)

struct entry {
    char *base64; /* NULL: free */
    size_t len;
    struct proto_schema *schema; /* or */
    struct err e;                /* why there is none */
    uint64_t used;               /* when */
};

struct proto_cache {
    struct entry entries[PROTO_CACHE];
    uint64_t now;
};

struct proto_cache *proto_cache_new(void)
{
    return calloc(1, sizeof(struct proto_cache));
}

static void clear_entry(struct entry *entry)
{
    free(entry->base64);
    proto_schema_free(entry->schema);
    *entry = (struct entry) { 0 };
}

void proto_cache_free(struct proto_cache *c)
{
    for (size_t i = 0; c && i < PROTO_CACHE; i++)
        clear_entry(&c->entries[i]);
    free(c);
}

static struct proto_schema *make_schema(const char *base64, size_t len, struct err *e)
{
    struct proto_schema *schema = NULL;
    struct buf bytes;
    buf_init(&bytes, PROTO_DESCRIPTOR_MAX + 2);
    if (base64_decode(&bytes, base64, len))
        schema = bytes.failed ? NULL : proto_schema_new(bytes.p, bytes.len, e);
    else
        err_set(e, ERR_REJECTED, "the descriptor set is not base64");
    if (bytes.failed)
        err_set(e, ERR_MEMORY, "out of memory");
    buf_clear(&bytes);
    return schema;
}

static struct entry *find(struct proto_cache *c, const char *base64, size_t len)
{
    for (size_t i = 0; i < PROTO_CACHE; i++) {
        struct entry *entry = &c->entries[i];
        if (entry->base64 && entry->len == len && memcmp(entry->base64, base64, len) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *take_oldest(struct proto_cache *c)
{
    struct entry *oldest = &c->entries[0];
    for (size_t i = 1; i < PROTO_CACHE; i++) {
        if (c->entries[i].used < oldest->used)
            oldest = &c->entries[i];
    }
    clear_entry(oldest);
    return oldest;
}

/* NULL: memory was short, now. */
static struct entry *add(struct proto_cache *c, const char *base64, size_t len, struct err *e)
{
    struct err why = { 0 };
    char *copy = malloc(len + 1);
    struct proto_schema *schema = copy ? make_schema(base64, len, &why) : NULL;
    if (!copy || why.code == ERR_MEMORY) {
        free(copy);
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    memcpy(copy, base64, len);
    struct entry *entry = take_oldest(c);
    *entry = (struct entry) { .base64 = copy, .len = len, .schema = schema, .e = why };
    return entry;
}

const struct proto_schema *proto_cache_get(struct proto_cache *c, const char *base64, size_t len, struct err *e)
{
    if (len > BASE64_MAX) {
        err_set(e, ERR_LIMIT, "the descriptor set has more than %zu bytes", PROTO_DESCRIPTOR_MAX);
        return NULL;
    }
    struct entry *entry = find(c, base64, len);
    if (!entry)
        entry = add(c, base64, len, e);
    if (!entry)
        return NULL;
    entry->used = ++c->now;
    if (!entry->schema && e)
        *e = entry->e;
    return entry->schema;
}
