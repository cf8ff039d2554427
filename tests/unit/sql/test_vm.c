/* SPDX-License-Identifier: Apache-2.0 */
/* Programs put together by hand, one idea each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sql/funcs.h"
#include "sql/rule_int.h"
#include "sql/vm.h"

#define INS_MAX      40
#define CONSTANT_MAX 12

static struct sql_ins ins[INS_MAX];
static struct span spans[INS_MAX];
static struct val constants[CONSTANT_MAX];
static struct sql_rule rule;
static struct sql_code templates[1];
static struct sql_paths *paths;
static struct src *src;
static struct sql_machine *machine;
static struct buf out;
static struct arena arena;
static struct err error;
static struct message message;
static const struct sql_limits limits = { .steps = 2000, .arena_bytes = 1 << 20, .output_bytes = 1000 };

static int setup(void **state)
{
    (void)state;
    memset(&rule, 0, sizeof(rule));
    rule.program.version = SQL_2016_03_23;
    rule.program.constants = constants;
    rule.program.register_count = 8;
    rule.program.main = (struct sql_code) { .ins = ins, .spans = spans };
    rule.program.templates = templates;
    paths = sql_paths_new();
    src = src_new("<test>", "0123456789012345678901234567890123456789", INS_MAX);
    machine = sql_machine_new(&limits);
    buf_init(&out, 1 << 16);
    arena_init(&arena, 1 << 20);
    for (uint32_t i = 0; i < INS_MAX; i++)
        spans[i] = (struct span) { .src = src, .off = i, .len = 1 };
    message = (struct message) { .topic = "a/b", .topic_len = 3, .payload = "{}", .payload_len = 2 };
    error = (struct err) { 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sql_machine_free(machine);
    sql_paths_unref(paths);
    src_unref(src);
    buf_clear(&out);
    arena_clear(&arena);
    return 0;
}

#define OPS(...)                                                                                                       \
    do {                                                                                                               \
        const struct sql_ins given[] = { __VA_ARGS__ };                                                                \
        memcpy(ins, given, sizeof(given));                                                                             \
        rule.program.main.count = sizeof(given) / sizeof(given[0]);                                                    \
    } while (0)
#define I(name, ...)                                                                                                   \
    {                                                                                                                  \
        .op = OP_##name, __VA_ARGS__                                                                                   \
    }
#define A(x) .a = (x)
#define B(x) .b = (x)
#define C(x) .c = (x)

static struct val string(const char *s)
{
    return val_string(s, strlen(s));
}

static uint16_t slot(const char *name)
{
    const char *names[] = { name };
    const uint32_t lens[] = { (uint32_t)strlen(name) };
    return (uint16_t)sql_paths_intern(paths, names, lens, 1);
}

static uint16_t slot2(const char *first, const char *second)
{
    const char *names[] = { first, second };
    const uint32_t lens[] = { (uint32_t)strlen(first), (uint32_t)strlen(second) };
    return (uint16_t)sql_paths_intern(paths, names, lens, 2);
}

static enum sql_outcome outcome_of(const char *payload)
{
    error = (struct err) { 0 };
    message.payload = payload;
    message.payload_len = strlen(payload);
    assert_int_equal(sql_machine_begin(machine, paths, &message, &error), 0);
    return sql_machine_run(machine, &rule, NULL, &error);
}

static const char *result_of(const char *payload)
{
    bool is_json;
    if (outcome_of(payload) != SQL_MATCHED)
        fail_msg("no match: %s", error.text);
    buf_reset(&out);
    assert_int_equal(sql_machine_output(machine, &out, &is_json, &error), 0);
    return out.p ? out.p : "";
}

/* --- operators --- */

static struct val undefined(void)
{
    return VAL_UNDEFINED_VALUE;
}

static const char *binary(enum sql_op op, struct val x, struct val y)
{
    constants[0] = x;
    constants[1] = y;
    OPS(I(CONST, A(1), B(0)), I(CONST, A(2), B(1)), { .op = (uint8_t)op, A(3), B(1), C(2) }, I(RETURN, A(3)));
    return result_of("{}");
}

static struct val decimal(int64_t coef, int exp)
{
    return (struct val) { .kind = VAL_DECIMAL, .exp = (int16_t)exp, .coef = coef };
}

