/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/memory_plan.h"

#include <stdio.h>

struct memory_plan memory_plan_make(uint64_t limit, size_t workers, size_t sources)
{
    size_t total = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX, eighth = total / 8;
    workers = workers ? workers : 1;
    sources = sources ? sources : 1;
    return (struct memory_plan) {
        .limit = total,
        .source = eighth / sources,
        .messages = eighth,
        .results = eighth + eighth / 2,
        .evaluation = eighth / workers,
        .kept = eighth / 4 / workers,
    };
}

/* "12.5 MiB" */
static void put_size(char *out, size_t room, uint64_t bytes)
{
    if (bytes < 1 << 20)
        snprintf(out, room, "%.4g KiB", (double)bytes / (1 << 10));
    else
        snprintf(out, room, "%.4g MiB", (double)bytes / (1 << 20));
}

void memory_part_check(size_t part, uint64_t need, const char *option, const struct conf *map, struct errs *errs)
{
    char needs[32], has[32];
    const struct conf *value = map && map->kind == CONF_MAP ? conf_get(map, option) : NULL;
    if (part == 0 || need <= part)
        return;
    put_size(needs, sizeof(needs), need);
    put_size(has, sizeof(has), part);
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE,
                             value ? value->at
                             : map ? map->at
                                   : (struct span) { 0 },
                             "\"%s\" needs %s, and this source's part of memory.limit is %s", option, needs, has);
    err_hint(e, "Lower \"%s\", or raise memory.limit: the sources share an eighth of it.", option);
}
