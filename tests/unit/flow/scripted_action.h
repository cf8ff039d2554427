/* SPDX-License-Identifier: Apache-2.0 */
/* An action type without an outside world: a script says what it answers, a record keeps what it was given. */
#ifndef SLUICE_TEST_SCRIPTED_ACTION_H
#define SLUICE_TEST_SCRIPTED_ACTION_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/conf.h"
#include "sluice/action.h"

#define SCRIPT_LINES_MAX 8
#define SCRIPT_TIMES_MAX 8
#define SCRIPT_FOREVER   UINT32_MAX

enum script_answer {
    SCRIPT_LATER,
    SCRIPT_MISCONFIGURED, /* LATER, after a repair */
    SCRIPT_REJECT,
    SCRIPT_BREAK,  /* send returns -1 here; this item and the rest stay pending */
    SCRIPT_REFUSE, /* the same, with ERR_REFUSED */
    SCRIPT_MUTE,   /* the item stays pending, send returns 0 */
};

struct script_line {
    const char *match; /* what the body must hold; NULL: any */
    enum script_answer answer;
    uint32_t times; /* left; SCRIPT_FOREVER */
    uint32_t wait_ms;
};

struct script_target {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct script_line script[SCRIPT_LINES_MAX];
    size_t script_count;
    bool hold; /* send blocks while this is set, unless it may take a permit */
    size_t permits;
    size_t holding; /* 1 while a send is blocked */
    size_t sends, opens, closes, broken;
    bool fail_open;                   /* lane_open gives NULL */
    size_t *batches;                  /* sizes of the sends */
    const struct clock *clock;        /* NULL: times are not kept */
    uint64_t times[SCRIPT_TIMES_MAX]; /* of the first sends */
    char **done;                      /* "text0|body" of what was taken, in order */
    size_t done_count, cap;
    unsigned hops; /* of the last one */
};

static inline void script_init(struct script_target *f)
{
    *f = (struct script_target) { 0 };
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
}

static inline void script_clear(struct script_target *f)
{
    for (size_t i = 0; i < f->done_count; i++)
        free(f->done[i]);
    free(f->done);
    free(f->batches);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
}

static inline void script_say(struct script_target *f, const char *match, enum script_answer answer, uint32_t times,
                              uint32_t wait_ms)
{
    pthread_mutex_lock(&f->lock);
    f->script[f->script_count++] = (struct script_line) { match, answer, times, wait_ms };
    pthread_mutex_unlock(&f->lock);
}

static inline void script_forget_script(struct script_target *f)
{
    pthread_mutex_lock(&f->lock);
    f->script_count = 0;
    pthread_mutex_unlock(&f->lock);
}

