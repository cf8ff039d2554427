/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of test cases. Members are found by a table, so that a misspelt one is an error and not silently ignored. */
#include "engine/apps/sluice/case_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/mock.h"
#include "engine/base/base64.h"
#include "engine/base/num.h"

#define CASE_TEXT_MAX ((size_t)256 << 20)

struct reader {
    struct test_case *c;
    const struct json_doc *doc;
    struct arena *a;
    struct err *e;
    unsigned expectations;
    bool has_payload, has_tolerance;
};

typedef int (*member_read)(struct reader *r, uint32_t node);

struct member {
    const char *name;
    member_read read;
};
#define MEMBERS_MAX 40 /* of a table */

/* --- members by name --- */

/* camelCase to the snake_case of the table: expectNoMatch -> expect_no_match. */
static void to_snake(const char *s, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 2 < cap; i++) {
        if (isupper((unsigned char)s[i]))
            out[n++] = '_';
        out[n++] = (char)tolower((unsigned char)s[i]);
    }
    out[n] = '\0';
}

/* The row that a key names, or NULL after an error. whose: what the members belong to. */
static const struct member *member_find(const struct member *table, size_t count, const char *whose, const char *given,
                                        size_t len, struct err *e)
{
    char name[64];
    const char *names[MEMBERS_MAX];
    to_snake(given, len, name, sizeof name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
        names[i] = table[i].name;
    }
    const char *near = nearest_word(name, strlen(name), names, count);
    err_set(e, ERR_CONF_KEY, "unknown member \"%.*s\" of %s", (int)(len > 60 ? 60 : len), given, whose);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    return NULL;
}

/* Read each member of an object by its row. */
static int read_members(struct reader *r, uint32_t object, const struct member *table, size_t count, const char *whose)
{
    for (uint32_t k = json_first(r->doc, object); k != json_end(r->doc, object); k = json_next(r->doc, object, k)) {
        size_t len;
        const char *given = json_text(r->doc, k, r->a, &len);
        if (!given)
            return err_set(r->e, ERR_MEMORY, "out of memory");
        const struct member *m = member_find(table, count, whose, given, len, r->e);
        if (!m || m->read(r, k + 1) < 0)
            return -1;
    }
    return 0;
}

/* --- values --- */

static int wrong_type(struct reader *r, const char *member, const char *wanted)
{
    return err_set(r->e, ERR_CONF_TYPE, "\"%s\" must be %s", member, wanted);
}

/* A string member, NUL-terminated. */
static int read_text(struct reader *r, uint32_t node, const char *member, const char **text, size_t *len)
{
    size_t n;
    if (json_at(r->doc, node)->kind != JSON_STRING)
        return wrong_type(r, member, "a string");
    const char *s = json_text(r->doc, node, r->a, &n);
    *text = s ? arena_strndup(r->a, s, n) : NULL;
    if (!*text)
        return err_set(r->e, ERR_MEMORY, "out of memory");
    if (len)
        *len = n;
    return 0;
}

static int read_json_text(struct reader *r, uint32_t node, const char **text, size_t *len)
{
    struct buf b;
    buf_init(&b, CASE_TEXT_MAX);
    json_write(&b, r->doc, node, JSON_STYLE_AS_IS);
    *text = b.failed ? NULL : arena_strndup(r->a, b.p, b.len);
    *len = b.len;
    buf_clear(&b);
    return *text ? 0 : err_set(r->e, ERR_MEMORY, "out of memory");
}

static int read_base64(struct reader *r, uint32_t node, const char *member, const char **bytes, size_t *len)
{
    const char *text = NULL;
    size_t n = 0;
    struct buf b;
    if (read_text(r, node, member, &text, &n) < 0)
        return -1;
    buf_init(&b, CASE_TEXT_MAX);
    if (!base64_decode(&b, text, n)) {
        buf_clear(&b);
        return wrong_type(r, member, "base64 text");
    }
    *bytes = arena_strndup(r->a, b.p ? b.p : "", b.len);
    *len = b.len;
    buf_clear(&b);
    return *bytes ? 0 : err_set(r->e, ERR_MEMORY, "out of memory");
}

static int read_double(struct reader *r, uint32_t node, const char *member, double *value)
{
    const struct json_node *n = json_at(r->doc, node);
    struct num num;
    if ((n->kind != JSON_INT && n->kind != JSON_DECIMAL) || !num_parse(&num, r->doc->text + n->off, n->len))
        return wrong_type(r, member, "a number");
    *value = num_to_double(&num);
    return 0;
}

