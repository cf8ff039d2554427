/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones out of TZif files (RFC 8536, versions 1 to 3; version 4 reads as 3): the offsets from UTC of a place, from the
 * first transition on record to any year to come. Zones are immutable once read, and may be shared by threads. */
#ifndef SLUICE_BASE_TZIF_H
#define SLUICE_BASE_TZIF_H

#include "engine/base/arena.h"
#include "engine/base/tz_rule.h"

#define TZIF_MAX_BYTES       65536
#define TZIF_MAX_TRANSITIONS 4096

struct tz_zone {
    const int64_t *at_s;    /* transitions, seconds since 1970, ascending */
    const uint8_t *type_of; /* what holds from each on */
    uint32_t count;
    const struct tz_type *types; /* the first also holds before the first transition */
    uint32_t type_count;
    bool has_rule; /* else the last transition's type holds for ever */
    struct tz_rule rule;
};

/* Read a file's bytes; what the zone refers to goes to the arena. False if they are not a TZif file, are cut off or
 * inconsistent, pass a bound, count leap seconds, or if the arena is full. Does not refer to the bytes afterwards. */
bool tzif_parse(struct tz_zone *zone, const void *bytes, size_t len, struct arena *a) MUST_CHECK;

/* What holds at an instant (seconds since 1970; its year within Java's range). Valid as long as the zone. O(log transitions). */
const struct tz_type *tz_zone_at(const struct tz_zone *zone, int64_t utc_s);
/* What to take for a local time (as seconds since 1970 of the local clock). If clocks showed it twice, the earlier; if it was
 * left out, what held before, so that it becomes later by the length of the gap: as Java's ZonedDateTime.ofLocal. */
const struct tz_type *tz_zone_at_local(const struct tz_zone *zone, int64_t local_s);

#endif
