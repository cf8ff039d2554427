/* SPDX-License-Identifier: Apache-2.0 */
/* On the hot path of every message: the texts go into a buffer that has room for the longest from the start. */
#include "engine/flow/source_identity.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/opt.h"
#include "engine/base/topic.h"
#include "engine/base/utf8.h"
#include "engine/mqtt/identity_seal.h"
#include "engine/mqtt/mqtt_hops.h"
#include "engine/mqtt/packet.h"

#define SAY_AGAIN_MIN_MS 10000u
#define SAY_AGAIN_MAX_MS 3600000u
#define SAY_TOPIC_MAX    200u
#define TEXTS_MAX        (IDENTITY_MAX_BYTES + 4 + PACKET_TEXT_MAX + 1) /* all of a seal, and a client id from elsewhere */

/* --- options --- */

#define FIELD(name) offsetof(struct source_identity, name)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct opt seal_options[] = {
    { "keyFile", OPT_PATH, FIELD(key_file), .required = true,
      .help = "the key with which the broker's plugin seals who published" },
    { "previousKeyFile", OPT_PATH, FIELD(previous_key_file), .help = "the key before it, while both are in use" },
};

static const struct opt origin_options[] = {
    { "topicLevel", OPT_INT, FIELD(topic_level), .min = 1, .max = TOPIC_MAX_LEVELS,
      .help = "level of the topic that is the client id, from 1" },
    { "userProperty", OPT_TEXT, FIELD(user_property),
      .help = "user property that is the client id; of several the first" },
};

static struct span place_of(const struct conf *map, const char *name)
{
    const struct conf *value = map->kind == CONF_MAP ? conf_get(map, name) : NULL;
    return value ? value->at : map->at;
}

/* --- opening --- */

static bool read_key(struct source_identity *s, const struct conf *map, size_t which, struct identity_key *key,
                     struct errs *errs)
{
    const char *path = which ? s->previous_key_file : s->key_file;
    struct span at = place_of(map, seal_options[which].name);
    struct err e = { 0 };
    if (identity_key_read(key, path, &e) < 0) {
        e.at = at;
        errs_take(errs, &e);
        return false;
    }
    if (key->is_open_to_all)
        s->open_to_all[which] = at;
    return true;
}

/* Both keys are read even if one is wrong, so that all errors are told at once. */
static void read_seal(struct source_identity *s, const struct conf *map, struct errs *errs)
{
    struct identity_key keys[OPENER_KEYS_MAX] = { 0 };
    struct err e = { .at = map->at };
    if (opt_read(seal_options, COUNT(seal_options), map, "identity", map->at, s, errs) < 0)
        return;
    bool good = read_key(s, map, 0, &keys[0], errs);
    if (s->previous_key_file)
        good = read_key(s, map, 1, &keys[1], errs) && good;
    if (good)
        s->opener = opener_new(keys, s->previous_key_file ? 2 : 1, &e);
    if (good && !s->opener)
        errs_take(errs, &e);
    for (size_t i = 0; i < OPENER_KEYS_MAX; i++)
        identity_key_wipe(&keys[i]);
}

static void check_property(const char *name, struct span at, struct errs *errs)
{
    size_t len = strlen(name);
    if (len == 0 || len > PACKET_TEXT_MAX || !utf8_is_valid(name, len))
        errs_refuse(errs, ERR_CONF_VALUE, at, "\"userProperty\" must have 1 to 65535 bytes of UTF-8");
    else if (identity_is_property(name, len) || strcmp(name, MQTT_HOPS_NAME) == 0)
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at, "\"%s\" is ours, and is taken out of the user properties", name);
}

