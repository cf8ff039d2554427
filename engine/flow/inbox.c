/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a message: its size is summed up first, then the parts are laid out one after the other, the aligned ones
 * in front. */
#include "engine/flow/inbox.h"

#include <stdlib.h>
#include <string.h>

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

/* Copy n bytes to *at and move it on. NULL stays NULL. */
static const char *put(char **at, const char *p, size_t n)
{
    if (!p)
        return NULL;
    char *copy = *at;
    if (n)
        memcpy(copy, p, n);
    *at += n;
    return copy;
}

static void copy_message(struct message *out, const struct message *m, struct user_property *users, char *at)
{
    *out = *m;
    out->topic = put(&at, m->topic, m->topic_len);
    out->payload = put(&at, m->payload, m->payload_len);
    out->correlation_data = put(&at, m->correlation_data, m->correlation_len);
    out->content_type = put(&at, m->content_type, text_size(m->content_type));
    out->response_topic = put(&at, m->response_topic, text_size(m->response_topic));
    out->client_id = put(&at, m->client_id, text_size(m->client_id));
    out->principal = put(&at, m->principal, text_size(m->principal));
    out->source_ip = put(&at, m->source_ip, text_size(m->source_ip));
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *u = &m->user_properties[i];
        users[i] = *u;
        users[i].name = put(&at, u->name, u->name_len);
        users[i].value = put(&at, u->value, u->value_len);
    }
    out->user_properties = m->user_property_count ? users : NULL;
}

struct inbox_item *inbox_item_new(const struct source_message *m)
{
    size_t users_size = m->message.user_property_count * sizeof(struct user_property);
    size_t ids_size = m->filter_id_count * sizeof(uint32_t);
    size_t size = sizeof(struct inbox_item) + users_size + ids_size + bytes_of(&m->message);
    struct inbox_item *item = malloc(size);
    if (!item)
        return NULL;
    char *users = (char *)(item + 1), *ids = users + users_size;
    *item = (struct inbox_item) { .size = size, .m = *m };
    copy_message(&item->m.message, &m->message, (struct user_property *)(void *)users, ids + ids_size);
    if (ids_size)
        memcpy(ids, m->filter_ids, ids_size);
    item->m.filter_ids = ids_size ? (const uint32_t *)(void *)ids : NULL;
    return item;
}

void inbox_init(struct inbox *in, size_t max_messages, size_t max_bytes)
{
    *in = (struct inbox) { .max_messages = max_messages, .max_bytes = max_bytes };
}

void inbox_clear(struct inbox *in)
{
    struct inbox_item *item;
    while ((item = inbox_take(in)) != NULL)
        free(item);
}

void inbox_add(struct inbox *in, struct inbox_item *item)
{
    item->next = NULL;
    if (in->last)
        in->last->next = item;
    else
        in->first = item;
    in->last = item;
    in->messages++;
    in->bytes += item->size;
}

struct inbox_item *inbox_take(struct inbox *in)
{
    struct inbox_item *item = in->first;
    if (!item)
        return NULL;
    in->first = item->next;
    if (!in->first)
        in->last = NULL;
    in->messages--;
    in->bytes -= item->size;
    return item;
}

bool inbox_is_full(const struct inbox *in)
{
    return in->messages >= in->max_messages || in->bytes >= in->max_bytes;
}

bool inbox_is_overfull(const struct inbox *in)
{
    return in->messages >= in->max_messages + INBOX_SLACK_MESSAGES || in->bytes >= in->max_bytes + INBOX_SLACK_BYTES;
}

bool inbox_is_half_empty(const struct inbox *in)
{
    return in->messages <= in->max_messages / 2 && in->bytes <= in->max_bytes / 2;
}
