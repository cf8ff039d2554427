/* SPDX-License-Identifier: Apache-2.0 */
/* Whole statements on hard messages: limits, strange payloads, and that a warm machine takes nothing from the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"
#include "tests/unit/counted_alloc.h"

/* --- one rule and its machine --- */

static struct sql_paths *paths;
static struct sql_rule *rule;
static struct sql_machine *machine;
static struct src *src;
static struct buf out;
static struct err error;
static struct message message;
static bool is_json;

static int setup(void **state)
{
    (void)state;
    paths = sql_paths_new();
    machine = sql_machine_new(NULL);
    rule = NULL;
    src = NULL;
    buf_init(&out, (size_t)64 << 20);
    message = (struct message) { .topic = "a/b",
                                 .topic_len = 3,
                                 .over_mqtt = true,
                                 .client_id = "gw-7",
                                 .payload_format = PAYLOAD_FORMAT_ABSENT,
                                 .arrival_ms = 1700000000123,
                                 .seed = 5 };
    return 0;
}

static void drop_rule(void)
{
    sql_rule_free(rule);
    src_unref(src);
    rule = NULL;
    src = NULL;
}

static int teardown(void **state)
{
    (void)state;
    drop_rule();
    sql_machine_free(machine);
    sql_paths_unref(paths);
    buf_clear(&out);
    return 0;
}

static void compile(const char *sql)
{
    struct errs errs = { 0 };
    drop_rule();
    src = src_new("<sql>", sql, strlen(sql));
    rule = sql_rule_compile(src, SQL_2016_03_23, paths, &errs);
    if (!rule)
        fail_msg("%s: %s", sql, errs.items[0].text);
    errs_clear(&errs);
}

static int add_template(const char *text)
{
    struct errs errs = { 0 };
    struct src *template_src = src_new("<template>", text, strlen(text));
    int index = sql_rule_add_template(rule, template_src, &errs);
    assert_true(index >= 0);
    errs_clear(&errs);
    src_unref(template_src);
    return index;
}

static enum sql_outcome evaluate(const char *payload, size_t len)
{
    static const struct sql_env env = { .rule_name = "r" };
    error = (struct err) { 0 };
    message.payload = payload;
    message.payload_len = len;
    buf_reset(&out);
    assert_int_equal(sql_machine_begin(machine, paths, &message, &error), 0);
    enum sql_outcome outcome = sql_machine_run(machine, rule, &env, &error);
    if (outcome == SQL_MATCHED && sql_machine_output(machine, &out, &is_json, &error) < 0)
        return SQL_FAILED;
    return outcome;
}

static const char *output_of(const char *payload)
{
    if (evaluate(payload, strlen(payload)) != SQL_MATCHED)
        fail_msg("no match: %s", error.text);
    return out.p ? out.p : "";
}

static void limit(struct sql_limits limits)
{
    sql_machine_free(machine);
    machine = sql_machine_new(&limits);
}

/* --- results --- */

static void a_rule_from_end_to_end(void **state)
{
    (void)state;
    compile("SELECT temperature, clientid() AS c FROM 'a/#' WHERE temperature > 20");
    assert_string_equal(output_of("{\"temperature\":22.50}"), "{\"temperature\":22.50,\"c\":\"gw-7\"}");
    assert_true(is_json);
    assert_int_equal(evaluate("{\"temperature\":20}", 18), SQL_FILTERED);
    assert_int_equal(evaluate("{}", 2), SQL_FILTERED);
}