static void read_origin(struct source_identity *s, const struct conf *map, struct errs *errs)
{
    if (opt_read(origin_options, COUNT(origin_options), map, "clientIdFrom", map->at, s, errs) < 0)
        return;
    if (s->topic_level && s->user_property)
        errs_refuse(errs, ERR_CONF_VALUE, place_of(map, "userProperty"),
                    "\"clientIdFrom\" takes \"topicLevel\" or \"userProperty\", not both");
    else if (s->user_property)
        check_property(s->user_property, place_of(map, "userProperty"), errs);
    else if (!s->topic_level)
        errs_refuse(errs, ERR_CONF_MISSING, map->at, "\"clientIdFrom\" needs \"topicLevel\" or \"userProperty\"");
}

int source_identity_read(struct source_identity *s, const struct mqtt_conf *c, struct errs *errs)
{
    size_t errors = errs->errors;
    *s = (struct source_identity) { 0 };
    buf_init(&s->texts, TEXTS_MAX + 1);
    for (size_t i = 0; i < IDENTITY_STATE_COUNT; i++)
        notice_init(&s->notices[i], SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    if (c->identity)
        read_seal(s, c->identity, errs);
    if (c->client_id_from)
        read_origin(s, c->client_id_from, errs);
    if ((c->identity || c->client_id_from) && !buf_reserve(&s->texts, TEXTS_MAX))
        return errs_refuse(errs, ERR_MEMORY, c->at, "not enough memory for the identities of publishers");
    return errs->errors > errors ? -1 : 0;
}

void source_identity_clear(struct source_identity *s)
{
    opt_free(seal_options, COUNT(seal_options), s);
    opt_free(origin_options, COUNT(origin_options), s);
    opener_free(s->opener);
    buf_clear(&s->texts);
    *s = (struct source_identity) { 0 };
}

bool source_identity_names_clients(const struct conf *options)
{
    return conf_get(options, "identity") || conf_get(options, "clientIdFrom");
}

/* --- checking --- */

static void check_version(const struct conf *at, const char *name, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, at->at,
                             "\"%s\" needs MQTT 5: with 3.1.1 no user properties come, and clientid() is n/a", name);
    err_hint(e, "Use version: 5; the clients may go on with 3.1.1.");
}

static void check_keys(const struct source_identity *s, struct errs *errs)
{
    const char *const paths[] = { s->key_file, s->previous_key_file };
    for (size_t i = 0; i < COUNT(paths); i++) {
        if (!s->open_to_all[i].src)
            continue;
        struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, s->open_to_all[i],
                                 "everybody on this machine can read the key, and forge identities with it");
        err_hint(e, "chmod 640 %s, with a group for the broker and sluice.", paths[i]);
    }
}

static void check_origin(const struct source_identity *s, const struct mqtt_conf *c, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE,
                             place_of(c->client_id_from, s->topic_level ? "topicLevel" : "userProperty"),
                             "a client can forge this: clientid() is what the %s says, whoever published",
                             s->topic_level ? "topic" : "message");
    err_hint(e, s->topic_level ? "Let the broker's access control bind that level to the client, or use identity."
                               : "Do not rely on it; or use identity.");
}

void source_identity_check(const struct source_identity *s, const struct mqtt_conf *c, struct errs *errs)
{
    if (c->identity && c->version == MQTT_V311)
        check_version(c->identity, "identity", errs);
    check_keys(s, errs);
    if (!c->client_id_from)
        return;
    check_origin(s, c, errs);
    if (s->user_property && c->version == MQTT_V311)
        check_version(c->client_id_from, "userProperty", errs);
}

/* --- naming --- */

/* A copy that ends in NUL; NULL if it is empty or no text. */
static const char *keep(struct source_identity *s, const char *p, size_t len)
{
    if (len == 0 || memchr(p, '\0', len) || !utf8_is_valid(p, len))
        return NULL;
    const char *at = s->texts.p + s->texts.len;
    buf_put(&s->texts, p, len);
    buf_putc(&s->texts, '\0');
    return at;
}

static const char *keep_text(struct source_identity *s, struct identity_text t)
{
    return keep(s, t.p, t.len);
}

