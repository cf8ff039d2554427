/* SPDX-License-Identifier: Apache-2.0 */
/* Two chained hash tables that grow with their contents, and a list of the names that nobody uses, the longest gone first. */
#include "engine/apps/mosquitto_plugin/clients.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/siphash.h"

#define BUCKETS_MIN 64
#define FILTERS_MAX 10000 /* of one client between two flushes; what is beyond is not told of */

struct client_name {
    char *id;
    size_t len;
    uint64_t next_version;
    struct client *clients; /* its connections; NULL: it is in the list of those that left */
    struct subject *last;   /* who left last */
    int64_t left_ms;
    struct client_name *next; /* in its bucket */
    struct client_name *left_prev, *left_next;
};

struct clients {
    uint64_t seed[2];
    struct client **by_handle;
    size_t handle_buckets, client_count;
    struct client_name **by_id;
    size_t id_buckets, name_count;
    struct client_name *left_first, *left_last;
    size_t left_count, left_bytes;
};

/* --- names --- */

static size_t id_bucket(const struct clients *t, const char *id, size_t len)
{
    struct siphash h;
    siphash_init(&h, t->seed);
    siphash_put(&h, id, len);
    return (size_t)siphash_end(&h) & (t->id_buckets - 1);
}

static struct client_name *name_find(const struct clients *t, const char *id, size_t len)
{
    struct client_name *n = t->by_id[id_bucket(t, id, len)];
    while (n && (n->len != len || memcmp(n->id, id, len) != 0))
        n = n->next;
    return n;
}

/* Twice the buckets; without memory the old ones go on, slower. */
static void names_grow(struct clients *t)
{
    size_t old_count = t->id_buckets;
    struct client_name **old = t->by_id, **grown = calloc(old_count * 2, sizeof(struct client_name *));
    if (!grown)
        return;
    t->by_id = grown;
    t->id_buckets = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        for (struct client_name *n = old[i], *next; n; n = next) {
            next = n->next;
            size_t b = id_bucket(t, n->id, n->len);
            n->next = grown[b];
            grown[b] = n;
        }
    }
    free(old);
}

static struct client_name *name_new(struct clients *t, const char *id, size_t len)
{
    struct client_name *n = calloc(1, sizeof(*n));
    if (!n || !(n->id = strndup(id, len))) {
        free(n);
        return NULL;
    }
    n->len = len;
    if (t->name_count >= t->id_buckets)
        names_grow(t);
    size_t b = id_bucket(t, id, len);
    n->next = t->by_id[b];
    t->by_id[b] = n;
    t->name_count++;
    return n;
}

static size_t name_bytes(const struct client_name *n)
{
    return sizeof(*n) + n->len + (n->last ? n->last->bytes : 0);
}

static void left_add(struct clients *t, struct client_name *n, int64_t now_ms)
{
    n->left_ms = now_ms;
    n->left_next = NULL;
    n->left_prev = t->left_last;
    *(t->left_last ? &t->left_last->left_next : &t->left_first) = n;
    t->left_last = n;
    t->left_count++;
    t->left_bytes += name_bytes(n);
}

static void left_remove(struct clients *t, struct client_name *n)
{
    *(n->left_prev ? &n->left_prev->left_next : &t->left_first) = n->left_next;
    *(n->left_next ? &n->left_next->left_prev : &t->left_last) = n->left_prev;
    n->left_prev = n->left_next = NULL;
    t->left_count--;
    t->left_bytes -= name_bytes(n);
}

static void name_free(struct client_name *n)
{
    subject_free(n->last);
    free(n->id);
    free(n);
}

/* n has no connection. */
static void name_forget(struct clients *t, struct client_name *n)
{
    struct client_name **at = &t->by_id[id_bucket(t, n->id, n->len)];
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    left_remove(t, n);
    t->name_count--;
    name_free(n);
}

static bool is_to_forget(const struct clients *t, const struct client_name *n, int64_t now_ms)
{
    return now_ms - n->left_ms >= CLIENTS_REMEMBER_MS || t->left_count > CLIENTS_REMEMBER_COUNT ||
           t->left_bytes > CLIENTS_REMEMBER_BYTES;
}

void clients_forget(struct clients *t, int64_t now_ms)
{
    for (struct client_name *n = t->left_first, *next; n && is_to_forget(t, n, now_ms); n = next) {
        next = n->left_next;
        name_forget(t, n);
    }
}

/* --- connections --- */

static size_t handle_bucket(const struct clients *t, const void *handle)
{
    uint64_t h = (uint64_t)(uintptr_t)handle * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (t->handle_buckets - 1);
}

static void handles_grow(struct clients *t)
{
    size_t old_count = t->handle_buckets;
    struct client **old = t->by_handle, **grown = calloc(old_count * 2, sizeof(struct client *));
    if (!grown)
        return;
    t->by_handle = grown;
    t->handle_buckets = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        for (struct client *c = old[i], *next; c; c = next) {
            next = c->next_by_handle;
            size_t b = handle_bucket(t, c->handle);
            c->next_by_handle = grown[b];
            grown[b] = c;
        }
    }
    free(old);
}

