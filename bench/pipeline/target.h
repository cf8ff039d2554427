/* SPDX-License-Identifier: Apache-2.0 */
/* What the rule writes to: one row for each kind (targets.c), one file each. A target knows how a rule of sluice writes there, how one
 * writes there without sluice (the bare producer), and what has arrived. */
#ifndef SLUICE_BENCH_TARGET_H
#define SLUICE_BENCH_TARGET_H

#include "bench/pipeline/tally.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TARGET_BATCH                                                                                                   \
    ((size_t)1000) /* outputs that a bare producer writes at once, where that is possible: as many as sluice at most */

/* Where the services are. Borrowed for the whole bench. */
struct target_env {
    const char *host; /* of the broker */
    uint16_t port;
    const char *tag;     /* of this bench: names of what it makes */
    const char *folder;  /* for files */
    const char *address; /* of this target, as the command line has it; NULL for those that need none */
    unsigned qos;        /* of the round that begins; changes */
};

struct target_type {
    const char *name;
    const char *option; /* of the command line: where it is; NULL: none is needed */

    /* Prepare: connect, make a table or topic. env is borrowed until close. Returns owned, or NULL. */
    void *(*open)(const struct target_env *env, struct err *e);
    void (*close)(void *target); /* takes away what open made */

    /* Before each run: nothing is there, or what is does not count. tally: what will arrive is to be noted there by `arrived`, or while it
     * arrives; NULL: nobody will ask. */
    int (*clear)(void *target, struct tally *tally, struct err *e);
    /* YAML of the service: lines of the map of connections, and the action. */
    void (*configure)(void *target, struct buf *connections, struct buf *action);
    /* The bare producer: write the outputs of messages first to first + count - 1, and return when the target has them all. */
    int (*produce)(void *target, size_t first, size_t count, struct err *e);
    /* Note in the tally of `clear` what has arrived. NULL: only the target's operator could see that. */
    int (*arrived)(void *target, struct err *e);
};

/* All of them, in the order of the report; NULL-terminated. */
extern const struct target_type *const target_types[];

extern const struct target_type target_republish, target_file, target_postgres, target_kafka, target_http;

#endif