static void arithmetic(void **state)
{
    (void)state;
    assert_string_equal(binary(OP_ADD, val_i64(2), val_i64(3)), "5");
    assert_string_equal(binary(OP_ADD, val_i64(INT64_MAX), val_i64(1)), "9223372036854775808");
    assert_string_equal(binary(OP_SUB, val_i64(INT64_MIN), val_i64(1)), "-9223372036854775809");
    assert_string_equal(binary(OP_MUL, val_i64(INT64_MAX), val_i64(INT64_MAX)), "");
    assert_string_equal(binary(OP_MUL, val_i64(1000000007), val_i64(INT64_MIN)), "-9223372101418380065983430656");
    assert_string_equal(binary(OP_ADD, decimal(1, -1), decimal(2, -1)), "0.3");
    assert_string_equal(binary(OP_ADD, decimal(5, -1), decimal(25, -1)), "3");
    assert_string_equal(binary(OP_SUB, decimal(110, -2), decimal(1, -1)), "1");
    assert_string_equal(binary(OP_MUL, decimal(15, -1), val_i64(3)), "4.5");
    assert_string_equal(binary(OP_MUL, decimal(15, -1), val_i64(2)), "3");
    assert_string_equal(binary(OP_ADD, decimal(INT64_MAX, -1), decimal(1, -18)), "922337203685477580.7000000000000000");
    assert_string_equal(binary(OP_DIV, val_i64(7), val_i64(2)), "3");
    assert_string_equal(binary(OP_DIV, val_i64(-7), val_i64(2)), "-3");
    assert_string_equal(binary(OP_DIV, string("7"), val_i64(2)), "3.5");
    assert_string_equal(binary(OP_DIV, val_i64(7), val_i64(0)), "");
    assert_string_equal(binary(OP_REM, val_i64(-7), val_i64(4)), "-3");
    assert_string_equal(binary(OP_SUB, string("5"), string("2.5")), "2.5");
    assert_string_equal(binary(OP_SUB, string("x"), val_i64(1)), "");
    assert_string_equal(binary(OP_MUL, val_bool(true), val_i64(1)), "");
    assert_string_equal(binary(OP_ADD, val_null(), val_i64(1)), "");
    assert_string_equal(binary(OP_ADD, undefined(), val_i64(1)), "");
    rule.program.version = SQL_2015_10_08;
    assert_string_equal(binary(OP_ADD, decimal(5, -1), decimal(25, -1)), "3.0");
    assert_string_equal(binary(OP_MUL, decimal(15, -1), val_i64(2)), "3.0");
    assert_string_equal(binary(OP_ADD, decimal(1, 3), val_i64(1)), "1001");
}

static void plus_concatenates(void **state)
{
    (void)state;
    assert_string_equal(binary(OP_ADD, string("5"), val_i64(2)), "\"52\"");
    assert_string_equal(binary(OP_ADD, decimal(250, -2), string("\"")), "\"2.50\\\"\"");
    assert_string_equal(binary(OP_ADD, string("x"), val_bool(true)), "\"xtrue\"");
    assert_string_equal(binary(OP_ADD, string("x"), val_array()), "\"x[]\"");
    assert_string_equal(binary(OP_ADD, string(""), string("")), "\"\"");
    assert_string_equal(binary(OP_ADD, string("x"), val_null()), "");
    assert_string_equal(binary(OP_ADD, undefined(), string("x")), "");
}

static void ordering(void **state)
{
    (void)state;
    assert_string_equal(binary(OP_LT, val_i64(1), val_i64(2)), "true");
    assert_string_equal(binary(OP_LE, decimal(20, -1), val_i64(2)), "true");
    assert_string_equal(binary(OP_GT, decimal(225, -1), val_i64(20)), "true");
    assert_string_equal(binary(OP_GE, string("5"), val_i64(5)), "true");
    assert_string_equal(binary(OP_GT, string("5"), string("10")), "false");
    assert_string_equal(binary(OP_LT, decimal(1, 30), decimal(1, -30)), "false");
    assert_string_equal(binary(OP_LT, val_i64(INT64_MAX), decimal(922337203685477581, 1)), "true");
    assert_string_equal(binary(OP_LT, string("apple"), string("banana")), "");
    assert_string_equal(binary(OP_LT, val_bool(false), val_bool(true)), "");
    assert_string_equal(binary(OP_GE, val_null(), val_null()), "");
    assert_string_equal(binary(OP_GE, undefined(), val_i64(1)), "");
}

