/* SPDX-License-Identifier: Apache-2.0 */
/* The time zones of the system by name ("Europe/Paris"), read once from the TZif files of a folder.
 *
 * All of them are read together, about 600 names in a few milliseconds. Afterwards the table is immutable: look-ups take no
 * lock, no heap memory and touch no file, whatever text a message gives as a zone. */
#ifndef SLUICE_BASE_TZ_H
#define SLUICE_BASE_TZ_H

#include "engine/base/tzif.h"

#define TZ_FOLDER       "/usr/share/zoneinfo" /* package tzdata */
#define TZ_NAME_MAX     63
#define TZ_ZONES_MAX    4096
#define TZ_FOLDER_DEPTH 4
#define TZ_MEMORY_BYTES ((size_t)16 << 20)

struct tz_zones;

/* Read the zones of a folder and those below it. What is no TZif file, or has a name that no zone has, is passed over; so is a
 * folder that cannot be read: the table then holds UTC alone. Owned; NULL: memory. */
struct tz_zones *tz_zones_load(const char *folder) MUST_CHECK;
void tz_zones_free(struct tz_zones *zones);

/* The zones of TZ_FOLDER, read by the first call; later ones cost an atomic load. Never freed, so a newer tzdata counts from
 * the next start on. NULL: memory. Thread: any. */
const struct tz_zones *tz_zones_system(void);

struct tz_named {
    const char *name;
    const struct tz_zone *zone;
};
/* In the order of their names. */
const struct tz_named *tz_zones_all(const struct tz_zones *zones, size_t *count);

/* By its exact name, or NULL. */
const struct tz_named *tz_zones_find(const struct tz_zones *zones, const char *name, size_t len);
/* The longest name with which the text begins, or NULL. */
const struct tz_named *tz_zones_longest(const struct tz_zones *zones, const char *text, size_t len);

/* A name may be that of a zone: letters, digits, "_", "-", "+" and single "/" between parts, a letter in front. So it is no
 * absolute path and has no "..". */
bool tz_name_is_valid(const char *name, size_t len);

#endif
