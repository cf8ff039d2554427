/* SPDX-License-Identifier: Apache-2.0 */
/* The service's policies: loaded at start, exchanged while it runs, asked by the listener and by brokers over HTTP through the authorizer's port. */
#ifndef SLUICE_APP_POLICIES_H
#define SLUICE_APP_POLICIES_H

#include "engine/base/err.h"
#include "engine/devices/policy_set.h"
#include "engine/flow/service_conf.h"
#include "sluice/authorizer.h"

#include <stdbool.h>

struct policies;

/* Load what the configuration names. Returns owned, or NULL after adding to errs. Thread: control. */
struct policies *policies_open(const struct service_conf *conf, struct errs *errs) MUST_CHECK;
void policies_close(struct policies *p); /* after all that asked */
/* Load anew; with errors the ones before go on. False: errors. Thread: control. */
bool policies_reload(struct policies *p, const struct service_conf *conf, struct errs *errs);

/* Their port; borrowed. */
struct authorizer *policies_authorizer(struct policies *p);

#endif
