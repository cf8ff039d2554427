/* SPDX-License-Identifier: Apache-2.0 */
/* Appending whole lines.
 *
 * Lines go out by writev, without being copied. When a write stops in the middle of a line (disk full), the file is
 * cut back to the end of the last whole line; if even that fails, the file is marked as torn and cut before anything
 * else is written.
 *
 * With `sync` an fsync that fails also cuts the file back: Linux reports such an error once and then takes the pages
 * for clean, so lines that stay would look safe and not be. */
#include "actions/append_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/clock.h"

#define LINES_PER_WRITE 256  /* two pieces each: IOV_MAX is 1024 */
#define FILE_MODE       0666 /* as the umask allows */
#define FOLDER_MODE     0777

/* --- opening --- */

static int make_folders(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    int rc = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && rc == 0; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, FOLDER_MODE) < 0 && errno != EEXIST)
            rc = errno;
        *slash = '/';
    }
    free(copy);
    return rc;
}

/* O_NONBLOCK: opening a pipe that nobody reads fails instead of waiting. It changes nothing for regular files. */
static int open_path(struct append_file *f, const char *path, bool create_folders)
{
    const int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    f->fd = open(path, flags, FILE_MODE);
    if (f->fd < 0 && errno == ENOENT && create_folders) {
        int rc = make_folders(path);
        if (rc != 0)
            return rc;
        f->made_folders = true;
        f->fd = open(path, flags, FILE_MODE);
    }
    if (f->fd >= 0)
        return 0;
    return errno == EISDIR || errno == ENXIO || errno == ENODEV ? APPEND_NOT_REGULAR : errno;
}

/* When a file that has lines was begun: its birth, or its last change where the file system does not know. */
static int64_t begun_ms(int fd)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &st) < 0)
        return 0;
    const struct statx_timestamp *t = st.stx_mask & STATX_BTIME ? &st.stx_btime : &st.stx_mtime;
    return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* End a last line that has no end. */
static int end_last_line(struct append_file *f)
{
    char last;
    if (f->size == 0)
        return 0;
    ssize_t n = pread(f->fd, &last, 1, (off_t)f->size - 1);
    if (n < 0)
        return errno;
    if (n == 0 || last == '\n')
        return 0;
    if (write(f->fd, "\n", 1) != 1)
        return errno;
    f->size++;
    return 0;
}