static void star_keeps_its_place_and_gives_way_to_names(void **state)
{
    (void)state;
    compile("SELECT *, topic(2) AS t, a + 1 AS b FROM 'a/#'");
    assert_string_equal(output_of("{\"a\":1, \"z\" : [ ]}"), "{\"a\":1,\"z\":[],\"t\":\"b\",\"b\":2}");
    assert_string_equal(output_of("{\"b\":0,\"a\":1,\"t\":null}"), "{\"b\":2,\"a\":1,\"t\":\"b\"}");
    assert_string_equal(output_of("{}"), "{\"t\":\"b\"}");
    assert_string_equal(output_of("x"), "{\"t\":\"b\"}");
    assert_true(sql_machine_parse_failed(machine, NULL));
    assert_string_equal(output_of(""), "{\"t\":\"b\"}");
    assert_false(sql_machine_parse_failed(machine, NULL));
}

static void dotted_aliases_do_not_reach_into_variables(void **state)
{
    (void)state;
    compile("SET @o = {'k': 1} SELECT @o AS x, 2 AS x.k, @o AS y, 3 AS y.z.w, @o.k AS z FROM 'a/#'");
    assert_string_equal(output_of("{}"), "{\"x\":{\"k\":2},\"y\":{\"k\":1,\"z\":{\"w\":3}},\"z\":1}");
}

static void a_second_evaluation_gives_the_same(void **state)
{
    char first[300];
    (void)state;
    compile("SELECT newuuid() AS a, newuuid() AS b, traceid() AS t, timestamp() AS at, (SELECT newuuid() AS u FROM l) "
            "AS l FROM 'a/#'");
    int index = add_template("${newuuid()}"), other = add_template("${newuuid()}");
    bool is_null;
    snprintf(first, sizeof(first), "%s", output_of("{\"l\":[{},{}]}"));
    assert_int_equal(sql_machine_render(machine, rule, index, NULL, &out, &is_null, &error), 0);
    assert_string_equal(output_of("{\"l\":[{},{}]}"), first);
    buf_reset(&out);
    assert_int_equal(sql_machine_render(machine, rule, other, NULL, &out, &is_null, &error), 0);
    char rendered[64];
    snprintf(rendered, sizeof(rendered), "%s", out.p);
    output_of("{}");
    buf_reset(&out);
    assert_int_equal(sql_machine_render(machine, rule, index, NULL, &out, &is_null, &error), 0);
    assert_string_not_equal(out.p, rendered);
    buf_reset(&out);
    assert_int_equal(sql_machine_render(machine, rule, other, NULL, &out, &is_null, &error), 0);
    assert_string_equal(out.p, rendered);
}

/* --- hard payloads --- */

static void nested_payloads(void **state)
{
    enum { DEEP = 10000, SHALLOW = 511 }; /* the object is a level too */
    char *payload = malloc(2 * DEEP + 16);
    (void)state;
    for (int depth = SHALLOW; depth <= DEEP; depth += DEEP - SHALLOW) {
        size_t len = (size_t)sprintf(payload, "{\"a\":");
        memset(payload + len, '[', (size_t)depth);
        memset(payload + len + depth, ']', (size_t)depth);
        strcpy(payload + len + 2 * (size_t)depth, "}");
        compile("SELECT a, 1 AS k FROM 'a/#'");
        const char *text = output_of(payload);
        if (depth == SHALLOW) {
            assert_int_equal(strlen(text), strlen(payload) + 6);
            compile("SELECT a = a AS same, a = b AS other FROM 'a/#'");
            assert_string_equal(output_of(payload), "{\"same\":true}");
        } else {
            assert_string_equal(text, "{\"k\":1}");
            assert_true(sql_machine_parse_failed(machine, &error));
            assert_int_equal(error.code, ERR_LIMIT);
            compile("SELECT * FROM 'a/#'");
            assert_string_equal(output_of(payload), payload);
            assert_false(is_json);
        }
    }
    free(payload);
}

