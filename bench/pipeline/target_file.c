/* SPDX-License-Identifier: Apache-2.0 */
/* file: lines appended to a file; the bare producer writes a batch of lines at once. */
#include "bench/pipeline/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/pipeline/sample.h"
#include "engine/base/json.h"
#include "engine/base/path.h"

#define LINES_MAX ((size_t)1 << 20)

struct file_target {
    char *path; /* of both writers, one after the other */
    int fd;     /* of the bare producer */
    struct buf lines;
    struct tally *tally;
};

static void file_close(void *target)
{
    struct file_target *t = target;
    if (t->fd >= 0)
        close(t->fd);
    if (t->path)
        unlink(t->path);
    free(t->path);
    buf_clear(&t->lines);
    free(t);
}

static void *file_open(const struct target_env *env, struct err *e)
{
    struct file_target *t = calloc(1, sizeof *t);
    if (!t || !(t->path = path_below(env->folder, "out.ndjson"))) {
        free(t);
        err_set(e, ERR_MEMORY, "not enough memory");
        return NULL;
    }
    t->fd = -1;
    buf_init(&t->lines, LINES_MAX);
    return t;
}

static int file_clear(void *target, struct tally *tally, struct err *e)
{
    struct file_target *t = target;
    t->tally = tally;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    return t->fd >= 0 ? 0 : err_set(e, ERR_IO, "could not write \"%.200s\": %s", t->path, strerror(errno));
}

static void file_configure(void *target, struct buf *connections, struct buf *action)
{
    const struct file_target *t = target;
    (void)connections;
    buf_puts(action, "file: { path: ");
    json_write_string(action, t->path, strlen(t->path));
    buf_puts(action, " }");
}

static int write_batch(struct file_target *t, size_t first, size_t count, struct err *e)
{
    buf_reset(&t->lines);
    for (size_t i = first; i < first + count; i++) {
        sample_output(&t->lines, i);
        buf_putc(&t->lines, '\n');
    }
    for (size_t done = 0; done < t->lines.len;) {
        ssize_t n = write(t->fd, t->lines.p + done, t->lines.len - done);
        if (n < 0 && errno != EINTR)
            return err_set(e, ERR_IO, "could not write \"%.200s\": %s", t->path, strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int file_produce(void *target, size_t first, size_t count, struct err *e)
{
    for (size_t done = 0; done < count; done += TARGET_BATCH) {
        size_t n = count - done < TARGET_BATCH ? count - done : TARGET_BATCH;
        if (write_batch(target, first + done, n, e) < 0)
            return -1;
    }
    return 0;
}

static int file_arrived(void *target, struct err *e)
{
    struct file_target *t = target;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    FILE *f = fopen(t->path, "re");
    if (!f)
        return err_set(e, ERR_IO, "could not read \"%.200s\": %s", t->path, strerror(errno));
    while ((len = getline(&line, &cap, f)) > 0)
        tally_note(t->tally, line, (size_t)len);
    free(line);
    fclose(f);
    return 0;
}

const struct target_type target_file = {
    .name = "file",
    .open = file_open,
    .close = file_close,
    .clear = file_clear,
    .configure = file_configure,
    .produce = file_produce,
    .arrived = file_arrived,
};
