/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of kind http, or what stands in for it: how to reach servers and who we are to them. */
#ifndef SLUICE_ACTIONS_HTTP_TARGET_H
#define SLUICE_ACTIONS_HTTP_TARGET_H

#include "engine/base/opt.h"
#include "engine/http/aws_credentials.h"
#include "engine/http/http_auth.h"
#include "engine/http/http_field.h"
#include "engine/http/http_link.h"
#include "sluice/action.h"

#include <stddef.h>

struct http_target {
    struct http_settings settings;
    char *url;               /* NULL: rules give whole ones; else without a "/" at its end */
    const char *secret_path; /* the url's path if it may be a secret: points into url; NULL: none */
    const struct conf *auth_conf, *credentials_conf, *fields_conf;
    struct http_auth auth;
    struct aws_source aws;
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
};

#define HTTP_TARGET_OPTION_COUNT 15
extern const struct opt http_target_options[HTTP_TARGET_OPTION_COUNT];

/* As target_open and target_close of the port. */
void *http_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs);
void http_target_close(void *target);

/* Does the connection send a header of this name with every request? */
bool http_target_has_field(const struct http_target *t, const char *name);

#endif
