/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes first, then one allocation and a cursor through it. On the hot path: one allocation and one copy of the bytes
 * per message, both outside of every lock. */
#include "engine/flow/msg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/flow/ruleset.h"

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static size_t bytes_of(const struct message *m)
{
    size_t n = m->topic_len + m->payload_len + m->correlation_len;
    n += text_size(m->content_type) + text_size(m->response_topic);
    n += text_size(m->client_id) + text_size(m->principal) + text_size(m->source_ip);
    for (size_t i = 0; i < m->user_property_count; i++)
        n += m->user_properties[i].name_len + m->user_properties[i].value_len;
    return n;
}

static const char *put_bytes(char **at, const char *p, size_t len)
{
    char *copy = *at;
    if (len)
        memcpy(copy, p, len);
    *at += len;
    return copy;
}

static const char *put_text(char **at, const char *s)
{
    return s ? put_bytes(at, s, strlen(s) + 1) : NULL;
}

static void put_properties(struct user_property *to, char **at, const struct message *m)
{
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *p = &m->user_properties[i];
        to[i] = (struct user_property) { .name_len = p->name_len, .value_len = p->value_len };
        to[i].name = put_bytes(at, p->name, p->name_len);
        to[i].value = put_bytes(at, p->value, p->value_len);
    }
}

struct msg *msg_new(const struct message *m, struct ruleset *rs, const uint32_t *rules, size_t rule_count)
{
    size_t head = sizeof(struct msg) + rule_count * sizeof(uint32_t);
    head =
        (head + _Alignof(struct user_property) - 1) / _Alignof(struct user_property) * _Alignof(struct user_property);
    size_t properties = m->user_property_count * sizeof(struct user_property);
    size_t bytes = bytes_of(m);
    struct msg *copy = malloc(head + properties + bytes);
    if (!copy)
        return NULL;
    *copy = (struct msg) { .message = *m, .rule_count = rule_count, .ruleset = ruleset_ref(rs) };
    memcpy(copy->rules, rules, rule_count * sizeof(uint32_t));

    struct message *to = &copy->message;
    struct user_property *table = (struct user_property *)(void *)((char *)copy + head);
    char *at = (char *)copy + head + properties;
    put_properties(table, &at, m);
    to->user_properties = m->user_property_count ? table : NULL;
    to->topic = put_bytes(&at, m->topic, m->topic_len);
    to->payload = put_bytes(&at, m->payload, m->payload_len);
    to->correlation_data = m->correlation_data ? put_bytes(&at, m->correlation_data, m->correlation_len) : NULL;
    to->content_type = put_text(&at, m->content_type);
    to->response_topic = put_text(&at, m->response_topic);
    to->client_id = put_text(&at, m->client_id);
    to->principal = put_text(&at, m->principal);
    to->source_ip = put_text(&at, m->source_ip);
    assert(at == (char *)copy + head + properties + bytes);
    return copy;
}

void msg_free(struct msg *m)
{
    if (!m)
        return;
    ruleset_unref(m->ruleset);
    free(m);
}

void msg_settle(const struct msg *m)
{
    m->origin->type->settled(m->origin->handle, m->token);
}
