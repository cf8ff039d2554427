/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's question about a client, answered by policies and passwords. Whatever goes wrong is a no.
 * Thread: the server's. */
#ifndef SLUICE_ADMIN_AUTH_ASK_H
#define SLUICE_ADMIN_AUTH_ASK_H

#include "engine/admin/auth_request.h"
#include "engine/admin/http_server.h"
#include "engine/admin/routes.h"
#include "sluice/authorizer.h"

/* May the client of q connect: its password, if passwords are checked, and the right to connect? NULL: yes; else why not, static. */
const char *auth_ask_connect(const struct admin_env *env, const struct auth_request *q);
/* Has the client of q each of these rights to q's topic? Likewise. */
const char *auth_ask_topic(const struct admin_env *env, const struct auth_request *q,
                           const enum authorizer_right *rights, size_t count);

/* Read r's body and ask judge. NULL: yes. why: borrowed from e or static. False: nobody can be asked, and out is the answer. */
typedef const char *auth_judge(const struct admin_env *env, const struct auth_request *q);
bool auth_ask(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct http_response *out,
              const char **why, struct err *e);

/* What each kind of broker asks. */
void auth_emqx_authenticate(const struct routes *rt, const struct http_request *r, struct http_response *out);
void auth_emqx_authorize(const struct routes *rt, const struct http_request *r, struct http_response *out);
void auth_go_user(const struct routes *rt, const struct http_request *r, struct http_response *out);
void auth_go_superuser(const struct routes *rt, const struct http_request *r, struct http_response *out);
void auth_go_acl(const struct routes *rt, const struct http_request *r, struct http_response *out);

#endif
