/* SPDX-License-Identifier: Apache-2.0 */
/* What the flow does for an action, done by hand: opens a target, actions and a lane, and renders templates. A
 * template here knows only `${name}`, which is the variable of that name that the item was made with. */
#ifndef SLUICE_TESTS_CONTRACT_RIG_H
#define SLUICE_TESTS_CONTRACT_RIG_H

#include "engine/base/conf.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>

#define RIG_TEXTS_MAX 64

struct rig_action {
    struct act_host host; /* first: the action gets its address */
    const struct action_type *type;
    struct conf *conf;
    const struct conf *scalars[RIG_TEXTS_MAX];
    size_t scalar_count;
    void *action;
};

struct rig_var {
    const char *name, *value;
};

struct rig_item {
    struct act_item item; /* first */
    struct act_text texts[RIG_TEXTS_MAX];
    char *rendered[RIG_TEXTS_MAX];
    char *body;
};

struct rig_target {
    const struct action_type *type;
    struct act_env env;
    struct conf *conf;
    void *target;
};

/* yaml NULL: no configuration. clock NULL: the system's. False with errs. */
bool rig_target_open(struct rig_target *t, const struct action_type *type, const char *yaml, const struct clock *clock,
                     struct errs *errs);
void rig_target_close(struct rig_target *t);

bool rig_action_open(struct rig_action *a, const struct rig_target *t, const char *yaml, struct errs *errs);
void rig_action_close(struct rig_action *a);

/* vars: ended by a NULL name. A template that is nothing but `${name}` of an unknown name is null. */
struct rig_item *rig_item_new(const struct rig_action *a, const char *body, size_t len, bool is_json,
                              const struct rig_var *vars);
void rig_item_free(struct rig_item *item);

#endif
