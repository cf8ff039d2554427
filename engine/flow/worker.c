/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a worker: deliveries that came home first, then messages. On the hot path: once warm, runs, deliveries
 * and their buffers come from the pool, so that evaluating takes nothing from the heap; locks are those of counters
 * and queues, each short.
 *
 * Under pressure (an outbox at its bound) no message is begun; the lane keeps them. Deliveries that come home are
 * handled always: they are what relieves the pressure. */
#include "engine/flow/worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/flow/thread.h"
#include "engine/flow/worker_int.h"

#define WORKER_TAKE      64 /* messages between two looks at what came home */
#define SAY_AGAIN_MIN_MS 1000u
#define SAY_AGAIN_MAX_MS 60000u
#define SAY_TOPIC_MAX    128
#define SCRATCH_MAX      ((size_t)16 << 20)

struct worker *worker_new(const struct worker_env *env, size_t number, size_t lane_max, struct err *e)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    w->env = env;
    w->number = number;
    w->machine = sql_machine_new(&env->limits);
    if (!w->machine)
        err_set(e, ERR_MEMORY, "out of memory");
    if (!w->machine || queue_init(&w->queue, lane_max, e) < 0) {
        sql_machine_free(w->machine);
        free(w);
        return NULL;
    }
    run_pool_init(&w->pool, &w->queue);
    buf_init(&w->scratch, SCRATCH_MAX);
    notice_init(&w->failed, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    notice_init(&w->unparsed, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    notice_init(&w->dead, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    return w;
}

/* --- settlement --- */

static void message_begin(struct worker *w, struct msg *m)
{
    m->open = 1;
    m->next = w->messages;
    if (w->messages)
        w->messages->previous = m;
    w->messages = m;
}

static void message_forget(struct worker *w, struct msg *m)
{
    if (m->previous)
        m->previous->next = m->next;
    else
        w->messages = m->next;
    if (m->next)
        m->next->previous = m->previous;
    msg_free(m);
}

/* One thing less to wait for; the last one settles the message. Counted first, so that nobody sees a token before its
 * count. */
static void message_release(struct worker *w, struct msg *m)
{
    if (--m->open > 0)
        return;
    stats_settled(w->env->stats, w->number, m->origin->index);
    msg_settle(m);
    message_forget(w, m);
    gate_leave(w->env->gate);
}

void worker_run_end(struct worker *w, struct run *run, enum run_state state)
{
    struct msg *m = run->msg;
    stats_run_ended(w->env->stats, w->number, run->rule->stats, state);
    run_close(&w->pool, run);
    message_release(w, m);
}

/* --- evaluation --- */

void worker_say(struct worker *w, struct notice *n, const struct rule *rule, const struct message *m, const char *what,
                const char *reason)
{
    uint64_t silent;
    if (!notice_due(n, clock_monotonic_ms(w->env->clock), &silent))
        return;
    char topic[SAY_TOPIC_MAX], more[24];
    size_t len = m->topic_len < sizeof(topic) - 1 ? m->topic_len : sizeof(topic) - 1;
    snprintf(topic, sizeof(topic), "%.*s", (int)utf8_valid_prefix(m->topic, len), m->topic);
    snprintf(more, sizeof(more), "%llu", (unsigned long long)silent);
    const char *fields[] = {
        "rule", rule->name, "topic", topic, "reason", reason, "unsaid", silent ? more : NULL, NULL
    };
    log_event(LOG_LEVEL_WARN, fields, "%s", what);
}

struct sql_env worker_sql_env(const struct worker *w, const struct rule *rule)
{
    return (struct sql_env) { .rule_name = rule->name, .account_id = w->env->account_id };
}

static int render_texts(struct worker *w, struct delivery *d, struct err *e)
{
    const struct rule_action *action = d->action;
    const struct rule *rule = d->run->rule;
    struct sql_env env = worker_sql_env(w, rule);
    for (size_t i = 0; i < action->template_count; i++) {
        size_t from = d->text.len;
        struct act_text *text = &d->texts[i];
        *text = (struct act_text) { 0 };
        if (sql_machine_render(w->machine, rule->sql, action->templates[i], &env, &d->text, &text->is_null, e) < 0)
            return -1;
        text->len = d->text.len - from;
    }
    if (d->text.failed)
        return err_set(e, ERR_LIMIT, "the action's parameters are too long");
    const char *at = d->text.p ? d->text.p : ""; /* only now the buffer stays where it is */
    for (size_t i = 0; i < action->template_count; i++) {
        d->texts[i].p = at;
        at += d->texts[i].len;
    }
    return 0;
}

void worker_reject(struct delivery *d, const char *reason)
{
    for (size_t i = 0; i < d->action->template_count; i++)
        d->texts[i] = (struct act_text) { .p = "" };
    d->item.result = ACT_REJECTED;
    snprintf(d->item.reason, sizeof(d->item.reason), "%s", reason);
}

bool worker_render(struct worker *w, struct delivery *d)
{
    struct err e = { 0 };
    if (render_texts(w, d, &e) == 0)
        return true;
    worker_reject(d, e.text);
    return false;
}

/* The output and one delivery for each action. -1: the evaluation failed. */
static int run_fill(struct worker *w, struct run *run, struct err *e)
{
    if (sql_machine_output(w->machine, &run->body, &run->body_is_json, e) < 0)
        return -1;
    if (run->body.failed)
        return err_set(e, ERR_LIMIT, "the output is too long");
    for (size_t i = 0; i < run->rule->action_count; i++) {
        const struct rule_action *action = &run->rule->actions[i];
        struct delivery *d = run_add(&w->pool, run, DELIVERY_ACTION, action, action->template_count);
        if (!d)
            return err_set(e, ERR_MEMORY, "out of memory");
        worker_render(w, d);
    }
    return 0;
}

static void actions_done(struct worker *w, struct run *run)
{
    bool rejected = false;
    for (struct delivery *d = run->first; d; d = d->next)
        rejected = rejected || d->item.result == ACT_REJECTED;
    if (rejected)
        worker_run_failed(w, run);
    else
        worker_run_end(w, run, RUN_DELIVERED);
}

/* Into the outboxes. They cannot come back before this thread asks for them. */
static void run_dispatch(struct worker *w, struct run *run)
{
    for (struct delivery *d = run->first; d; d = d->next) {
        if (d->item.result == ACT_REJECTED) { /* its templates failed */
            stats_action(w->env->stats, w->number, run->rule->stats, d->action->target->type, false);
            continue;
        }
        run->pending++;
        outbox_push(d->action->target->outbox, d);
    }
    if (run->pending == 0)
        actions_done(w, run);
}

static struct run *run_make(struct worker *w, struct msg *m, const struct rule *rule, struct err *e)
{
    struct run *run = run_open(&w->pool, m, rule);
    if (!run) {
        err_set(e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (run_fill(w, run, e) == 0)
        return run;
    run_close(&w->pool, run);
    m->open--;
    return NULL;
}

static enum run_state state_without_run(enum sql_outcome outcome)
{
    if (outcome == SQL_MATCHED)
        return RUN_DELIVERED; /* the rule has no actions */
    return outcome == SQL_FILTERED ? RUN_FILTERED : RUN_FAILED;
}

/* One rule on one message, and its counters. */
static void evaluate(struct worker *w, struct msg *m, const struct rule *rule)
{
    struct err e = { 0 }, parse = { 0 };
    struct sql_env env = worker_sql_env(w, rule);
    enum sql_outcome outcome = sql_machine_run(w->machine, rule->sql, &env, &e);
    struct run *run = NULL;
    if (outcome == SQL_MATCHED && rule->action_count > 0) {
        run = run_make(w, m, rule, &e);
        if (!run)
            outcome = SQL_FAILED;
    }
    bool unparsed = sql_machine_parse_failed(w->machine, &parse); /* by this rule and its templates */
    enum run_state state = run ? RUN_IN_FLIGHT : state_without_run(outcome);
    stats_run_began(w->env->stats, w->number, rule->stats, state, unparsed);
    if (unparsed)
        worker_say(w, &w->unparsed, rule, &m->message, "payload is not JSON", parse.text);
    if (state == RUN_FAILED)
        worker_say(w, &w->failed, rule, &m->message, "rule was aborted", e.text);
    if (run)
        run_dispatch(w, run);
}

static void evaluate_none(struct worker *w, const struct msg *m, const struct err *e)
{
    for (size_t i = 0; i < m->rule_count; i++) {
        const struct rule *rule = &m->ruleset->rules[m->rules[i]];
        stats_run_began(w->env->stats, w->number, rule->stats, RUN_FAILED, false);
        worker_say(w, &w->failed, rule, &m->message, "rule was aborted", e->text);
    }
}

static void handle_message(struct worker *w, struct msg *m)
{
    struct err e = { 0 };
    message_begin(w, m);
    if (sql_machine_begin(w->machine, m->ruleset->paths, &m->message, &e) < 0) {
        evaluate_none(w, m, &e);
    } else {
        for (size_t i = 0; i < m->rule_count; i++)
            evaluate(w, m, &m->ruleset->rules[m->rules[i]]);
    }
    message_release(w, m);
}

/* --- deliveries that come home --- */

static void handle_returned(struct worker *w, struct delivery *d)
{
    struct run *run = d->run;
    bool done = d->item.result == ACT_DONE;
    switch (d->role) {
    case DELIVERY_ACTION:
        stats_action(w->env->stats, w->number, run->rule->stats, d->action->target->type, done);
        if (--run->pending == 0)
            actions_done(w, run);
        break;
    case DELIVERY_ERROR_ACTION:
        stats_error_action(w->env->stats, w->number, run->rule->stats, done);
        if (done)
            worker_run_end(w, run, RUN_DELIVERED);
        else
            worker_run_dead(w, run);
        break;
    case DELIVERY_DEAD_LETTER:
        worker_run_end(w, run, RUN_DEAD);
        break;
    }
}

/* --- the thread --- */

/* Wait for work. False: closed (what came home is still handled). */
static bool gather(struct worker *w, struct queue_chain *home)
{
    bool pressed = outbox_pressure_is_on(w->env->pressure);
    bool busy = w->backlog.first && !pressed;
    size_t most = pressed || w->backlog.first ? 0 : WORKER_TAKE;
    return queue_take(&w->queue, home, &w->backlog, most, busy ? 0 : QUEUE_FOREVER);
}

static void *worker_run(void *ctx)
{
    struct worker *w = ctx;
    for (bool open = true; open;) {
        struct queue_chain home = { 0 };
        open = gather(w, &home);
        struct queue_link *link;
        while ((link = queue_chain_take(&home)))
            handle_returned(w, delivery_of(link));
        while (open && !outbox_pressure_is_on(w->env->pressure) && (link = queue_chain_take(&w->backlog)))
            handle_message(w, QUEUE_ITEM(link, struct msg, link));
    }
    return NULL;
}

int worker_start(struct worker *w, struct err *e)
{
    char name[32];
    snprintf(name, sizeof(name), "worker %zu", w->number);
    if (thread_start(&w->thread, name, worker_run, w, e) < 0)
        return -1;
    w->started = true;
    return 0;
}

bool worker_push(struct worker *w, struct msg *m)
{
    return queue_push(&w->queue, &m->link);
}

void worker_wake(struct worker *w)
{
    queue_wake(&w->queue);
}

void worker_close(struct worker *w)
{
    queue_close(&w->queue);
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    struct queue_chain home = { 0 };
    queue_take(&w->queue, &home, &home, 0, 0); /* their memory is the runs' */
    queue_drain(&w->queue, &w->backlog);
    for (struct queue_link *link; (link = queue_chain_take(&w->backlog));)
        msg_free(QUEUE_ITEM(link, struct msg, link));
    while (w->messages) {
        while (w->messages->runs)
            run_close(&w->pool, w->messages->runs);
        message_forget(w, w->messages);
    }
    run_pool_clear(&w->pool);
    queue_clear(&w->queue);
    sql_machine_free(w->machine);
    buf_clear(&w->scratch);
    free(w);
}
