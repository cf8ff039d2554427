/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server on one address: takes requests in and gives answers, and knows nothing of what they are about.
 *
 * One thread serves all connections; it calls the answer. So an answer must not wait: it lets its request wait instead. */
#ifndef SLUICE_ADMIN_HTTP_SERVER_H
#define SLUICE_ADMIN_HTTP_SERVER_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_BODY_MAX        ((size_t)64 << 10) /* of a request */
#define HTTP_ARGUMENTS_MAX   64
#define HTTP_CONNECTIONS_MAX 256

/* A part of the query of the address, percent signs decoded. */
struct http_argument {
    const char *name, *value; /* value: NULL, it has none */
    size_t name_len, value_len;
};

/* What the answer leaves for its next call about this request; freed when the request is over. Empty at first. */
struct http_keep {
    void *p;
    void (*free)(void *p);
};

/* Lets a request wait: the answer calls begin and returns false. Once end was called, by whatever thread, the answer is called
 * again. end must come before http_server_stop. */
struct http_pause {
    void (*begin)(struct http_pause *pause);
    void (*end)(struct http_pause *pause);
};

/* Borrowed during the answer. Texts end in NUL; NULL: there is no such header. */
struct http_request {
    const char *method, *path; /* the path without its query, percent signs decoded */
    const char *host, *content_type, *authorization;
    const struct http_argument *arguments;
    size_t argument_count;
    const char *body; /* never NULL */
    size_t body_len;
    bool is_too_large; /* more than HTTP_BODY_MAX came, or more arguments than fit; body is empty */
    struct http_keep *keep;
    struct http_pause *pause;
};

/* Filled by the answer. */
struct http_response {
    unsigned status;
    const char *type;  /* of the body; NULL: JSON */
    const char *allow; /* header Allow; static text, or NULL */
    bool wants_token;  /* header WWW-Authenticate: Bearer */
    struct buf body;   /* initialised and cleared by the server; if it failed, the answer is a 500 */
};

/* False: the request waits. Thread: the server's. */
typedef bool http_answer(void *ctx, const struct http_request *r, struct http_response *out);

struct http_server;

/* Listen on host (a numeric address of IPv4 or IPv6) and port; a taken port is ERR_IO. The calling thread's blocked signals are
 * blocked in the server's, too. Returns owned, or NULL. */
struct http_server *http_server_start(const char *host, const char *port, http_answer *answer, void *ctx,
                                      struct err *e) MUST_CHECK;
/* Ends connections and the thread; no answer is asked for afterwards. NULL is allowed. */
void http_server_stop(struct http_server *s);

#endif
