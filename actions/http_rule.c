/* SPDX-License-Identifier: Apache-2.0 */
/* Options of http and what becomes of them.
 *
 * Who may choose the host: the rule's author, by a url whose beginning up to the path is constant, or a message. What a
 * connection keeps secret goes only to hosts that its author wrote.
 *
 * Batches (AWS's enableBatching) hold outputs of one action, one url and, unless batchAcrossTopics, one topic, as a
 * JSON array; header values are those of the last one. There is no timer: a batch is what has gathered while the lane
 * was busy, so maxBatchOpenMs has nothing to do. */
#include "actions/http_rule.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/items.h"
#include "engine/http/http_url.h"

#define FIELD(name)   offsetof(struct http_rule, name)
#define COUNT_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define URL_ROOM      (HTTP_URL_MAX * 2)     /* a longer one is refused anyway */
#define OWN_FIELDS    (1 + HTTP_AUTH_FIELDS) /* content type */
#define TOPIC_MESSAGE "${topic()}"

static const char *const methods[] = { "POST", "PUT", "PATCH", "GET", "DELETE", NULL };
static const bool method_has_body[] = { true, true, true, false, false };
_Static_assert(COUNT_OF(methods) == COUNT_OF(method_has_body) + 1, "one entry per method");

const struct opt http_rule_options[HTTP_RULE_OPTION_COUNT] = {
    { "connection", OPT_TEXT, 0, .ignored = true,
      .help = "name of an http connection in sluice.yaml; absent: all defaults" },
    { "url", OPT_TEMPLATE, FIELD(url), .required = true,
      .help = "where to send to, may be a template; with a connection that has a url, what follows it, from \"/\" on" },
    { "confirmationUrl", OPT_CONF, FIELD(confirmation_url),
      .help = "on AWS the url that confirms the destination; accepted, nothing is confirmed" },
    { "method", OPT_CHOICE, FIELD(method), .def = "POST", .choices = methods,
      .help = "GET and DELETE send no body (extension)" },
    { "headers", OPT_CONF, FIELD(fields_conf), .help = "list of { key, value } or map; values may be templates" },
    { "auth", OPT_CONF, FIELD(auth_conf), .help = "{ sigv4: { serviceName, signingRegion, roleArn } }, or none" },
    { "enableBatching", OPT_BOOL, FIELD(batching), .def = "false", .help = "send several outputs as one JSON array" },
    { "batchConfig", OPT_CONF, FIELD(batch_conf),
      .help = "maxBatchSize (2 to 500, default 10), maxBatchSizeBytes (100 to 16M, default 5120), batchAcrossTopics "
              "(default false), maxBatchOpenMs (5 to 200, without effect)" },
};

#define BATCH(name) offsetof(struct http_batch, name)

static const struct opt batch_options[] = {
    { "maxBatchOpenMs", OPT_INT, BATCH(open_ms), .def = "20", .min = 5, .max = 200, .help = "accepted" },
    { "maxBatchSize", OPT_INT, BATCH(size), .def = "10", .min = 2, .max = 500, .help = "outputs in a batch" },
    { "maxBatchSizeBytes", OPT_SIZE, BATCH(bytes), .def = "5120", .min = 100, .max = 16 << 20,
      .help = "bytes of a batch" },
    { "batchAcrossTopics", OPT_BOOL, BATCH(across_topics), .def = "false", .help = "a batch may mix topics" },
};

/* --- auth --- */

const struct http_auth *http_rule_signs(const struct http_rule *r)
{
    const struct http_auth *a = r->auth_conf ? &r->auth : &r->target->auth;
    return a->kind == HTTP_AUTH_SIGV4 ? a : NULL;
}

static int open_auth(struct http_rule *r, struct span at, struct errs *errs)
{
    struct aws_credentials found;
    struct err e = { 0 };
    bool is_there = false;
    if (http_auth_read(&r->auth, r->auth_conf, false, errs) < 0)
        return -1;
    if (!http_rule_signs(r))
        return 0;
    if (r->auth_conf)
        at = r->auth_conf->at;
    if (http_target_has_field(r->target, "authorization"))
        return errs_refuse(errs, ERR_CONF_VALUE, at, "the connection has a header \"Authorization\" already");
    if (r->target->settings.follow_redirects)
        return errs_refuse(errs, ERR_CONF_VALUE, at,
                           "a signature is for one url: \"sigv4\" and \"followRedirects\" exclude each other");
    int rc = aws_credentials_find(&r->target->aws, &found, &is_there, &e);
    aws_credentials_clear(&found);
    if (rc < 0)
        return errs_refuse_value(errs, &e, at);
    if (is_there)
        return 0;
    struct err *missing = errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, at, "there are no AWS credentials to sign with");
    err_hint(missing, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \"credentials\" of an http connection.");
    return -1;
}

