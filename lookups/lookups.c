/* SPDX-License-Identifier: Apache-2.0 */
/* The section `lookups` of sluice.yaml, and the port: answers that are kept at once, others by the asker's thread. */
#include "lookups/lookups.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/opt.h"
#include "engine/http/aws_endpoint.h"
#include "engine/http/http_settings.h"
#include "lookups/asker.h"
#include "lookups/lookups_int.h"

#define ASKER_COUNT (AWS_SERVICE_COUNT + 1) /* one for each service, and one for files */

struct lookups {
    struct lookup_port port; /* first: the port is the look-ups */
    const struct clock *clock;
    struct lookups_conf conf;
    struct kept *kept;
    struct asker *askers[ASKER_COUNT]; /* by asker_of; NULL: nothing is asked there */
};

#define FIELD(name) offsetof(struct lookups_conf, name)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct opt options[] = {
    { "lambda", OPT_CONF, FIELD(service_confs[AWS_LAMBDA]), .help = "aws_lambda: { endpoint: URL } of a Lambda API" },
    { "dynamodb", OPT_CONF, FIELD(service_confs[AWS_DYNAMODB]),
      .help = "get_dynamodb: { endpoint: URL } of a DynamoDB API" },
    { "secretsmanager", OPT_CONF, FIELD(service_confs[AWS_SECRETS_MANAGER]),
      .help = "get_secret: { endpoint: URL, keepFor: 15m } of a Secrets Manager API" },
    { "machinelearning", OPT_CONF, FIELD(service_confs[AWS_MACHINE_LEARNING]),
      .help = "machinelearning_predict: { endpoint: URL } of an Amazon Machine Learning API" },
    { "descriptors", OPT_PATH, FIELD(descriptors),
      .help = "decode(…, 'proto', …): folder of descriptor sets, BUCKET/KEY" },
    { "documents", OPT_PATH, FIELD(documents),
      .help = "get_thing_shadow, get_registry_data: folder of JSON documents, shadows/THING.json, "
              "shadows/THING/NAME.json, DescribeThing/THING.json, ListThingGroupsForThing/THING.json" },
    { "region", OPT_TEXT, FIELD(region),
      .help = "region to sign for; absent: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1" },
    { "credentials", OPT_CONF, FIELD(credentials_conf),
      .help = "accessKeyId, secretAccessKey, sessionToken, or file, profile; absent: as AWS's tools find them, "
              "unsigned if there are none" },
    { "timeout", OPT_DURATION, FIELD(http.timeout_ms), .def = "3s", .min = 100, .max = 60000,
      .help = "longest time for an answer, from when it is asked; of aws_lambda at most 2s" },
    { "connectTimeout", OPT_DURATION, FIELD(http.connect_timeout_ms), .def = "2s", .min = 100, .max = 60000,
      .help = "longest time to connect, look-up of the name included" },
    { "maxRequests", OPT_INT, FIELD(http.connections), .def = "64", .min = 1, .max = 1000,
      .help = "requests that are under way at once, to each service; further ones wait" },
    { "caFile", OPT_PATH, FIELD(http.ca_file),
      .help = "PEM file of the authorities that may sign the endpoints' certificates; absent: those of the system" },
};

/* Of one service. */
struct service_fields {
    struct aws_service service;
    int64_t keep_ms;
};

static const struct opt service_options[] = {
    { "endpoint", OPT_TEXT, offsetof(struct service_fields, service.endpoint), .required = true,
      .help = "url of the server" },
    /* of secretsmanager alone: */
    { "keepFor", OPT_DURATION, offsetof(struct service_fields, keep_ms), .def = "15m", .max = 900000,
      .help = "a secret is asked for again after this time" },
};

static const char *const service_options_of[AWS_SERVICE_COUNT] = {
    [AWS_LAMBDA] = "\"lambda\"",
    [AWS_DYNAMODB] = "\"dynamodb\"",
    [AWS_SECRETS_MANAGER] = "\"secretsmanager\"",
    [AWS_MACHINE_LEARNING] = "\"machinelearning\"",
};

void lookups_help(struct buf *out)
{
    opt_help(options, COUNT_OF(options), out);
}

/* --- reading --- */

static int read_service(struct lookups_conf *c, int which, struct errs *errs)
{
    const struct conf *conf = c->service_confs[which];
    struct service_fields f = { 0 };
    size_t count = COUNT_OF(service_options) - (which == AWS_SECRETS_MANAGER ? 0 : 1);
    if (!conf)
        return 0;
    int rc = opt_read(service_options, count, conf, service_options_of[which], conf->at, &f, errs);
    rc = aws_endpoint_check(f.service.endpoint, conf, &f.service.secret_path, errs) < 0 ? -1 : rc;
    c->services[which] = f.service;
    if (which == AWS_SECRETS_MANAGER)
        c->secrets_ms = f.keep_ms;
    return rc;
}