static void equality_and_in(void **state)
{
    struct val list = val_array();
    (void)state;
    val_append(&list, val_i64(1), &arena);
    val_append(&list, string("a"), &arena);
    assert_string_equal(binary(OP_EQ, val_i64(5), decimal(50, -1)), "true");
    assert_string_equal(binary(OP_EQ, string("5"), val_i64(5)), "false");
    assert_string_equal(binary(OP_NE, string("5"), val_i64(5)), "true");
    assert_string_equal(binary(OP_NE, string("a"), string("a")), "false");
    assert_string_equal(binary(OP_EQ, val_null(), val_null()), "true");
    assert_string_equal(binary(OP_EQ, val_null(), undefined()), "");
    assert_string_equal(binary(OP_NE, undefined(), undefined()), "");
    assert_string_equal(binary(OP_EQ, list, list), "true");
    assert_string_equal(binary(OP_IN, string("a"), list), "true");
    assert_string_equal(binary(OP_IN, decimal(10, -1), list), "true");
    assert_string_equal(binary(OP_IN, string("b"), list), "false");
    assert_string_equal(binary(OP_IN, undefined(), list), "");
    assert_string_equal(binary(OP_IN, string("a"), string("abc")), "");
}

static void logic(void **state)
{
    (void)state;
    assert_string_equal(binary(OP_AND, val_bool(true), val_bool(false)), "false");
    assert_string_equal(binary(OP_OR, val_bool(true), val_bool(false)), "true");
    assert_string_equal(binary(OP_AND, string("TRUE"), val_bool(true)), "true");
    assert_string_equal(binary(OP_OR, val_bool(true), undefined()), "");
    assert_string_equal(binary(OP_AND, val_bool(false), val_i64(1)), "");
    assert_string_equal(binary(OP_NOT, val_bool(true), undefined()), "false");
    constants[0] = string("false");
    OPS(I(CONST, A(1), B(0)), I(NOT, A(2), B(1)), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "true");
    constants[0] = val_i64(0);
    assert_string_equal(result_of("{}"), "");
    constants[0] = string("-2.5");
    OPS(I(CONST, A(1), B(0)), I(NEG, A(2), B(1)), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "2.5");
    constants[0] = val_i64(INT64_MIN);
    assert_string_equal(result_of("{}"), "9223372036854775808");
}

static const char *cast(struct val v, enum sql_cast type)
{
    constants[0] = v;
    OPS(I(CONST, A(1), B(0)), I(CAST, A(2), B(1), C((uint16_t)type)), I(RETURN, A(2)));
    return result_of("{}");
}

static void casts(void **state)
{
    (void)state;
    assert_string_equal(cast(val_bool(true), SQL_CAST_INT), "1");
    assert_string_equal(cast(val_bool(false), SQL_CAST_DOUBLE), "0");
    assert_string_equal(cast(decimal(-25, -1), SQL_CAST_INT), "-3");
    assert_string_equal(cast(string("-2.5"), SQL_CAST_INT), "-3");
    assert_string_equal(cast(string("x"), SQL_CAST_INT), "");
    assert_string_equal(cast(val_i64(0), SQL_CAST_BOOL), "false");
    assert_string_equal(cast(decimal(1, -3), SQL_CAST_BOOL), "true");
    assert_string_equal(cast(string("True"), SQL_CAST_BOOL), "true");
    assert_string_equal(cast(string("1"), SQL_CAST_BOOL), "");
    assert_string_equal(cast(val_i64(12), SQL_CAST_STRING), "\"12\"");
    assert_string_equal(cast(val_array(), SQL_CAST_STRING), "\"[]\"");
    assert_string_equal(cast(val_array(), SQL_CAST_DECIMAL), "");
    assert_string_equal(cast(val_null(), SQL_CAST_STRING), "");
    assert_string_equal(cast(val_null(), SQL_CAST_INT), "");
    rule.program.version = SQL_2015_10_08;
    assert_string_equal(cast(val_bool(true), SQL_CAST_DOUBLE), "1.0");
}

