/* SPDX-License-Identifier: Apache-2.0 */
/* Options of republish and what becomes of them.
 *
 * A topic that begins with "$" is the business of the broker and of the device services, so only the rule's author
 * can choose one, by "$$" at the very beginning; one that comes out of a message is refused. The same goes for the
 * topics of jobs and of Device Defender, as on AWS.
 *
 * Each header is a row: the function that puts its text into the message checks it too, at open if it is constant,
 * else for each message. A header whose text is empty is left out. The limit of 1024 characters is on what the rule
 * says; a rendered text may be as long as MQTT allows. */
#include "actions/republish_rule.h"

#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "engine/base/base64.h"
#include "engine/base/topic.h"
#include "engine/base/utf8.h"
#include "engine/mqtt/mqtt_hops.h"

#define HEADER_CHARS_MAX 1024
#define USERS_MAX        100
#define TEXT_MAX         65535 /* MQTT's own bound */
#define SHOWN_MAX        100   /* bytes of a topic in an error */

#define FIELD(name) offsetof(struct republish_rule, name)

const struct opt republish_options[REPUBLISH_OPTION_COUNT] = {
    { "connection", OPT_TEXT, 0, .ignored = true,
      .help = "name of an mqtt connection in sluice.yaml; absent: the broker of the first mqtt source" },
    { "topic", OPT_TEMPLATE, FIELD(topic), .required = true,
      .help = "topic to publish to, may be a template; a leading \"$$\" stands for \"$\"" },
    { "qos", OPT_INT, FIELD(qos), .def = "0", .min = 0, .max = 1, .help = "QoS to publish with" },
    { "roleArn", OPT_TEXT, 0, .ignored = true, .help = "role on AWS, ignored" },
    { "headers", OPT_CONF, FIELD(headers),
      .help = "MQTT 5 properties: payloadFormatIndicator, contentType, responseTopic, correlationData (base64), "
              "messageExpiry (seconds), "
              "userProperties [{ key, value }]; all may be templates" },
    { "retain", OPT_BOOL, FIELD(retain), .def = "false",
      .help = "the broker keeps the message for new subscribers (extension)" },
    { "maxHops", OPT_INT, FIELD(max_hops), .def = "10", .min = 1, .max = 1000,
      .help = "a message that was republished this often is rejected, MQTT 5 only (extension)" },
};

/* --- topic --- */

static bool is_level(const char *topic, size_t len, size_t n, const char *text)
{
    size_t level_len;
    const char *level = topic_level(topic, len, n, &level_len);
    return level && level_len == strlen(text) && memcmp(level, text, level_len) == 0;
}

/* Topics that AWS does not let a rule publish to. */
static bool is_forbidden(const char *topic, size_t len)
{
    return is_level(topic, len, 1, "$aws") && is_level(topic, len, 2, "things") &&
           (is_level(topic, len, 4, "jobs") || is_level(topic, len, 4, "defender"));
}

static int check_topic(const char *topic, size_t len, bool may_begin_with_dollar, struct err *e)
{
    int shown = len < SHOWN_MAX ? (int)len : SHOWN_MAX;
    if (topic_check(topic, len, e) < 0)
        return -1;
    if (topic[0] == '$' && !may_begin_with_dollar)
        return err_set(e, ERR_TEMPLATE, "topic \"%.*s\" begins with \"$\", which a message cannot choose", shown,
                       topic);
    if (is_forbidden(topic, len))
        return err_set(e, ERR_TEMPLATE, "topic \"%.*s\" belongs to jobs or Device Defender", shown, topic);
    return 0;
}

struct mqtt_text republish_rule_topic(const struct republish_rule *r, const struct act_text *texts)
{
    const struct act_text *t = &texts[r->topic_text];
    size_t skip = r->topic_is_escaped && t->len > 0;
    return (struct mqtt_text) { .p = t->p + skip, .len = t->len - skip };
}