static int check_folder(const char *path, const struct conf *conf, const char *option, struct errs *errs)
{
    struct stat st;
    if (!path || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    errs_add(errs, SEV_ERROR, ERR_IO, conf_get(conf, option)->at, "\"%s\" is no folder that can be read", option);
    return -1;
}

static int read_conf(struct lookups_conf *c, const struct conf *conf, const struct clock *clock, struct errs *errs)
{
    struct span at = conf ? conf->at : (struct span) { 0 };
    int rc = opt_read(options, COUNT_OF(options), conf, "\"lookups\"", at, c, errs);
    for (int i = 0; i < AWS_SERVICE_COUNT; i++)
        rc = read_service(c, i, errs) < 0 ? -1 : rc;
    rc = http_settings_check_files(&c->http, conf, errs) < 0 ? -1 : rc;
    rc = check_folder(c->descriptors, conf, "descriptors", errs) < 0 ? -1 : rc;
    rc = check_folder(c->documents, conf, "documents", errs) < 0 ? -1 : rc;
    rc = aws_source_read(&c->aws, c->credentials_conf, errs) < 0 ? -1 : rc;
    if (rc == 0)
        rc = aws_source_check(&c->aws, c->credentials_conf, errs);
    if (rc == 0 && aws_region_default(&c->region) < 0)
        rc = errs_refuse(errs, ERR_MEMORY, at, "not enough memory");
    c->http.response_max = (int64_t)ANSWER_MAX;
    c->http.clock = clock;
    return rc;
}

static void conf_clear(struct lookups_conf *c)
{
    for (int i = 0; i < AWS_SERVICE_COUNT; i++)
        free(c->services[i].endpoint);
    aws_source_clear(&c->aws);
    opt_free(options, COUNT_OF(options), c);
}

/* --- asking --- */

static bool is_configured(const struct lookups_conf *c, const struct teller *t)
{
    if (t->service >= 0)
        return c->services[t->service].endpoint != NULL;
    return (strcmp(t->option, "descriptors") == 0 ? c->descriptors : c->documents) != NULL;
}

bool lookups_can(const struct lookups *l, const char *function, const char **option)
{
    const struct teller *t = teller_find(function);
    *option = t ? t->option : "";
    return t && is_configured(&l->conf, t);
}

static bool fail_now(struct lookup *q, const char *why)
{
    q->outcome = LOOKUP_FAILED;
    q->text = strdup(why);
    q->len = q->text ? strlen(q->text) : 0;
    return true;
}

/* Each service has an asker of its own, so that one that is slow takes no other's turns. */
static size_t asker_of(const struct teller *t)
{
    return (size_t)(t->service + 1);
}

/* As struct lookup_port has it. */
static bool ask(struct lookup_port *port, struct lookup *q)
{
    struct lookups *l = (struct lookups *)port;
    const struct teller *t = teller_find(q->question.function);
    if (!t || !is_configured(&l->conf, t))
        return fail_now(q, "sluice.yaml does not say who answers it");
    uint64_t now = clock_monotonic_ms(l->clock);
    if (t->keep_ms && kept_find(l->kept, &q->question, now, &q->text, &q->len)) {
        q->outcome = LOOKUP_ANSWERED;
        return true;
    }
    return asker_take(l->askers[asker_of(t)], q, t) ? false : fail_now(q, "it cannot be asked now");
}

/* --- life --- */

static int make_askers(struct lookups *l, struct err *e)
{
    for (size_t i = 0; i < teller_count; i++) {
        struct asker **asker = &l->askers[asker_of(tellers[i])];
        if (!*asker && is_configured(&l->conf, tellers[i]))
            *asker = asker_new(&l->conf, l->kept, l->clock, e);
        if (!*asker && is_configured(&l->conf, tellers[i]))
            return -1;
    }
    return 0;
}

struct lookups *lookups_open(const struct conf *conf, const struct clock *clock, struct errs *errs)
{
    struct err e = { 0 };
    struct span at = conf ? conf->at : (struct span) { 0 };
    struct lookups *l = calloc(1, sizeof(*l));
    if (!l || http_link_setup(&e) < 0) {
        errs_refuse(errs, ERR_MEMORY, at, "not enough memory for look-ups");
        free(l);
        return NULL;
    }
    l->port.ask = ask;
    l->clock = clock;
    int rc = read_conf(&l->conf, conf, clock, errs);
    l->kept = rc == 0 ? kept_new() : NULL;
    if (l->kept && make_askers(l, &e) == 0)
        return l;
    if (rc == 0)
        errs_refuse(errs, ERR_MEMORY, at, e.code ? e.text : "not enough memory for look-ups");
    lookups_close(l);
    return NULL;
}

int lookups_start(struct lookups *l, struct err *e)
{
    for (size_t i = 0; i < ASKER_COUNT; i++) {
        if (l->askers[i] && asker_start(l->askers[i], e) < 0)
            return -1;
    }
    return 0;
}

struct lookup_port *lookups_port(struct lookups *l)
{
    return &l->port;
}

void lookups_close(struct lookups *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < ASKER_COUNT; i++)
        asker_free(l->askers[i]);
    kept_free(l->kept);
    conf_clear(&l->conf);
    free(l);
}
