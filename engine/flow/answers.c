/* SPDX-License-Identifier: Apache-2.0 */
/* A run has few questions, so its list is searched from the front. The port's thread touches an answer until it is in
 * the box, the worker from then on. */
#include "engine/flow/answers.h"

#include <stdlib.h>
#include <string.h>

int answer_box_init(struct answer_box *b, struct lookup_port *port, struct queue *wake, struct err *e)
{
    *b = (struct answer_box) { .port = port, .wake = wake };
    return pthread_mutex_init(&b->lock, NULL) == 0 ? 0 : err_set(e, ERR_MEMORY, "out of memory");
}

static void answer_free(struct answer *a)
{
    free(a->lookup.text);
    free(a);
}

/* Thread: the port's. */
static void on_done(struct lookup *l)
{
    struct answer *a = QUEUE_ITEM(l, struct answer, lookup);
    struct answer_box *box = a->box;
    pthread_mutex_lock(&box->lock);
    queue_chain_add(&box->come, &a->link);
    atomic_fetch_add(&box->count, 1);
    queue_wake(box->wake); /* with the lock: once it is free the worker may go away */
    pthread_mutex_unlock(&box->lock);
}

static struct answer *answer_new(struct answer_box *box, uint64_t site, const struct lookup_question *question)
{
    size_t name = strlen(question->function) + 1;
    struct answer *a = malloc(sizeof(*a) + name + question->args_len);
    if (!a)
        return NULL;
    *a = (struct answer) { .box = box, .site = site, .lookup.done = on_done };
    memcpy(a->text, question->function, name);
    memcpy(a->text + name, question->args, question->args_len);
    a->lookup.question = (struct lookup_question) { a->text, a->text + name, question->args_len };
    return a;
}

static struct answer *find(const struct answers *a, uint64_t site, const struct lookup_question *q)
{
    for (struct answer *one = a->first; one; one = one->next) {
        const struct lookup_question *known = &one->lookup.question;
        if (one->site == site && strcmp(known->function, q->function) == 0 && known->args_len == q->args_len &&
            memcmp(known->args, q->args, q->args_len) == 0)
            return one;
    }
    return NULL;
}

static struct answer *ask(struct answers *a, struct answer_box *box, uint64_t site, const struct lookup_question *q)
{
    struct answer *one = answer_new(box, site, q);
    if (!one)
        return NULL;
    if (a->last)
        a->last->next = one;
    else
        a->first = one;
    a->last = one;
    if (!box->port->ask(box->port, &one->lookup))
        a->pending = one;
    return one;
}

enum lookup_outcome answers_find(struct answers *a, struct answer_box *box, uint64_t site,
                                 const struct lookup_question *question, const char **text, size_t *len)
{
    struct answer *one = find(a, site, question);
    if (!one && !a->pending)
        one = ask(a, box, site, question);
    if (!one || one == a->pending)
        return one || a->pending ? LOOKUP_PENDING : LOOKUP_FAILED;
    *text = one->lookup.text;
    *len = one->lookup.len;
    return one->lookup.outcome;
}

void answers_await(struct answers *a, struct run *run)
{
    if (a->pending)
        a->pending->run = run;
}

void answers_clear(struct answers *a)
{
    for (struct answer *one = a->first, *next; one; one = next) {
        next = one->next;
        one->run = NULL;
        if (one != a->pending)
            answer_free(one);
    }
    *a = (struct answers) { 0 };
}

struct answer *answer_box_take(struct answer_box *b)
{
    struct queue_link *link;
    while (atomic_load(&b->count) > 0) {
        pthread_mutex_lock(&b->lock);
        link = queue_chain_take(&b->come);
        atomic_fetch_sub(&b->count, 1);
        pthread_mutex_unlock(&b->lock);
        struct answer *a = QUEUE_ITEM(link, struct answer, link);
        if (a->run)
            return a;
        answer_free(a);
    }
    return NULL;
}

void answer_box_clear(struct answer_box *b)
{
    struct queue_link *link;
    while ((link = queue_chain_take(&b->come)))
        answer_free(QUEUE_ITEM(link, struct answer, link));
    pthread_mutex_destroy(&b->lock);
}
