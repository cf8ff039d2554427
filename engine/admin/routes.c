/* SPDX-License-Identifier: Apache-2.0 */
/* A token is looked at before all else, so that who has none does not learn what there is. */
#include "engine/admin/routes.h"

#include <string.h>
#include <strings.h>

#include "engine/admin/auth_ask.h"
#include "engine/base/json.h"

typedef void route_handler(const struct routes *rt, const struct http_request *r, struct http_response *out);

static void get_health(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    (void)rt;
    (void)r;
    buf_puts(&out->body, "{\"status\":\"running\"}");
}

/* Sorted by path. A route with POST reads a body of JSON or of a form. */
static const struct route {
    const char *method, *path;
    route_handler *handler;
} table[] = {
    { "POST", "/auth/emqx/authenticate", auth_emqx_authenticate },
    { "POST", "/auth/emqx/authorize", auth_emqx_authorize },
    { "POST", "/auth/mosquitto-go-auth/acl", auth_go_acl },
    { "POST", "/auth/mosquitto-go-auth/superuser", auth_go_superuser },
    { "POST", "/auth/mosquitto-go-auth/user", auth_go_user },
    { "GET", "/health", get_health },
};

void routes_refuse(struct http_response *out, unsigned status, const char *why)
{
    out->status = status;
    buf_reset(&out->body);
    buf_puts(&out->body, "{\"error\":");
    json_write_string(&out->body, why, strlen(why));
    buf_putc(&out->body, '}');
}

/* Takes as long whatever the first wrong byte is; only the length of what was given shows. */
static bool is_same_token(const char *token, const char *given)
{
    size_t len = strlen(token), given_len = strlen(given);
    unsigned difference = len != given_len;
    for (size_t i = 0; i < given_len; i++)
        difference |= (unsigned char)token[len ? i % len : 0] ^ (unsigned char)given[i];
    return difference == 0;
}

static bool has_token(const struct routes *rt, const struct http_request *r)
{
    static const char scheme[] = "Bearer ";
    const char *given = r->authorization;
    if (!rt->token)
        return true;
    return given && strncasecmp(given, scheme, sizeof(scheme) - 1) == 0 &&
           is_same_token(rt->token, given + sizeof(scheme) - 1);
}

static const struct route *find(const char *path)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].path, path) == 0)
            return &table[i];
    }
    return NULL;
}

/* HEAD is GET whose body the server leaves out. */
static bool is_method(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* A media type, whatever its parameters. */
static bool is_type(const char *given, const char *type)
{
    size_t len = strlen(type);
    return given && strncasecmp(given, type, len) == 0 && (!given[len] || strchr("; \t", given[len]));
}

bool routes_is_form(const struct http_request *r)
{
    return is_type(r->content_type, "application/x-www-form-urlencoded");
}

static bool is_readable(const struct http_request *r)
{
    return is_type(r->content_type, "application/json") || routes_is_form(r);
}

void routes_answer(void *routes, const struct http_request *r, struct http_response *out)
{
    const struct routes *rt = routes;
    const struct route *route = find(r->path);
    bool has_body = route && strcmp(route->method, "POST") == 0;
    if (!has_token(rt, r)) {
        out->wants_token = true;
        routes_refuse(out, 401, "the request needs Authorization: Bearer with the token of sluice.yaml");
    } else if (!route) {
        routes_refuse(out, 404, "there is nothing at this path");
    } else if (!is_method(route, r->method)) {
        out->allow = has_body ? "POST" : "GET, HEAD";
        routes_refuse(out, 405, "this path does not take this method");
    } else if (r->is_too_large) {
        routes_refuse(out, 413, "the body has more than 64 KiB");
    } else if (has_body && !is_readable(r)) {
        routes_refuse(out, 415, "the body must be application/json or application/x-www-form-urlencoded");
    } else {
        route->handler(rt, r, out);
    }
}
