/* SPDX-License-Identifier: Apache-2.0 */
/* The sending end of the flow: one thread, one lane, one batch at a time.
 *
 * Order of a key. Deliveries of a key come in order (one worker pushes them) and leave `ready` from its front. One
 * that answers LATER parks its key; from then on the ones behind it are moved into its group when they come up. A
 * group that is due goes back to the front of `ready`, since whatever of its key is still there came later. When the
 * lane breaks, all of the batch that is not final goes back to the front. So an item never passes another one of its
 * key, except inside a single send, where order is the target's matter.
 *
 * Back-off. LATER concerns one key: it is parked with its own attempts counted. A broken lane concerns all: the lane
 * counts its failures in a row and nothing is tried before the wait is over. Both waits are read from the clock port.
 *
 * Only the thread touches what is not marked otherwise, so nearly nothing here needs a lock. */
#include "engine/flow/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/random.h"
#include "engine/base/thread.h"
#include "engine/flow/notice.h"
#include "engine/flow/stats.h"

#define SAY_AGAIN_MIN_MS 10000u
#define SAY_AGAIN_MAX_MS 3600000u

enum outbox_state {
    OUTBOX_OK,
    OUTBOX_DOWN,          /* the lane breaks */
    OUTBOX_REFUSED,       /* the lane breaks because the target refuses us: most likely configuration */
    OUTBOX_DELAYED,       /* the lane works, but some deliveries are to come later */
    OUTBOX_MISCONFIGURED, /* and some of them only after somebody has repaired something */
    OUTBOX_STATE_COUNT
};

static const struct {
    const char *name, *text;
    enum log_level level;
} states[] = {
    [OUTBOX_OK] = { "ok", "takes deliveries again", LOG_LEVEL_INFO },
    [OUTBOX_DOWN] = { "down", "is down, deliveries to it are kept and tried again", LOG_LEVEL_WARN },
    [OUTBOX_REFUSED] = { "refused", "refuses us, deliveries to it are kept and tried again", LOG_LEVEL_ERROR },
    [OUTBOX_DELAYED] = { "delayed", "puts deliveries off, they are kept and tried again", LOG_LEVEL_WARN },
    [OUTBOX_MISCONFIGURED] = { "misconfigured", "cannot take some deliveries, they are kept and tried again",
                               LOG_LEVEL_ERROR },
};
_Static_assert(sizeof(states) / sizeof(states[0]) == OUTBOX_STATE_COUNT, "one row per state");

struct status {
    pthread_mutex_t lock;
    enum outbox_state state;
    char reason[ACT_REASON_MAX];
    uint64_t delivered, rejected, retried;
};

struct outbox {
    struct outbox_conf conf;
    const struct target *target;
    const struct action_type *type;
    struct queue intake;
    atomic_size_t waiting; /* taken and not yet returned */
    atomic_uint_fast64_t full;
    struct status status; /* written by the thread, read by snapshots */
    pthread_t thread;
    bool started;

    struct queue_chain ready;
    struct park park;
    size_t misconfigured; /* of those taken: their last answer said so */
    struct delivery **batch;
    struct act_item **items; /* of the batch, as send wants them */
    size_t batch_max;
    int stop_fd;            /* eventfd(2): readable once the outbox is to end */
    void *lane;             /* NULL: to be opened before the next send */
    unsigned lane_failures; /* in a row */
    uint64_t lane_again_ms; /* no try before */
    struct random random;
    struct notice notices[OUTBOX_STATE_COUNT];
    uint64_t trouble_since_ms;
    bool told; /* the log says that there is trouble */
};

