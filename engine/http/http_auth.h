/* SPDX-License-Identifier: Apache-2.0 */
/* How a request says who sends it: not at all, by an Authorization header that is always the same (basic, bearer), or by
 * a signature (AWS Signature Version 4). */
#ifndef SLUICE_HTTP_HTTP_AUTH_H
#define SLUICE_HTTP_HTTP_AUTH_H

#include "engine/base/arena.h"
#include "engine/base/conf.h"
#include "engine/http/aws_credentials.h"
#include "engine/http/http_link.h"
#include "engine/http/http_url.h"

#include <stdbool.h>

enum http_auth_kind { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER, HTTP_AUTH_SIGV4 };

struct http_auth {
    enum http_auth_kind kind;
    char *authorization;    /* value of the header, of basic and bearer */
    char *password;         /* of basic; of bearer the token */
    char *service, *region; /* of sigv4 */
};

/* Read the option `auth` (NULL: none), in the form that AWS has for sigv4: { sigv4: { serviceName, signingRegion, roleArn
 * } }. may_hold_secrets: of sluice.yaml, where secrets can be filled in; else basic and bearer are refused with a hint.
 * 0, or -1 after adding to errs. Cleared by http_auth_clear either way. */
int http_auth_read(struct http_auth *a, const struct conf *conf, bool may_hold_secrets, struct errs *errs) MUST_CHECK;
void http_auth_clear(struct http_auth *a);

/* Room that http_auth_sign needs in a list of fields. */
#define HTTP_AUTH_FIELDS 4

/* Add the fields that sign the request: x-amz-date, x-amz-security-token, x-amz-content-sha256 (for S3 only) and
 * authorization. fields has room for HTTP_AUTH_FIELDS more. -1: ERR_MEMORY, or ERR_TEMPLATE if it cannot be signed. */
int http_auth_sign(const struct http_request *r, const struct http_url *url, const char *service, const char *region,
                   const struct aws_credentials *credentials, int64_t now_ms, struct http_field *fields, size_t *count,
                   struct arena *arena, struct err *e) MUST_CHECK;

#endif