static void a_payload_of_10_megabytes(void **state)
{
    size_t size = 10000000, len = 0;
    char *payload = malloc(size + 100);
    (void)state;
    len += (size_t)sprintf(payload, "{\"first\":1,\"list\":[");
    while (len < size)
        len += (size_t)sprintf(payload + len, "{\"n\":%zu,\"text\":\"some text\"},", len);
    len += (size_t)sprintf(payload + len, "{\"n\":-1}],\"last\":2.50}");
    compile("SELECT first, last, get(list, 1).n AS n, (SELECT n FROM list WHERE n < 100) AS few, -1 IN (SELECT VALUE n "
            "FROM list) AS in "
            "FROM 'a/#'");
    assert_int_equal(evaluate(payload, len), SQL_MATCHED);
    assert_string_equal(
        out.p,
        "{\"first\":1,\"last\":2.50,\"n\":47,\"few\":[{\"n\":19},{\"n\":47},{\"n\":75},{\"n\":-1}],\"in\":true}");
    compile("SELECT *, 1 AS k FROM 'a/#'");
    assert_int_equal(evaluate(payload, len), SQL_MATCHED);
    assert_int_equal(out.len, len + 6);
    compile("SELECT *, 1 AS first FROM 'a/#'");
    assert_int_equal(evaluate(payload, len), SQL_MATCHED);
    assert_int_equal(out.len, len);
    free(payload);
}

static void many_keys_and_many_names(void **state)
{
    enum { KEYS = 100000, NAMES = 200 };
    char *payload = malloc(KEYS * 16 + 16), sql[NAMES * 24 + 64];
    size_t len = 0, sql_len = 0;
    (void)state;
    for (int i = 0; i < KEYS; i++)
        len += (size_t)sprintf(payload + len, "%s\"k%d\":%d", i ? "," : "{", i, i % 10);
    payload[len++] = '}';
    sql_len += (size_t)sprintf(sql, "SELECT *");
    for (int i = 0; i < NAMES; i++)
        sql_len += (size_t)sprintf(sql + sql_len, ", %d AS %c%d", i, i % 2 ? 'k' : 'n', i);
    sprintf(sql + sql_len, " FROM 'a/#'");
    compile(sql);
    assert_int_equal(evaluate(payload, len), SQL_MATCHED);
    assert_true(out.len > len);
    free(payload);
}

static void long_numbers(void **state)
{
    enum { DIGITS = 10000 };
    char *payload = malloc(DIGITS + 64), *expected = malloc(DIGITS + 64);
    (void)state;
    sprintf(payload, "{\"a\":");
    memset(payload + 5, '7', DIGITS);
    strcpy(payload + 5 + DIGITS, "}");
    compile("SELECT a, a + 1 AS b, a > 1 AS c, a = a AS d, cast(a as String) = '7' AS e FROM 'a/#'");
    sprintf(expected, "%.*s,\"e\":false}", DIGITS + 5, payload);
    assert_string_equal(output_of(payload), expected);
    payload[5 + DIGITS / 2] = '.';
    compile("SELECT * FROM 'a/#'");
    assert_string_equal(output_of(payload), payload);
    compile("SELECT a / 2 AS h FROM 'a/#'");
    output_of(payload);
    free(payload);
    free(expected);
}

static void odd_text(void **state)
{
    (void)state;
    compile("SELECT a, length(a) AS n, upper(a) AS u FROM 'a/#'");
    assert_string_equal(output_of("{\"a\":\"x\\ud800\"}"), "{\"a\":\"x\xef\xbf\xbd\",\"n\":2,\"u\":\"X\xef\xbf\xbd\"}");
    assert_string_equal(output_of("{\"\\u0061\":\"\\u0000\"}"), "{\"a\":\"\\u0000\",\"n\":1,\"u\":\"\\u0000\"}");
    assert_string_equal(output_of("{\"a\":\"\xff\"}"), "{}");
    assert_true(sql_machine_parse_failed(machine, NULL));
    compile("SELECT topic() AS t, regexp_matches(topic(), 'a') AS m, length(topic()) AS n FROM '#'");
    message.topic = "a\xff";
    message.topic_len = 2;
    assert_string_equal(output_of("{}"), "{\"t\":\"a\xef\xbf\xbd\",\"m\":true,\"n\":2}");
}

