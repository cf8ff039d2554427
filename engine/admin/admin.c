/* SPDX-License-Identifier: Apache-2.0 */
/* What the section says, and the server with its routes. Who reaches the port may ask what policies say and try passwords: so beyond the
 * machine itself a token is obligatory. */
#include "engine/admin/admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin/http_server.h"
#include "engine/admin/password_line.h"
#include "engine/admin/routes.h"
#include "engine/base/opt.h"

struct admin_conf {
    char *listen, *password_file, *token;
    char host[INET6_ADDRSTRLEN], port[8];
};

struct admin {
    struct admin_conf conf;
    struct routes routes;
    struct http_server *server; /* NULL: not started */
};

#define FIELD(name)       offsetof(struct admin_conf, name)
#define COUNT_OF(options) (sizeof(options) / sizeof((options)[0]))

static const struct opt options[] = {
    { "listen", OPT_TEXT, FIELD(listen), .required = true,
      .help = "numeric address and port: 127.0.0.1:8080, [::1]:8080" },
    { "passwordFile", OPT_PATH, FIELD(password_file),
      .help = "users, as sluice passwd and mosquitto_passwd write them, for brokers that ask here; absent: no password "
              "is checked" },
    { "token", OPT_TEXT, FIELD(token),
      .help = "what requests must carry: Authorization: Bearer TOKEN; required unless listen is a loopback address" },
};

void admin_help(struct buf *out)
{
    opt_help(options, COUNT_OF(options), out);
}

/* "127.0.0.1:8080", "[::1]:8080". False: it is neither. */
static bool split_listen(struct admin_conf *c)
{
    const char *colon = strrchr(c->listen, ':'), *port = colon ? colon + 1 : "", *host = c->listen;
    size_t digits = strspn(port, "0123456789"), host_len = colon ? (size_t)(colon - host) : 0;
    unsigned long n = digits > 0 && digits <= 5 && !port[digits] ? strtoul(port, NULL, 10) : 0;
    unsigned char parsed[sizeof(struct in6_addr)];
    bool is_six = host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']';
    if (is_six) {
        host++;
        host_len -= 2;
    }
    if (n == 0 || n > UINT16_MAX || host_len == 0 || host_len >= sizeof(c->host))
        return false;
    snprintf(c->port, sizeof(c->port), "%lu", n);
    snprintf(c->host, sizeof(c->host), "%.*s", (int)host_len, host);
    return inet_pton(is_six ? AF_INET6 : AF_INET, c->host, parsed) == 1;
}

static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static void check_listen(struct admin_conf *c, const struct conf *section, struct errs *errs)
{
    struct span at = conf_get(section, "listen")->at;
    if (!split_listen(c)) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at,
                                 "\"listen\" of \"admin\" must be a numeric address and a port");
        err_hint(e, "For example: 127.0.0.1:8080, or [::1]:8080.");
    } else if (!c->token && !is_loopback(c->host)) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, at,
                     "\"admin\" needs the option \"token\" to listen on %s, which other machines may reach", c->host);
        err_hint(e, "Give it a token, or listen on 127.0.0.1.");
    }
}

/* A token that cannot stand in a header would lock everybody out. */
static void check_token(const struct admin_conf *c, const struct conf *section, struct errs *errs)
{
    size_t len = c->token ? strlen(c->token) : 1;
    for (size_t i = 0; c->token && i < len; i++) {
        if (c->token[i] <= ' ' || c->token[i] > '~')
            len = 0;
    }
    if (len == 0)
        errs_refuse(errs, ERR_CONF_VALUE, conf_get(section, "token")->at,
                    "\"token\" of \"admin\" must be visible ASCII characters without spaces");
}

struct admin *admin_open(const struct conf *section, struct errs *errs)
{
    struct admin *a = calloc(1, sizeof(*a));
    if (!a) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, section->at, "not enough memory for the admin interface");
        return NULL;
    }
    size_t errors = errs->errors;
    int rc = opt_read(options, COUNT_OF(options), section, "\"admin\"", section->at, &a->conf, errs);
    if (a->conf.listen)
        check_listen(&a->conf, section, errs);
    if (a->conf.token)
        check_token(&a->conf, section, errs);
    if (rc == 0 && errs->errors == errors)
        return a;
    admin_close(a);
    return NULL;
}

void admin_close(struct admin *a)
{
    if (!a)
        return;
    admin_stop(a);
    opt_free(options, COUNT_OF(options), &a->conf);
    free(a);
}

const char *admin_password_file(const struct admin *a)
{
    return a->conf.password_file;
}

int admin_start(struct admin *a, const struct admin_env *env, struct err *e)
{
    a->routes = (struct routes) { .env = *env, .token = a->conf.token };
    if (env->fits) {
        a->routes.line = password_line_new(env->fits, env->fits_ctx, HTTP_CONNECTIONS_MAX, e);
        if (!a->routes.line)
            return -1;
    }
    a->server = http_server_start(a->conf.host, a->conf.port, routes_answer, &a->routes, e);
    if (a->server)
        return 0;
    admin_stop(a);
    return -1;
}

void admin_drain(struct admin *a)
{
    if (a)
        atomic_store(&a->routes.is_draining, true);
}

void admin_stop(struct admin *a)
{
    if (!a)
        return;
    password_line_end(a->routes.line); /* a connection that waits cannot be closed */
    http_server_stop(a->server);
    a->server = NULL;
    password_line_free(a->routes.line);
    a->routes.line = NULL;
}
