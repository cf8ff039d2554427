/* SPDX-License-Identifier: Apache-2.0 */
/* sluice_mosquitto.so: tells Mosquitto's clients apart for the engine. It seals who published into every message, publishes
 * lifecycle events, and enforces AWS IoT policies.
 *
 * This file is the door: what the broker calls. It says which module answers which callback; README.md says what the broker was seen
 * to do. All callbacks run in the broker's one thread and none waits. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "engine/apps/mosquitto_plugin/authorize.h"
#include "engine/apps/mosquitto_plugin/broker.h"
#include "engine/apps/mosquitto_plugin/broker_conf.h"
#include "engine/apps/mosquitto_plugin/certificate.h"
#include "engine/apps/mosquitto_plugin/identity.h"
#include "engine/apps/mosquitto_plugin/lifecycle.h"
#include "engine/apps/mosquitto_plugin/plugin_conf.h"
#include "engine/apps/mosquitto_plugin/policy_watch.h"
#include "engine/base/log_limit.h"
#include "engine/base/random.h"

#define BROKER_LOG_TOPIC "$SYS/broker/log/"
#define SWEEP_BUCKETS    1000 /* of clients whose old views are let go in one tick */
#define REPORT_EVERY_MS  60000

struct plugin {
    mosquitto_plugin_id_t *id;
    struct plugin_conf conf;
    bool others_authenticate,
        others_authorize; /* a password_file, an acl_file or another plugin decides after this one */
    bool allows_anonymous;
    struct clients *clients;
    struct lifecycle *lifecycle;
    struct identity_stamp *stamp; /* NULL: identities are not sealed */
    struct authorizer authorizer;
    struct policy_watch *watch; /* NULL: no policies */
    size_t sweep;               /* the bucket to go on with */
    bool is_sweeping, is_reloading;
    struct log_limit refusals;
    uint64_t report_ms;
};

static bool is_loaded; /* the broker loads plugins in one thread */

/* --- what to answer when there is nothing against it --- */

/* When every plugin defers, Mosquitto 2.0 lets in who gives no user name (if allow_anonymous), and nobody who gives one: but without a password file
 * it would have let those in too, had there been no plugin. */
static int pass_connect(const struct plugin *p, const char *user_name)
{
    return user_name && !p->others_authenticate && p->allows_anonymous ? MOSQ_ERR_SUCCESS : MOSQ_ERR_PLUGIN_DEFER;
}

/* When every plugin defers, Mosquitto denies. */
static int pass_access(const struct plugin *p)
{
    return p->others_authorize ? MOSQ_ERR_PLUGIN_DEFER : MOSQ_ERR_SUCCESS;
}

/* --- who is it --- */

/* A user name that nobody checks is no identity. */
static struct subject *subject_of(const struct plugin *p, struct mosquitto *client, const char *user_name)
{
    struct subject_facts f = {
        .client_id = broker_client_id(client),
        .user_name = p->others_authenticate ? user_name : NULL,
        .source_ip = broker_client_address(client),
    };
    bool failed;
    unsigned char *der = broker_client_certificate(client, &f.certificate_len, &failed);
    f.certificate = der;
    struct subject *who = failed || !f.client_id ? NULL : subject_new(&f);
    certificate_free(der);
    return who;
}

static void tell_refusal(void *ctx, const struct subject *who, const char *action, const char *name, const char *reason,
                         bool is_audit)
{
    struct plugin *p = ctx;
    if (!log_limit_take(&p->refusals, clock_monotonic_ms(&clock_system)))
        return;
    broker_log(BROKER_LOG_NOTICE, "client \"%.200s\" %s %s \"%.200s\": %s", who->client_id.p,
               is_audit ? "would be refused" : "is refused", action, name, reason);
}

/* --- callbacks --- */

/* SIGHUP: the broker authenticates all clients again, those too that are not there. Nobody connects by that. */
static int authenticate_again(struct plugin *p, const struct client *c, const char *user_name)
{
    return !c || authorize_connect(&p->authorizer, c->who) ? pass_connect(p, user_name) : MOSQ_ERR_AUTH;
}

static int on_basic_auth(int event, void *data, void *ctx)
{
    (void)event;
    struct plugin *p = ctx;
    const struct mosquitto_evt_basic_auth *d = data;
    struct client *known = clients_find(p->clients, d->client);
    if (p->is_reloading)
        return authenticate_again(p, known, d->username);
    if (known) /* whose end the broker did not tell: the handle is somebody else's now */
        lifecycle_ended(p->lifecycle, known, END_UNKNOWN);
    struct subject *who = subject_of(p, d->client, d->username);
    if (!who)
        return MOSQ_ERR_NOMEM;
    bool is_allowed = authorize_connect(&p->authorizer, who);
    if (is_allowed && lifecycle_authenticated(p->lifecycle, d->client, who))
        return pass_connect(p, d->username);
    subject_free(who);
    return is_allowed ? MOSQ_ERR_NOMEM : MOSQ_ERR_AUTH;
}

