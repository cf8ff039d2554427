/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/bare_subscriber.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bench/pipeline/broker_link.h"
#include "engine/base/buf.h"

#define RECEIVE_MAX 65535 /* what sluice offers too */
#define ACKS_MAX    ((size_t)1 << 20)
#define LOOK_MS     20

struct bare_subscriber {
    struct broker_link link;
    struct tally *tally;
    pthread_t thread;
    atomic_bool stop;
    atomic_size_t received;
    struct buf acks; /* PUBACKs of what was read at once */
    struct err e;
};

static void take_publish(struct bare_subscriber *s, const struct broker_packet *p)
{
    uint16_t id;
    if (broker_packet_qos(p) && broker_packet_id(p, &id) == 0) {
        const char ack[] = { 0x40, 2, (char)(id >> 8), (char)(id & 0xff) };
        buf_put(&s->acks, ack, sizeof ack);
    }
    if (s->tally)
        tally_note(s->tally, p->body, p->len);
    atomic_fetch_add_explicit(&s->received, 1, memory_order_relaxed);
}

static int send_acks(struct bare_subscriber *s)
{
    if (s->acks.len == 0)
        return 0;
    int rc = broker_link_write(&s->link, s->acks.p, s->acks.len, &s->e);
    buf_reset(&s->acks);
    return rc;
}

static void *receive(void *arg)
{
    struct bare_subscriber *s = arg;
    while (!atomic_load(&s->stop)) {
        struct broker_packet p;
        int rc = broker_link_next(&s->link, 0, &p, &s->e);
        if (rc == 0)
            rc = send_acks(s) < 0 ? -1 : broker_link_next(&s->link, LOOK_MS, &p, &s->e);
        if (rc < 0)
            break;
        if (rc > 0 && p.type == PACKET_PUBLISH)
            take_publish(s, &p);
    }
    return NULL;
}

static void bare_subscriber_free(struct bare_subscriber *s)
{
    broker_link_close(&s->link);
    buf_clear(&s->acks);
    free(s);
}

struct bare_subscriber *bare_subscriber_start(const struct bare_subscriber_plan *plan, struct err *e)
{
    struct bare_subscriber *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(e, ERR_MEMORY, "not enough memory");
        return NULL;
    }
    s->tally = plan->tally;
    s->link.fd = -1;
    buf_init(&s->acks, ACKS_MAX);
    if (broker_link_open(&s->link, plan->host, plan->port, plan->client_id, 5, RECEIVE_MAX, e) < 0 ||
        broker_link_subscribe(&s->link, plan->filter, plan->qos, 5, e) < 0)
        goto failed;
    if (pthread_create(&s->thread, NULL, receive, s) == 0)
        return s;
    err_set(e, ERR_MEMORY, "could not start a thread");
failed:
    bare_subscriber_free(s);
    return NULL;
}

const atomic_size_t *bare_subscriber_received(const struct bare_subscriber *s)
{
    return &s->received;
}

int bare_subscriber_stop(struct bare_subscriber *s, struct err *e)
{
    if (!s)
        return 0;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    int rc = s->e.code == ERR_NONE ? 0 : -1;
    if (rc < 0 && e)
        *e = s->e;
    bare_subscriber_free(s);
    return rc;
}
