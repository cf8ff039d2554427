/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as files name them: relative to the folder of the file that holds them. */
#ifndef SLUICE_BASE_PATH_H
#define SLUICE_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The folder of a file: "rules/a.yaml" is in "rules", "a.yaml" in ".", "/a.yaml" in "/". Owned; NULL: memory. */
char *path_folder(const char *file);

/* The path itself if it is absolute or the folder is ".", else the path below
 * the folder. NULL folder: the working directory. Owned; NULL: memory. */
char *path_below(const char *folder, const char *path);

/* Does it end in this text: ".json", "/"? */
bool path_ends_in(const char *path, const char *ending);

#endif
