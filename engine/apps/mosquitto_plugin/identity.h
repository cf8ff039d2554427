/* SPDX-License-Identifier: Apache-2.0 */
/* Who published, into every message: takes away what a client sent under the property's name, and adds a sealed one
 * (engine/mqtt/identity_seal.h). No system call and, once warm, no allocation of its own for a message. */
#ifndef SLUICE_PLUGIN_IDENTITY_H
#define SLUICE_PLUGIN_IDENTITY_H

#include "engine/apps/mosquitto_plugin/subject.h"
#include "engine/mqtt/identity_seal.h"

#include <stdint.h>

struct identity_port {
    /* The properties of the message at hand. -1: not enough memory. */
    int (*remove)(void *properties, const char *name);
    int (*add)(void *properties, const char *name, const char *value);
};

struct identity_stamp;

/* Reads the key file. Errors say how to make one. seed: of trace ids. *is_open_to_all: everybody on the machine may read the file. Returns owned. */
struct identity_stamp *identity_stamp_new(const char *key_file, const struct identity_port *port, uint64_t seed,
                                          bool *is_open_to_all, struct err *e) MUST_CHECK;
void identity_stamp_free(struct identity_stamp *s);

/* Stamp one message. A message that cannot be sealed goes without a seal and is counted. -1: what the client sent under the name could
 * not be taken away; the message must not pass. */
int identity_stamp_message(struct identity_stamp *s, void *properties, const struct subject *who,
                           const struct identity_bound *b) MUST_CHECK;
/* Messages that went without a seal since the last call. */
uint64_t identity_stamp_take_unsealed(struct identity_stamp *s);

#endif
