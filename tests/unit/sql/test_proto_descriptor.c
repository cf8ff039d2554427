/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor sets of protoc, sets that protoc never makes, and what is found in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/base64.h"
#include "sql/proto_cache.h"
#include "sql/proto_descriptor.h"
#include "sql/proto_wire.h"

static char bytes[PROTO_DESCRIPTOR_MAX];
static struct err error;

static size_t read_set(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), PROTO_DIR "/%s.desc", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    assert_true(len > 0 && len < sizeof(bytes));
    return len;
}

static struct proto_schema *load(const char *name)
{
    error = (struct err) { 0 };
    struct proto_schema *s = proto_schema_new(bytes, read_set(name), &error);
    if (!s)
        fail_msg("%s: %s", name, error.text);
    return s;
}

static const struct proto_message *find(const struct proto_schema *s, const char *file, const char *type)
{
    error = (struct err) { 0 };
    return proto_schema_find(s, file, strlen(file), type, strlen(type), &error);
}

/* --- what protoc makes --- */

static void messages_are_found_by_file_and_name(void **state)
{
    static const struct {
        const char *file, *type, *name;
    } rows[] = {
        { "pump", "Pump", "plant.v1.Pump" },
        { "pump.proto", "plant.v1.Pump", "plant.v1.Pump" },
        { "plant/pump", ".plant.v1.Pump", "plant.v1.Pump" },
        { "plant/pump.proto", "Pump.Reading", "plant.v1.Pump.Reading" },
        { "unit", "Pump2", "plant.v1.Pump2" },
        { "timestamp", "Timestamp", "google.protobuf.Timestamp" },
        { "google/protobuf/timestamp", "google.protobuf.Timestamp", "google.protobuf.Timestamp" },
    };
    (void)state;
    struct proto_schema *s = load("plant/pump");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct proto_message *m = find(s, rows[i].file, rows[i].type);
        if (!m)
            fail_msg("%s %s: %s", rows[i].file, rows[i].type, error.text);
        assert_string_equal(m->name, rows[i].name);
    }
    proto_schema_free(s);
}

static void names_that_lead_nowhere_are_explained(void **state)
{
    static const struct {
        const char *file, *type, *text, *hint;
    } rows[] = {
        { "pumps", "Pump", "the descriptor set has no file \"pumps.proto\"", "" },
        { "plant/punp", "Pump", "the descriptor set has no file \"plant/punp.proto\"", "" },
        { "", "Pump", "the descriptor set has no file \".proto\"", "" },
        { "v1/pump", "Pump", "the descriptor set has no file \"v1/pump.proto\"", "" },
        { "pump", "Pumb", "the file \"plant/pump.proto\" has no message \"Pumb\"", "it has \"Pump\"" },
        { "pump", "Pump2", "the file \"plant/pump.proto\" has no message \"Pump2\"", "it has \"Pump\"" },
        { "pump", "plant.v1.Pump2", "the file \"plant/pump.proto\" has no message \"plant.v1.Pump2\"", NULL },
        { "unit", "Unit", "the file \"plant/unit.proto\" has no message \"Unit\"", "it has \"Pump2\"" },
        { "pump", "", "the file \"plant/pump.proto\" has no message \"\"", "" },
        { "pump", "Reading", "the file \"plant/pump.proto\" has no message \"Reading\"", NULL },
        { "pump", "\n", "the file \"plant/pump.proto\" has no message \"\"", "" },
    };
    (void)state;
    struct proto_schema *s = load("plant/pump");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_null(find(s, rows[i].file, rows[i].type));
        assert_int_equal(error.code, ERR_REJECTED);
        assert_string_equal(error.text, rows[i].text);
        if (rows[i].hint)
            assert_string_equal(error.hint, rows[i].hint);
    }
    assert_null(proto_schema_find(s, "pump", 4, "Pump\0x", 6, NULL));
    proto_schema_free(s);
}

