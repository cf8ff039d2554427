/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT topics, level by level, without copying.
 *
 * Two meanings of `#` live here. MQTT: "sensor/#" also matches "sensor" (section 4.7.1.2). The rule language: it does
 * not. Only topic_filter_match is the language's; the other two serve subscriptions, which a broker reads MQTT's way. */
#include "engine/base/topic.h"

#include "engine/base/utf8.h"

#include <string.h>

_Static_assert(TOPIC_MAX_LEVELS == 200, "topic_filter_check names it");

/* Walks the levels of a name or filter. */
struct levels {
    const char *s, *end; /* s: of the current level; NULL behind the last one */
    size_t len;          /* of the current level */
};

static void level_measure(struct levels *l)
{
    const char *slash = memchr(l->s, '/', (size_t)(l->end - l->s));
    l->len = (size_t)((slash ? slash : l->end) - l->s);
}

static struct levels levels_of(const char *s, size_t len)
{
    struct levels l = { .s = s, .end = s + len };
    level_measure(&l);
    return l;
}

static void level_next(struct levels *l)
{
    if (l->s + l->len == l->end) {
        l->s = NULL;
        return;
    }
    l->s += l->len + 1;
    level_measure(l);
}

static bool level_is(const struct levels *l, char wildcard)
{
    return l->s && l->len == 1 && l->s[0] == wildcard;
}

static bool level_is_wild(const struct levels *l)
{
    return level_is(l, '+') || level_is(l, '#');
}

static bool level_same(const struct levels *a, const struct levels *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* Names that begin with "$" are out of reach for a wildcard at the first level (section 4.7.2). */
static bool hidden_from(const struct levels *first, const struct levels *other)
{
    return level_is_wild(first) && other->len > 0 && other->s[0] == '$';
}

static size_t level_count(const char *s, size_t len)
{
    size_t count = 0;
    for (struct levels l = levels_of(s, len); l.s; level_next(&l))
        count++;
    return count;
}

int topic_check(const char *topic, size_t len, struct err *e)
{
    if (len == 0)
        return err_set(e, ERR_TEMPLATE, "topic is empty");
    if (len > TOPIC_MAX_BYTES)
        return err_set(e, ERR_TEMPLATE, "topic has %zu bytes, at most %d are allowed", len, TOPIC_MAX_BYTES);
    if (!utf8_is_valid(topic, len))
        return err_set(e, ERR_TEMPLATE, "topic is not valid UTF-8");
    size_t printable = utf8_printable_prefix(topic, len);
    if (printable < len)
        return err_set(e, ERR_TEMPLATE, "topic holds a control character at byte %zu", printable);
    if (level_count(topic, len) > TOPIC_MAX_LEVELS)
        return err_set(e, ERR_TEMPLATE, "topic has %zu levels, at most %d are allowed", level_count(topic, len),
                       TOPIC_MAX_LEVELS);
    for (size_t i = 0; i < len; i++) {
        if (topic[i] == '+' || topic[i] == '#')
            return err_set(e, ERR_TEMPLATE, "topic \"%.*s\" holds the wildcard \"%c\"", (int)len, topic, topic[i]);
    }
    return 0;
}

static int filter_bad(size_t *bad, const char **why, size_t off, const char *sentence)
{
    *bad = off;
    *why = sentence;
    return -1;
}

static int level_check(const struct levels *l, const char *filter, size_t *bad, const char **why)
{
    for (size_t i = 0; i < l->len; i++) {
        char c = l->s[i];
        size_t off = (size_t)(l->s - filter) + i;
        if (c == '+' && l->len > 1)
            return filter_bad(bad, why, off, "\"+\" stands for a whole level and cannot be part of one");
        if (c == '#' && l->len > 1)
            return filter_bad(bad, why, off, "\"#\" stands for whole levels and cannot be part of one");
        if (c == '#' && l->s + l->len != l->end)
            return filter_bad(bad, why, off, "\"#\" must be the last level");
    }
    return 0;
}

int topic_filter_check(const char *filter, size_t len, size_t *bad, const char **why)
{
    if (len == 0)
        return filter_bad(bad, why, 0, "the topic filter is empty");
    if (len > TOPIC_MAX_BYTES)
        return filter_bad(bad, why, TOPIC_MAX_BYTES, "the topic filter is longer than 65535 bytes");
    size_t valid = utf8_valid_prefix(filter, len);
    if (valid < len)
        return filter_bad(bad, why, valid, "the topic filter is not valid UTF-8");
    size_t printable = utf8_printable_prefix(filter, len);
    if (printable < len)
        return filter_bad(bad, why, printable, "a topic filter cannot hold control characters");
    if (level_count(filter, len) > TOPIC_MAX_LEVELS)
        return filter_bad(bad, why, 0, "a topic filter can have at most 200 levels");
    for (struct levels l = levels_of(filter, len); l.s; level_next(&l)) {
        if (level_check(&l, filter, bad, why) < 0)
            return -1;
    }
    return 0;
}

bool topic_filter_match(const char *filter, size_t filter_len, const char *topic, size_t topic_len)
{
    struct levels f = levels_of(filter, filter_len), t = levels_of(topic, topic_len);
    if (hidden_from(&f, &t))
        return false;
    for (; f.s && t.s; level_next(&f), level_next(&t)) {
        if (level_is(&f, '#'))
            return true;
        if (!level_is(&f, '+') && !level_same(&f, &t))
            return false;
    }
    return !f.s && !t.s;
}

bool topic_filter_overlap(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct levels x = levels_of(a, a_len), y = levels_of(b, b_len);
    if (hidden_from(&x, &y) || hidden_from(&y, &x))
        return false;
    for (; x.s && y.s; level_next(&x), level_next(&y)) {
        if (level_is(&x, '#') || level_is(&y, '#'))
            return true;
        if (!level_is(&x, '+') && !level_is(&y, '+') && !level_same(&x, &y))
            return false;
    }
    if (!x.s && !y.s)
        return true;
    return level_is(&x, '#') || level_is(&y, '#'); /* "a/#" matches "a" */
}

bool topic_filter_covers(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct levels x = levels_of(a, a_len), y = levels_of(b, b_len);
    if (hidden_from(&x, &y))
        return false;
    if (level_is(&y, '#') && a_len == 3 && memcmp(a, "+/#", 3) == 0)
        return true; /* every topic has a first level */
    for (; x.s && y.s; level_next(&x), level_next(&y)) {
        if (level_is(&x, '#'))
            return true;
        if (level_is(&y, '#'))
            return false;
        if (!level_is(&x, '+') && !level_same(&x, &y))
            return false;
    }
    return !y.s && (!x.s || level_is(&x, '#'));
}

const char *topic_level(const char *topic, size_t topic_len, size_t n, size_t *len)
{
    if (n == 0)
        return NULL;
    struct levels l = levels_of(topic, topic_len);
    while (l.s && --n > 0)
        level_next(&l);
    if (l.s)
        *len = l.len;
    return l.s;
}

bool topic_basic_ingest(const char *topic, size_t len, const char **name, size_t *name_len, const char **rest,
                        size_t *rest_len)
{
    static const char prefix[] = "$aws/rules/";
    const size_t prefix_len = sizeof(prefix) - 1;
    if (len < prefix_len || memcmp(topic, prefix, prefix_len) != 0)
        return false;
    struct levels l = levels_of(topic + prefix_len, len - prefix_len);
    *name = l.s;
    *name_len = l.len;
    level_next(&l);
    *rest = l.s ? l.s : topic + len;
    *rest_len = (size_t)(topic + len - *rest);
    return true;
}
