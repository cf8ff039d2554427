/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a message with all that it points to into one stretch of memory:
 *
 *     user properties | bytes of topic, payload, properties, identity */
#ifndef SLUICE_FLOW_MESSAGE_COPY_H
#define SLUICE_FLOW_MESSAGE_COPY_H

#include "sluice/message.h"

#include <stddef.h>

/* Bytes that the copy needs besides struct message. */
size_t message_copy_size(const struct message *m);
/* Copy m to `to`, all that it points to into `room`: message_copy_size(m) bytes, aligned as struct user_property is.
 * What is absent stays NULL, but topic and payload are never NULL. */
void message_copy(struct message *to, const struct message *m, void *room);

#endif
