/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5 (section 2.2.2). Of several hop counts the highest counts, of several sealed identities the last. */
#include "engine/mqtt/mqtt_props.h"

#include <stdio.h>
#include <string.h>

#include "engine/mqtt/identity_seal.h"
#include "engine/mqtt/mqtt_hops.h"

/* --- reading --- */

static bool is_hops(const MQTTProperty *p, unsigned *hops)
{
    const MQTTLenString *name = &p->value.data, *value = &p->value.value;
    return p->identifier == MQTTPROPERTY_CODE_USER_PROPERTY &&
           mqtt_hops_read(name->data, (size_t)name->len, value->data, (size_t)value->len, hops);
}

static bool is_seal(const MQTTProperty *p)
{
    return p->identifier == MQTTPROPERTY_CODE_USER_PROPERTY &&
           identity_is_property(p->value.data.data, (size_t)p->value.data.len);
}

static void keep_seal(const MQTTProperty *p, struct source_message *m)
{
    m->seal = p->value.value.data;
    m->seal_len = (size_t)p->value.value.len;
}

static int read_text(const MQTTLenString *s, const char **text, struct arena *a)
{
    *text = arena_strndup(a, s->data, (size_t)s->len);
    return *text ? 0 : -1;
}

static int read_one(const MQTTProperty *p, struct message *m, struct arena *a)
{
    switch (p->identifier) {
    case MQTTPROPERTY_CODE_CONTENT_TYPE:
        return read_text(&p->value.data, &m->content_type, a);
    case MQTTPROPERTY_CODE_RESPONSE_TOPIC:
        return read_text(&p->value.data, &m->response_topic, a);
    case MQTTPROPERTY_CODE_CORRELATION_DATA:
        m->correlation_data = p->value.data.data;
        m->correlation_len = (size_t)p->value.data.len;
        return 0;
    case MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR:
        m->payload_format = p->value.byte == 1 ? PAYLOAD_FORMAT_UTF8 : PAYLOAD_FORMAT_BYTES;
        return 0;
    default:
        return 0;
    }
}

static size_t count_of(const MQTTProperties *props, enum MQTTPropertyCodes id)
{
    size_t n = 0;
    for (int i = 0; i < props->count; i++)
        n += props->array[i].identifier == id;
    return n;
}

/* Those that may come several times. */
static int read_lists(const MQTTProperties *props, struct source_message *m, struct arena *a)
{
    struct user_property *users = arena_array(a, count_of(props, MQTTPROPERTY_CODE_USER_PROPERTY), sizeof(*users));
    uint32_t *ids = arena_array(a, count_of(props, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER), sizeof(*ids));
    if (!users || !ids)
        return -1;
    struct message *out = &m->message;
    unsigned hops = 0;
    for (int i = 0; i < props->count; i++) {
        const MQTTProperty *p = &props->array[i];
        if (is_hops(p, &hops))
            out->hops = hops > out->hops ? hops : out->hops;
        else if (is_seal(p))
            keep_seal(p, m);
        else if (p->identifier == MQTTPROPERTY_CODE_USER_PROPERTY)
            users[out->user_property_count++] = (struct user_property) {
                .name = p->value.data.data,
                .name_len = (size_t)p->value.data.len,
                .value = p->value.value.data,
                .value_len = (size_t)p->value.value.len,
            };
        else if (p->identifier == MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER)
            ids[m->filter_id_count++] = p->value.integer4;
    }
    out->user_properties = out->user_property_count ? users : NULL;
    m->filter_ids = m->filter_id_count ? ids : NULL;
    return 0;
}

int mqtt_props_read(const MQTTProperties *props, struct source_message *m, struct arena *a)
{
    m->message.payload_format = PAYLOAD_FORMAT_ABSENT;
    for (int i = 0; i < props->count; i++) {
        if (read_one(&props->array[i], &m->message, a) < 0)
            return -1;
    }
    return read_lists(props, m, a);
}

