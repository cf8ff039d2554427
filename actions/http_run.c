/* SPDX-License-Identifier: Apache-2.0 */
/* Planning is one pass over the items with an index from key to the key's last item. A job waits for items, not for
 * jobs, so that a batch that a server refuses can be sent again item by item: only the bad one is rejected then.
 *
 * A job only waits for jobs before it in the list, so nothing waits in a circle. */
#include "actions/http_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/utf8.h"

#define NONE        UINT32_MAX
#define LOOK_BACK   64  /* jobs that an item may still join */
#define RUNNING_MAX 256 /* requests at once, to all hosts */
#define ARENA_MAX   ((size_t)256 << 20)
#define SHOWN_MAX   120 /* bytes of an answer in a reason */
#define SCRUB_MIN   4   /* shorter secrets would blot out plain text */
#define BUCKETS_MIN 64

/* One request, or several one after the other when a batch is taken apart. items[from .. from + size) are the present
 * one's. */
struct job {
    uint32_t *items; /* indexes into the send; in the arena */
    uint32_t count, room;
    uint32_t from, size;
    size_t bytes; /* of all bodies */
    bool is_running, is_done;
    struct host *host; /* NULL: not known yet */
};

/* A host of the present send. */
struct host {
    const char *origin;
    size_t len;
    size_t running;
    bool is_away; /* nothing more to it in this send */
    enum http_outcome outcome;
    char text[HTTP_TEXT_MAX];
    struct host *next;
};

struct http_run {
    const struct http_settings *set;
    const struct http_maker *maker;
    struct http_link *link;
    struct arena arena; /* requests of the present send */
    struct buf shown;

    /* of the present send */
    struct act_item *const *items;
    size_t count;
    uint32_t *before; /* the item before it with the same key; NONE */
    uint32_t *job_of;
    struct job *jobs;
    size_t job_count, first_open;
    size_t homeless; /* jobs whose host is not known yet */
    size_t room;     /* of before, job_of and jobs */
    uint32_t *buckets, *chain;
    size_t bucket_count;
    uint64_t last_start_ms;
    struct host *hosts; /* in the arena */
    size_t answers;     /* requests that a server answered in some way */
    size_t refused;     /* by HTTP_MISCONFIGURED */
    size_t other;       /* LATER for a reason that is not the host's absence */
    char refusal[ACT_REASON_MAX];
};

void http_run_free(struct http_run *r)
{
    if (!r)
        return;
    http_link_free(r->link);
    arena_clear(&r->arena);
    buf_clear(&r->shown);
    free(r->before);
    free(r->job_of);
    free(r->jobs);
    free(r->buckets);
    free(r->chain);
    free(r);
}

struct http_run *http_run_new(const struct http_settings *settings, const struct http_maker *maker)
{
    struct http_run *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->set = settings;
    r->maker = maker;
    arena_init(&r->arena, ARENA_MAX);
    buf_init(&r->shown, ARENA_MAX);
    r->link = http_link_new(settings);
    if (r->link)
        return r;
    http_run_free(r);
    return NULL;
}

void http_run_stop_on(struct http_run *r, int fd)
{
    http_link_stop_on(r->link, fd);
}

/* --- planning --- */

static bool grow(void *list, size_t count, size_t size)
{
    void **at = list;
    void *p = reallocarray(*at, count, size);
    if (p)
        *at = p;
    return p != NULL;
}

static int reserve(struct http_run *r, size_t count, struct err *e)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < count)
        buckets *= 2;
    if (count > r->room) {
        if (!grow(&r->before, count, sizeof(*r->before)) || !grow(&r->job_of, count, sizeof(*r->job_of)) ||
            !grow(&r->jobs, count, sizeof(*r->jobs)) || !grow(&r->chain, count, sizeof(*r->chain)) ||
            !grow(&r->buckets, buckets, sizeof(*r->buckets)))
            return err_set(e, ERR_MEMORY, "not enough memory for %zu items", count);
        r->room = count;
        r->bucket_count = buckets;
    }
    for (size_t i = 0; i < r->bucket_count; i++)
        r->buckets[i] = NONE;
    return 0;
}

/* The last item with this item's key so far, and this one in its place. Keys are hashes already. */
static uint32_t replace_last(struct http_run *r, uint32_t i)
{
    uint64_t key = r->items[i]->key;
    if (key == 0)
        return NONE;
    uint32_t *at = &r->buckets[key & (r->bucket_count - 1)];
    while (*at != NONE && r->items[*at]->key != key)
        at = &r->chain[*at];
    uint32_t last = *at;
    r->chain[i] = last == NONE ? NONE : r->chain[last];
    *at = i;
    return last;
}

