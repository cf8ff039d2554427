/* SPDX-License-Identifier: Apache-2.0 */
/* Watching rule files and folders for changes, by inotify(7).
 *
 * Folders are watched, never files: an editor replaces a file by renaming another onto it, and a mounted configuration
 * (a Kubernetes ConfigMap) turns a link named "..data" in the folder. A folder that is gone is looked for again at
 * every take. Not thread-safe. */
#ifndef SLUICE_FLOW_RULE_WATCH_H
#define SLUICE_FLOW_RULE_WATCH_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct rule_watch;

/* Paths of files and folders, copied. In folders the files count whose names `counts` takes (conf_files_has_name, say).
 * A path that does not exist is no error: it may come. NULL: no inotify or no memory. */
struct rule_watch *rule_watch_new(const char *const *paths, size_t count, bool (*counts)(const char *name),
                                  struct err *e) MUST_CHECK;
void rule_watch_free(struct rule_watch *w);

/* Readable when something may have changed. */
int rule_watch_fd(const struct rule_watch *w);
/* Take what has happened so far, without waiting. True if a watched file, or a file that counts in a watched
 * folder, was written, came, or went, or a folder has come. */
bool rule_watch_take(struct rule_watch *w);

#endif
