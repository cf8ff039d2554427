/* SPDX-License-Identifier: Apache-2.0 */
/* A file that whole lines are appended to, and that is renamed away when it is large or old enough.
 *
 * One process writes to a file. Functions that can fail return 0 or an errno value, or APPEND_NOT_REGULAR. */
#ifndef SLUICE_ACTIONS_APPEND_FILE_H
#define SLUICE_ACTIONS_APPEND_FILE_H

#include "engine/base/err.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;

#define APPEND_NOT_REGULAR (-1) /* a folder, device, socket or pipe stands at the path */

struct append_policy {
    int64_t rotate_size;   /* bytes after which a file is renamed; 0: never */
    int64_t rotate_age_ms; /* since its first line; 0: never */
    int64_t keep;          /* renamed files that stay: path.1 (newest) to path.<keep> */
    bool sync;             /* what was written survives a power cut before it counts as done */
    bool create_folders;
};

/* Zero-initialised is closed. */
struct append_file {
    char *path; /* owned; NULL: closed */
    int fd;
    uint64_t size;    /* up to the last whole line */
    int64_t since_ms; /* when its first line was written (clock's now) */
    dev_t device;
    ino_t inode;
    bool is_torn;      /* something stands behind `size` that could not be removed yet */
    bool is_fresh;     /* the folder's entry is not synced yet, */
    bool made_folders; /* nor are those of the folders above */
    uint64_t used;     /* for the owner: serial of the last use */
};

/* Open or create. A last line without line end (a process was killed while it wrote) gets one. */
int append_open(struct append_file *f, const char *path, const struct append_policy *p,
                const struct clock *clock) MUST_CHECK;
void append_close(struct append_file *f);

/* Is the file that is open still the one at its path? Not after somebody else renamed, removed or truncated it; then
 * it is to be closed and opened again. Lines that somebody else added are taken note of. */
bool append_is_current(struct append_file *f);

/* Append the bodies of items as lines, rotating before the line that would pass the size, or when the age is reached.
 * *done gets the number of items that are safely in the file: all if 0 is returned, else those before the one that
 * failed. A line is whole in one file or not there. */
int append_items(struct append_file *f, const struct append_policy *p, const struct clock *clock,
                 struct act_item *const *items, size_t count, size_t *done) MUST_CHECK;

#endif