/* The bytes that no message can change. */
static int check_topic_prefix(const struct conf *topic, size_t prefix, struct errs *errs)
{
    if (prefix >= 1 && topic->text[0] == '$' && (prefix < 2 || topic->text[1] != '$')) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, topic->at,
                                 "a topic that begins with \"$\" must begin with \"$$\" here");
        err_hint(e, "For example \"$$aws/things/T/shadow/update\" publishes to \"$aws/things/T/shadow/update\".");
        return -1;
    }
    if (memchr(topic->text, '+', prefix) || memchr(topic->text, '#', prefix)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, topic->at,
                 "a topic to publish to cannot hold the wildcards \"+\" and \"#\"");
        return -1;
    }
    return 0;
}

static int open_topic(struct republish_rule *r, struct act_host *host, struct errs *errs)
{
    if (!r->topic)
        return -1;
    size_t prefix = act_constant_prefix(r->topic);
    int rc = check_topic_prefix(r->topic, prefix, errs);
    r->topic_text = host->template_add(host, r->topic, errs);
    if (rc < 0 || r->topic_text < 0)
        return -1;
    r->topic_is_escaped = prefix >= 2 && r->topic->text[0] == '$';
    r->topic_is_constant = host->template_is_constant(host, r->topic_text);
    struct err e = { 0 };
    const char *text = r->topic->text + r->topic_is_escaped;
    if (r->topic_is_constant && check_topic(text, r->topic->len - r->topic_is_escaped, r->topic_is_escaped, &e) < 0)
        return errs_refuse_value(errs, &e, r->topic->at);
    return 0;
}

/* --- headers --- */

/* Check a text that is not empty and put it into the message. */
typedef int header_put(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e);

static int check_text(const char *what, const struct act_text *t, struct err *e)
{
    if (t->len > TEXT_MAX)
        return err_set(e, ERR_TEMPLATE, "%s has %zu bytes, at most %d are allowed", what, t->len, TEXT_MAX);
    if (!utf8_is_valid(t->p, t->len))
        return err_set(e, ERR_TEMPLATE, "%s is not valid UTF-8", what);
    if (utf8_printable_prefix(t->p, t->len) < t->len) /* a broker may end the connection for it */
        return err_set(e, ERR_TEMPLATE, "%s holds a control character", what);
    return 0;
}

static bool text_is(const struct act_text *t, const char *s)
{
    return t->len == strlen(s) && memcmp(t->p, s, t->len) == 0;
}

static int put_format(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e)
{
    (void)a;
    if (text_is(t, "UTF8_DATA"))
        p->format = PAYLOAD_FORMAT_UTF8;
    else if (text_is(t, "UNSPECIFIED_BYTES"))
        p->format = PAYLOAD_FORMAT_BYTES;
    else
        return err_set(e, ERR_TEMPLATE, "payloadFormatIndicator must be UTF8_DATA or UNSPECIFIED_BYTES");
    return 0;
}

static int put_content_type(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e)
{
    (void)a;
    p->content_type = (struct mqtt_text) { .p = t->p, .len = t->len };
    return check_text("contentType", t, e);
}

static int put_response_topic(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e)
{
    (void)a;
    struct err why = { 0 };
    p->response_topic = (struct mqtt_text) { .p = t->p, .len = t->len };
    return topic_check(t->p, t->len, &why) == 0 ? 0 : err_set(e, ERR_TEMPLATE, "responseTopic: %s", why.text);
}

static int put_correlation(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    int rc = 0;
    bool too_long = t->len / 4 * 3 > TEXT_MAX + 2; /* up to two of the bytes may be padding */
    if (!too_long && !base64_decode(&b, t->p, t->len))
        rc = err_set(e, ERR_TEMPLATE, "correlationData is not base64");
    else if (too_long || b.failed)
        rc = err_set(e, ERR_TEMPLATE, "correlationData is longer than %d bytes", TEXT_MAX);
    if (rc == 0) {
        p->correlation = (struct mqtt_text) { .p = arena_strndup(a, b.p, b.len), .len = b.len };
        rc = p->correlation.p ? 0 : err_set(e, ERR_MEMORY, "not enough memory for correlationData");
    }
    buf_clear(&b);
    return rc;
}

static int put_expiry(const struct act_text *t, struct arena *a, struct mqtt_publication *p, struct err *e)
{
    (void)a;
    uint64_t n = 0;
    for (size_t i = 0; i < t->len; i++) {
        bool is_digit = t->p[i] >= '0' && t->p[i] <= '9';
        n = is_digit ? n * 10 + (uint64_t)(t->p[i] - '0') : UINT64_MAX;
        if (n > UINT32_MAX)
            return err_set(e, ERR_TEMPLATE, "messageExpiry must be a number of seconds from 0 to %u", UINT32_MAX);
    }
    p->expires = true;
    p->expiry_s = (uint32_t)n;
    return 0;
}