static bool job_takes(const struct http_run *r, const struct job *job, const struct act_item *item)
{
    const struct http_maker *m = r->maker;
    return m->joins && m->joins(m->ctx, r->items[job->items[0]], job->count, job->bytes, item);
}

static int job_add(struct http_run *r, struct job *job, uint32_t i, struct err *e)
{
    if (job->count == job->room) {
        uint32_t room = job->room ? job->room * 2 : 1;
        uint32_t *items = arena_grow(&r->arena, job->items, job->room * sizeof(*items), room * sizeof(*items));
        if (!items)
            return err_set(e, ERR_MEMORY, "not enough memory for a batch");
        job->items = items;
        job->room = room;
    }
    job->items[job->count++] = i;
    job->bytes += r->items[i]->body_len;
    job->size = job->count;
    r->job_of[i] = (uint32_t)(job - r->jobs);
    return 0;
}

/* A job that the item may join: not one before that of the item which it has to follow. */
static struct job *find_job(const struct http_run *r, uint32_t i)
{
    size_t lowest = r->before[i] == NONE ? 0 : r->job_of[r->before[i]];
    for (size_t n = r->job_count, looked = 0; n > lowest && looked < LOOK_BACK; n--, looked++) {
        if (job_takes(r, &r->jobs[n - 1], r->items[i]))
            return &r->jobs[n - 1];
    }
    return NULL;
}

static int plan(struct http_run *r, struct err *e)
{
    for (uint32_t i = 0; i < r->count; i++) {
        r->before[i] = replace_last(r, i);
        struct job *job = find_job(r, i);
        if (!job) {
            job = &r->jobs[r->job_count++];
            *job = (struct job) { 0 };
        }
        if (job_add(r, job, i, e) < 0)
            return -1;
    }
    return 0;
}

/* --- results --- */

/* Overwrite a secret wherever it stands in the text that is to be shown. */
static void scrub(struct buf *text, const char *secret)
{
    size_t len = strlen(secret);
    char *p = text->p;
    while (len >= SCRUB_MIN && (p = memmem(p, text->len - (size_t)(p - text->p), secret, len)) != NULL) {
        memset(p, '*', len);
        p += len;
    }
}

/* The beginning of what the server said, in one line, without secrets. "" if it is no text. */
static const char *shown_body(struct http_run *r, const struct http_answer *a)
{
    buf_reset(&r->shown);
    buf_put(&r->shown, a->body, a->body_len);
    if (a->passed_limit || r->shown.failed || a->body_len == 0 || !utf8_is_valid(a->body, a->body_len))
        return "";
    for (const char *const *s = r->maker->secrets(r->maker->ctx); *s; s++)
        scrub(&r->shown, *s);
    for (size_t i = 0; i < r->shown.len; i++) {
        if ((unsigned char)r->shown.p[i] < 0x20 || r->shown.p[i] == 0x7f)
            r->shown.p[i] = ' ';
    }
    if (r->shown.len > SHOWN_MAX)
        r->shown.p[utf8_valid_prefix(r->shown.p, SHOWN_MAX)] = '\0';
    return r->shown.p;
}

static void settle(struct act_item *item, enum http_verdict verdict, const char *reason, uint32_t wait_ms)
{
    if (verdict == HTTP_DONE)
        item_done(item);
    else if (verdict == HTTP_REJECTED)
        item_reject(item, "%s", reason);
    else if (verdict == HTTP_MISCONFIGURED)
        item_misconfigured(item, "%s", reason);
    else
        item_later(item, "%s", reason);
    if (item->result == ACT_LATER)
        item->wait_ms = wait_ms;
}

static void settle_job(struct http_run *r, const struct job *job, enum http_verdict verdict, const char *reason,
                       uint32_t wait_ms)
{
    for (uint32_t i = job->from; i < job->from + job->size; i++)
        settle(r->items[job->items[i]], verdict, reason, wait_ms);
}

/* The present request of the job is settled: on to the next one of a batch that is taken apart. */
static void job_advance(struct job *job)
{
    job->from += job->size;
    job->size = job->from < job->count ? 1 : 0;
    job->is_done = job->size == 0;
}