/* --- url --- */

void http_rule_put_origin(const struct conf *action, struct buf *out)
{
    const struct conf *url = conf_get(action, "url");
    struct http_url u;
    if (!url || url->kind != CONF_SCALAR)
        return;
    size_t constant = act_constant_prefix(url), len = constant;
    if (constant < url->len && !http_url_fixes_host(url->text, constant))
        return;
    for (size_t i = 0, slashes = 0; i < constant && len == constant; i++) {
        slashes += url->text[i] == '/';
        if (slashes == 3 || url->text[i] == '?')
            len = i;
    }
    if (http_url_split(&u, url->text, len, NULL) < 0)
        return;
    for (size_t i = 0; i < u.origin_len; i++)
        buf_putc(out, (char)(u.origin[i] >= 'A' && u.origin[i] <= 'Z' ? u.origin[i] | 0x20 : u.origin[i]));
}

static int check_constant_url(const struct http_rule *r, struct errs *errs)
{
    struct http_url u;
    struct err e = { 0 };
    struct buf out;
    const struct act_text text = { .p = r->url->text, .len = r->url->len };
    buf_init(&out, URL_ROOM);
    if (r->target->url)
        buf_puts(&out, r->target->url);
    buf_put(&out, text.p, text.len);
    int rc = http_url_split(&u, out.p ? out.p : "", out.len, &e);
    buf_clear(&out);
    return rc < 0 ? errs_refuse_value(errs, &e, r->url->at) : 0;
}

/* A message chooses the host: what must not go anywhere, and what had better not. */
static int check_free_host(const struct http_rule *r, struct errs *errs)
{
    const struct http_target *t = r->target;
    bool has_secrets = t->auth.authorization || t->field_count > 0 || t->settings.cert_file || http_rule_signs(r);
    struct err *e;
    if (has_secrets) {
        e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, r->url->at,
                     "a message could choose the host that gets this connection's credentials");
        err_hint(e, "Write scheme, host and the \"/\" after it before the first \"${\".");
        return -1;
    }
    if (!t->settings.deny_private) {
        e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, r->url->at,
                     "a message can choose the host, one of this network too");
        err_hint(e, "Use a connection of kind http with denyPrivateNetworks: true.");
    }
    return 0;
}

static int open_url(struct http_rule *r, struct act_host *host, struct errs *errs)
{
    if (!r->url)
        return -1;
    r->url_text = host->template_add(host, r->url, errs);
    if (r->url_text < 0)
        return -1;
    size_t constant = act_constant_prefix(r->url);
    if (r->target->url && r->url->text[0] != '/') {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, r->url->at,
                                 "with a connection that has a url, this one must begin with \"/\"");
        err_hint(e, "It follows the url of the connection.");
        return -1;
    }
    if (host->template_is_constant(host, r->url_text))
        return check_constant_url(r, errs);
    return r->target->url || http_url_fixes_host(r->url->text, constant) ? 0 : check_free_host(r, errs);
}

/* On AWS it must be a prefix of the url. Nothing is confirmed here, so only what cannot be meant is refused. */
static int check_confirmation(const struct http_rule *r, struct errs *errs)
{
    const struct conf *c = r->confirmation_url;
    if (c && c->kind != CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, c->at, "\"confirmationUrl\" must be a text");
    return 0;
}

void http_rule_put_url(const struct http_rule *r, const struct act_text *texts, struct buf *out)
{
    if (r->target->url)
        buf_puts(out, r->target->url);
    buf_put(out, texts[r->url_text].p, texts[r->url_text].len);
}

void http_rule_put_resource(const struct http_rule *r, const struct act_text *texts, struct buf *out)
{
    const struct http_target *t = r->target;
    if (!t->secret_path) {
        http_rule_put_url(r, texts, out);
        return;
    }
    buf_put(out, t->url, (size_t)(t->secret_path - t->url));
    buf_puts(out, "/***");
    buf_put(out, texts[r->url_text].p, texts[r->url_text].len);
}

