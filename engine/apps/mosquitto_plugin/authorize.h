/* SPDX-License-Identifier: Apache-2.0 */
/* May this client? Asks the policy set in force and says what to answer the broker. A fault denies.
 *
 * Views of clients are made when they first ask, kept with them, and made anew after a change of policies. The broker's thread alone
 * uses this. */
#ifndef SLUICE_PLUGIN_AUTHORIZE_H
#define SLUICE_PLUGIN_AUTHORIZE_H

#include "engine/apps/mosquitto_plugin/clients.h"
#include "engine/devices/policy_set.h"

#include <stdbool.h>

/* Called for what is refused, or, is_audit, would be. */
typedef void authorize_tell(void *ctx, const struct subject *who, const char *action, const char *name,
                            const char *reason, bool is_audit);

struct authorizer {
    struct policy_set *set; /* in force; NULL: no policies, everything is allowed but AUTHORIZE_RESERVED. Owned */
    bool is_audit;          /* let pass, and tell what would be refused */
    authorize_tell *tell;
    void *ctx;
};

#define AUTHORIZE_RESERVED                                                                                             \
    "$aws/events/" /* only the broker's side and trusted clients publish there, whatever the policies say */

/* Put another set in force; takes it. Stale views are dropped when their clients ask next, or by authorize_drop_stale. */
void authorize_set(struct authorizer *a, struct policy_set *set);
void authorize_clear(struct authorizer *a);
/* Let go of a view that is of another set than the one in force. */
void authorize_drop_stale(const struct authorizer *a, struct client *c);

/* May a client that is about to connect? who is not in the table yet. */
bool authorize_connect(struct authorizer *a, const struct subject *who);
/* May a connected client? is_retained: of a publish. */
bool authorize_publish(struct authorizer *a, struct client *c, const char *topic, bool is_retained);
bool authorize_subscribe(struct authorizer *a, struct client *c, const char *filter);
bool authorize_receive(struct authorizer *a, struct client *c, const char *topic);
/* May the will of someone who has left be published? who NULL: not known, so no. */
bool authorize_will(struct authorizer *a, const struct subject *who, const char *topic, bool is_retained);

#endif
