/* SPDX-License-Identifier: Apache-2.0 */
/* A signature covers the host, the content type and every x-amz-… header: what AWS demands, and nothing that could
 * change on the way. A header that is there twice is signed as one, its values joined by commas. */
#include "engine/http/http_auth.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/base64.h"
#include "engine/base/opt.h"
#include "engine/http/http_field.h"
#include "engine/http/sigv4.h"

#define AUTHORIZATION_MAX ((size_t)64 << 10)

struct fields {
    char *user, *password, *token, *service, *region;
};

#define FIELD(name) offsetof(struct fields, name)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct opt basic_options[] = {
    { "user", OPT_TEXT, FIELD(user), .required = true, .help = "user name" },
    { "password", OPT_TEXT, FIELD(password), .required = true, .help = "password" },
};

static const struct opt bearer_options[] = {
    { "token", OPT_TEXT, FIELD(token), .required = true, .help = "token" },
};

static const struct opt sigv4_options[] = {
    { "serviceName", OPT_TEXT, FIELD(service), .required = true, .help = "service that the request is signed for" },
    { "signingRegion", OPT_TEXT, FIELD(region), .required = true, .help = "region that the request is signed for" },
    { "roleArn", OPT_TEXT, 0, .ignored = true, .help = "role on AWS, ignored" },
};

static const struct {
    const char *name;
    const struct opt *options;
    size_t count;
} kinds[] = {
    [HTTP_AUTH_BASIC] = { "basic", basic_options, COUNT_OF(basic_options) },
    [HTTP_AUTH_BEARER] = { "bearer", bearer_options, COUNT_OF(bearer_options) },
    [HTTP_AUTH_SIGV4] = { "sigv4", sigv4_options, COUNT_OF(sigv4_options) },
};

static void wipe(char *p)
{
    if (p)
        explicit_bzero(p, strlen(p));
    free(p);
}

void http_auth_clear(struct http_auth *a)
{
    wipe(a->authorization);
    wipe(a->password);
    free(a->service);
    free(a->region);
    *a = (struct http_auth) { 0 };
}

/* --- reading --- */

static char *make_authorization(const struct fields *f)
{
    struct buf out, pair;
    buf_init(&out, AUTHORIZATION_MAX);
    buf_init(&pair, AUTHORIZATION_MAX);
    if (f->token) {
        buf_printf(&out, "Bearer %s", f->token);
    } else {
        buf_printf(&pair, "%s:%s", f->user, f->password);
        buf_puts(&out, "Basic ");
        base64_encode(&out, pair.p, pair.len);
    }
    if (pair.p)
        explicit_bzero(pair.p, pair.len);
    buf_clear(&pair);
    size_t len;
    return buf_detach(&out, &len);
}

static int check_secret(const struct conf *c, const struct fields *f, struct errs *errs)
{
    struct err e = { 0 };
    const char *token = f->token ? f->token : "";
    if (f->user && strchr(f->user, ':'))
        return errs_refuse(errs, ERR_CONF_VALUE, c->at, "the user name of \"basic\" cannot hold \":\"");
    if (http_field_check_value("authorization", token, strlen(token), &e) == 0)
        return 0;
    return errs_refuse(errs, ERR_CONF_VALUE, c->at, "the token of \"bearer\" has a control character");
}

static int take_fields(struct http_auth *a, const struct conf *c, struct fields *f, struct errs *errs)
{
    if (a->kind == HTTP_AUTH_SIGV4) {
        a->service = f->service;
        a->region = f->region;
        return 0;
    }
    int rc = check_secret(c, f, errs);
    a->authorization = rc == 0 ? make_authorization(f) : NULL;
    a->password = f->token ? f->token : f->password;
    free(f->user);
    if (rc == 0 && !a->authorization)
        return errs_refuse(errs, ERR_MEMORY, c->at, "not enough memory");
    return rc;
}

static int read_kind(struct http_auth *a, enum http_auth_kind kind, const struct conf *c, struct errs *errs)
{
    struct fields f = { 0 };
    char what[40];
    snprintf(what, sizeof(what), "auth %s", kinds[kind].name);
    if (opt_read(kinds[kind].options, kinds[kind].count, c, what, c->at, &f, errs) < 0) {
        opt_free(kinds[kind].options, kinds[kind].count, &f);
        return -1;
    }
    a->kind = kind;
    return take_fields(a, c, &f, errs);
}

static int wrong_form(const struct conf *c, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at,
                             "\"auth\" must be a map with one member: basic, bearer or sigv4");
    err_hint(e, "For example { sigv4: { serviceName: execute-api, signingRegion: eu-west-1 } }.");
    return -1;
}