static header_put *const header_puts[] = { put_format, put_content_type, put_response_topic, put_correlation,
                                           put_expiry };
_Static_assert(sizeof(header_puts) / sizeof(header_puts[0]) == REPUBLISH_HEADER_COUNT, "one function per header");

struct header_conf {
    const struct conf *texts[REPUBLISH_HEADER_COUNT];
    const struct conf *users;
};

/* The first rows are in the order of header_puts. */
static const struct opt header_options[] = {
    { "payloadFormatIndicator", OPT_TEMPLATE, offsetof(struct header_conf, texts[0]),
      .help = "UNSPECIFIED_BYTES or UTF8_DATA" },
    { "contentType", OPT_TEMPLATE, offsetof(struct header_conf, texts[1]), .help = "what the payload is" },
    { "responseTopic", OPT_TEMPLATE, offsetof(struct header_conf, texts[2]), .help = "topic for an answer" },
    { "correlationData", OPT_TEMPLATE, offsetof(struct header_conf, texts[3]), .help = "for the asker, base64" },
    { "messageExpiry", OPT_TEMPLATE, offsetof(struct header_conf, texts[4]), .help = "seconds" },
    { "userProperties", OPT_CONF, offsetof(struct header_conf, users), .help = "list of { key, value }" },
};

struct user_conf {
    const struct conf *key, *value;
};

static const struct opt user_options[] = {
    { "key", OPT_TEMPLATE, offsetof(struct user_conf, key), .required = true, .help = "name of the property" },
    { "value", OPT_TEMPLATE, offsetof(struct user_conf, value), .required = true, .help = "its value" },
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Index of the template, or -1 after adding to errs. */
static int add_header_text(const char *what, const struct conf *c, struct act_host *host, struct errs *errs)
{
    if (utf8_count(c->text, c->len) > HEADER_CHARS_MAX) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "\"%s\" is longer than %d characters", what, HEADER_CHARS_MAX);
        return -1;
    }
    return host->template_add(host, c, errs);
}

static int open_header(struct republish_rule *r, size_t i, const struct conf *c, struct act_host *host,
                       struct errs *errs)
{
    r->header_texts[i] = -1;
    if (!c)
        return 0;
    r->header_texts[i] = add_header_text(header_options[i].name, c, host, errs);
    if (r->header_texts[i] < 0)
        return -1;
    if (!host->template_is_constant(host, r->header_texts[i]) || c->len == 0)
        return 0;
    struct arena a;
    struct mqtt_publication scratch;
    struct err e = { 0 };
    arena_init(&a, (size_t)1 << 20);
    int rc = header_puts[i](&(struct act_text) { .p = c->text, .len = c->len }, &a, &scratch, &e);
    arena_clear(&a);
    return rc < 0 ? errs_refuse_value(errs, &e, c->at) : 0;
}

static bool is_reserved(const char *key, size_t len)
{
    return len == strlen(MQTT_HOPS_NAME) && memcmp(key, MQTT_HOPS_NAME, len) == 0;
}

static int open_user(struct republish_rule *r, const struct conf *c, struct act_host *host, struct errs *errs)
{
    struct user_conf u = { 0 };
    if (opt_read(user_options, COUNT_OF(user_options), c, "a user property", c->at, &u, errs) < 0 || !u.key || !u.value)
        return -1;
    if (is_reserved(u.key->text, u.key->len)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, u.key->at, "the user property \"%s\" is reserved: it counts hops",
                 MQTT_HOPS_NAME);
        return -1;
    }
    int key = add_header_text("key", u.key, host, errs);
    int value = add_header_text("value", u.value, host, errs);
    r->users[r->user_count++] = (struct republish_user) { .key = key, .value = value };
    return key < 0 || value < 0 ? -1 : 0;
}

