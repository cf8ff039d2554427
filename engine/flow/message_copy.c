/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor goes through the room; on the hot path, so each byte is copied once. */
#include "engine/flow/message_copy.h"

#include <assert.h>
#include <string.h>

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

size_t message_copy_size(const struct message *m)
{
    size_t n = m->topic_len + m->payload_len + m->correlation_len;
    n += text_size(m->content_type) + text_size(m->response_topic);
    n += text_size(m->client_id) + text_size(m->principal) + text_size(m->source_ip) + text_size(m->trace_id);
    for (size_t i = 0; i < m->user_property_count; i++)
        n += sizeof(struct user_property) + m->user_properties[i].name_len + m->user_properties[i].value_len;
    return n;
}

/* Copy len bytes to *at and move it on. */
static const char *put(char **at, const char *p, size_t len)
{
    char *copy = *at;
    if (len)
        memcpy(copy, p, len);
    *at += len;
    return copy;
}

static const char *put_text(char **at, const char *s)
{
    return s ? put(at, s, text_size(s)) : NULL;
}

static void put_properties(struct user_property *to, char **at, const struct message *m)
{
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *p = &m->user_properties[i];
        to[i] = *p;
        to[i].name = put(at, p->name, p->name_len);
        to[i].value = put(at, p->value, p->value_len);
    }
}

void message_copy(struct message *to, const struct message *m, void *room)
{
    struct user_property *properties = room;
    char *at = (char *)(properties + m->user_property_count);
    *to = *m;
    put_properties(properties, &at, m);
    to->user_properties = m->user_property_count ? properties : NULL;
    to->topic = put(&at, m->topic, m->topic_len);
    to->payload = put(&at, m->payload, m->payload_len);
    to->correlation_data = m->correlation_data ? put(&at, m->correlation_data, m->correlation_len) : NULL;
    to->content_type = put_text(&at, m->content_type);
    to->response_topic = put_text(&at, m->response_topic);
    to->client_id = put_text(&at, m->client_id);
    to->principal = put_text(&at, m->principal);
    to->source_ip = put_text(&at, m->source_ip);
    to->trace_id = put_text(&at, m->trace_id);
    assert(at == (char *)room + message_copy_size(m));
}