static int m_id(struct reader *r, uint32_t node)
{
    return read_text(r, node, "id", &r->c->id, NULL);
}
static int m_section(struct reader *r, uint32_t node)
{
    return read_text(r, node, "section", &r->c->section, NULL);
}
static int m_why(struct reader *r, uint32_t node)
{
    return read_text(r, node, "why", &r->c->why, NULL);
}
static int m_sql(struct reader *r, uint32_t node)
{
    return read_text(r, node, "sql", &r->c->sql, &r->c->sql_len);
}
static int m_version(struct reader *r, uint32_t node)
{
    const char *text = NULL;
    size_t len = 0;
    if (read_text(r, node, "version", &text, &len) < 0)
        return -1;
    return sql_version_parse(text, len, &r->c->version) ? 0
                                                        : wrong_type(r, "version", "2015-10-08, 2016-03-23 or beta");
}
static int m_topic(struct reader *r, uint32_t node)
{
    return read_text(r, node, "topic", &r->c->message.topic, &r->c->message.topic_len);
}
static int m_rule(struct reader *r, uint32_t node)
{
    return read_text(r, node, "rule", &r->c->rule, NULL);
}

static int one_payload(struct reader *r)
{
    if (r->has_payload)
        return err_set(r->e, ERR_CONF_KEY, "more than one of \"payload\", \"payload_text\" and \"payload_base64\"");
    r->has_payload = true;
    return 0;
}
static int m_payload(struct reader *r, uint32_t node)
{
    return one_payload(r) < 0 ? -1 : read_json_text(r, node, &r->c->message.payload, &r->c->message.payload_len);
}
static int m_payload_text(struct reader *r, uint32_t node)
{
    return one_payload(r) < 0 ? -1
                              : read_text(r, node, "payload_text", &r->c->message.payload, &r->c->message.payload_len);
}
static int m_payload_base64(struct reader *r, uint32_t node)
{
    return one_payload(r) < 0
               ? -1
               : read_base64(r, node, "payload_base64", &r->c->message.payload, &r->c->message.payload_len);
}
/* AWS's form: a string is the payload's text itself. */
static int m_input_payload(struct reader *r, uint32_t node)
{
    return json_at(r->doc, node)->kind == JSON_STRING ? m_payload_text(r, node) : m_payload(r, node);
}

static int m_clientid(struct reader *r, uint32_t node)
{
    return read_text(r, node, "clientid", &r->c->message.client_id, NULL);
}
static int m_principal(struct reader *r, uint32_t node)
{
    return read_text(r, node, "principal", &r->c->message.principal, NULL);
}
static int m_sourceip(struct reader *r, uint32_t node)
{
    return read_text(r, node, "sourceip", &r->c->message.source_ip, NULL);
}
static int m_via(struct reader *r, uint32_t node)
{
    const char *via = "";
    if (read_text(r, node, "via", &via, NULL) < 0)
        return -1;
    r->c->message.over_mqtt = strcmp(via, "mqtt") == 0;
    return r->c->message.over_mqtt || strcmp(via, "http") == 0 ? 0 : wrong_type(r, "via", "\"mqtt\" or \"http\"");
}
static int m_now(struct reader *r, uint32_t node)
{
    double now = 0;
    if (read_double(r, node, "now", &now) < 0)
        return -1;
    r->c->message.arrival_ms = (int64_t)now;
    return 0;
}

static int wrong_properties(struct reader *r)
{
    return wrong_type(r, "user_properties", "an array of [key, value]");
}

static int read_user_properties(struct reader *r, uint32_t node)
{
    const struct json_doc *d = r->doc;
    if (json_at(d, node)->kind != JSON_ARRAY)
        return wrong_properties(r);
    struct user_property *list = arena_array(r->a, json_at(d, node)->count, sizeof *list);
    size_t n = 0;
    if (!list)
        return err_set(r->e, ERR_MEMORY, "out of memory");
    for (uint32_t k = json_first(d, node); k != json_end(d, node); k = json_next(d, node, k)) {
        uint32_t name = json_element(d, k, 0), value = json_element(d, k, 1);
        if (!name || !value || json_at(d, k)->count != 2)
            return wrong_properties(r);
        if (read_text(r, name, "user_properties", &list[n].name, &list[n].name_len) < 0 ||
            read_text(r, value, "user_properties", &list[n].value, &list[n].value_len) < 0)
            return -1;
        n++;
    }
    r->c->message.user_properties = list;
    r->c->message.user_property_count = n;
    return 0;
}

