/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of subscriptions: made, compared, explained. */
#include "engine/flow/subscriptions.h"

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/topic.h"
#include "engine/flow/filters.h"

#define BASIC_INGEST "$aws/rules/#"
#define LISTED_MAX   3 /* filters that an explanation names */

static bool has_id(const struct source_filter *list, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == id)
            return true;
    }
    return false;
}

/* Highest number that no rule has. Numbers are spread over the whole range, so this hardly ever takes a second look. */
static uint32_t free_id(const struct source_filter *list, size_t count)
{
    uint32_t id = FILTER_ID_MAX;
    while (has_id(list, count, id))
        id--;
    return id;
}

static int add_copy(struct subscriptions *s, const char *filter, uint32_t id)
{
    char *text = arena_strndup(&s->texts, filter, strlen(filter));
    if (!text)
        return -1;
    s->list[s->count++] = (struct source_filter) { .filter = text, .id = id };
    return 0;
}

static int start(struct subscriptions *s, size_t room, struct err *e)
{
    *s = (struct subscriptions) { 0 };
    arena_init(&s->texts, SIZE_MAX / 2);
    s->list = arena_array(&s->texts, room, sizeof(*s->list));
    return s->list ? 0 : err_set(e, ERR_MEMORY, "not enough memory for %zu topic filters", room);
}

/* 0, or -1 with everything given back. */
static int finish(struct subscriptions *s, bool failed, struct err *e)
{
    if (!failed)
        return 0;
    subscriptions_clear(s);
    return err_set(e, ERR_MEMORY, "not enough memory for the topic filters");
}

int subscriptions_init(struct subscriptions *s, const struct source_filter *filters, size_t count, bool basic_ingest,
                       struct err *e)
{
    if (start(s, count + 1, e) < 0)
        return -1;
    bool failed = false;
    for (size_t i = 0; i <= count && !failed; i++) {
        bool here = basic_ingest && (i == count || strcmp(BASIC_INGEST, filters[i].filter) < 0);
        if (here) {
            failed = add_copy(s, BASIC_INGEST, free_id(filters, count)) < 0;
            basic_ingest = false;
        }
        if (i < count && !failed)
            failed = add_copy(s, filters[i].filter, filters[i].id) < 0;
    }
    return finish(s, failed, e);
}

int subscriptions_init_merged(struct subscriptions *s, const struct subscriptions *from, struct err *e)
{
    if (start(s, from->count, e) < 0)
        return -1;
    size_t count = 0;
    const char **merged = filters_merge(from->list, from->count, &s->texts, &count);
    for (size_t i = 0; merged && i < count; i++)
        s->list[i] = (struct source_filter) { .filter = merged[i] };
    s->count = count;
    return finish(s, !merged, e);
}

void subscriptions_clear(struct subscriptions *s)
{
    arena_clear(&s->texts);
    *s = (struct subscriptions) { 0 };
}

/* The entry of `s` with that text, from *at on, which moves: both sets are sorted. */
static const struct source_filter *find_next(const struct subscriptions *s, size_t *at, const char *filter)
{
    while (*at < s->count && strcmp(s->list[*at].filter, filter) < 0)
        ++*at;
    return *at < s->count && strcmp(s->list[*at].filter, filter) == 0 ? &s->list[*at] : NULL;
}

size_t subscriptions_missing(const struct subscriptions *a, const struct subscriptions *b, struct source_filter *out)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct source_filter *other = find_next(b, &at, a->list[i].filter);
        if (!other || other->id != a->list[i].id)
            out[n++] = a->list[i];
    }
    return n;
}

size_t subscriptions_gone(const struct subscriptions *a, const struct subscriptions *b, const char **out)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (!find_next(b, &at, a->list[i].filter))
            out[n++] = a->list[i].filter;
    }
    return n;
}

/* The filters that `common` stands for, quoted: "a", "b" and 3 more. Returns how many there are. */
static size_t list_members(const struct subscriptions *s, const char *common, struct buf *out)
{
    size_t n = 0, len = strlen(common);
    for (size_t i = 0; i < s->count; i++) {
        const char *filter = s->list[i].filter;
        if (!topic_filter_covers(common, len, filter, strlen(filter)))
            continue;
        if (++n <= LISTED_MAX)
            buf_printf(out, "%s\"%s\"", n > 1 ? ", " : "", filter);
    }
    if (n > LISTED_MAX)
        buf_printf(out, " and %zu more", n - LISTED_MAX);
    return n;
}

static void explain_one(const struct subscriptions *s, const char *common, struct span at, struct errs *errs)
{
    struct buf members;
    buf_init(&members, (size_t)1 << 20);
    size_t n = list_members(s, common, &members), place = 0;
    bool is_member = find_next(s, &place, common) != NULL;
    if (n > 1 && is_member)
        errs_add(errs, SEV_NOTE, ERR_CONF_VALUE, at, "without MQTT 5, \"%s\" is subscribed for all of %s", common,
                 members.p);
    else if (n > 1) {
        struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, at,
                                 "without MQTT 5, the wider \"%s\" is subscribed for %s", common, members.p);
        err_hint(e, "They overlap, and a message must come only once. MQTT 5 needs no wider filter.");
    }
    buf_clear(&members);
}

void subscriptions_explain(const struct subscriptions *s, struct span at, struct errs *errs)
{
    struct subscriptions merged;
    struct err e = { 0 };
    if (subscriptions_init_merged(&merged, s, &e) < 0) {
        errs_take(errs, &e);
        return;
    }
    for (size_t i = 0; i < merged.count; i++)
        explain_one(s, merged.list[i].filter, at, errs);
    subscriptions_clear(&merged);
}