/* --- headers --- */

struct opening {
    struct http_rule *rule;
    struct act_host *host;
};

static int open_field(void *ctx, const struct conf *name, const struct conf *value, struct errs *errs)
{
    struct opening *o = ctx;
    struct http_rule *r = o->rule;
    struct err e = { 0 };
    int text = o->host->template_add(o->host, value, errs);
    if (text < 0)
        return -1;
    r->fields[r->field_count++] = (struct http_rule_field) { name->text, text };
    bool is_authorization = strcasecmp(name->text, "authorization") == 0;
    if (is_authorization && (r->target->auth.kind != HTTP_AUTH_NONE || r->auth_conf))
        return errs_refuse(errs, ERR_CONF_VALUE, name->at, "\"auth\" makes this header already");
    if (!o->host->template_is_constant(o->host, text) ||
        http_field_check_value(name->text, value->text, value->len, &e) == 0)
        return 0;
    return errs_refuse_value(errs, &e, value->at);
}

/* --- batches --- */

static int open_batch(struct http_rule *r, struct act_host *host, struct errs *errs)
{
    const struct conf *c = r->batch_conf;
    struct span at = c ? c->at : r->url->at;
    r->topic_text = -1;
    if (c && host->is_error_action)
        return errs_refuse(errs, ERR_CONF_VALUE, c->at, "\"batchConfig\" is not allowed in an error action");
    if (opt_read(batch_options, COUNT_OF(batch_options), c, "batchConfig", at, &r->batch, errs) < 0)
        return -1;
    if (!r->batching)
        return 0;
    if (!method_has_body[r->method])
        return errs_refuse(errs, ERR_CONF_VALUE, at, "\"enableBatching\" needs a method that sends a body");
    host->batching = r->batch.across_topics ? ACT_BATCHING_TOPICS : ACT_BATCHING_TOPIC;
    host->needs_json = true;
    if (r->batch.across_topics)
        return 0;
    static char topic[] = TOPIC_MESSAGE;
    r->topic_conf =
        (struct conf) { .kind = CONF_SCALAR, .style = CONF_FOLDED, .at = at, .text = topic, .len = sizeof(topic) - 1 };
    r->topic_text = host->template_add(host, &r->topic_conf, errs);
    return r->topic_text < 0 ? -1 : 0;
}

bool http_rule_joins(const struct http_rule *r, const struct act_item *first, size_t count, size_t bytes,
                     const struct act_item *item)
{
    if (!r->batching || item->action != first->action || !item->body_is_json || !first->body_is_json)
        return false;
    size_t punctuation = count + 2; /* brackets, commas */
    if (count >= (size_t)r->batch.size || bytes + item->body_len + punctuation > (size_t)r->batch.bytes)
        return false;
    if (!act_text_equal(&first->texts[r->url_text], &item->texts[r->url_text]))
        return false;
    return r->topic_text < 0 || act_text_equal(&first->texts[r->topic_text], &item->texts[r->topic_text]);
}

/* --- opening --- */

void http_rule_free(struct http_rule *r)
{
    if (!r)
        return;
    http_auth_clear(&r->auth);
    free(r);
}

