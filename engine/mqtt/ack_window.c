/* SPDX-License-Identifier: Apache-2.0 */
/* On the hot path of QoS 1 and 2: a few pointers a message, no lock, and no memory once the window has its size.
 *
 * A receipt stands for one message. Where it is:
 *
 *     due      PUBLISH came on this connection, acknowledgement not sent, in the order of the packets
 *     former   came on an earlier connection, not acknowledged, and has not come again yet
 *     acked    PUBACK sent, but it may get lost; oldest first, ACKED_MAX at most
 *     (by_id)  PUBREC sent, waiting for PUBREL: in no list, found by its identifier
 *     orphans  the session is gone: only its token is still out
 *     unused
 *
 * by_id holds what has an identifier on this connection (due, waiting for PUBREL); by_print what may come again
 * (former, and acked on an earlier connection), so in an undisturbed session it is empty.
 *
 * Another thread only ever sets `final`. It is the last thing that it does with the receipt; then it looks whether
 * the owner sleeps until just this one. The owner says for which it waits and looks at `final` once more: with both
 * sequentially consistent, one of the two sees the other. Receipts and windows are not given back to the heap while
 * tokens can be out, so what a late look finds is at worst another message's, and the wake-up is one too many. */
#include "engine/mqtt/ack_window.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "engine/mqtt/packet.h"

#define CHUNK       256u
#define BUCKETS_MAX 4096u
#define ACKED_MAX   1024u /* a peer that lost more acknowledgements than that gets its messages delivered twice */
#define AGE_MAX     8u /* connections in which a final message of an earlier one may stay away before it is forgotten */
#define ACK_BYTES   4u

enum receipt_state { RECEIPT_OPEN, RECEIPT_ACKED, RECEIPT_RELEASE };

struct receipt {
    struct ack_window *window;
    atomic_bool final;
    bool is_due, is_here; /* in `due`; came on this connection */
    bool indexed;         /* in by_print */
    uint8_t qos, age;
    uint8_t state; /* enum receipt_state */
    uint16_t id;
    uint64_t fingerprint;
    struct receipt *next; /* in its list */
    struct receipt *same_id, *same_print;
};

struct receipt_list {
    struct receipt *first, *last;
    size_t count;
};

struct chunk {
    struct chunk *next;
    struct receipt receipts[CHUNK];
};

struct ack_window {
    void (*wake)(void *ctx);
    void *ctx;
    _Atomic(struct receipt *) awaited;
    struct receipt_list due, former, acked, orphans;
    struct receipt *unused;
    struct chunk *chunks;
    size_t releasing; /* waiting for PUBREL; */
    size_t repeating; /* of these, in `due` to be sent PUBREC again */
    size_t marked;    /* of acked, how many the peer has read when the awaited answer comes */
    size_t acked_max;
    struct receipt **by_id, **by_print;
    size_t mask;
};

/* --- lists and tables --- */

static void list_add(struct receipt_list *list, struct receipt *r)
{
    r->next = NULL;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
    list->count++;
}

static struct receipt *list_take(struct receipt_list *list)
{
    struct receipt *r = list->first;
    if (!r)
        return NULL;
    list->first = r->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return r;
}

/* What comes again comes in the order in which it came first, so r is near the beginning. */
static void list_remove(struct receipt_list *list, struct receipt *r)
{
    struct receipt *before = NULL;
    for (struct receipt *at = list->first; at != r; at = at->next)
        before = at;
    if (before)
        before->next = r->next;
    else
        list->first = r->next;
    if (list->last == r)
        list->last = before;
    list->count--;
}

static struct receipt **id_bucket(struct ack_window *w, uint16_t id)
{
    return &w->by_id[id & w->mask];
}

static struct receipt **print_bucket(struct ack_window *w, uint64_t fingerprint)
{
    return &w->by_print[fingerprint & w->mask];
}

static void id_add(struct ack_window *w, struct receipt *r)
{
    struct receipt **bucket = id_bucket(w, r->id);
    r->same_id = *bucket;
    *bucket = r;
}

