/* SPDX-License-Identifier: Apache-2.0 */
/* republish: the output as a message on a broker, by default that of the first mqtt source.
 *
 * `struct republish_target` is configuration, unchanged after opening. `struct republish_lane` has the connection
 * and is owned by its thread. A lane publishes in the order of the items. QoS 1 is done when the broker has
 * acknowledged it, QoS 0 when it has left.
 *
 * A refusal that permissions can repair means LATER if the rule names the topic itself. Was it the message that
 * chose the topic, the item is rejected: what a message chose nobody can repair, and it must not hold up the others.
 *
 * Some brokers answer what they do not like by ending the connection, all of them with MQTT 3.1.1. If a broker ends
 * it in the middle of a batch and takes the next connection, the rest goes one by one, and an item with which the
 * connection ends twice is rejected. Without that, one such message would stop its target for ever. */
#include "actions/actions_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "actions/republish_code.h"
#include "actions/republish_rule.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define BATCH_MAX        500
#define ARENA_MAX        ((size_t)256 << 20) /* correlation data and lists of a batch's messages */
#define TRIES_ALONE      2
#define LOOP_SAY_MS      10000u
#define REASON_TOPIC_MAX 80 /* bytes of a topic in a reason */

/* --- target --- */

struct republish_target {
    struct mqtt_conf conf;
    char *client_id;
    const struct act_env *env;
};

/* Two connections that share a client id would end each other's for ever, so each target of the process gets one of
 * its own. Only the main thread opens targets. */
static unsigned targets_opened;

static void target_close(void *target)
{
    struct republish_target *t = target;
    if (!t)
        return;
    mqtt_conf_clear(&t->conf);
    free(t->client_id);
    free(t);
}

static char *make_client_id(const char *base)
{
    char *id = NULL;
    int n = ++targets_opened > 1 ? asprintf(&id, "%s-republish-%u", base, targets_opened)
                                 : asprintf(&id, "%s-republish", base);
    return n < 0 ? NULL : id;
}

static void *target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    struct republish_target *t = calloc(1, sizeof(*t));
    int rc = t ? mqtt_conf_read(&t->conf, conf, errs) : 0;
    if (t && rc == 0)
        t->client_id = make_client_id(t->conf.client_id);
    if (t && t->client_id) {
        t->env = env;
        return t;
    }
    if (rc == 0)
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf ? conf->at : (struct span) { 0 }, "not enough memory");
    target_close(t);
    return NULL;
}

/* --- action --- */

static void *action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    const struct republish_target *t = target;
    return republish_rule_open(&t->conf, conf, host, errs);
}

static void action_close(void *action)
{
    republish_rule_free(action);
}

static void resource(const void *action, const struct act_text *texts, struct buf *out)
{
    struct mqtt_text topic = republish_rule_topic(action, texts);
    buf_put(out, topic.p, topic.len);
}

/* --- lane --- */

struct republish_lane {
    const struct republish_target *target;
    struct mqtt_client *client;
    struct arena arena;
    struct mqtt_publication pubs[BATCH_MAX]; /* of the present batch */
    struct act_item *items[BATCH_MAX];       /* whose they are */
    size_t count;
    uint64_t loop_said_ms; /* 0: never */
    uint64_t loop_silent;
};

static void lane_close(void *lane)
{
    struct republish_lane *l = lane;
    if (!l)
        return;
    mqtt_client_free(l->client);
    arena_clear(&l->arena);
    free(l);
}

static void lane_stop_fd(void *lane, int fd)
{
    mqtt_client_stop_on(((struct republish_lane *)lane)->client, fd);
}

static void *lane_open(void *target, struct err *e)
{
    struct republish_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->target = target;
    arena_init(&l->arena, ARENA_MAX);
    l->client = mqtt_client_new(&l->target->conf, MQTT_PUBLISHER, l->target->client_id, NULL, e);
    if (l->client)
        return l;
    lane_close(l);
    return NULL;
}

/* A message went round too often. A loop brings many of them, so not each is logged. */
static void reject_loop(struct republish_lane *l, struct act_item *item)
{
    const struct republish_rule *r = item->action;
    struct mqtt_text topic = republish_rule_topic(r, item->texts);
    int shown = topic.len < REASON_TOPIC_MAX ? (int)topic.len : REASON_TOPIC_MAX;
    item_reject(item, "republished %u times already: do rules republish in a circle?", item->hops);
    uint64_t now = clock_monotonic_ms(l->target->env->clock);
    if (l->loop_said_ms && now - l->loop_said_ms < LOOP_SAY_MS) {
        l->loop_silent++;
        return;
    }
    log_error("a message to \"%.*s\" was republished %u times already and is rejected: do rules republish in a circle? "
              "(%llu more since the last such line)",
              shown, topic.p, item->hops, (unsigned long long)l->loop_silent);
    l->loop_said_ms = now ? now : 1;
    l->loop_silent = 0;
}

/* Make messages of the items that can be published; the others are rejected. */
static int prepare(struct republish_lane *l, struct act_item *const *items, size_t count, struct err *e)
{
    bool counts_hops = l->target->conf.version == MQTT_V5;
    l->count = 0;
    arena_reset(&l->arena);
    for (size_t i = 0; i < count; i++) {
        const struct republish_rule *r = items[i]->action;
        struct err why = { 0 };
        if (counts_hops && items[i]->hops >= r->max_hops) {
            reject_loop(l, items[i]);
        } else if (republish_rule_render(r, items[i], &l->arena, &l->pubs[l->count], &why) == 0) {
            l->items[l->count++] = items[i];
        } else if (why.code == ERR_MEMORY) {
            return err_set(e, why.code, "%s", why.text);
        } else {
            item_reject(items[i], "%s", why.text);
        }
    }
    return 0;
}