struct http_rule *http_rule_open(const struct http_target *target, const struct conf *conf, struct act_host *host,
                                 struct errs *errs)
{
    struct http_rule *r = calloc(1, sizeof(*r));
    struct opening o = { r, host };
    if (!r) {
        errs_refuse(errs, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    r->target = target;
    int rc = opt_read(http_rule_options, HTTP_RULE_OPTION_COUNT, conf, "http", conf->at, r, errs);
    if (r->auth_conf && conf_is_null(r->auth_conf))
        r->auth_conf = NULL;
    rc = open_auth(r, conf->at, errs) < 0 ? -1 : rc;
    rc = open_url(r, host, errs) < 0 ? -1 : rc;
    rc = check_confirmation(r, errs) < 0 ? -1 : rc;
    rc = http_fields_read(r->fields_conf, open_field, &o, errs) < 0 ? -1 : rc;
    if (r->url)
        rc = open_batch(r, host, errs) < 0 ? -1 : rc;
    if (rc == 0)
        return r;
    http_rule_free(r);
    return NULL;
}

/* --- requests --- */

static int make_url(const struct http_rule *r, const struct act_item *item, struct arena *a, struct http_request *q,
                    struct http_url *u, struct err *e)
{
    struct buf out;
    buf_init(&out, URL_ROOM);
    http_rule_put_url(r, item->texts, &out);
    int rc = out.failed ? err_set(e, ERR_TEMPLATE, "the url is longer than %d bytes", HTTP_URL_MAX)
                        : http_url_split(u, out.p ? out.p : "", out.len, e);
    q->url = rc == 0 ? arena_strndup(a, out.p, out.len) : NULL;
    buf_clear(&out);
    if (rc == 0 && !q->url)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    if (rc < 0)
        return -1;
    q->origin_len = u->origin_len;
    return http_url_split(u, q->url, strlen(q->url), e); /* now of the copy */
}

static bool rule_has(const struct http_rule *r, const char *name)
{
    for (size_t i = 0; i < r->field_count; i++) {
        if (strcasecmp(r->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

static void put_field(struct http_field *fields, size_t *count, const char *name, const char *value, size_t len)
{
    fields[(*count)++] = (struct http_field) { .name = name, .value = value, .value_len = len };
}

/* Those of the connection, unless the rule has its own of the name, then the rule's. */
static int put_fields(const struct http_rule *r, const struct act_item *item, struct http_field *fields, size_t *count,
                      struct err *e)
{
    bool typed = rule_has(r, "content-type");
    const struct http_target *t = r->target;
    for (size_t i = 0; i < t->field_count; i++) {
        typed = typed || strcasecmp(t->fields[i].name, "content-type") == 0;
        if (!rule_has(r, t->fields[i].name))
            fields[(*count)++] = t->fields[i];
    }
    for (size_t i = 0; i < r->field_count; i++) {
        const struct act_text *value = &item->texts[r->fields[i].value];
        if (http_field_check_value(r->fields[i].name, value->p, value->len, e) < 0)
            return -1;
        put_field(fields, count, r->fields[i].name, value->p, value->len);
    }
    const char *type = item->body_is_json ? "application/json" : "application/octet-stream";
    if (!typed && method_has_body[r->method])
        put_field(fields, count, "Content-Type", type, strlen(type));
    return 0;
}

static int make_batch(struct act_item *const *items, size_t count, struct arena *a, struct http_request *q,
                      struct err *e)
{
    size_t len = 2 + count - 1;
    for (size_t i = 0; i < count; i++) {
        if (!items[i]->body_is_json)
            return err_set(e, ERR_TEMPLATE, "a batch is a JSON array, and this output is not JSON");
        len += items[i]->body_len;
    }
    char *p = arena_alloc(a, len);
    if (!p)
        return err_set(e, ERR_MEMORY, "not enough memory for a batch");
    q->body = p;
    q->body_len = len;
    for (size_t i = 0; i < count; i++) {
        *p++ = i ? ',' : '[';
        memcpy(p, items[i]->body, items[i]->body_len);
        p += items[i]->body_len;
    }
    *p = ']';
    return 0;
}

static int make_body(const struct http_rule *r, struct act_item *const *items, size_t count, struct arena *a,
                     struct http_request *q, struct err *e)
{
    if (!method_has_body[r->method])
        return 0;
    if (r->batching)
        return make_batch(items, count, a, q, e);
    q->body = items[0]->body ? items[0]->body : "";
    q->body_len = items[0]->body_len;
    return 0;
}

int http_rule_make(const struct http_rule *r, const struct aws_credentials *credentials, int64_t now_ms,
                   struct act_item *const *items, size_t count, struct arena *a, struct http_request *q, struct err *e)
{
    struct http_url u;
    const struct http_auth *signs = http_rule_signs(r);
    size_t room = r->target->field_count + r->field_count + OWN_FIELDS, n = 0;
    struct http_field *fields = arena_array(a, room, sizeof(*fields));
    if (!fields)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    q->method = methods[r->method];
    if (make_url(r, items[0], a, q, &u, e) < 0 || make_body(r, items, count, a, q, e) < 0 ||
        put_fields(r, items[count - 1], fields, &n, e) < 0)
        return -1;
    q->fields = fields;
    if (signs && http_auth_sign(q, &u, signs->service, signs->region, credentials, now_ms, fields, &n, a, e) < 0)
        return -1;
    if (!r->auth_conf && r->target->auth.authorization)
        put_field(fields, &n, "Authorization", r->target->auth.authorization, strlen(r->target->auth.authorization));
    q->field_count = n;
    return 0;
}
