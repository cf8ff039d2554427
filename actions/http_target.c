/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets stand only here: a connection is read from sluice.yaml, where they can be filled in. */
#include "actions/http_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/http/http_settings.h"
#include "engine/http/http_url.h"

static const char *const versions[] = { "auto", "1.1", NULL };

#define FIELD(name) offsetof(struct http_target, name)

const struct opt http_target_options[HTTP_TARGET_OPTION_COUNT] = {
    { "url", OPT_TEXT, FIELD(url), .help = "what the url of every action on this connection begins with" },
    { "auth", OPT_CONF, FIELD(auth_conf),
      .help =
          "none, { basic: { user, password } }, { bearer: { token } } or { sigv4: { serviceName, signingRegion } }" },
    { "credentials", OPT_CONF, FIELD(credentials_conf),
      .help =
          "for sigv4: accessKeyId, secretAccessKey, sessionToken, or file, profile; absent: as AWS's tools find them" },
    { "headers", OPT_CONF, FIELD(fields_conf),
      .help = "map or list of { key, value }, constant, sent with every request" },
    { "connectTimeout", OPT_DURATION, FIELD(settings.connect_timeout_ms), .def = "3s", .min = 100, .max = 300000,
      .help = "longest time to connect, look-up of the name included" },
    { "timeout", OPT_DURATION, FIELD(settings.timeout_ms), .def = "10s", .min = 100, .max = 600000,
      .help = "longest time for a request, connecting included" },
    { "maxConnections", OPT_INT, FIELD(settings.connections), .def = "8", .min = 1, .max = 100,
      .help = "requests that run at once, to each host" },
    { "responseLimit", OPT_SIZE, FIELD(settings.response_max), .def = "16k", .min = 1, .max = 16 << 20,
      .help = "longest answer; a longer one to a request that worked rejects it" },
    { "caFile", OPT_PATH, FIELD(settings.ca_file),
      .help = "PEM file of the authorities that may sign a server's certificate; absent: those of the system" },
    { "certFile", OPT_PATH, FIELD(settings.cert_file), .help = "PEM file of the client certificate and its chain" },
    { "keyFile", OPT_PATH, FIELD(settings.key_file),
      .help = "PEM file of the client's private key; absent: it is in certFile" },
    { "keyPassword", OPT_TEXT, FIELD(settings.key_password), .help = "password of an encrypted private key" },
    { "followRedirects", OPT_BOOL, FIELD(settings.follow_redirects), .def = "false",
      .help = "go where a redirect leads, up to 5 times, never from https to http" },
    { "denyPrivateNetworks", OPT_BOOL, FIELD(settings.deny_private), .def = "false",
      .help = "reject what leads to an address that is not of the public internet" },
    { "httpVersion", OPT_CHOICE, FIELD(settings.version), .def = "auto", .choices = versions,
      .help = "auto: HTTP/2 over TLS where the server has it" },
};

void http_target_close(void *target)
{
    struct http_target *t = target;
    if (!t)
        return;
    http_auth_clear(&t->auth);
    aws_source_clear(&t->aws);
    opt_free(http_target_options, HTTP_TARGET_OPTION_COUNT, t);
    free(t);
}

/* A base: scheme, host and perhaps a path. */
static int check_url(struct http_target *t, const struct conf *conf, struct errs *errs)
{
    struct http_url u;
    struct err e = { 0 };
    if (!t->url)
        return 0;
    if (http_url_split(&u, t->url, strlen(t->url), &e) < 0)
        return errs_refuse_value(errs, &e, conf_get(conf, "url")->at);
    if (strchr(t->url, '?'))
        return errs_refuse(errs, ERR_CONF_VALUE, conf_get(conf, "url")->at,
                           "the url of a connection cannot have a query");
    if (u.path_len > 0 && u.path[u.path_len - 1] == '/')
        t->url[strlen(t->url) - 1] = '\0';
    if (conf_get(conf, "url")->is_filled && t->url[u.origin_len])
        t->secret_path = t->url + u.origin_len;
    return 0;
}

bool http_target_has_field(const struct http_target *t, const char *name)
{
    for (size_t i = 0; i < t->field_count; i++) {
        if (strcasecmp(t->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Into the target's list; the tree outlives the target. */
static int take_field(void *ctx, const struct conf *name, const struct conf *value, struct errs *errs)
{
    struct http_target *t = ctx;
    struct err e = { 0 };
    if (http_field_check_value(name->text, value->text, value->len, &e) < 0)
        return errs_refuse_value(errs, &e, value->at);
    if (strcasecmp(name->text, "authorization") == 0 && t->auth.kind != HTTP_AUTH_NONE)
        return errs_refuse(errs, ERR_CONF_VALUE, name->at, "\"auth\" makes this header already");
    t->fields[t->field_count++] = (struct http_field) { name->text, value->text, value->len };
    return 0;
}

void *http_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    struct span at = conf ? conf->at : (struct span) { 0 };
    struct http_target *t = calloc(1, sizeof(*t));
    struct err e = { 0 };
    if (!t || http_link_setup(&e) < 0) {
        errs_refuse(errs, ERR_MEMORY, at, t ? e.text : "not enough memory");
        free(t);
        return NULL;
    }
    int rc = opt_read(http_target_options, HTTP_TARGET_OPTION_COUNT, conf, "http", at, t, errs);
    rc = check_url(t, conf, errs) < 0 ? -1 : rc;
    rc = http_auth_read(&t->auth, t->auth_conf, true, errs) < 0 ? -1 : rc;
    rc = aws_source_read(&t->aws, t->credentials_conf, errs) < 0 ? -1 : rc;
    rc = http_fields_read(t->fields_conf, take_field, t, errs) < 0 ? -1 : rc;
    rc = http_settings_check_files(&t->settings, conf, errs) < 0 ? -1 : rc;
    t->settings.clock = env->clock;
    if (rc == 0)
        return t;
    http_target_close(t);
    return NULL;
}
