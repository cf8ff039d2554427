/* SPDX-License-Identifier: Apache-2.0 */
/* The section `admin` of sluice.yaml, and the HTTP interface that it asks for.
 *
 *     admin: { listen: "127.0.0.1:8080", passwordFile: users, token: "${env:ADMIN_TOKEN}" } */
#ifndef SLUICE_ADMIN_ADMIN_H
#define SLUICE_ADMIN_ADMIN_H

#include "engine/base/buf.h"
#include "engine/base/conf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct authorizer;

/* Does the user's password fit? May take its time. Thread: one of the interface's. */
typedef bool admin_password_fits(void *ctx, const char *name, size_t name_len, const char *password,
                                 size_t password_len);

/* Whom the interface asks; all borrowed until it is stopped. */
struct admin_env {
    struct authorizer *authorizer; /* NULL: no policies are configured */
    admin_password_fits *fits;     /* NULL: nobody checks passwords */
    void *fits_ctx;
};

struct admin;

/* Read and check the section; listens to nothing yet. Returns owned, or NULL after adding to errs. */
struct admin *admin_open(const struct conf *section, struct errs *errs) MUST_CHECK;
void admin_close(struct admin *a);
/* The password file that it names, or NULL. */
const char *admin_password_file(const struct admin *a);

/* Listen and answer from here on. env is copied. Thread: control. */
int admin_start(struct admin *a, const struct admin_env *env, struct err *e) MUST_CHECK;
/* /health says from here on that the service is ending; all else is answered as before. NULL is allowed. Thread: control. */
void admin_drain(struct admin *a);
void admin_stop(struct admin *a); /* NULL is allowed, and one that was not started */

/* One line per option. */
void admin_help(struct buf *out);

#endif