struct outbox *outbox_new(const struct outbox_conf *conf, const struct target *target, struct err *e)
{
    struct outbox *o = calloc(1, sizeof(*o));
    if (!o) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    o->conf = *conf;
    o->target = target;
    o->type = target->type;
    o->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->batch_max = o->type->batch_max ? o->type->batch_max : ACT_BATCH_MAX;
    o->batch = calloc(o->batch_max, sizeof(struct delivery *));
    o->items = calloc(o->batch_max, sizeof(struct act_item *));
    pthread_mutex_init(&o->status.lock, NULL);
    random_seed(&o->random, conf->seed);
    for (size_t i = 0; i < OUTBOX_STATE_COUNT; i++)
        notice_init(&o->notices[i], SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    if (!o->batch || !o->items) {
        err_set(e, ERR_MEMORY, "out of memory");
        goto fail;
    }
    if (o->stop_fd < 0) {
        err_set(e, ERR_IO, "could not make an eventfd: %s", strerror(errno));
        goto fail;
    }
    if (park_init(&o->park, e) < 0)
        goto fail;
    /* No bound of its own: deliveries are bounded by the gate and, through pressure, by conf.bound. */
    if (queue_init(&o->intake, SIZE_MAX, e) < 0) {
        park_clear(&o->park);
        goto fail;
    }
    return o;
fail:
    if (o->stop_fd >= 0)
        close(o->stop_fd);
    pthread_mutex_destroy(&o->status.lock);
    free(o->batch);
    free(o->items);
    free(o);
    return NULL;
}

static void leave(struct outbox *o, size_t count)
{
    if (count == 0)
        return;
    size_t before = atomic_fetch_sub(&o->waiting, count);
    if (before >= o->conf.bound && before - count < o->conf.bound)
        pressure_end(o->conf.pressure);
}

void outbox_push_quietly(struct outbox *o, struct delivery *d)
{
    d->attempts = 0;
    d->item.misconfigured = false;
    bool at_bound = atomic_fetch_add(&o->waiting, 1) + 1 == o->conf.bound;
    if (at_bound) {
        atomic_fetch_add(&o->full, 1);
        pressure_begin(o->conf.pressure);
    }
    if (!queue_push_quietly(&o->intake, &d->place.link))
        leave(o, 1); /* closed */
}

void outbox_nudge(struct outbox *o)
{
    queue_nudge(&o->intake);
}

void outbox_push(struct outbox *o, struct delivery *d)
{
    outbox_push_quietly(o, d);
    outbox_nudge(o);
}

/* What came, and what is due, into ready. Waits if there is nothing to send. False: closed. */
static bool gather(struct outbox *o)
{
    uint64_t now = clock_monotonic_ms(o->conf.clock);
    uint64_t until = now < o->lane_again_ms ? o->lane_again_ms : o->ready.first ? now : park_next_due(&o->park);
    uint64_t wait = until == UINT64_MAX ? QUEUE_FOREVER : until > now ? until - now : 0;
    struct queue_chain none = { 0 }, due = { 0 };
    if (!queue_take(&o->intake, &none, &o->ready, SIZE_MAX, wait))
        return false;
    assert(!none.first);
    park_release(&o->park, clock_monotonic_ms(o->conf.clock), &due);
    queue_chain_prepend(&o->ready, &due);
    return true;
}

static size_t fill_batch(struct outbox *o)
{
    size_t count = 0;
    while (count < o->batch_max && o->ready.first) {
        struct delivery *d = delivery_of(queue_chain_take(&o->ready));
        if (park_hold(&o->park, &d->place))
            continue;
        o->misconfigured -= d->item.misconfigured;
        d->item.misconfigured = false;
        d->item.result = ACT_PENDING;
        d->item.wait_ms = 0;
        d->item.reason[0] = '\0';
        o->batch[count] = d;
        o->items[count++] = &d->item;
    }
    return count;
}

static int open_lane(struct outbox *o, struct err *e)
{
    o->lane = o->type->lane_open(o->target->handle, e);
    if (!o->lane)
        return err_set(e, ERR_MEMORY, "the lane could not be opened");
    if (o->type->lane_stop_fd)
        o->type->lane_stop_fd(o->lane, o->stop_fd);
    return 0;
}

static int send_batch(struct outbox *o, size_t count, struct err *e)
{
    if (!o->lane && open_lane(o, e) < 0)
        return -1;
    if (o->type->send(o->lane, o->items, count, e) == 0)
        return 0;
    return err_set(e, ERR_UNREACHABLE, "the connection broke");
}

/* Every item has a final result or LATER with a reason. */
static void settle_results(struct outbox *o, size_t count, const struct err *broken)
{
    for (size_t i = 0; i < count; i++) {
        struct act_item *item = o->items[i];
        if (item->result == ACT_PENDING)
            snprintf(item->reason, sizeof(item->reason), "%s", broken ? broken->text : "the target gave no answer");
        if (item->result == ACT_PENDING || (item->result == ACT_REJECTED && o->conf.never_rejects))
            item->result = ACT_LATER;
        if (item->result != ACT_DONE && item->reason[0] == '\0')
            snprintf(item->reason, sizeof(item->reason), "the target gave no reason");
        item->misconfigured = item->misconfigured && item->result == ACT_LATER;
        o->misconfigured += item->misconfigured;
    }
}

/* Those from here on that are final and of one home go there. Returns how many. */
static size_t return_to(struct outbox *o, struct queue *home, size_t from, size_t count)
{
    struct queue_chain chain = { 0 };
    for (size_t i = from; i < count; i++) {
        struct delivery *d = o->batch[i];
        if (!d || d->item.result == ACT_LATER || d->home != home)
            continue;
        queue_chain_add(&chain, &d->place.link);
        o->batch[i] = NULL; /* once it is pushed it may be gone */
    }
    size_t n = chain.count;
    queue_push_urgent(home, &chain);
    return n;
}

/* Final ones go home, in one push for each home, so that a worker is woken once. Returns how many. */
static size_t return_final(struct outbox *o, size_t count)
{
    size_t final = 0;
    for (size_t i = 0; i < count; i++) {
        const struct delivery *d = o->batch[i];
        if (d && d->item.result != ACT_LATER)
            final += return_to(o, d->home, i, count);
    }
    return final;
}

static void park_later(struct outbox *o, size_t count, uint64_t now)
{
    for (size_t i = 0; i < count; i++) {
        struct delivery *d = o->batch[i];
        if (!d)
            continue;
        uint64_t delay = retry_delay_ms(&o->conf.retry, ++d->attempts, random_unit(&o->random), d->item.wait_ms);
        park_add(&o->park, &d->place, now + delay);
    }
}

/* The lane broke: what is left of the batch stays in front, and nothing is tried for a while. */
static void back_off(struct outbox *o, size_t count, bool some_final, uint64_t now)
{
    struct queue_chain again = { 0 };
    uint32_t wish_ms = 0;
    for (size_t i = 0; i < count; i++) {
        struct delivery *d = o->batch[i];
        if (!d)
            continue;
        d->attempts++;
        if (d->item.wait_ms > wish_ms)
            wish_ms = d->item.wait_ms;
        queue_chain_add(&again, &d->place.link);
    }
    queue_chain_prepend(&o->ready, &again);
    if (o->lane)
        o->type->lane_close(o->lane);
    o->lane = NULL;
    o->lane_failures = some_final ? 1 : o->lane_failures + 1;
    o->lane_again_ms = now + retry_delay_ms(&o->conf.retry, o->lane_failures, random_unit(&o->random), wish_ms);
}

struct tally {
    size_t done, rejected, later, retried;
    const char *reason; /* of the first LATER, rather a misconfigured one */
    bool loud;          /* it is one */
};

static struct tally count_results(const struct outbox *o, size_t count)
{
    struct tally t = { 0 };
    for (size_t i = 0; i < count; i++) {
        const struct act_item *item = o->items[i];
        t.done += item->result == ACT_DONE;
        t.rejected += item->result == ACT_REJECTED;
        t.later += item->result == ACT_LATER;
        t.retried += o->batch[i]->attempts > 0;
        if (item->result == ACT_LATER && (!t.reason || (item->misconfigured && !t.loud))) {
            t.reason = item->reason;
            t.loud = item->misconfigured;
        }
    }
    return t;
}

/* Locks: o->status.lock. */
static void write_status(struct outbox *o, const struct tally *t, enum outbox_state state, const char *reason)
{
    pthread_mutex_lock(&o->status.lock);
    o->status.state = state;
    snprintf(o->status.reason, sizeof(o->status.reason), "%s", reason ? reason : "");
    o->status.delivered += t->done;
    o->status.rejected += t->rejected;
    o->status.retried += t->retried;
    pthread_mutex_unlock(&o->status.lock);
}

/* Trouble is told when it begins and then at growing intervals; its end once. */
static void tell(struct outbox *o, enum outbox_state before, enum outbox_state state, const char *reason, uint64_t now)
{
    if (before == OUTBOX_OK && state != OUTBOX_OK)
        o->trouble_since_ms = now;
    uint64_t silent;
    bool say = state == OUTBOX_OK ? o->told : notice_due(&o->notices[state], now, &silent);
    if (state == OUTBOX_OK)
        o->told = false;
    else if (say)
        o->told = true;
    if (!say)
        return;
    char waiting[24], seconds[24];
    snprintf(waiting, sizeof(waiting), "%zu", outbox_waiting(o));
    snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(now - o->trouble_since_ms) / 1000);
    const char *fields[] = { "target",  o->target->name, "type",       o->type->name,
                             "waiting", waiting,         "forSeconds", before == OUTBOX_OK ? NULL : seconds,
                             "reason",  reason,          NULL };
    log_event(states[state].level, fields, "target \"%s\" %s", o->target->name, states[state].text);
}

