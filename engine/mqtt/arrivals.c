/* SPDX-License-Identifier: Apache-2.0 */
/* What of a PUBLISH makes it the same message: topic, payload, retain, the texts of its properties and its user
 * properties, the publisher's sealed identity among them. What a broker may change when it sends it again is left out: packet identifier, DUP, topic alias, the
 * time left to expiry, Subscription Identifiers (other filters may be subscribed by then).
 */
#include "engine/mqtt/arrivals.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/base/siphash.h"
#include "engine/mqtt/identity_seal.h"
#include "engine/mqtt/mqtt_hops.h"

#define TEXTS_MAX (2u * (PACKET_TEXT_MAX + 1u))

/* --- making --- */

int arrivals_init(struct arrivals *a, struct ack_window *window, uint16_t alias_max, struct err *e)
{
    *a = (struct arrivals) { .window = window, .alias_max = alias_max, .key = { random_entropy(), random_entropy() } };
    buf_init(&a->texts, TEXTS_MAX + 1);
    a->aliases = calloc((size_t)alias_max + 1, sizeof(*a->aliases));
    return a->aliases ? 0 : err_set(e, ERR_MEMORY, "not enough memory for topic aliases");
}

void arrivals_clear(struct arrivals *a)
{
    for (size_t i = 0; a->aliases && i < a->alias_max; i++)
        free(a->aliases[i].topic);
    free(a->aliases);
    free(a->properties);
    free(a->ids);
    buf_clear(&a->texts);
    *a = (struct arrivals) { 0 };
}

void arrivals_begin(struct arrivals *a, unsigned level, bool session_present)
{
    a->level = level;
    for (size_t i = 0; i < a->alias_max; i++)
        a->aliases[i].len = 0; /* the memory stays */
    ack_window_begin(a->window, session_present);
}

/* --- topic aliases (section 3.3.2.3.4) --- */

static int fail(struct packet_fault *fault, uint8_t code, const char *why)
{
    *fault = (struct packet_fault) { code, why };
    return -1;
}

static int alias_set(struct arrivals_alias *alias, struct packet_text topic)
{
    if (topic.len > alias->cap) {
        char *grown = realloc(alias->topic, topic.len);
        if (!grown)
            return -1;
        alias->topic = grown;
        alias->cap = topic.len;
    }
    memcpy(alias->topic, topic.p, topic.len);
    alias->len = topic.len;
    return 0;
}

/* The topic, whether named or by its alias. */
static enum arrival resolve_topic(struct arrivals *a, const struct packet *p, struct packet_text *topic,
                                  struct packet_fault *fault)
{
    *topic = p->publish.topic;
    if (!(p->props.present & PROP_BIT(PROP_TOPIC_ALIAS)))
        return ARRIVAL_MESSAGE;
    uint16_t n = p->props.topic_alias; /* not 0, as decoding has checked */
    if (n > a->alias_max) {            /* [MQTT-3.1.2-26], [MQTT-3.2.2-17] */
        fail(fault, REASON_TOPIC_ALIAS, "its topic alias is larger than we allow");
        return ARRIVAL_FAULT;
    }
    struct arrivals_alias *alias = &a->aliases[n - 1];
    if (topic->len > 0)
        return alias_set(alias, *topic) < 0 ? ARRIVAL_MEMORY : ARRIVAL_MESSAGE;
    *topic = (struct packet_text) { alias->topic, alias->len };
    if (alias->len > 0)
        return ARRIVAL_MESSAGE;
    fail(fault, REASON_PROTOCOL, "its topic alias has not been told");
    return ARRIVAL_FAULT;
}

/* --- properties --- */

static bool property_room(struct arrivals *a, size_t count)
{
    if (count <= a->property_cap)
        return true;
    size_t cap = a->property_cap ? 2 * a->property_cap : 8;
    struct user_property *grown = realloc(a->properties, cap * sizeof(*grown));
    if (!grown)
        return false;
    a->properties = grown;
    a->property_cap = cap;
    return true;
}

