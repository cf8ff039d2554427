/* SPDX-License-Identifier: Apache-2.0 */
/* A filter that is due stays in the list until it has proved good, so that it is left out for longer if it has not. */
#include "engine/flow/poison.h"

#include <stdlib.h>
#include <string.h>

struct poison_filter {
    char *filter;
    uint32_t wait_ms;
    uint64_t again_ms; /* left out until then */
};

void poison_clear(struct poison *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].filter);
    free(p->list);
    free(p->suspect);
    *p = (struct poison) { 0 };
}

static struct poison_filter *find(const struct poison *p, const char *filter)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->list[i].filter, filter) == 0)
            return &p->list[i];
    }
    return NULL;
}

/* The suspect is guilty. NULL: memory. */
static struct poison_filter *add_suspect(struct poison *p)
{
    struct poison_filter *grown = reallocarray(p->list, p->count + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    p->list = grown;
    grown[p->count] = (struct poison_filter) { .filter = p->suspect };
    p->suspect = NULL;
    return &grown[p->count++];
}

static void suspect(struct poison *p, const char *filter)
{
    free(p->suspect);
    p->suspect = strdup(filter);
}

uint32_t poison_blame(struct poison *p, const char *filter, uint64_t now_ms)
{
    struct poison_filter *f = find(p, filter);
    if (!f) {
        if (!p->suspect || strcmp(p->suspect, filter) != 0) {
            suspect(p, filter);
            return 0;
        }
        f = add_suspect(p);
    }
    if (!f)
        return 0;
    if (f->wait_ms == 0)
        f->wait_ms = POISON_WAIT_MIN_MS;
    else
        f->wait_ms = f->wait_ms < POISON_WAIT_MAX_MS / 2 ? f->wait_ms * 2 : POISON_WAIT_MAX_MS;
    f->again_ms = now_ms + f->wait_ms;
    return f->wait_ms;
}

bool poison_is_left_out(const struct poison *p, const char *filter, uint64_t now_ms)
{
    const struct poison_filter *f = find(p, filter);
    return f && now_ms < f->again_ms;
}

uint64_t poison_next(const struct poison *p)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < p->count; i++) {
        if (p->list[i].again_ms < next)
            next = p->list[i].again_ms;
    }
    return next;
}

void poison_acquit_due(struct poison *p, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->list[i].again_ms <= now_ms)
            free(p->list[i].filter);
        else
            p->list[kept++] = p->list[i];
    }
    p->count = kept;
}