static void fields_have_what_their_declaration_says(void **state)
{
    (void)state;
    struct proto_schema *s = load("legacy");
    const struct proto_message *m = find(s, "legacy", "Legacy"), *strict = find(s, "legacy", "Strict");
    assert_non_null(m);
    assert_int_equal(m->field_count, 15);
    assert_int_equal(m->slot_count, 14); /* one oneof of two */
    assert_int_equal(m->required_count, 0);
    assert_int_equal(strict->required_count, 1);
    for (uint32_t i = 1; i < m->field_count; i++)
        assert_true(m->fields[i].number > m->fields[i - 1].number);
    const struct proto_field *group = proto_field_find(m, 7, NULL), *one = proto_field_find(m, 12, NULL);
    assert_string_equal(group->name.text, "extra");
    assert_int_equal(group->type, PROTO_TYPE_GROUP);
    assert_string_equal(group->message->name, "Legacy.Extra");
    assert_int_equal(one->slot, proto_field_find(m, 13, one)->slot);
    assert_ptr_equal(proto_field_find(m, 13, one), one + 1);
    assert_ptr_equal(proto_field_find(m, 12, one), one);
    assert_null(proto_field_find(m, 16, m->fields + 14));
    assert_null(proto_field_find(m, 100, NULL)); /* an extension */
    proto_schema_free(s);
}

static void enum_values_are_found_by_number(void **state)
{
    (void)state;
    struct proto_schema *s = load("scalars");
    const struct proto_enum *mode = proto_field_find(find(s, "scalars", "Scalars"), 14, NULL)->of;
    assert_int_equal(mode->count, 4); /* STARTED is an alias */
    assert_string_equal(proto_enum_find(mode, 1)->name.text, "RUNNING");
    assert_string_equal(proto_enum_find(mode, -7)->name.text, "BROKEN");
    assert_null(proto_enum_find(mode, 3));
    assert_int_equal(mode->first, 0);
    proto_schema_free(s);
}

static void presence_follows_the_syntax(void **state)
{
    (void)state;
    struct proto_schema *s = load("scalars");
    assert_true(proto_field_find(find(s, "scalars", "Scalars"), 5, NULL)->implicit);
    assert_false(proto_field_find(find(s, "scalars", "Optional"), 5, NULL)->implicit);
    assert_false(proto_field_find(find(s, "scalars", "Optional"), 20, NULL)->implicit);
    assert_false(proto_field_find(find(s, "scalars", "Choice"), 2, NULL)->implicit);
    assert_false(proto_field_find(find(s, "scalars", "Repeated"), 5, NULL)->implicit);
    const struct proto_field *map = proto_field_find(find(s, "scalars", "Maps"), 1, NULL);
    assert_true(map->repeated && map->message->is_map_entry);
    proto_schema_free(s);
}

/* --- what protoc never makes --- */

/* A descriptor set put together by hand: each begin() opens a length-delimited record, end() closes it. Lengths take
 * three bytes, which is more than they need. */
#define MADE_DEPTH 140
static struct {
    unsigned char p[PROTO_DESCRIPTOR_MAX];
    size_t len, open[MADE_DEPTH], depth;
} made;

static void begin(unsigned number)
{
    made.p[made.len] = (unsigned char)(number << 3 | PROTO_BYTES);
    made.open[made.depth++] = made.len + 1;
    made.len += 4;
}

static void end(void)
{
    size_t at = made.open[--made.depth], len = made.len - at - 3;
    made.p[at] = (unsigned char)((len & 0x7f) | 0x80);
    made.p[at + 1] = (unsigned char)((len >> 7 & 0x7f) | 0x80);
    made.p[at + 2] = (unsigned char)(len >> 14);
}

static void put_text(unsigned number, const char *s)
{
    begin(number);
    memcpy(made.p + made.len, s, strlen(s));
    made.len += strlen(s);
    end();
}

static void put_number(unsigned number, unsigned v)
{
    made.p[made.len++] = (unsigned char)(number << 3 | PROTO_VARINT);
    for (; v > 0x7f; v >>= 7)
        made.p[made.len++] = (unsigned char)(v | 0x80);
    made.p[made.len++] = (unsigned char)v;
}

static void begin_file(const char *name, const char *package, const char *syntax)
{
    memset(&made, 0, sizeof(made));
    begin(1);
    put_text(1, name);
    put_text(2, package);
    put_text(12, syntax);
}