uint32_t mqtt_props_number(const MQTTProperties *props, enum MQTTPropertyCodes id, uint32_t absent)
{
    for (int i = 0; i < props->count; i++) {
        const MQTTProperty *p = &props->array[i];
        if (p->identifier != id)
            continue;
        switch (MQTTProperty_getType(id)) {
        case MQTTPROPERTY_TYPE_BYTE:
            return p->value.byte;
        case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
            return p->value.integer2;
        default:
            return p->value.integer4;
        }
    }
    return absent;
}

void mqtt_props_reason(const MQTTProperties *props, char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; i < props->count; i++) {
        const MQTTProperty *p = &props->array[i];
        if (p->identifier == MQTTPROPERTY_CODE_REASON_STRING)
            snprintf(out, size, "%.*s", p->value.data.len, p->value.data.data);
    }
    for (char *c = out; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = ' ';
    }
}

/* --- writing --- */

int mqtt_props_add_number(MQTTProperties *props, enum MQTTPropertyCodes id, uint32_t v)
{
    MQTTProperty p = { .identifier = id };
    switch (MQTTProperty_getType(id)) {
    case MQTTPROPERTY_TYPE_BYTE:
        p.value.byte = (unsigned char)v;
        break;
    case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
        p.value.integer2 = (unsigned short)v;
        break;
    default:
        p.value.integer4 = v;
    }
    return MQTTProperties_add(props, &p) == 0 ? 0 : -1;
}

/* paho's strings are not const, but it only copies them. */
static MQTTLenString len_string(const char *p, size_t len)
{
    return (MQTTLenString) { .len = (int)len, .data = (char *)(p ? p : "") };
}

static int add_text(MQTTProperties *props, enum MQTTPropertyCodes id, struct mqtt_text text)
{
    if (!text.p)
        return 0;
    MQTTProperty p = { .identifier = id };
    p.value.data = len_string(text.p, text.len);
    return MQTTProperties_add(props, &p) == 0 ? 0 : -1;
}

static int add_user(MQTTProperties *props, const struct user_property *u)
{
    MQTTProperty p = { .identifier = MQTTPROPERTY_CODE_USER_PROPERTY };
    p.value.data = len_string(u->name, u->name_len);
    p.value.value = len_string(u->value, u->value_len);
    return MQTTProperties_add(props, &p) == 0 ? 0 : -1;
}

static int add_hops(MQTTProperties *props, unsigned hops)
{
    char digits[MQTT_HOPS_DIGITS + 3];
    int len = snprintf(digits, sizeof(digits), "%u", hops);
    struct user_property u = { .name = MQTT_HOPS_NAME, .value = digits };
    u.name_len = strlen(MQTT_HOPS_NAME);
    u.value_len = (size_t)len;
    return add_user(props, &u);
}

int mqtt_props_write(const struct mqtt_publication *p, MQTTProperties *props)
{
    bool failed = false;
    if (p->format != PAYLOAD_FORMAT_ABSENT)
        failed = mqtt_props_add_number(props, MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR, (uint32_t)p->format) < 0;
    if (p->expires)
        failed = failed || mqtt_props_add_number(props, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, p->expiry_s) < 0;
    failed = failed || add_text(props, MQTTPROPERTY_CODE_CONTENT_TYPE, p->content_type) < 0;
    failed = failed || add_text(props, MQTTPROPERTY_CODE_RESPONSE_TOPIC, p->response_topic) < 0;
    failed = failed || add_text(props, MQTTPROPERTY_CODE_CORRELATION_DATA, p->correlation) < 0;
    for (size_t i = 0; i < p->user_property_count && !failed; i++)
        failed = add_user(props, &p->user_properties[i]) < 0;
    if (p->hops > 0)
        failed = failed || add_hops(props, p->hops) < 0;
    return failed ? -1 : 0;
}

/* --- sizes --- */

/* Bytes of a variable byte integer (section 1.5.5). */
static uint64_t varint_size(uint64_t v)
{
    return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}

uint64_t mqtt_publish_size(size_t topic_len, size_t payload_len, int qos, int props_len)
{
    uint64_t rest = 2 + (uint64_t)topic_len + (qos > 0 ? 2 : 0) + payload_len;
    if (props_len >= 0)
        rest += varint_size((uint64_t)props_len) + (uint64_t)props_len;
    return 1 + varint_size(rest) + rest;
}