static int open_users(struct republish_rule *r, const struct conf *c, struct act_host *host, struct errs *errs)
{
    if (!c || conf_is_null(c))
        return 0;
    if (c->kind != CONF_LIST || c->count < 1 || c->count > USERS_MAX) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at,
                                 "\"userProperties\" must be a list of 1 to %d maps", USERS_MAX);
        err_hint(e, "For example [{ key: site, value: \"${topic(2)}\" }].");
        return -1;
    }
    r->users = calloc(c->count, sizeof(*r->users));
    if (!r->users) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, c->at, "not enough memory");
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < c->count; i++)
        rc = open_user(r, c->items[i], host, errs) < 0 ? -1 : rc;
    return rc;
}

static int open_headers(struct republish_rule *r, const struct mqtt_conf *connection, struct act_host *host,
                        struct errs *errs)
{
    struct header_conf h = { 0 };
    const struct conf *c = r->headers;
    bool absent = !c || conf_is_null(c);
    int rc = 0;
    if (!absent && connection->version != MQTT_V5) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "\"headers\" need MQTT 5, and the connection uses 3.1.1");
        err_hint(e, "Leave out the headers, or the connection's option \"version\".");
        rc = -1;
    }
    if (!absent && opt_read(header_options, COUNT_OF(header_options), c, "headers", c->at, &h, errs) < 0)
        rc = -1;
    for (size_t i = 0; i < REPUBLISH_HEADER_COUNT; i++)
        rc = open_header(r, i, h.texts[i], host, errs) < 0 ? -1 : rc;
    return open_users(r, h.users, host, errs) < 0 ? -1 : rc;
}

struct republish_rule *republish_rule_open(const struct mqtt_conf *connection, const struct conf *conf,
                                           struct act_host *host, struct errs *errs)
{
    struct republish_rule *r = calloc(1, sizeof(*r));
    if (!r) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    int rc = opt_read(republish_options, REPUBLISH_OPTION_COUNT, conf, "republish", conf->at, r, errs);
    rc = open_topic(r, host, errs) < 0 ? -1 : rc;
    rc = open_headers(r, connection, host, errs) < 0 ? -1 : rc;
    if (rc == 0)
        return r;
    republish_rule_free(r);
    return NULL;
}

void republish_rule_free(struct republish_rule *r)
{
    if (!r)
        return;
    free(r->users);
    free(r);
}

/* --- rendering --- */

static int render_users(const struct republish_rule *r, const struct act_item *item, struct arena *a,
                        struct mqtt_publication *p, struct err *e)
{
    struct user_property *list = arena_array(a, r->user_count, sizeof(*list));
    if (!list)
        return err_set(e, ERR_MEMORY, "not enough memory for user properties");
    for (size_t i = 0; i < r->user_count; i++) {
        const struct act_text *key = &item->texts[r->users[i].key], *value = &item->texts[r->users[i].value];
        if (check_text("the key of a user property", key, e) < 0 ||
            check_text("the value of a user property", value, e) < 0)
            return -1;
        if (is_reserved(key->p, key->len))
            return err_set(e, ERR_TEMPLATE, "the user property \"%s\" is reserved", MQTT_HOPS_NAME);
        list[i] =
            (struct user_property) { .name = key->p, .name_len = key->len, .value = value->p, .value_len = value->len };
    }
    p->user_properties = list;
    p->user_property_count = r->user_count;
    return 0;
}

int republish_rule_render(const struct republish_rule *r, const struct act_item *item, struct arena *a,
                          struct mqtt_publication *p, struct err *e)
{
    *p = (struct mqtt_publication) {
        .topic = republish_rule_topic(r, item->texts),
        .payload = { .p = item->body, .len = item->body_len },
        .qos = (uint8_t)r->qos,
        .retain = r->retain,
        .format = PAYLOAD_FORMAT_ABSENT,
        .hops = item->hops + 1,
    };
    if (check_topic(p->topic.p, p->topic.len, r->topic_is_escaped, e) < 0)
        return -1;
    for (size_t i = 0; i < REPUBLISH_HEADER_COUNT; i++) {
        const struct act_text *t = r->header_texts[i] >= 0 ? &item->texts[r->header_texts[i]] : NULL;
        if (t && t->len > 0 && header_puts[i](t, a, p, e) < 0)
            return -1;
    }
    return render_users(r, item, a, p, e);
}
