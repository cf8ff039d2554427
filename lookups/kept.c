/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size, searched from end to end: by a hash first, so a search reads 256 numbers. */
#include "lookups/kept.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash; /* of the question; 0: free */
    uint64_t until_ms, used;
    char *question; /* function, NUL, arguments */
    size_t question_len;
    char *text;
    size_t len;
};

struct kept {
    pthread_mutex_t lock;
    struct entry entries[KEPT_MAX];
    uint64_t clock; /* of use */
};

struct kept *kept_new(void)
{
    struct kept *k = calloc(1, sizeof(*k));
    if (k && pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        return NULL;
    }
    return k;
}

static void entry_clear(struct entry *e)
{
    if (e->text)
        explicit_bzero(e->text, e->len);
    free(e->text);
    free(e->question);
    *e = (struct entry) { 0 };
}

void kept_free(struct kept *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        entry_clear(&k->entries[i]);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const struct lookup_question *q)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *p = q->function; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    for (size_t i = 0; i < q->args_len; i++)
        h = (h ^ (unsigned char)q->args[i]) * UINT64_C(1099511628211);
    return h | 1;
}

static bool is_question(const struct entry *e, const struct lookup_question *q)
{
    size_t name = strlen(q->function) + 1;
    return e->question_len == name + q->args_len && memcmp(e->question, q->function, name) == 0 &&
           memcmp(e->question + name, q->args, q->args_len) == 0;
}

static struct entry *find(struct kept *k, const struct lookup_question *q, uint64_t hash)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (k->entries[i].hash == hash && is_question(&k->entries[i], q))
            return &k->entries[i];
    }
    return NULL;
}

static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

bool kept_find(struct kept *k, const struct lookup_question *q, uint64_t now_ms, char **text, size_t *len)
{
    uint64_t hash = hash_of(q);
    *text = NULL;
    pthread_mutex_lock(&k->lock);
    struct entry *e = find(k, q, hash);
    if (e && e->until_ms <= now_ms) {
        entry_clear(e);
        e = NULL;
    }
    if (e) {
        e->used = ++k->clock;
        *len = e->len;
        *text = copy_of(e->text, e->len);
    }
    pthread_mutex_unlock(&k->lock);
    return *text != NULL;
}

/* A free entry, or the one whose last use is the longest ago. */
static struct entry *take(struct kept *k)
{
    struct entry *oldest = &k->entries[0];
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (k->entries[i].hash == 0)
            return &k->entries[i];
        if (k->entries[i].used < oldest->used)
            oldest = &k->entries[i];
    }
    entry_clear(oldest);
    return oldest;
}

void kept_add(struct kept *k, const struct lookup_question *q, uint64_t until_ms, const char *text, size_t len)
{
    size_t name = strlen(q->function) + 1;
    struct entry made = { .hash = hash_of(q), .until_ms = until_ms, .len = len };
    made.question = malloc(name + q->args_len);
    made.text = copy_of(text, len);
    if (!made.question || !made.text) {
        entry_clear(&made);
        return;
    }
    memcpy(made.question, q->function, name);
    memcpy(made.question + name, q->args, q->args_len);
    made.question_len = name + q->args_len;
    pthread_mutex_lock(&k->lock);
    struct entry *e = find(k, q, made.hash);
    if (e)
        entry_clear(e);
    else
        e = take(k);
    made.used = ++k->clock;
    *e = made;
    pthread_mutex_unlock(&k->lock);
}
