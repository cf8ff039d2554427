/* SPDX-License-Identifier: Apache-2.0 */
/* Options of republish and the messages that it makes; what a broker does with them is tested with a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "actions/republish_rule.h"
#include "engine/base/clock.h"
#include "engine/mqtt/mqtt_hops.h"

#define TEXTS_MAX 300

/* --- a host whose templates are rendered by hand --- */

static struct host {
    struct act_host port;
    const struct conf *added[TEXTS_MAX];
    int count;
} host;

static int template_add(struct act_host *port, const struct conf *scalar, struct errs *errs)
{
    (void)port;
    (void)errs;
    host.added[host.count] = scalar;
    return host.count++;
}

static bool template_is_constant(struct act_host *port, int index)
{
    (void)port;
    return !strstr(host.added[index]->text, "${");
}

static const struct act_env env = { .clock = &clock_system, .client_name = "test" };
static struct errs errs;
static struct conf *root, *connection;
static void *target;
static struct republish_rule *rule;
static struct arena arena;
static struct act_text texts[TEXTS_MAX];
static struct mqtt_publication pub;
static struct err e;

static struct conf *parse(const char *yaml)
{
    struct src *src = src_new("rule.yaml", yaml, strlen(yaml));
    struct conf *c = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(c);
    return c;
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static void close_rule(void)
{
    republish_rule_free(rule);
    conf_free(root);
    act_republish.target_close(target);
    conf_free(connection);
    rule = NULL;
    root = connection = NULL;
    target = NULL;
    errs_clear(&errs);
}

static int tear_down(void **state)
{
    (void)state;
    close_rule();
    arena_clear(&arena);
    return 0;
}

static bool open_with(const char *version, const char *yaml)
{
    char options[100];
    close_rule();
    host = (struct host) { .port = { .template_add = template_add, .template_is_constant = template_is_constant } };
    snprintf(options, sizeof(options), "url: mqtt://h\nversion: %s", version);
    connection = parse(options);
    target = act_republish.target_open(connection, &env, &errs);
    assert_non_null(target);
    root = parse(yaml);
    rule = act_republish.action_open(target, root, &host.port, &errs);
    assert_int_equal(rule == NULL, errs.errors > 0);
    return rule != NULL;
}

static bool open_rule(const char *yaml)
{
    return open_with("\"5\"", yaml);
}

/* Opening fails with this among the shown errors. */
static void assert_refused(const char *yaml, const char *text)
{
    struct buf b;
    buf_init(&b, 100000);
    assert_false(open_rule(yaml));
    errs_print(&errs, &b);
    if (!strstr(b.p, text))
        fail_msg("%s gives\n%s", yaml, b.p);
    for (size_t i = 0; i < errs.count; i++)
        assert_non_null(errs.items[i].at.src);
    buf_clear(&b);
}

static void set_text(int index, const char *s)
{
    texts[index] = (struct act_text) { .p = s, .len = strlen(s), .is_null = s[0] == '\0' };
}

/* Render with the constant templates' own texts, and `value` for the others. */
static int render(const char *value, unsigned hops)
{
    struct act_item item = { .action = rule, .body = "{}", .body_len = 2, .texts = texts, .hops = hops };
    for (int i = 0; i < host.count; i++)
        set_text(i, template_is_constant(NULL, i) ? host.added[i]->text : value);
    e = (struct err) { 0 };
    return republish_rule_render(rule, &item, &arena, &pub, &e);
}

static void assert_text(struct mqtt_text t, const char *s)
{
    assert_int_equal(t.len, strlen(s));
    assert_memory_equal(t.p, s, t.len);
}

/* --- topic and plain options --- */

static void defaults(void **state)
{
    (void)state;
    assert_true(open_rule("topic: a/b\nroleArn: arn:aws:iam::1:role/r\nconnection: x"));
    assert_int_equal(render("", 3), 0);
    assert_text(pub.topic, "a/b");
    assert_text(pub.payload, "{}");
    assert_int_equal(pub.qos, 0);
    assert_false(pub.retain);
    assert_int_equal(pub.hops, 4);
    assert_int_equal(rule->max_hops, 10);
    assert_int_equal(pub.format, PAYLOAD_FORMAT_ABSENT);
    assert_null(pub.content_type.p);
    assert_false(pub.expires);
}

static void bad_options(void **state)
{
    (void)state;
    assert_refused("qos: 1", "republish needs the option \"topic\"");
    assert_refused("topic: a\nqos: 2", "\"qos\" must be between 0 and 1");
    assert_refused("topic: a\nretain: 1", "\"retain\" must be true or false");
    assert_refused("topic: a\nmaxHops: 0", "\"maxHops\" must be between 1 and 1000");
    assert_refused("tpic: a", "did you mean \"topic\"?");
    assert_refused("topic: ''", "topic is empty");
    assert_refused("topic: [a]", "rule.yaml:1:8");
}

static void two_dollars_stand_for_one(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(open_rule("topic: $$aws/things/${t}/shadow/update"));
    assert_int_equal(render("$$aws/things/x/shadow/update", 0), 0);
    assert_text(pub.topic, "$aws/things/x/shadow/update");
    act_republish.resource(rule, texts, &b);
    assert_string_equal(b.p, "$aws/things/x/shadow/update");
    buf_clear(&b);
}

static void one_dollar_is_refused(void **state)
{
    (void)state;
    assert_refused("topic: $aws/things/t/shadow/update", "must begin with \"$$\" here");
    assert_refused("topic: $/${x}", "must begin with \"$$\" here");
    assert_refused("topic: $${x}", "must begin with \"$$\" here"); /* "$" and the value of x */
}

static void a_message_cannot_choose_a_dollar_topic(void **state)
{
    (void)state;
    assert_true(open_rule("topic: ${t}"));
    assert_int_equal(render("$aws/rules/r/x", 0), -1);
    assert_non_null(strstr(e.text, "begins with \"$\""));
    assert_int_equal(render("$$aws/rules/r/x", 0), -1);
    assert_int_equal(render("a$", 0), 0);
}

static void wildcards_and_bad_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "a/+", "#", "a\xff" };
    assert_refused("topic: a/+/b", "cannot hold the wildcards");
    assert_refused("topic: a/#/${x}", "cannot hold the wildcards");
    assert_true(open_rule("topic: ${t}"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(render(bad[i], 0), -1);
        assert_int_equal(e.code, ERR_TEMPLATE);
    }
}