/* --- the payload --- */

static void slots_and_members(void **state)
{
    uint16_t a = slot("a"), deep = slot2("b", "c");
    (void)state;
    constants[0] = string("c");
    constants[1] = string("x");
    constants[2] = string("y");
    constants[3] = string("z");
    OPS(I(OBJECT, A(0)), I(SLOT, A(1), B(deep)), I(PUT, A(0), B(1), C(1)), I(SLOT, A(1), B(a)),
        I(PUT, A(0), B(1), C(2)), I(SLOT, A(1), B(slot("b"))), I(MEMBER, A(2), B(1), C(0)), I(PUT, A(0), B(2), C(3)),
        I(RETURN, A(0)));
    assert_string_equal(result_of("{\"a\":1,\"b\":{\"c\":[2]}}"), "{\"x\":[2],\"y\":1,\"z\":[2]}");
    assert_string_equal(result_of("{\"b\":{\"c\":null}}"), "{\"x\":null,\"z\":null}");
    assert_string_equal(result_of("{\"a\":{},\"b\":7}"), "{\"y\":{}}");
    assert_string_equal(result_of("[1]"), "{}");
    assert_false(sql_machine_parse_failed(machine, NULL));
    assert_string_equal(result_of("80"), "{}");
    assert_false(sql_machine_parse_failed(machine, NULL));
    assert_string_equal(result_of(""), "{}");
    assert_false(sql_machine_parse_failed(machine, NULL));
    assert_string_equal(result_of("{\"a\":1,"), "{}");
    assert_true(sql_machine_parse_failed(machine, &error));
    assert_int_equal(error.code, ERR_JSON_SYNTAX);
    assert_string_equal(result_of("{\"a\":1}"), "{\"y\":1}");
    assert_false(sql_machine_parse_failed(machine, NULL));
}

static void numbers_of_slots_are_parsed_once_and_copied_as_text(void **state)
{
    uint16_t a = slot("a");
    (void)state;
    constants[0] = val_i64(20);
    constants[1] = string("a");
    OPS(I(SLOT, A(1), B(a)), I(CONST, A(2), B(0)), I(GT, A(3), B(1), C(2)), I(WHERE, A(3)), I(GT, A(3), B(1), C(2)),
        I(WHERE, A(3)), I(OBJECT, A(0)), I(PUT, A(0), B(1), C(1)), I(RETURN, A(0)));
    assert_string_equal(result_of("{\"a\":22.50}"), "{\"a\":22.50}");
    assert_int_equal(outcome_of("{\"a\":19.99}"), SQL_FILTERED);
    assert_string_equal(result_of("{\"a\":123456789012345678901234567890}"), "{\"a\":123456789012345678901234567890}");
    assert_int_equal(outcome_of("{\"a\":-123456789012345678901234567890.5}"), SQL_FILTERED);
    assert_string_equal(result_of("{\"a\":2.5E+1}"), "{\"a\":25}");
    assert_int_equal(outcome_of("{\"b\":1}"), SQL_FILTERED);
}

static void one_message_under_both_number_rules(void **state)
{
    uint16_t a = slot("a");
    bool is_json;
    (void)state;
    OPS(I(SLOT, A(1), B(a)), I(RETURN, A(1)));
    assert_string_equal(result_of("{\"a\":5.0}"), "5");
    rule.program.version = SQL_2015_10_08;
    assert_int_equal(sql_machine_run(machine, &rule, NULL, &error), SQL_MATCHED);
    buf_reset(&out);
    assert_int_equal(sql_machine_output(machine, &out, &is_json, &error), 0);
    assert_string_equal(out.p, "5.0");
}

