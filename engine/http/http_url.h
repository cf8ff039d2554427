/* SPDX-License-Identifier: Apache-2.0 */
/* Urls of http: what may be sent, and their parts (RFC 3986). Strict, since parts of them come out of messages. */
#ifndef SLUICE_HTTP_HTTP_URL_H
#define SLUICE_HTTP_HTTP_URL_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_URL_MAX 2048 /* bytes, as on AWS */

/* All point into the text. */
struct http_url {
    bool is_tls;
    const char *origin; /* "https://host:8443" */
    size_t origin_len;
    const char *host; /* with port if one is named; IPv6 addresses in brackets */
    size_t host_len;
    unsigned port;    /* the scheme's own if none is named */
    const char *path; /* begins with "/", or is empty */
    size_t path_len;
    const char *query; /* after "?"; empty if there is none */
    size_t query_len;
};

/* Check and take apart. ERR_TEMPLATE with a clause that says what is wrong ("the url …"); shows nothing of the url but
 * its scheme. */
int http_url_split(struct http_url *u, const char *text, size_t len, struct err *e) MUST_CHECK;

/* Bytes of a text's constant beginning from which on no message can change the host: true if it goes beyond scheme and
 * authority. */
bool http_url_fixes_host(const char *text, size_t constant_len);

#endif