static void topics_of_jobs_and_defender_are_refused(void **state)
{
    (void)state;
    assert_refused("topic: $$aws/things/t/jobs/get", "belongs to jobs or Device Defender");
    assert_true(open_rule("topic: $$aws/things/t/${what}"));
    assert_int_equal(render("$$aws/things/t/defender/metrics/json", 0), -1);
    assert_int_equal(render("$$aws/things/t/shadow/get", 0), 0);
    assert_true(open_rule("topic: x/things/t/jobs"));
}

/* --- headers --- */

static void headers_are_rendered(void **state)
{
    (void)state;
    assert_true(open_rule("topic: a\n"
                          "headers:\n"
                          "  payloadFormatIndicator: UTF8_DATA\n"
                          "  contentType: text/plain\n"
                          "  responseTopic: ${r}\n"
                          "  correlationData: AAEC\n"
                          "  messageExpiry: '4294967295'\n"
                          "  userProperties: [{ key: k, value: '${v}' }, { key: k, value: '' }]"));
    assert_int_equal(render("x", 0), 0);
    assert_int_equal(pub.format, PAYLOAD_FORMAT_UTF8);
    assert_text(pub.content_type, "text/plain");
    assert_text(pub.response_topic, "x");
    assert_int_equal(pub.correlation.len, 3);
    assert_memory_equal(pub.correlation.p, "\0\1\2", 3);
    assert_true(pub.expires);
    assert_int_equal(pub.expiry_s, UINT32_MAX);
    assert_int_equal(pub.user_property_count, 2);
    assert_memory_equal(pub.user_properties[0].value, "x", 1);
    assert_int_equal(pub.user_properties[1].value_len, 0);
}

static void an_empty_header_is_left_out(void **state)
{
    (void)state;
    assert_true(
        open_rule("topic: a\nheaders: { payloadFormatIndicator: '${a}', contentType: '${a}', responseTopic: '', "
                  "correlationData: '${a}', messageExpiry: '${a}' }"));
    assert_int_equal(render("", 0), 0);
    assert_int_equal(pub.format, PAYLOAD_FORMAT_ABSENT);
    assert_null(pub.content_type.p);
    assert_null(pub.response_topic.p);
    assert_null(pub.correlation.p);
    assert_false(pub.expires);
}

static const struct {
    const char *header, *value, *text;
} bad_headers[] = {
    { "payloadFormatIndicator", "utf8", "payloadFormatIndicator must be UTF8_DATA or UNSPECIFIED_BYTES" },
    { "responseTopic", "a/#", "responseTopic: topic \"a/#\" holds the wildcard \"#\"" },
    { "correlationData", "?", "correlationData is not base64" },
    { "correlationData", "AAE", "correlationData is not base64" },
    { "messageExpiry", "soon", "messageExpiry must be a number of seconds" },
    { "messageExpiry", "-1", "messageExpiry must be a number of seconds" },
    { "messageExpiry", "4294967296", "messageExpiry must be a number of seconds" },
    { "messageExpiry", "99999999999999999999999999", "messageExpiry must be a number of seconds" },
};

static void bad_constant_headers_are_found_at_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++) {
        char yaml[200];
        snprintf(yaml, sizeof(yaml), "topic: a\nheaders: { %s: '%s' }", bad_headers[i].header, bad_headers[i].value);
        assert_refused(yaml, bad_headers[i].text);
    }
}

