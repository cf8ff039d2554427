/* SPDX-License-Identifier: Apache-2.0 */
/* kafka: messages into topics of Apache Kafka.
 *
 *     items ─► groups (one set of properties, one producer) ─► rounds ─► reports
 *
 * `struct kafka_target` is configuration, unchanged after opening. `struct kafka_lane` has the producers, one for each
 * distinct set of properties that its actions need, and is owned by its thread.
 *
 * Servers refuse batches, not messages: one that is too large takes its neighbours with it. So a refused batch is halved
 * until the bad one is alone, and as nothing of the send is under way meanwhile (kafka_link.h), order holds.
 *
 * What has to wait holds up what comes after it of its key. What the author of a rule wrote can be repaired, so a constant topic
 * that does not exist means LATER. What a message chose cannot: if topic or partition come out of a template, the item is
 * rejected, though only when the topic has been missing for a while: the servers may be making it. */
#include "actions/actions_int.h"

#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "actions/kafka_link.h"
#include "actions/kafka_props.h"
#include "actions/kafka_rule.h"
#include "engine/base/arena.h"
#include "engine/base/clock.h"
#include "engine/base/opt.h"

#define ARENA_MAX  ((size_t)64 << 20) /* records and headers of a send */
#define MISSING_MS 2000               /* a topic that a message chose may take so long to appear */
#define UNUSED_MS  600000             /* then a producer is given up: its rules are gone */

/* --- target --- */

struct kafka_target {
    struct kafka_settings settings;
    const char *client_id;
    char *servers;
    struct kafka_catalog *catalog;
    struct kafka_props *props;
};

static const struct opt target_options[] = {
    { "bootstrap.servers", OPT_TEXT, offsetof(struct kafka_target, servers), .required = true,
      .help = "servers to begin with: \"host:port,host:port\"" },
    { "connectTimeout", OPT_DURATION, offsetof(struct kafka_target, settings.connect_timeout_ms), .def = "10s",
      .min = 100, .max = 300000, .help = "longest time until a server answers" },
    { "sendTimeout", OPT_DURATION, offsetof(struct kafka_target, settings.send_timeout_ms), .def = "30s", .min = 100,
      .max = 3600000, .help = "longest time for a batch to be acknowledged" },
};
#define TARGET_OPTIONS (sizeof(target_options) / sizeof(target_options[0]))

static void kafka_target_close(void *target)
{
    struct kafka_target *t = target;
    if (!t)
        return;
    kafka_props_free(t->props);
    kafka_catalog_free(t->catalog);
    opt_free(target_options, TARGET_OPTIONS, t);
    free(t);
}

static void add_property(void *ctx, const struct conf *key, const struct conf *value, struct errs *errs)
{
    kafka_props_add(ctx, key, value, errs);
}

static int read_target(struct kafka_target *t, const struct conf *conf, struct span at, struct errs *errs)
{
    int rc = opt_read_with(target_options, TARGET_OPTIONS, conf, "kafka", at, t, add_property, t->props, errs);
    for (size_t i = 0; t->servers && conf && i < conf->count; i++) {
        if (strcmp(conf->keys[i]->text, "bootstrap.servers") == 0)
            kafka_props_add(t->props, conf->keys[i], conf->items[i], errs);
    }
    return rc < 0 ? -1 : kafka_props_finish(t->props, t->client_id, at, errs);
}

static void *kafka_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    struct span at = conf ? conf->at : (struct span) { 0 };
    struct kafka_target *t = calloc(1, sizeof(*t));
    if (t) {
        t->settings.clock = env->clock;
        t->client_id = env->client_name;
        t->catalog = kafka_catalog_new();
        t->props = t->catalog ? kafka_props_new(t->catalog, NULL) : NULL;
    }
    if (!t || !t->props)
        errs_add(errs, SEV_ERROR, ERR_MEMORY, at, "not enough memory");
    else if (read_target(t, conf, at, errs) == 0)
        return t;
    kafka_target_close(t);
    return NULL;
}

/* --- action --- */

static void *kafka_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    const struct kafka_target *t = target;
    return kafka_rule_open(t->catalog, t->props, t->client_id, conf, host, errs);
}

