/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/value.h"

static struct arena arena;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)64 << 20);
    buf_init(&out, (size_t)64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    buf_clear(&out);
    return 0;
}

static struct val json(const char *text, enum sql_version version)
{
    struct err e = { 0 };
    const struct json_doc *doc = json_parse(&arena, text, strlen(text), NULL, &e);
    if (!doc)
        fail_msg("%s: %s", text, e.text);
    return val_from_node(doc, 0, version);
}

static struct val string(const char *s)
{
    return val_string(s, strlen(s));
}

static const char *text_of(struct val v, enum sql_version version)
{
    buf_reset(&out);
    val_write_json(&out, v, version);
    assert_false(out.failed);
    return out.p ? out.p : "";
}

static const char *string_of(struct val v, enum sql_version version)
{
    struct val s = val_to_string(v, version, &arena);
    size_t len;
    if (s.kind != VAL_STRING)
        return "(undefined)";
    const char *p = val_text(s, &arena, &len);
    return arena_strndup(&arena, p, len);
}

static const char *object_string(struct val v)
{
    return text_of(v, SQL_2016_03_23);
}

static void put(struct val *object, const char *key, struct val value)
{
    assert_true(val_put(object, string(key), value, SQL_2016_03_23, &arena));
}

/* --- from the tape --- */

static void numbers_have_the_type_of_their_version(void **state)
{
    static const struct {
        const char *text;
        enum val_kind of_2015, of_2016;
    } rows[] = {
        { "7", VAL_INT, VAL_INT },
        { "-0", VAL_INT, VAL_INT },
        { "5.0", VAL_DECIMAL, VAL_INT },
        { "5.10", VAL_DECIMAL, VAL_DECIMAL },
        { "1e3", VAL_DECIMAL, VAL_INT },
        { "1e-3", VAL_DECIMAL, VAL_DECIMAL },
        { "12345678901234567890.0", VAL_DECIMAL, VAL_INT },
        { "1e40", VAL_DECIMAL, VAL_DECIMAL },
        { "123456789012345678901234567890", VAL_INT, VAL_INT },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(json(rows[i].text, SQL_2015_10_08).kind, rows[i].of_2015);
        assert_int_equal(json(rows[i].text, SQL_2016_03_23).kind, rows[i].of_2016);
        assert_int_equal(json(rows[i].text, SQL_BETA).kind, rows[i].of_2016);
    }
}

static void numbers_give_their_value(void **state)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        { "7", "7" },
        { "-0", "0" },
        { "-0.5", "-0.5" },
        { "5.0", "5" },
        { "1e3", "1000" },
        { "12345678901234567890.0", "12345678901234567890" },
        { "123456789012345678", "123456789012345678" },
        { "-999999999999999999", "-999999999999999999" },
        { "9223372036854775808", "9223372036854775808" },
        { "0.000000000000000001", "1E-18" },
        { "99999999999.9999999", "99999999999.9999999" },
        { "99999999999.99999999", "99999999999.99999999" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct val v = json(rows[i].text, SQL_2016_03_23);
        struct num n;
        char text[NUM_TEXT_MAX];
        assert_true(val_num(v, &n));
        assert_int_equal(num_text(text, &n), strlen(rows[i].value));
        assert_memory_equal(text, rows[i].value, strlen(rows[i].value));
        struct val_small s;
        if (val_small(&v, &s)) {
            struct num m = { .coef = s.coef, .exp = s.exp };
            assert_int_equal(num_cmp(&m, &n), 0);
        }
    }
}

