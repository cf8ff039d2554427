/* SPDX-License-Identifier: Apache-2.0 */
/* Which request goes to whom: one table of method, path and handler. */
#ifndef SLUICE_ADMIN_ROUTES_H
#define SLUICE_ADMIN_ROUTES_H

#include "engine/admin/admin.h"
#include "engine/admin/http_server.h"

#include <stdatomic.h>

struct password_line;

struct routes {
    struct admin_env env;
    const char *token;          /* NULL: requests need none, but a Host that no name server gives */
    struct password_line *line; /* of env.fits; NULL: no passwords are checked */
    atomic_bool is_draining;
};

/* Answers: 401 without the token, 421, 404, 405 with Allow, 413, 415, else what the handler says. An http_answer whose ctx is the routes. */
bool routes_answer(void *routes, const struct http_request *r, struct http_response *out);

/* The body is a form, else it is JSON. */
bool routes_is_form(const struct http_request *r);
/* An answer that is an object with one member, "error". */
void routes_refuse(struct http_response *out, unsigned status, const char *why);

#endif