static void id_remove(struct ack_window *w, struct receipt *r)
{
    struct receipt **at = id_bucket(w, r->id);
    while (*at != r)
        at = &(*at)->same_id;
    *at = r->same_id;
}

static struct receipt *id_find(struct ack_window *w, uint16_t id)
{
    struct receipt *r = *id_bucket(w, id);
    while (r && r->id != id)
        r = r->same_id;
    return r;
}

/* At the end, so that of equal ones the oldest is found first. */
static void print_add(struct ack_window *w, struct receipt *r)
{
    struct receipt **at = print_bucket(w, r->fingerprint);
    while (*at)
        at = &(*at)->same_print;
    r->same_print = NULL;
    r->indexed = true;
    *at = r;
}

static void print_remove(struct ack_window *w, struct receipt *r)
{
    struct receipt **at = print_bucket(w, r->fingerprint);
    if (!r->indexed)
        return;
    while (*at != r)
        at = &(*at)->same_print;
    *at = r->same_print;
    r->indexed = false;
}

/* --- receipts --- */

static void give_back(struct ack_window *w, struct receipt *r)
{
    print_remove(w, r);
    r->next = w->unused;
    w->unused = r;
}

static void reclaim_orphans(struct ack_window *w)
{
    struct receipt_list all = w->orphans;
    struct receipt *r;
    w->orphans = (struct receipt_list) { 0 };
    while ((r = list_take(&all))) {
        if (atomic_load_explicit(&r->final, memory_order_acquire))
            give_back(w, r);
        else
            list_add(&w->orphans, r);
    }
}

static bool grow(struct ack_window *w)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return false;
    chunk->next = w->chunks;
    w->chunks = chunk;
    for (size_t i = 0; i < CHUNK; i++) {
        chunk->receipts[i].window = w;
        give_back(w, &chunk->receipts[i]);
    }
    return true;
}

static struct receipt *take_unused(struct ack_window *w)
{
    if (!w->unused)
        reclaim_orphans(w);
    if (!w->unused && !grow(w))
        return NULL;
    struct receipt *r = w->unused;
    w->unused = r->next;
    return r;
}

/* --- making --- */

static size_t bucket_count(size_t receive_max)
{
    size_t n = 16;
    while (n < receive_max && n < BUCKETS_MAX)
        n *= 2;
    return n;
}

struct ack_window *ack_window_new(size_t receive_max, bool serving, void (*wake)(void *ctx), void *ctx)
{
    size_t buckets = bucket_count(receive_max);
    struct ack_window *w = calloc(1, sizeof(*w));
    struct receipt **tables = calloc(2 * buckets, sizeof(*tables));
    if (!w || !tables) {
        free(w);
        free(tables);
        return NULL;
    }
    w->wake = wake;
    w->ctx = ctx;
    w->by_id = tables;
    w->by_print = tables + buckets;
    w->mask = buckets - 1;
    w->acked_max = serving ? 0 : receive_max < ACKED_MAX ? receive_max : ACKED_MAX;
    return w;
}