static void small_numbers_are_those_of_18_digits(void **state)
{
    struct val_small s, t;
    struct val v = json("123456789012345678", SQL_2016_03_23);
    (void)state;
    assert_true(val_small(&v, &s));
    assert_int_equal(s.coef, 123456789012345678);
    v = json("1234567890123456789", SQL_2016_03_23);
    assert_false(val_small(&v, &s));
    v = json("-12.345", SQL_2016_03_23);
    assert_true(val_small(&v, &s));
    assert_int_equal(s.coef, -12345);
    assert_int_equal(s.exp, -3);
    v = json("0.1e-3", SQL_2015_10_08);
    assert_false(val_small(&v, &s));
    s = (struct val_small) { 5, 2 };
    t = (struct val_small) { 7, -1 };
    assert_true(val_small_align(&s, &t));
    assert_int_equal(s.coef, 5000);
    assert_int_equal(s.exp, -1);
    assert_int_equal(t.coef, 7);
    s = (struct val_small) { 5, 19 };
    t = (struct val_small) { 7, 0 };
    assert_false(val_small_align(&s, &t));
    s = (struct val_small) { INT64_MAX / 2, 1 };
    t = (struct val_small) { 7, 0 };
    assert_false(val_small_align(&s, &t));
}

static void numbers_beyond_the_language_have_no_value(void **state)
{
    struct num n;
    (void)state;
    assert_false(val_num(json("12345678901234567890123456789012345", SQL_2016_03_23), &n));
    assert_false(val_num(json("1e5000", SQL_2016_03_23), &n));
    assert_string_equal(string_of(json("1e5000", SQL_2016_03_23), SQL_2016_03_23), "1e5000");
    assert_string_equal(object_string(json("1e5000", SQL_2016_03_23)), "1e5000");
}

static void members_and_elements_are_found(void **state)
{
    struct val v = json("{\"a\":[1,{\"b\":2}],\"\\u0062\":3,\"d\":1,\"d\":2}", SQL_2016_03_23);
    (void)state;
    struct val a = val_member(v, "a", 1, SQL_2016_03_23, &arena);
    assert_int_equal(a.kind, VAL_ARRAY);
    assert_int_equal(val_count(a), 2);
    assert_string_equal(object_string(val_element(a, 1, SQL_2016_03_23)), "{\"b\":2}");
    assert_int_equal(val_element(a, 2, SQL_2016_03_23).kind, VAL_UNDEFINED);
    assert_string_equal(object_string(val_member(v, "b", 1, SQL_2016_03_23, &arena)), "3");
    assert_string_equal(object_string(val_member(v, "d", 1, SQL_2016_03_23, &arena)), "2");
    assert_int_equal(val_member(v, "zz", 2, SQL_2016_03_23, &arena).kind, VAL_UNDEFINED);
    assert_int_equal(val_member(a, "a", 1, SQL_2016_03_23, &arena).kind, VAL_UNDEFINED);
    assert_int_equal(val_element(v, 0, SQL_2016_03_23).kind, VAL_UNDEFINED);
    assert_int_equal(val_count(val_i64(5)), 0);
}

static void walking_skips_repeated_keys(void **state)
{
    struct val_members it = val_members(json("{\"a\":1,\"b\":2,\"\\u0061\":3}", SQL_2016_03_23), SQL_2016_03_23);
    (void)state;
    assert_true(val_members_next(&it, &arena));
    assert_memory_equal(it.key, "a", 1);
    assert_string_equal(object_string(it.value), "3");
    assert_true(val_members_next(&it, &arena));
    assert_memory_equal(it.key, "b", 1);
    assert_false(val_members_next(&it, &arena));
    it = val_members(json("{}", SQL_2016_03_23), SQL_2016_03_23);
    assert_false(val_members_next(&it, &arena));
    it = val_members(val_i64(1), SQL_2016_03_23);
    assert_false(val_members_next(&it, &arena));
}

/* --- conversions, spec 2.3 --- */

