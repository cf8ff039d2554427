/* SPDX-License-Identifier: Apache-2.0 */
/* How long an mqtt source waits between connections to its broker, and what it says of them. A good connection is made again at once. After
 * one that failed or was short the waits grow (retry.h), since whoever ended it may do it again: another client with our client id,
 * say. Owned by the source's thread, which does the waiting. */
#ifndef SLUICE_FLOW_RECONNECT_H
#define SLUICE_FLOW_RECONNECT_H

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/base/random.h"
#include "engine/flow/notice.h"
#include "engine/mqtt/mqtt_conf.h"

#include <stdbool.h>
#include <stdint.h>

#define RECONNECT_STEADY_MS 10000u /* a connection that lasted this long was a good one */

struct reconnect {
    const struct mqtt_conf *conf;
    const struct clock *clock;
    unsigned failures; /* of connections, in a row */
    uint64_t made_ms;  /* the last connection */
    struct random random;
    struct notice unreachable;
};

/* conf and clock are borrowed; seed: of the waits' jitter. */
void reconnect_init(struct reconnect *r, const struct mqtt_conf *conf, const struct clock *clock, uint64_t seed);

/* A connection is there; resumed: with its session. */
void reconnect_made(struct reconnect *r, bool resumed);
/* It could not be made, or not be used. Said at growing intervals; quiet: not at all. Returns for how many milliseconds to wait. */
uint64_t reconnect_failed(struct reconnect *r, const struct err *why, bool quiet);
/* It has ended. Returns for how many milliseconds to wait, 0: not at all. */
uint64_t reconnect_lost(struct reconnect *r, const char *why);

#endif
