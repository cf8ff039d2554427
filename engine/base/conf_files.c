/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/buf.h"
#include "engine/base/path.h"

struct names {
    char **items;
    size_t count;
};

bool conf_files_has_name(const char *name)
{
    return name[0] != '.' && (path_ends_in(name, ".yaml") || path_ends_in(name, ".yml") || path_ends_in(name, ".json"));
}

static bool counts(const char *folder, const char *name)
{
    if (!conf_files_has_name(name))
        return false;
    struct stat st;
    struct buf path;
    buf_init(&path, (size_t)2 * PATH_MAX);
    buf_printf(&path, "%s/%s", folder, name);
    bool other =
        !path.failed && stat(path.p, &st) == 0 && !S_ISREG(st.st_mode); /* what cannot be seen is reported later */
    buf_clear(&path);
    return !other;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(DIR *dir, const char *path, struct names *names)
{
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!counts(path, entry->d_name))
            continue;
        char **grown = realloc(names->items, (names->count + 1) * sizeof(*grown));
        if (!grown)
            return -1;
        names->items = grown;
        if (!(grown[names->count] = strdup(entry->d_name)))
            return -1;
        names->count++;
    }
    if (names->count)
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    return 0;
}

static int read_listed(const char *folder, const struct names *names,
                       int (*read)(void *ctx, const char *path, struct errs *errs), void *ctx, struct errs *errs)
{
    int rc = 0;
    struct buf path;
    buf_init(&path, (size_t)2 * PATH_MAX);
    for (size_t i = 0; i < names->count; i++) {
        buf_reset(&path);
        buf_printf(&path, "%s%s%s", folder, path_ends_in(folder, "/") ? "" : "/", names->items[i]);
        if (path.failed || read(ctx, path.p, errs) < 0)
            rc = -1;
    }
    buf_clear(&path);
    return rc;
}

int conf_files_each(const char *path, const char *what, int (*read)(void *ctx, const char *path, struct errs *errs),
                    void *ctx, struct errs *errs)
{
    struct names names = { 0 };
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return read(ctx, path, errs);
    DIR *dir = opendir(path);
    if (!dir) {
        errs_add(errs, SEV_ERROR, ERR_IO, (struct span) { 0 }, "could not read the folder \"%s\": %s", path,
                 strerror(errno));
        return -1;
    }
    int rc = list_folder(dir, path, &names);
    closedir(dir);
    if (rc < 0)
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory to read \"%s\"", path);
    if (rc == 0 && names.count == 0) {
        struct err *e =
            errs_add(errs, SEV_WARNING, ERR_CONF_MISSING, (struct span) { 0 }, "no %s in \"%s\"", what, path);
        err_hint(e, "Files whose names end in .yaml, .yml or .json are read.");
    }
    if (rc == 0)
        rc = read_listed(path, &names, read, ctx, errs);
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    return rc;
}
