/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's view is of the set that was in force when it was made. Each question first looks whether that is still so, by a number that a
 * reload raises; only then the lock is taken, for as long as it takes to count a reference. */
#include "engine/apps/sluice/policies.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/log_limit.h"

#define VALUES_MAX 128u

struct policies {
    struct authorizer port; /* first: the port's functions find the rest by it */
    pthread_mutex_t lock;   /* of set and refusals */
    struct policy_set *set;
    struct log_limit refusals;
    atomic_uint number; /* of the set */
    bool is_audit;
};

struct known {
    struct policy_view *view;
    unsigned number;
};

static struct policy_set *current(struct policies *p, unsigned *number)
{
    pthread_mutex_lock(&p->lock);
    struct policy_set *set = policy_set_ref(p->set);
    *number = atomic_load(&p->number);
    pthread_mutex_unlock(&p->lock);
    return set;
}

/* --- the port --- */

static void *meet(struct authorizer *a, const struct authorizer_subject *who)
{
    struct policies *p = (struct policies *)(void *)a;
    struct policy_value values[VALUES_MAX];
    struct known *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    size_t count = who->certificate_count < VALUES_MAX ? who->certificate_count : VALUES_MAX;
    for (size_t i = 0; i < count; i++)
        values[i] =
            (struct policy_value) { .name = policy_text_of(who->certificate[i].name),
                                    .value = { .p = who->certificate[i].value, .len = who->certificate[i].value_len } };
    const struct policy_subject subject = { .client_id = policy_text_of(who->client_id),
                                            .principal = policy_text_of(who->principal),
                                            .user_name = policy_text_of(who->user_name),
                                            .source_ip = policy_text_of(who->source_ip),
                                            .certificate = values,
                                            .certificate_count = count };
    struct policy_set *set = current(p, &k->number);
    k->view = policy_view_new(set, &subject);
    policy_set_unref(set);
    if (k->view)
        return k;
    free(k);
    return NULL;
}

/* False: memory, and the view is of the set before. */
static bool is_fresh(struct policies *p, struct known *k)
{
    if (k->number == atomic_load(&p->number))
        return true;
    unsigned number;
    struct policy_set *set = current(p, &number);
    struct policy_view *fresh = policy_view_again(k->view, set);
    policy_set_unref(set);
    if (!fresh)
        return false;
    policy_view_free(k->view);
    k->view = fresh;
    k->number = number;
    return true;
}

static bool may_log(struct policies *p)
{
    uint64_t now_ms = clock_monotonic_ms(&clock_system);
    pthread_mutex_lock(&p->lock);
    bool is_allowed = log_limit_take(&p->refusals, now_ms);
    pthread_mutex_unlock(&p->lock);
    return is_allowed;
}

static bool refuse(struct policies *p, const struct known *k, const char *action, const char *name, size_t len,
                   const char *reason)
{
    struct policy_text client = policy_view_client(k->view);
    char id[128], resource[256];
    if (!may_log(p))
        return p->is_audit;
    snprintf(id, sizeof(id), "%.*s", (int)client.len, client.p);
    snprintf(resource, sizeof(resource), "%.*s", (int)(len < sizeof(resource) ? len : sizeof(resource)), name);
    log_event(LOG_LEVEL_WARN,
              (const char *[]) { "clientId", id, "action", action, "resource", resource, "decision", reason, NULL },
              "%s", p->is_audit ? "policies would refuse this" : "refused by policies");
    return p->is_audit;
}

static bool may(struct authorizer *a, void *client, enum authorizer_right right, const char *name, size_t len)
{
    static const enum policy_action actions[] = { [AUTHORIZE_CONNECT] = POLICY_CONNECT,
                                                  [AUTHORIZE_PUBLISH] = POLICY_PUBLISH,
                                                  [AUTHORIZE_RETAIN_PUBLISH] = POLICY_RETAIN_PUBLISH,
                                                  [AUTHORIZE_SUBSCRIBE] = POLICY_SUBSCRIBE,
                                                  [AUTHORIZE_RECEIVE] = POLICY_RECEIVE };
    const char *action = policy_action_name(actions[right]);
    struct policies *p = (struct policies *)(void *)a;
    struct known *k = client;
    if (!is_fresh(p, k))
        return refuse(p, k, action, name, len, "not enough memory");
    if (policy_view_is_trusted(k->view))
        return true;
    struct policy_verdict v =
        policy_view_decide(k->view, actions[right], (struct policy_text) { .p = name, .len = len });
    return v.decision == POLICY_ALLOWED || refuse(p, k, action, name, len, policy_decision_name(v.decision));
}

static void part(struct authorizer *a, void *client)
{
    struct known *k = client;
    (void)a;
    policy_view_free(k->view);
    free(k);
}

/* --- loading --- */

static struct policy_set *load(const struct service_conf *conf, struct errs *errs)
{
    const struct policy_scope scope = { .region = conf->region, .account_id = conf->account_id };
    return policy_set_load((const char *const *)conf->policy_files, conf->policy_file_count, &scope, errs);
}

struct policies *policies_open(const struct service_conf *conf, struct errs *errs)
{
    struct policies *p = calloc(1, sizeof(*p));
    struct policy_set *set = p ? load(conf, errs) : NULL;
    if (!set || pthread_mutex_init(&p->lock, NULL) != 0) {
        if (!p || set)
            errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory for the policies");
        policy_set_unref(set);
        free(p);
        return NULL;
    }
    p->port = (struct authorizer) { .meet = meet, .may = may, .part = part };
    p->set = set;
    p->is_audit = conf->policy_mode == POLICY_AUDIT;
    return p;
}

void policies_close(struct policies *p)
{
    if (!p)
        return;
    policy_set_unref(p->set);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool policies_reload(struct policies *p, const struct service_conf *conf, struct errs *errs)
{
    struct policy_set *fresh = load(conf, errs);
    if (!fresh)
        return false;
    pthread_mutex_lock(&p->lock);
    struct policy_set *old = p->set;
    p->set = fresh;
    atomic_fetch_add(&p->number, 1);
    pthread_mutex_unlock(&p->lock);
    policy_set_unref(old);
    return true;
}

struct authorizer *policies_authorizer(struct policies *p)
{
    return &p->port;
}