void ack_window_free(struct ack_window *w)
{
    if (!w)
        return;
    for (struct chunk *chunk = w->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(w->by_id);
    free(w);
}

/* --- a new connection --- */

static void disown(struct ack_window *w, struct receipt_list *list)
{
    struct receipt *r;
    while ((r = list_take(list))) {
        print_remove(w, r);
        if (r->state != RECEIPT_RELEASE)
            list_add(&w->orphans, r);
    }
}

/* The peer has forgotten all. */
static void begin_fresh(struct ack_window *w)
{
    struct receipt *r, *next;
    disown(w, &w->due);
    disown(w, &w->former);
    while ((r = list_take(&w->acked)))
        give_back(w, r);
    for (size_t i = 0; i <= w->mask; i++) {
        for (r = w->by_id[i]; r; r = next) {
            next = r->same_id;
            if (r->state == RECEIPT_RELEASE)
                give_back(w, r);
        }
        w->by_id[i] = NULL;
    }
    w->releasing = w->repeating = 0;
    reclaim_orphans(w);
}

/* Age what has not come again, and forget what stays away. */
static void age_former(struct ack_window *w)
{
    struct receipt_list all = w->former;
    struct receipt *r;
    w->former = (struct receipt_list) { 0 };
    while ((r = list_take(&all))) {
        if (r->age < AGE_MAX)
            r->age++;
        if (r->age == AGE_MAX && atomic_load_explicit(&r->final, memory_order_acquire))
            give_back(w, r);
        else
            list_add(&w->former, r);
    }
}

/* What is due becomes former, but for a QoS 2 message whose PUBREC was asked for again: that waits for PUBREL. */
static void begin_again(struct ack_window *w)
{
    struct receipt *r;
    age_former(w);
    w->repeating = 0;
    while ((r = list_take(&w->due))) {
        r->is_due = false;
        if (r->state == RECEIPT_RELEASE)
            continue;
        id_remove(w, r);
        r->age = 0;
        list_add(&w->former, r);
        print_add(w, r);
    }
    for (r = w->acked.first; r; r = r->next) {
        if (!r->indexed)
            print_add(w, r);
    }
    for (size_t i = 0; i <= w->mask; i++) {
        for (r = w->by_id[i]; r; r = r->same_id)
            r->is_here = false;
    }
}

void ack_window_begin(struct ack_window *w, bool present)
{
    atomic_store_explicit(&w->awaited, NULL, memory_order_relaxed);
    w->marked = 0;
    if (present)
        begin_again(w);
    else
        begin_fresh(w);
}

/* --- arrivals --- */

static void make_due(struct ack_window *w, struct receipt *r)
{
    r->is_due = r->is_here = true;
    list_add(&w->due, r);
}

/* Take out of `acked`. */
static void unack(struct ack_window *w, struct receipt *r)
{
    list_remove(&w->acked, r);
    w->marked -= w->marked > 0;
}

/* Is this the message of an earlier connection that comes again? */
static bool may_be(const struct receipt *r, const struct ack_arrival *a)
{
    if (r->fingerprint != a->fingerprint || r->qos != a->qos)
        return false;
    if (r->id == a->id)
        return a->dup || a->qos == 2; /* [MQTT-4.3.3-10] */
    return a->dup && a->qos == 1 && r->state == RECEIPT_OPEN;
}

/* What was sent before and is owed to us, or was acknowledged in vain; NULL: none. */
static struct receipt *claim(struct ack_window *w, const struct ack_arrival *a)
{
    struct receipt *found = NULL;
    for (struct receipt *r = *print_bucket(w, a->fingerprint); r; r = r->same_print) {
        if (!may_be(r, a))
            continue;
        if (!found || r->id == a->id)
            found = r;
        if (found->id == a->id)
            break;
    }
    if (!found)
        return NULL;
    print_remove(w, found);
    if (found->state == RECEIPT_ACKED)
        unack(w, found);
    else
        list_remove(&w->former, found);
    found->state = RECEIPT_OPEN;
    return found;
}

/* Its identifier is in use: the same once more, or an error. *r is NULL if it is neither. */
static enum ack_verdict receive_held(struct ack_window *w, struct receipt **held, const struct ack_arrival *a)
{
    struct receipt *r = *held;
    bool same = r->fingerprint == a->fingerprint && r->qos == a->qos && (a->dup || a->qos == 2);
    if (same) {
        if (!r->is_due) {
            make_due(w, r);
            w->repeating++;
        }
        return ACK_KNOWN;
    }
    if (r->is_here)
        return ACK_IN_USE;
    id_remove(w, r); /* the peer numbers anew: its PUBREL will not come */
    w->releasing--;
    give_back(w, r);
    *held = NULL;
    return ACK_NEW;
}

static struct receipt *make_receipt(struct ack_window *w, const struct ack_arrival *a)
{
    struct receipt *r = take_unused(w);
    if (!r)
        return NULL;
    atomic_store_explicit(&r->final, false, memory_order_relaxed);
    r->state = RECEIPT_OPEN;
    r->qos = a->qos;
    r->fingerprint = a->fingerprint;
    return r;
}

size_t ack_window_due(const struct ack_window *w)
{
    return w->due.count;
}

size_t ack_window_used(const struct ack_window *w)
{
    return w->due.count + w->releasing - w->repeating;
}

enum ack_verdict ack_window_receive(struct ack_window *w, const struct ack_arrival *a, uint64_t *token)
{
    struct receipt *r = id_find(w, a->id);
    enum ack_verdict verdict = r ? receive_held(w, &r, a) : ACK_NEW;
    if (r)
        return verdict;
    r = claim(w, a);
    verdict = r ? ACK_KNOWN : ACK_NEW;
    if (!r)
        r = make_receipt(w, a);
    if (!r)
        return ACK_MEMORY;
    r->id = a->id;
    id_add(w, r);
    make_due(w, r);
    *token = (uint64_t)(uintptr_t)r;
    return verdict;
}

void ack_window_withdraw(struct ack_window *w, uint64_t token)
{
    struct receipt *r = (struct receipt *)(uintptr_t)token;
    list_remove(&w->due, r);
    id_remove(w, r);
    give_back(w, r);
}

bool ack_window_release(struct ack_window *w, uint16_t id)
{
    struct receipt *r = id_find(w, id);
    if (!r || r->state != RECEIPT_RELEASE || r->is_due)
        return false;
    id_remove(w, r);
    w->releasing--;
    give_back(w, r);
    return true;
}

/* --- acknowledging --- */

void ack_window_settle(uint64_t token)
{
    struct receipt *r = (struct receipt *)(uintptr_t)token;
    struct ack_window *w = r->window;
    atomic_store(&r->final, true);
    if (atomic_load(&w->awaited) == r && w->wake)
        w->wake(w->ctx);
}

/* PUBACK was sent. */
static void keep_acked(struct ack_window *w, struct receipt *r)
{
    id_remove(w, r);
    r->state = RECEIPT_ACKED;
    list_add(&w->acked, r);
    if (w->acked.count <= w->acked_max)
        return;
    w->marked -= w->marked > 0;
    give_back(w, list_take(&w->acked));
}

/* PUBREC was sent. */
static void keep_until_release(struct ack_window *w, struct receipt *r)
{
    if (r->state == RECEIPT_RELEASE)
        w->repeating--;
    else
        w->releasing++;
    r->state = RECEIPT_RELEASE;
}

size_t ack_window_acknowledge(struct ack_window *w, unsigned level, struct buf *out, size_t room)
{
    size_t n = 0;
    struct receipt *r;
    while ((r = w->due.first) && atomic_load_explicit(&r->final, memory_order_acquire) && room >= ACK_BYTES) {
        packet_put_ack(out, r->qos == 2 ? PACKET_PUBREC : PACKET_PUBACK, level, r->id, 0);
        list_take(&w->due);
        r->is_due = false;
        if (r->qos == 2)
            keep_until_release(w, r);
        else
            keep_acked(w, r);
        room -= ACK_BYTES;
        n++;
    }
    return n;
}

bool ack_window_arm(struct ack_window *w)
{
    struct receipt *r = w->due.first;
    atomic_store(&w->awaited, r);
    return r && atomic_load(&r->final);
}

void ack_window_mark(struct ack_window *w)
{
    w->marked = w->acked.count;
}

void ack_window_confirm(struct ack_window *w)
{
    for (; w->marked > 0; w->marked--)
        give_back(w, list_take(&w->acked));
}

static size_t count_open(const struct receipt_list *list)
{
    size_t n = 0;
    for (const struct receipt *r = list->first; r; r = r->next)
        n += !atomic_load_explicit(&r->final, memory_order_relaxed);
    return n;
}

size_t ack_window_open(const struct ack_window *w)
{
    return count_open(&w->due) + count_open(&w->former) + count_open(&w->orphans);
}
