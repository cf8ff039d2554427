/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules want a source to be subscribed to at its broker, and for which filters the broker ends the connection. For the mqtt sources,
 * which bring the session there, each through its own transport:
 *
 *     wanted_filters_take          new ones of the rules, if there are any
 *     wanted_filters_target        as the broker can take them
 *     wanted_filters_step          so many in one request
 *     wanted_filters_failed        a request failed: the fault of a filter?
 *     wanted_filters_asked         all requests have been answered,
 *     wanted_filters_grant         each of them like this
 *     wanted_filters_applied       the session has them
 *
 * These and what they use belong to the source's thread; any thread may call wanted_filters_set and wanted_filters_are_applied. */
#ifndef SLUICE_FLOW_WANTED_FILTERS_H
#define SLUICE_FLOW_WANTED_FILTERS_H

#include "engine/base/clock.h"
#include "engine/flow/poison.h"
#include "engine/flow/subscriptions.h"
#include "engine/mqtt/mqtt_answer.h"
#include "engine/mqtt/mqtt_conf.h"

#include <pthread.h>

struct wanted_filters {
    const struct mqtt_conf *conf;
    const struct clock *clock;
    pthread_mutex_t lock;
    struct subscriptions fresh; /* under the lock: from the rules, if has_fresh */
    bool has_fresh;
    bool applied;              /* the session has what was set last */
    struct subscriptions list; /* taken */
    struct poison poison;
    bool one_by_one; /* the broker ended the connection when we subscribed: find out for which filter */
};

/* Zero-initialised before; conf and clock are borrowed. */
void wanted_filters_init(struct wanted_filters *f, const struct mqtt_conf *conf, const struct clock *clock);
void wanted_filters_clear(struct wanted_filters *f);

/* As of source_type.set_filters; with conf's Basic Ingest. -1: memory. Any thread. */
int wanted_filters_set(struct wanted_filters *f, const struct source_filter *filters, size_t count,
                       struct err *e) MUST_CHECK;
/* Any thread. */
bool wanted_filters_are_applied(struct wanted_filters *f);

/* Are there any to take, or is one that was left out to be tried again? */
bool wanted_filters_are_due(struct wanted_filters *f, uint64_t now_ms);
/* When the next of those left out is due, after now_ms; else `most`. */
uint64_t wanted_filters_due_ms(const struct wanted_filters *f, uint64_t now_ms, uint64_t most);

void wanted_filters_take(struct wanted_filters *f);
/* Each by itself, or merged where the broker knows no Subscription Identifiers. Owned by the caller; -1: memory. */
int wanted_filters_target(const struct wanted_filters *f, bool takes_ids, struct subscriptions *target,
                          struct err *e) MUST_CHECK;
bool wanted_filters_is_left_out(const struct wanted_filters *f, const char *filter, uint64_t now_ms);
/* Of `count` filters: all, or one if the broker has ended the connection for some. */
size_t wanted_filters_step(const struct wanted_filters *f, size_t count);
/* filter: the first of those that were asked for. */
void wanted_filters_failed(struct wanted_filters *f, const char *filter, bool ended_by_broker);
/* began_ms: when it was found out which are left out. */
void wanted_filters_asked(struct wanted_filters *f, uint64_t began_ms);
/* Says what the broker did not grant. True: subscribed. */
bool wanted_filters_grant(const struct wanted_filters *f, const char *filter, const struct mqtt_answer *answer);
/* The session holds `count` filters now. */
void wanted_filters_applied(struct wanted_filters *f, size_t count);

#endif