struct client *clients_find(const struct clients *t, const void *handle)
{
    struct client *c = t->by_handle[handle_bucket(t, handle)];
    while (c && c->handle != handle)
        c = c->next_by_handle;
    return c;
}

static void link_client(struct clients *t, struct client *c)
{
    if (t->client_count >= t->handle_buckets)
        handles_grow(t);
    size_t b = handle_bucket(t, c->handle);
    c->next_by_handle = t->by_handle[b];
    t->by_handle[b] = c;
    c->next_of_name = c->name->clients;
    c->name->clients = c;
    t->client_count++;
}

struct client *clients_add(struct clients *t, const void *handle, struct subject *who)
{
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->handle = handle;
    c->name = name_find(t, who->client_id.p, who->client_id.len);
    if (!c->name)
        c->name = name_new(t, who->client_id.p, who->client_id.len);
    else if (!c->name->clients)
        left_remove(t, c->name);
    if (!c->name) {
        free(c);
        return NULL;
    }
    c->who = who;
    link_client(t, c);
    return c;
}

static void unlink_client(struct clients *t, struct client *c)
{
    struct client **at = &t->by_handle[handle_bucket(t, c->handle)];
    while (*at != c)
        at = &(*at)->next_by_handle;
    *at = c->next_by_handle;
    for (at = &c->name->clients; *at != c;)
        at = &(*at)->next_of_name;
    *at = c->next_of_name;
    t->client_count--;
}

static void client_free(struct client *c)
{
    client_filters_clear(&c->subscribed);
    client_filters_clear(&c->unsubscribed);
    policy_view_free(c->view);
    subject_free(c->who);
    free(c);
}

void clients_remove(struct clients *t, struct client *c, int64_t now_ms)
{
    struct client_name *n = c->name;
    unlink_client(t, c);
    if (c->state == CLIENT_CONNECTED) {
        subject_free(n->last);
        n->last = c->who;
        c->who = NULL;
    }
    bool unused = !n->last && !n->next_version; /* nobody was ever let in under it: nothing to remember */
    if (!n->clients) {
        left_add(t, n, now_ms);
        if (unused)
            name_forget(t, n);
    }
    client_free(c);
    clients_forget(t, now_ms);
}

uint64_t client_next_version(struct client *c)
{
    return c->name->next_version++;
}

const struct subject *clients_departed(const struct clients *t, const char *client_id)
{
    const struct client_name *n = name_find(t, client_id, strlen(client_id));
    return n ? n->last : NULL;
}

size_t clients_visit(const struct clients *t, size_t from, size_t buckets, void (*visit)(void *ctx, struct client *c),
                     void *ctx)
{
    size_t end = t->handle_buckets - from < buckets ? t->handle_buckets : from + buckets;
    for (; from < end; from++) {
        for (struct client *c = t->by_handle[from]; c; c = c->next_by_handle)
            visit(ctx, c);
    }
    return from < t->handle_buckets ? from : 0;
}

size_t clients_count(const struct clients *t)
{
    return t->client_count;
}

size_t clients_names(const struct clients *t)
{
    return t->name_count;
}

/* --- filters --- */

bool client_filters_add(struct client_filters *f, const char *filter)
{
    if (f->count >= FILTERS_MAX)
        return false;
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        char **grown = reallocarray(f->items, cap, sizeof(*grown));
        if (!grown)
            return false;
        f->items = grown;
        f->cap = cap;
    }
    if (!(f->items[f->count] = strdup(filter)))
        return false;
    f->count++;
    return true;
}

void client_filters_clear(struct client_filters *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i]);
    free(f->items);
    *f = (struct client_filters) { 0 };
}

/* --- the table --- */

struct clients *clients_new(const uint64_t seed[2])
{
    struct clients *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->seed[0] = seed[0];
    t->seed[1] = seed[1];
    t->handle_buckets = t->id_buckets = BUCKETS_MIN;
    t->by_handle = calloc(BUCKETS_MIN, sizeof(struct client *));
    t->by_id = calloc(BUCKETS_MIN, sizeof(struct client_name *));
    if (t->by_handle && t->by_id)
        return t;
    clients_free(t);
    return NULL;
}

void clients_free(struct clients *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->by_handle && i < t->handle_buckets; i++) {
        for (struct client *c = t->by_handle[i], *next; c; c = next) {
            next = c->next_by_handle;
            client_free(c);
        }
    }
    for (size_t i = 0; t->by_id && i < t->id_buckets; i++) {
        for (struct client_name *n = t->by_id[i], *next; n; n = next) {
            next = n->next;
            name_free(n);
        }
    }
    free(t->by_handle);
    free(t->by_id);
    free(t);
}
