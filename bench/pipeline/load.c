/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/load.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/pipeline/broker_link.h"
#include "bench/pipeline/now.h"

#define CHUNK   100u /* messages in a write at most */
#define LOOK_MS 1    /* while the window is full */

struct publisher {
    struct load *load;
    struct broker_link link;
    struct sample_frame frame;
    struct buf chunk;
    size_t sent, acked;
    double start_s;
    bool pong;
};

static int take_packet(struct publisher *p, const struct broker_packet *packet, struct err *e)
{
    switch (packet->type) {
    case PACKET_PUBACK:
        if (packet->len > 2 && packet->body[2] >= 0x80)
            return err_set(e, ERR_REFUSED, "the broker refused a message, code %u", packet->body[2]);
        p->acked++;
        return 0;
    case PACKET_PINGRESP:
        p->pong = true;
        return 0;
    default:
        return err_set(e, ERR_REFUSED, "the broker sent a packet of type %d to the load", (int)packet->type);
    }
}

/* Take what the broker has to say; waits for it at most timeout_ms. */
static int take_answers(struct publisher *p, int timeout_ms, struct err *e)
{
    struct broker_packet packet;
    int rc = broker_link_next(&p->link, timeout_ms, &packet, e);
    while (rc > 0 && (rc = take_packet(p, &packet, e)) == 0)
        rc = broker_link_next(&p->link, 0, &packet, e);
    if (rc == 0)
        atomic_store(&p->load->given, p->load->plan.qos ? p->acked : p->sent);
    return rc;
}

/* How many more messages may be sent now. */
static size_t room(const struct publisher *p)
{
    const struct load_plan *plan = &p->load->plan;
    size_t ahead = plan->qos ? p->sent - p->acked : 0, left = plan->count - p->sent;
    if (plan->done) {
        size_t done = atomic_load(plan->done), before = plan->first + p->sent;
        size_t behind = before > done ? before - done : 0;
        ahead = behind > ahead ? behind : ahead;
    }
    if (plan->rate > 0) {
        double due = (now_s() - p->start_s) * plan->rate + 1;
        size_t late = due > (double)p->sent ? (size_t)due - p->sent : 0;
        left = late < left ? late : left;
    }
    size_t free_slots = ahead < plan->window ? plan->window - ahead : 0;
    size_t n = free_slots < left ? free_slots : left;
    return n < CHUNK ? n : CHUNK;
}

static int send_chunk(struct publisher *p, size_t n, struct err *e)
{
    buf_reset(&p->chunk);
    for (size_t k = 0; k < n; k++) {
        size_t i = p->load->plan.first + p->sent + k;
        sample_frame_number(&p->frame, i, (uint16_t)(i % LOAD_WINDOW_MAX + 1));
        buf_put(&p->chunk, p->frame.bytes, p->frame.len);
    }
    if (p->chunk.failed)
        return err_set(e, ERR_MEMORY, "not enough memory");
    p->sent += n;
    return broker_link_write(&p->link, p->chunk.p, p->chunk.len, e);
}

static void pause_s(double seconds)
{
    struct timespec t = { .tv_sec = (time_t)seconds };
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

/* With a rate: until the next message is due. */
static void pause_until_due(const struct publisher *p)
{
    double wait = p->start_s + (double)p->sent / p->load->plan.rate - now_s();
    if (wait > 0)
        pause_s(wait);
}

static bool is_over(struct publisher *p)
{
    return atomic_load(&p->load->stop);
}

static int publish_all(struct publisher *p, struct err *e)
{
    const struct load_plan *plan = &p->load->plan;
    p->start_s = now_s();
    while (p->sent < plan->count && !is_over(p)) {
        size_t n = room(p);
        if (n && send_chunk(p, n, e) < 0)
            return -1;
        bool paced = plan->rate > 0;
        if (paced)
            pause_until_due(p);
        if (take_answers(p, n || paced ? 0 : LOOK_MS, e) < 0)
            return -1;
    }
    if (broker_link_ping(&p->link, e) < 0)
        return -1;
    while ((!p->pong || (plan->qos && p->acked < p->sent)) && !is_over(p))
        if (take_answers(p, LOOK_MS, e) < 0)
            return -1;
    return 0;
}

static void *publish(void *arg)
{
    struct publisher *p = arg;
    struct load *l = p->load;
    (void)publish_all(p, &l->e);
    broker_link_close(&p->link);
    buf_clear(&p->chunk);
    free(p);
    atomic_store(&l->ended, true);
    return NULL;
}

int load_start(struct load *l, const struct load_plan *plan, struct err *e)
{
    char id[64];
    *l = (struct load) { .plan = *plan };
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_MEMORY, "not enough memory");
    p->load = l;
    snprintf(id, sizeof id, "sluice-bench-%s-load", plan->tag);
    sample_frame_init(&p->frame, plan->kind, plan->tag, plan->qos);
    buf_init(&p->chunk, CHUNK * sizeof p->frame.bytes);
    if (broker_link_open(&p->link, plan->host, plan->port, id, 4, 0, e) < 0) {
        free(p);
        return -1;
    }
    if (pthread_create(&l->thread, NULL, publish, p) != 0) {
        broker_link_close(&p->link);
        free(p);
        return err_set(e, ERR_MEMORY, "could not start a thread");
    }
    return 0;
}

int load_join(struct load *l, bool early, struct err *e)
{
    if (early)
        atomic_store(&l->stop, true);
    pthread_join(l->thread, NULL);
    if (l->e.code == ERR_NONE)
        return 0;
    if (e)
        *e = l->e;
    return -1;
}
