/* SPDX-License-Identifier: Apache-2.0 */
/* TZif files: whatever is accepted answers for any instant and any local time, with an offset and a name in bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/tzif.h"

#define ARENA_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_type(const struct tz_type *type)
{
    require(type && type->offset_s >= -TZ_OFFSET_MAX && type->offset_s <= TZ_OFFSET_MAX);
    require(memchr(type->abbreviation, '\0', sizeof(type->abbreviation)) != NULL);
}

static void check_at(const struct tz_zone *zone, int64_t at_s)
{
    check_type(tz_zone_at(zone, at_s));
    check_type(tz_zone_at_local(zone, at_s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct tz_zone zone;
    arena_init(&a, ARENA_BYTES);
    if (tzif_parse(&zone, data, size, &a)) {
        for (uint32_t i = 0; i < zone.count; i++) {
            for (int64_t near = -1; near <= 1; near++)
                check_at(&zone, zone.at_s[i] / 1024 + near);
            check_at(&zone, zone.at_s[i] / 16);
        }
        for (int64_t at_s = -(INT64_C(1) << 54); at_s < INT64_C(1) << 54; at_s += (INT64_C(1) << 48) + 12345)
            check_at(&zone, at_s);
    }
    arena_clear(&a);
    return 0;
}
