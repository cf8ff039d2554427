/* SPDX-License-Identifier: Apache-2.0 */
/* What a message may not be: bytes that are none, messages beyond the bounds. What messages are is held against another library by
 * test_proto_differential. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/proto_decode.h"
#include "sql/proto_wire.h"

#define LEVELS 200 /* of messages in one another, in tests of the depth */

static struct arena arena;
static struct err error;
static struct proto_schema *scalars, *legacy;

static struct proto_schema *load(const char *name)
{
    char path[512], bytes[PROTO_DESCRIPTOR_MAX];
    snprintf(path, sizeof(path), PROTO_DIR "/%s.desc", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    return proto_schema_new(bytes, len, &error);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)64 << 20);
    scalars = load("scalars");
    legacy = load("legacy");
    return scalars && legacy ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    proto_schema_free(scalars);
    proto_schema_free(legacy);
    arena_clear(&arena);
    return 0;
}

static const struct proto_message *type_of(const char *name)
{
    const struct proto_message *m = proto_schema_find(scalars, "scalars", 7, name, strlen(name), NULL);
    if (!m)
        m = proto_schema_find(legacy, "legacy", 6, name, strlen(name), &error);
    assert_non_null(m);
    return m;
}

/* From the end of a block of just that size, so that reading behind it is noticed. */
static int decode(const char *type, const char *bytes, size_t len)
{
    struct val v;
    char *copy = malloc(len ? len : 1);
    memcpy(copy, bytes, len);
    arena_reset(&arena);
    error = (struct err) { 0 };
    int rc = proto_decode(type_of(type), copy, len, SQL_2016_03_23, &arena, &v, &error);
    free(copy);
    return rc;
}

static void broken_bytes_are_explained(void **state)
{
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *type, *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        { "Scalars", BYTES("\x18"), "at byte 1: the bytes end inside a number" },
        { "Scalars", BYTES("\x18\xff"), "at byte 1: the bytes end inside a number" },
        { "Scalars", BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
          "at byte 1: a number has more than 10 bytes" },
        { "Scalars", BYTES("\x09\x01\x02"), "at byte 1: the bytes end inside a number" },
        { "Scalars",
          BYTES("\x4a\x05"
                "abc"),
          "at byte 1: a length goes beyond the end" },
        { "Scalars",
          BYTES("\x4a\x03"
                "a\xff"
                "b"),
          "at byte 3, in \"s\": the text is not UTF-8" },
        { "Scalars", BYTES("\x07"), "at byte 0: 0 is no field number" },
        { "Scalars", BYTES("\x0e"), "at byte 0: there is no such wire type" },
        { "Scalars", BYTES("\x0c"), "at byte 1: a group ends that did not begin" },
        { "Legacy", BYTES("\x3b\x08\x01"), "at byte 3, in \"extra\": the bytes end inside a group" },
        { "Legacy", BYTES("\x3b\x08\x01\x34"), "at byte 4, in \"extra\": a group ends that did not begin" },
        { "Strict", BYTES(""), "at byte 0, in \"id\": a required field is missing" },
        { "Strict", BYTES("\x08\x01\x1a\x02\x12\x00"), "at byte 6, in \"more[0].id\": a required field is missing" },
        { "Repeated", BYTES("\x9a\x01\x02\x4a\x00\x9a\x01\x03\x4a\x05\x00"),
          "at byte 9, in \"scalars[1]\": a length goes beyond the end" },
        { "Repeated", BYTES("\x2a\x02\x01\x80"), "at byte 3, in \"i32[1]\": the bytes end inside a number" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = decode(rows[i].type, rows[i].bytes, rows[i].len);
        if (rc == 0 || error.code != ERR_REJECTED || strcmp(error.text, rows[i].text) != 0)
            fail_msg("row %zu: expected %s, got %s", i, rows[i].text, rc ? error.text : "a message");
    }
}

/* A Tree in a Tree in a Tree, by its field `only`: lengths are written from the inside. */
static size_t nest(char *bytes, size_t size, unsigned levels)
{
    size_t at = size;
    for (unsigned i = 0; i < levels; i++) {
        size_t len = size - at;
        if (len >= 0x80)
            bytes[--at] = (char)(len >> 7);
        bytes[--at] = (char)(len >= 0x80 ? (len & 0x7f) | 0x80 : len);
        bytes[--at] = 0x1a;
    }
    return size - at;
}

static void messages_nest_as_deep_as_elsewhere(void **state)
{
    char bytes[4 * LEVELS];
    (void)state;
    size_t len = nest(bytes, sizeof(bytes), PROTO_MAX_DEPTH);
    assert_int_equal(decode("Tree", bytes + sizeof(bytes) - len, len), 0);
    len = nest(bytes, sizeof(bytes), PROTO_MAX_DEPTH + 1);
    assert_int_equal(decode("Tree", bytes + sizeof(bytes) - len, len), -1);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_non_null(strstr(error.text, "messages are nested too deeply"));
}

/* Groups of no known field do not pass the bound either. */
static void unknown_groups_nest_as_deep(void **state)
{
    char bytes[2 * LEVELS];
    (void)state;
    for (unsigned depth = PROTO_MAX_DEPTH; depth <= PROTO_MAX_DEPTH + 1; depth++) {
        for (unsigned i = 0; i < depth; i++) {
            bytes[i] = 0x7b;                 /* field 15 begins */
            bytes[2 * depth - 1 - i] = 0x7c; /* and ends */
        }
        assert_int_equal(decode("Tree", bytes, 2 * (size_t)depth), depth > PROTO_MAX_DEPTH ? -1 : 0);
    }
}

static void bytes_in_and_out_are_bounded(void **state)
{
    (void)state;
    char *bytes = calloc(1, PROTO_INPUT_MAX + 1);
    assert_int_equal(decode("Scalars", bytes, PROTO_INPUT_MAX + 1), -1);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_string_equal(error.text, "the message has 131073 bytes, more than 131072");
    /* 60,000 names of a value: 3 bytes each become 11 */
    for (size_t i = 0; i < 60000; i++)
        memcpy(bytes + 2 * i, "\x70\x01", 2);
    assert_int_equal(decode("Repeated", bytes, 120000), -1);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_string_equal(error.text, "the message is longer than 131072 bytes as JSON");
    assert_int_equal(decode("Repeated", bytes, 20000), 0);
    free(bytes);
}

static void a_full_arena_is_an_error(void **state)
{
    struct arena small;
    struct val v;
    char bytes[2000];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes) / 2; i++)
        memcpy(bytes + 2 * i, "\x70\x01", 2);
    for (size_t size = 0; size < 8192; size += 256) {
        arena_init(&small, size);
        error = (struct err) { 0 };
        assert_int_equal(proto_decode(type_of("Repeated"), bytes, sizeof(bytes), SQL_2016_03_23, &small, &v, &error),
                         -1);
        assert_int_equal(error.code, ERR_MEMORY);
        arena_clear(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_bytes_are_explained),  cmocka_unit_test(messages_nest_as_deep_as_elsewhere),
        cmocka_unit_test(unknown_groups_nest_as_deep), cmocka_unit_test(bytes_in_and_out_are_bounded),
        cmocka_unit_test(a_full_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
