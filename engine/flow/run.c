/* SPDX-License-Identifier: Apache-2.0 */
/* Free lists of runs and deliveries. What goes back keeps its buffers unless they have grown beyond the usual, so one
 * huge message does not hold memory for ever. On the hot path: no lock, no allocation once warm. */
#include "engine/flow/run.h"

#include <stdlib.h>

#define RUN_KEEP      ((size_t)1024)
#define DELIVERY_KEEP ((size_t)4096)
#define BUFFER_KEEP   ((size_t)64 << 10)
#define BUFFER_MAX    ((size_t)1 << 30) /* SQL limits bound outputs and texts; this, documents about failures */

void run_pool_init(struct run_pool *p, struct queue *home, struct pressure *pressure, size_t kept_max)
{
    *p = (struct run_pool) { .home = home, .pressure = pressure, .kept_max = kept_max };
}

static void run_destroy(struct run *run)
{
    buf_clear(&run->body);
    free(run);
}

static void delivery_destroy(struct delivery *d)
{
    buf_clear(&d->text);
    free(d->texts);
    free(d);
}

void run_pool_clear(struct run_pool *p)
{
    for (struct run *run = p->runs, *next; run; run = next) {
        next = run->next;
        run_destroy(run);
    }
    for (struct delivery *d = p->deliveries, *next; d; d = next) {
        next = d->next;
        delivery_destroy(d);
    }
    *p = (struct run_pool) { 0 };
}

static struct run *take_run(struct run_pool *p)
{
    struct run *run = p->runs;
    if (run) {
        p->runs = run->next;
        p->run_count--;
        p->kept_bytes -= run->body.cap;
        return run;
    }
    run = calloc(1, sizeof(*run));
    if (run)
        buf_init(&run->body, BUFFER_MAX);
    return run;
}

struct run *run_open(struct run_pool *p, struct msg *m, const struct rule *rule)
{
    struct run *run = take_run(p);
    if (!run)
        return NULL;
    *run = (struct run) { .msg = m, .rule = rule, .next = m->runs, .body = run->body };
    buf_reset(&run->body);
    if (m->runs)
        m->runs->previous = run;
    m->runs = run;
    m->open++;
    return run;
}

static struct delivery *take_delivery(struct run_pool *p)
{
    struct delivery *d = p->deliveries;
    if (d) {
        p->deliveries = d->next;
        p->delivery_count--;
        p->kept_bytes -= d->text.cap;
        return d;
    }
    d = calloc(1, sizeof(*d));
    if (d)
        buf_init(&d->text, BUFFER_MAX);
    return d;
}

/* Of something that goes back. */
static void keep_buffer(struct run_pool *p, struct buf *b)
{
    if (b->cap > BUFFER_KEEP || b->cap > p->kept_max - p->kept_bytes)
        buf_clear(b);
    p->kept_bytes += b->cap;
}

static void give_delivery(struct run_pool *p, struct delivery *d)
{
    if (p->delivery_count >= DELIVERY_KEEP) {
        delivery_destroy(d);
        return;
    }
    keep_buffer(p, &d->text);
    d->next = p->deliveries;
    p->deliveries = d;
    p->delivery_count++;
}

static void give_run(struct run_pool *p, struct run *run)
{
    if (p->run_count >= RUN_KEEP) {
        run_destroy(run);
        return;
    }
    keep_buffer(p, &run->body);
    run->next = p->runs;
    p->runs = run;
    p->run_count++;
}

void run_close(struct run_pool *p, struct run *run)
{
    if (run->previous)
        run->previous->next = run->next;
    else
        run->msg->runs = run->next;
    if (run->next)
        run->next->previous = run->previous;
    pressure_drop(p->pressure, run->weight);
    run_empty(p, run);
    answers_clear(&run->answers);
    give_run(p, run);
}

void run_empty(struct run_pool *p, struct run *run)
{
    for (struct delivery *d = run->first, *next; d; d = next) {
        next = d->next;
        give_delivery(p, d);
    }
    run->first = run->last = NULL;
    buf_reset(&run->body);
}

static size_t weight_of(const struct run *run)
{
    size_t n = sizeof(*run) + run->body.cap;
    for (const struct delivery *d = run->first; d; d = d->next)
        n += sizeof(*d) + d->text.cap + d->text_cap * sizeof(*d->texts);
    return n;
}

void run_weigh(struct run_pool *p, struct run *run)
{
    size_t before = run->weight;
    run->weight = weight_of(run);
    if (run->weight > before)
        pressure_hold(p->pressure, run->weight - before);
    else
        pressure_drop(p->pressure, before - run->weight);
}

void run_drop_last(struct run_pool *p, struct run *run)
{
    struct delivery *last = run->last, *before = run->first == last ? NULL : run->first;
    while (before && before->next != last)
        before = before->next;
    if (before)
        before->next = NULL;
    else
        run->first = NULL;
    run->last = before;
    give_delivery(p, last);
}

static bool texts_reserve(struct delivery *d, size_t count)
{
    if (count <= d->text_cap)
        return true;
    struct act_text *texts = calloc(count, sizeof(*texts));
    if (!texts)
        return false;
    free(d->texts);
    d->texts = texts;
    d->text_cap = count;
    return true;
}

struct delivery *run_add(struct run_pool *p, struct run *run, enum delivery_role role, const struct rule_action *action,
                         size_t text_count)
{
    struct delivery *d = take_delivery(p);
    if (!d)
        return NULL;
    if (!texts_reserve(d, text_count)) {
        give_delivery(p, d);
        return NULL;
    }
    buf_reset(&d->text);
    for (size_t i = 0; i < text_count; i++)
        d->texts[i] = (struct act_text) { .p = "" };
    d->run = run;
    d->role = role;
    d->action = action;
    d->home = p->home;
    d->attempts = 0;
    d->next = NULL;
    /* What the error action takes leaves the order, as do dead letters. */
    d->place.key = role == DELIVERY_ACTION ? run->msg->key : 0;
    d->item.action = action ? action->action : NULL;
    d->item.body = run->body.p ? run->body.p : "";
    d->item.body_len = run->body.len;
    d->item.body_is_json = run->body_is_json;
    d->item.texts = d->texts;
    d->item.hops = run->msg->message.hops;
    d->item.key = d->place.key;
    d->item.result = ACT_PENDING;
    d->item.reason[0] = '\0';
    if (run->last)
        run->last->next = d;
    else
        run->first = d;
    run->last = d;
    return d;
}
