/* SPDX-License-Identifier: Apache-2.0 */
/* AWS credentials, from where AWS's own tools look for them. In order:
 *
 *   1. the option `credentials` of a connection: keys, or a profile or file by name
 *   2. environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   3. shared credentials file: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, profile AWS_PROFILE or "default"
 *
 * Roles (roleArn) and metadata services are not asked. */
#ifndef SLUICE_HTTP_AWS_CREDENTIALS_H
#define SLUICE_HTTP_AWS_CREDENTIALS_H

#include "engine/base/opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the option `credentials` says. */
struct aws_source {
    char *key_id, *secret, *token; /* key_id and secret come together */
    char *file, *profile;
};

struct aws_credentials {
    char *key_id, *secret, *token; /* token NULL: none */
};

#define AWS_SOURCE_OPTION_COUNT 5
extern const struct opt aws_source_options[AWS_SOURCE_OPTION_COUNT];

/* conf: the option's value, a map, or NULL. 0, or -1 after adding to errs. Cleared by aws_source_clear either way. */
int aws_source_read(struct aws_source *s, const struct conf *conf, struct errs *errs) MUST_CHECK;
void aws_source_clear(struct aws_source *s);
/* Are there credentials to be read where the option says so? conf: the option's value or NULL. 0, or -1 after adding to
 * errs. */
int aws_source_check(const struct aws_source *s, const struct conf *conf, struct errs *errs) MUST_CHECK;

/* Look for credentials now. 0 with *found; not found is no error. -1: a file or profile that is named cannot be read.
 * Errors show nothing of a file's contents. */
int aws_credentials_find(const struct aws_source *s, struct aws_credentials *c, bool *found, struct err *e) MUST_CHECK;
void aws_credentials_clear(struct aws_credentials *c); /* wiped */

/* Credentials of a lane, looked for again once a minute: files with temporary ones are renewed by others. */
struct aws_kept {
    struct aws_credentials now;
    bool found;
    uint64_t again_ms;
};

/* now_ms: monotonic. When a look fails, what was there before stays. True: they may have changed. */
bool aws_kept_refresh(struct aws_kept *k, const struct aws_source *s, uint64_t now_ms);

#endif