static void converts_by_the_table(void **state)
{
    static const struct {
        const char *json, *decimal, *integer, *truth, *text; /* NULL: Undefined */
    } rows[] = {
        { "5", "5", "5", NULL, "5" },
        { "2.745", "2.745", "2", NULL, "2.745" },
        { "-0.5", "-0.5", "-1", NULL, "-0.5" },
        { "5.0", "5", "5", NULL, "5" },
        { "0.0000001", "1E-7", "0", NULL, "1E-7" },
        { "true", NULL, NULL, "true", "true" },
        { "\"-17.5\"", "-17.5", "-17", NULL, "-17.5" },
        { "\"1e-3\"", "0.001", "0", NULL, "1e-3" },
        { "\"1E+3\"", NULL, NULL, NULL, "1E+3" },
        { "\" 5\"", NULL, NULL, NULL, " 5" },
        { "\".5\"", NULL, NULL, NULL, ".5" },
        { "\"TrUe\"", NULL, NULL, "true", "TrUe" },
        { "\"FALSE\"", NULL, NULL, "false", "FALSE" },
        { "\"\\u0074rue\"", NULL, NULL, "true", "true" },
        { "\"true \"", NULL, NULL, NULL, "true " },
        { "[1, \"x\"]", NULL, NULL, NULL, "[1,\"x\"]" },
        { "{\"a\":1.0}", NULL, NULL, NULL, "{\"a\":1}" },
        { "null", "null", "null", NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct val v = json(rows[i].json, SQL_2016_03_23);
        assert_string_equal(object_string(val_to_decimal(v, SQL_2016_03_23, &arena)),
                            rows[i].decimal ? rows[i].decimal : "");
        assert_string_equal(object_string(val_to_int(v, SQL_2016_03_23, &arena)),
                            rows[i].integer ? rows[i].integer : "");
        assert_string_equal(object_string(val_to_bool(v, &arena)), rows[i].truth ? rows[i].truth : "");
        assert_string_equal(string_of(v, SQL_2016_03_23), rows[i].text ? rows[i].text : "(undefined)");
    }
    assert_int_equal(val_to_decimal(VAL_UNDEFINED_VALUE, SQL_2016_03_23, &arena).kind, VAL_UNDEFINED);
    assert_int_equal(val_to_bool(VAL_UNDEFINED_VALUE, &arena).kind, VAL_UNDEFINED);
    assert_string_equal(string_of(VAL_UNDEFINED_VALUE, SQL_2016_03_23), "(undefined)");
    assert_string_equal(string_of(json("5.0", SQL_2015_10_08), SQL_2015_10_08), "5.0");
}

static void converts_built_values_to_text_of_any_length(void **state)
{
    struct val list = val_array();
    (void)state;
    for (int i = 0; i < 1000; i++)
        val_append(&list, val_i64(1000 + i), &arena);
    struct val s = val_to_string(list, SQL_2016_03_23, &arena);
    assert_int_equal(s.kind, VAL_STRING);
    assert_int_equal(s.n, 5001);
    assert_memory_equal(s.text, "[1000,1001,", 11);
    assert_int_equal(s.exp, 0);
}

/* --- number text --- */

static void writes_small_numbers_as_the_library_does(void **state)
{
    static const int64_t coefs[] = {
        0, 1, -1, 9, 10, 99, 100, -12345, 1000000, 123456789012345678, INT64_MAX, INT64_MIN
    };
    char own[NUM_TEXT_MAX], library[NUM_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(coefs) / sizeof(coefs[0]); i++) {
        for (int exp = -30; exp <= 30; exp++) {
            struct num n = { .coef = coefs[i], .exp = exp, .is_int = false };
            struct val v = { .kind = VAL_DECIMAL, .exp = (int16_t)exp, .coef = coefs[i] };
            size_t len = val_number_text(own, v);
            assert_int_equal(len, num_text(library, &n));
            assert_memory_equal(own, library, len);
        }
    }
}

/* --- equality, spec 2.7 --- */

static void equality_follows_the_table(void **state)
{
    static const struct {
        const char *x, *y;
        bool equal;
    } rows[] = {
        { "5", "5.0", true },
        { "5", "\"5\"", false },
        { "0.10", "0.1", true },
        { "123456789012345678901234567890", "123456789012345678901234567890.0", true },
        { "123456789012345678901234567890", "123456789012345678901234567891", false },
        { "1e5000", "1e5000", true },
        { "1e5000", "2e5000", false },
        { "1e5000", "1", false },
        { "\"a\"", "\"\\u0061\"", true },
        { "\"a\"", "\"A\"", false },
        { "\"\"", "\"\"", true },
        { "true", "true", true },
        { "true", "\"true\"", false },
        { "null", "null", true },
        { "null", "false", false },
        { "[1,[2,3]]", "[1,[2,3.0]]", true },
        { "[1,2]", "[2,1]", false },
        { "[1,2]", "[1,2,3]", false },
        { "[]", "{}", false },
        { "{}", "{}", true },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":2}", false },
        { "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false },
        { "{\"a\":1,\"b\":2}", "{\"a\":1}", false },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}", true },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"b\":2}", true },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"d\":2}", false },
        { "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":3,\"b\":2}", false },
        { "{\"a\":{\"x\":[1],\"y\":{}}}", "{\"a\":{\"y\":{},\"x\":[1]}}", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct val x = json(rows[i].x, SQL_2016_03_23), y = json(rows[i].y, SQL_2016_03_23);
        if (val_equal(x, y, SQL_2016_03_23, &arena) != rows[i].equal ||
            val_equal(y, x, SQL_2016_03_23, &arena) != rows[i].equal)
            fail_msg("%s and %s", rows[i].x, rows[i].y);
    }
}