int http_auth_read(struct http_auth *a, const struct conf *conf, bool may_hold_secrets, struct errs *errs)
{
    if (!conf || conf_is_null(conf) || (conf->kind == CONF_SCALAR && strcmp(conf->text, "none") == 0))
        return 0;
    if (conf->kind != CONF_MAP || conf->count != 1)
        return wrong_form(conf, errs);
    const struct conf *name = conf->keys[0];
    for (size_t i = HTTP_AUTH_BASIC; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].name, name->text) != 0)
            continue;
        if (may_hold_secrets || i == HTTP_AUTH_SIGV4)
            return read_kind(a, (enum http_auth_kind)i, conf->items[0], errs);
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, name->at, "\"%s\" cannot stand in a rule", name->text);
        err_hint(e, "Give it to a connection of kind http in sluice.yaml, where secrets can be filled in.");
        return -1;
    }
    return wrong_form(name, errs);
}

/* --- signing --- */

struct signing {
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    size_t count;
    struct arena *arena;
};

static char *lower_copy(struct arena *a, const char *name)
{
    char *copy = arena_strndup(a, name, strlen(name));
    for (char *p = copy; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static int join(struct signing *s, struct sigv4_header *h, const char *value, size_t len, struct err *e)
{
    char *both = arena_alloc(s->arena, h->value_len + len + 1);
    if (!both)
        return err_set(e, ERR_MEMORY, "not enough memory to sign a request");
    memcpy(both, h->value, h->value_len);
    both[h->value_len] = ',';
    memcpy(both + h->value_len + 1, value, len);
    h->value = both;
    h->value_len += len + 1;
    return 0;
}

static int add_signed(struct signing *s, const char *name, const char *value, size_t len, struct err *e)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcasecmp(s->headers[i].name, name) == 0)
            return join(s, &s->headers[i], value, len, e);
    }
    char *lower = lower_copy(s->arena, name);
    if (!lower)
        return err_set(e, ERR_MEMORY, "not enough memory to sign a request");
    s->headers[s->count++] = (struct sigv4_header) { .name = lower, .value = value, .value_len = len };
    return 0;
}

/* The host as libcurl writes it: without the scheme's own port. */
static size_t host_header_len(const struct http_url *u)
{
    bool own = u->port == (u->is_tls ? 443u : 80u);
    const char *bracket = memrchr(u->host, ']', u->host_len);
    const char *colon = memrchr(u->host, ':', u->host_len);
    bool named = colon && (!bracket || colon > bracket);
    return own && named ? (size_t)(colon - u->host) : u->host_len;
}

static int collect(struct signing *s, const struct http_field *fields, size_t count, const struct http_url *u,
                   struct err *e)
{
    if (count + 1 > SIGV4_HEADERS_MAX)
        return err_set(e, ERR_TEMPLATE, "too many headers to sign");
    if (add_signed(s, "host", u->host, host_header_len(u), e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        bool is_signed =
            strncasecmp(fields[i].name, "x-amz-", 6) == 0 || strcasecmp(fields[i].name, "content-type") == 0;
        if (is_signed && add_signed(s, fields[i].name, fields[i].value, fields[i].value_len, e) < 0)
            return -1;
    }
    return 0;
}

static void add_field(struct http_field *fields, size_t *count, const char *name, const char *value)
{
    fields[(*count)++] = (struct http_field) { .name = name, .value = value, .value_len = strlen(value) };
}

int http_auth_sign(const struct http_request *r, const struct http_url *url, const char *service, const char *region,
                   const struct aws_credentials *credentials, int64_t now_ms, struct http_field *fields, size_t *count,
                   struct arena *arena, struct err *e)
{
    struct signing s = { .arena = arena };
    char *time = arena_alloc(arena, SIGV4_TIME_SIZE), *hash = arena_alloc(arena, SIGV4_HASH_SIZE), *copy;
    struct buf out;
    if (!time || !hash)
        return err_set(e, ERR_MEMORY, "not enough memory to sign a request");
    sigv4_time(now_ms, time);
    sigv4_hash(r->body ? r->body : "", r->body_len, hash);
    add_field(fields, count, "x-amz-date", time);
    if (credentials->token)
        add_field(fields, count, "x-amz-security-token", credentials->token);
    if (strcmp(service, "s3") == 0)
        add_field(fields, count, "x-amz-content-sha256", hash);
    if (collect(&s, fields, *count, url, e) < 0)
        return -1;
    const struct sigv4_request sign = {
        .method = r->method,
        .path = url->path,
        .path_len = url->path_len,
        .query = url->query,
        .query_len = url->query_len,
        .headers = s.headers,
        .header_count = s.count,
        .body_hash = hash,
        .time = time,
        .service = service,
        .region = region,
        .key_id = credentials->key_id,
        .secret = credentials->secret,
    };
    buf_init(&out, AUTHORIZATION_MAX);
    int rc = sigv4_authorize(&sign, &out, e);
    if (rc == 0)
        rc = http_field_check_value("authorization", out.p, out.len, e);
    if (rc == 0 && credentials->token)
        rc = http_field_check_value("x-amz-security-token", credentials->token, strlen(credentials->token), e);
    copy = rc == 0 ? arena_strndup(arena, out.p, out.len) : NULL;
    buf_clear(&out);
    if (rc == 0 && !copy)
        rc = err_set(e, ERR_MEMORY, "not enough memory to sign a request");
    if (rc == 0)
        add_field(fields, count, "authorization", copy);
    return rc;
}
