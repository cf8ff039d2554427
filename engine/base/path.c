/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/path.h"

#include <stdio.h>
#include <string.h>

char *path_folder(const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash)
        return strdup(".");
    return strndup(file, slash == file ? 1 : (size_t)(slash - file));
}

char *path_below(const char *folder, const char *path)
{
    if (!folder || strcmp(folder, ".") == 0 || path[0] == '/')
        return strdup(path);
    size_t len = strlen(folder);
    char *out;
    return asprintf(&out, "%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", path) < 0 ? NULL : out;
}

bool path_ends_in(const char *path, const char *ending)
{
    size_t len = strlen(path), ending_len = strlen(ending);
    return len >= ending_len && strcmp(path + len - ending_len, ending) == 0;
}