static void kafka_action_close(void *action)
{
    kafka_rule_free(action);
}

static void kafka_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    const struct kafka_rule *r = action;
    buf_put(out, texts[r->topic_text].p, texts[r->topic_text].len);
}

/* --- lane --- */

struct producer {
    struct producer *next;
    char *fingerprint;
    struct kafka_link *link; /* NULL: to be made */
    uint64_t used_ms;
};

struct kafka_lane {
    const struct kafka_target *target;
    struct producer *producers;
    struct item_groups groups;
    struct arena arena;
    uint64_t *held; /* keys of items that are to come later */
    size_t held_count, held_room;
    int stop_fd;
};

static void producer_free(struct producer *p)
{
    kafka_link_free(p->link);
    free(p->fingerprint);
    free(p);
}

static void kafka_lane_close(void *lane)
{
    struct kafka_lane *l = lane;
    if (!l)
        return;
    for (struct producer *p = l->producers, *next; p; p = next) {
        next = p->next;
        producer_free(p);
    }
    item_groups_clear(&l->groups);
    arena_clear(&l->arena);
    free(l->held);
    free(l);
}

static void *kafka_lane_open(void *target, struct err *e)
{
    struct kafka_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->target = target;
    l->stop_fd = -1;
    arena_init(&l->arena, ARENA_MAX);
    return l;
}

static void kafka_lane_stop_fd(void *lane, int fd)
{
    ((struct kafka_lane *)lane)->stop_fd = fd; /* producers are made later */
}

/* The producer for a set of properties, with its link. NULL with f. */
static struct producer *find_producer(struct kafka_lane *l, const struct kafka_props *props, struct kafka_failure *f)
{
    const char *fingerprint = kafka_props_fingerprint(props);
    struct producer *p = l->producers;
    while (p && strcmp(p->fingerprint, fingerprint) != 0)
        p = p->next;
    if (!p) {
        p = calloc(1, sizeof(*p));
        char *copy = strdup(fingerprint);
        if (!p || !copy) {
            free(p);
            free(copy);
            *f = (struct kafka_failure) { .verdict = KAFKA_LATER, .text = "not enough memory for a producer" };
            return NULL;
        }
        *p = (struct producer) { .next = l->producers, .fingerprint = copy };
        l->producers = p;
    }
    p->used_ms = clock_monotonic_ms(l->target->settings.clock);
    if (!p->link)
        p->link = kafka_link_new(&l->target->settings, props, f);
    if (!p->link)
        return NULL;
    kafka_link_stop_on(p->link, l->stop_fd);
    return p;
}

static void drop_link(struct producer *p)
{
    kafka_link_free(p->link);
    p->link = NULL;
}

/* Producers of rules that are gone. */
static void drop_unused(struct kafka_lane *l)
{
    uint64_t now = clock_monotonic_ms(l->target->settings.clock);
    for (struct producer **at = &l->producers; *at;) {
        struct producer *p = *at;
        if (now - p->used_ms < UNUSED_MS) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        producer_free(p);
    }
}

/* --- keys that wait --- */

static bool is_held(const struct kafka_lane *l, uint64_t key)
{
    for (size_t i = 0; key && i < l->held_count; i++) {
        if (l->held[i] == key)
            return true;
    }
    return false;
}

/* An item that is to come later holds its key. There is room for one an item. */
static void hold(struct kafka_lane *l, const struct act_item *item)
{
    if (item->result == ACT_LATER && item->key && !is_held(l, item->key))
        l->held[l->held_count++] = item->key;
}

static int reserve_held(struct kafka_lane *l, size_t count, struct err *e)
{
    l->held_count = 0;
    if (count <= l->held_room)
        return 0;
    uint64_t *held = reallocarray(l->held, count, sizeof(*held));
    if (!held)
        return err_set(e, ERR_MEMORY, "not enough memory for %zu items", count);
    l->held = held;
    l->held_room = count;
    return 0;
}

/* --- writing a group --- */

struct writing {
    struct kafka_lane *lane;
    struct kafka_link *link;
    struct item_group group;
    struct kafka_record *records; /* by index in the group */
    size_t in_round;
    size_t *refused; /* of the round, by index: each of them may be the bad one */
    size_t refused_count;
    struct kafka_failure f; /* the link is broken */
};

