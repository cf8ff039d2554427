/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: who answers what functions of rules ask the outside world. Servers with AWS's APIs, and files.
 *
 *     lookups:                                     # of sluice.yaml
 *       region: eu-west-1
 *       lambda:          { endpoint: "http://127.0.0.1:9001" }
 *       dynamodb:        { endpoint: "http://127.0.0.1:8000" }
 *       secretsmanager:  { endpoint: "http://127.0.0.1:4566", keepFor: 15m }
 *       machinelearning: { endpoint: "http://127.0.0.1:9002" }
 *       descriptors: protos/                       # decode(…, 'proto', …)
 *       documents: things/                         # shadows and registry, until the device services have them
 *
 * Threads of its own send the requests, one for each service; asking never blocks. Threads: lookups_open to lookups_close control, in that
 * order; the port's ask any. */
#ifndef SLUICE_LOOKUPS_LOOKUPS_H
#define SLUICE_LOOKUPS_LOOKUPS_H

#include "engine/base/clock.h"
#include "engine/base/conf.h"
#include "sluice/lookup.h"

#include <stdbool.h>

struct lookups;

/* Read the section (NULL: it is not there, so nothing can be asked). Connects to nothing. NULL after adding to errs. Owned;
 * conf and clock are borrowed until the end. */
struct lookups *lookups_open(const struct conf *conf, const struct clock *clock, struct errs *errs);
/* Start answering. What is asked before waits. */
int lookups_start(struct lookups *l, struct err *e) MUST_CHECK;
struct lookup_port *lookups_port(struct lookups *l);
/* Stop the thread and free. What is still pending fails: done is called for each, before this returns. */
void lookups_close(struct lookups *l);

/* Is it configured who answers this function? If not, the option that would do it. `function`: of lookup.h, lower case. */
bool lookups_can(const struct lookups *l, const char *function, const char **option);

/* One line per option, for --help and docs. */
void lookups_help(struct buf *out);

#endif
