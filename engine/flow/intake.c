/* SPDX-License-Identifier: Apache-2.0 */
/* From a source into a lane. On the hot path: one message allocation and three short locks (current ruleset, the
 * source's counters, the lane). Routing comes before the gate, so that what no rule wants is settled even when the
 * flow is full. */
#include "engine/flow/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/topic.h"
#include "engine/base/utf8.h"

#define GATHER_MAX       64u /* messages, before their lanes are woken */
#define SAY_AGAIN_MIN_MS 1000u
#define SAY_AGAIN_MAX_MS 60000u

void ruleset_slot_init(struct ruleset_slot *slot, struct ruleset *rs)
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->ruleset = ruleset_ref(rs);
}

void ruleset_slot_clear(struct ruleset_slot *slot)
{
    ruleset_unref(slot->ruleset);
    pthread_mutex_destroy(&slot->lock);
}

void ruleset_slot_set(struct ruleset_slot *slot, struct ruleset *rs)
{
    ruleset_ref(rs);
    pthread_mutex_lock(&slot->lock);
    struct ruleset *old = slot->ruleset;
    slot->ruleset = rs;
    pthread_mutex_unlock(&slot->lock);
    ruleset_unref(old);
}

struct ruleset *ruleset_slot_get(struct ruleset_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct ruleset *rs = ruleset_ref(slot->ruleset);
    pthread_mutex_unlock(&slot->lock);
    return rs;
}

/* FNV-1a (Fowler, Noll, Vo) with splitmix64's last step, since lanes are chosen by the upper bits. Never 0: that
 * means no order. */
static uint64_t hash_of(const char *p, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    h ^= h >> 31;
    return h ? h : 1;
}

static uint64_t key_of(const struct intake *in, const struct message *m)
{
    if (in->ordering == ORDERING_NONE)
        return 0;
    if (in->ordering == ORDERING_CLIENT && m->client_id)
        return hash_of(m->client_id, strlen(m->client_id));
    return hash_of(m->topic, m->topic_len);
}

static struct worker *lane_of(struct intake *in, uint64_t key)
{
    uint64_t at = key ? key >> 32 : in->turn++;
    return in->env->workers[at % in->env->worker_count];
}

/* The notice of an unknown rule. Publishers choose the names, so there is a bound. */
static struct notice *notice_of(struct intake *in, const char *name, size_t len)
{
    uint64_t hash = hash_of(name, len);
    for (size_t i = 0; i < in->not_found_count; i++) {
        if (in->not_found[i].name == hash)
            return &in->not_found[i].notice;
    }
    if (in->not_found_count == NOT_FOUND_NAMES)
        return &in->not_found[NOT_FOUND_NAMES].notice;
    in->not_found[in->not_found_count].name = hash;
    return &in->not_found[in->not_found_count++].notice;
}

static void say_not_found(struct intake *in, const struct message *m)
{
    uint64_t silent;
    const char *name = "", *rest;
    size_t len = 0, rest_len;
    if (!topic_basic_ingest(m->topic, m->topic_len, &name, &len, &rest, &rest_len) ||
        !notice_due(notice_of(in, name, len), clock_monotonic_ms(in->env->clock), &silent))
        return;
    char rule[136], more[24];
    len = len < sizeof(rule) - 1 ? len : sizeof(rule) - 1;
    snprintf(rule, sizeof(rule), "%.*s", (int)utf8_valid_prefix(name, len), name);
    snprintf(more, sizeof(more), "%llu", (unsigned long long)silent);
    const char *fields[] = { "reason", "RuleNotFound", "source", in->name, "unsaid", silent ? more : NULL, NULL };
    log_event(LOG_LEVEL_ERROR, fields, "Rule %s not found", rule);
}

/* No rule wants it: settled at once. */
static enum sink_answer submit_unmatched(struct intake *in, const struct source_message *m, enum router_kind kind)
{
    stats_source_unmatched(in->env->stats, in->origin.index, m->identity, kind == ROUTER_RULE_NOT_FOUND);
    if (kind == ROUTER_RULE_NOT_FOUND)
        say_not_found(in, &m->message);
    in->origin.type->settled(in->origin.handle, m->token);
    return SINK_TAKEN;
}

