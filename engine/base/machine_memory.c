/* SPDX-License-Identifier: Apache-2.0 */
/* A limit holds for all groups below the one that sets it, so each group on the way up to the root is asked:
 *
 *     0::/system.slice/sluice.service     v2: memory.max in each folder of that path
 *     9:memory:/docker/3f2a               v1: memory.limit_in_bytes */
#include "engine/base/machine_memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "max" in v2, and a number near 2^63 in v1, say that there is none. */
static uint64_t read_limit(const char *folder, const char *file)
{
    char path[PATH_MAX];
    uint64_t limit;
    int n = snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *f = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "r") : NULL;
    if (!f)
        return UINT64_MAX;
    if (fscanf(f, "%" SCNu64, &limit) != 1)
        limit = UINT64_MAX;
    fclose(f);
    return limit;
}

static uint64_t least_on_the_way_up(const char *root, const char *group, const char *file)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof(folder), "%s%s", root, group);
    uint64_t least = UINT64_MAX;
    for (size_t len = n > 0 && (size_t)n < sizeof(folder) ? (size_t)n : 0; len >= strlen(root) && len > 0;) {
        uint64_t limit = read_limit(folder, file);
        least = limit < least ? limit : least;
        char *slash = strrchr(folder, '/');
        len = slash ? (size_t)(slash - folder) : 0;
        folder[len] = '\0';
    }
    return least;
}

uint64_t machine_memory_of_groups(const char *groups, const char *v2_root, const char *v1_root)
{
    uint64_t least = UINT64_MAX;
    char line[PATH_MAX];
    FILE *f = fopen(groups, "r");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        uint64_t limit = UINT64_MAX;
        if (controllers[1] == '\0')
            limit = least_on_the_way_up(v2_root, group, "memory.max");
        else if (strcmp(controllers + 1, "memory") == 0)
            limit = least_on_the_way_up(v1_root, group, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    if (f)
        fclose(f);
    return least;
}

uint64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    uint64_t groups = machine_memory_of_groups("/proc/self/cgroup", "/sys/fs/cgroup", "/sys/fs/cgroup/memory");
    return groups < machine ? groups : machine;
}
