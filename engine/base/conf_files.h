/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration that lies in several files of a folder: rules, policies. */
#ifndef SLUICE_BASE_CONF_FILES_H
#define SLUICE_BASE_CONF_FILES_H

#include "engine/base/err.h"

#include <stdbool.h>

/* Does a folder's file of that name count? *.yaml, *.yml, *.json, but not what begins with a dot. */
bool conf_files_has_name(const char *name);

/* Call read(ctx, path, errs) for the file, or for each file of the folder that counts, sorted by name, not of folders in it. read returns -1 after
 * adding to errs, and the next one is read all the same. A folder that has none is warned of; what: "rule files". 0, or -1 if anything failed. */
int conf_files_each(const char *path, const char *what, int (*read)(void *ctx, const char *path, struct errs *errs),
                    void *ctx, struct errs *errs) MUST_CHECK;

#endif