static enum identity_state open_seal(struct source_identity *s, struct source_message *m)
{
    struct message *to = &m->message;
    const struct identity_bound bound = {
        .topic = to->topic, .topic_len = to->topic_len, .payload = to->payload, .payload_len = to->payload_len
    };
    struct identity who;
    if (!m->seal)
        return IDENTITY_ABSENT;
    switch (opener_open(s->opener, m->seal, m->seal_len, &bound, to->dup || to->retain,
                        m->filter_id_count ? m->filter_ids[0] : 0, &who)) {
    case SEAL_OPENED:
        break;
    case SEAL_REPLAYED:
        return IDENTITY_REPLAYED;
    case SEAL_FORGED:
    default:
        return IDENTITY_FORGED;
    }
    to->client_id = keep_text(s, who.client_id);
    to->principal = keep_text(s, who.principal);
    to->source_ip = keep_text(s, who.source_ip);
    to->trace_id = keep_text(s, who.trace_id);
    return IDENTITY_OPENED;
}

static void say(struct source_identity *s, const struct clock *clock, const char *broker,
                const struct source_message *m)
{
    static const struct {
        enum log_level level;
        const char *text;
    } lines[IDENTITY_STATE_COUNT] = {
        [IDENTITY_ABSENT] = { LOG_LEVEL_INFO,
                              "a message came without a sealed identity: does the broker's plugin run?" },
        [IDENTITY_FORGED] = { LOG_LEVEL_WARN,
                              "the identity of a message is forged, or sealed with a key that is not ours" },
        [IDENTITY_REPLAYED] = { LOG_LEVEL_WARN, "the identity of a message was used before: it counts once only" },
    };
    uint64_t silent;
    if (!lines[m->identity].text || !notice_due(&s->notices[m->identity], clock_monotonic_ms(clock), &silent))
        return;
    char topic[SAY_TOPIC_MAX], more[24];
    size_t len = m->message.topic_len < sizeof(topic) - 1 ? m->message.topic_len : sizeof(topic) - 1;
    snprintf(topic, sizeof(topic), "%.*s", (int)utf8_valid_prefix(m->message.topic, len), m->message.topic);
    snprintf(more, sizeof(more), "%llu", (unsigned long long)silent);
    const char *fields[] = { "source", "mqtt", "broker", broker, "topic", topic, "unsaid", silent ? more : NULL, NULL };
    log_event(lines[m->identity].level, fields, "%s", lines[m->identity].text);
}

/* The level that topic(N) gives: behind the prefix of Basic Ingest. */
static const char *from_topic(struct source_identity *s, const struct message *m)
{
    const char *name, *rest = m->topic;
    size_t name_len, rest_len = m->topic_len, len;
    topic_basic_ingest(m->topic, m->topic_len, &name, &name_len, &rest, &rest_len);
    const char *level = topic_level(rest, rest_len, (size_t)s->topic_level, &len);
    return level ? keep(s, level, len) : NULL;
}

static const char *from_property(struct source_identity *s, const struct message *m)
{
    size_t len = strlen(s->user_property);
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *p = &m->user_properties[i];
        if (p->name_len == len && memcmp(p->name, s->user_property, len) == 0)
            return keep(s, p->value, p->value_len);
    }
    return NULL;
}

/* `$SYS`, lifecycle events: never sealed. */
static bool is_of_broker(const struct source_message *m)
{
    const char *name, *rest;
    size_t name_len, rest_len;
    const struct message *x = &m->message;
    return !m->seal && x->topic_len > 0 && x->topic[0] == '$' &&
           !topic_basic_ingest(x->topic, x->topic_len, &name, &name_len, &rest, &rest_len);
}

void source_identity_name(struct source_identity *s, const struct clock *clock, const char *broker,
                          struct source_message *m)
{
    buf_reset(&s->texts);
    if (s->opener && !is_of_broker(m)) {
        m->identity = open_seal(s, m);
        say(s, clock, broker, m);
    }
    if (m->message.client_id)
        return;
    if (s->topic_level)
        m->message.client_id = from_topic(s, &m->message);
    else if (s->user_property)
        m->message.client_id = from_property(s, &m->message);
}