static int p_content_type(struct reader *r, uint32_t node)
{
    return read_text(r, node, "content_type", &r->c->message.content_type, NULL);
}
static int p_correlation_data(struct reader *r, uint32_t node)
{
    struct message *m = &r->c->message;
    return read_base64(r, node, "correlation_data_base64", &m->correlation_data, &m->correlation_len);
}
static int p_format_indicator(struct reader *r, uint32_t node)
{
    double format = 0;
    if (read_double(r, node, "payload_format_indicator", &format) < 0)
        return -1;
    if (format != 0 && format != 1)
        return wrong_type(r, "payload_format_indicator", "0 or 1");
    r->c->message.payload_format = format > 0 ? PAYLOAD_FORMAT_UTF8 : PAYLOAD_FORMAT_BYTES;
    return 0;
}
static int p_response_topic(struct reader *r, uint32_t node)
{
    return read_text(r, node, "response_topic", &r->c->message.response_topic, NULL);
}

static const struct member properties[] = {
    { "content_type", p_content_type },
    { "correlation_data_base64", p_correlation_data },
    { "payload_format_indicator", p_format_indicator },
    { "response_topic", p_response_topic },
    { "user_properties", read_user_properties },
};

static int m_mqtt5(struct reader *r, uint32_t node)
{
    if (json_at(r->doc, node)->kind != JSON_OBJECT)
        return wrong_type(r, "mqtt5", "an object");
    return read_members(r, node, properties, sizeof properties / sizeof properties[0], "\"mqtt5\"");
}

static int m_mock(struct reader *r, uint32_t node)
{
    r->c->mock = node;
    return mock_check(r->doc, node, r->e);
}

static void expect(struct reader *r, enum case_expect kind)
{
    /* `expect` and `expect_text` may stand together: the value decides, the text is compared too */
    if (r->c->expect == EXPECT_VALUE && kind == EXPECT_TEXT)
        return;
    bool both = r->c->expect == EXPECT_TEXT && kind == EXPECT_VALUE;
    r->c->expect = kind;
    r->expectations += both ? 0 : 1;
}

static int m_expect(struct reader *r, uint32_t node)
{
    expect(r, EXPECT_VALUE);
    r->c->value = node;
    return 0;
}
static int m_expect_text(struct reader *r, uint32_t node)
{
    expect(r, EXPECT_TEXT);
    return read_text(r, node, "expect_text", &r->c->text, &r->c->text_len);
}
static int m_expect_base64(struct reader *r, uint32_t node)
{
    r->expectations++;
    r->c->expect = EXPECT_TEXT;
    return read_base64(r, node, "expect_base64", &r->c->text, &r->c->text_len);
}
static int m_expect_pattern(struct reader *r, uint32_t node)
{
    if (json_at(r->doc, node)->kind != JSON_OBJECT)
        return wrong_type(r, "expect_pattern", "an object of regular expressions");
    r->expectations++;
    r->c->expect = EXPECT_PATTERN;
    r->c->value = node;
    return 0;
}
static int m_expect_no_match(struct reader *r, uint32_t node)
{
    if (json_at(r->doc, node)->kind != JSON_TRUE)
        return wrong_type(r, "expect_no_match", "true");
    r->expectations++;
    r->c->expect = EXPECT_NO_MATCH;
    return 0;
}
static int m_expect_error(struct reader *r, uint32_t node)
{
    const char *kind = "";
    if (read_text(r, node, "expect_error", &kind, NULL) < 0)
        return -1;
    bool parse = strcmp(kind, "parse") == 0;
    if (!parse && strcmp(kind, "eval") != 0)
        return wrong_type(r, "expect_error", "\"parse\" or \"eval\"");
    r->expectations++;
    r->c->expect = parse ? EXPECT_PARSE_ERROR : EXPECT_EVAL_ERROR;
    return 0;
}
/* AWS's form: a string is the output's text itself. */
static int m_expected_output(struct reader *r, uint32_t node)
{
    return json_at(r->doc, node)->kind == JSON_STRING ? m_expect_text(r, node) : m_expect(r, node);
}
static int m_tol(struct reader *r, uint32_t node)
{
    r->has_tolerance = true;
    if (read_double(r, node, "tol", &r->c->tolerance) < 0)
        return -1;
    return r->c->tolerance >= 0 ? 0 : wrong_type(r, "tol", "0 or more");
}
static int m_template(struct reader *r, uint32_t node)
{
    return read_text(r, node, "template", &r->c->template_text, &r->c->template_len);
}
static int m_expect_template(struct reader *r, uint32_t node)
{
    return read_text(r, node, "expect_template", &r->c->template_expected, &r->c->template_expected_len);
}
static int m_expect_template_error(struct reader *r, uint32_t node)
{
    return json_at(r->doc, node)->kind == JSON_TRUE ? 0 : wrong_type(r, "expect_template_error", "true");
}

