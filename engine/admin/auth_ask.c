/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of the authorizer lives for one question: brokers keep answers, so that questions of one client are seldom close together. */
#include "engine/admin/auth_ask.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NO_CLIENT "\"clientid\" is missing"
#define NO_TOPIC  "\"topic\" is missing"
#define NO_MEMORY "not enough memory"
#define NOT_OURS  "user name or password do not fit"
#define NO_PEER   "\"peerhost\" is no address"
#define BY_POLICY "refused by policies"

/* The user name stands for who connects, as at a listen source; a broker does not tell of certificates here. */
static void *meet(const struct admin_env *env, const struct auth_request *q)
{
    const char *user = auth_request_lacks(q, AUTH_USER) ? NULL : q->fields[AUTH_USER].p;
    const struct authorizer_subject who = {
        .client_id = q->fields[AUTH_CLIENT].p,
        .principal = user,
        .user_name = user,
        .source_ip = auth_request_lacks(q, AUTH_PEER) ? NULL : q->fields[AUTH_PEER].p,
    };
    return env->authorizer->meet(env->authorizer, &who);
}

static bool password_fits(const struct admin_env *env, const struct auth_request *q)
{
    const struct auth_text *user = &q->fields[AUTH_USER], *password = &q->fields[AUTH_PASSWORD];
    return !env->fits ||
           (user->p && password->p && env->fits(env->fits_ctx, user->p, user->len, password->p, password->len));
}

/* What cannot be told from a denied network is not let pass. */
static bool is_peer_readable(const struct auth_request *q)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (auth_request_lacks(q, AUTH_PEER))
        return true;
    return inet_pton(AF_INET, q->fields[AUTH_PEER].p, bytes) == 1 ||
           inet_pton(AF_INET6, q->fields[AUTH_PEER].p, bytes) == 1;
}

static const char *ask_rights(const struct admin_env *env, const struct auth_request *q,
                              const enum authorizer_right *rights, size_t count, const struct auth_text *name)
{
    struct authorizer *a = env->authorizer;
    if (!is_peer_readable(q))
        return NO_PEER;
    void *client = meet(env, q);
    bool may = client != NULL;
    if (!client)
        return NO_MEMORY;
    for (size_t i = 0; i < count && may; i++)
        may = a->may(a, client, rights[i], name->p, name->len);
    a->part(a, client);
    return may ? NULL : BY_POLICY;
}

const char *auth_ask_connect(const struct admin_env *env, const struct auth_request *q)
{
    static const enum authorizer_right right = AUTHORIZE_CONNECT;
    if (auth_request_lacks(q, AUTH_CLIENT))
        return NO_CLIENT;
    if (!password_fits(env, q))
        return NOT_OURS;
    return ask_rights(env, q, &right, 1, &q->fields[AUTH_CLIENT]);
}

const char *auth_ask_topic(const struct admin_env *env, const struct auth_request *q,
                           const enum authorizer_right *rights, size_t count)
{
    if (auth_request_lacks(q, AUTH_CLIENT))
        return NO_CLIENT;
    if (auth_request_lacks(q, AUTH_TOPIC))
        return NO_TOPIC;
    return ask_rights(env, q, rights, count, &q->fields[AUTH_TOPIC]);
}

bool auth_ask(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct http_response *out,
              const char **why, struct err *e)
{
    struct auth_request q;
    if (!rt->env.authorizer) {
        routes_refuse(out, 503, "no policies are configured");
        return false;
    }
    int rc = auth_request_read(&q, routes_is_form(r), r->body, r->body_len, e);
    *why = rc < 0 ? e->text : judge(&rt->env, &q);
    auth_request_clear(&q);
    return true;
}
