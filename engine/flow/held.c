/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive hash index by key. A key has one holder at most, since everything that comes later is put behind it. */
#include "engine/flow/held.h"

static struct msg **bucket_of(struct held *h, uint64_t key)
{
    return &h->buckets[key & (HELD_BUCKETS - 1)];
}

void held_begin(struct held *h, struct msg *m)
{
    if (m->key == 0)
        return;
    struct msg **bucket = bucket_of(h, m->key);
    m->held_next = *bucket;
    *bucket = m;
    h->count++;
}

bool held_behind(struct held *h, struct msg *m)
{
    if (h->count == 0 || m->key == 0)
        return false;
    struct msg *holder = *bucket_of(h, m->key);
    while (holder && holder->key != m->key)
        holder = holder->held_next;
    if (holder)
        queue_chain_add(&holder->behind, &m->link);
    return holder != NULL;
}

void held_end(struct held *h, struct msg *m, struct queue_chain *out)
{
    if (m->key == 0)
        return;
    struct msg **at = bucket_of(h, m->key);
    while (*at != m)
        at = &(*at)->held_next;
    *at = m->held_next;
    m->held_next = NULL;
    h->count--;
    queue_chain_join(out, &m->behind);
}
