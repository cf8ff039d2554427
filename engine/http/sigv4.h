/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4: the Authorization header of a request ("AWS Signature Version 4 for API requests", AWS
 * General Reference: create a canonical request, a string to sign, a signing key, the signature). Pure: the caller
 * brings the time. The only file that knows nettle here is sigv4.c. */
#ifndef SLUICE_HTTP_SIGV4_H
#define SLUICE_HTTP_SIGV4_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SIGV4_TIME_SIZE 17 /* "20150830T123600Z" */
#define SIGV4_HASH_SIZE 65 /* SHA-256 in hexadecimal digits */

struct sigv4_header {
    const char *name; /* lower case; no name twice */
    const char *value;
    size_t value_len;
};

struct sigv4_request {
    const char *method;
    const char *path; /* as it goes on the wire, percent-encoded; empty: "/" */
    size_t path_len;
    const char *query; /* without "?" */
    size_t query_len;
    const struct sigv4_header *headers; /* to be signed: host, x-amz-date and every other x-amz-… at least; any order */
    size_t header_count;                /* at most SIGV4_HEADERS_MAX */
    const char *body_hash;              /* of sigv4_hash */
    const char *time;                   /* of sigv4_time, the value of x-amz-date */
    const char *service, *region;
    const char *key_id, *secret;
};
#define SIGV4_HEADERS_MAX 128

/* x-amz-date of a time in milliseconds since 1970. */
void sigv4_time(int64_t now_ms, char out[SIGV4_TIME_SIZE]);
void sigv4_hash(const void *p, size_t len, char out[SIGV4_HASH_SIZE]);

/* Append the value of the Authorization header. -1: ERR_MEMORY, or ERR_LIMIT for too many headers. */
int sigv4_authorize(const struct sigv4_request *r, struct buf *out, struct err *e) MUST_CHECK;

#endif
