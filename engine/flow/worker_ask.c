/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose rule has asked the outside world: it waits, its message holds its key, and when the answer is there the
 * rule is evaluated again. */
#include "engine/flow/worker_int.h"

void worker_asks_for(struct worker *w, struct run *run)
{
    w->asking = run ? &run->answers : &w->asked;
}

static enum lookup_outcome find(void *ctx, uint64_t site, const struct lookup_question *question, const char **text,
                                size_t *len)
{
    struct worker *w = ctx;
    return answers_find(w->asking, &w->box, site, question, text, len);
}

const struct sql_lookups *worker_lookups(struct worker *w)
{
    if (!w->env->lookups)
        return NULL;
    w->finds = (struct sql_lookups) { .find = find, .ctx = w };
    return &w->finds;
}

void worker_wait(struct worker *w, struct run *run)
{
    answers_await(&run->answers, run);
    if (run->msg->waiting++ == 0)
        held_begin(&w->held, run->msg);
}

void worker_wait_end(struct worker *w, struct run *run)
{
    struct queue_chain behind = { 0 };
    if (--run->msg->waiting > 0)
        return;
    held_end(&w->held, run->msg, &behind);
    queue_chain_prepend(&w->backlog, &behind);
}
