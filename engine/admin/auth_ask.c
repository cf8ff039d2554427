/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of the authorizer lives for one question: brokers keep answers, so that questions of one client are seldom close together. */
#include "engine/admin/auth_ask.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin/password_line.h"

#define NO_CLIENT   "\"clientid\" is missing"
#define NO_TOPIC    "\"topic\" is missing"
#define NO_MEMORY   "not enough memory"
#define NO_POLICIES "no policies are configured"
#define NOT_OURS    "user name or password do not fit"
#define NO_PEER     "\"peerhost\" is no address"
#define BY_POLICY   "refused by policies"

const char auth_waits[] = "the password is being checked";

/* --- policies --- */

/* EMQX 5.0 writes "undefined" where there is no certificate. */
static bool has_certificate(const struct auth_request *q)
{
    return !auth_request_lacks(q, AUTH_COMMON_NAME) && !auth_request_is(q, AUTH_COMMON_NAME, "undefined");
}

/* The user name stands for who connects, as at a listen source; of a certificate a broker tells no more than its common name. */
static void *meet(const struct admin_env *env, const struct auth_request *q)
{
    const char *user = auth_request_lacks(q, AUTH_USER) ? NULL : q->fields[AUTH_USER].p;
    const struct auth_text *common_name = &q->fields[AUTH_COMMON_NAME];
    const struct authorizer_value certificate = { "Subject.CommonName", common_name->p, common_name->len };
    const struct authorizer_subject who = {
        .client_id = q->fields[AUTH_CLIENT].p,
        .principal = user,
        .user_name = user,
        .source_ip = auth_request_lacks(q, AUTH_PEER) ? NULL : q->fields[AUTH_PEER].p,
        .certificate = &certificate,
        .certificate_count = has_certificate(q) ? 1 : 0,
    };
    return env->authorizer->meet(env->authorizer, &who);
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
    if (!a)
        return NO_POLICIES;
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

/* --- passwords --- */

/* What a request keeps while its password is checked, and until its end. */
struct checked {
    struct password_check check; /* first */
    struct http_pause *pause;
    char texts[]; /* name and password */
};

static void checked_free(void *p)
{
    struct checked *c = p;
    explicit_bzero(c->texts, c->check.name_len + c->check.password_len);
    free(c);
}

/* Thread: the line's, or control. */
static void on_checked(struct password_check *check)
{
    struct http_pause *pause = ((struct checked *)(void *)check)->pause;
    pause->end(pause);
}

static struct checked *checked_new(const struct auth_text *user, const struct auth_text *password,
                                   struct http_pause *pause)
{
    struct checked *c = malloc(sizeof(*c) + user->len + password->len);
    if (!c)
        return NULL;
    *c = (struct checked) { .check = { .name = c->texts,
                                       .name_len = user->len,
                                       .password = c->texts + user->len,
                                       .password_len = password->len,
                                       .done = on_checked },
                            .pause = pause };
    memcpy(c->texts, user->p, user->len);
    memcpy(c->texts + user->len, password->p, password->len);
    return c;
}

/* Once the check is in the line it may be over at any moment, so the pause begins before. */
static const char *wait_for_password(struct password_line *line, const struct http_request *r,
                                     const struct auth_text *user, const struct auth_text *password)
{
    struct checked *c = checked_new(user, password, r->pause);
    if (!c)
        return NO_MEMORY;
    *r->keep = (struct http_keep) { .p = c, .free = checked_free };
    r->pause->begin(r->pause);
    if (!password_line_add(line, &c->check))
        r->pause->end(r->pause);
    return auth_waits;
}

static const char *ask_password(const struct routes *rt, const struct http_request *r, const struct auth_request *q)
{
    const struct auth_text *user = &q->fields[AUTH_USER], *password = &q->fields[AUTH_PASSWORD];
    const struct checked *c = r->keep->p;
    if (!rt->line)
        return NULL;
    if (c)
        return c->check.fits ? NULL : NOT_OURS;
    return user->p && password->p ? wait_for_password(rt->line, r, user, password) : NOT_OURS;
}

/* --- questions --- */

const char *auth_ask_connect(const struct routes *rt, const struct http_request *r, const struct auth_request *q)
{
    static const enum authorizer_right right = AUTHORIZE_CONNECT;
    if (auth_request_lacks(q, AUTH_CLIENT))
        return NO_CLIENT;
    if (!rt->env.authorizer)
        return NO_POLICIES; /* and no password is tried */
    const char *why = ask_password(rt, r, q);
    return why ? why : ask_rights(&rt->env, q, &right, 1, &q->fields[AUTH_CLIENT]);
}

const char *auth_ask_topic(const struct routes *rt, const struct auth_request *q, const enum authorizer_right *rights,
                           size_t count)
{
    if (auth_request_lacks(q, AUTH_CLIENT))
        return NO_CLIENT;
    if (auth_request_lacks(q, AUTH_TOPIC))
        return NO_TOPIC;
    return ask_rights(&rt->env, q, rights, count, &q->fields[AUTH_TOPIC]);
}

static int read_request(struct auth_request *q, const struct http_request *r, struct err *e)
{
    for (size_t i = 0; i < r->argument_count; i++) {
        const struct http_argument *a = &r->arguments[i];
        if (auth_request_add(q, a->name, a->name_len, a->value, a->value_len, e) < 0)
            return -1;
    }
    return r->body_len > 0 ? auth_request_read(q, routes_is_form(r), r->body, r->body_len, e) : 0;
}

const char *auth_ask(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct err *e)
{
    struct auth_request q;
    auth_request_init(&q);
    const char *why = read_request(&q, r, e) < 0 ? e->text : judge(rt, r, &q);
    auth_request_clear(&q);
    return why;
}