static void begin_message(const char *name)
{
    begin(4);
    put_text(1, name);
}

static void put_field(const char *name, unsigned number, unsigned label, unsigned type, const char *type_name)
{
    begin(2);
    put_text(1, name);
    put_number(3, number);
    put_number(4, label);
    put_number(5, type);
    if (type_name)
        put_text(6, type_name);
    end();
}

static void expect_refusal(const char *text)
{
    while (made.depth > 0)
        end();
    error = (struct err) { 0 };
    struct proto_schema *s = proto_schema_new(made.p, made.len, &error);
    if (s || strcmp(error.text, text) != 0)
        fail_msg("expected %s\ngot      %s", text, s ? "a schema" : error.text);
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    memset(&made, 0, sizeof(made));
    expect_refusal("the descriptor set is empty");
    put_number(1, 5);
    expect_refusal("this is no descriptor set: it holds something else than files");
    begin_file("", "", "proto3");
    expect_refusal("this is no descriptor set: a file has no name");
    begin_file("a\n.proto", "", "proto3");
    expect_refusal("this is no descriptor set: a file has no name");
    begin_file("a.proto", "x..y", "proto3");
    expect_refusal("the package of \"a.proto\" is not made of identifiers");
    begin_file("a.proto", "", "editions");
    expect_refusal("the file \"a.proto\" has a syntax that is not known: only proto2 and proto3 are");
    assert_string_equal(error.hint, "editions are not supported");
}

static void wrong_declarations_are_refused(void **state)
{
    (void)state;
    begin_file("a.proto", "p", "proto3");
    begin_message("");
    expect_refusal("the name of a message or enum in \"p\" is missing, or no identifier");
    begin_file("a.proto", "", "proto3");
    begin_message("1a");
    expect_refusal("the name of a message or enum in \"a.proto\" is missing, or no identifier");
    begin_file("a.proto", "p", "proto3");
    begin_message("M");
    end();
    begin_message("M");
    expect_refusal("\"p.M\" is declared twice");
    begin_file("a.proto", "p", "proto3");
    begin(5);
    put_text(1, "E");
    expect_refusal("the enum \"p.E\" has no values");
    begin_file("a.proto", "p", "proto3");
    begin(5);
    put_text(1, "E");
    begin(2);
    put_text(1, "not a name");
    expect_refusal("the name of a value in \"p.E\" is missing, or no identifier");
}

static void begin_field_test(void)
{
    begin_file("a.proto", "p", "proto3");
    begin_message("M");
}

static void wrong_fields_are_refused(void **state)
{
    (void)state;
    begin_field_test();
    put_field("a-b", 1, 1, 5, NULL);
    expect_refusal("the name of a field in \"p.M\" is missing, or no identifier");
    begin_field_test();
    put_field("a", 0, 1, 5, NULL);
    expect_refusal("the field \"a\" of \"p.M\" has no number, or one that is out of range");
    begin_field_test();
    put_field("a", 536870912, 1, 5, NULL);
    expect_refusal("the field \"a\" of \"p.M\" has no number, or one that is out of range");
    begin_field_test();
    put_field("a", 1, 4, 5, NULL);
    expect_refusal("the field \"a\" of \"p.M\" is neither optional nor required nor repeated");
    begin_field_test();
    put_field("a", 1, 1, 19, NULL);
    expect_refusal("the field \"a\" of \"p.M\" has no type, or one that is not known");
    begin_field_test();
    put_field("a", 1, 1, 5, NULL);
    put_field("b", 1, 1, 5, NULL);
    expect_refusal("the field \"b\" of \"p.M\" has the number of another");
    begin_field_test();
    put_field("a", 1, 1, 5, NULL);
    put_field("a", 2, 1, 5, NULL);
    expect_refusal("the field \"a\" of \"p.M\" is there twice");
}