static void take_status(struct http_run *r, struct job *job, const struct http_answer *a)
{
    char reason[ACT_REASON_MAX];
    enum http_verdict verdict = r->maker->verdict(a->status);
    if (verdict == HTTP_DONE && a->passed_limit)
        verdict = HTTP_REJECTED;
    if (verdict == HTTP_REJECTED && job->size > 1 && !a->passed_limit) {
        job->size = 1; /* which of them is it? */
        return;
    }
    const char *body = verdict == HTTP_DONE ? "" : shown_body(r, a);
    if (a->passed_limit)
        snprintf(reason, sizeof(reason), "the server answered %d with more than %zu bytes", a->status, a->passed_limit);
    else
        snprintf(reason, sizeof(reason), "the server answered %d%s%.200s", a->status, body[0] ? ": " : "", body);
    settle_job(r, job, verdict, reason, a->wait_ms);
    r->other += verdict == HTTP_LATER;
    r->refused += verdict == HTTP_MISCONFIGURED;
    r->answers += verdict != HTTP_MISCONFIGURED;
    if (verdict == HTTP_MISCONFIGURED)
        snprintf(r->refusal, sizeof(r->refusal), "%s", reason);
    job_advance(job);
}

/* Nothing more to this host in this send. */
static void note_away(struct host *host, const struct http_answer *a)
{
    host->is_away = true;
    host->outcome = a->outcome;
    memcpy(host->text, a->text, sizeof(host->text));
}

static const enum http_verdict outcome_verdicts[] = {
    [HTTP_UNREACHABLE] = HTTP_LATER, [HTTP_UNTRUSTED] = HTTP_MISCONFIGURED, [HTTP_SLOW] = HTTP_LATER,
    [HTTP_BROKEN] = HTTP_LATER,      [HTTP_FORBIDDEN] = HTTP_REJECTED,
};

static void take_failure(struct http_run *r, struct job *job, const struct http_answer *a)
{
    if (a->outcome == HTTP_UNREACHABLE || a->outcome == HTTP_UNTRUSTED || a->outcome == HTTP_SLOW)
        note_away(job->host, a);
    r->other += a->outcome == HTTP_BROKEN || a->outcome == HTTP_SLOW;
    r->answers += a->outcome == HTTP_FORBIDDEN;
    settle_job(r, job, outcome_verdicts[a->outcome], a->text, 0);
    job_advance(job);
}

static void take_answer(struct http_run *r, struct job *job, const struct http_answer *a)
{
    job->is_running = false;
    job->host->running--;
    if (a->outcome == HTTP_ANSWERED)
        take_status(r, job, a);
    else
        take_failure(r, job, a);
}

/* --- starting --- */

enum readiness { READY, WAITS, HELD };

/* May the item be sent, as far as the one before it is concerned? One in the same request does not count. */
static enum readiness item_readiness(const struct http_run *r, const struct job *job, uint32_t i)
{
    uint32_t before = r->before[i];
    if (before == NONE)
        return READY;
    for (uint32_t k = job->from; k < job->from + job->size; k++) {
        if (job->items[k] == before)
            return READY;
    }
    enum act_result result = r->items[before]->result;
    return result == ACT_PENDING ? WAITS : result == ACT_LATER ? HELD : READY;
}

/* Does an item of the present request wait for one that has no result yet? */
static bool job_waits(const struct http_run *r, const struct job *job)
{
    for (uint32_t k = job->from; k < job->from + job->size; k++) {
        if (item_readiness(r, job, job->items[k]) == WAITS)
            return true;
    }
    return false;
}

/* Settle those items of the present request that are held back, and take them out of it. */
static void drop_held(struct http_run *r, struct job *job)
{
    for (uint32_t k = job->from; k < job->from + job->size;) {
        uint32_t i = job->items[k];
        if (item_readiness(r, job, i) == READY) {
            k++;
            continue;
        }
        item_later(r->items[i], "an earlier message of its key is to be sent first");
        memmove(&job->items[k], &job->items[k + 1], (job->count - k - 1) * sizeof(*job->items));
        job->count--;
        job->size--;
        k = job->from; /* what followed it in this request is held back now too */
    }
}

/* Is there a request that may be sent now? */
static bool job_is_ready(struct http_run *r, struct job *job)
{
    while (!job->is_done && !job_waits(r, job)) {
        drop_held(r, job);
        if (job->size > 0)
            return true;
        job_advance(job);
    }
    return false;
}

static int make_request(struct http_run *r, const struct job *job, struct http_request *q, struct err *e)
{
    struct act_item **items = arena_array(&r->arena, job->size, sizeof(struct act_item *));
    if (!items)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    for (uint32_t k = 0; k < job->size; k++)
        items[k] = r->items[job->items[job->from + k]];
    return r->maker->make(r->maker->ctx, items, job->size, &r->arena, q, e);
}

static struct host *find_host(struct http_run *r, const char *origin, size_t len)
{
    struct host *host = r->hosts;
    while (host && (host->len != len || memcmp(host->origin, origin, len) != 0))
        host = host->next;
    if (host)
        return host;
    host = arena_zalloc(&r->arena, sizeof(*host));
    if (host) {
        *host = (struct host) { .origin = origin, .len = len, .next = r->hosts };
        r->hosts = host;
    }
    return host;
}

