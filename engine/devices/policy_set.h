/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, what they are attached to, and things, from files: what a broker or a listener enforces until a registry says it.
 *
 *     # policies/lamps.yaml
 *     policies:
 *       - policyName: lamp
 *         policyDocument:                     # or a literal block of JSON, as `aws iot get-policy` prints it
 *           Version: "2012-10-17"
 *           Statement:
 *             - { Effect: Allow, Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}" }
 *         attachedTo:
 *           - principal: 5f1c…                # SHA-256 fingerprint of a client certificate
 *           - userName: anna
 *           - clientId: "lamp-*"              # `*` and `?` as in policies
 *     things:
 *       - { thingName: lamp1, thingTypeName: lamp, attributes: { site: north }, principals: [5f1c…] }
 *     trustedClients:                         # the engine itself: may receive everything and publish as the engine
 *       - { clientId: sluice-1, principal: 77aa… }
 *
 * A set is immutable and counted. Loading reads files and belongs to a thread that may wait; all else may be called anywhere. */
#ifndef SLUICE_DEVICES_POLICY_SET_H
#define SLUICE_DEVICES_POLICY_SET_H

#include "engine/devices/policy.h"

struct policy_set;

struct policy_scope { /* of the ARNs that resources are checked as; NULL members: "us-east-1", "000000000000" */
    const char *region, *account_id;
};

/* paths: files, and folders of which every .yaml, .yml and .json counts, in order of name. Returns owned (policy_set_unref), or NULL
 * after adding to errs; warnings do not stop it. */
struct policy_set *policy_set_load(const char *const *paths, size_t count, const struct policy_scope *scope,
                                   struct errs *errs) MUST_CHECK;
struct policy_set *policy_set_ref(struct policy_set *s);
void policy_set_unref(struct policy_set *s);

/* Who asks. Borrowed during policy_view_new. */
struct policy_subject {
    struct policy_text client_id, principal, user_name,
        source_ip;                          /* principal: a certificate's fingerprint, else the user name */
    const struct policy_value *certificate; /* as in struct policy_context */
    size_t certificate_count;
    struct policy_text attached_thing; /* a thing that it counts as attached to, whatever the files say; p NULL: none */
};

/* What a set says of one client: the policies that apply and the values of its variables, found once for a connection. Holds a
 * reference to the set. Returns owned, or NULL when memory is short. A view is used by one thread at a time. */
struct policy_view;
struct policy_view *policy_view_new(struct policy_set *s, const struct policy_subject *who) MUST_CHECK;
/* The same client under another set. Returns owned, or NULL when memory is short; v stays. */
struct policy_view *policy_view_again(const struct policy_view *v, struct policy_set *s) MUST_CHECK;
void policy_view_free(struct policy_view *v);
struct policy_text policy_view_client(const struct policy_view *v); /* its client id */
/* One of trustedClients: both client id and principal agree. */
bool policy_view_is_trusted(const struct policy_view *v);

enum policy_action { POLICY_CONNECT, POLICY_PUBLISH, POLICY_RETAIN_PUBLISH, POLICY_SUBSCRIBE, POLICY_RECEIVE };
const char *policy_action_name(enum policy_action action); /* "iot:Connect" */

/* name: the client id to connect with, the topic, or the topic filter; the ARN is made of it. Does not allocate; a name beyond 64 KiB
 * is denied. */
struct policy_verdict policy_view_decide(struct policy_view *v, enum policy_action action, struct policy_text name);
/* The same for any action of AWS ("iot:Publish") and a resource: an ARN, or what stands behind its account, "topic/a/b". */
struct policy_verdict policy_view_decide_resource(struct policy_view *v, const char *action,
                                                  struct policy_text resource);

#endif
