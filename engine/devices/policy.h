/* SPDX-License-Identifier: Apache-2.0 */
/* AWS IoT policies: may this client do this to that resource?
 *
 * A document is compiled once; deciding neither allocates, waits nor fails, so it can stand in a broker's callback. Language: the
 * documents of AWS IoT Core ("AWS IoT Core policies" in its Developer Guide): Effect, Action, Resource and Condition; `*` and `?` are
 * the only wildcards, `+` and `#` are ordinary characters; `${…}` variables in documents of version 2012-10-17. A variable
 * without a value stays as text and so matches nothing.
 *
 * Explicit deny comes first, then allow, then implicit deny; the order of policies and statements is of no account. */
#ifndef SLUICE_DEVICES_POLICY_H
#define SLUICE_DEVICES_POLICY_H

#include "engine/base/conf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define POLICY_MAX_BYTES 2048 /* of a document without white space: AWS's published limit; beyond it we warn */

struct policy; /* one document; immutable */

/* Compile a document: a map, or a scalar whose text is the document as JSON (as the API carries it). Returns owned, or NULL after adding
 * to errs: an unknown member, effect, action, operator or variable, a malformed resource, each with its place. name is copied; it
 * is what verdicts and messages call the policy. The policy holds what it needs of document: document may go. */
struct policy *policy_new(const char *name, const struct conf *document, struct errs *errs) MUST_CHECK;
void policy_free(struct policy *p);
const char *policy_name(const struct policy *p);

struct policy_text {
    const char *p; /* NULL: no value */
    size_t len;
};

/* The text of a string that ends in NUL, borrowed; NULL: no value. */
static inline struct policy_text policy_text_of(const char *s)
{
    return (struct policy_text) { .p = s, .len = s ? strlen(s) : 0 };
}

/* One value of a variable; of several values of one name the order counts. */
struct policy_value {
    struct policy_text name, value;
};

/* What is known of the client. All borrowed during a decision. */
struct policy_context {
    struct policy_text client_id, source_ip;
    struct policy_text thing_name,
        thing_type; /* of the thing that is named like the client and attached to its principal; else NULL */
    const struct policy_value *attributes; /* of that thing */
    size_t attribute_count;
    bool is_attached;                       /* iot:Connection.Thing.IsAttached */
    const struct policy_value *certificate; /* names without "iot:Certificate.": "Subject.CommonName", "SerialNumber" */
    size_t certificate_count;
};

enum policy_decision { POLICY_IMPLICIT_DENY, POLICY_ALLOWED, POLICY_EXPLICIT_DENY };

struct policy_verdict {
    enum policy_decision decision;
    const struct policy *policy; /* whose statement decided; NULL: implicit deny */
    const char *sid;             /* of that statement; NULL: it has none */
    struct span at;              /* that statement in its file; borrowed from the policy */
};

/* action is an AWS name ("iot:Publish"), resource a whole ARN. A shared subscription, `…:topicfilter/$share/GROUP/FILTER`, is allowed as a
 * whole or as the bare FILTER, and a deny of either denies. Work is bounded by the documents' size times the resource's length.
 * Thread: any. */
struct policy_verdict policy_decide(const struct policy *const *policies, size_t count, const struct policy_context *c,
                                    const char *action, struct policy_text resource);
/* Is it an action that a policy can decide? Case does not count. near (may be NULL) gets the nearest one, or NULL. */
bool policy_action_is_known(const char *action, const char **near);
/* "ALLOWED", "EXPLICIT_DENY", "IMPLICIT_DENY". */
const char *policy_decision_name(enum policy_decision d);

#endif
