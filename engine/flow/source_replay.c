/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that reads lines and hands them over.
 *
 * It never sits in a system call that `stop` could not end: before each read it polls the input together with an
 * eventfd that `stop` makes readable, and waits for its rate on that eventfd, too. Acknowledging means nothing to a
 * file, so `settled` does nothing. */
#include "engine/flow/source_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/opt.h"
#include "engine/base/thread.h"
#include "engine/base/topic.h"
#include "engine/flow/message_json.h"
#include "engine/flow/notice.h"

#define REPLAY_READ_BYTES ((size_t)64 << 10)
#define REPLAY_LINE_MAX   ((size_t)256 << 20)
#define REPLAY_ARENA_MAX  ((size_t)1 << 30)
#define REPLAY_ROOM_MS    100 /* look at `stopping` at least this often while the flow is full */
#define REPLAY_POLL_MS    1000
#define SAY_AGAIN_MIN_MS  1000u
#define SAY_AGAIN_MAX_MS  60000u

struct replay {
    char *path;          /* option; "-": standard input */
    int64_t loops, rate; /* options */
    const struct clock *clock;
    struct source_sink *sink;
    int stop_fd; /* readable once `stop` was called */
    atomic_bool stopping;
    pthread_t thread;
    bool started;
    /* of the thread */
    struct buf input;   /* what was read and not handed over yet */
    struct arena arena; /* of one line */
    uint64_t line;      /* number of the last line taken from the input */
    uint64_t sent, start_ms;
    uint64_t left_out; /* lines that are no message */
    bool failed;       /* the input could not be read to its end */
    struct notice bad;
};

static const struct opt replay_options[] = {
    { "path", OPT_PATH, offsetof(struct replay, path), .required = true,
      .help = "file with one message a line as JSON; \"-\" is standard input" },
    { "loop", OPT_INT, offsetof(struct replay, loops), .def = "1", .min = 0, .max = INT64_MAX,
      .help = "how often to go through the file; 0 is without end" },
    { "rate", OPT_INT, offsetof(struct replay, rate), .def = "0", .min = 0, .max = 1000000000,
      .help = "messages per second; 0 is as fast as they are taken" },
};
#define REPLAY_OPTION_COUNT (sizeof(replay_options) / sizeof(replay_options[0]))

enum step { STEP_GO_ON, STEP_END /* of the input */, STEP_STOP };

static bool is_stdin(const struct replay *r)
{
    return strcmp(r->path, "-") == 0;
}

/* --- handing over --- */

static void say_bad_line(struct replay *r, const char *reason)
{
    uint64_t silent;
    if (!notice_due(&r->bad, clock_monotonic_ms(r->clock), &silent))
        return;
    char more[24];
    snprintf(more, sizeof(more), "%llu", (unsigned long long)silent);
    const char *fields[] = {
        "source", "replay", "path", r->path, "reason", reason, "unsaid", silent ? more : NULL, NULL
    };
    log_event(LOG_LEVEL_WARN, fields, "line %llu is not a message and was left out", (unsigned long long)r->line);
}

/* Wait until the next message may go. */
static enum step wait_for_rate(struct replay *r)
{
    if (r->rate == 0)
        return STEP_GO_ON;
    uint64_t due = r->start_ms + (uint64_t)((unsigned __int128)r->sent * 1000 / (uint64_t)r->rate);
    struct pollfd stop = { .fd = r->stop_fd, .events = POLLIN };
    for (uint64_t now; (now = clock_monotonic_ms(r->clock)) < due && !atomic_load(&r->stopping);)
        poll(&stop, 1, due - now < REPLAY_POLL_MS ? (int)(due - now) : REPLAY_POLL_MS);
    return atomic_load(&r->stopping) ? STEP_STOP : STEP_GO_ON;
}

static enum step hand_over(struct replay *r, const struct message *m)
{
    struct source_message sm = { .message = *m, .token = r->sent };
    if (wait_for_rate(r) == STEP_STOP)
        return STEP_STOP;
    while (!atomic_load(&r->stopping)) {
        switch (r->sink->submit(r->sink, &sm)) {
        case SINK_TAKEN:
            r->sent++;
            return STEP_GO_ON;
        case SINK_FULL:
            r->sink->wait_room(r->sink, REPLAY_ROOM_MS);
            break;
        case SINK_CLOSED:
            return STEP_STOP;
        }
    }
    return STEP_STOP;
}