/* Enhanced authentication would pass by the check of policies, and nobody of the kind is known to the identity. */
static int on_ext_auth(int event, void *data, void *ctx)
{
    (void)event;
    (void)data;
    const struct plugin *p = ctx;
    return p->watch && !p->authorizer.is_audit ? MOSQ_ERR_AUTH : MOSQ_ERR_PLUGIN_DEFER;
}

/* What is sent to a client that is not there is only queued; when it comes back the broker asks again, for each message. */
static bool may_read(struct plugin *p, struct client *c, const struct mosquitto_evt_acl_check *d)
{
    if (strncmp(d->topic, BROKER_LOG_TOPIC, strlen(BROKER_LOG_TOPIC)) == 0 && d->payload)
        lifecycle_log_line(p->lifecycle, d->payload, d->payloadlen);
    return !c || authorize_receive(&p->authorizer, c, d->topic);
}

static bool may_write(struct plugin *p, struct client *c, const struct mosquitto_evt_acl_check *d)
{
    const char *id = c ? NULL : broker_client_id(d->client);
    if (!c) /* its will, after it has gone */
        return authorize_will(&p->authorizer, id ? clients_departed(p->clients, id) : NULL, d->topic, d->retain);
    lifecycle_is_active(p->lifecycle, c);
    return authorize_publish(&p->authorizer, c, d->topic, d->retain);
}

static bool may_subscribe(struct plugin *p, struct client *c, const struct mosquitto_evt_acl_check *d)
{
    if (!c)
        return !p->authorizer.set;
    if (!authorize_subscribe(&p->authorizer, c, d->topic))
        return false;
    lifecycle_subscribed(p->lifecycle, c, d->topic);
    return true;
}

static int on_acl_check(int event, void *data, void *ctx)
{
    (void)event;
    struct plugin *p = ctx;
    const struct mosquitto_evt_acl_check *d = data;
    struct client *c = clients_find(p->clients, d->client);
    bool is_allowed = false;
    switch (d->access) {
    case MOSQ_ACL_READ:
        is_allowed = may_read(p, c, d);
        break;
    case MOSQ_ACL_WRITE:
        is_allowed = may_write(p, c, d);
        break;
    case MOSQ_ACL_SUBSCRIBE:
        is_allowed = may_subscribe(p, c, d);
        break;
    case MOSQ_ACL_UNSUBSCRIBE:
        if (c)
            lifecycle_unsubscribed(p->lifecycle, c, d->topic);
        return MOSQ_ERR_SUCCESS;
    default:
        break;
    }
    return is_allowed ? pass_access(p) : MOSQ_ERR_ACL_DENIED;
}

static int stamp_remove(void *properties, const char *name)
{
    return broker_properties_remove(properties, name);
}

static int stamp_add(void *properties, const char *name, const char *value)
{
    return broker_properties_add(properties, name, value);
}

static int on_message(int event, void *data, void *ctx)
{
    (void)event;
    struct plugin *p = ctx;
    struct mosquitto_evt_message *d = data;
    struct client *c = clients_find(p->clients, d->client);
    struct subject *bridge = NULL; /* never authenticates here: it is known by its name alone */
    if (c)
        lifecycle_is_active(p->lifecycle, c);
    else if (d->client)
        bridge = subject_new(&(struct subject_facts) { .client_id = broker_client_id(d->client) });
    struct identity_bound bound = { d->topic, strlen(d->topic), d->payload, d->payloadlen };
    int rc = identity_stamp_message(p->stamp, &d->properties, c ? c->who : bridge, &bound);
    subject_free(bridge);
    return rc < 0 ? MOSQ_ERR_NOMEM : MOSQ_ERR_SUCCESS;
}

static enum lifecycle_end end_of(const struct plugin *p, const struct client *c, struct mosquitto *client)
{
    if (c->state == CLIENT_PENDING && !broker_client_id(client))
        return END_REFUSED; /* the broker gives it its id when it lets it in */
    if (p->is_reloading)
        return END_BY_RELOAD;
    return broker_client_said_goodbye(client) ? END_BY_CLIENT : END_UNKNOWN;
}

static int on_disconnect(int event, void *data, void *ctx)
{
    (void)event;
    struct plugin *p = ctx;
    const struct mosquitto_evt_disconnect *d = data;
    struct client *c = clients_find(p->clients, d->client);
    if (c) /* else it never authenticated, or is told of once more when its session is taken over */
        lifecycle_ended(p->lifecycle, c, end_of(p, c, d->client));
    return MOSQ_ERR_SUCCESS;
}

