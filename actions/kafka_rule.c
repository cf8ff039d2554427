/* SPDX-License-Identifier: Apache-2.0 */
/* Options of kafka and what becomes of them. Names of topics are checked here, before librdkafka sees them: it would ask
 * the servers about a name that no server can have. */
#include "actions/kafka_rule.h"

#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "engine/base/utf8.h"

#define TOPIC_MAX   249
#define HEADERS_MAX 100

const struct opt kafka_options[] = {
    { "connection", OPT_TEXT, 0, .ignored = true, .help = "name of a kafka connection in sluice.yaml" },
    { "destinationArn", OPT_TEXT, 0, .ignored = true, .help = "the same, as AWS names it" },
    { "topic", OPT_TEMPLATE, offsetof(struct kafka_rule, topic), .required = true,
      .help = "topic to write to, may be a template" },
    { "key", OPT_TEMPLATE, offsetof(struct kafka_rule, key),
      .help = "key of the message, may be a template; without a value there is none" },
    { "partition", OPT_TEMPLATE, offsetof(struct kafka_rule, partition),
      .help = "number of the partition, may be a template; absent: chosen by the key" },
    { "headers", OPT_CONF, offsetof(struct kafka_rule, headers_conf),
      .help = "list of { key, value }, both may be templates" },
    { "clientProperties", OPT_CONF, offsetof(struct kafka_rule, client_conf),
      .help = "map of producer properties beside those of the connection" },
};
_Static_assert(sizeof(kafka_options) / sizeof(kafka_options[0]) == KAFKA_OPTION_COUNT, "KAFKA_OPTION_COUNT");

/* --- topic and partition --- */

static bool is_topic_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static int check_topic_chars(const char *p, size_t len, struct err *e)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_topic_char(p[i]))
            return err_set(e, ERR_TEMPLATE,
                           "a topic of Kafka has only the characters a-z, A-Z, 0-9, \".\", \"_\" "
                           "and \"-\"");
    }
    return 0;
}

static int check_topic(const char *p, size_t len, struct err *e)
{
    if (len == 0)
        return err_set(e, ERR_TEMPLATE, "the topic is empty");
    if (len > TOPIC_MAX)
        return err_set(e, ERR_TEMPLATE, "the topic has %zu characters, at most %d are allowed", len, TOPIC_MAX);
    if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
        return err_set(e, ERR_TEMPLATE, "a topic cannot be named \".\" or \"..\"");
    return check_topic_chars(p, len, e);
}

static int read_partition(const char *p, size_t len, int32_t *partition, struct err *e)
{
    int64_t n = 0;
    for (size_t i = 0; i < len && n <= INT32_MAX; i++)
        n = p[i] >= '0' && p[i] <= '9' ? n * 10 + (p[i] - '0') : (int64_t)INT32_MAX + 1;
    if (len == 0 || n > INT32_MAX)
        return err_set(e, ERR_TEMPLATE, "the partition must be a number from 0 to %d", INT32_MAX);
    *partition = (int32_t)n;
    return 0;
}

static int open_topic(struct kafka_rule *r, struct act_host *host, struct errs *errs)
{
    struct err e = { 0 };
    if (!r->topic)
        return -1;
    r->topic_text = host->template_add(host, r->topic, errs);
    if (r->topic_text < 0)
        return -1;
    r->place_is_constant = host->template_is_constant(host, r->topic_text);
    size_t prefix = act_constant_prefix(r->topic);
    if ((r->place_is_constant ? check_topic(r->topic->text, r->topic->len, &e)
                              : check_topic_chars(r->topic->text, prefix, &e)) < 0)
        return errs_refuse_value(errs, &e, r->topic->at);
    return 0;
}

static int open_partition(struct kafka_rule *r, struct act_host *host, struct errs *errs)
{
    struct err e = { 0 };
    int32_t n;
    if (!r->partition)
        return 0;
    r->partition_text = host->template_add(host, r->partition, errs);
    if (r->partition_text < 0)
        return -1;
    bool constant = host->template_is_constant(host, r->partition_text);
    r->place_is_constant = r->place_is_constant && constant;
    if (constant && read_partition(r->partition->text, r->partition->len, &n, &e) < 0)
        return errs_refuse_value(errs, &e, r->partition->at);
    return 0;
}

static int open_key(struct kafka_rule *r, struct act_host *host, struct errs *errs)
{
    if (!r->key)
        return 0;
    r->key_text = host->template_add(host, r->key, errs);
    return r->key_text < 0 ? -1 : 0;
}

/* --- headers --- */

struct header_conf {
    const struct conf *key, *value;
};

static const struct opt header_options[] = {
    { "key", OPT_TEMPLATE, offsetof(struct header_conf, key), .required = true, .help = "name of the header" },
    { "value", OPT_TEMPLATE, offsetof(struct header_conf, value), .required = true, .help = "its text" },
};

static int open_header(struct kafka_rule *r, const struct conf *c, struct act_host *host, struct errs *errs)
{
    struct header_conf h = { 0 };
    if (opt_read(header_options, sizeof(header_options) / sizeof(header_options[0]), c, "a header", c->at, &h, errs) <
            0 ||
        !h.key || !h.value)
        return -1;
    if (h.key->len == 0)
        return errs_refuse(errs, ERR_CONF_VALUE, h.key->at, "a header needs a name");
    int key = host->template_add(host, h.key, errs), value = host->template_add(host, h.value, errs);
    r->headers[r->header_count++] = (struct kafka_rule_header) { key, value };
    return key < 0 || value < 0 ? -1 : 0;
}

