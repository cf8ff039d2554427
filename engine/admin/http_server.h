/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server on one address: takes requests in and gives answers, and knows nothing of what they are about.
 *
 * One thread serves all connections; it calls the answer. So an answer must not wait. */
#ifndef SLUICE_ADMIN_HTTP_SERVER_H
#define SLUICE_ADMIN_HTTP_SERVER_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_BODY_MAX ((size_t)64 << 10) /* of a request */

/* Borrowed during the answer. Texts end in NUL; NULL: there is no such header. */
struct http_request {
    const char *method, *path; /* the path without its query, percent signs decoded */
    const char *content_type, *authorization;
    const char *body; /* never NULL */
    size_t body_len;
    bool is_too_large; /* more than HTTP_BODY_MAX came, and body is empty */
};

/* Filled by the answer. The body is JSON. */
struct http_response {
    unsigned status;
    const char *allow; /* header Allow; static text, or NULL */
    bool wants_token;  /* header WWW-Authenticate: Bearer */
    struct buf body;   /* initialised and cleared by the server; if it failed, the answer is a 500 */
};

/* Thread: the server's. */
typedef void http_answer(void *ctx, const struct http_request *r, struct http_response *out);

struct http_server;

/* Listen on host (a numeric address of IPv4 or IPv6) and port; a taken port is ERR_IO. The calling thread's blocked signals are
 * blocked in the server's, too. Returns owned, or NULL. */
struct http_server *http_server_start(const char *host, const char *port, http_answer *answer, void *ctx,
                                      struct err *e) MUST_CHECK;
/* Ends connections and the thread; no answer is asked for afterwards. NULL is allowed. */
void http_server_stop(struct http_server *s);

#endif