static enum outbox_state state_after(const struct outbox *o, const struct tally *t, const struct err *broken)
{
    if (broken)
        return broken->code == ERR_REFUSED ? OUTBOX_REFUSED : OUTBOX_DOWN;
    if (o->misconfigured)
        return OUTBOX_MISCONFIGURED;
    return t->later || o->park.item_count ? OUTBOX_DELAYED : OUTBOX_OK;
}

/* Why the target is not well: what happened last, but not something harmless while a repair is waited for. */
static const char *reason_after(const struct outbox *o, const struct tally *t, enum outbox_state state)
{
    bool repair_waits = state == OUTBOX_MISCONFIGURED && o->status.state == OUTBOX_MISCONFIGURED;
    return t->reason && (t->loud || !repair_waits) ? t->reason : o->status.reason;
}

static void deliver(struct outbox *o, size_t count)
{
    struct err e = { 0 };
    const struct err *broken = send_batch(o, count, &e) < 0 ? &e : NULL;
    uint64_t now = clock_monotonic_ms(o->conf.clock);
    settle_results(o, count, broken);
    struct tally t = count_results(o, count);
    enum outbox_state before = o->status.state, state = state_after(o, &t, broken);
    char reason[ACT_REASON_MAX];
    snprintf(reason, sizeof(reason), "%s", broken ? broken->text : reason_after(o, &t, state));
    write_status(o, &t, state, state == OUTBOX_OK ? NULL : reason);

    leave(o, t.done + t.rejected);
    size_t final = return_final(o, count);
    if (broken) {
        back_off(o, count, final > 0, now);
    } else {
        o->lane_failures = 0;
        park_later(o, count, now);
    }
    tell(o, before, state, state == OUTBOX_OK ? NULL : reason, now);
}