static bool matches_reserve(struct intake *in, size_t count)
{
    if (count <= in->match_cap)
        return true;
    uint32_t *matches = realloc(in->matches, count * sizeof(*matches));
    if (!matches)
        return false;
    in->matches = matches;
    in->match_cap = count;
    return true;
}

static struct msg *copy_message(struct intake *in, const struct source_message *m, struct ruleset *rs,
                                size_t rule_count)
{
    struct msg *copy = msg_new(&m->message, rs, in->matches, rule_count);
    if (!copy)
        return NULL;
    copy->origin = &in->origin;
    copy->token = m->token;
    copy->key = key_of(in, &m->message);
    if (copy->message.arrival_ms == 0)
        copy->message.arrival_ms = clock_now_ms(in->env->clock);
    if (copy->message.seed == 0)
        copy->message.seed = random_u64(&in->random);
    return copy;
}

static void wake_lanes(struct intake *in)
{
    in->gathered = 0;
    for (size_t i = 0; i < in->env->worker_count; i++)
        worker_nudge(in->env->workers[i]);
}

/* Through the gate and into its lane. */
static enum sink_answer submit_matched(struct intake *in, const struct source_message *m, struct ruleset *rs,
                                       size_t rule_count)
{
    size_t size = msg_size(&m->message, rule_count);
    enum gate_answer answer = gate_enter(in->env->gate, size);
    in->wanted = size;
    if (answer != GATE_IN)
        return answer == GATE_FULL ? SINK_FULL : SINK_CLOSED;
    struct msg *copy = copy_message(in, m, rs, rule_count);
    if (!copy) {
        gate_leave(in->env->gate, size);
        in->starved = true;
        return SINK_FULL;
    }
    stats_source_matched(in->env->stats, in->origin.index, m->identity); /* before the worker can settle it */
    struct worker *lane = lane_of(in, copy->key);
    if (in->gathering ? worker_push_quietly(lane, copy) : worker_push(lane, copy)) {
        if (in->gathering && ++in->gathered >= GATHER_MAX)
            wake_lanes(in);
        return SINK_TAKEN;
    }
    msg_free(copy); /* lanes have room for all that passed the gate, so this one is closed: the counters' end, too */
    return SINK_CLOSED;
}

static enum sink_answer submit(struct source_sink *sink, const struct source_message *m)
{
    struct intake *in = (struct intake *)sink;
    struct ruleset *rs = ruleset_slot_get(in->env->current);
    enum sink_answer answer = SINK_FULL;
    in->starved = false;
    if (!matches_reserve(in, rs->rule_count)) {
        in->starved = true;
        goto out;
    }
    enum router_kind kind;
    size_t count = router_match(rs->router, m->message.topic, m->message.topic_len, m->filter_ids, m->filter_id_count,
                                in->matches, in->match_cap, &kind);
    answer = count ? submit_matched(in, m, rs, count) : submit_unmatched(in, m, kind);
out:
    ruleset_unref(rs);
    return answer;
}

static void gather(struct source_sink *sink, bool on)
{
    struct intake *in = (struct intake *)sink;
    in->gathering = on;
    if (!on && in->gathered)
        wake_lanes(in);
}

static void wait_room(struct source_sink *sink, unsigned timeout_ms)
{
    struct intake *in = (struct intake *)sink;
    gate_wait_room(in->env->gate, in->wanted, timeout_ms, in->starved);
}

static void ignored(struct source_sink *sink)
{
    struct intake *in = (struct intake *)sink;
    stats_source_retained(in->env->stats, in->origin.index);
}

static void finished(struct source_sink *sink, bool all)
{
    struct intake *in = (struct intake *)sink;
    in->env->finished(in->env->ctx, all);
}

void intake_init(struct intake *in, const struct intake_env *env, const struct msg_origin *origin, const char *name,
                 enum ordering ordering)
{
    *in = (struct intake) { .env = env, .origin = *origin, .name = name, .ordering = ordering };
    in->sink = (struct source_sink) {
        .submit = submit, .gather = gather, .wait_room = wait_room, .ignored = ignored, .finished = finished
    };
    random_seed(&in->random, random_entropy());
    for (size_t i = 0; i <= NOT_FOUND_NAMES; i++)
        notice_init(&in->not_found[i].notice, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
}

void intake_clear(struct intake *in)
{
    free(in->matches);
    in->matches = NULL;
}
