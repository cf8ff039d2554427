/* SPDX-License-Identifier: Apache-2.0 */
/* Who published a message that came from a broker, for the mqtt sources. MQTT does not tell, so it comes from
 *
 *   1. the seal: a user property that the broker's plugin made (engine/mqtt/identity_seal.h), if `identity` names a key;
 *   2. `clientIdFrom`: a level of the topic or a user property. Any client can forge that, and `check` says so.
 *
 * Otherwise nobody knows, and clientid() is `n/a`. The message is evaluated in any case.
 *
 * Owned by the source; source_identity_name runs on its thread. */
#ifndef SLUICE_FLOW_SOURCE_IDENTITY_H
#define SLUICE_FLOW_SOURCE_IDENTITY_H

#include "engine/base/buf.h"
#include "engine/base/conf.h"
#include "engine/base/err.h"
#include "engine/flow/notice.h"
#include "engine/mqtt/mqtt_conf.h"
#include "sluice/source.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct opener;

struct source_identity {
    /* rows of `identity` */
    char *key_file, *previous_key_file;
    /* rows of `clientIdFrom` */
    int64_t topic_level; /* 0: not from the topic */
    char *user_property; /* NULL: not from a property */
    /* made from them */
    struct opener *opener;                       /* NULL: seals are not opened */
    struct span open_to_all[2];                  /* of the key files that everybody may read; empty: none */
    struct buf texts;                            /* of the message that was named last */
    struct notice notices[IDENTITY_STATE_COUNT]; /* per state that is worth a line */
};

/* Read what c->identity and c->client_id_from say, with the key files. Both may be NULL. -1 after adding to errs; clear in
 * either case. Thread: main. */
int source_identity_read(struct source_identity *s, const struct mqtt_conf *c, struct errs *errs) MUST_CHECK;
void source_identity_clear(struct source_identity *s);

/* Warnings: what can be forged, read by others, or is of no use. Thread: main. */
void source_identity_check(const struct source_identity *s, const struct mqtt_conf *c, struct errs *errs);

/* Does a source with these options tell who published? Thread: main. */
bool source_identity_names_clients(const struct conf *options);

/* Fill in who published m, and what its seal said. Once for each message that came, in the order in which they did: a seal opens once.
 * The texts stay until the next call. Takes nothing from the heap once it is warm. broker: for the log. */
void source_identity_name(struct source_identity *s, const struct clock *clock, const char *broker,
                          struct source_message *m);

#endif
