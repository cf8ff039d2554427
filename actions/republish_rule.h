/* SPDX-License-Identifier: Apache-2.0 */
/* The republish action of one rule: its options, and the message that it makes of an item. */
#ifndef SLUICE_ACTIONS_REPUBLISH_RULE_H
#define SLUICE_ACTIONS_REPUBLISH_RULE_H

#include "engine/base/arena.h"
#include "engine/base/opt.h"
#include "engine/mqtt/mqtt_client.h"
#include "engine/mqtt/mqtt_conf.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPUBLISH_HEADER_COUNT 5

struct republish_user {
    int key, value; /* indexes in act_item.texts */
};

struct republish_rule {
    const struct conf *topic, *headers; /* options; borrowed */
    int64_t qos, max_hops;
    bool retain;

    int topic_text;                           /* index in act_item.texts */
    bool topic_is_escaped;                    /* begins with "$$", which stands for "$" */
    bool topic_is_constant;                   /* the same for every message */
    int header_texts[REPUBLISH_HEADER_COUNT]; /* in the order of the table; -1: absent */
    struct republish_user *users;
    size_t user_count;
};

#define REPUBLISH_OPTION_COUNT 7
extern const struct opt republish_options[REPUBLISH_OPTION_COUNT];

/* Read and check the options; what is constant is checked in full. NULL after adding to errs. */
struct republish_rule *republish_rule_open(const struct mqtt_conf *connection, const struct conf *conf,
                                           struct act_host *host, struct errs *errs);
void republish_rule_free(struct republish_rule *r);

/* The topic as it goes on the wire, not checked. Points into the texts. */
struct mqtt_text republish_rule_topic(const struct republish_rule *r, const struct act_text *texts);

/* Make the message. It points into the item and the arena. -1: cannot be published (ERR_TEMPLATE), or ERR_MEMORY. */
int republish_rule_render(const struct republish_rule *r, const struct act_item *item, struct arena *a,
                          struct mqtt_publication *p, struct err *e) MUST_CHECK;

#endif
