/* SPDX-License-Identifier: Apache-2.0 */
/* Member by member; each reader says which member is wrong. */
#include "engine/flow/message_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/base64.h"

/* What all readers need. */
struct reader {
    const struct json_doc *doc;
    struct arena *arena;
    struct err *e;
};

static int no_room(struct reader *r)
{
    return err_set(r->e, ERR_LIMIT, "the message is too large");
}

/* The member's node, or 0 if it is absent or null. */
static uint32_t member(const struct reader *r, uint32_t object, const char *name)
{
    uint32_t i = json_member(r->doc, object, name, strlen(name));
    return i && json_at(r->doc, i)->kind != JSON_NULL ? i : 0;
}

/* A text with its length; NULL and 0 if absent. */
static int read_bytes(struct reader *r, uint32_t object, const char *name, const char **out, size_t *len)
{
    *out = NULL;
    *len = 0;
    uint32_t i = member(r, object, name);
    if (!i)
        return 0;
    if (json_at(r->doc, i)->kind != JSON_STRING)
        return err_set(r->e, ERR_CONF_TYPE, "\"%s\" must be a text", name);
    *out = json_text(r->doc, i, r->arena, len);
    return *out ? 0 : no_room(r);
}

/* A NUL-terminated text; NULL if absent. */
static int read_text(struct reader *r, uint32_t object, const char *name, const char **out)
{
    size_t len;
    if (read_bytes(r, object, name, out, &len) < 0)
        return -1;
    if (!*out)
        return 0;
    *out = arena_strndup(r->arena, *out, len);
    return *out ? 0 : no_room(r);
}

static int read_base64(struct reader *r, uint32_t object, const char *name, const char **out, size_t *len)
{
    const char *text;
    size_t text_len;
    if (read_bytes(r, object, name, &text, &text_len) < 0)
        return -1;
    if (!text)
        return 0;
    struct buf bytes;
    buf_init(&bytes, text_len);
    int rc = -1;
    if (!base64_decode(&bytes, text, text_len)) {
        err_set(r->e, ERR_CONF_VALUE, "\"%s\" is not base64", name);
        goto out;
    }
    *len = bytes.len;
    *out = arena_strndup(r->arena, bytes.p ? bytes.p : "", bytes.len);
    rc = *out ? 0 : no_room(r);
out:
    buf_clear(&bytes);
    return rc;
}

/* A whole number in min..max; *out is left alone if absent. */
static int read_int(struct reader *r, uint32_t object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    uint32_t i = member(r, object, name);
    if (!i)
        return 0;
    const struct json_node *node = json_at(r->doc, i);
    char digits[24];
    if (node->kind == JSON_INT && node->len < sizeof(digits)) {
        memcpy(digits, r->doc->text + node->off, node->len);
        digits[node->len] = '\0';
        errno = 0;
        long long v = strtoll(digits, NULL, 10);
        if (errno == 0 && v >= min && v <= max) {
            *out = v;
            return 0;
        }
    }
    return err_set(r->e, ERR_CONF_VALUE, "\"%s\" must be a whole number from %lld to %lld", name, (long long)min,
                   (long long)max);
}

static int read_bool(struct reader *r, uint32_t object, const char *name, bool *out)
{
    uint32_t i = member(r, object, name);
    if (!i)
        return 0;
    unsigned kind = json_at(r->doc, i)->kind;
    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return err_set(r->e, ERR_CONF_TYPE, "\"%s\" must be true or false", name);
    *out = kind == JSON_TRUE;
    return 0;
}

static int read_payload_value(struct reader *r, uint32_t i, struct message *m)
{
    struct buf text;
    buf_init(&text, r->arena->max);
    json_write(&text, r->doc, i, JSON_STYLE_AS_IS);
    m->payload = text.failed ? NULL : arena_strndup(r->arena, text.p, text.len);
    m->payload_len = text.len;
    buf_clear(&text);
    return m->payload ? 0 : no_room(r);
}

static int read_payload(struct reader *r, uint32_t object, struct message *m)
{
    uint32_t value = json_member(r->doc, object, "payload", 7); /* null is a payload, too */
    uint32_t text = member(r, object, "payload_text"), base64 = member(r, object, "payload_base64");
    if ((value != 0) + (text != 0) + (base64 != 0) > 1)
        return err_set(r->e, ERR_CONF_VALUE,
                       "only one of \"payload\", \"payload_text\" and \"payload_base64\" can be given");
    if (value)
        return read_payload_value(r, value, m);
    if (text)
        return read_bytes(r, object, "payload_text", &m->payload, &m->payload_len);
    if (base64)
        return read_base64(r, object, "payload_base64", &m->payload, &m->payload_len);
    m->payload = "{}";
    m->payload_len = 2;
    return 0;
}

