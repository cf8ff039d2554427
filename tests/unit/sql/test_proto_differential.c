/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of messages, whole and damaged, against what Google's Python library makes of them (tests/proto/make_cases.py
 * wrote PROTO_DIR/cases.txt while building). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/proto_decode.h"

#define SETS_MAX    8
#define CASES_LEAST 5000

static struct {
    char name[64];
    struct proto_schema *schema;
} sets[SETS_MAX];
static size_t set_count;
static struct arena arena;
static struct buf out;

static struct proto_schema *load(const char *name)
{
    char path[512], bytes[PROTO_DESCRIPTOR_MAX];
    struct err e = { 0 };
    snprintf(path, sizeof(path), PROTO_DIR "/%s.desc", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    struct proto_schema *schema = proto_schema_new(bytes, len, &e);
    if (!schema)
        fail_msg("%s: %s", path, e.text);
    return schema;
}

static const struct proto_schema *set_of(const char *name)
{
    for (size_t i = 0; i < set_count; i++) {
        if (strcmp(sets[i].name, name) == 0)
            return sets[i].schema;
    }
    assert_true(set_count < SETS_MAX);
    snprintf(sets[set_count].name, sizeof(sets[0].name), "%s", name);
    sets[set_count].schema = load(name);
    return sets[set_count++].schema;
}

/* In place; the bytes end at the end of the text, so that reading behind them is noticed. */
static unsigned char *from_hex(char *hex, size_t *len)
{
    *len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    unsigned char *bytes = malloc(*len ? *len : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *len; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return bytes;
}

static bool same_json(const char *expected)
{
    struct err e = { 0 };
    const struct json_doc *a = json_parse(&arena, out.p, out.len, NULL, &e);
    const struct json_doc *b = json_parse(&arena, expected, strlen(expected), NULL, &e);
    if (!a || !b)
        fail_msg("%s", e.text);
    return json_same(a, 0, b, 0, 0);
}

static void check(unsigned line, const char *file, const char *type, char *hex, const char *expected)
{
    struct err e = { 0 };
    struct val v;
    size_t len;
    const struct proto_message *m = proto_schema_find(set_of(file), file, strlen(file), type, strlen(type), &e);
    if (!m)
        fail_msg("%s", e.text);
    unsigned char *bytes = from_hex(hex, &len);
    arena_reset(&arena);
    buf_reset(&out);
    int rc = proto_decode(m, bytes, len, SQL_2016_03_23, &arena, &v, &e);
    bool refused = strcmp(expected, "-") == 0;
    if (rc == 0)
        val_write_json(&out, v, SQL_2016_03_23);
    if ((rc < 0) != refused || (rc == 0 && !same_json(expected))) {
        fprintf(stderr, "line %u: %s %s\nexpected %s\ngot      %s\n", line, type, hex, expected,
                rc < 0 ? e.text : out.p);
        fail();
    }
    free(bytes);
}

static void messages_are_what_another_library_makes_of_them(void **state)
{
    (void)state;
    char *line = NULL;
    size_t cap = 0;
    unsigned count = 0;
    FILE *f = fopen(PROTO_DIR "/cases.txt", "r");
    assert_non_null(f);
    while (getline(&line, &cap, f) > 0) {
        char *rest = line;
        char *file = strsep(&rest, " "), *type = strsep(&rest, " "), *hex = strsep(&rest, " ");
        assert_non_null(rest);
        rest[strcspn(rest, "\n")] = '\0';
        check(++count, file, type, hex, rest);
    }
    free(line);
    fclose(f);
    assert_true(count >= CASES_LEAST);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)64 << 20);
    buf_init(&out, (size_t)1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < set_count; i++)
        proto_schema_free(sets[i].schema);
    arena_clear(&arena);
    buf_clear(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(messages_are_what_another_library_makes_of_them) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
