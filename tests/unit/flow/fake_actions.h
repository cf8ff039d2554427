/* SPDX-License-Identifier: Apache-2.0 */
/* Action types for tests of the flow: they read their options as the real ones do, and deliver nothing. */
#ifndef TESTS_FLOW_FAKE_ACTIONS_H
#define TESTS_FLOW_FAKE_ACTIONS_H

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/opt.h"
#include "engine/base/topic.h"
#include "sluice/action.h"

/* What is open now; a test ends with all three at zero. */
static int fake_targets, fake_actions;
/* How often a target was opened, in all. */
static int fake_target_opens;

struct fake_target {
    char *url, *client_id, *user, *password;
};

static const struct opt fake_mqtt_options[] = {
    { "url", OPT_TEXT, offsetof(struct fake_target, url), .required = true, .help = "broker" },
    { "clientId", OPT_TEXT, offsetof(struct fake_target, client_id), .help = "client id" },
    { "user", OPT_TEXT, offsetof(struct fake_target, user), .help = "user name" },
    { "password", OPT_TEXT, offsetof(struct fake_target, password), .help = "password" },
};

static const struct opt fake_postgres_options[] = {
    { "conninfo", OPT_TEXT, offsetof(struct fake_target, url), .required = true, .help = "connection string" },
};

static void *fake_target_new(const struct opt *options, size_t count, const struct conf *conf, const char *what,
                             struct errs *errs)
{
    struct fake_target *t = calloc(1, sizeof(*t));
    struct span at = conf ? conf->at : (struct span) { 0 };
    fake_target_opens++;
    if (opt_read(options, count, conf, what, at, t, errs) < 0) {
        opt_free(options, count, t);
        free(t);
        return NULL;
    }
    fake_targets++;
    return t;
}

static void *fake_mqtt_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)env;
    return fake_target_new(fake_mqtt_options, 4, conf, "mqtt", errs);
}

static void *fake_postgres_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)env;
    return fake_target_new(fake_postgres_options, 1, conf, "postgres", errs);
}

static void *fake_plain_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)env;
    return fake_target_new(NULL, 0, conf, "file", errs);
}

static void fake_target_close(void *target)
{
    opt_free(fake_mqtt_options, 4, target);
    free(target);
    fake_targets--;
}

/* ---- actions ---- */

struct fake_action {
    const struct conf *main; /* the template that every type has one of: topic, table, path */
    const struct conf *columns;
    int64_t number;
    int texts; /* how many templates were added */
};

static const struct opt fake_republish_options[] = {
    { "topic", OPT_TEMPLATE, offsetof(struct fake_action, main), .required = true, .help = "topic" },
    { "qos", OPT_INT, offsetof(struct fake_action, number), .max = 1, .help = "QoS" },
    { "connection", OPT_TEXT, 0, .ignored = true, .help = "connection" },
    { "roleArn", OPT_TEXT, 0, .ignored = true, .help = "as on AWS" },
};

static const struct opt fake_postgres_action_options[] = {
    { "table", OPT_TEMPLATE, offsetof(struct fake_action, main), .required = true, .help = "table" },
    { "columns", OPT_CONF, offsetof(struct fake_action, columns), .help = "templates by column" },
    { "connection", OPT_TEXT, 0, .ignored = true, .help = "connection" },
};

static const struct opt fake_file_options[] = {
    { "path", OPT_TEMPLATE, offsetof(struct fake_action, main), .required = true, .help = "path" },
    { "rotateBytes", OPT_SIZE, offsetof(struct fake_action, number), .help = "size of a file" },
};

static int fake_add(struct fake_action *a, struct act_host *host, const struct conf *scalar, struct errs *errs)
{
    int index = host->template_add(host, scalar, errs);
    if (index >= 0 && index != a->texts++)
        abort(); /* indexes count from 0 within the action */
    return index;
}

static int fake_columns(struct fake_action *a, struct act_host *host, struct errs *errs)
{
    int rc = 0;
    for (size_t i = 0; a->columns && i < a->columns->count; i++) {
        if (fake_add(a, host, a->columns->items[i], errs) < 0)
            rc = -1;
    }
    return rc;
}

static void *fake_action_new(const struct opt *options, size_t count, const char *what, const struct conf *conf,
                             struct act_host *host, struct errs *errs)
{
    struct fake_action *a = calloc(1, sizeof(*a));
    int rc = opt_read(options, count, conf, what, conf->at, a, errs);
    int index = a->main ? fake_add(a, host, a->main, errs) : 0;
    if (index < 0 || fake_columns(a, host, errs) < 0)
        rc = -1;
    struct err e = { 0 };
    if (rc == 0 && strcmp(what, "republish") == 0 && host->template_is_constant(host, index) &&
        topic_check(a->main->text, a->main->len, &e) < 0) {
        e.at = a->main->at;
        errs_take(errs, &e);
        rc = -1;
    }
    if (rc < 0) {
        free(a);
        return NULL;
    }
    fake_actions++;
    return a;
}

static void *fake_republish_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    return fake_action_new(fake_republish_options, 4, "republish", conf, host, errs);
}

static void *fake_postgres_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    return fake_action_new(fake_postgres_action_options, 3, "postgres", conf, host, errs);
}

static void *fake_file_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    return fake_action_new(fake_file_options, 2, "file", conf, host, errs);
}

static void *fake_stdout_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    return fake_action_new(NULL, 0, "stdout", conf, host, errs);
}

static void fake_action_close(void *action)
{
    free(action);
    fake_actions--;
}

static const struct action_type fake_file = {
    .name = "file",
    .connection = ACT_CONNECTION_NONE,
    .options = fake_file_options,
    .option_count = 2,
    .target_open = fake_plain_open,
    .target_close = fake_target_close,
    .action_open = fake_file_open,
    .action_close = fake_action_close,
};

static const struct action_type fake_postgres = {
    .name = "postgres",
    .connection = ACT_CONNECTION_REQUIRED,
    .connection_kind = "postgres",
    .connection_alias = "destinationArn",
    .target_options = fake_postgres_options,
    .target_option_count = 1,
    .options = fake_postgres_action_options,
    .option_count = 3,
    .target_open = fake_postgres_open,
    .target_close = fake_target_close,
    .action_open = fake_postgres_action_open,
    .action_close = fake_action_close,
};

static const struct action_type fake_republish = {
    .name = "republish",
    .connection = ACT_CONNECTION_DEFAULT,
    .connection_kind = "mqtt",
    .target_options = fake_mqtt_options,
    .target_option_count = 4,
    .options = fake_republish_options,
    .option_count = 4,
    .target_open = fake_mqtt_open,
    .target_close = fake_target_close,
    .action_open = fake_republish_open,
    .action_close = fake_action_close,
};

static const struct action_type fake_stdout = {
    .name = "stdout",
    .connection = ACT_CONNECTION_NONE,
    .target_open = fake_plain_open,
    .target_close = fake_target_close,
    .action_open = fake_stdout_open,
    .action_close = fake_action_close,
};

static const struct action_type *const fake_types[] = { &fake_file, &fake_postgres, &fake_republish, &fake_stdout,
                                                        NULL };
static const struct act_env fake_env = { .clock = &clock_system, .client_name = "test" };

#endif