static inline void script_hold(struct script_target *f, bool hold)
{
    pthread_mutex_lock(&f->lock);
    f->hold = hold;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* Let one held send go on. */
static inline void script_step(struct script_target *f)
{
    pthread_mutex_lock(&f->lock);
    f->permits++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* Wait until *counter (a member of f) has reached n. */
static inline void script_wait(struct script_target *f, const size_t *counter, size_t n)
{
    pthread_mutex_lock(&f->lock);
    while (*counter < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static inline size_t script_get(struct script_target *f, const size_t *counter)
{
    pthread_mutex_lock(&f->lock);
    size_t n = *counter;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* What was taken, joined by spaces; owned. */
static inline char *script_done(struct script_target *f)
{
    struct buf b;
    size_t len;
    buf_init(&b, SIZE_MAX);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->done_count; i++)
        buf_printf(&b, "%s%s", i ? " " : "", f->done[i]);
    pthread_mutex_unlock(&f->lock);
    return buf_detach(&b, &len);
}

static inline bool script_holds(const struct act_item *item, const char *match)
{
    return !match || memmem(item->body, item->body_len, match, strlen(match));
}

/* Locks: f->lock held. */
static inline struct script_line *script_line_for(struct script_target *f, const struct act_item *item)
{
    for (size_t i = 0; i < f->script_count; i++) {
        struct script_line *line = &f->script[i];
        if (line->times == 0 || !script_holds(item, line->match))
            continue;
        if (line->times != SCRIPT_FOREVER)
            line->times--;
        return line;
    }
    return NULL;
}

/* Locks: f->lock held. */
static inline void script_record(struct script_target *f, const struct act_item *item)
{
    if (f->done_count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->done = realloc(f->done, f->cap * sizeof(char *));
    }
    struct buf b;
    size_t len;
    buf_init(&b, SIZE_MAX);
    if (item->action) { /* opened with a template: see script_action_open */
        buf_put(&b, item->texts[0].p, item->texts[0].len);
        buf_putc(&b, '|');
    }
    buf_put(&b, item->body, item->body_len);
    f->done[f->done_count++] = buf_detach(&b, &len);
    f->hops = item->hops;
    pthread_cond_broadcast(&f->changed);
}

struct script_lane {
    struct script_target *target;
    bool broken;
};

static inline void *script_lane_open(void *target, struct err *e)
{
    struct script_target *f = target;
    pthread_mutex_lock(&f->lock);
    bool fail = f->fail_open;
    f->opens++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    struct script_lane *lane = fail ? NULL : calloc(1, sizeof(*lane));
    if (!lane)
        err_set(e, ERR_MEMORY, "no lane");
    else
        lane->target = f;
    return lane;
}

static inline void script_lane_close(void *lane)
{
    struct script_target *f = ((struct script_lane *)lane)->target;
    free(lane);
    pthread_mutex_lock(&f->lock);
    f->closes++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* Locks: f->lock held. False: the lane broke here. */
static inline bool script_answer_item(struct script_target *f, struct act_item *item, struct err *e)
{
    const struct script_line *line = script_line_for(f, item);
    if (!line) {
        item->result = ACT_DONE;
        script_record(f, item);
        return true;
    }
    switch (line->answer) {
    case SCRIPT_MISCONFIGURED:
        item->result = ACT_LATER;
        item->misconfigured = true;
        snprintf(item->reason, sizeof(item->reason), "no such table");
        return true;
    case SCRIPT_LATER:
    case SCRIPT_REJECT:
        item->result = line->answer == SCRIPT_LATER ? ACT_LATER : ACT_REJECTED;
        item->wait_ms = line->wait_ms;
        snprintf(item->reason, sizeof(item->reason), "%s", line->answer == SCRIPT_LATER ? "not now" : "never");
        return true;
    case SCRIPT_MUTE:
        return true;
    case SCRIPT_BREAK:
        err_set(e, ERR_UNREACHABLE, "connection lost");
        return false;
    case SCRIPT_REFUSE:
        err_set(e, ERR_REFUSED, "wrong password");
        return false;
    }
    return false;
}

static inline int script_send(void *lane_, struct act_item *const *items, size_t count, struct err *e)
{
    struct script_lane *lane = lane_;
    struct script_target *f = lane->target;
    if (lane->broken)
        abort(); /* a broken lane must not be used again */
    pthread_mutex_lock(&f->lock);
    f->batches = realloc(f->batches, (f->sends + 1) * sizeof(size_t));
    if (f->clock && f->sends < SCRIPT_TIMES_MAX)
        f->times[f->sends] = clock_monotonic_ms(f->clock);
    f->batches[f->sends++] = count;
    f->holding++;
    pthread_cond_broadcast(&f->changed);
    while (f->hold && f->permits == 0)
        pthread_cond_wait(&f->changed, &f->lock);
    f->permits -= f->hold;
    f->holding--;
    for (size_t i = 0; i < count && !lane->broken; i++)
        lane->broken = !script_answer_item(f, items[i], e);
    f->broken += lane->broken;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return lane->broken ? -1 : 0;
}

/* { to: template }, or { path: … } as the dead-letter store has it */
struct script_action {
    int to;
};

static inline void *script_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    const struct conf *to = conf_get(conf, "to") ? conf_get(conf, "to") : conf_get(conf, "path");
    struct script_action *a = to ? calloc(1, sizeof(*a)) : NULL;
    if (!a) {
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, conf->at, "no \"to\"");
        return NULL;
    }
    a->to = host->template_add(host, to, errs);
    if (a->to == 0)
        return a;
    free(a);
    return NULL;
}

static inline void script_action_close(void *action)
{
    free(action);
}

static inline void script_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    (void)action;
    buf_put(out, texts[0].p, texts[0].len);
}

#define SCRIPT_PORT                                                                                                    \
    .action_open = script_action_open, .action_close = script_action_close, .resource = script_resource,               \
    .lane_open = script_lane_open, .send = script_send, .lane_close = script_lane_close

#endif