static void take_policies(struct plugin *p)
{
    struct policy_news news;
    if (!p->watch || !policy_watch_take(p->watch, &news))
        return;
    if (news.errs.errors || news.errs.warnings)
        broker_log_errs(&news.errs);
    errs_clear(&news.errs);
    if (!news.set) {
        broker_log(BROKER_LOG_ERROR, "the policies have errors, the ones before stay in force");
        return;
    }
    authorize_set(&p->authorizer, news.set);
    p->sweep = 0;
    p->is_sweeping = true;
    broker_log(BROKER_LOG_NOTICE, "the policies are read again and in force");
}

static void drop_stale(void *ctx, struct client *c)
{
    authorize_drop_stale(ctx, c);
}

static void report(struct plugin *p)
{
    uint64_t now = clock_monotonic_ms(&clock_system);
    unsigned held_back = log_limit_report(&p->refusals, now);
    if (held_back)
        broker_log(BROKER_LOG_NOTICE, "%u further refusals are not shown", held_back);
    if (!p->stamp || now < p->report_ms)
        return;
    p->report_ms = now + REPORT_EVERY_MS;
    uint64_t unsealed = identity_stamp_take_unsealed(p->stamp);
    if (unsealed)
        broker_log(BROKER_LOG_WARNING,
                   "%llu messages went without a seal: client id and user name are too long, or memory is short",
                   (unsigned long long)unsealed);
}

static int on_tick(int event, void *data, void *ctx)
{
    (void)event;
    (void)data;
    struct plugin *p = ctx;
    p->is_reloading = false;
    lifecycle_tick(p->lifecycle);
    take_policies(p);
    if (p->is_sweeping)
        p->is_sweeping =
            (p->sweep = clients_visit(p->clients, p->sweep, SWEEP_BUCKETS, drop_stale, &p->authorizer)) != 0;
    report(p);
    return MOSQ_ERR_SUCCESS;
}

static int on_reload(int event, void *data, void *ctx)
{
    (void)event;
    (void)data;
    struct plugin *p = ctx;
    p->is_reloading = true;
    if (p->watch)
        policy_watch_ask(p->watch);
    return MOSQ_ERR_SUCCESS;
}

/* --- start and end --- */

static void publish(void *ctx, const char *topic, const char *payload, size_t len)
{
    (void)ctx;
    if (!broker_publish(topic, payload, len))
        broker_log(BROKER_LOG_WARNING, "could not publish a lifecycle event on \"%.200s\"", topic);
}

static int read_conf(struct plugin *p, const struct mosquitto_opt *options, int count, struct errs *errs)
{
    struct plugin_option *list = calloc((size_t)count + 1, sizeof(*list));
    if (!list)
        return errs_refuse(errs, ERR_MEMORY, (struct span) { 0 }, "not enough memory for the options");
    for (int i = 0; i < count; i++)
        list[i] = (struct plugin_option) { options[i].key, options[i].value };
    int rc = plugin_conf_read(&p->conf, list, (size_t)count, errs);
    free(list);
    return rc;
}

static int read_broker_conf(struct plugin *p, struct errs *errs)
{
    struct err e = { 0 };
    struct broker_conf b;
    char *path = broker_conf_own_path(&e);
    if (!path) {
        errs_take(errs, &e);
        return -1;
    }
    int rc = broker_conf_read(&b, path, errs);
    free(path);
    p->allows_anonymous = b.allows_anonymous;
    p->others_authenticate = b.has_password_file || b.plugins > 1;
    p->others_authorize = b.has_acl_file || b.plugins > 1;
    if (p->conf.others != OTHERS_AUTO)
        p->others_authenticate = p->others_authorize = p->conf.others == OTHERS_DECIDE;
    return rc;
}

static int start_identity(struct plugin *p, struct err *e)
{
    static const struct identity_port port = { stamp_remove, stamp_add };
    if (!p->conf.identity)
        return 0;
    bool is_open = false;
    p->stamp = identity_stamp_new(p->conf.key_file, &port, random_entropy(), &is_open, e);
    if (is_open)
        broker_log(BROKER_LOG_WARNING, "everybody on this machine may read the key file \"%s\": chmod o-r it",
                   p->conf.key_file);
    return p->stamp ? 0 : -1;
}