static void *outbox_run(void *ctx)
{
    struct outbox *o = ctx;
    while (gather(o)) {
        if (clock_monotonic_ms(o->conf.clock) < o->lane_again_ms)
            continue; /* woken by an arrival while the lane waits */
        size_t count = fill_batch(o);
        if (count)
            deliver(o, count);
    }
    if (o->lane)
        o->type->lane_close(o->lane);
    o->lane = NULL;
    return NULL;
}

int outbox_start(struct outbox *o, struct err *e)
{
    if (thread_start(&o->thread, o->target->name, outbox_run, o, e) < 0)
        return -1;
    o->started = true;
    return 0;
}

void outbox_wake(struct outbox *o)
{
    queue_wake(&o->intake);
}

void outbox_close(struct outbox *o)
{
    uint64_t one = 1;
    if (write(o->stop_fd, &one, sizeof(one)) < 0)
        log_debug("could not end a send of target \"%s\": %s", o->target->name, strerror(errno));
    queue_close(&o->intake);
}

void outbox_join(struct outbox *o)
{
    if (o->started)
        pthread_join(o->thread, NULL);
    o->started = false;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    struct queue_chain rest = { 0 };
    queue_drain(&o->intake, &rest);
    park_release(&o->park, UINT64_MAX, &rest);
    queue_clear(&o->intake);
    park_clear(&o->park);
    pthread_mutex_destroy(&o->status.lock);
    close(o->stop_fd);
    free(o->batch);
    free(o->items);
    free(o);
}

size_t outbox_waiting(const struct outbox *o)
{
    return atomic_load(&o->waiting);
}

void outbox_read(struct outbox *o, struct stats_target *to)
{
    *to = (struct stats_target) { .name = o->target->name, .type = o->type->name };
    to->waiting = outbox_waiting(o);
    to->full = atomic_load(&o->full);
    pthread_mutex_lock(&o->status.lock);
    to->state = states[o->status.state].name;
    snprintf(to->reason, sizeof(to->reason), "%s", o->status.reason);
    to->delivered = o->status.delivered;
    to->rejected = o->status.rejected;
    to->retried = o->status.retried;
    pthread_mutex_unlock(&o->status.lock);
}