static void settle_refused(struct act_item *item, const struct mqtt_publication *p)
{
    const struct republish_rule *r = item->action;
    int shown = p->topic.len < REASON_TOPIC_MAX ? (int)p->topic.len : REASON_TOPIC_MAX;
    enum republish_verdict verdict = republish_verdict_of(p->answer.code);
    if (verdict == REPUBLISH_MISCONFIGURED && !r->topic_is_constant)
        verdict = REPUBLISH_REJECTED;
    if (verdict == REPUBLISH_REJECTED)
        item_reject(item, "the broker refused a message to \"%.*s\": %s", shown, p->topic.p, p->answer.text);
    else if (verdict == REPUBLISH_MISCONFIGURED)
        item_misconfigured(item, "the broker refused a message to \"%.*s\": %s", shown, p->topic.p, p->answer.text);
    else
        item_later(item, "the broker refused a message to \"%.*s\": %s", shown, p->topic.p, p->answer.text);
}

/* From the broker's answers to results; without an answer there is none. */
static void settle(struct republish_lane *l, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        if (l->pubs[i].answer.outcome == MQTT_ACCEPTED)
            item_done(l->items[i]);
        else if (l->pubs[i].answer.outcome == MQTT_REFUSED)
            settle_refused(l->items[i], &l->pubs[i]);
    }
}

static int connect_if_needed(struct republish_lane *l, struct err *e)
{
    return mqtt_client_is_connected(l->client) ? 0 : mqtt_client_connect(l->client, e);
}

enum blame { BLAME_NONE, BLAME_LIKELY, BLAME_SURE };

/* The broker ended a connection on which only one message was under way: is that to blame? Without a reason (MQTT
 * 3.1.1) it may be. */
static enum blame blame_of(struct mqtt_client *client)
{
    if (!mqtt_client_was_ended_by_broker(client))
        return BLAME_NONE;
    int code = mqtt_client_end_code(client);
    if (code < 0)
        return BLAME_LIKELY;
    return republish_verdict_of((uint8_t)code) == REPUBLISH_REJECTED ? BLAME_SURE : BLAME_NONE;
}

/* Publish one message by itself. 0: answered. -1: the connection ended; *blame tells whether for this message. */
static int publish_alone(struct republish_lane *l, size_t i, enum blame *blame, struct err *e)
{
    *blame = BLAME_NONE;
    for (int tries = 0; tries < TRIES_ALONE; tries++) {
        *e = (struct err) { 0 };
        if (connect_if_needed(l, e) < 0)
            return -1;
        if (mqtt_client_publish(l->client, &l->pubs[i], 1, e) == 0)
            return 0;
        *blame = blame_of(l->client);
        if (*blame != BLAME_LIKELY)
            break;
    }
    return -1;
}

/* The broker ended the connection with some messages unanswered: is it because of one of them? One that is surely to
 * blame does not hold up the others; after one that likely is, the flow waits before it goes on. */
static int publish_rest_singly(struct republish_lane *l, struct err *e)
{
    for (size_t i = 0; i < l->count; i++) {
        enum blame blame;
        if (l->pubs[i].answer.outcome != MQTT_UNANSWERED)
            continue;
        if (publish_alone(l, i, &blame, e) == 0) {
            settle(l, i, 1);
            continue;
        }
        if (blame != BLAME_NONE)
            item_reject(l->items[i], "the broker ends the connection when it gets this message: %s", e->text);
        if (blame != BLAME_SURE)
            return -1;
    }
    return 0;
}

static int send_batch(struct republish_lane *l, struct act_item *const *items, size_t count, struct err *e)
{
    if (prepare(l, items, count, e) < 0)
        return -1;
    if (l->count == 0)
        return 0;
    if (connect_if_needed(l, e) < 0)
        return -1;
    int rc = mqtt_client_publish(l->client, l->pubs, l->count, e);
    settle(l, 0, l->count);
    if (rc < 0 && mqtt_client_was_ended_by_broker(l->client))
        rc = publish_rest_singly(l, e);
    return rc;
}

static int republish_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    int rc = 0;
    items_start(items, count);
    for (size_t done = 0; done < count && rc == 0; done += BATCH_MAX)
        rc = send_batch(lane, items + done, count - done < BATCH_MAX ? count - done : BATCH_MAX, e);
    return rc;
}

const struct action_type act_republish = {
    .name = "republish",
    .failed_action = "RepublishAction",
    .doc = "publish on an MQTT broker; retain and maxHops are extensions",
    .connection = ACT_CONNECTION_DEFAULT,
    .connection_kind = "mqtt",
    .target_options = mqtt_options,
    .target_option_count = MQTT_OPTION_COUNT,
    .options = republish_options,
    .option_count = REPUBLISH_OPTION_COUNT,
    .target_open = target_open,
    .target_close = target_close,
    .action_open = action_open,
    .action_close = action_close,
    .resource = resource,
    .lane_open = lane_open,
    .lane_stop_fd = lane_stop_fd,
    .send = republish_send,
    .lane_close = lane_close,
    .batch_max = BATCH_MAX,
};
