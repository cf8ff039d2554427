/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of Protocol Buffers: the first byte picks a message of tests/proto/, the rest is the message. Whatever the bytes are, they
 * are decoded within bounds, and what comes out is JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "sql/proto_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *set, *type;
} types[] = {
    { "scalars", "Scalars" }, { "scalars", "Optional" }, { "scalars", "Repeated" }, { "scalars", "Maps" },
    { "legacy", "Legacy" },   { "legacy", "Strict" },    { "legacy", "Board" },     { "plant/pump", "Pump" },
    { "scalars", "Tree" },    { "scalars", "Choice" },
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct proto_message *load(size_t i)
{
    static struct proto_schema *schemas[TYPE_COUNT]; /* until the process ends */
    static char bytes[PROTO_DESCRIPTOR_MAX];
    char path[512];
    struct err e = { 0 };
    snprintf(path, sizeof(path), PROTO_DIR "/%s.desc", types[i].set);
    FILE *f = fopen(path, "rb");
    require(f != NULL);
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    schemas[i] = proto_schema_new(bytes, len, &e);
    require(schemas[i] != NULL);
    return proto_schema_find(schemas[i], types[i].set, strlen(types[i].set), types[i].type, strlen(types[i].type), &e);
}

static const struct proto_message *type_at(size_t i)
{
    static const struct proto_message *loaded[TYPE_COUNT];
    if (!loaded[i])
        loaded[i] = load(i);
    require(loaded[i] != NULL);
    return loaded[i];
}

static void check_json(struct arena *arena, struct val v)
{
    struct buf text;
    struct err e = { 0 };
    buf_init(&text, PROTO_OUTPUT_MAX);
    val_write_json(&text, v, SQL_2016_03_23);
    require(!text.failed && json_parse(arena, text.p, text.len, NULL, &e) != NULL);
    buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct val v;
    struct arena arena;
    if (size == 0)
        return 0;
    arena_init(&arena, (size_t)64 << 20);
    if (proto_decode(type_at(data[0] % TYPE_COUNT), data + 1, size - 1, SQL_2016_03_23, &arena, &v, &e) == 0)
        check_json(&arena, v);
    else
        require(e.code != 0);
    arena_clear(&arena);
    return 0;
}