/* The hop count and the publisher's identity are taken out. Of several identities the last counts: who seals one takes out
 * those before. */
static int read_users(struct arrivals *a, const struct packet_props *props, struct source_message *sm)
{
    struct message *m = &sm->message;
    struct packet_text rest = props->repeated, name, value;
    size_t n = 0;
    while (packet_user_next(&rest, &name, &value)) {
        if (mqtt_hops_read(name.p, name.len, value.p, value.len, &m->hops))
            continue;
        if (identity_is_property(name.p, name.len)) {
            sm->seal = value.p;
            sm->seal_len = value.len;
            continue;
        }
        if (!property_room(a, n + 1))
            return -1;
        a->properties[n++] =
            (struct user_property) { .name = name.p, .name_len = name.len, .value = value.p, .value_len = value.len };
    }
    m->user_properties = n ? a->properties : NULL;
    m->user_property_count = n;
    return 0;
}

static bool id_room(struct arrivals *a, size_t count)
{
    if (count <= a->id_cap)
        return true;
    size_t cap = a->id_cap ? 2 * a->id_cap : 8;
    uint32_t *grown = realloc(a->ids, cap * sizeof(*grown));
    if (!grown)
        return false;
    a->ids = grown;
    a->id_cap = cap;
    return true;
}

static int read_ids(struct arrivals *a, const struct packet_props *props, struct source_message *m)
{
    struct packet_text rest = props->repeated;
    uint32_t id;
    size_t n = 0;
    while (packet_subscription_id_next(&rest, &id)) {
        if (!id_room(a, n + 1))
            return -1;
        a->ids[n++] = id;
    }
    m->filter_ids = n ? a->ids : NULL;
    m->filter_id_count = n;
    return 0;
}

static const char *put_text(struct buf *texts, struct packet_text t)
{
    const char *at = texts->p + texts->len;
    buf_put(texts, t.p, t.len);
    buf_putc(texts, '\0');
    return at;
}

/* Those that must end with NUL. Room for both is made first, so that neither moves. */
static int read_texts(struct arrivals *a, const struct packet_props *props, struct message *m)
{
    bool type = props->present & PROP_BIT(PROP_CONTENT_TYPE), reply = props->present & PROP_BIT(PROP_RESPONSE_TOPIC);
    buf_reset(&a->texts);
    if (!buf_reserve(&a->texts, (type ? props->content_type.len + 1 : 0) + (reply ? props->response_topic.len + 1 : 0)))
        return -1;
    if (type)
        m->content_type = put_text(&a->texts, props->content_type);
    if (reply)
        m->response_topic = put_text(&a->texts, props->response_topic);
    return 0;
}

#define PROPS_TEXTS (PROP_BIT(PROP_CONTENT_TYPE) | PROP_BIT(PROP_RESPONSE_TOPIC))

static int read_props(struct arrivals *a, const struct packet_props *props, struct source_message *m)
{
    struct message *message = &m->message;
    if (props->present & PROP_BIT(PROP_PAYLOAD_FORMAT))
        message->payload_format = props->payload_format ? PAYLOAD_FORMAT_UTF8 : PAYLOAD_FORMAT_BYTES;
    if (props->present & PROP_BIT(PROP_CORRELATION_DATA)) {
        message->correlation_data = props->correlation_data.p;
        message->correlation_len = props->correlation_data.len;
    }
    if (props->present & PROPS_TEXTS && read_texts(a, props, message) < 0)
        return -1;
    if (props->present & PROP_BIT(PROP_USER) && read_users(a, props, m) < 0)
        return -1;
    return props->present & PROP_BIT(PROP_SUBSCRIPTION_ID) ? read_ids(a, props, m) : 0;
}

/* --- fingerprint --- */