static void star_and_bytes(void **state)
{
    bool is_json;
    (void)state;
    OPS(I(STAR, A(1)), I(RETURN, A(1)));
    assert_string_equal(result_of(" {\"a\" : 1.0} "), "{\"a\":1}");
    assert_string_equal(result_of("[ 1 ]"), "[1]");
    assert_string_equal(result_of("hello "), "hello ");
    assert_int_equal(sql_machine_output(machine, &out, &is_json, &error), 0);
    assert_false(is_json);
    assert_false(sql_machine_parse_failed(machine, NULL));
    assert_string_equal(result_of(" 80"), " 80");
    assert_int_equal(sql_machine_output(machine, &out, &is_json, &error), 0);
    assert_true(is_json);
    OPS(I(OBJECT, A(0)), I(STAR, A(1)), I(SPREAD, A(0), B(1)), I(PUT, A(0), B(1), C(0)), I(RETURN, A(0)));
    constants[0] = string("k");
    assert_string_equal(result_of("{\"a\":1}"), "{\"a\":1,\"k\":{\"a\":1}}");
    assert_string_equal(result_of("hello"), "{}");
    rule.program.needs_json = true;
    assert_string_equal(result_of("hello"), "{}");
    assert_true(sql_machine_parse_failed(machine, NULL));
}

/* --- building, loops, jumps --- */

static void loops_over_arrays_and_objects(void **state)
{
    (void)state;
    constants[0] = string("v");
    OPS(I(ARRAY, A(0)), I(SLOT, A(1), B(slot("l"))), I(ITER, A(2), B(1), C(8)), /* 3: */ I(NEXT, A(2), B(3), C(7)),
        I(MEMBER, A(4), B(3), C(0)), I(APPEND, A(0), B(4)), I(JUMP, A(3)), /* 7: */ I(RETURN, A(0)),
        /* 8: */ I(RETURN, A(5)));
    assert_string_equal(result_of("{\"l\":[{\"v\":1},{\"w\":2},{\"v\":[]},5,{\"v\":null}]}"), "[1,[],null]");
    assert_string_equal(result_of("{\"l\":{\"v\":3}}"), "[3]");
    assert_string_equal(result_of("{\"l\":[]}"), "[]");
    assert_string_equal(result_of("{\"l\":5}"), "");
    assert_string_equal(result_of("{}"), "");
}

static void first_and_jumps(void **state)
{
    (void)state;
    constants[0] = string("yes");
    constants[1] = string("no");
    OPS(I(SLOT, A(1), B(slot("a"))), I(JUMP_UNDEF, A(1), B(8)), I(JUMP_ARRAY, A(1), B(6)), I(JUMP_FALSE, A(1), B(8)),
        I(CONST, A(2), B(0)), I(RETURN, A(2)), /* 6: */ I(FIRST, A(2), B(1)), I(RETURN, A(2)),
        /* 8: */ I(CONST, A(2), B(1)), I(RETURN, A(2)));
    assert_string_equal(result_of("{\"a\":true}"), "\"yes\"");
    assert_string_equal(result_of("{\"a\":\"True\"}"), "\"yes\"");
    assert_string_equal(result_of("{\"a\":false}"), "\"no\"");
    assert_string_equal(result_of("{\"a\":1}"), "\"no\"");
    assert_string_equal(result_of("{}"), "\"no\"");
    assert_string_equal(result_of("{\"a\":[7,8]}"), "7");
    assert_string_equal(result_of("{\"a\":[]}"), "");
}

static void calls_check_count_and_strictness(void **state)
{
    uint16_t abs_row = (uint16_t)sql_func_find("abs", 3), isnull = (uint16_t)sql_func_find("isnull", 6);
    (void)state;
    constants[0] = val_i64(-5);
    constants[1] = val_null();
    OPS(I(CONST, A(1), B(0)), I(CALL, A(2), B(1), C(abs_row), .n = 1), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "5");
    OPS(I(CALL, A(2), B(1), C(abs_row), .n = 0), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "");
    OPS(I(CONST, A(1), B(0)), I(CONST, A(2), B(0)), I(CALL, A(3), B(1), C(abs_row), .n = 2), I(RETURN, A(3)));
    assert_string_equal(result_of("{}"), "");
    OPS(I(CONST, A(1), B(1)), I(CALL, A(2), B(1), C(abs_row), .n = 1), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "");
    OPS(I(CONST, A(1), B(1)), I(CALL, A(2), B(1), C(isnull), .n = 1), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "true");
    OPS(I(CALL, A(2), B(1), C(isnull), .n = 1), I(RETURN, A(2)));
    assert_string_equal(result_of("{}"), "false");
}

/* --- templates --- */

static int render(bool *is_null)
{
    buf_reset(&out);
    return sql_machine_render(machine, &rule, 0, NULL, &out, is_null, &error);
}

