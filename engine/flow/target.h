/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: the connections of sluice.yaml by name, and the implicit target of each action type that needs none.
 * Opened once at start, shared by all rulesets; each gets one outbox when the flow starts. A kind of connection
 * belongs to one action type. */
#ifndef SLUICE_FLOW_TARGET_H
#define SLUICE_FLOW_TARGET_H

#include "engine/base/conf.h"
#include "sluice/action.h"

struct outbox;

struct target {
    char *name; /* of the connection; of an implicit one what the type calls it (a host), else the type's name */
    const struct action_type *type;
    void *handle;          /* from target_open; NULL: its configuration is wrong, which was reported */
    bool implicit;         /* not a connection of sluice.yaml */
    struct outbox *outbox; /* set by the flow at start; NULL before */
    bool used;             /* some rule's action goes there: only such get an outbox */
};

struct targets {
    const struct action_type *const *types; /* NULL-terminated */
    const struct act_env *env;
    struct target **items;
    size_t count, cap;
    const struct conf *connections; /* map of sluice.yaml, or NULL; borrowed */
    const struct conf
        *default_mqtt; /* options map for ACT_CONNECTION_DEFAULT (the first mqtt source's), or NULL; borrowed */
};

void targets_init(struct targets *t, const struct action_type *const *types, const struct act_env *env);
void targets_clear(struct targets *t);
/* Open every connection of the map `name: { kind: { options } }`. Errors at their places. */
int targets_open(struct targets *t, const struct conf *connections, const struct conf *default_mqtt, struct errs *errs);
const struct action_type *targets_type(const struct targets *t, const char *name); /* by action name; NULL: unknown */
/* The target of an action: by its `connection` member, the default, or the implicit one (opened at first use). NULL
 * after adding to errs (unknown name: nearest one in the hint; missing; wrong kind); without a word if the target's
 * own configuration is wrong. */
struct target *targets_for(struct targets *t, const struct action_type *type, const struct conf *action,
                           struct errs *errs);

#endif
