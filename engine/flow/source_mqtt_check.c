/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/source_mqtt_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/flow/subscriptions.h"

/* The place of an option, or of the whole if it has its default. */
static struct span place(const struct conf *map, const char *name)
{
    const struct conf *value = conf_get(map, name);
    return value ? value->at : map->at;
}

static void check_websocket(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    if (!c->address.websocket || c->qos == 0)
        return;
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, place(map, "url"),
                             "over WebSocket messages are acknowledged when they arrive: a crash loses what is under "
                             "way, up to pendingMessages (%" PRId64 ")",
                             c->pending_messages);
    err_hint(e, "Over mqtt:// and mqtts:// they are acknowledged when they are delivered.");
}

/* Duration as a person writes it: the largest unit that divides it. */
static const char *duration_text(int64_t ms, char *out, size_t size)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" }, { 1, "ms" } };
    size_t i = 0;
    while (ms % units[i].ms)
        i++;
    snprintf(out, size, "%" PRId64 " %s", ms / units[i].ms, units[i].unit);
    return out;
}

static void check_session(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    char expiry[32], budget[32];
    struct err *e;
    if (c->clean_start) {
        e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, place(map, "cleanStart"),
                     "cleanStart cancels QoS %" PRId64 ": what comes while sluice is away, and what was under way, is "
                     "forgotten at each connect",
                     c->qos);
        err_hint(e, "Leave it out; or set qos: 0, which says what it is.");
    } else if (c->version == MQTT_V5 && c->session_expiry_ms < c->restart_budget_ms) {
        e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, place(map, "sessionExpiry"),
                     "the broker keeps the session for %s, less than the restartBudget of %s: after an absence "
                     "between the two, messages are lost",
                     duration_text(c->session_expiry_ms, expiry, sizeof(expiry)),
                     duration_text(c->restart_budget_ms, budget, sizeof(budget)));
        err_hint(e, "Raise sessionExpiry, or lower restartBudget to the absence that you accept.");
    }
}

static void check_qos(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    if (c->qos > 0) {
        check_session(c, map, errs);
        return;
    }
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, place(map, "qos"),
                             "at QoS 0 nothing is acknowledged: what is under way at a crash, and what comes while "
                             "sluice is away, is lost");
    err_hint(e, "Use qos: 1 if every message counts.");
}

static void check_filters(const struct mqtt_conf *c, const struct source_filter *filters, size_t count,
                          struct errs *errs)
{
    struct subscriptions all;
    struct err e = { 0 };
    if (c->version == MQTT_V5)
        return;
    if (subscriptions_init(&all, filters, count, c->basic_ingest, &e) < 0) {
        errs_take(errs, &e);
        return;
    }
    subscriptions_explain(&all, c->at, errs);
    subscriptions_clear(&all);
}

void source_mqtt_check(const struct mqtt_conf *c, const struct conf *map, const struct source_filter *filters,
                       size_t count, struct errs *errs)
{
    check_websocket(c, map, errs);
    check_qos(c, map, errs);
    check_filters(c, filters, count, errs);
}
