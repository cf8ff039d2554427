/* SPDX-License-Identifier: Apache-2.0 */
/* republish: to the same broker, with the QoS of the round. What sluice republishes a subscriber counts meanwhile, which costs the broker
 * as much again. The bare producer has no subscriber: it ends when the broker has acknowledged everything. */
#include "bench/pipeline/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/pipeline/bare_subscriber.h"
#include "bench/pipeline/load.h"
#include "bench/pipeline/sample.h"

#define WINDOW  1000
#define LOOK_NS 5000000
#define QUIET   200 /* looks without a message: no more will come */

struct republish_target {
    const struct target_env *env;
    struct tally *tally;
    struct bare_subscriber *subscriber; /* while a tally is taken */
};

static void look_later(void)
{
    nanosleep(&(struct timespec) { .tv_nsec = LOOK_NS }, NULL);
}

static void republish_close(void *target)
{
    struct republish_target *t = target;
    (void)!bare_subscriber_stop(t->subscriber, NULL);
    free(t);
}

static void *republish_open(const struct target_env *env, struct err *e)
{
    struct republish_target *t = calloc(1, sizeof *t);
    if (t)
        t->env = env;
    else
        err_set(e, ERR_MEMORY, "not enough memory");
    return t;
}

static int republish_clear(void *target, struct tally *tally, struct err *e)
{
    struct republish_target *t = target;
    char id[64], filter[128];
    (void)!bare_subscriber_stop(t->subscriber, NULL);
    t->subscriber = NULL;
    t->tally = tally;
    if (!tally)
        return 0;
    snprintf(id, sizeof id, "sluice-bench-%s-count", t->env->tag);
    snprintf(filter, sizeof filter, SAMPLE_PREFIX "%s/out/+", t->env->tag);
    const struct bare_subscriber_plan plan = { .host = t->env->host,
                                               .port = t->env->port,
                                               .client_id = id,
                                               .filter = filter,
                                               .qos = t->env->qos,
                                               .tally = tally };
    t->subscriber = bare_subscriber_start(&plan, e);
    return t->subscriber ? 0 : -1;
}

static void republish_configure(void *target, struct buf *connections, struct buf *action)
{
    const struct republish_target *t = target;
    (void)connections;
    buf_printf(action, "republish: { topic: \"" SAMPLE_PREFIX "%s/out/${topic(4)}\", qos: %u }", t->env->tag,
               t->env->qos);
}

static int republish_produce(void *target, size_t first, size_t count, struct err *e)
{
    const struct republish_target *t = target;
    struct load load;
    const struct load_plan plan = { .host = t->env->host,
                                    .port = t->env->port,
                                    .tag = t->env->tag,
                                    .kind = SAMPLE_OUT,
                                    .qos = t->env->qos,
                                    .first = first,
                                    .count = count,
                                    .window = WINDOW };
    return load_start(&load, &plan, e) < 0 ? -1 : load_join(&load, false, e);
}

/* The tally is the thread's until it has ended. */
static int republish_arrived(void *target, struct err *e)
{
    struct republish_target *t = target;
    const atomic_size_t *received = bare_subscriber_received(t->subscriber);
    size_t before = 0;
    for (unsigned quiet = 0; quiet < QUIET && atomic_load(received) < t->tally->count; quiet++) {
        size_t now = atomic_load(received);
        quiet = now > before ? 0 : quiet;
        before = now;
        look_later();
    }
    int rc = bare_subscriber_stop(t->subscriber, e);
    t->subscriber = NULL;
    return rc;
}

const struct target_type target_republish = {
    .name = "republish",
    .open = republish_open,
    .close = republish_close,
    .clear = republish_clear,
    .configure = republish_configure,
    .produce = republish_produce,
    .arrived = republish_arrived,
};