static const struct member members[] = {
    { "clientid", m_clientid },
    { "expect", m_expect },
    { "expect_base64", m_expect_base64 },
    { "expect_error", m_expect_error },
    { "expect_no_match", m_expect_no_match },
    { "expect_pattern", m_expect_pattern },
    { "expect_template", m_expect_template },
    { "expect_template_error", m_expect_template_error },
    { "expect_text", m_expect_text },
    { "expected_output", m_expected_output },
    { "id", m_id },
    { "input_payload", m_input_payload },
    { "input_sql", m_sql },
    { "mock", m_mock },
    { "mqtt5", m_mqtt5 },
    { "now", m_now },
    { "payload", m_payload },
    { "payload_base64", m_payload_base64 },
    { "payload_text", m_payload_text },
    { "principal", m_principal },
    { "rule", m_rule },
    { "section", m_section },
    { "sourceip", m_sourceip },
    { "sql", m_sql },
    { "sql_version", m_version },
    { "template", m_template },
    { "tol", m_tol },
    { "topic", m_topic },
    { "version", m_version },
    { "via", m_via },
    { "why", m_why },
};
#define MEMBER_COUNT (sizeof members / sizeof members[0])
_Static_assert(MEMBER_COUNT <= MEMBERS_MAX, "the table fits");
#define WHOSE "a test case"

int case_check_member(const char *name, size_t len, struct err *e)
{
    return member_find(members, MEMBER_COUNT, WHOSE, name, len, e) ? 0 : -1;
}

static int check_complete(struct reader *r, bool template_error)
{
    struct test_case *c = r->c;
    if (!c->sql)
        return err_set(r->e, ERR_CONF_MISSING, "\"sql\" is missing");
    if ((c->template_expected || template_error) && !c->template_text)
        return err_set(r->e, ERR_CONF_MISSING, "\"template\" is missing");
    if (c->template_expected && template_error)
        return err_set(r->e, ERR_CONF_KEY, "more than one expectation of the template");
    if (c->template_text &&
        (c->expect == EXPECT_NO_MATCH || c->expect == EXPECT_PARSE_ERROR || c->expect == EXPECT_EVAL_ERROR))
        return err_set(r->e, ERR_CONF_KEY, "without an output no template is rendered");
    if (c->template_text && !c->template_expected && !template_error)
        return err_set(r->e, ERR_CONF_MISSING, "\"template\" needs \"expect_template\" or \"expect_template_error\"");
    if (r->expectations > 1)
        return err_set(r->e, ERR_CONF_KEY, "more than one expectation");
    if (r->has_tolerance && c->expect != EXPECT_VALUE)
        return err_set(r->e, ERR_CONF_MISSING, "\"tol\" needs \"expect\"");
    if (r->expectations == 0 && !c->template_text)
        return err_set(r->e, ERR_CONF_MISSING, "no expectation: add \"expect\", \"expect_no_match\" or another");
    return 0;
}

static void set_defaults(struct test_case *c, const struct case_defaults *defaults, const struct json_doc *doc)
{
    *c = (struct test_case) {
        .sql = defaults->sql,
        .sql_len = defaults->sql_len,
        .version = defaults->sql ? defaults->version : SQL_2016_03_23,
        .rule = defaults->rule ? defaults->rule : "test",
        .doc = doc,
        .message = { .topic = "test",
                     .topic_len = 4,
                     .payload = "{}",
                     .payload_len = 2,
                     .over_mqtt = true,
                     .payload_format = PAYLOAD_FORMAT_ABSENT },
    };
}

int case_read(struct test_case *c, const struct json_doc *doc, const struct case_defaults *defaults, unsigned line,
              struct arena *a, struct err *e)
{
    struct reader r = { .c = c, .doc = doc, .a = a, .e = e };
    set_defaults(c, defaults, doc);
    char id[32];
    snprintf(id, sizeof id, "%u", line);
    c->id = arena_strndup(a, id, strlen(id));
    if (json_at(doc, 0)->kind != JSON_OBJECT)
        return err_set(e, ERR_CONF_TYPE, "a test case must be an object");
    if (read_members(&r, 0, members, MEMBER_COUNT, WHOSE) < 0)
        return -1;
    bool template_error =
        json_member(doc, 0, "expect_template_error", 21) || json_member(doc, 0, "expectTemplateError", 19);
    return check_complete(&r, template_error);
}