static void parse_failures_are_those_of_the_last_run(void **state)
{
    struct sql_rule *reads;
    (void)state;
    compile("SELECT a FROM 'a/#' WHERE topic(2) = 'b'");
    reads = rule;
    struct src *reads_src = src;
    rule = NULL;
    src = NULL;
    compile("SELECT *, topic() AS t FROM 'a/#' WHERE topic(2) = 'c'");
    int index = add_template("${a}");
    bool is_null;
    struct sql_rule *filtered = rule;
    for (int round = 0; round < 2; round++) {
        rule = reads;
        assert_int_equal(evaluate("x", 1), SQL_MATCHED);
        assert_int_equal(sql_machine_run(machine, reads, NULL, &error), SQL_MATCHED); /* the payload is known by now */
        assert_true(sql_machine_parse_failed(machine, NULL));
        rule = filtered;
        assert_int_equal(sql_machine_run(machine, filtered, NULL, &error), SQL_FILTERED);
        assert_false(sql_machine_parse_failed(machine, NULL));
        assert_int_equal(sql_machine_render(machine, filtered, index, NULL, &out, &is_null, &error), 0);
        assert_true(sql_machine_parse_failed(machine, NULL));
    }
    sql_rule_free(reads);
    src_unref(reads_src);
}

/* --- limits --- */

static void limits_say_where(void **state)
{
    (void)state;
    limit((struct sql_limits) { .steps = 50 });
    compile("SELECT (SELECT VALUE v FROM l AS v) AS x FROM 'a/#'");
    assert_string_equal(output_of("{\"l\":[1,2,3]}"), "{\"x\":[1,2,3]}");
    const char *payload = "{\"l\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}";
    assert_int_equal(evaluate(payload, strlen(payload)), SQL_FAILED);
    assert_int_equal(error.code, ERR_LIMIT);
    assert_ptr_equal(error.at.src, src);
    assert_true(error.at.off >= 7 && error.at.len > 0);
    limit((struct sql_limits) { .arena_bytes = 20000 });
    assert_int_equal(evaluate("{\"l\":[1]}", 9), SQL_MATCHED);
    compile("SELECT replace(replace(s, 'x', 'yyyyyyyyyyyyyyyyyyyyyyyy'), 'y', 'zzzzzzzzzzzzzzzzzzzzzzzzzzzz') AS z "
            "FROM 'a/#'");
    payload = "{\"s\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}";
    assert_int_equal(evaluate(payload, strlen(payload)), SQL_FAILED);
    assert_int_equal(error.at.off, 7);
    limit((struct sql_limits) { .output_bytes = 10 });
    compile("SELECT * FROM 'a/#'");
    assert_int_equal(evaluate("{\"l\":1234}", 10), SQL_MATCHED);
    assert_int_equal(evaluate("{\"l\":12345}", 11), SQL_FAILED);
    buf_clear(&out);
}

static void loops_over_large_values_end_at_the_limit(void **state)
{
    size_t len = 0;
    char *payload = malloc(2000000);
    (void)state;
    len += (size_t)sprintf(payload, "{\"list\":[0");
    for (int i = 1; i < 100000; i++)
        len += (size_t)sprintf(payload + len, ",%d", i);
    len += (size_t)sprintf(payload + len, "]}");
    compile("SET @l = list SELECT (SELECT VALUE v FROM list AS v WHERE -1 IN @l) AS x FROM 'a/#'");
    assert_int_equal(evaluate(payload, len), SQL_FAILED);
    assert_int_equal(error.code, ERR_LIMIT);
    free(payload);
}

