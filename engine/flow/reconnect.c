/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/reconnect.h"

#include <inttypes.h>

#include "engine/base/log.h"
#include "engine/flow/retry.h"

#define SHORT_ONES       2u /* connections in a row that did not last: another client may be to blame */
#define SAY_AGAIN_MIN_MS 10000u
#define SAY_AGAIN_MAX_MS 3600000u

void reconnect_init(struct reconnect *r, const struct mqtt_conf *conf, const struct clock *clock, uint64_t seed)
{
    *r = (struct reconnect) { .conf = conf, .clock = clock };
    random_seed(&r->random, seed);
    notice_init(&r->unreachable, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
}

static uint64_t next_delay(struct reconnect *r)
{
    struct retry retry = { .min_ms = (uint32_t)r->conf->reconnect_min_ms,
                           .max_ms = (uint32_t)r->conf->reconnect_max_ms };
    return retry_delay_ms(&retry, ++r->failures, random_unit(&r->random), 0);
}

void reconnect_made(struct reconnect *r, bool resumed)
{
    const char *fields[] = { "source", "mqtt", "broker", r->conf->url, NULL };
    r->made_ms = clock_monotonic_ms(r->clock);
    log_event(LOG_LEVEL_INFO, fields, "connected to the broker, which %s",
              resumed ? "kept the session" : "began a new session");
}

uint64_t reconnect_failed(struct reconnect *r, const struct err *why, bool quiet)
{
    uint64_t delay = next_delay(r), silent;
    if (quiet || !notice_due(&r->unreachable, clock_monotonic_ms(r->clock), &silent))
        return delay;
    const char *hint = why->hint[0] ? why->hint : NULL;
    const char *fields[] = { "source", "mqtt", "broker", r->conf->url, "hint", hint, NULL };
    enum log_level level = why->code == ERR_REFUSED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
    log_event(level, fields, "%s, trying again in %" PRIu64 " ms", why->text, delay);
    return delay;
}

uint64_t reconnect_lost(struct reconnect *r, const char *why)
{
    const char *hint = r->failures >= SHORT_ONES ? "Does another client use the same client id?" : NULL;
    const char *fields[] = { "source",           "mqtt", "broker", r->conf->url, "clientId",
                             r->conf->client_id, "hint", hint,     NULL };
    log_event(LOG_LEVEL_WARN, fields, "the connection to the broker was lost: %s", why);
    if (clock_monotonic_ms(r->clock) - r->made_ms < RECONNECT_STEADY_MS)
        return next_delay(r);
    r->failures = 0;
    return 0;
}
