/* SPDX-License-Identifier: Apache-2.0 */
/* lambda: the output as the event of a function, through the Invoke operation of the Lambda API:
 *
 *     POST /2015-03-31/functions/NAME/invocations?Qualifier=ALIAS
 *     x-amz-invocation-type: Event
 *
 * The connection names an endpoint that speaks it, AWS's or one's own. Done means that the function was accepted for
 * running, as on AWS. Requests are signed if there are credentials. A refusal of all requests closes the lane, and the
 * next one looks for credentials at once.
 *
 * `struct lambda_target` and `struct lambda_act` are configuration, unchanged after opening. `struct lambda_lane` has
 * the connections and is owned by its thread. Order and bounds are http_run.c's. */
#include "actions/actions_int.h"

#include <stdlib.h>
#include <string.h>

#include "actions/http_run.h"
#include "actions/http_target.h"
#include "engine/base/clock.h"
#include "engine/http/aws_endpoint.h"
#include "engine/http/http_auth.h"
#include "engine/http/http_settings.h"
#include "engine/http/http_url.h"
#include "engine/http/lambda_name.h"

#define BATCH_MAX   500
#define SECRETS_MAX 4
#define FIELDS_MAX  (2 + HTTP_AUTH_FIELDS)
#define URL_ROOM    ((size_t)HTTP_URL_MAX * 2)

/* --- target --- */

struct lambda_target {
    struct http_settings settings;
    char *endpoint, *region;
    const char *secret_path; /* the endpoint's path if it may be a secret: points into endpoint; NULL: none */
    const struct conf *credentials_conf;
    struct aws_source aws;
};

#define TARGET(name) offsetof(struct lambda_target, name)

static const struct opt target_options[] = {
    { "endpoint", OPT_TEXT, TARGET(endpoint), .required = true,
      .help = "url of a server with the Lambda API, such as http://127.0.0.1:9001" },
    { "region", OPT_TEXT, TARGET(region),
      .help = "region to sign for; absent: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1" },
    { "credentials", OPT_CONF, TARGET(credentials_conf),
      .help = "accessKeyId, secretAccessKey, sessionToken, or file, profile; absent: as AWS's tools find them, "
              "unsigned if there are none" },
    { "connectTimeout", OPT_DURATION, TARGET(settings.connect_timeout_ms), .def = "3s", .min = 100, .max = 300000,
      .help = "longest time to connect, look-up of the name included" },
    { "timeout", OPT_DURATION, TARGET(settings.timeout_ms), .def = "10s", .min = 100, .max = 600000,
      .help = "longest time for a request, connecting included" },
    { "maxConnections", OPT_INT, TARGET(settings.connections), .def = "8", .min = 1, .max = 100,
      .help = "requests that run at once, to each host" },
    { "caFile", OPT_PATH, TARGET(settings.ca_file),
      .help = "PEM file of the authorities that may sign the endpoint's certificate; absent: those of the system" },
};
#define TARGET_OPTIONS (sizeof(target_options) / sizeof(target_options[0]))

static void target_close(void *target)
{
    struct lambda_target *t = target;
    if (!t)
        return;
    aws_source_clear(&t->aws);
    opt_free(target_options, TARGET_OPTIONS, t);
    free(t);
}

static void *target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    struct span at = conf ? conf->at : (struct span) { 0 };
    struct lambda_target *t = calloc(1, sizeof(*t));
    struct err e = { 0 };
    if (!t || http_link_setup(&e) < 0) {
        errs_refuse(errs, ERR_MEMORY, at, t ? e.text : "not enough memory");
        free(t);
        return NULL;
    }
    t->settings.response_max = 16384;
    t->settings.clock = env->clock;
    int rc = opt_read(target_options, TARGET_OPTIONS, conf, "lambda", at, t, errs);
    rc = aws_endpoint_check(t->endpoint, conf, &t->secret_path, errs) < 0 ? -1 : rc;
    rc = http_settings_check_files(&t->settings, conf, errs) < 0 ? -1 : rc;
    rc = aws_source_read(&t->aws, t->credentials_conf, errs) < 0 ? -1 : rc;
    if (rc == 0)
        rc = aws_source_check(&t->aws, t->credentials_conf, errs);
    if (rc == 0 && aws_region_default(&t->region) < 0)
        rc = errs_refuse(errs, ERR_MEMORY, at, "not enough memory");
    if (rc == 0)
        return t;
    target_close(t);
    return NULL;
}

/* --- action --- */

struct lambda_act {
    const struct conf *function;
    int function_text;
};

static const struct opt action_options[] = {
    { "connection", OPT_TEXT, 0, .ignored = true,
      .help = "name of a lambda connection in sluice.yaml; absent: the only one there is" },
    { "functionArn", OPT_TEMPLATE, offsetof(struct lambda_act, function), .required = true,
      .help = "ARN or name of the function, with \":VERSION\" or \":ALIAS\" if wanted; may be a template" },
};
#define ACTION_OPTIONS (sizeof(action_options) / sizeof(action_options[0]))