static void variables_are_bounded_together(void **state)
{
    enum { ROOM = 128 << 10 };
    char *payload = malloc(ROOM + 64);
    (void)state;
    compile("SET @a = s, @b = 'xyz' SELECT 1 AS k FROM 'a/#' WHERE topic(2) = 'b'");
    for (int over = 0; over < 2; over++) {
        size_t len = (size_t)sprintf(payload, "{\"s\":\""), room = ROOM - 2 - 5 + (size_t)over; /* quotes, and "xyz" */
        memset(payload + len, 's', room);
        strcpy(payload + len + room, "\"}");
        assert_int_equal(evaluate(payload, len + room + 2), over ? SQL_FAILED : SQL_MATCHED);
        assert_int_equal(error.code, over ? ERR_LIMIT : ERR_NONE);
    }
    assert_int_equal(error.at.off, 12);
    free(payload);
}

/* --- memory --- */

static void a_warm_machine_takes_nothing_from_the_heap(void **state)
{
    static const char *const statements[] = {
        "SELECT temperature, clientid() AS c FROM 'a/#' WHERE temperature > 20",
        "SELECT *, topic(2) AS t, timestamp() AS at FROM 'a/#'",
        "SELECT *, 5 AS temperature FROM 'a/#'",
        "SELECT temperature * 1.8 + 32 AS f, id * 1000 AS i, upper(s) AS u, lower(s) AS l, replace(s, 'a', 'bb') AS r "
        "FROM 'a/#'",
        "SELECT (SELECT v FROM l WHERE v > 1) AS x, {'k': [a, b, 'z']} AS o, newuuid() AS u, a.b AS p.q.r, 1 AS p.q.s "
        "FROM 'a/#'",
        "SELECT regexp_matches(s, '^[a-z]+$') AS m, regexp_matches(s, 'e$') AS e, encode(*, 'base64') AS d FROM 'a/#'",
        "SELECT decode(encode(o, 'base64'), 'base64').k AS k, o = {'k': 1, 'j': 2} AS same, cast(o as String) AS t "
        "FROM 'a/#'",
        "SET @v = get(l, 0) SELECT VALUE @v.v FROM 'a/#'",
        "SELECT get_user_properties() AS p, get_mqtt_property('correlation_data') AS c FROM 'a/#'",
        "SELECT * FROM 'a/#'",
    };
    static const char payload[] =
        "{\"temperature\":22.50,\"id\":123456789012345678901234567890,\"s\":\"\\u00e9tat a\",\"l\":[{\"v\":1},"
        "{\"v\":2}],\"o\":{\"j\":2,\"k\":1},\"a\":{\"b\":5.0}}";
    static const struct user_property properties[] = { { "k", "v", 1, 1 }, { "k2", "v2", 2, 2 } };
    (void)state;
    message.user_properties = properties;
    message.user_property_count = 2;
    message.correlation_data = "\x01\x02";
    message.correlation_len = 2;
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        bool is_null;
        compile(statements[i]);
        int index = add_template("x-${temperature}-${l}");
        size_t before = 0;
        for (int round = 0; round < 6; round++) {
            if (round == 3)
                before = allocations;
            assert_int_equal(evaluate(payload, sizeof(payload) - 1), SQL_MATCHED);
            assert_int_equal(sql_machine_render(machine, rule, index, NULL, &out, &is_null, &error), 0);
            evaluate("not json", 8);
        }
        if (allocations != before)
            fail_msg("%zu allocations: %s", allocations - before, statements[i]);
        assert_true(before > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rule_from_end_to_end, setup, teardown),
        cmocka_unit_test_setup_teardown(star_keeps_its_place_and_gives_way_to_names, setup, teardown),
        cmocka_unit_test_setup_teardown(dotted_aliases_do_not_reach_into_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_evaluation_gives_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(nested_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_payload_of_10_megabytes, setup, teardown),
        cmocka_unit_test_setup_teardown(many_keys_and_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(long_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_text, setup, teardown),
        cmocka_unit_test_setup_teardown(parse_failures_are_those_of_the_last_run, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_say_where, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_over_large_values_end_at_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(variables_are_bounded_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_warm_machine_takes_nothing_from_the_heap, setup, teardown),
    };
    count_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
