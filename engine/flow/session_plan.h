/* SPDX-License-Identifier: Apache-2.0 */
/* Session plan: what the session at a broker holds, what it is to hold, and so what to ask for. Pure; the source does the asking, and
 * keeps `held` in the store.
 *
 *     load what was kept ─► session_plan_begin(present?) ─► session_plan_aim(target) ─► keep `held` (ASKED is in it)
 *       ─► SUBSCRIBE missing ─► UNSUBSCRIBE stale ─► session_plan_settle ─► keep `held`
 *
 * What is asked for is written before it is asked: after a crash in between, the next process finds it ASKED, subscribes again if it
 * wants it, and unsubscribes it if not.
 *
 * A rule's filter has an identifier of its own text (engine/flow/filters.h). Within a session one that stood for another filter is
 * never used again: a message under way could carry it. Then the filter gets the next free one on the wire, and
 * session_plan_translate gives back the rule's.
 *
 * Thread: the owner's. */
#ifndef SLUICE_FLOW_SESSION_PLAN_H
#define SLUICE_FLOW_SESSION_PLAN_H

#include "engine/base/err.h"
#include "engine/flow/subscriptions.h"
#include "sluice/session_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct planned {
    char *filter; /* as it is sent */
    uint32_t id;  /* on the wire; 0: none */
    uint32_t rule_id;
    uint8_t qos;
    enum session_filter_state state;
    bool wanted;
    bool asked_now; /* SUBSCRIBE or UNSUBSCRIBE is to be sent */
};

/* Zero-initialised is empty. */
struct session_plan {
    struct planned *list;
    size_t count, cap;
    bool translates; /* some identifier on the wire is not the rule's */
};

void session_plan_clear(struct session_plan *p);
/* Take over one entry that was kept. -1: memory. */
int session_plan_add(struct session_plan *p, const struct session_filter *kept, struct err *e) MUST_CHECK;
/* A connection stands; present: the broker has kept the session. Otherwise all is forgotten. */
void session_plan_begin(struct session_plan *p, bool present);
/* What the session is to hold. prefix: "$share/GROUP/" or "". qos: to ask for. Sets asked_now and state of every entry. -1: memory. */
int session_plan_aim(struct session_plan *p, const struct subscriptions *target, const char *prefix, uint8_t qos,
                     struct err *e) MUST_CHECK;
/* The answers to what was asked_now. */
void session_plan_granted(struct planned *entry);
void session_plan_refused(struct planned *entry);
void session_plan_dropped(struct planned *entry);

/* What is to be kept. out has room for p->count. */
void session_plan_kept(const struct session_plan *p, struct session_filter *out);
/* Replace identifiers of the wire by the rules', in place. */
void session_plan_translate(const struct session_plan *p, uint32_t *ids, size_t count);
size_t session_plan_wanted(const struct session_plan *p);

#endif
