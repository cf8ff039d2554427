/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's question about a client, answered by policies and passwords. Whatever goes wrong is a no.
 * Thread: the server's. */
#ifndef SLUICE_ADMIN_AUTH_ASK_H
#define SLUICE_ADMIN_AUTH_ASK_H

#include "engine/admin/auth_request.h"
#include "engine/admin/http_server.h"
#include "engine/admin/routes.h"
#include "sluice/authorizer.h"

/* What a judge says while a password is being checked: r waits, and comes again. */
extern const char auth_waits[];

/* May the client of q connect: its password, if passwords are checked, and the right to connect? NULL: yes; else why not, static, or
 * auth_waits. */
const char *auth_ask_connect(const struct routes *rt, const struct http_request *r, const struct auth_request *q);
/* Has the client of q each of these rights to q's topic? NULL: yes; else why not, static. */
const char *auth_ask_topic(const struct routes *rt, const struct auth_request *q, const enum authorizer_right *rights,
                           size_t count);

/* Read r's query and body, and ask judge. NULL: yes; else why not: auth_waits, or borrowed from e, or static. */
typedef const char *auth_judge(const struct routes *rt, const struct http_request *r, const struct auth_request *q);
const char *auth_ask(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct err *e);

/* What each kind of broker asks; false: the request waits. */
bool auth_emqx_authenticate(const struct routes *rt, const struct http_request *r, struct http_response *out);
bool auth_emqx_authorize(const struct routes *rt, const struct http_request *r, struct http_response *out);
bool auth_go_user(const struct routes *rt, const struct http_request *r, struct http_response *out);
bool auth_go_superuser(const struct routes *rt, const struct http_request *r, struct http_response *out);
bool auth_go_acl(const struct routes *rt, const struct http_request *r, struct http_response *out);
/* A request that is refused as a whole, in the words of the broker. */
void auth_emqx_refuse(const struct http_request *r, unsigned status, const char *why, struct http_response *out);
void auth_go_refuse(const struct http_request *r, unsigned status, const char *why, struct http_response *out);

#endif
