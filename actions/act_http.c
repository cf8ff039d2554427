/* SPDX-License-Identifier: Apache-2.0 */
/* http: the output as a request to a server.
 *
 *     items ─► http_run (jobs, order, bounds) ─► http_rule_make (one request) ─► http_link (libcurl)
 *
 * `struct http_target` and `struct http_rule` are configuration, unchanged after opening. `struct http_lane` has the
 * connections and is owned by its thread, and AWS credentials, which it looks for again from time to time.
 *
 * A rule without `connection` shares a target, and so a lane, with the rules that send to the same host: a host that is
 * slow or away holds up nobody else. Rules whose host comes out of a message share one. */
#include "actions/actions_int.h"

#include <stdlib.h>
#include <string.h>

#include "actions/http_rule.h"
#include "actions/http_run.h"
#include "engine/base/clock.h"

#define BATCH_MAX   500
#define SECRETS_MAX (HTTP_FIELDS_MAX + 8)

/* --- action --- */

static void *http_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    return http_rule_open(target, conf, host, errs);
}

static void http_action_close(void *action)
{
    http_rule_free(action);
}

static void http_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    http_rule_put_resource(action, texts, out);
}

/* --- lane --- */

struct http_lane {
    const struct http_target *target;
    struct http_run *run;
    struct http_maker maker;
    struct aws_kept aws;
    const char *secrets[SECRETS_MAX];
};

static bool joins(void *ctx, const struct act_item *first, size_t count, size_t bytes, const struct act_item *item)
{
    (void)ctx;
    return http_rule_joins(first->action, first, count, bytes, item);
}

static int make(void *ctx, struct act_item *const *items, size_t count, struct arena *a, struct http_request *q,
                struct err *e)
{
    const struct http_lane *l = ctx;
    const struct http_rule *r = items[0]->action;
    if (http_rule_signs(r) && !l->aws.found)
        return err_set(e, ERR_REFUSED, "misconfigured: there are no AWS credentials to sign with");
    return http_rule_make(r, &l->aws.now, clock_now_ms(l->target->settings.clock), items, count, a, q, e);
}

static const char *const *secrets(void *ctx)
{
    return ((struct http_lane *)ctx)->secrets;
}

/* What must not come back in a reason. */
static void list_secrets(struct http_lane *l)
{
    const struct http_target *t = l->target;
    const char *authorization = t->auth.authorization;
    const char *const all[] = { authorization ? strchr(authorization, ' ') + 1 : NULL,
                                t->auth.password,
                                t->settings.key_password,
                                l->aws.now.secret,
                                l->aws.now.token,
                                t->secret_path };
    size_t n = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i])
            l->secrets[n++] = all[i];
    }
    for (size_t i = 0; i < t->field_count; i++)
        l->secrets[n++] = t->fields[i].value;
    l->secrets[n] = NULL;
}

static void http_lane_close(void *lane)
{
    struct http_lane *l = lane;
    if (!l)
        return;
    http_run_free(l->run);
    aws_credentials_clear(&l->aws.now);
    free(l);
}

static void *http_lane_open(void *target, struct err *e)
{
    struct http_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->target = target;
    l->maker = (struct http_maker) {
        .joins = joins, .make = make, .verdict = http_status_verdict, .secrets = secrets, .ctx = l
    };
    list_secrets(l);
    l->run = http_run_new(&l->target->settings, &l->maker);
    if (l->run)
        return l;
    err_set(e, ERR_MEMORY, "not enough memory for a lane");
    http_lane_close(l);
    return NULL;
}

static void http_lane_stop_fd(void *lane, int fd)
{
    http_run_stop_on(((struct http_lane *)lane)->run, fd);
}

static int http_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct http_lane *l = lane;
    const struct http_target *t = l->target;
    if (aws_kept_refresh(&l->aws, &t->aws, clock_monotonic_ms(t->settings.clock)))
        list_secrets(l);
    return http_run_send(l->run, items, count, e);
}

const struct action_type act_http = {
    .name = "http",
    .failed_action = "HttpAction",
    .doc = "send a request to a server",
    .connection = ACT_CONNECTION_OPTIONAL,
    .connection_kind = "http",
    .implicit_name = http_rule_put_origin,
    .target_options = http_target_options,
    .target_option_count = HTTP_TARGET_OPTION_COUNT,
    .options = http_rule_options,
    .option_count = HTTP_RULE_OPTION_COUNT,
    .target_open = http_target_open,
    .target_close = http_target_close,
    .action_open = http_action_open,
    .action_close = http_action_close,
    .resource = http_resource,
    .lane_open = http_lane_open,
    .lane_stop_fd = http_lane_stop_fd,
    .send = http_send,
    .lane_close = http_lane_close,
    .batch_max = BATCH_MAX,
};