static int open_function(struct lambda_act *a, struct act_host *host, struct errs *errs)
{
    struct lambda_name name;
    struct err e = { 0 };
    if (!a->function)
        return -1;
    a->function_text = host->template_add(host, a->function, errs);
    if (a->function_text < 0)
        return -1;
    if (host->template_is_constant(host, a->function_text) &&
        lambda_name_split(&name, a->function->text, a->function->len, &e) < 0)
        return errs_refuse_value(errs, &e, a->function->at);
    return 0;
}

static void action_close(void *action)
{
    free(action);
}

static void *action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    struct lambda_act *a = calloc(1, sizeof(*a));
    if (!a) {
        errs_refuse(errs, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    host->needs_json = true;
    int rc = opt_read(action_options, ACTION_OPTIONS, conf, "lambda", conf->at, a, errs);
    rc = open_function(a, host, errs) < 0 ? -1 : rc;
    if (rc == 0)
        return a;
    action_close(a);
    return NULL;
}

static void resource(const void *action, const struct act_text *texts, struct buf *out)
{
    const struct lambda_act *a = action;
    buf_put(out, texts[a->function_text].p, texts[a->function_text].len);
}

/* --- lane --- */

struct lambda_lane {
    const struct lambda_target *target;
    struct http_run *run;
    struct http_maker maker;
    struct aws_kept aws;
    const char *secrets[SECRETS_MAX];
};

static int make_url(const struct lambda_lane *l, const struct act_item *item, struct arena *a, struct http_request *q,
                    struct http_url *u, struct err *e)
{
    const struct lambda_act *act = item->action;
    const struct act_text *text = &item->texts[act->function_text];
    struct lambda_name name;
    struct buf out;
    if (lambda_name_split(&name, text->p, text->len, e) < 0)
        return -1;
    buf_init(&out, URL_ROOM);
    lambda_name_url(&name, l->target->endpoint, &out);
    q->url = out.failed ? NULL : arena_strndup(a, out.p, out.len);
    buf_clear(&out);
    if (!q->url)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    if (http_url_split(u, q->url, strlen(q->url), e) < 0)
        return -1;
    q->origin_len = u->origin_len;
    return 0;
}

static int make(void *ctx, struct act_item *const *items, size_t count, struct arena *a, struct http_request *q,
                struct err *e)
{
    const struct lambda_lane *l = ctx;
    const struct act_item *item = items[0];
    struct http_url u;
    (void)count;
    if (!item->body_is_json)
        return err_set(e, ERR_TEMPLATE, "the event of a function is JSON, and this output is not");
    struct http_field *fields = arena_array(a, FIELDS_MAX, sizeof(*fields));
    if (!fields)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    if (make_url(l, item, a, q, &u, e) < 0)
        return -1;
    fields[0] = (struct http_field) { "Content-Type", "application/json", 16 };
    fields[1] = (struct http_field) { "X-Amz-Invocation-Type", "Event", 5 };
    q->method = "POST";
    q->body = item->body;
    q->body_len = item->body_len;
    q->fields = fields;
    q->field_count = 2;
    if (!l->aws.found)
        return 0;
    return http_auth_sign(q, &u, "lambda", l->target->region, &l->aws.now, clock_now_ms(l->target->settings.clock),
                          fields, &q->field_count, a, e);
}

static const char *const *secrets(void *ctx)
{
    return ((struct lambda_lane *)ctx)->secrets;
}

static void lane_close(void *lane)
{
    struct lambda_lane *l = lane;
    if (!l)
        return;
    http_run_free(l->run);
    aws_credentials_clear(&l->aws.now);
    free(l);
}

static void *lane_open(void *target, struct err *e)
{
    struct lambda_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->target = target;
    l->maker = (struct http_maker) { .make = make, .verdict = lambda_status_verdict, .secrets = secrets, .ctx = l };
    l->run = http_run_new(&l->target->settings, &l->maker);
    if (l->run)
        return l;
    err_set(e, ERR_MEMORY, "not enough memory for a lane");
    lane_close(l);
    return NULL;
}

static void lane_stop_fd(void *lane, int fd)
{
    http_run_stop_on(((struct lambda_lane *)lane)->run, fd);
}

static int lambda_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct lambda_lane *l = lane;
    const struct lambda_target *t = l->target;
    aws_kept_refresh(&l->aws, &t->aws, clock_monotonic_ms(t->settings.clock));
    size_t n = 0;
    const char *const all[] = { l->aws.now.secret, l->aws.now.token, t->secret_path };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i])
            l->secrets[n++] = all[i];
    }
    l->secrets[n] = NULL;
    return http_run_send(l->run, items, count, e);
}

const struct action_type act_lambda = {
    .name = "lambda",
    .failed_action = "LambdaAction",
    .doc = "invoke a function through the Lambda API",
    .connection = ACT_CONNECTION_ONLY,
    .connection_kind = "lambda",
    .target_options = target_options,
    .target_option_count = TARGET_OPTIONS,
    .options = action_options,
    .option_count = ACTION_OPTIONS,
    .target_open = target_open,
    .target_close = target_close,
    .action_open = action_open,
    .action_close = action_close,
    .resource = resource,
    .lane_open = lane_open,
    .lane_stop_fd = lane_stop_fd,
    .send = lambda_send,
    .lane_close = lane_close,
    .batch_max = BATCH_MAX,
};
