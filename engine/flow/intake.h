/* SPDX-License-Identifier: Apache-2.0 */
/* Intake: the flow's side of a source. Routes each message on the current ruleset, chooses its lane by the ordering
 * key, and hands it to that lane's worker. The source's thread runs all of it and is never blocked. */
#ifndef SLUICE_FLOW_INTAKE_H
#define SLUICE_FLOW_INTAKE_H

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/flow/gate.h"
#include "engine/flow/msg.h"
#include "engine/flow/notice.h"
#include "engine/flow/ruleset.h"
#include "engine/flow/service_conf.h"
#include "engine/flow/stats.h"
#include "engine/flow/worker.h"
#include "sluice/source.h"

#include <pthread.h>
#include <stdbool.h>

/* The ruleset that new messages begin with. */
struct ruleset_slot {
    pthread_mutex_t lock;
    struct ruleset *ruleset; /* counted */
};

void ruleset_slot_init(struct ruleset_slot *slot, struct ruleset *rs); /* takes a reference */
void ruleset_slot_clear(struct ruleset_slot *slot);
/* Takes a reference to the new one and drops the old one's. Thread: control. */
void ruleset_slot_set(struct ruleset_slot *slot, struct ruleset *rs);
struct ruleset *ruleset_slot_get(struct ruleset_slot *slot); /* returns a reference. Thread: any. */

/* What all intakes share; unchanged while sources run. */
struct intake_env {
    const struct clock *clock;
    struct gate *gate;
    struct stats_table *stats;
    struct ruleset_slot *current;
    struct worker **workers;
    size_t worker_count;
    void (*finished)(void *ctx, bool all); /* the source has no more to give. Thread: the source's. */
    void *ctx;
};

/* Unknown rules whose names are told one by one; what comes beyond so many shares one notice. */
#define NOT_FOUND_NAMES 16

struct not_found {
    uint64_t name; /* hash */
    struct notice notice;
};

struct intake {
    struct source_sink sink; /* first: the source gets it back */
    const struct intake_env *env;
    struct msg_origin origin;
    const char *name;
    enum ordering ordering;
    /* of the source's thread */
    struct random random;
    uint32_t *matches; /* room for every rule of the ruleset */
    size_t match_cap;
    uint64_t turn;                                   /* ORDERING_NONE: lanes in turn */
    size_t wanted;                                   /* bytes of the message that found the gate full */
    bool gathering;                                  /* more messages follow at once */
    unsigned gathered;                               /* so many whose lanes were not woken */
    bool starved;                                    /* the last answer was FULL for lack of memory, not of room */
    struct not_found not_found[NOT_FOUND_NAMES + 1]; /* the last one: of all other names */
    size_t not_found_count;
};

void intake_init(struct intake *in, const struct intake_env *env, const struct msg_origin *origin, const char *name,
                 enum ordering ordering);
void intake_clear(struct intake *in);

#endif