static void templates_see_variables_and_append_text(void **state)
{
    static struct sql_ins code[] = { I(CONST, A(1), B(0)), I(TEXT, A(1)), I(TEXT, A(0)),
                                     I(SLOT, A(1), B(0)),  I(TEXT, A(1)), I(RETURN, A(1)) };
    bool is_null;
    uint16_t a = slot("a");
    (void)state;
    code[3].b = a;
    templates[0] = (struct sql_code) { .ins = code, .spans = spans, .count = 6 };
    rule.program.set_count = 1;
    constants[0] = string("x=");
    OPS(I(SLOT, A(0), B(a)), I(RETURN, A(0)));
    assert_string_equal(result_of("{\"a\":[1, true]}"), "[1,true]");
    assert_int_equal(render(&is_null), 0);
    assert_string_equal(out.p, "x=[1,true][1,true]");
    assert_false(is_null);
    result_of("{\"a\":null}");
    assert_int_equal(render(&is_null), 0);
    assert_string_equal(out.p, "x=");
    assert_false(is_null);
    result_of("{\"a\":\"\\u00e9\\n\"}");
    assert_int_equal(render(&is_null), 0);
    assert_string_equal(out.p, "x=\xc3\xa9\n\xc3\xa9\n");
}

static void a_single_template_tells_null(void **state)
{
    static struct sql_ins code[] = { I(SLOT, A(1), B(0)), I(TEXT, A(1)), I(RETURN, A(1)) };
    static struct sql_ins star[] = { I(STAR, A(1)), I(TEXT, A(1)), I(RETURN, A(1)) };
    bool is_null;
    (void)state;
    code[0].b = slot("a");
    templates[0] = (struct sql_code) { .ins = code, .spans = spans, .count = 3, .single = true };
    OPS(I(RETURN, A(0)));
    result_of("{\"a\":null}");
    assert_int_equal(render(&is_null), 0);
    assert_true(is_null);
    assert_int_equal(out.len, 0);
    result_of("{}");
    assert_int_equal(render(&is_null), 0);
    assert_true(is_null);
    result_of("{\"a\":\"\"}");
    assert_int_equal(render(&is_null), 0);
    assert_false(is_null);
    result_of("not json");
    assert_int_equal(render(&is_null), 0);
    assert_true(is_null);
    assert_true(sql_machine_parse_failed(machine, NULL));
    templates[0].ins = star;
    result_of("not json");
    assert_int_equal(render(&is_null), 0);
    assert_string_equal(out.p, "not json");
    assert_false(is_null);
    result_of("\xff\xfe");
    assert_int_equal(render(&is_null), 0);
    assert_int_equal(out.len, 0);
}

/* --- limits --- */

static void failed_at(uint32_t off)
{
    assert_int_equal(error.code, ERR_LIMIT);
    assert_ptr_equal(error.at.src, src);
    assert_int_equal(error.at.off, off);
}

static void the_number_of_steps_is_bounded(void **state)
{
    (void)state;
    OPS(I(CONST, A(1), B(0)), I(JUMP, A(0)), I(RETURN, A(1)));
    assert_int_equal(outcome_of("{}"), SQL_FAILED);
    failed_at(0);
    assert_string_equal(error.text, "the evaluation takes more than 2000 steps");
    OPS(I(RETURN, A(1)));
    assert_string_equal(result_of("{}"), "");
}

static void work_on_large_values_is_bounded(void **state)
{
    size_t size = 90000;
    char *payload = malloc(size + 16);
    (void)state;
    memcpy(payload, "{\"a\":\"", 6);
    memset(payload + 6, 'x', size);
    memcpy(payload + 6 + size, "\"}", 3);
    constants[0] = string("y");
    OPS(I(SLOT, A(1), B(slot("a"))), I(CONST, A(2), B(0)),
        I(CALL, A(3), B(1), C((uint16_t)sql_func_find("indexof", 7)), .n = 2), I(JUMP, A(0)), I(RETURN, A(3)));
    assert_int_equal(outcome_of(payload), SQL_FAILED);
    failed_at(2);
    free(payload);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    sql_machine_free(machine);
    machine = sql_machine_new(&(struct sql_limits) { .arena_bytes = 20000 });
    OPS(I(ARRAY, A(0)), I(CONST, A(1), B(0)), I(APPEND, A(0), B(1)), I(JUMP, A(2)), I(RETURN, A(1)));
    constants[0] = val_i64(1);
    assert_int_equal(outcome_of("{}"), SQL_FAILED);
    failed_at(2);
    assert_string_equal(error.text, "the evaluation needs more than 20000 bytes of memory");
    OPS(I(RETURN, A(1)));
    assert_string_equal(result_of("{}"), "");
}

