/* SPDX-License-Identifier: Apache-2.0 */
/* What brokers ask, as they send it: an object of JSON, or a form (application/x-www-form-urlencoded, as the URL standard of WHATWG has it),
 * and the query of the address. Members that are not of the table are passed over. */
#ifndef SLUICE_ADMIN_AUTH_REQUEST_H
#define SLUICE_ADMIN_AUTH_REQUEST_H

#include "engine/base/arena.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum auth_field {
    AUTH_CLIENT,   /* "clientid" */
    AUTH_USER,     /* "username" */
    AUTH_PASSWORD, /* "password" */
    AUTH_PEER,     /* "peerhost" */
    AUTH_TOPIC,
    AUTH_ACTION,
    AUTH_RETAIN,
    AUTH_ACC,
    AUTH_COMMON_NAME, /* "cert_common_name" */
    AUTH_FIELD_COUNT
};

struct auth_text {
    const char *p; /* ends in NUL; NULL: not given, or null */
    size_t len;
};

struct auth_request {
    struct auth_text fields[AUTH_FIELD_COUNT]; /* valid until auth_request_clear */
    struct arena arena;
};

void auth_request_init(struct auth_request *q);
/* One member, as it is meant. -1: it was given before, or is not text. */
int auth_request_add(struct auth_request *q, const char *name, size_t name_len, const char *value, size_t len,
                     struct err *e) MUST_CHECK;
/* Read a body, beside what was added. Numbers, true and false are their text. -1: it is not of its form, a member of the table is given twice or is an array or
 * object, or a text other than the password holds NUL or is not UTF-8. Clear in either case. O(len × members of the table). */
int auth_request_read(struct auth_request *q, bool is_form, const char *body, size_t len, struct err *e) MUST_CHECK;
void auth_request_clear(struct auth_request *q);

/* The field is given and has these bytes. */
bool auth_request_is(const struct auth_request *q, enum auth_field field, const char *text);
/* The field is not given, or empty. */
bool auth_request_lacks(const struct auth_request *q, enum auth_field field);

#endif
