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
#include "engine/base/thread.h"
#include "engine/base/utf8.h"
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
    if (answer_box_init(&w->box, env->lookups, &w->queue, e) < 0) {
        queue_clear(&w->queue);
        sql_machine_free(w->machine);
        free(w);
        return NULL;
    }
    w->asking = &w->asked;
    run_pool_init(&w->pool, &w->queue, env->pressure, env->kept_bytes);
    buf_init(&w->scratch, SCRATCH_MAX);
    for (size_t i = 0; i < SAY_RULES; i++) {
        notice_init(&w->failed[i], SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
        notice_init(&w->unparsed[i], SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
        notice_init(&w->dead[i], SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    }
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
    size_t size = m->size;
    message_forget(w, m);
    gate_leave(w->env->gate, size);
}

void worker_run_end(struct worker *w, struct run *run, enum run_state state)
{
    struct msg *m = run->msg;
    stats_run_ended(w->env->stats, w->number, run->rule->stats, state);
    run_close(&w->pool, run);
    message_release(w, m);
}

/* --- evaluation --- */

void worker_say(struct worker *w, struct notice *notices, const struct rule *rule, const struct message *m,
                const char *what, const char *reason)
{
    uint64_t silent;
    if (!notice_due(&notices[rule->index % SAY_RULES], clock_monotonic_ms(w->env->clock), &silent))
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

struct sql_env worker_sql_env(struct worker *w, const struct rule *rule)
{
    return (struct sql_env) { .rule_name = rule->name, .account_id = w->env->account_id, .lookups = worker_lookups(w) };
}

int worker_render(struct worker *w, struct delivery *d, struct err *e)
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

/* A failed look-up aborts the rule; other failures are this action's alone. -1: aborted, or an answer is not there. */
static int render_action(struct worker *w, struct delivery *d, struct err *e)
{
    struct err own = { 0 };
    if (worker_render(w, d, &own) == 0)
        return 0;
    if (sql_machine_waits(w->machine))
        return -1;
    if (own.code == ERR_EVAL)
        return err_set(e, own.code, "%s", own.text);
    worker_reject(d, own.text);
    return 0;
}

/* The output and one delivery for each action. -1: the evaluation failed, or an answer is not there yet. */
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
        if (render_action(w, d, e) < 0)
            return -1;
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

static void nudge_outboxes(struct worker *w)
{
    for (size_t i = 0; i < w->quiet_count; i++)
        outbox_nudge(w->quiet[i]);
    w->quiet_count = 0;
}

/* An outbox is woken once for what several messages bring, but within about a millisecond. */
static void push_quietly(struct worker *w, struct outbox *o, struct delivery *d)
{
    outbox_push_quietly(o, d);
    for (size_t i = 0; i < w->quiet_count; i++)
        if (w->quiet[i] == o)
            return;
    if (w->quiet_count == QUIET_MAX)
        nudge_outboxes(w);
    if (w->quiet_count == 0)
        w->quiet_since_ms = clock_monotonic_ms(w->env->clock);
    w->quiet[w->quiet_count++] = o;
}

static void nudge_if_late(struct worker *w)
{
    if (w->quiet_count && clock_monotonic_ms(w->env->clock) != w->quiet_since_ms)
        nudge_outboxes(w);
}

/* Into the outboxes. They cannot come back before this thread asks for them. */
static void run_dispatch(struct worker *w, struct run *run)
{
    run_weigh(&w->pool, run);
    for (struct delivery *d = run->first; d; d = d->next) {
        if (d->item.result == ACT_REJECTED) { /* its templates failed */
            stats_action(w->env->stats, w->number, run->rule->stats, d->action->target->type, false);
            continue;
        }
        run->pending++;
        push_quietly(w, d->action->target->outbox, d);
    }
    if (run->pending == 0)
        actions_done(w, run);
}

/* One try: run the statement and, if it matched, fill *run, which is made if there is none. What has to be tried again
 * when an answer is there has an empty run. */
static enum sql_outcome attempt(struct worker *w, struct msg *m, const struct rule *rule, struct run **run,
                                struct err *e)
{
    struct sql_env env = worker_sql_env(w, rule);
    worker_asks_for(w, *run);
    enum sql_outcome outcome = sql_machine_run(w->machine, rule->sql, &env, e);
    bool has_output = outcome == SQL_MATCHED && rule->action_count > 0;
    if (!*run && (has_output || outcome == SQL_WAITS) && !(*run = run_open(&w->pool, m, rule))) {
        err_set(e, ERR_MEMORY, "out of memory");
        return SQL_FAILED;
    }
    if (has_output && run_fill(w, *run, e) < 0) {
        run_empty(&w->pool, *run);
        outcome = sql_machine_waits(w->machine) ? SQL_WAITS : SQL_FAILED;
    }
    return outcome;
}

static enum run_state state_of(enum sql_outcome outcome)
{
    if (outcome == SQL_MATCHED)
        return RUN_DELIVERED; /* the rule has no actions */
    return outcome == SQL_FILTERED ? RUN_FILTERED : RUN_FAILED;
}

/* Is the payload no JSON, by what the rule and its templates asked for? */
static bool is_unparsed(struct worker *w, const struct rule *rule, const struct msg *m)
{
    struct err parse = { 0 };
    if (!sql_machine_parse_failed(w->machine, &parse))
        return false;
    worker_say(w, w->unparsed, rule, &m->message, "payload is not JSON", parse.text);
    return true;
}

static void say_aborted(struct worker *w, const struct rule *rule, const struct msg *m, const struct err *e)
{
    worker_say(w, w->failed, rule, &m->message, "rule was aborted", e->text);
}

/* Has the run something to wait for, an answer or deliveries? */
static bool goes_on(const struct run *run, enum sql_outcome outcome)
{
    return outcome == SQL_WAITS || (outcome == SQL_MATCHED && run->first);
}

/* One rule on one message, and its counters. */
static void evaluate(struct worker *w, struct msg *m, const struct rule *rule)
{
    struct err e = { 0 };
    struct run *run = NULL;
    enum sql_outcome outcome = attempt(w, m, rule, &run, &e);
    bool unparsed = is_unparsed(w, rule, m);
    if (run && !goes_on(run, outcome)) {
        run_close(&w->pool, run);
        m->open--;
        run = NULL;
    }
    stats_run_began(w->env->stats, w->number, rule->stats, run ? RUN_IN_FLIGHT : state_of(outcome), unparsed);
    if (outcome == SQL_FAILED)
        say_aborted(w, rule, m, &e);
    if (!run) {
        answers_clear(&w->asked);
        return;
    }
    run->answers = w->asked;
    run->unparsed = unparsed;
    w->asked = (struct answers) { 0 };
    if (outcome == SQL_WAITS)
        worker_wait(w, run);
    else
        run_dispatch(w, run);
}

void worker_evaluate_again(struct worker *w, struct run *run)
{
    struct err e = { 0 };
    struct msg *m = run->msg;
    enum sql_outcome outcome = SQL_FAILED;
    if (sql_machine_begin(w->machine, m->ruleset->paths, &m->message, &e) == 0)
        outcome = attempt(w, m, run->rule, &run, &e);
    if (!run->unparsed && is_unparsed(w, run->rule, m)) {
        run->unparsed = true;
        stats_run_unparsed(w->env->stats, w->number, run->rule->stats);
    }
    if (outcome == SQL_WAITS) {
        answers_await(&run->answers, run);
        return;
    }
    if (outcome == SQL_FAILED)
        say_aborted(w, run->rule, m, &e);
    worker_wait_end(w, run);
    if (goes_on(run, outcome))
        run_dispatch(w, run);
    else
        worker_run_end(w, run, state_of(outcome));
}

static void evaluate_none(struct worker *w, const struct msg *m, const struct err *e)
{
    for (size_t i = 0; i < m->rule_count; i++) {
        const struct rule *rule = &m->ruleset->rules[m->rules[i]];
        stats_run_began(w->env->stats, w->number, rule->stats, RUN_FAILED, false);
        say_aborted(w, rule, m, e);
    }
}

static void handle_message(struct worker *w, struct msg *m)
{
    struct err e = { 0 };
    if (held_behind(&w->held, m))
        return;
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

static void handle_answer(struct worker *w, struct answer *a)
{
    struct run *run = a->run;
    a->run = NULL;
    run->answers.pending = NULL;
    if (run->failed)
        worker_run_failed(w, run);
    else
        worker_evaluate_again(w, run);
}

/* A rule that has its answer makes results, so under pressure it waits on; not the error action of one, whose results
 * are there already and go only by it. */
static void handle_answers(struct worker *w)
{
    struct queue_link *link;
    for (struct answer *a; (a = answer_box_take(&w->box));)
        queue_chain_add(a->run->failed ? &w->urgent : &w->put_off, &a->link);
    while ((link = queue_chain_take(&w->urgent)))
        handle_answer(w, QUEUE_ITEM(link, struct answer, link));
    while (!pressure_is_on(w->env->pressure) && (link = queue_chain_take(&w->put_off)))
        handle_answer(w, QUEUE_ITEM(link, struct answer, link));
}

/* --- the thread --- */

/* Wait for work. False: closed (what came home is still handled). */
static bool gather(struct worker *w, struct queue_chain *home)
{
    bool pressed = pressure_is_on(w->env->pressure);
    bool busy = (w->backlog.first || w->put_off.first) && !pressed;
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
        if (open)
            handle_answers(w);
        while (open && !pressure_is_on(w->env->pressure) && (link = queue_chain_take(&w->backlog))) {
            handle_message(w, QUEUE_ITEM(link, struct msg, link));
            nudge_if_late(w);
        }
        nudge_outboxes(w);
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

bool worker_push_quietly(struct worker *w, struct msg *m)
{
    return queue_push_quietly(&w->queue, &m->link);
}

void worker_nudge(struct worker *w)
{
    queue_nudge(&w->queue);
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
    struct queue_link *link;
    while ((link = queue_chain_take(&w->backlog)))
        msg_free(QUEUE_ITEM(link, struct msg, link));
    while (w->messages) {
        while ((link = queue_chain_take(&w->messages->behind)))
            msg_free(QUEUE_ITEM(link, struct msg, link));
        while (w->messages->runs)
            run_close(&w->pool, w->messages->runs);
        message_forget(w, w->messages);
    }
    run_pool_clear(&w->pool);
    queue_chain_join(&w->box.come, &w->put_off);
    answer_box_clear(&w->box);
    queue_clear(&w->queue);
    sql_machine_free(w->machine);
    buf_clear(&w->scratch);
    free(w);
}