static void settle(const struct writing *w, size_t index, const struct kafka_failure *f)
{
    struct act_item *item = w->group.items[index];
    const struct kafka_rule *r = item->action;
    enum kafka_verdict verdict = f->verdict;
    if (verdict == KAFKA_NO_PLACE && r->place_is_constant)
        verdict = KAFKA_MISCONFIGURED;
    else if (verdict == KAFKA_NO_PLACE && f->missing && w->link &&
             kafka_link_missing_ms(w->link, &w->records[index]) < MISSING_MS)
        verdict = KAFKA_LATER;
    if (verdict == KAFKA_REJECTED || verdict == KAFKA_NO_PLACE)
        item_reject(item, "%s", f->text);
    else if (verdict == KAFKA_MISCONFIGURED)
        item_misconfigured(item, "%s", f->text);
    else
        item_later(item, "%s", f->text);
}

/* A report. What the servers refuse in company is tried again in smaller company. */
static void on_report(void *ctx, size_t index, const struct kafka_failure *f)
{
    struct writing *w = ctx;
    if (!f)
        item_done(w->group.items[index]);
    else if (f->verdict == KAFKA_REJECTED && w->in_round > 1)
        w->refused[w->refused_count++] = index;
    else
        settle(w, index, f);
}

/* Put one item into the round, unless it cannot go now or ever. -1: the link is broken. */
static int add(struct writing *w, size_t index)
{
    struct act_item *item = w->group.items[index];
    struct kafka_failure f;
    if (is_held(w->lane, item->key)) {
        item_later(item, "waits for an earlier message of its key");
        return 0;
    }
    if (kafka_link_check(w->link, &w->records[index], &f) == 0 &&
        kafka_link_add(w->link, &w->records[index], index, &f) == 0) {
        w->in_round++;
        return 0;
    }
    if (kafka_link_is_broken(w->link)) {
        w->f = f;
        return -1;
    }
    settle(w, index, &f);
    hold(w->lane, item);
    return 0;
}