static void bad_rendered_headers_reject_the_item(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++) {
        char yaml[200];
        snprintf(yaml, sizeof(yaml), "topic: a\nheaders: { %s: '${x}' }", bad_headers[i].header);
        assert_true(open_rule(yaml));
        assert_int_equal(render(bad_headers[i].value, 0), -1);
        assert_non_null(strstr(e.text, bad_headers[i].text));
    }
    assert_true(open_rule("topic: a\nheaders: { contentType: '${x}', userProperties: [{ key: '${x}', value: v }] }"));
    assert_int_equal(render("bad \xff", 0), -1);
    assert_string_equal(e.text, "contentType is not valid UTF-8");
    assert_int_equal(render(MQTT_HOPS_NAME, 0), -1);
}

static void long_texts(void **state)
{
    (void)state;
    static char yaml[5000], text[90000];
    snprintf(yaml, sizeof(yaml), "topic: a\nheaders: { contentType: %0*d }", 1024, 0);
    assert_true(open_rule(yaml));
    snprintf(yaml, sizeof(yaml), "topic: a\nheaders: { contentType: %0*d }", 1025, 0);
    assert_refused(yaml, "\"contentType\" is longer than 1024 characters");
    assert_true(open_rule("topic: a\nheaders: { contentType: '${x}' }"));
    snprintf(text, sizeof(text), "%0*d", 65535, 0);
    assert_int_equal(render(text, 0), 0);
    snprintf(text, sizeof(text), "%0*d", 65536, 0);
    assert_int_equal(render(text, 0), -1);
    assert_true(open_rule("topic: a\nheaders: { correlationData: '${x}' }"));
    memset(text, 'A', 87384);
    text[87380] = '\0';
    assert_int_equal(render(text, 0), 0);
    assert_int_equal(pub.correlation.len, 65535);
    text[87380] = 'A';
    text[87384] = '\0';
    assert_int_equal(render(text, 0), -1);
}

static void user_properties(void **state)
{
    (void)state;
    static char yaml[10000];
    struct buf b;
    assert_refused("topic: a\nheaders: { userProperties: [] }", "must be a list of 1 to 100 maps");
    assert_refused("topic: a\nheaders: { userProperties: { a: b } }", "must be a list of 1 to 100 maps");
    assert_refused("topic: a\nheaders: { userProperties: [{ key: a }] }", "a user property needs the option \"value\"");
    assert_refused("topic: a\nheaders: { userProperties: [{ key: a, value: b, c: d }] }",
                   "unknown option \"c\" of a user property");
    assert_refused("topic: a\nheaders: { userProperties: [{ key: sluice-hops, value: 1 }] }", "is reserved");
    for (int count = 100; count <= 101; count++) {
        buf_init(&b, sizeof(yaml));
        buf_puts(&b, "topic: a\nheaders: { userProperties: [");
        for (int i = 0; i < count; i++)
            buf_puts(&b, "{ key: k, value: v }, ");
        buf_puts(&b, "] }");
        snprintf(yaml, sizeof(yaml), "%s", b.p);
        buf_clear(&b);
        assert_int_equal(open_rule(yaml), count == 100);
    }
}

static void headers_need_mqtt_5(void **state)
{
    (void)state;
    assert_false(open_with("3.1.1", "topic: a\nheaders: { contentType: x }"));
    assert_non_null(strstr(errs.items[0].text, "\"headers\" need MQTT 5"));
    assert_true(open_with("3.1.1", "topic: a\nretain: true"));
}

static void unknown_headers_name_the_nearest(void **state)
{
    (void)state;
    assert_refused("topic: a\nheaders: { contenttype: x }", "did you mean \"contentType\"?");
    assert_refused("topic: a\nheaders: [x]", "the options of headers must be a map");
}

/* --- target and lane --- */

static void a_lane_opens_without_a_broker(void **state)
{
    (void)state;
    assert_true(open_rule("topic: a"));
    e = (struct err) { 0 };
    void *lane = act_republish.lane_open(target, &e);
    assert_non_null(lane);
    act_republish.lane_close(lane);
}

static void bad_targets_are_refused(void **state)
{
    (void)state;
    connection = parse("url: http://h");
    assert_null(act_republish.target_open(connection, &env, &errs));
    assert_int_equal(errs.errors, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(bad_options),
        TEST(two_dollars_stand_for_one),
        TEST(one_dollar_is_refused),
        TEST(a_message_cannot_choose_a_dollar_topic),
        TEST(wildcards_and_bad_texts_are_refused),
        TEST(topics_of_jobs_and_defender_are_refused),
        TEST(headers_are_rendered),
        TEST(an_empty_header_is_left_out),
        TEST(bad_constant_headers_are_found_at_open),
        TEST(bad_rendered_headers_reject_the_item),
        TEST(long_texts),
        TEST(user_properties),
        TEST(headers_need_mqtt_5),
        TEST(unknown_headers_name_the_nearest),
        TEST(a_lane_opens_without_a_broker),
        TEST(bad_targets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
