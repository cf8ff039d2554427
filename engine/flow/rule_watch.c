/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/rule_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/path.h"

#define EVENTS                                                                                                         \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define EVENT_BYTES 4096 /* room for many events: names are short */

struct watched {
    char *folder;
    char *name;     /* of the one file that counts; NULL: every rule file of the folder */
    int descriptor; /* -1: the folder is not there */
};

struct rule_watch {
    int fd;
    bool (*counts)(const char *name);
    struct watched *items;
    size_t count;
};

/* "rules/a.yaml" is the file a.yaml in rules, unless it is a folder. */
static int watched_init(struct watched *item, const char *path)
{
    struct stat st;
    bool folder = stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : path[0] && path[strlen(path) - 1] == '/';
    const char *slash = strrchr(path, '/');
    item->folder = folder ? strdup(path) : path_folder(path);
    item->name = folder ? NULL : strdup(slash ? slash + 1 : path);
    item->descriptor = -1;
    return item->folder && (folder || item->name) ? 0 : -1;
}

/* Watch what is not watched. True if a folder came. */
static bool watch_missing(struct rule_watch *w)
{
    bool came = false;
    for (size_t i = 0; i < w->count; i++) {
        if (w->items[i].descriptor >= 0)
            continue;
        w->items[i].descriptor = inotify_add_watch(w->fd, w->items[i].folder, EVENTS);
        came = came || w->items[i].descriptor >= 0;
    }
    return came;
}

struct rule_watch *rule_watch_new(const char *const *paths, size_t count, bool (*counts)(const char *name),
                                  struct err *e)
{
    struct rule_watch *w = calloc(1, sizeof(*w));
    if (!w || !(w->items = calloc(count + 1, sizeof(*w->items)))) {
        free(w);
        err_set(e, ERR_MEMORY, "not enough memory to watch the rules");
        return NULL;
    }
    w->counts = counts;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        err_set(e, ERR_IO, "could not watch the rules: %s", strerror(errno));
        rule_watch_free(w);
        return NULL;
    }
    while (w->count < count) {
        const char *path = paths[w->count];
        if (watched_init(&w->items[w->count++], path) < 0) {
            err_set(e, ERR_MEMORY, "not enough memory to watch the rules");
            rule_watch_free(w);
            return NULL;
        }
    }
    watch_missing(w);
    return w;
}

void rule_watch_free(struct rule_watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++) {
        free(w->items[i].folder);
        free(w->items[i].name);
    }
    free(w->items);
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

int rule_watch_fd(const struct rule_watch *w)
{
    return w->fd;
}

/* Does it matter that something of this name came, went or was written in the folder? */
static bool concerns(const struct rule_watch *w, const struct watched *item, const char *name)
{
    if (strncmp(name, "..", 2) == 0)
        return true;
    return item->name ? strcmp(item->name, name) == 0 : w->counts(name);
}

static bool handle(struct rule_watch *w, const struct inotify_event *event)
{
    bool changed = event->mask & IN_Q_OVERFLOW;
    for (size_t i = 0; i < w->count; i++) {
        struct watched *item = &w->items[i];
        if (item->descriptor != event->wd)
            continue;
        if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
            item->descriptor = -1;
            changed = true;
        } else if (event->len && concerns(w, item, event->name)) {
            changed = true;
        }
    }
    /* A folder that moved away is still watched under its new name. */
    if (event->mask & IN_MOVE_SELF)
        inotify_rm_watch(w->fd, event->wd);
    return changed;
}

bool rule_watch_take(struct rule_watch *w)
{
    _Alignas(struct inotify_event) char bytes[EVENT_BYTES];
    bool changed = false;
    for (ssize_t n; (n = read(w->fd, bytes, sizeof(bytes))) > 0;) {
        for (char *at = bytes; at < bytes + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            changed = handle(w, event) || changed;
            at += sizeof(*event) + event->len;
        }
    }
    return watch_missing(w) || changed;
}
