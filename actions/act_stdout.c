/* SPDX-License-Identifier: Apache-2.0 */
/* stdout: lines on standard output, for looking at a rule at work and for pipes.
 *
 * A reader that stands still must not hold the thread: before each write poll(2) says whether there is room, and no
 * write is longer than PIPE_BUF, which a pipe with room takes without waiting. When the time is up in the middle of a
 * line, the line is kept and finished first next time, so a reader never sees half a line. Its item is LATER until
 * then; when it comes again, it is known by its bytes and done without being written twice.
 *
 * A reader that has gone (EPIPE) breaks the lane: what is left stays with the flow, which will tell. The program
 * ignores SIGPIPE. */
#include "actions/actions_int.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/items.h"
#include "engine/base/clock.h"
#include "engine/base/opt.h"

#define WAIT_MS        5000 /* longest time a send waits for the reader */
#define LINE_MAX_BYTES ((size_t)256 << 20)

struct stdout_target {
    const struct clock *clock;
};

struct stdout_lane {
    const struct clock *clock;
    struct buf line;  /* that was begun in an earlier send; empty: none */
    size_t line_done; /* bytes of it that are out */
    uint64_t deadline_ms;
};

static void *stdout_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf;
    struct stdout_target *t = calloc(1, sizeof(*t));
    if (t)
        t->clock = env->clock;
    else
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory");
    return t;
}

static void stdout_target_close(void *target)
{
    free(target);
}

/* There are no options, so all actions are the same: the target itself. */
static void *stdout_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)host;
    return opt_read(NULL, 0, conf, "stdout", conf->at, target, errs) == 0 ? target : NULL;
}

static void stdout_action_close(void *action)
{
    (void)action;
}

static void stdout_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    (void)action;
    (void)texts;
    buf_puts(out, "stdout");
}

static void *stdout_lane_open(void *target, struct err *e)
{
    struct stdout_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->clock = ((struct stdout_target *)target)->clock;
    buf_init(&l->line, LINE_MAX_BYTES);
    return l;
}

static void stdout_lane_close(void *lane)
{
    struct stdout_lane *l = lane;
    if (l)
        buf_clear(&l->line);
    free(l);
}

/* Wait until there is room to write. 0, or an errno value: ETIMEDOUT when the time of the send is up. */
static int wait_room(const struct stdout_lane *l)
{
    for (;;) {
        uint64_t now = clock_monotonic_ms(l->clock);
        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
        int rc = poll(&p, 1, now < l->deadline_ms ? (int)(l->deadline_ms - now) : 0);
        if (rc > 0)
            return 0; /* also on POLLERR: write says what it is */
        if (rc == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

/* Write bytes; *done gets how many went out. 0 or an errno value. */
static int write_bytes(const struct stdout_lane *l, const char *p, size_t len, size_t *done)
{
    *done = 0;
    while (*done < len) {
        int rc = wait_room(l);
        if (rc != 0)
            return rc;
        ssize_t n = write(STDOUT_FILENO, p + *done, len - *done < PIPE_BUF ? len - *done : PIPE_BUF);
        if (n > 0)
            *done += (size_t)n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return n == 0 ? EIO : errno;
    }
    return 0;
}

/* Keep the line of an item of which n bytes are out. */
static void keep_line(struct stdout_lane *l, const struct act_item *item, size_t n)
{
    buf_reset(&l->line);
    buf_put(&l->line, item->body, item->body_len);
    buf_putc(&l->line, '\n');
    l->line_done = n;
}

/* Finish the line that an earlier send began; its item is done if it is among the items. */
static int finish_line(struct stdout_lane *l, struct act_item *const *items, size_t count)
{
    size_t done, len = l->line.len;
    if (len == 0)
        return 0;
    int rc = write_bytes(l, l->line.p + l->line_done, len - l->line_done, &done);
    l->line_done += done;
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->body_len + 1 == len && memcmp(items[i]->body, l->line.p, len - 1) == 0) {
            item_done(items[i]);
            break;
        }
    }
    buf_clear(&l->line);
    return 0;
}

/* Small lines are gathered, so that a write carries many. Returns the number of leading items in `text`. */
static size_t gather(struct act_item *const *items, size_t count, char text[PIPE_BUF], size_t *len)
{
    size_t n = 0;
    *len = 0;
    while (n < count && items[n]->result == ACT_PENDING && items[n]->body_len < PIPE_BUF - *len) {
        if (items[n]->body_len)
            memcpy(text + *len, items[n]->body, items[n]->body_len);
        *len += items[n]->body_len;
        text[(*len)++] = '\n';
        n++;
    }
    return n;
}

/* Write the lines of small items. When it fails, those that are whole are done, and the one in the middle is kept. */
static int write_small(struct stdout_lane *l, struct act_item *const *items, size_t count, const char *text, size_t len)
{
    size_t done, end = 0;
    int rc = write_bytes(l, text, len, &done);
    for (size_t i = 0; i < count; i++) {
        size_t start = end;
        end += items[i]->body_len + 1;
        if (end <= done)
            item_done(items[i]);
        else if (start < done)
            keep_line(l, items[i], done - start);
    }
    return rc;
}

/* Write one item whose line is long. */
static int write_large(struct stdout_lane *l, struct act_item *item)
{
    size_t done, end_done = 0;
    int rc = write_bytes(l, item->body, item->body_len, &done);
    if (rc == 0)
        rc = write_bytes(l, "\n", 1, &end_done);
    if (rc == 0)
        item_done(item);
    else if (done > 0)
        keep_line(l, item, done);
    return rc;
}

static int write_items(struct stdout_lane *l, struct act_item *const *items, size_t count)
{
    int rc = finish_line(l, items, count);
    for (size_t i = 0; rc == 0 && i < count;) {
        char text[PIPE_BUF];
        size_t len, n = gather(items + i, count - i, text, &len);
        if (n > 0)
            rc = write_small(l, items + i, n, text, len);
        else if (items[i]->result == ACT_PENDING)
            rc = write_large(l, items[i]);
        i += n > 0 ? n : 1;
    }
    return rc;
}

static int stdout_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct stdout_lane *l = lane;
    items_start(items, count);
    l->deadline_ms = clock_monotonic_ms(l->clock) + WAIT_MS;
    int rc = write_items(l, items, count);
    if (rc == ETIMEDOUT || rc == ENOSPC || rc == EDQUOT) {
        items_later(items, count, rc == ETIMEDOUT ? "nobody reads standard output" : strerrordesc_np(rc));
        return 0;
    }
    if (rc != 0)
        return err_set(e, ERR_IO, "could not write to standard output: %s", strerrordesc_np(rc));
    return 0;
}

const struct action_type act_stdout = {
    .name = "stdout",
    .failed_action = "StdoutAction",
    .doc = "write lines to standard output (extension)",
    .connection = ACT_CONNECTION_NONE,
    .target_open = stdout_target_open,
    .target_close = stdout_target_close,
    .action_open = stdout_action_open,
    .action_close = stdout_action_close,
    .resource = stdout_resource,
    .lane_open = stdout_lane_open,
    .send = stdout_send,
    .lane_close = stdout_lane_close,
};
