/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/authorize.h"

#include <string.h>

struct question {
    enum policy_action action;
    const char *name;
};

static struct policy_view *view_new(const struct authorizer *a, const struct subject *who)
{
    struct policy_subject subject = {
        .client_id = who->client_id,
        .principal = who->principal,
        .user_name = who->user_name,
        .source_ip = who->source_ip,
        .certificate = who->certificate,
        .certificate_count = who->certificate_count,
    };
    return policy_view_new(a->set, &subject);
}

static struct policy_view *view_of(const struct authorizer *a, struct client *c)
{
    if (c->view && c->view_set == a->set)
        return c->view;
    policy_view_free(c->view);
    c->view = view_new(a, c->who);
    c->view_set = a->set;
    return c->view;
}

static bool refused(struct authorizer *a, const struct subject *who, const struct question *q, const char *reason)
{
    if (a->is_audit || q->action != POLICY_RECEIVE) /* not delivering is no event */
        a->tell(a->ctx, who, policy_action_name(q->action), q->name, reason, a->is_audit);
    return a->is_audit;
}

static bool decide(struct authorizer *a, struct policy_view *v, const struct subject *who, const struct question *q)
{
    if (!v)
        return refused(a, who, q, "not enough memory");
    if (policy_view_is_trusted(v))
        return true;
    struct policy_verdict verdict = policy_view_decide(v, q->action, policy_text_of(q->name));
    return verdict.decision == POLICY_ALLOWED || refused(a, who, q, policy_decision_name(verdict.decision));
}

static bool is_reserved(const char *topic)
{
    return strncmp(topic, AUTHORIZE_RESERVED, strlen(AUTHORIZE_RESERVED)) == 0;
}

/* v: NULL without policies, or when memory is short. */
static bool may_publish(struct authorizer *a, struct policy_view *v, const struct subject *who, const char *topic,
                        bool is_retained)
{
    struct question publish = { POLICY_PUBLISH, topic }, retain = { POLICY_RETAIN_PUBLISH, topic };
    if (is_reserved(topic) && !(v && policy_view_is_trusted(v))) {
        a->tell(a->ctx, who, policy_action_name(POLICY_PUBLISH), topic, "the topic is reserved", false);
        return false;
    }
    return !a->set || (decide(a, v, who, &publish) && (!is_retained || decide(a, v, who, &retain)));
}

bool authorize_connect(struct authorizer *a, const struct subject *who)
{
    if (!a->set)
        return true;
    struct policy_view *v = view_new(a, who);
    struct question q = { POLICY_CONNECT, who->client_id.p };
    bool is_allowed = decide(a, v, who, &q);
    policy_view_free(v);
    return is_allowed;
}

bool authorize_publish(struct authorizer *a, struct client *c, const char *topic, bool is_retained)
{
    return may_publish(a, a->set ? view_of(a, c) : NULL, c->who, topic, is_retained);
}

bool authorize_subscribe(struct authorizer *a, struct client *c, const char *filter)
{
    struct question q = { POLICY_SUBSCRIBE, filter };
    return !a->set || decide(a, view_of(a, c), c->who, &q);
}

bool authorize_receive(struct authorizer *a, struct client *c, const char *topic)
{
    struct question q = { POLICY_RECEIVE, topic };
    return !a->set || decide(a, view_of(a, c), c->who, &q);
}

bool authorize_will(struct authorizer *a, const struct subject *who, const char *topic, bool is_retained)
{
    if (!who)
        return !a->set && !is_reserved(topic);
    struct policy_view *v = a->set ? view_new(a, who) : NULL;
    bool is_allowed = may_publish(a, v, who, topic, is_retained);
    policy_view_free(v);
    return is_allowed;
}

void authorize_set(struct authorizer *a, struct policy_set *set)
{
    policy_set_unref(a->set);
    a->set = set;
}

void authorize_clear(struct authorizer *a)
{
    authorize_set(a, NULL);
}

void authorize_drop_stale(const struct authorizer *a, struct client *c)
{
    if (!c->view || c->view_set == a->set)
        return;
    policy_view_free(c->view);
    c->view = NULL;
}
