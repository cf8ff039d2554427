/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery: one action of one rule for one message, on its way from a worker through an outbox and back.
 *
 * Made and owned by a worker, which gets it back when its result is final; in between it belongs to exactly one
 * outbox. The outbox reads `place`, `item` and `attempts` and returns it to `home`; the rest is the worker's. */
#ifndef SLUICE_FLOW_DELIVERY_H
#define SLUICE_FLOW_DELIVERY_H

#include "engine/base/buf.h"
#include "engine/flow/park.h"
#include "engine/flow/queue.h"
#include "sluice/action.h"

struct rule_action;
struct run;

enum delivery_role { DELIVERY_ACTION, DELIVERY_ERROR_ACTION, DELIVERY_DEAD_LETTER };

struct delivery {
    struct park_item place; /* in a queue, an outbox, a park, or (returning) a lane; place.key is the ordering key */
    struct act_item item;   /* what the action sees, and its result */
    struct queue *home;     /* of its worker */
    unsigned attempts;      /* sends so far */

    struct run *run;
    const struct rule_action *action; /* NULL: the dead-letter store */
    enum delivery_role role;
    struct delivery *next;  /* of the same run, or of the pool's free ones */
    struct buf text;        /* the rendered templates, one behind the other */
    struct act_text *texts; /* into text; item.texts points here */
    size_t text_cap;
};

static inline struct delivery *delivery_of(struct queue_link *link)
{
    return QUEUE_ITEM(link, struct delivery, place.link);
}

#endif