static void output_and_text_are_bounded(void **state)
{
    static struct sql_ins code[] = { I(CONST, A(1), B(0)), I(TEXT, A(1)), I(TEXT, A(1)), I(RETURN, A(1)) };
    static char text[701];
    bool flag;
    (void)state;
    memset(text, 'x', 700);
    constants[0] = string(text);
    templates[0] = (struct sql_code) { .ins = code, .spans = spans, .count = 4 };
    OPS(I(CONST, A(1), B(0)), I(ADD, A(1), B(1), C(1)), I(RETURN, A(1)));
    assert_int_equal(outcome_of("{}"), SQL_MATCHED);
    buf_reset(&out);
    assert_int_equal(sql_machine_output(machine, &out, &flag, &error), -1);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_string_equal(error.text, "the output is longer than 1000 bytes");
    assert_int_equal(out.max, 1 << 16);
    error = (struct err) { 0 };
    assert_int_equal(render(&flag), -1);
    failed_at(2);
    assert_string_equal(error.text, "the template's text is longer than 1000 bytes");
    buf_clear(&out);
}

/* --- folding --- */

static bool folds(struct val *result)
{
    return sql_vm_fold(&rule.program, &rule.program.main, &arena, result);
}

static void constant_code_is_folded(void **state)
{
    struct val v;
    (void)state;
    constants[0] = val_i64(40);
    constants[1] = val_i64(2);
    OPS(I(CONST, A(100), B(0)), I(CONST, A(3), B(1)), I(ADD, A(100), B(100), C(3)), I(RETURN, A(100)));
    assert_true(folds(&v));
    assert_int_equal(v.kind, VAL_INT);
    assert_int_equal(v.coef, 42);
    constants[0] = string("ab12");
    constants[1] = string("^[a-z]+[0-9]+$");
    OPS(I(CONST, A(0), B(0)), I(CONST, A(1), B(1)),
        I(CALL, A(0), B(0), C((uint16_t)sql_func_find("regexp_matches", 14)), .n = 2), I(RETURN, A(0)));
    assert_true(folds(&v));
    assert_true(v.kind == VAL_BOOL && v.truth);
}

static void other_code_is_not_folded(void **state)
{
    struct val v;
    (void)state;
    OPS(I(SLOT, A(0), B(0)), I(RETURN, A(0)));
    assert_false(folds(&v));
    OPS(I(STAR, A(0)), I(RETURN, A(0)));
    assert_false(folds(&v));
    OPS(I(CALL, A(0), B(0), C((uint16_t)sql_func_find("newuuid", 7)), .n = 0), I(RETURN, A(0)));
    assert_false(folds(&v));
    OPS(I(JUMP, A(0)), I(RETURN, A(0)));
    assert_false(folds(&v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arithmetic, setup, teardown),
        cmocka_unit_test_setup_teardown(plus_concatenates, setup, teardown),
        cmocka_unit_test_setup_teardown(ordering, setup, teardown),
        cmocka_unit_test_setup_teardown(equality_and_in, setup, teardown),
        cmocka_unit_test_setup_teardown(logic, setup, teardown),
        cmocka_unit_test_setup_teardown(casts, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_and_members, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_slots_are_parsed_once_and_copied_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(one_message_under_both_number_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(star_and_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_over_arrays_and_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(first_and_jumps, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_check_count_and_strictness, setup, teardown),
        cmocka_unit_test_setup_teardown(templates_see_variables_and_append_text, setup, teardown),
        cmocka_unit_test_setup_teardown(a_single_template_tells_null, setup, teardown),
        cmocka_unit_test_setup_teardown(the_number_of_steps_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(work_on_large_values_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(output_and_text_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(constant_code_is_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(other_code_is_not_folded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
