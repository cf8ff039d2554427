/* SPDX-License-Identifier: Apache-2.0 */
/* The http action of one rule: its options, and the request that it makes of items. */
#ifndef SLUICE_ACTIONS_HTTP_RULE_H
#define SLUICE_ACTIONS_HTTP_RULE_H

#include "actions/http_target.h"
#include "engine/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_rule_field {
    const char *name;
    int value; /* index in act_item.texts */
};

struct http_batch {
    int64_t open_ms, size, bytes;
    bool across_topics;
};

struct http_rule {
    const struct conf *url, *confirmation_url, *fields_conf, *auth_conf, *batch_conf; /* options; borrowed */
    int method;
    bool batching;

    const struct http_target *target;
    int url_text; /* index in act_item.texts */
    struct http_rule_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    struct http_auth auth; /* sigv4 or none; overrides the target's */
    struct http_batch batch;
    struct conf topic_conf; /* "${topic()}" */
    int topic_text;         /* -1: batches may mix topics */
};

#define HTTP_RULE_OPTION_COUNT 8
extern const struct opt http_rule_options[HTTP_RULE_OPTION_COUNT];

/* Read and check the options; what is constant is checked in full. NULL after adding to errs. */
struct http_rule *http_rule_open(const struct http_target *target, const struct conf *conf, struct act_host *host,
                                 struct errs *errs);
void http_rule_free(struct http_rule *r);

/* The sigv4 settings that its requests are signed with, or NULL. */
const struct http_auth *http_rule_signs(const struct http_rule *r);
/* Append the whole url. */
void http_rule_put_url(const struct http_rule *r, const struct act_text *texts, struct buf *out);
/* The same for error documents: what may be a secret of the connection's url is "***". */
void http_rule_put_resource(const struct http_rule *r, const struct act_text *texts, struct buf *out);
/* See http_maker. */
bool http_rule_joins(const struct http_rule *r, const struct act_item *first, size_t count, size_t bytes,
                     const struct act_item *item);
/* credentials: for signing. now_ms: since 1970. -1: ERR_TEMPLATE (rejects the items), ERR_MEMORY. */
int http_rule_make(const struct http_rule *r, const struct aws_credentials *credentials, int64_t now_ms,
                   struct act_item *const *items, size_t count, struct arena *a, struct http_request *q,
                   struct err *e) MUST_CHECK;
/* Append "https://host:8443" if no message can change it: such actions have a target for each host. */
void http_rule_put_origin(const struct conf *action, struct buf *out);

#endif
