/* SPDX-License-Identifier: Apache-2.0 */
/* When a reader of a socket had better sleep a little before it looks again.
 *
 * A broker that writes one small packet at a time (Mosquitto does) wakes us for each, and by us a worker, an outbox, and us again for the
 * acknowledgement: some 50 µs of CPU a message, nearly all of it for waking up. So when wakes come several a millisecond and
 * bring little, we look only once in a nap of one to four milliseconds, for as long as that brings several messages. A nap grows
 * while that brings more: a broker whose window is full gives nothing more while we sleep. docs/decisions/0012.
 *
 * Pure: the caller has the clock, and sleeps. Zero-initialised is awake. */
#ifndef SLUICE_MQTT_PACE_H
#define SLUICE_MQTT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_NAP_MS    1u
#define PACE_DOUBLINGS 2u  /* of a nap, at most */
#define PACE_WAKES     3u  /* in a millisecond: begin */
#define PACE_ENOUGH    64u /* messages at once: no need to wait for more */
#define PACE_FEW       3u  /* fewer than that, PACE_POOR times in a row: end */
#define PACE_POOR      8u
#define PACE_TRIED     8u    /* naps of one length are compared with as many of half the length */
#define PACE_TRY_MS    1000u /* this often another length is tried, but for the first rise */

struct pace {
    uint64_t tick_ms; /* the millisecond in which `wakes` were counted */
    unsigned wakes;
    unsigned poor;                           /* how many more poor naps there may be; 0: awake */
    bool napped;                             /* the last time */
    unsigned doublings;                      /* a nap is PACE_NAP_MS << doublings */
    unsigned tried, brought, brought_before; /* naps of this length, their messages; those of half the length, or 0 */
    uint64_t next_try_ms;                    /* of another length */
};

/* The reader was woken, and took so many messages since the last call. How many milliseconds to sleep before waiting for more; 0: none. */
unsigned pace_nap_ms(struct pace *p, uint64_t now_ms, unsigned taken);

#endif