static void types_that_are_not_there_are_refused(void **state)
{
    (void)state;
    begin_field_test();
    put_field("a", 1, 1, PROTO_TYPE_MESSAGE, NULL);
    expect_refusal("the field \"a\" of \"p.M\" has a type without its full name");
    begin_field_test();
    put_field("a", 1, 1, PROTO_TYPE_MESSAGE, "p.M");
    expect_refusal("the field \"a\" of \"p.M\" has a type without its full name");
    begin_field_test();
    put_field("a", 1, 1, PROTO_TYPE_MESSAGE, ".q.N");
    expect_refusal("the field \"a\" of \"p.M\" is of a type that the descriptor set does not hold");
    assert_string_equal(error.hint, "it is \"q.N\": make the set with protoc --include_imports");
    begin_field_test();
    put_field("a", 1, 1, PROTO_TYPE_ENUM, ".p.M");
    expect_refusal("the field \"a\" of \"p.M\" is of a type that the descriptor set does not hold");
}

static void begin_entry(void)
{
    begin_field_test();
    begin(7);
    put_number(7, 1);
    end();
}

static void wrong_map_entries_and_oneofs_are_refused(void **state)
{
    static const char no_entry[] = "\"p.M\" is no entry of a map, although it says so";
    (void)state;
    begin_entry();
    expect_refusal(no_entry);
    begin_entry();
    put_field("key", 1, 1, PROTO_TYPE_DOUBLE, NULL);
    put_field("value", 2, 1, PROTO_TYPE_INT32, NULL);
    expect_refusal(no_entry);
    begin_entry();
    put_field("key", 1, 1, PROTO_TYPE_INT32, NULL);
    put_field("value", 2, 3, PROTO_TYPE_INT32, NULL);
    expect_refusal(no_entry);
    begin_entry();
    put_field("key", 1, 1, PROTO_TYPE_INT32, NULL);
    put_field("value", 3, 1, PROTO_TYPE_INT32, NULL);
    expect_refusal(no_entry);
    begin_field_test();
    begin(2);
    put_text(1, "a");
    put_number(3, 1);
    put_number(4, 1);
    put_number(5, 5);
    put_number(9, 0);
    expect_refusal("the field \"a\" of \"p.M\" is in a oneof that it cannot be in");
}

static void files_of_one_name_need_their_folder(void **state)
{
    (void)state;
    begin_file("a/x.proto", "a", "proto3");
    begin_message("M");
    end();
    end();
    begin(1);
    put_text(1, "b/x.proto");
    end();
    error = (struct err) { 0 };
    struct proto_schema *s = proto_schema_new(made.p, made.len, &error);
    assert_non_null(s);
    assert_null(find(s, "x", "M"));
    assert_string_equal(error.text, "several files of the descriptor set are called \"x\"");
    assert_non_null(find(s, "a/x", "M"));
    assert_null(find(s, "b/x", "a.M"));
    proto_schema_free(s);
}

/* --- damage and size --- */

static void every_prefix_is_a_schema_or_an_error(void **state)
{
    static const char *const names[] = { "scalars", "legacy", "plant/pump" };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = read_set(names[i]);
        for (size_t part = 0; part < len; part++) {
            char *exact = malloc(part ? part : 1); /* so that reading behind the end is seen */
            memcpy(exact, bytes, part);
            error = (struct err) { 0 };
            struct proto_schema *s = proto_schema_new(exact, part, &error);
            assert_true((s != NULL) == (error.code == ERR_NONE));
            proto_schema_free(s);
            free(exact);
        }
    }
}

static void any_bit_may_be_wrong(void **state)
{
    (void)state;
    size_t len = read_set("legacy"), schemas = 0;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        error = (struct err) { 0 };
        struct proto_schema *s = proto_schema_new(bytes, len, &error);
        assert_true((s != NULL) == (error.code == ERR_NONE));
        schemas += s != NULL;
        proto_schema_free(s);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(schemas > 0 && schemas < 8 * len);
}

static void sets_are_bounded(void **state)
{
    (void)state;
    char *large = calloc(1, PROTO_DESCRIPTOR_MAX + 1);
    error = (struct err) { 0 };
    assert_null(proto_schema_new(large, PROTO_DESCRIPTOR_MAX + 1, &error));
    assert_int_equal(error.code, ERR_LIMIT);
    assert_string_equal(error.text, "the descriptor set has 32769 bytes, more than 32768");
    free(large);
}

