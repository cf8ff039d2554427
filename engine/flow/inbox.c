/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "engine/flow/message_copy.h"

struct inbox_item *inbox_item_new(const struct source_message *m)
{
    const size_t align = _Alignof(struct user_property);
    size_t ids_size = m->filter_id_count * sizeof(uint32_t);
    size_t head = (sizeof(struct inbox_item) + ids_size + align - 1) / align * align;
    size_t copied = message_copy_size(&m->message), size = head + copied + m->seal_len;
    struct inbox_item *item = malloc(size);
    if (!item)
        return NULL;
    *item = (struct inbox_item) { .size = size, .m = *m };
    item->m.filter_ids = ids_size ? memcpy(item + 1, m->filter_ids, ids_size) : NULL;
    message_copy(&item->m.message, &m->message, (char *)item + head);
    item->m.seal = m->seal ? memcpy((char *)item + head + copied, m->seal, m->seal_len) : NULL;
    return item;
}

void inbox_init(struct inbox *in, size_t max_messages, size_t max_bytes, size_t slack_bytes)
{
    *in = (struct inbox) { .max_messages = max_messages, .max_bytes = max_bytes, .slack_bytes = slack_bytes };
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
    return in->messages >= in->max_messages + INBOX_SLACK_MESSAGES || in->bytes >= in->max_bytes + in->slack_bytes;
}

bool inbox_is_half_empty(const struct inbox *in)
{
    return in->messages <= in->max_messages / 2 && in->bytes <= in->max_bytes / 2;
}
