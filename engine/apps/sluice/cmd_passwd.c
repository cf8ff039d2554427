/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice passwd`: one user's line of a password file, put there, replaced or taken out.
 *
 * The file is written anew beside the old one and takes its place in one step, so that a running service never reads half
 * of it; its rights are kept, a new one is the owner's alone. */
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "engine/apps/sluice/read_file.h"
#include "engine/mqtt/password_file.h"

#define FILE_MAX_BYTES ((size_t)64 << 20)
#define PASSWORD_MAX   1024

/* One line of standard input, without showing it on a terminal. Returns its length, -1: there is none. */
static ssize_t read_password(char *out, size_t size)
{
    struct termios old, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    if (terminal) {
        fputs("password: ", stderr);
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool read = fgets(out, (int)size, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (!read)
        return -1;
    size_t len = strcspn(out, "\r\n");
    out[len] = '\0';
    return (ssize_t)len;
}

static bool is_of(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    return len > n && memcmp(line, name, n) == 0 && line[n] == ':';
}

/* The old lines but those of this user. Returns how many were left out. */
static size_t copy_others(struct buf *out, const char *text, size_t len, const char *name)
{
    size_t left_out = 0;
    for (size_t at = 0, end; at < len; at = end) {
        const char *newline = memchr(text + at, '\n', len - at);
        end = newline ? (size_t)(newline - text) + 1 : len;
        if (is_of(text + at, end - at, name)) {
            left_out++;
            continue;
        }
        buf_put(out, text + at, end - at);
        if (!newline)
            buf_putc(out, '\n');
    }
    return left_out;
}

static int write_all(int fd, const struct buf *b)
{
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(fd, b->p + done, b->len - done);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd);
}

static int replace_file(const char *path, const struct buf *b)
{
    struct stat st;
    mode_t mode = stat(path, &st) == 0 ? st.st_mode & 07777 : S_IRUSR | S_IWUSR;
    struct buf beside;
    buf_init(&beside, 8192);
    buf_printf(&beside, "%s.new", path);
    int rc = -1, fd = beside.failed ? -1 : open(beside.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0) {
        rc = fchmod(fd, mode) < 0 || write_all(fd, b) < 0 ? -1 : 0;
        rc = close(fd) < 0 ? -1 : rc;
        rc = rc < 0 ? rc : rename(beside.p, path);
        if (rc < 0)
            unlink(beside.p);
    }
    buf_clear(&beside);
    return rc;
}

static int change_file(const char *path, const char *name, const struct buf *line)
{
    struct buf fresh;
    struct err e = { 0 };
    int code = EXIT_OK;
    size_t len = 0;
    bool is_there = access(path, F_OK) == 0;
    char *old = is_there ? read_file(path, &len, &e) : NULL;
    if (is_there && !old)
        return fail("passwd", "%s", e.text);
    buf_init(&fresh, FILE_MAX_BYTES);
    size_t left_out = copy_others(&fresh, old, len, name);
    if (line)
        buf_printf(&fresh, "%s\n", line->p);
    if (!line && left_out == 0)
        code = fail("passwd", "there is no user \"%s\" in \"%s\"", name, path);
    else if (fresh.failed || replace_file(path, &fresh) < 0)
        code = fail("passwd", "could not write \"%s\": %s", path, fresh.failed ? "it is too large" : strerror(errno));
    free(old);
    buf_clear(&fresh);
    return code;
}

static int set_password(const char *path, const char *name)
{
    char password[PASSWORD_MAX];
    struct buf line;
    struct err e = { 0 };
    int code = EXIT_FAILED;
    ssize_t len = read_password(password, sizeof(password));
    if (len <= 0)
        return fail("passwd", "no password on standard input");
    buf_init(&line, 4096);
    if (password_file_make(&line, name, password, (size_t)len, &e) < 0)
        fail("passwd", "%s", e.text);
    else
        code = change_file(path, name, &line);
    explicit_bzero(password, sizeof(password));
    buf_clear(&line);
    return code;
}

int cmd_passwd(int argc, char **argv)
{
    bool delete = false, done;
    const struct cmd_option options[] = { { "delete", 'D', NULL, &delete } };
    int n = cmd_options("passwd", options, 1, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (n != 2) {
        fail("passwd", "give a file and a user name");
        return EXIT_USAGE;
    }
    return delete ? change_file(argv[1], argv[2], NULL) : set_password(argv[1], argv[2]);
}