static int read_line(struct replay *r, const char *text, size_t len, struct message *m, struct err *e)
{
    arena_reset(&r->arena);
    const struct json_doc *doc = json_parse(&r->arena, text, len, NULL, e);
    if (!doc || message_json_read(doc, 0, &r->arena, m, e) < 0)
        return -1;
    if (!m->topic)
        return err_set(e, ERR_CONF_MISSING, "\"topic\" is missing");
    return topic_check(m->topic, m->topic_len, e);
}

static bool is_blank(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == len;
}

static enum step take_line(struct replay *r, const char *text, size_t len)
{
    struct message m;
    struct err e = { 0 };
    r->line++;
    if (is_blank(text, len))
        return atomic_load(&r->stopping) ? STEP_STOP : STEP_GO_ON;
    if (read_line(r, text, len, &m, &e) == 0)
        return hand_over(r, &m);
    r->left_out++;
    say_bad_line(r, e.text);
    return atomic_load(&r->stopping) ? STEP_STOP : STEP_GO_ON;
}

/* --- reading --- */

/* Hand over the whole lines of the input; keeps the rest. `fresh` bytes at its end have not been searched yet. */
static enum step take_lines(struct replay *r, size_t fresh)
{
    enum step step = STEP_GO_ON;
    size_t begin = 0, searched = r->input.len - fresh;
    while (step == STEP_GO_ON) {
        const char *end = memchr(r->input.p + searched, '\n', r->input.len - searched);
        if (!end)
            break;
        size_t at = (size_t)(end - r->input.p);
        step = take_line(r, r->input.p + begin, at - begin);
        begin = searched = at + 1;
    }
    memmove(r->input.p, r->input.p + begin, r->input.len - begin);
    r->input.len -= begin;
    return step;
}

/* Wait for input, or for the stop. */
static enum step wait_readable(struct replay *r, int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = r->stop_fd, .events = POLLIN } };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    return fds[1].revents || atomic_load(&r->stopping) ? STEP_STOP : STEP_GO_ON;
}

static enum step read_more(struct replay *r, int fd)
{
    if (wait_readable(r, fd) == STEP_STOP)
        return STEP_STOP;
    if (!buf_reserve(&r->input, REPLAY_READ_BYTES)) {
        log_event(LOG_LEVEL_ERROR, (const char *[]) { "source", "replay", "path", r->path, NULL },
                  "line %llu is longer than %zu bytes; the rest is not replayed", (unsigned long long)r->line + 1,
                  REPLAY_LINE_MAX);
        r->failed = true;
        return STEP_END;
    }
    ssize_t n = read(fd, r->input.p + r->input.len, REPLAY_READ_BYTES);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return STEP_GO_ON;
    if (n < 0) {
        r->failed = true;
        log_event(LOG_LEVEL_ERROR,
                  (const char *[]) { "source", "replay", "path", r->path, "reason", strerror(errno), NULL },
                  "could not go on reading");
    }
    if (n <= 0)
        return STEP_END;
    r->input.len += (size_t)n;
    return take_lines(r, (size_t)n);
}

/* Once through the input. */
static enum step replay_once(struct replay *r, int fd)
{
    enum step step;
    buf_reset(&r->input);
    r->line = 0;
    while ((step = read_more(r, fd)) == STEP_GO_ON)
        continue;
    if (step == STEP_END && r->input.len > 0 && !r->input.failed) /* the last line may lack its end */
        return take_line(r, r->input.p, r->input.len) == STEP_STOP ? STEP_STOP : STEP_END;
    return step;
}

static enum step replay_file(struct replay *r)
{
    if (is_stdin(r))
        return replay_once(r, STDIN_FILENO);
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        r->failed = true;
        log_event(LOG_LEVEL_ERROR,
                  (const char *[]) { "source", "replay", "path", r->path, "reason", strerror(errno), NULL },
                  "could not open the file to replay");
        return STEP_END;
    }
    enum step step = replay_once(r, fd);
    close(fd);
    return step;
}

