/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd with one polling thread (epoll). The socket is made here, since the library does not tell why it could not.
 *
 * A request's state is made when its headers are there and freed when the library says that it is over. A body that is too large is read on,
 * up to a bound, and thrown away: who is still sending would not read the answer. */
#include "engine/admin/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_S  10u
#define DRAIN_MAX  ((size_t)1 << 20)
#define ANSWER_MAX ((size_t)1 << 20)
#define BACKLOG    1024

struct http_server {
    struct MHD_Daemon *daemon;
    http_answer *answer;
    void *ctx;
};

struct pending {
    struct http_pause pause; /* first */
    struct MHD_Connection *connection;
    struct http_keep keep;
    struct http_argument arguments[HTTP_ARGUMENTS_MAX];
    size_t argument_count; /* one more than there is room for: they do not fit */
    struct buf body;
    size_t received;
};

/* --- one request --- */

static enum MHD_Result add_headers(struct MHD_Response *response, const struct http_response *r)
{
    const char *type = r->type ? r->type : "application/json";
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
              MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES;
    if (ok && r->allow)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allow) == MHD_YES;
    if (ok && r->wants_token)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer") == MHD_YES &&
             MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"sluice\"") == MHD_YES;
    return ok ? MHD_YES : MHD_NO;
}

static enum MHD_Result send_response(struct MHD_Connection *connection, const struct http_response *r)
{
    static char failed[] = "{\"error\":\"not enough memory\"}";
    char *body = r->body.failed || !r->body.p ? failed : r->body.p;
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    enum MHD_Result rc = add_headers(response, r);
    if (rc == MHD_YES)
        rc = MHD_queue_response(connection, body == failed ? MHD_HTTP_INTERNAL_SERVER_ERROR : r->status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result take_argument(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                     const char *value, size_t value_len)
{
    struct pending *p = ctx;
    (void)kind;
    if (p->argument_count++ == HTTP_ARGUMENTS_MAX)
        return MHD_NO;
    p->arguments[p->argument_count - 1] = (struct http_argument) { name, value, name_len, value_len };
    return MHD_YES;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer(const struct http_server *s, struct MHD_Connection *connection, const char *path,
                              const char *method, struct pending *p)
{
    p->argument_count = 0;
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, p);
    bool is_too_large = p->received > HTTP_BODY_MAX || p->body.failed || p->argument_count > HTTP_ARGUMENTS_MAX;
    const struct http_request request = {
        .method = method,
        .path = path,
        .host = header(connection, MHD_HTTP_HEADER_HOST),
        .content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
        .authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION),
        .arguments = p->arguments,
        .argument_count = is_too_large ? 0 : p->argument_count,
        .body = p->body.p && !is_too_large ? p->body.p : "",
        .body_len = is_too_large ? 0 : p->body.len,
        .is_too_large = is_too_large,
        .keep = &p->keep,
        .pause = &p->pause,
    };
    struct http_response response = { .status = MHD_HTTP_OK };
    buf_init(&response.body, ANSWER_MAX);
    enum MHD_Result rc = MHD_YES;
    if (s->answer(s->ctx, &request, &response))
        rc = send_response(connection, &response);
    buf_clear(&response.body);
    return rc;
}

/* A connection that is suspended is not looked at, not even for its time-out. */
static void begin_pause(struct http_pause *pause)
{
    MHD_suspend_connection(((struct pending *)(void *)pause)->connection);
}

static void end_pause(struct http_pause *pause)
{
    MHD_resume_connection(((struct pending *)(void *)pause)->connection);
}

/* A body that says it is longer than what we would throw away is answered at once. */
static bool is_hopeless(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > DRAIN_MAX;
}

static enum MHD_Result begin(const struct http_server *s, struct MHD_Connection *connection, const char *path,
                             const char *method, void **state)
{
    struct pending *p = calloc(1, sizeof(*p));
    if (!p)
        return MHD_NO;
    p->pause = (struct http_pause) { .begin = begin_pause, .end = end_pause };
    p->connection = connection;
    buf_init(&p->body, HTTP_BODY_MAX);
    *state = p;
    if (!is_hopeless(connection))
        return MHD_YES;
    p->received = DRAIN_MAX;
    return answer(s, connection, path, method, p);
}

/* The library calls it when the headers are there, with each part of the body, and when all is there. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **state)
{
    const struct http_server *s = ctx;
    struct pending *p = *state;
    (void)version;
    if (!p)
        return begin(s, connection, path, method, state);
    if (*data_len == 0)
        return answer(s, connection, path, method, p);
    p->received += *data_len;
    if (p->received <= HTTP_BODY_MAX)
        buf_put(&p->body, data, *data_len);
    *data_len = 0;
    return p->received <= DRAIN_MAX ? MHD_YES : MHD_NO;
}

static void on_over(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    struct pending *p = *state;
    (void)ctx;
    (void)connection;
    (void)why;
    *state = NULL;
    if (!p)
        return;
    if (p->keep.p)
        p->keep.free(p->keep.p);
    if (p->body.p)
        explicit_bzero(p->body.p, p->body.len); /* it may hold a password */
    buf_clear(&p->body);
    free(p);
}

/* --- the server --- */

static int open_socket(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol), on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int listen_on(const char *host, const char *port, struct err *e)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(e, ERR_CONF_VALUE, "\"%.80s\" is no address of a machine: %s", host, gai_strerror(rc));
    int fd = open_socket(list);
    if (fd < 0)
        err_set(e, ERR_IO, "could not listen on %.80s, port %.8s: %s", host, port, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

struct http_server *http_server_start(const char *host, const char *port, http_answer *f, void *ctx, struct err *e)
{
    int fd = listen_on(host, port, e);
    struct http_server *s = fd >= 0 ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        if (fd >= 0) {
            err_set(e, ERR_MEMORY, "not enough memory for the HTTP server");
            close(fd);
        }
        return NULL;
    }
    s->answer = f;
    s->ctx = ctx;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                 (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_over, NULL, MHD_OPTION_END);
    if (s->daemon)
        return s; /* the daemon owns the socket */
    err_set(e, ERR_MEMORY, "could not start the HTTP server on %.80s, port %.8s", host, port);
    free(s); /* the socket may be closed already, or not: the process ends now */
    return NULL;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