static int open_headers(struct kafka_rule *r, struct act_host *host, struct errs *errs)
{
    const struct conf *c = r->headers_conf;
    if (!c || conf_is_null(c))
        return 0;
    if (c->kind != CONF_LIST || c->count < 1 || c->count > HEADERS_MAX) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at, "\"headers\" must be a list of 1 to %d maps", HEADERS_MAX);
        err_hint(e, "For example [{ key: site, value: \"${topic(2)}\" }].");
        return -1;
    }
    r->headers = calloc(c->count, sizeof(*r->headers));
    if (!r->headers)
        return errs_refuse(errs, ERR_MEMORY, c->at, "not enough memory");
    int rc = 0;
    for (size_t i = 0; i < c->count; i++)
        rc = open_header(r, c->items[i], host, errs) < 0 ? -1 : rc;
    return rc;
}

/* --- properties --- */

static int open_client(struct kafka_rule *r, const struct kafka_catalog *catalog, const char *client_id,
                       struct errs *errs)
{
    const struct conf *c = r->client_conf;
    size_t errors = errs->errors;
    if (!c || conf_is_null(c))
        return 0;
    if (c->kind != CONF_MAP)
        return errs_refuse(errs, ERR_CONF_TYPE, c->at, "\"clientProperties\" must be a map from property to text");
    r->own_props = kafka_props_new(catalog, r->props);
    if (!r->own_props)
        return errs_refuse(errs, ERR_MEMORY, c->at, "not enough memory");
    for (size_t i = 0; i < c->count; i++)
        kafka_props_add_client(r->own_props, c->keys[i], c->items[i], errs);
    r->props = r->own_props;
    return errs->errors > errors ? -1 : kafka_props_finish(r->own_props, client_id, c->at, errs);
}

/* --- life --- */

/* Both names of one thing. */
static int check_connection(const struct conf *conf, struct errs *errs)
{
    const struct conf *ours = conf_get(conf, "connection"), *theirs = conf_get(conf, "destinationArn");
    if (!ours || !theirs || conf_is_null(ours) || conf_is_null(theirs))
        return 0;
    return errs_refuse(errs, ERR_CONF_KEY, theirs->at, "\"connection\" and \"destinationArn\" name the same: give one");
}

struct kafka_rule *kafka_rule_open(const struct kafka_catalog *catalog, const struct kafka_props *connection,
                                   const char *client_id, const struct conf *conf, struct act_host *host,
                                   struct errs *errs)
{
    struct kafka_rule *r = calloc(1, sizeof(*r));
    if (!r) {
        errs_refuse(errs, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    r->key_text = r->partition_text = -1;
    r->props = connection;
    int rc = opt_read(kafka_options, KAFKA_OPTION_COUNT, conf, "kafka", conf->at, r, errs);
    rc = check_connection(conf, errs) < 0 ? -1 : rc;
    rc = open_topic(r, host, errs) < 0 ? -1 : rc;
    rc = open_partition(r, host, errs) < 0 ? -1 : rc;
    rc = open_key(r, host, errs) < 0 ? -1 : rc;
    rc = open_headers(r, host, errs) < 0 ? -1 : rc;
    rc = open_client(r, catalog, client_id, errs) < 0 ? -1 : rc;
    if (rc == 0)
        return r;
    kafka_rule_free(r);
    return NULL;
}

void kafka_rule_free(struct kafka_rule *r)
{
    if (!r)
        return;
    kafka_props_free(r->own_props);
    free(r->headers);
    free(r);
}

/* --- rendering --- */

static struct kafka_bytes bytes_of(const struct act_text *t)
{
    return (struct kafka_bytes) { .p = t->p ? t->p : "", .len = t->len };
}

static int render_headers(const struct kafka_rule *r, const struct act_item *item, struct arena *a,
                          struct kafka_record *record, struct err *e)
{
    struct kafka_header *list = arena_array(a, r->header_count, sizeof(*list));
    if (!list)
        return err_set(e, ERR_MEMORY, "not enough memory for headers");
    for (size_t i = 0; i < r->header_count; i++) {
        const struct act_text *key = &item->texts[r->headers[i].key], *value = &item->texts[r->headers[i].value];
        if (key->len == 0)
            return err_set(e, ERR_TEMPLATE, "the name of a header is empty");
        if (!utf8_is_valid(key->p, key->len) || memchr(key->p, '\0', key->len))
            return err_set(e, ERR_TEMPLATE, "the name of a header is not a text");
        list[i] = (struct kafka_header) { bytes_of(key), bytes_of(value) };
    }
    record->headers = list;
    record->header_count = r->header_count;
    return 0;
}

int kafka_rule_render(const struct kafka_rule *r, const struct act_item *item, struct arena *a,
                      struct kafka_record *record, struct err *e)
{
    const struct act_text *key = r->key_text >= 0 ? &item->texts[r->key_text] : NULL;
    const struct act_text *partition = r->partition_text >= 0 ? &item->texts[r->partition_text] : NULL;
    *record = (struct kafka_record) {
        .topic = bytes_of(&item->texts[r->topic_text]),
        .value = { .p = item->body, .len = item->body_len },
        .partition = KAFKA_ANY_PARTITION,
    };
    if (key && !key->is_null)
        record->key = bytes_of(key);
    if (check_topic(record->topic.p, record->topic.len, e) < 0)
        return -1;
    if (partition && read_partition(partition->p, partition->len, &record->partition, e) < 0)
        return -1;
    return r->header_count ? render_headers(r, item, a, record, e) : 0;
}
