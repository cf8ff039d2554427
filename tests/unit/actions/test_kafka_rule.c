/* SPDX-License-Identifier: Apache-2.0 */
/* Options of kafka and the records that it makes; what a server does with them is tested with a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "actions/kafka_rule.h"

#define TEXTS_MAX 20

/* --- a host whose templates are rendered by hand --- */

static struct host {
    struct act_host port;
    const struct conf *added[TEXTS_MAX];
    int count;
} host;

static int template_add(struct act_host *port, const struct conf *scalar, struct errs *list)
{
    (void)port;
    (void)list;
    host.added[host.count] = scalar;
    return host.count++;
}

static bool template_is_constant(struct act_host *port, int index)
{
    (void)port;
    return !strstr(host.added[index]->text, "${");
}

static struct kafka_catalog *catalog;
static struct kafka_props *connection;
static struct conf *root;
static struct kafka_rule *rule;
static struct errs errs;
static struct arena arena;
static struct act_text texts[TEXTS_MAX];
static struct kafka_record record;
static struct err e;

static void drop(void)
{
    kafka_rule_free(rule);
    conf_free(root);
    errs_clear(&errs);
    rule = NULL;
    root = NULL;
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    catalog = kafka_catalog_new();
    connection = kafka_props_new(catalog, NULL);
    return kafka_props_finish(connection, "test", (struct span) { 0 }, &errs);
}

static int tear_down(void **state)
{
    (void)state;
    drop();
    kafka_props_free(connection);
    kafka_catalog_free(catalog);
    arena_clear(&arena);
    return 0;
}

static bool open_rule(const char *yaml)
{
    drop();
    host = (struct host) { .port = { .template_add = template_add, .template_is_constant = template_is_constant } };
    struct src *src = src_new("a.yaml", yaml, strlen(yaml));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    rule = kafka_rule_open(catalog, connection, "test", root, &host.port, &errs);
    assert_int_equal(rule == NULL, errs.errors > 0);
    return rule != NULL;
}

/* Render with the constant templates' own texts, and `value` (NULL: none) for the others. */
static int render(const char *value, size_t len)
{
    struct act_item item = { .action = rule, .body = "{}", .body_len = 2, .texts = texts };
    for (int i = 0; i < host.count; i++) {
        const struct conf *c = host.added[i];
        bool constant = template_is_constant(NULL, i);
        texts[i] = (struct act_text) { .p = constant ? c->text : value,
                                       .len = constant ? c->len : len,
                                       .is_null = !constant && !value };
    }
    e = (struct err) { 0 };
    return kafka_rule_render(rule, &item, &arena, &record, &e);
}

static int render_text(const char *value)
{
    return render(value, strlen(value));
}

static void assert_bytes(struct kafka_bytes b, const char *s)
{
    assert_int_equal(b.len, strlen(s));
    assert_memory_equal(b.p, s, b.len);
}

static void defaults(void **state)
{
    (void)state;
    assert_true(open_rule("topic: readings\nconnection: x"));
    assert_int_equal(render_text(""), 0);
    assert_bytes(record.topic, "readings");
    assert_bytes(record.value, "{}");
    assert_null(record.key.p);
    assert_int_equal(record.partition, KAFKA_ANY_PARTITION);
    assert_int_equal(record.header_count, 0);
    assert_true(rule->place_is_constant);
    assert_ptr_equal(rule->props, connection);
}

static void keys(void **state)
{
    (void)state;
    assert_true(open_rule("topic: t\nkey: '${k}'"));
    assert_int_equal(render(NULL, 0), 0);
    assert_null(record.key.p);
    assert_int_equal(render_text(""), 0);
    assert_non_null(record.key.p);
    assert_int_equal(record.key.len, 0);
    assert_int_equal(render("a\0b", 3), 0);
    assert_int_equal(record.key.len, 3);
}

static void topics(void **state)
{
    (void)state;
    static const char longest[] =
        "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
        "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
        "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt";
    assert_true(open_rule("topic: '${t}'"));
    assert_false(rule->place_is_constant);
    static const char *const good[] = { "a", "...", "a.b_c-D9", "__x" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(render_text(good[i]), 0);
    static const char *const bad[] = { "", ".", "..", "a/b", "a b", "\xc3\xa9", "a\n", "a,b" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(render_text(bad[i]), -1);
        assert_int_equal(e.code, ERR_TEMPLATE);
    }
    assert_int_equal(render(longest, 249), 0);
    assert_int_equal(render(longest, 250), -1);
    assert_int_equal(render(NULL, 0), -1);
    assert_int_equal(render("a\0b", 3), -1);
}

static void partitions(void **state)
{
    (void)state;
    assert_true(open_rule("topic: t\npartition: '${p}'"));
    assert_false(rule->place_is_constant);
    assert_int_equal(render_text("0"), 0);
    assert_int_equal(record.partition, 0);
    assert_int_equal(render_text("2147483647"), 0);
    assert_int_equal(record.partition, INT32_MAX);
    static const char *const bad[] = { "", "-1", "+1", "1.0", "2147483648", "99999999999999999999", "x", " 1", "1 " };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(render_text(bad[i]), -1);
    assert_int_equal(render(NULL, 0), -1);
    assert_true(open_rule("topic: t\npartition: '12'"));
    assert_true(rule->place_is_constant);
    assert_int_equal(render_text(""), 0);
    assert_int_equal(record.partition, 12);
}

static void headers(void **state)
{
    (void)state;
    assert_true(open_rule("topic: t\nheaders: [{ key: a, value: '${v}' }, { key: a, value: '' }]"));
    assert_int_equal(render("x\r\ny\0", 5), 0);
    assert_int_equal(record.header_count, 2);
    assert_bytes(record.headers[0].name, "a");
    assert_int_equal(record.headers[0].value.len, 5);
    assert_bytes(record.headers[1].value, "");
    assert_int_equal(render(NULL, 0), 0);
    assert_non_null(record.headers[0].value.p);
    assert_true(open_rule("topic: t\nheaders: [{ key: '${k}', value: x }]"));
    assert_int_equal(render_text("k"), 0);
    assert_int_equal(render_text(""), -1);
    assert_int_equal(render("\xff", 1), -1);
    assert_int_equal(render("a\0b", 3), -1);
}

static void bad_options(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *text;
    } bad[] = {
        { "key: k", "kafka needs the option \"topic\"" },
        { "topic: a/b", "a topic of Kafka has only" },
        { "topic: 'a/${t}'", "a topic of Kafka has only" },
        { "topic: ''", "the topic is empty" },
        { "topic: .", "cannot be named" },
        { "topic: t\npartition: x", "the partition must be a number" },
        { "topic: t\nheaders: {}", "list of 1 to 100 maps" },
        { "topic: t\nheaders: [{ key: '', value: v }]", "a header needs a name" },
        { "topic: t\nclientProperties: [a]", "must be a map" },
        { "topic: t\nclientProperties: { akcs: 1 }", "unknown property \"akcs\"" },
        { "topic: t\nconnection: a\ndestinationArn: b", "give one" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(open_rule(bad[i].yaml));
        if (!strstr(errs.items[0].text, bad[i].text))
            fail_msg("%s: %s", bad[i].yaml, errs.items[0].text);
        assert_non_null(errs.items[0].at.src);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),   cmocka_unit_test(keys),    cmocka_unit_test(topics),
        cmocka_unit_test(partitions), cmocka_unit_test(headers), cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
