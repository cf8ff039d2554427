/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file in memory. */
#include "engine/apps/sluice/read_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"

/* Everything up to the end of a stream. */
static char *read_all(FILE *f, const char *name, size_t *len, struct err *e)
{
    struct buf b;
    char part[16384];
    size_t n;
    buf_init(&b, READ_FILE_MAX);
    buf_reserve(&b, 1);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_put(&b, part, n);
    int failed = ferror(f) ? errno : 0;
    if (failed || b.failed) {
        err_set(e, ERR_IO, "cannot read \"%s\": %s", name, failed ? strerror(failed) : "file too large");
        buf_clear(&b);
        return NULL;
    }
    buf_put(&b, "", 0);
    return buf_detach(&b, len);
}

char *read_file(const char *path, size_t *len, struct err *e)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        err_set(e, ERR_IO, "cannot read \"%s\": %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_all(f, path, len, e);
    fclose(f);
    return bytes;
}

char *read_stdin(size_t *len, struct err *e)
{
    return read_all(stdin, "<standard input>", len, e);
}
