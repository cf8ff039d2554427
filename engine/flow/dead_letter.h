/* SPDX-License-Identifier: Apache-2.0 */
/* Dead-letter store: where a message goes that an action rejected and no error action took. It is the `file` action
 * with {path, sync: batch} and an outbox of its own, so it never waits behind a rule's deliveries. It answers only
 * DONE or LATER: when its disk is full, the messages stay unsettled. */
#ifndef SLUICE_FLOW_DEAD_LETTER_H
#define SLUICE_FLOW_DEAD_LETTER_H

#include "engine/base/err.h"
#include "engine/flow/delivery.h"
#include "engine/flow/outbox.h"
#include "engine/flow/target.h"

struct dead_letter;

/* Open the `file` action of the types table on this path. conf.never_rejects is set here. NULL after adding to errs.
 * Thread: control. */
struct dead_letter *dead_letter_open(const char *path, const struct targets *targets, const struct outbox_conf *conf,
                                     struct errs *errs) MUST_CHECK;
void dead_letter_close(struct dead_letter *dl); /* after its outbox was joined */

struct outbox *dead_letter_outbox(const struct dead_letter *dl);
/* Address a delivery to the store (item.action and item.texts, which stay valid as long as the store). Thread: any. */
void dead_letter_address(const struct dead_letter *dl, struct delivery *d);

#endif