static int start_policies(struct plugin *p, struct errs *errs, struct err *e)
{
    struct policy_scope scope = { p->conf.region, p->conf.account_id };
    p->authorizer.is_audit = p->conf.mode == PLUGIN_AUDIT;
    p->authorizer.tell = tell_refusal;
    p->authorizer.ctx = p;
    if (!p->conf.policy_count)
        return 0;
    struct policy_news first;
    p->watch = policy_watch_new((const char *const *)p->conf.policies, p->conf.policy_count, &scope, &first, e);
    *errs = first.errs;
    if (p->watch)
        p->authorizer.set = first.set;
    else
        policy_set_unref(first.set);
    return p->watch ? 0 : -1;
}

static int start_clients(struct plugin *p, struct err *e)
{
    struct lifecycle_port port = { .publish = publish, .clock = clock_system, .seed = random_entropy() };
    uint64_t seed[2] = { random_entropy(), random_entropy() };
    p->clients = clients_new(seed);
    p->lifecycle = p->clients ? lifecycle_new(p->clients, &port, p->conf.lifecycle) : NULL;
    return p->lifecycle ? 0 : err_set(e, ERR_MEMORY, "not enough memory for the table of clients");
}

struct callback {
    int event;
    MOSQ_FUNC_generic_callback call;
};

static const struct callback callbacks[] = {
    { MOSQ_EVT_RELOAD, on_reload },         { MOSQ_EVT_ACL_CHECK, on_acl_check },
    { MOSQ_EVT_BASIC_AUTH, on_basic_auth }, { MOSQ_EVT_EXT_AUTH_START, on_ext_auth },
    { MOSQ_EVT_MESSAGE, on_message },       { MOSQ_EVT_TICK, on_tick },
    { MOSQ_EVT_DISCONNECT, on_disconnect },
};
#define CALLBACK_COUNT (sizeof(callbacks) / sizeof(callbacks[0]))

/* Without policies and events nobody need be asked. */
static bool is_needed(const struct plugin *p, int event)
{
    switch (event) {
    case MOSQ_EVT_ACL_CHECK:
        return p->watch || p->conf.lifecycle;
    case MOSQ_EVT_EXT_AUTH_START:
        return p->watch != NULL;
    case MOSQ_EVT_MESSAGE:
        return p->stamp != NULL;
    default:
        return true;
    }
}

static int register_callbacks(struct plugin *p, struct err *e)
{
    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        if (is_needed(p, callbacks[i].event) &&
            mosquitto_callback_register(p->id, callbacks[i].event, callbacks[i].call, NULL, p) != MOSQ_ERR_SUCCESS)
            return err_set(e, ERR_REFUSED, "the broker takes no callback for event %d", callbacks[i].event);
    }
    return 0;
}

static int start(struct plugin *p, const struct mosquitto_opt *options, int count, struct errs *errs)
{
    struct err e = { 0 };
    if (read_conf(p, options, count, errs) < 0 || read_broker_conf(p, errs) < 0)
        return -1;
    if (start_identity(p, &e) == 0 && start_policies(p, errs, &e) == 0 && start_clients(p, &e) == 0 &&
        register_callbacks(p, &e) == 0)
        return 0;
    if (e.code != ERR_NONE)
        errs_take(errs, &e);
    return -1;
}

static void stop(struct plugin *p)
{
    for (size_t i = 0; i < CALLBACK_COUNT; i++)
        mosquitto_callback_unregister(p->id, callbacks[i].event, callbacks[i].call, NULL);
    policy_watch_free(p->watch);
    lifecycle_free(p->lifecycle);
    clients_free(p->clients);
    identity_stamp_free(p->stamp);
    authorize_clear(&p->authorizer);
    plugin_conf_clear(&p->conf);
    free(p);
    is_loaded = false;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++) {
        if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
            return MOSQ_PLUGIN_VERSION;
    }
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata, struct mosquitto_opt *options,
                          int option_count)
{
    struct errs errs = { 0 };
    if (is_loaded) {
        broker_log(BROKER_LOG_ERROR, "the plugin is loaded twice; one plugin line is enough");
        return MOSQ_ERR_INVAL;
    }
    struct plugin *p = calloc(1, sizeof(*p));
    if (!p)
        return MOSQ_ERR_NOMEM;
    is_loaded = true;
    p->id = identifier;
    int rc = start(p, options, option_count, &errs);
    broker_log_errs(&errs);
    errs_clear(&errs);
    if (rc < 0) {
        stop(p);
        return MOSQ_ERR_INVAL;
    }
    broker_log(BROKER_LOG_NOTICE, "identity %s, lifecycle events %s, policies %s", p->stamp ? "on" : "off",
               p->conf.lifecycle ? "on" : "off",
               !p->watch                ? "none"
               : p->authorizer.is_audit ? "in audit mode"
                                        : "in force");
    *userdata = p;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    if (userdata)
        stop(userdata);
    return MOSQ_ERR_SUCCESS;
}
