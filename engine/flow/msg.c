/* SPDX-License-Identifier: Apache-2.0 */
/* On the hot path: one allocation and one copy of the bytes per message, both outside of every lock. */
#include "engine/flow/msg.h"

#include <stdlib.h>
#include <string.h>

#include "engine/flow/message_copy.h"
#include "engine/flow/ruleset.h"

static size_t head_size(size_t rule_count)
{
    size_t head = sizeof(struct msg) + rule_count * sizeof(uint32_t);
    return (head + _Alignof(struct user_property) - 1) / _Alignof(struct user_property) *
           _Alignof(struct user_property);
}

size_t msg_size(const struct message *m, size_t rule_count)
{
    return head_size(rule_count) + message_copy_size(m);
}

struct msg *msg_new(const struct message *m, struct ruleset *rs, const uint32_t *rules, size_t rule_count)
{
    size_t size = msg_size(m, rule_count);
    struct msg *copy = malloc(size);
    if (!copy)
        return NULL;
    *copy = (struct msg) { .size = size, .rule_count = rule_count, .ruleset = ruleset_ref(rs) };
    memcpy(copy->rules, rules, rule_count * sizeof(uint32_t));
    message_copy(&copy->message, m, (char *)copy + head_size(rule_count));
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
