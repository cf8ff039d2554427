/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a run when an action rejected it: once per rule and message, with all failures collected.
 *
 *     rejected by an action ──► error action ──DONE──► delivered
 *            │ (none)                │ REJECTED, or its templates fail
 *            └───────────────────────┴──► dead-letter store ──DONE──► dead
 *
 * Neither of the two is ordered, and both are pushed also above the bound of their outbox: only that makes room
 * elsewhere. */
#include "engine/flow/document.h"
#include "engine/flow/rule_file.h"
#include "engine/flow/worker_int.h"

/* All actions and the error action. */
#define FAILURES_MAX (RULE_MAX_ACTIONS + 1)

/* Collect the rejected deliveries. Their resources lie in the scratch buffer until the next call. */
static size_t collect(struct worker *w, const struct run *run, struct failure failures[FAILURES_MAX])
{
    size_t count = 0;
    buf_reset(&w->scratch);
    for (const struct delivery *d = run->first; d && count < FAILURES_MAX; d = d->next) {
        if (d->item.result != ACT_REJECTED || !d->action)
            continue;
        const struct action_type *type = d->action->target->type;
        size_t from = w->scratch.len;
        type->resource(d->action->action, d->texts, &w->scratch);
        failures[count++] = (struct failure) { .action = type->failed_action,
                                               .batching = d->action->batching,
                                               .resource_len = w->scratch.len - from,
                                               .reason = d->item.reason };
    }
    const char *at = w->scratch.p ? w->scratch.p : ""; /* only now the buffer stays where it is */
    for (size_t i = 0; i < count; i++) {
        failures[i].resource = at;
        at += failures[i].resource_len;
    }
    return count;
}

/* Evaluate the error action's templates on the original message; the statement runs again for its SET variables. */
static int render_again(struct worker *w, struct run *run, struct delivery *d, struct err *e)
{
    struct sql_env env = worker_sql_env(w, run->rule);
    worker_asks_for(w, run);
    if (sql_machine_begin(w->machine, run->msg->ruleset->paths, &run->msg->message, e) < 0)
        return -1;
    enum sql_outcome outcome = sql_machine_run(w->machine, run->rule->sql, &env, e);
    return outcome == SQL_FAILED || outcome == SQL_WAITS ? -1 : worker_render(w, d, e);
}

/* The error document as the run's body, and a delivery of it. NULL: it cannot be delivered, or (*waits) not yet. */
static struct delivery *error_delivery(struct worker *w, struct run *run, bool *waits)
{
    struct err e = { 0 };
    const struct rule_action *action = run->rule->error_action;
    struct failure failures[FAILURES_MAX];
    size_t count = collect(w, run, failures);
    buf_reset(&run->body);
    document_error(&run->body, run->rule->name, &run->msg->message, failures, count);
    run->body_is_json = true;
    if (run->body.failed)
        return NULL;
    struct delivery *d = run_add(&w->pool, run, DELIVERY_ERROR_ACTION, action, action->template_count);
    if (!d || render_again(w, run, d, &e) == 0)
        return d;
    *waits = sql_machine_waits(w->machine);
    if (*waits)
        run_drop_last(&w->pool, run);
    else
        worker_reject(d, e.text);
    return NULL;
}

void worker_run_failed(struct worker *w, struct run *run)
{
    if (!run->rule->error_action) {
        worker_run_dead(w, run);
        return;
    }
    bool waits = false;
    struct delivery *d = error_delivery(w, run, &waits);
    run->failed = true;
    answers_await(&run->answers, run);
    if (waits)
        return;
    if (!d) {
        stats_error_action(w->env->stats, w->number, run->rule->stats, false);
        worker_run_dead(w, run);
        return;
    }
    run_weigh(&w->pool, run);
    outbox_push(run->rule->error_action->target->outbox, d);
}

void worker_run_dead(struct worker *w, struct run *run)
{
    struct failure failures[FAILURES_MAX];
    size_t count = collect(w, run, failures);
    const char *reason = count ? failures[count - 1].reason : NULL;
    buf_reset(&run->body);
    document_dead_letter(&run->body, clock_now_ms(w->env->clock), run->rule->name, &run->msg->message, failures, count);
    run->body_is_json = true;
    struct delivery *d = run->body.failed ? NULL : run_add(&w->pool, run, DELIVERY_DEAD_LETTER, NULL, 0);
    if (!d) {
        worker_say(w, w->dead, run->rule, &run->msg->message, "message is lost: no memory for its dead letter", reason);
        worker_run_end(w, run, RUN_DROPPED);
        return;
    }
    worker_say(w, w->dead, run->rule, &run->msg->message, "message goes to the dead letters", reason);
    dead_letter_address(w->env->dead_letter, d);
    run_weigh(&w->pool, run);
    outbox_push(dead_letter_outbox(w->env->dead_letter), d);
}
