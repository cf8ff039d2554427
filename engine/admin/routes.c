/* SPDX-License-Identifier: Apache-2.0 */
/* A token is looked at before all else, so that who has none does not learn what there is.
 *
 * Who listens without a token does so on the loopback, where a browser of this machine reaches it, too: a page may give its own
 * name our address and then read what we answer. So the Host of a request must be an address there, or localhost. */
#include "engine/admin/routes.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "engine/admin/auth_ask.h"
#include "engine/base/base64.h"
#include "engine/base/json.h"

#define BASIC_MAX ((size_t)8192)

/* False: the request waits. */
typedef bool route_handler(const struct routes *rt, const struct http_request *r, struct http_response *out);
/* What is wrong with what is asked, in the words of who asks. */
typedef void route_refusal(const struct http_request *r, unsigned status, const char *why, struct http_response *out);

static bool get_health(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    (void)r;
    bool is_draining = atomic_load(&rt->is_draining);
    out->status = is_draining ? 503 : 200;
    buf_printf(&out->body, "{\"status\":\"%s\"}", is_draining ? "draining" : "running");
    return true;
}

static void refuse_health(const struct http_request *r, unsigned status, const char *why, struct http_response *out)
{
    (void)r;
    routes_refuse(out, status, why);
}

/* Sorted by path. HEAD is GET whose body the server leaves out. A body is JSON or a form. */
static const struct route {
    const char *path, *methods;
    route_handler *handler;
    route_refusal *refuse;
} table[] = {
    { "/auth/emqx/authenticate", "GET, HEAD, POST", auth_emqx_authenticate, auth_emqx_refuse },
    { "/auth/emqx/authorize", "GET, HEAD, POST", auth_emqx_authorize, auth_emqx_refuse },
    { "/auth/mosquitto-go-auth/acl", "GET, HEAD, POST, PUT", auth_go_acl, auth_go_refuse },
    { "/auth/mosquitto-go-auth/superuser", "GET, HEAD, POST, PUT", auth_go_superuser, auth_go_refuse },
    { "/auth/mosquitto-go-auth/user", "GET, HEAD, POST, PUT", auth_go_user, auth_go_refuse },
    { "/health", "GET, HEAD", get_health, refuse_health },
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

/* base64 of NAME:TOKEN, whatever the name. */
static bool is_basic_token(const char *token, const char *given)
{
    struct buf plain;
    buf_init(&plain, BASIC_MAX);
    bool decoded = base64_decode(&plain, given, strlen(given)) && plain.p;
    const char *colon = decoded ? memchr(plain.p, ':', plain.len) : NULL;
    bool same = colon && strlen(colon) == (size_t)(plain.p + plain.len - colon) && is_same_token(token, colon + 1);
    if (plain.p)
        explicit_bzero(plain.p, plain.len);
    buf_clear(&plain);
    return same;
}

static bool has_token(const struct routes *rt, const struct http_request *r)
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    const char *given = r->authorization;
    if (!rt->token)
        return true;
    if (given && strncasecmp(given, basic, sizeof(basic) - 1) == 0)
        return is_basic_token(rt->token, given + sizeof(basic) - 1);
    return given && strncasecmp(given, bearer, sizeof(bearer) - 1) == 0 &&
           is_same_token(rt->token, given + sizeof(bearer) - 1);
}

/* Its Host is an address or localhost, with or without a port; a client of HTTP/1.0 sends none. */
static bool is_asked_by_address(const struct http_request *r)
{
    char name[INET_ADDRSTRLEN] = "";
    struct in_addr address;
    size_t len = r->host ? strcspn(r->host, ":") : 0;
    if (!r->host || r->host[0] == '[')
        return true;
    if (len >= sizeof(name))
        return false;
    memcpy(name, r->host, len);
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1;
}

static const struct route *find(const char *path)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].path, path) == 0)
            return &table[i];
    }
    return NULL;
}

static bool is_method(const struct route *route, const char *method)
{
    size_t len = strlen(method);
    const char *at = len ? strstr(route->methods, method) : NULL;
    return at && (at == route->methods || at[-1] == ' ') && (!at[len] || at[len] == ',');
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

bool routes_answer(void *routes, const struct http_request *r, struct http_response *out)
{
    const struct routes *rt = routes;
    const struct route *route = find(r->path);
    bool has_body = r->body_len > 0 || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0;
    if (!has_token(rt, r)) {
        out->wants_token = true;
        routes_refuse(out, 401, "the request needs Authorization: Bearer with the token of sluice.yaml");
    } else if (!rt->token && !is_asked_by_address(r)) {
        routes_refuse(out, 421, "without a token, ask by address or as localhost");
    } else if (!route) {
        routes_refuse(out, 404, "there is nothing at this path");
    } else if (!is_method(route, r->method)) {
        out->allow = route->methods;
        routes_refuse(out, 405, "this path does not take this method");
    } else if (r->is_too_large) {
        route->refuse(r, 413, "the body has more than 64 KiB, or the query too many parts", out);
    } else if (has_body && !is_readable(r)) {
        routes_refuse(out, 415, "the body must be application/json or application/x-www-form-urlencoded");
    } else {
        return route->handler(rt, r, out);
    }
    return true;
}
