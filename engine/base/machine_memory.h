/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory this process may use, as the machine and its control groups have it. */
#ifndef SLUICE_BASE_MACHINE_MEMORY_H
#define SLUICE_BASE_MACHINE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Bytes: the machine's memory, or less if a control group (v2, or v1's memory controller) of this process or one
 * above it sets a limit. Reads files under /proc and /sys. Thread: any. */
uint64_t machine_memory(void);

/* The least limit that control groups under these roots set for the groups that `groups` lists, in the form of
 * /proc/self/cgroup (cgroups(7)); UINT64_MAX: none. The roots are where v2 and v1's memory controller are mounted. */
uint64_t machine_memory_of_groups(const char *groups, const char *v2_root, const char *v1_root);

#endif