static int read_state(struct append_file *f, const struct clock *clock)
{
    struct stat st;
    if (fstat(f->fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return APPEND_NOT_REGULAR;
    f->size = (uint64_t)st.st_size;
    f->device = st.st_dev;
    f->inode = st.st_ino;
    f->is_fresh = f->size == 0;
    f->since_ms = f->size ? begun_ms(f->fd) : clock_now_ms(clock);
    return end_last_line(f);
}

int append_open(struct append_file *f, const char *path, const struct append_policy *p, const struct clock *clock)
{
    struct append_file opened = { .used = f->used };
    int rc = open_path(&opened, path, p->create_folders);
    if (rc != 0)
        return rc;
    rc = read_state(&opened, clock);
    if (rc == 0 && !(opened.path = strdup(path)))
        rc = ENOMEM;
    if (rc != 0) {
        close(opened.fd);
        return rc;
    }
    *f = opened;
    return 0;
}

void append_close(struct append_file *f)
{
    if (!f->path)
        return;
    close(f->fd);
    free(f->path);
    *f = (struct append_file) { 0 };
}

bool append_is_current(struct append_file *f)
{
    struct stat st;
    if (stat(f->path, &st) < 0 || st.st_dev != f->device || st.st_ino != f->inode)
        return false;
    if (f->is_torn)
        return true;
    if ((uint64_t)st.st_size < f->size)
        return false;
    f->size = (uint64_t)st.st_size;
    return true;
}

/* --- writing --- */

/* Remove what stands behind the last whole line. */
static int cut_back(struct append_file *f)
{
    f->is_torn = ftruncate(f->fd, (off_t)f->size) < 0;
    return f->is_torn ? errno : 0;
}

/* The first piece that is not written whole, after n bytes of them; cut to what is left of it. */
static struct iovec *skip_written(struct iovec *v, struct iovec *end, size_t n)
{
    for (; v < end && n >= v->iov_len; v++)
        n -= v->iov_len;
    if (v < end) {
        v->iov_base = (char *)v->iov_base + n;
        v->iov_len -= n;
    }
    return v;
}

/* Write all pieces. *written gets the bytes that went out. */
static int write_pieces(int fd, struct iovec *v, struct iovec *end, uint64_t *written)
{
    *written = 0;
    while (v < end) {
        ssize_t n = writev(fd, v, (int)(end - v));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENOSPC;
        *written += (uint64_t)n;
        v = skip_written(v, end, (size_t)n);
    }
    return 0;
}

/* Number of leading items whose lines are wholly within n bytes; *whole gets the length of those lines. */
static size_t count_whole(struct act_item *const *items, size_t count, uint64_t n, uint64_t *whole)
{
    size_t i = 0;
    *whole = 0;
    while (i < count && *whole + items[i]->body_len + 1 <= n)
        *whole += items[i++]->body_len + 1;
    return i;
}

/* Write up to LINES_PER_WRITE lines. *done gets how many are whole in the file; nothing else is. */
static int write_lines(struct append_file *f, struct act_item *const *items, size_t count, size_t *done)
{
    static char line_end[] = "\n";
    struct iovec pieces[2 * LINES_PER_WRITE];
    uint64_t written, whole;
    for (size_t i = 0; i < count; i++) {
        pieces[2 * i] = (struct iovec) { .iov_base = (char *)items[i]->body, .iov_len = items[i]->body_len };
        pieces[2 * i + 1] = (struct iovec) { .iov_base = line_end, .iov_len = 1 };
    }
    int rc = write_pieces(f->fd, pieces, pieces + 2 * count, &written);
    *done = count_whole(items, count, written, &whole);
    f->size += whole;
    if (written > whole)
        cut_back(f);
    return rc;
}

/* Sync the folder that the first len bytes of the path name. */
static int sync_folder(const char *path, size_t len)
{
    char folder[PATH_MAX];
    if (len >= sizeof(folder))
        return ENAMETOOLONG;
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(len ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = fsync(fd) < 0 && errno != EINVAL ? errno : 0; /* EINVAL: a file system that cannot */
    close(fd);
    return rc;
}

/* Sync the folder of a new file, so that its name is there after a power cut; if folders were made for it, all of those
 * above too. Of these some are not ours, so it is no error if one cannot be opened. */
static int sync_folders(const struct append_file *f)
{
    const char *slash = strrchr(f->path, '/');
    int rc = sync_folder(f->path, slash ? (size_t)(slash - f->path) + 1 : 0);
    for (size_t n = slash ? (size_t)(slash - f->path) : 0; f->made_folders && rc == 0 && n > 0;) {
        while (n > 0 && f->path[n - 1] != '/')
            n--;
        rc = sync_folder(f->path, n);
        rc = rc == EACCES || rc == EPERM ? 0 : rc;
        n -= n > 0;
    }
    return rc;
}

static int sync_file(struct append_file *f)
{
    if (fdatasync(f->fd) < 0)
        return errno;
    int rc = f->is_fresh ? sync_folders(f) : 0;
    if (rc == 0)
        f->is_fresh = f->made_folders = false;
    return rc;
}

/* Write lines that stay together in one file; safe in the sense of the policy when counted in *done. */
static int write_safely(struct append_file *f, const struct append_policy *p, struct act_item *const *items,
                        size_t count, size_t *done)
{
    uint64_t start = f->size;
    int rc = 0;
    *done = 0;
    while (rc == 0 && *done < count) {
        size_t n = count - *done < LINES_PER_WRITE ? count - *done : LINES_PER_WRITE, written;
        rc = write_lines(f, items + *done, n, &written);
        *done += written;
    }
    int sync_rc = p->sync && *done > 0 ? sync_file(f) : 0;
    if (sync_rc == 0)
        return rc;
    f->size = start;
    *done = 0;
    cut_back(f);
    return sync_rc;
}

/* --- rotation --- */

/* path, or path.n for n > 0. */
static int numbered_path(char out[PATH_MAX], const char *path, int64_t n)
{
    int len = n > 0 ? snprintf(out, PATH_MAX, "%s.%lld", path, (long long)n) : snprintf(out, PATH_MAX, "%s", path);
    return len < PATH_MAX ? 0 : ENAMETOOLONG;
}

/* Rename path.n to path.n+1, from the oldest on, and begin a new file. The oldest is overwritten. */
static int rotate(struct append_file *f, const struct append_policy *p, const struct clock *clock)
{
    for (int64_t n = p->keep - 1; n >= 0; n--) {
        char from[PATH_MAX], to[PATH_MAX];
        int rc = numbered_path(from, f->path, n);
        rc = rc == 0 ? numbered_path(to, f->path, n + 1) : rc;
        if (rc != 0)
            return rc;
        if (rename(from, to) < 0 && (errno != ENOENT || n == 0))
            return errno;
    }
    struct append_file next = { .used = f->used };
    int rc = append_open(&next, f->path, p, clock);
    append_close(f); /* renamed away: nothing more goes there, whether the new one could be opened or not */
    *f = next;
    return rc;
}

static bool is_too_old(const struct append_file *f, const struct append_policy *p, const struct clock *clock)
{
    return p->rotate_age_ms > 0 && f->size > 0 && clock_now_ms(clock) - f->since_ms >= p->rotate_age_ms;
}

/* Number of leading items that the file takes before it is large enough; 0 if it must be rotated first. A line that
 * is larger than the limit gets a file of its own. */
static size_t fitting(const struct append_file *f, const struct append_policy *p, struct act_item *const *items,
                      size_t count)
{
    if (p->rotate_size <= 0)
        return count;
    uint64_t size = f->size;
    size_t n = 0;
    while (n < count && (size == 0 || size + items[n]->body_len + 1 <= (uint64_t)p->rotate_size))
        size += items[n++]->body_len + 1;
    return n;
}

int append_items(struct append_file *f, const struct append_policy *p, const struct clock *clock,
                 struct act_item *const *items, size_t count, size_t *done)
{
    *done = 0;
    int rc = f->is_torn ? cut_back(f) : 0;
    if (rc == 0 && is_too_old(f, p, clock))
        rc = rotate(f, p, clock);
    while (rc == 0 && *done < count) {
        size_t n = fitting(f, p, items + *done, count - *done), written = 0;
        rc = n > 0 ? write_safely(f, p, items + *done, n, &written) : rotate(f, p, clock);
        *done += written;
    }
    return rc;
}