/* The request could not be made, or not be begun. */
static void take_error(struct http_run *r, struct job *job, const struct err *e)
{
    bool is_bad = e->code == ERR_TEMPLATE;
    if (is_bad && job->size > 1) {
        job->size = 1; /* one of them may be to blame */
        return;
    }
    r->other += !is_bad;
    settle_job(r, job, is_bad ? HTTP_REJECTED : HTTP_LATER, e->text, 0);
    job_advance(job);
}

static bool may_begin(const struct http_run *r, const struct host *host)
{
    return host->running < (size_t)r->set->connections && http_link_running(r->link) < RUNNING_MAX &&
           clock_monotonic_ms(r->set->clock) <= r->last_start_ms;
}

/* Begin the job's present request, or settle it without one. False: not now. */
static bool start(struct http_run *r, struct job *job)
{
    struct http_request q = { 0 };
    struct err e = { 0 };
    if (job->host && job->host->is_away) {
        settle_job(r, job, outcome_verdicts[job->host->outcome], job->host->text, 0);
        job_advance(job);
        return true;
    }
    if (job->host && !may_begin(r, job->host))
        return false;
    if (make_request(r, job, &q, &e) < 0) {
        take_error(r, job, &e);
        return true;
    }
    if (!job->host) { /* now it is known; look again */
        job->host = find_host(r, q.url, q.origin_len);
        r->homeless -= job->host != NULL;
        if (job->host && (job->host->is_away || !may_begin(r, job->host)))
            return job->host->is_away;
    }
    if (!job->host)
        err_set(&e, ERR_MEMORY, "not enough memory for a request");
    else
        job->is_running = http_link_start(r->link, &q, job, &e) == 0;
    if (job->is_running)
        job->host->running++;
    else
        take_error(r, job, &e);
    return true;
}

/* Could any job begin? Not while all have hosts with as many requests as they may have: the usual case after each answer. */
static bool has_room(const struct http_run *r)
{
    const struct host *host = r->hosts;
    while (host && !host->is_away && host->running >= (size_t)r->set->connections)
        host = host->next;
    return host || r->homeless > 0;
}

/* Begin what may begin. */
static void start_jobs(struct http_run *r)
{
    for (size_t n = r->first_open; n < r->job_count && has_room(r); n++) {
        struct job *job = &r->jobs[n];
        while (!job->is_done && !job->is_running && job_is_ready(r, job) && start(r, job))
            ;
        if (n == r->first_open && job->is_done)
            r->first_open++;
    }
}

static void run_jobs(struct http_run *r)
{
    struct http_answer answer;
    for (;;) {
        if (!http_link_is_stopped(r->link))
            start_jobs(r);
        struct job *job = http_link_wait(r->link, &answer);
        if (!job)
            return;
        take_answer(r, job, &answer);
    }
}

/* --- send --- */

/* Is it the one host's fault alone? Then its items wait together. */
static int tell_away(struct http_run *r, struct err *e)
{
    const struct host *host = r->hosts;
    bool one_host = host && !host->next;
    bool away = one_host && host->is_away && host->outcome != HTTP_SLOW && r->refused == 0;
    bool only_refused = one_host && !host->is_away && r->refused > 0;
    if (r->answers > 0 || r->other > 0 || (!away && !only_refused))
        return 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i]->result == ACT_LATER)
            items_start(&r->items[i], 1);
    }
    if (only_refused)
        return err_set(e, ERR_REFUSED, "%s", r->refusal);
    return err_set(e, host->outcome == HTTP_UNTRUSTED ? ERR_REFUSED : ERR_UNREACHABLE, "%s", host->text);
}

static void begin(struct http_run *r, struct act_item *const *items, size_t count)
{
    arena_reset(&r->arena);
    items_start(items, count);
    r->items = items;
    r->count = count;
    r->job_count = r->first_open = 0;
    r->hosts = NULL;
    r->answers = r->refused = r->other = 0;
    r->last_start_ms = clock_monotonic_ms(r->set->clock) + (uint64_t)r->set->timeout_ms;
}

int http_run_send(struct http_run *r, struct act_item *const *items, size_t count, struct err *e)
{
    begin(r, items, count);
    if (reserve(r, count, e) < 0 || plan(r, e) < 0)
        return -1;
    r->homeless = r->job_count;
    run_jobs(r);
    if (http_link_is_stopped(r->link) && items_any_pending(items, count))
        return err_set(e, ERR_UNREACHABLE, "stopped before the server answered");
    int rc = tell_away(r, e);
    if (rc == 0)
        items_later(items, count, "the time for one batch is used up");
    return rc;
}
