/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flow/session_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/flow/filters.h"

void session_plan_clear(struct session_plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].filter);
    free(p->list);
    *p = (struct session_plan) { 0 };
}

static struct planned *find(const struct session_plan *p, const char *filter)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->list[i].filter, filter) == 0)
            return &p->list[i];
    }
    return NULL;
}

/* Takes the text. */
static struct planned *append(struct session_plan *p, char *filter, struct err *e)
{
    if (filter && p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        struct planned *grown = realloc(p->list, cap * sizeof(*grown));
        p->list = grown ? grown : p->list;
        p->cap = grown ? cap : p->cap;
    }
    if (!filter || p->count == p->cap) {
        free(filter);
        err_set(e, ERR_MEMORY, "not enough memory for subscriptions");
        return NULL;
    }
    p->list[p->count] = (struct planned) { .filter = filter };
    return &p->list[p->count++];
}

int session_plan_add(struct session_plan *p, const struct session_filter *kept, struct err *e)
{
    struct planned *entry = find(p, kept->filter) ? NULL : append(p, strdup(kept->filter), e);
    if (!entry)
        return find(p, kept->filter) ? 0 : -1;
    entry->id = entry->rule_id = kept->id;
    entry->qos = kept->qos;
    entry->state = kept->state;
    return 0;
}

void session_plan_begin(struct session_plan *p, bool present)
{
    if (!present)
        session_plan_clear(p);
}

static bool is_used(const struct session_plan *p, uint32_t id, const struct planned *but)
{
    for (size_t i = 0; i < p->count; i++) {
        if (&p->list[i] != but && p->list[i].id == id)
            return true;
    }
    return false;
}

/* The identifier of a filter that the session has not, or had with another kind of identifier (merged filters have none). */
static void number(const struct session_plan *p, struct planned *entry, uint32_t rule_id)
{
    entry->id = rule_id;
    while (entry->id && is_used(p, entry->id, entry))
        entry->id = entry->id % FILTER_ID_MAX + 1;
}

static char *join(const char *prefix, const char *filter)
{
    char *text = malloc(strlen(prefix) + strlen(filter) + 1);
    if (text)
        sprintf(text, "%s%s", prefix, filter);
    return text;
}

static int want(struct session_plan *p, const struct source_filter *f, const char *prefix, uint8_t qos, struct err *e)
{
    char *filter = join(prefix, f->filter);
    struct planned *entry = filter ? find(p, filter) : NULL;
    if (entry)
        free(filter);
    else
        entry = append(p, filter, e);
    if (!entry)
        return -1;
    bool fits = entry->state == SESSION_FILTER_GRANTED && (entry->id == 0) == (f->id == 0) && entry->qos == qos;
    if (!entry->id || !f->id)
        number(p, entry, f->id);
    entry->rule_id = f->id;
    entry->qos = qos;
    entry->wanted = true;
    entry->asked_now = !fits;
    if (!fits)
        entry->state = SESSION_FILTER_ASKED;
    return 0;
}

int session_plan_aim(struct session_plan *p, const struct subscriptions *target, const char *prefix, uint8_t qos,
                     struct err *e)
{
    for (size_t i = 0; i < p->count; i++)
        p->list[i].wanted = p->list[i].asked_now = false;
    for (size_t i = 0; i < target->count; i++) {
        if (want(p, &target->list[i], prefix, qos, e) < 0)
            return -1;
    }
    p->translates = false;
    for (size_t i = 0; i < p->count; i++) {
        struct planned *entry = &p->list[i];
        if (!entry->wanted)
            entry->asked_now = entry->state != SESSION_FILTER_DROPPED;
        p->translates = p->translates || entry->id != entry->rule_id;
    }
    return 0;
}

void session_plan_granted(struct planned *entry)
{
    entry->state = SESSION_FILTER_GRANTED;
    entry->asked_now = false;
}

/* It stays ASKED, so that it is asked for at the next occasion. */
void session_plan_refused(struct planned *entry)
{
    entry->asked_now = false;
}

void session_plan_dropped(struct planned *entry)
{
    entry->state = SESSION_FILTER_DROPPED;
    entry->asked_now = false;
}

void session_plan_kept(const struct session_plan *p, struct session_filter *out)
{
    for (size_t i = 0; i < p->count; i++)
        out[i] = (struct session_filter) { p->list[i].filter, p->list[i].id, p->list[i].qos, p->list[i].state };
}

/* An identifier that stands for nothing any more is left as it is: no rule has it. */
void session_plan_translate(const struct session_plan *p, uint32_t *ids, size_t count)
{
    for (size_t i = 0; p->translates && i < count; i++) {
        for (size_t k = 0; k < p->count; k++) {
            if (p->list[k].id == ids[i]) {
                ids[i] = p->list[k].rule_id;
                break;
            }
        }
    }
}

size_t session_plan_wanted(const struct session_plan *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += p->list[i].wanted && p->list[i].state == SESSION_FILTER_GRANTED;
    return n;
}
