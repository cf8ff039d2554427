/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/wanted_filters.h"

#include <inttypes.h>

#include "engine/base/log.h"

#define FIELDS(f) ((const char *const[]) { "source", "mqtt", "broker", (f)->conf->url, NULL })

void wanted_filters_init(struct wanted_filters *f, const struct mqtt_conf *conf, const struct clock *clock)
{
    f->conf = conf;
    f->clock = clock;
    pthread_mutex_init(&f->lock, NULL);
}

void wanted_filters_clear(struct wanted_filters *f)
{
    subscriptions_clear(&f->fresh);
    subscriptions_clear(&f->list);
    poison_clear(&f->poison);
    pthread_mutex_destroy(&f->lock);
}

int wanted_filters_set(struct wanted_filters *f, const struct source_filter *filters, size_t count, struct err *e)
{
    struct subscriptions fresh;
    if (subscriptions_init(&fresh, filters, count, f->conf->basic_ingest, e) < 0)
        return -1;
    pthread_mutex_lock(&f->lock);
    struct subscriptions old = f->fresh;
    f->fresh = fresh;
    f->has_fresh = true;
    f->applied = false;
    pthread_mutex_unlock(&f->lock);
    subscriptions_clear(&old);
    return 0;
}

bool wanted_filters_are_applied(struct wanted_filters *f)
{
    pthread_mutex_lock(&f->lock);
    bool applied = f->applied;
    pthread_mutex_unlock(&f->lock);
    return applied;
}

bool wanted_filters_are_due(struct wanted_filters *f, uint64_t now_ms)
{
    pthread_mutex_lock(&f->lock);
    bool due = f->has_fresh;
    pthread_mutex_unlock(&f->lock);
    return due || poison_next(&f->poison) <= now_ms;
}

uint64_t wanted_filters_due_ms(const struct wanted_filters *f, uint64_t now_ms, uint64_t most)
{
    uint64_t again = poison_next(&f->poison);
    return again > now_ms && again < most ? again : most;
}

void wanted_filters_take(struct wanted_filters *f)
{
    pthread_mutex_lock(&f->lock);
    struct subscriptions old = f->list;
    bool changed = f->has_fresh;
    if (changed)
        f->list = f->fresh;
    f->fresh = (struct subscriptions) { 0 };
    f->has_fresh = false;
    pthread_mutex_unlock(&f->lock);
    if (changed) {
        subscriptions_clear(&old);
        poison_clear(&f->poison);
        f->one_by_one = false;
    }
}

int wanted_filters_target(const struct wanted_filters *f, bool takes_ids, struct subscriptions *target, struct err *e)
{
    if (takes_ids)
        return subscriptions_init(target, f->list.list, f->list.count, false, e);
    if (f->conf->version == MQTT_V5)
        log_event(LOG_LEVEL_INFO, FIELDS(f),
                  "the broker knows no Subscription Identifiers: overlapping filters are merged");
    return subscriptions_init_merged(target, &f->list, e);
}

bool wanted_filters_is_left_out(const struct wanted_filters *f, const char *filter, uint64_t now_ms)
{
    return poison_is_left_out(&f->poison, filter, now_ms);
}

size_t wanted_filters_step(const struct wanted_filters *f, size_t count)
{
    return f->one_by_one ? 1 : count;
}

/* The broker ended the connection when we subscribed to this filter alone. If it has done so for all of them, the
 * fault is not theirs. */
static void blame(struct wanted_filters *f, const char *filter)
{
    uint32_t wait_ms = poison_blame(&f->poison, filter, clock_monotonic_ms(f->clock));
    if (f->poison.count >= f->list.count)
        poison_clear(&f->poison);
    else if (wait_ms > 0)
        log_event(LOG_LEVEL_ERROR, FIELDS(f),
                  "the broker ends the connection when we subscribe to \"%s\": left out for %" PRIu32 " min", filter,
                  wait_ms / 60000);
}

void wanted_filters_failed(struct wanted_filters *f, const char *filter, bool ended_by_broker)
{
    if (f->one_by_one && ended_by_broker)
        blame(f, filter);
    f->one_by_one = f->one_by_one || ended_by_broker;
}

void wanted_filters_asked(struct wanted_filters *f, uint64_t began_ms)
{
    poison_acquit_due(&f->poison, began_ms);
    f->one_by_one = f->poison.count > 0;
}

bool wanted_filters_grant(const struct wanted_filters *f, const char *filter, const struct mqtt_answer *answer)
{
    if (answer->outcome == MQTT_REFUSED)
        log_event(LOG_LEVEL_ERROR, FIELDS(f), "the broker refused the subscription to \"%s\": %s", filter,
                  answer->text);
    else if (answer->code < f->conf->qos)
        log_event(LOG_LEVEL_WARN, FIELDS(f), "the broker granted QoS %u only for the subscription to \"%s\"",
                  answer->code, filter);
    return answer->outcome == MQTT_ACCEPTED;
}

void wanted_filters_applied(struct wanted_filters *f, size_t count)
{
    pthread_mutex_lock(&f->lock);
    f->applied = !f->has_fresh;
    pthread_mutex_unlock(&f->lock);
    log_event(LOG_LEVEL_INFO, FIELDS(f), "subscribed to %zu filter%s", count, count == 1 ? "" : "s");
}
