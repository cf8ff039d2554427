/* SPDX-License-Identifier: Apache-2.0 */
/* The kafka action of one rule: its options, and the record that it makes of an item. */
#ifndef SLUICE_ACTIONS_KAFKA_RULE_H
#define SLUICE_ACTIONS_KAFKA_RULE_H

#include "actions/kafka_link.h"
#include "actions/kafka_props.h"
#include "engine/base/arena.h"
#include "engine/base/opt.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>

struct kafka_rule_header {
    int key, value; /* indexes in act_item.texts */
};

struct kafka_rule {
    const struct conf *topic, *key, *partition, *headers_conf, *client_conf; /* options; borrowed */
    int topic_text, key_text, partition_text;                                /* in act_item.texts; -1: absent */
    bool place_is_constant; /* topic and partition are the same for every message */
    struct kafka_rule_header *headers;
    size_t header_count;
    struct kafka_props *own_props; /* NULL: those of the connection */
    const struct kafka_props *props;
};

#define KAFKA_OPTION_COUNT 7
extern const struct opt kafka_options[KAFKA_OPTION_COUNT];

/* Read and check the options; what is constant is checked in full. Borrows the connection's properties and the catalog.
 * NULL after adding to errs. */
struct kafka_rule *kafka_rule_open(const struct kafka_catalog *catalog, const struct kafka_props *connection,
                                   const char *client_id, const struct conf *conf, struct act_host *host,
                                   struct errs *errs);
void kafka_rule_free(struct kafka_rule *r);

/* Make the record. It points into the item and the arena. -1: cannot be sent (ERR_TEMPLATE), or ERR_MEMORY. */
int kafka_rule_render(const struct kafka_rule *r, const struct act_item *item, struct arena *a,
                      struct kafka_record *record, struct err *e) MUST_CHECK;

#endif