/* The name of the outer message is part of every inner one's. */
static void names_may_not_take_all_memory(void **state)
{
    char name[12001];
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    begin_file("a.proto", "", "proto3");
    begin_message(name);
    for (unsigned i = 0; i < 1000; i++) {
        char inner[8];
        snprintf(inner, sizeof(inner), "m%u", i);
        begin(3);
        put_text(1, inner);
        end();
    }
    expect_refusal("the descriptor set is too large: its tables take more than 2097152 bytes");
    assert_int_equal(error.code, ERR_LIMIT);
}

static void declarations_may_not_nest_without_end(void **state)
{
    (void)state;
    begin_file("a.proto", "", "proto3");
    begin_message("m");
    for (unsigned level = 1; level < 101; level++) {
        begin(3);
        put_text(1, "m");
    }
    expect_refusal("messages are declared inside one another more than 100 deep");
}

/* --- the cache --- */

static char *base64_of(const char *p, size_t len)
{
    struct buf text;
    size_t text_len;
    buf_init(&text, (size_t)1 << 20);
    base64_encode(&text, p, len);
    return buf_detach(&text, &text_len);
}

static void schemas_are_kept_by_their_bytes(void **state)
{
    (void)state;
    struct proto_cache *c = proto_cache_new();
    char *pump = base64_of(bytes, read_set("plant/pump")), *legacy = base64_of(bytes, read_set("legacy"));
    const struct proto_schema *s = proto_cache_get(c, pump, strlen(pump), &error), *t;
    assert_non_null(s);
    t = proto_cache_get(c, legacy, strlen(legacy), &error);
    assert_non_null(t);
    assert_ptr_not_equal(s, t);
    char *again = strdup(pump); /* the bytes count, not where they are */
    assert_ptr_equal(proto_cache_get(c, again, strlen(again), &error), s);
    assert_non_null(find(proto_cache_get(c, again, strlen(again), &error), "pump", "Pump"));
    free(again);
    free(pump);
    free(legacy);
    proto_cache_free(c);
    proto_cache_free(NULL);
}

static void failures_are_remembered_and_old_schemas_make_room(void **state)
{
    (void)state;
    struct proto_cache *c = proto_cache_new();
    char *pump = base64_of(bytes, read_set("plant/pump"));
    const struct proto_schema *s = proto_cache_get(c, pump, strlen(pump), &error);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PROTO_CACHE - 1; i++) {
            char text[8];
            snprintf(text, sizeof(text), "AA%02u", i);
            error = (struct err) { 0 };
            assert_null(proto_cache_get(c, text, 4, &error));
            assert_string_equal(error.text, "this is no descriptor set: at byte 0: 0 is no field number");
        }
        assert_ptr_equal(proto_cache_get(c, pump, strlen(pump), &error), s);
    }
    error = (struct err) { 0 };
    assert_null(proto_cache_get(c, "?", 1, &error));
    assert_string_equal(error.text, "the descriptor set is not base64");
    free(pump);
    proto_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_by_file_and_name),
        cmocka_unit_test(names_that_lead_nowhere_are_explained),
        cmocka_unit_test(fields_have_what_their_declaration_says),
        cmocka_unit_test(enum_values_are_found_by_number),
        cmocka_unit_test(presence_follows_the_syntax),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(wrong_declarations_are_refused),
        cmocka_unit_test(wrong_fields_are_refused),
        cmocka_unit_test(types_that_are_not_there_are_refused),
        cmocka_unit_test(wrong_map_entries_and_oneofs_are_refused),
        cmocka_unit_test(files_of_one_name_need_their_folder),
        cmocka_unit_test(every_prefix_is_a_schema_or_an_error),
        cmocka_unit_test(any_bit_may_be_wrong),
        cmocka_unit_test(sets_are_bounded),
        cmocka_unit_test(names_may_not_take_all_memory),
        cmocka_unit_test(declarations_may_not_nest_without_end),
        cmocka_unit_test(schemas_are_kept_by_their_bytes),
        cmocka_unit_test(failures_are_remembered_and_old_schemas_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