static void large_objects_in_another_order_are_compared_quickly(void **state)
{
    enum { COUNT = 100000 };
    (void)state;
    buf_reset(&out);
    for (int round = 0; round < 2; round++) {
        buf_putc(&out, round == 0 ? '[' : ',');
        for (int i = 0; i < COUNT; i++)
            buf_printf(&out, "%s\"key%d\":%d", i ? "," : "{", round ? COUNT - 1 - i : i, round ? COUNT - 1 - i : i);
        buf_putc(&out, '}');
    }
    buf_putc(&out, ']');
    size_t len;
    char *text = buf_detach(&out, &len);
    struct val both = json(text, SQL_2016_03_23);
    assert_true(
        val_equal(val_element(both, 0, SQL_2016_03_23), val_element(both, 1, SQL_2016_03_23), SQL_2016_03_23, &arena));
    free(text);
}

/* --- building and writing --- */

static void put_replaces_in_place(void **state)
{
    struct val o = val_object();
    char key[16];
    (void)state;
    assert_string_equal(object_string(o), "{}");
    put(&o, "a", val_i64(1));
    put(&o, "b", val_null());
    put(&o, "a", val_bool(true));
    assert_string_equal(object_string(o), "{\"a\":true,\"b\":null}");
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        struct val kept = val_string(arena_strndup(&arena, key, strlen(key)), strlen(key));
        assert_true(val_put(&o, kept, val_i64(i), SQL_2016_03_23, &arena));
    }
    assert_int_equal(val_count(o), 52);
    assert_string_equal(object_string(val_member(o, "k49", 3, SQL_2016_03_23, &arena)), "49");
}

static void spread_keeps_the_payload_in_one_piece(void **state)
{
    struct val o = val_object(), source = json("{\"a\":1,\"b\":{\"c\":5.0}}", SQL_2016_03_23);
    (void)state;
    assert_true(val_spread(&o, source, SQL_2016_03_23, &arena));
    put(&o, "z", string("x"));
    assert_int_equal(o.n, 2);
    assert_int_equal(val_count(o), 3);
    assert_string_equal(object_string(o), "{\"a\":1,\"b\":{\"c\":5},\"z\":\"x\"}");
    assert_string_equal(text_of(o, SQL_2015_10_08), "{\"a\":1,\"b\":{\"c\":5.0},\"z\":\"x\"}");
    assert_string_equal(object_string(val_member(o, "a", 1, SQL_2016_03_23, &arena)), "1");
    assert_string_equal(object_string(val_member(o, "z", 1, SQL_2016_03_23, &arena)), "\"x\"");
    assert_true(val_equal(o, json("{\"z\":\"x\",\"b\":{\"c\":5},\"a\":1}", SQL_2016_03_23), SQL_2016_03_23, &arena));
    put(&o, "a", val_i64(2)); /* now it has to be listed */
    assert_string_equal(object_string(o), "{\"a\":2,\"b\":{\"c\":5},\"z\":\"x\"}");
    put(&o, "b", val_i64(3));
    assert_string_equal(object_string(o), "{\"a\":2,\"b\":3,\"z\":\"x\"}");
}

