/* SPDX-License-Identifier: Apache-2.0 */
/* A lane's HTTP connections: requests that run side by side, each with a bound of its own, over connections that are
 * kept. The only module that knows libcurl.
 *
 *     http_link_start ─► running ─► http_link_wait gives it back with its answer
 *
 * Single-threaded: one owner. The environment's proxies are not used. */
#ifndef SLUICE_HTTP_HTTP_LINK_H
#define SLUICE_HTTP_HTTP_LINK_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

#define HTTP_TEXT_MAX 256

enum http_version { HTTP_VERSION_AUTO, HTTP_VERSION_1_1 };

struct http_settings {
    int64_t connect_timeout_ms, timeout_ms; /* to connect; for the whole request */
    int64_t connections;                    /* requests that run at once, to each host */
    int64_t response_max;                   /* bytes */
    char *ca_file, *cert_file, *key_file, *key_password;
    bool follow_redirects, deny_private;
    int version; /* enum http_version */
    const struct clock *clock;
};

struct http_field {
    const char *name; /* NUL-terminated */
    const char *value;
    size_t value_len;
};

/* All borrowed until the request is given back. */
struct http_request {
    const char *method;
    const char *url; /* checked by http_url_split */
    size_t origin_len;
    const struct http_field *fields; /* checked by http_field.h */
    size_t field_count;
    const char *body; /* NULL: none */
    size_t body_len;
    int64_t timeout_ms; /* 0: the settings' */
    const char *wanted; /* name of a header of the answer; NULL: none */
};

enum http_outcome {
    HTTP_ANSWERED,
    HTTP_UNREACHABLE, /* no connection could be made */
    HTTP_UNTRUSTED,   /* a certificate is not accepted, theirs or ours */
    HTTP_SLOW,        /* connected, but no whole answer in time */
    HTTP_BROKEN,      /* the connection ended early, or the answer is no HTTP */
    HTTP_FORBIDDEN,   /* the settings do not allow it: a private address, where a redirect leads */
};

struct http_answer {
    enum http_outcome outcome;
    int status;          /* of HTTP_ANSWERED */
    uint32_t wait_ms;    /* what Retry-After asks for; 0: nothing */
    size_t passed_limit; /* it was cut after so many bytes of body or headers; 0: it is whole */
    const char *body;    /* until the next start or wait */
    size_t body_len;
    const char *wanted;       /* value of the header that was wanted, as long as the body; NULL: it is not there */
    char text[HTTP_TEXT_MAX]; /* of the other outcomes: why, one line */
};

/* To be called on the main thread before anything else here. */
int http_link_setup(struct err *e) MUST_CHECK;
struct http_link *http_link_new(const struct http_settings *settings); /* NULL: memory; settings are borrowed */
/* Also what is still running: it is dropped, whether a server has it is unknown. Waits for nobody. */
void http_link_free(struct http_link *l);

/* A descriptor that ends every wait when it becomes readable; -1: none. */
void http_link_stop_on(struct http_link *l, int fd);
bool http_link_is_stopped(const struct http_link *l);

/* Begin. owner comes back with the answer. -1: ERR_MEMORY. */
int http_link_start(struct http_link *l, const struct http_request *r, void *owner, struct err *e) MUST_CHECK;
size_t http_link_running(const struct http_link *l);
/* Wait for the next one that ends and return its owner. At most timeout_ms. NULL: none is running, or the link is
 * stopped and of those that are running none has its answer. */
void *http_link_wait(struct http_link *l, struct http_answer *answer);

/* The value of a Retry-After header, seconds or a date, as milliseconds from now; 0: none, unreadable or past. At most
 * a day. */
uint32_t http_retry_after_ms(const char *value, int64_t now_ms);

#endif