static int compare_index(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Fill a round from a list of items and send it. Returns how many were looked at; 0: the link is broken. What was
 * refused in company is in w->refused. */
static size_t send_round(struct writing *w, const size_t *list, size_t count)
{
    size_t taken = 0;
    w->in_round = w->refused_count = 0;
    for (; taken < count && kafka_link_has_room(w->link, &w->records[list[taken]]); taken++) {
        if (add(w, list[taken]) < 0)
            return 0;
    }
    if (w->in_round && kafka_link_run(w->link, on_report, w, &w->f) < 0)
        return 0;
    for (size_t i = 0; i < taken; i++)
        hold(w->lane, w->group.items[list[i]]);
    return taken;
}

static int send_list(struct writing *w, size_t *list, size_t count);

/* The first `taken` of the list have been sent, and some were refused: each half of these by itself. */
static int send_refused(struct writing *w, size_t *list)
{
    size_t n = w->refused_count, half = n / 2;
    qsort(w->refused, n, sizeof(w->refused[0]), compare_index);
    memcpy(list, w->refused, n * sizeof(list[0])); /* they were all among the list's first */
    if (send_list(w, list, half) < 0)
        return -1;
    return send_list(w, list + half, n - half);
}

/* Send items by their indexes, in this order. Overwrites the list. -1 with w->f: the link is broken. */
static int send_list(struct writing *w, size_t *list, size_t count)
{
    for (size_t done = 0; done < count;) {
        if (kafka_link_is_late(w->link)) {
            for (size_t i = done; i < count; i++)
                item_later(w->group.items[list[i]], "the time for this batch is over");
            return 0;
        }
        size_t taken = send_round(w, list + done, count - done);
        if (taken == 0 || (w->refused_count && send_refused(w, list + done) < 0))
            return -1;
        done += taken;
    }
    return 0;
}

/* Make records; -1: memory is short. */
static int render(struct writing *w, size_t *list, size_t *count, struct err *e)
{
    *count = 0;
    for (size_t i = 0; i < w->group.count; i++) {
        struct act_item *item = w->group.items[i];
        struct err why = { 0 };
        if (kafka_rule_render(item->action, item, &w->lane->arena, &w->records[i], &why) == 0)
            list[(*count)++] = i;
        else if (why.code == ERR_MEMORY)
            return err_set(e, why.code, "%s", why.text);
        else
            item_reject(item, "%s", why.text);
    }
    return 0;
}

static void settle_rest(const struct writing *w, const struct kafka_failure *f)
{
    for (size_t i = 0; i < w->group.count; i++) {
        if (w->group.items[i]->result != ACT_PENDING)
            continue;
        if (f->verdict == KAFKA_MISCONFIGURED)
            item_misconfigured(w->group.items[i], "%s", f->text);
        else
            item_later(w->group.items[i], "%s", f->text);
        hold(w->lane, w->group.items[i]);
    }
}

/* A link that does not work, or the send is stopped. If it is the connection's own way to reach the servers, nothing else will work either. */
static int give_up(const struct writing *w, const struct kafka_props *props, struct err *e)
{
    if (w->f.stopped)
        return err_set(e, ERR_UNREACHABLE, "%s", w->f.text);
    if (!w->f.unreachable || kafka_props_own_security(props)) {
        settle_rest(w, &w->f);
        return 0;
    }
    return err_set(e, w->f.verdict == KAFKA_MISCONFIGURED ? ERR_REFUSED : ERR_UNREACHABLE, "%s", w->f.text);
}

static int send_group(struct kafka_lane *l, struct item_group group, struct err *e)
{
    const struct kafka_props *props = ((const struct kafka_rule *)group.items[0]->action)->props;
    struct writing w = { .lane = l, .group = group };
    size_t count, *list = arena_array(&l->arena, group.count, sizeof(*list));
    w.refused = arena_array(&l->arena, group.count, sizeof(*w.refused));
    w.records = arena_array(&l->arena, group.count, sizeof(*w.records));
    if (!list || !w.refused || !w.records)
        return err_set(e, ERR_MEMORY, "not enough memory for %zu records", group.count);
    if (render(&w, list, &count, e) < 0)
        return -1;
    if (count == 0)
        return 0;
    struct producer *p = find_producer(l, props, &w.f);
    w.link = p ? p->link : NULL;
    int rc = p && kafka_link_begin(w.link, &w.f) == 0 ? send_list(&w, list, count) : -1;
    if (rc < 0)
        rc = give_up(&w, props, e);
    if (p && kafka_link_is_broken(p->link))
        drop_link(p);
    return rc;
}

/* --- send --- */

static bool same_producer(const struct act_item *x, const struct act_item *y)
{
    const struct kafka_rule *a = x->action, *b = y->action;
    return a == b || a->props == b->props ||
           strcmp(kafka_props_fingerprint(a->props), kafka_props_fingerprint(b->props)) == 0;
}

static int kafka_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct kafka_lane *l = lane;
    items_start(items, count);
    arena_reset(&l->arena);
    if (reserve_held(l, count, e) < 0 || items_group(&l->groups, items, count, same_producer, e) < 0)
        return -1;
    for (size_t i = 0; i < l->groups.count; i++) {
        if (send_group(l, l->groups.list[i], e) < 0)
            return -1;
    }
    drop_unused(l);
    return 0;
}

const struct action_type act_kafka = {
    .name = "kafka",
    .failed_action = "KafkaAction",
    .doc = "write to a topic of Apache Kafka; any property of librdkafka is an extension",
    .connection = ACT_CONNECTION_REQUIRED,
    .connection_kind = "kafka",
    .connection_alias = "destinationArn",
    .target_options = target_options,
    .target_option_count = TARGET_OPTIONS,
    .options = kafka_options,
    .option_count = KAFKA_OPTION_COUNT,
    .target_open = kafka_target_open,
    .target_close = kafka_target_close,
    .action_open = kafka_action_open,
    .action_close = kafka_action_close,
    .resource = kafka_resource,
    .lane_open = kafka_lane_open,
    .lane_stop_fd = kafka_lane_stop_fd,
    .send = kafka_send,
    .lane_close = kafka_lane_close,
};