static void spread_of_odd_objects(void **state)
{
    struct val o = val_object();
    (void)state;
    assert_true(val_spread(&o, json("{}", SQL_2016_03_23), SQL_2016_03_23, &arena));
    assert_true(val_spread(&o, val_i64(5), SQL_2016_03_23, &arena));
    put(&o, "k", val_i64(1));
    assert_string_equal(object_string(o), "{\"k\":1}");
    o = val_object();
    assert_true(
        val_spread(&o, json("{ \"a\" : 1, \"a\" : 2, \"q\\\"\" : 3 }", SQL_2016_03_23), SQL_2016_03_23, &arena));
    put(&o, "k", val_i64(1));
    assert_string_equal(object_string(o), "{\"a\":2,\"q\\\"\":3,\"k\":1}");
    put(&o, "q\"", val_i64(4));
    assert_string_equal(object_string(o), "{\"a\":2,\"q\\\"\":4,\"k\":1}");
}

static void spread_merges_into_members(void **state)
{
    struct val o = val_object(), built = val_object();
    (void)state;
    put(&o, "x", val_i64(1));
    put(&o, "b", val_i64(2));
    assert_true(val_spread(&o, json("{\"a\":1,\"b\":3}", SQL_2016_03_23), SQL_2016_03_23, &arena));
    assert_string_equal(object_string(o), "{\"x\":1,\"b\":3,\"a\":1}");
    put(&built, "a", val_i64(9));
    assert_true(val_spread(&o, built, SQL_2016_03_23, &arena));
    assert_string_equal(object_string(o), "{\"x\":1,\"b\":3,\"a\":9}");
    o = val_object();
    assert_true(val_spread(&o, json("{\"a\":1}", SQL_2016_03_23), SQL_2016_03_23, &arena));
    assert_true(val_spread(&o, json("{\"b\":2,\"a\":3}", SQL_2016_03_23), SQL_2016_03_23, &arena));
    assert_string_equal(object_string(o), "{\"a\":3,\"b\":2}");
    struct val copy = val_object();
    assert_true(val_spread(&copy, o, SQL_2016_03_23, &arena));
    put(&copy, "a", val_i64(0));
    assert_string_equal(object_string(copy), "{\"a\":0,\"b\":2}");
    assert_string_equal(object_string(o), "{\"a\":3,\"b\":2}");
}

static struct val names(const char *a, const char *b, const char *c)
{
    struct val list = val_array();
    val_append(&list, string(a), &arena);
    val_append(&list, string(b), &arena);
    if (c)
        val_append(&list, string(c), &arena);
    return list;
}

static void put_path(struct val *o, const char *a, const char *b, const char *c, struct val value)
{
    assert_true(val_put_path(o, names(a, b, c), value, SQL_2016_03_23, &arena));
}

static void put_path_nests_and_merges(void **state)
{
    struct val o = val_object();
    (void)state;
    put_path(&o, "x", "y", NULL, val_i64(1));
    put(&o, "k", val_i64(2));
    put_path(&o, "x", "z", "w", val_i64(3));
    put_path(&o, "x", "z", "v", val_i64(4));
    assert_string_equal(object_string(o), "{\"x\":{\"y\":1,\"z\":{\"w\":3,\"v\":4}},\"k\":2}");
    put_path(&o, "k", "n", NULL, val_i64(5));
    assert_string_equal(object_string(o), "{\"x\":{\"y\":1,\"z\":{\"w\":3,\"v\":4}},\"k\":{\"n\":5}}");
    put_path(&o, "x", "z", NULL, val_null());
    assert_string_equal(object_string(o), "{\"x\":{\"y\":1,\"z\":null},\"k\":{\"n\":5}}");
}