/* With its length, so that the border between two texts counts as well. */
static void put_sized(struct siphash *h, const char *p, size_t len)
{
    uint64_t n = len;
    siphash_put(h, &n, sizeof(n));
    siphash_put(h, p, len);
}

static uint64_t fingerprint(const struct arrivals *a, const struct packet *p, struct packet_text topic)
{
    struct siphash h;
    struct packet_text rest = p->props.repeated, name, value;
    uint64_t present = p->props.present;
    siphash_init(&h, a->key);
    put_sized(&h, topic.p, topic.len);
    put_sized(&h, p->publish.payload.p, p->publish.payload.len);
    if (present & PROP_BIT(PROP_CONTENT_TYPE))
        put_sized(&h, p->props.content_type.p, p->props.content_type.len);
    if (present & PROP_BIT(PROP_RESPONSE_TOPIC))
        put_sized(&h, p->props.response_topic.p, p->props.response_topic.len);
    if (present & PROP_BIT(PROP_CORRELATION_DATA))
        put_sized(&h, p->props.correlation_data.p, p->props.correlation_data.len);
    while (present & PROP_BIT(PROP_USER) && packet_user_next(&rest, &name, &value)) {
        put_sized(&h, name.p, name.len);
        put_sized(&h, value.p, value.len);
    }
    return siphash_end(&h) ^ p->publish.retain;
}

/* --- packets --- */

static enum arrival receive(struct arrivals *a, const struct packet *p, struct packet_text topic, uint64_t *token,
                            struct packet_fault *fault)
{
    struct ack_arrival arrived = {
        .id = p->publish.id, .qos = p->publish.qos, .dup = p->publish.dup, .fingerprint = fingerprint(a, p, topic)
    };
    switch (ack_window_receive(a->window, &arrived, token)) {
    case ACK_NEW:
        return ARRIVAL_MESSAGE;
    case ACK_KNOWN:
        return ARRIVAL_KNOWN;
    case ACK_IN_USE:
        fail(fault, REASON_PROTOCOL, "its packet identifier is in use");
        return ARRIVAL_FAULT;
    case ACK_MEMORY:
        break;
    }
    return ARRIVAL_MEMORY;
}

enum arrival arrivals_publish(struct arrivals *a, const struct packet *p, struct source_message *m,
                              struct packet_fault *fault)
{
    const struct packet_publish *publish = &p->publish;
    struct packet_text topic;
    enum arrival answer = resolve_topic(a, p, &topic, fault);
    if (answer != ARRIVAL_MESSAGE)
        return answer;
    if (a->may_publish && !a->may_publish(a->may_ctx, topic, publish->retain)) {
        fail(fault, REASON_NOT_AUTHORIZED, "it may not publish to this topic");
        return ARRIVAL_FAULT;
    }
    *m = (struct source_message) { .message = { .topic = topic.p,
                                                .topic_len = topic.len,
                                                .payload = publish->payload.p,
                                                .payload_len = publish->payload.len,
                                                .qos = publish->qos,
                                                .retain = publish->retain,
                                                .dup = publish->dup,
                                                .over_mqtt = true,
                                                .payload_format = PAYLOAD_FORMAT_ABSENT } };
    if (p->props.present && read_props(a, &p->props, m) < 0)
        return ARRIVAL_MEMORY;
    return publish->qos ? receive(a, p, topic, &m->token, fault) : ARRIVAL_MESSAGE;
}

/* An identifier that is not held any more is answered all the same: the peer has it, and must be able to forget it
 * (section 4.3.3, figure 4.3; 3.1.1 [MQTT-4.3.3-2]). */
void arrivals_release(struct arrivals *a, const struct packet *p, struct buf *out)
{
    bool held = ack_window_release(a->window, p->ack.id);
    packet_put_ack(out, PACKET_PUBCOMP, a->level, p->ack.id, held ? 0 : REASON_ID_NOT_FOUND);
}
