/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/admin/password_line.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/base/thread.h"

struct password_line {
    admin_password_fits *fits;
    void *fits_ctx;
    struct queue queue;
    pthread_t thread;
    bool has_ended;
};

static void *run(void *ctx)
{
    struct password_line *l = ctx;
    struct queue_chain urgent = { 0 }, normal = { 0 };
    struct queue_link *link;
    while (queue_take(&l->queue, &urgent, &normal, 1, QUEUE_FOREVER)) {
        while ((link = queue_chain_take(&normal))) {
            struct password_check *c = (struct password_check *)(void *)link;
            c->fits = l->fits(l->fits_ctx, c->name, c->name_len, c->password, c->password_len);
            c->done(c);
        }
    }
    return NULL;
}

struct password_line *password_line_new(admin_password_fits *fits, void *fits_ctx, size_t max, struct err *e)
{
    struct password_line *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for checking passwords");
        return NULL;
    }
    l->fits = fits;
    l->fits_ctx = fits_ctx;
    if (queue_init(&l->queue, max, e) < 0) {
        free(l);
        return NULL;
    }
    if (thread_start(&l->thread, "passwords", run, l, e) == 0)
        return l;
    queue_clear(&l->queue);
    free(l);
    return NULL;
}

bool password_line_add(struct password_line *l, struct password_check *check)
{
    check->fits = false;
    return queue_push(&l->queue, &check->link);
}

void password_line_end(struct password_line *l)
{
    struct queue_chain left = { 0 };
    struct queue_link *link;
    if (!l || l->has_ended)
        return;
    l->has_ended = true;
    queue_close(&l->queue);
    pthread_join(l->thread, NULL);
    queue_drain(&l->queue, &left);
    while ((link = queue_chain_take(&left))) {
        struct password_check *c = (struct password_check *)(void *)link;
        c->done(c);
    }
}

void password_line_free(struct password_line *l)
{
    if (!l)
        return;
    password_line_end(l);
    queue_clear(&l->queue);
    free(l);
}