static void put_path_copies_what_may_be_shared(void **state)
{
    struct val shared = val_object(), o = val_object(), second = val_object();
    (void)state;
    put_path(&shared, "in", "a", NULL, val_i64(1)); /* its inner object belongs to it */
    put(&o, "v", shared);
    put_path(&o, "v", "in", "b", val_i64(2));
    assert_string_equal(object_string(o), "{\"v\":{\"in\":{\"a\":1,\"b\":2}}}");
    assert_string_equal(object_string(shared), "{\"in\":{\"a\":1}}");
    struct val inner = val_member(shared, "in", 2, SQL_2016_03_23, &arena);
    put(&second, "w", inner);
    put_path(&second, "w", "c", NULL, val_i64(3));
    assert_string_equal(object_string(second), "{\"w\":{\"a\":1,\"c\":3}}");
    assert_string_equal(object_string(shared), "{\"in\":{\"a\":1}}");
    struct val tape = val_object();
    put(&tape, "t", json("{\"a\":1}", SQL_2016_03_23));
    put_path(&tape, "t", "a", NULL, val_i64(7));
    put_path(&tape, "t", "b", NULL, val_i64(8));
    assert_string_equal(object_string(tape), "{\"t\":{\"a\":7,\"b\":8}}");
}

static void strings_are_escaped(void **state)
{
    struct val o = val_object(), key = string("a");
    (void)state;
    key.exp = 1;
    assert_true(val_put(&o, key, string("\"\\\n\x01/\xe2\x82\xac"), SQL_2016_03_23, &arena));
    put(&o, "q\"", json("\"\\u00e9\\/\\ud800\"", SQL_2016_03_23));
    assert_string_equal(object_string(o),
                        "{\"a\":\"\\\"\\\\\\n\\u0001/\xe2\x82\xac\",\"q\\\"\":\"\xc3\xa9/\xef\xbf\xbd\"}");
    struct val bytes = { .kind = VAL_BYTES, .n = 3, .text = "a\xff" };
    buf_reset(&out);
    val_write_json(&out, bytes, SQL_2016_03_23);
    assert_int_equal(out.len, 3);
    assert_string_equal(object_string(VAL_UNDEFINED_VALUE), "");
}

static void nesting_without_end_makes_the_buffer_fail(void **state)
{
    struct val v = val_i64(1);
    (void)state;
    for (int i = 0; i < VAL_MAX_DEPTH; i++) {
        struct val outer = val_array();
        val_append(&outer, v, &arena);
        v = outer;
    }
    buf_reset(&out);
    val_write_json(&out, v, SQL_2016_03_23);
    assert_false(out.failed);
    assert_int_equal(out.len, 2 * VAL_MAX_DEPTH + 1);
    struct val outer = val_array();
    val_append(&outer, v, &arena);
    buf_reset(&out);
    val_write_json(&out, outer, SQL_2016_03_23);
    assert_true(out.failed);
    buf_clear(&out);
}

static void a_full_arena_is_reported(void **state)
{
    struct arena small;
    struct val list = val_array();
    bool ok = true;
    (void)state;
    arena_init(&small, 600);
    for (int i = 0; i < 100 && ok; i++)
        ok = val_append(&list, val_i64(i), &small);
    assert_false(ok);
    assert_true(small.refused);
    arena_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_have_the_type_of_their_version, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_give_their_value, setup, teardown),
        cmocka_unit_test_setup_teardown(small_numbers_are_those_of_18_digits, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_beyond_the_language_have_no_value, setup, teardown),
        cmocka_unit_test_setup_teardown(members_and_elements_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(walking_skips_repeated_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(converts_by_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(converts_built_values_to_text_of_any_length, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_small_numbers_as_the_library_does, setup, teardown),
        cmocka_unit_test_setup_teardown(equality_follows_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(large_objects_in_another_order_are_compared_quickly, setup, teardown),
        cmocka_unit_test_setup_teardown(put_replaces_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(spread_keeps_the_payload_in_one_piece, setup, teardown),
        cmocka_unit_test_setup_teardown(spread_of_odd_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(spread_merges_into_members, setup, teardown),
        cmocka_unit_test_setup_teardown(put_path_nests_and_merges, setup, teardown),
        cmocka_unit_test_setup_teardown(put_path_copies_what_may_be_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_without_end_makes_the_buffer_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_reported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