static void *replay_run(void *ctx)
{
    struct replay *r = ctx;
    r->start_ms = clock_monotonic_ms(r->clock);
    for (int64_t round = 0; r->loops == 0 || round < r->loops; round++) {
        uint64_t before = r->sent;
        if (replay_file(r) == STEP_STOP)
            return NULL;
        if (r->sent == before)
            break; /* nothing in it: going round for ever would be no use */
    }
    if (r->left_out)
        log_event(LOG_LEVEL_ERROR, (const char *[]) { "source", "replay", "path", r->path, NULL },
                  "%" PRIu64 " messages were replayed, %" PRIu64 " lines that are no messages were left out", r->sent,
                  r->left_out);
    r->sink->finished(r->sink, !r->left_out && !r->failed);
    return NULL;
}

/* --- the port --- */

static void replay_close(void *source)
{
    struct replay *r = source;
    if (!r)
        return;
    buf_clear(&r->input);
    arena_clear(&r->arena);
    if (r->stop_fd >= 0)
        close(r->stop_fd);
    opt_free(replay_options, REPLAY_OPTION_COUNT, r);
    free(r);
}

/* What the table cannot say. */
static int check_options(const struct replay *r, const struct conf *conf, struct errs *errs)
{
    const struct conf *loop = conf_get(conf, "loop"), *path = conf_get(conf, "path");
    if (is_stdin(r) && r->loops != 1) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, loop->at, "standard input cannot be read again");
        return -1;
    }
    struct stat st;
    if (!is_stdin(r) && stat(r->path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errs_add(errs, SEV_ERROR, ERR_IO, path->at, "\"%s\" is a folder: name one file", r->path);
        return -1;
    }
    if (!is_stdin(r) && access(r->path, R_OK) < 0) {
        errs_add(errs, SEV_ERROR, ERR_IO, path->at, "could not read \"%s\": %s", r->path, strerror(errno));
        return -1;
    }
    return 0;
}

static bool names_clients(const struct conf *conf)
{
    (void)conf;
    return true;
}

static void *replay_open(const struct conf *conf, const struct source_env *env, struct errs *errs)
{
    struct replay *r = calloc(1, sizeof(*r));
    if (!r) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf->at, "out of memory");
        return NULL;
    }
    r->clock = env->clock;
    buf_init(&r->input, REPLAY_LINE_MAX);
    arena_init(&r->arena, REPLAY_ARENA_MAX);
    notice_init(&r->bad, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    r->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (r->stop_fd < 0) {
        errs_add(errs, SEV_ERROR, ERR_IO, conf->at, "could not make an eventfd: %s", strerror(errno));
        goto fail;
    }
    if (opt_read(replay_options, REPLAY_OPTION_COUNT, conf, "replay", conf->at, r, errs) < 0 ||
        check_options(r, conf, errs) < 0)
        goto fail;
    return r;
fail:
    replay_close(r);
    return NULL;
}

static int replay_start(void *source, struct source_sink *sink, const struct source_filter *filters, size_t count,
                        struct err *e)
{
    struct replay *r = source;
    (void)filters; /* the router leaves out what no rule wants */
    (void)count;
    r->sink = sink;
    if (thread_start(&r->thread, "replay", replay_run, r, e) < 0)
        return -1;
    r->started = true;
    return 0;
}

static void replay_settled(void *source, uint64_t token)
{
    (void)source;
    (void)token;
}

static void replay_stop(void *source)
{
    struct replay *r = source;
    if (!r->started)
        return;
    atomic_store(&r->stopping, true);
    while (write(r->stop_fd, &(uint64_t) { 1 }, sizeof(uint64_t)) < 0 && errno == EINTR)
        continue;
    pthread_join(r->thread, NULL);
    r->started = false;
}

const struct source_type source_replay = {
    .name = "replay",
    .doc = "messages from a file or standard input, one JSON object a line",
    .options = replay_options,
    .option_count = REPLAY_OPTION_COUNT,
    .names_clients = names_clients,
    .open = replay_open,
    .start = replay_start,
    .settled = replay_settled,
    .stop = replay_stop,
    .close = replay_close,
};
