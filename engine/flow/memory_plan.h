/* SPDX-License-Identifier: Apache-2.0 */
/* memory.limit divided over everything that grows with traffic. Arithmetic alone.
 *
 *     | part        | share | who keeps to it                                                                        |
 *     | program     |  1/4  | code, libraries, rules, counters, stacks, what the allocator has not given back        |
 *     | sources     |  1/8  | each source an equal part: what was read and is not handed over (source_env.memory)    |
 *     | messages    |  1/8  | the gate: messages between source and final                                            |
 *     | results     |  3/8  | pressure at half of it: outputs and parameters; the other half: their copies in batches |
 *     | evaluations |  1/8  | each worker an equal part: an evaluation that needs more fails                         |
 *
 * Beyond its part a worker may go by the results of the one message that it has begun. */
#ifndef SLUICE_FLOW_MEMORY_PLAN_H
#define SLUICE_FLOW_MEMORY_PLAN_H

#include "engine/base/conf.h"
#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define MEMORY_LIMIT_MIN ((uint64_t)64 << 20)

/* All in bytes. */
struct memory_plan {
    size_t limit;
    size_t source;     /* of one source */
    size_t messages;   /* in flight, all together */
    size_t results;    /* all together: from here on no message is begun */
    size_t evaluation; /* one at a time in each worker */
    size_t kept;       /* free buffers of one worker, a part of the results' */
};

/* limit: from MEMORY_LIMIT_MIN on; workers, sources: 0 counts as 1. */
struct memory_plan memory_plan_make(uint64_t limit, size_t workers, size_t sources);

/* An option of a source makes it hold up to `need` bytes: an error at the option (of map), with the arithmetic, if that is more
 * than the part of a source. part 0: nothing is divided. */
void memory_part_check(size_t part, uint64_t need, const char *option, const struct conf *map, struct errs *errs);

#endif