/* One [name, value]. */
static int read_property(struct reader *r, uint32_t pair, struct user_property *p)
{
    uint32_t name = json_element(r->doc, pair, 0), value = json_element(r->doc, pair, 1);
    if (!name || !value || json_element(r->doc, pair, 2) || json_at(r->doc, name)->kind != JSON_STRING ||
        json_at(r->doc, value)->kind != JSON_STRING)
        return err_set(r->e, ERR_CONF_TYPE, "\"user_properties\" must be a list of [name, value]");
    p->name = json_text(r->doc, name, r->arena, &p->name_len);
    p->value = json_text(r->doc, value, r->arena, &p->value_len);
    return p->name && p->value ? 0 : no_room(r);
}

static int read_properties(struct reader *r, uint32_t object, struct message *m)
{
    uint32_t list = member(r, object, "user_properties");
    if (!list)
        return 0;
    if (json_at(r->doc, list)->kind != JSON_ARRAY)
        return err_set(r->e, ERR_CONF_TYPE, "\"user_properties\" must be a list of [name, value]");
    struct user_property *table = arena_array(r->arena, json_at(r->doc, list)->count, sizeof(*table));
    if (!table)
        return no_room(r);
    size_t count = 0;
    for (uint32_t k = json_first(r->doc, list); k != json_end(r->doc, list); k = json_next(r->doc, list, k)) {
        if (count == json_at(r->doc, list)->count) /* the node's count saturates */
            return no_room(r);
        if (read_property(r, k, &table[count++]) < 0)
            return -1;
    }
    m->user_properties = table;
    m->user_property_count = count;
    return 0;
}

static int read_mqtt5(struct reader *r, uint32_t object, struct message *m)
{
    uint32_t i = member(r, object, "mqtt5");
    if (!i)
        return 0;
    if (json_at(r->doc, i)->kind != JSON_OBJECT)
        return err_set(r->e, ERR_CONF_TYPE, "\"mqtt5\" must be an object");
    int64_t format = PAYLOAD_FORMAT_ABSENT;
    if (read_text(r, i, "content_type", &m->content_type) < 0 ||
        read_text(r, i, "response_topic", &m->response_topic) < 0 ||
        read_base64(r, i, "correlation_data_base64", &m->correlation_data, &m->correlation_len) < 0 ||
        read_int(r, i, "payload_format_indicator", 0, 1, &format) < 0)
        return -1;
    m->payload_format = (enum payload_format)format;
    return read_properties(r, i, m);
}

static int read_via(struct reader *r, uint32_t object, struct message *m)
{
    const char *via;
    if (read_text(r, object, "via", &via) < 0)
        return -1;
    m->over_mqtt = !via || strcmp(via, "mqtt") == 0;
    if (!m->over_mqtt && strcmp(via, "http") != 0)
        return err_set(r->e, ERR_CONF_VALUE, "\"via\" must be \"mqtt\" or \"http\"");
    return 0;
}

int message_json_read(const struct json_doc *doc, uint32_t i, struct arena *a, struct message *m, struct err *e)
{
    struct reader r = { .doc = doc, .arena = a, .e = e };
    *m = (struct message) { .payload_format = PAYLOAD_FORMAT_ABSENT };
    if (json_at(doc, i)->kind != JSON_OBJECT)
        return err_set(e, ERR_CONF_TYPE, "a message must be an object");
    int64_t qos = 0;
    if (read_bytes(&r, i, "topic", &m->topic, &m->topic_len) < 0 || read_payload(&r, i, m) < 0 ||
        read_int(&r, i, "qos", 0, 2, &qos) < 0 || read_bool(&r, i, "retain", &m->retain) < 0 ||
        read_bool(&r, i, "dup", &m->dup) < 0 || read_text(&r, i, "clientid", &m->client_id) < 0 ||
        read_text(&r, i, "principal", &m->principal) < 0 || read_text(&r, i, "sourceip", &m->source_ip) < 0 ||
        read_text(&r, i, "traceid", &m->trace_id) < 0 || read_via(&r, i, m) < 0 ||
        read_int(&r, i, "now", 0, INT64_MAX, &m->arrival_ms) < 0)
        return -1;
    m->qos = (uint8_t)qos;
    return read_mqtt5(&r, i, m);
}
