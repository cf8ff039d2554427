/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on a connection: subscribe, unsubscribe, publish.
 *
 * All three are pipelines: requests leave in order, at most `window` of them are without an answer, and the call ends
 * when all have theirs. If one gets none, the connection is dropped before the call returns, since paho's callbacks
 * point to the requests. */
#include "engine/mqtt/mqtt_client_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/mqtt_props.h"

#define SUBSCRIBE_WINDOW 100u
#define PACKET_MAX       UINT64_C(268435460) /* bytes of any MQTT packet */

enum {
    CODE_PACKET_TOO_LARGE = 0x95,
    CODE_RETAIN_NOT_SUPPORTED = 0x9A,
    CODE_QOS_NOT_SUPPORTED = 0x9B,
};

/* --- answers: on paho's threads, with paho's lock held --- */

static void answer(struct mqtt_request *r, uint8_t code, const char *reason)
{
    struct mqtt_client *c = r->c;
    pthread_mutex_lock(&c->lock);
    mqtt_answer_set(r->answer, code, (struct packet_text) { reason, reason ? strlen(reason) : 0 });
    c->open--;
    c->answers++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* The request got no answer and will get none. */
static void give_up(struct mqtt_request *r)
{
    pthread_mutex_lock(&r->c->lock);
    r->c->open--;
    r->c->lost = true;
    pthread_cond_broadcast(&r->c->changed);
    pthread_mutex_unlock(&r->c->lock);
}

static void on_subscribed(void *ctx, MQTTAsync_successData *r)
{
    answer(ctx, r ? (uint8_t)r->alt.qos : 0, NULL);
}

static void on_done(void *ctx, MQTTAsync_successData *r)
{
    (void)r;
    answer(ctx, 0, NULL);
}

static void on_failed(void *ctx, MQTTAsync_failureData *r)
{
    if (r && r->code >= (int)MQTT_CODE_REFUSED)
        answer(ctx, (uint8_t)r->code, NULL);
    else
        give_up(ctx);
}

static void on_done5(void *ctx, MQTTAsync_successData5 *r)
{
    answer(ctx, r ? (uint8_t)r->reasonCode : 0, NULL);
}

/* Only a failure without an error of paho's own is the broker's: with one, the reason code may not even be set. */
static void on_failed5(void *ctx, MQTTAsync_failureData5 *r)
{
    if (!r || r->code != 0 || (unsigned)r->reasonCode < MQTT_CODE_REFUSED) {
        give_up(ctx);
        return;
    }
    char reason[MQTT_ANSWER_MAX / 2];
    mqtt_props_reason(&r->properties, reason, sizeof(reason));
    answer(ctx, (uint8_t)r->reasonCode, reason);
}

/* --- requests --- */

/* Sends number i of the list. 0: sent, or answered already; -1: paho would not. */
typedef int request_sender(struct mqtt_client *c, void *list, size_t i);

static int reserve_requests(struct mqtt_client *c, size_t count, struct err *e)
{
    if (count <= c->request_room)
        return 0;
    struct mqtt_request *grown = reallocarray(c->requests, count, sizeof(*grown));
    if (!grown)
        return err_set(e, ERR_MEMORY, "not enough memory for %zu requests", count);
    c->requests = grown;
    c->request_room = count;
    return 0;
}

static struct mqtt_request *open_request(struct mqtt_client *c, size_t i, struct mqtt_answer *a)
{
    c->requests[i] = (struct mqtt_request) { .c = c, .answer = a };
    pthread_mutex_lock(&c->lock);
    c->open++;
    pthread_mutex_unlock(&c->lock);
    return &c->requests[i];
}

static int sent_or_not(struct mqtt_request *r, int rc)
{
    if (rc == MQTTASYNC_SUCCESS)
        return 0;
    give_up(r);
    return -1;
}

static MQTTAsync_responseOptions response_to(struct mqtt_request *r, MQTTAsync_onSuccess *on_success)
{
    MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
    o.context = r;
    if (mqtt_client_is_v5(r->c)) {
        o.onSuccess5 = on_done5;
        o.onFailure5 = on_failed5;
    } else {
        o.onSuccess = on_success;
        o.onFailure = on_failed;
    }
    return o;
}

static bool has_room(const struct mqtt_client *c)
{
    return c->open < c->window;
}
static bool is_settled(const struct mqtt_client *c)
{
    return c->open == 0;
}

static bool wait_room(struct mqtt_client *c, uint64_t timeout_ms)
{
    pthread_mutex_lock(&c->lock);
    bool room = mqtt_client_wait(c, has_room, timeout_ms) && !c->lost && c->state == LINK_UP && !c->interrupted;
    pthread_mutex_unlock(&c->lock);
    return room;
}

static int report_broken(struct mqtt_client *c, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool interrupted = c->interrupted, down = c->state != LINK_UP || c->lost;
    char why[MQTT_WHY_MAX];
    snprintf(why, sizeof(why), "%s", c->why[0] ? c->why : "it was lost");
    pthread_mutex_unlock(&c->lock);
    if (interrupted)
        return err_set(e, ERR_UNREACHABLE, "interrupted");
    if (down)
        return err_set(e, ERR_UNREACHABLE, "the connection to broker %s ended: %s", c->conf->url, why);
    return err_set(e, ERR_UNREACHABLE, "broker %s acknowledged nothing for %lld ms", c->conf->url,
                   (long long)c->conf->ack_timeout_ms);
}

/* Send all requests, at most `window` at a time, and wait for their answers. */
static int run_requests(struct mqtt_client *c, request_sender *send, void *list, size_t count, size_t window,
                        struct err *e)
{
    uint64_t timeout_ms = (uint64_t)c->conf->ack_timeout_ms;
    if (!mqtt_client_is_connected(c))
        return report_broken(c, e);
    if (reserve_requests(c, count, e) < 0)
        return -1;
    pthread_mutex_lock(&c->lock);
    c->open = 0;
    c->lost = false;
    c->window = window;
    pthread_mutex_unlock(&c->lock);
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++)
        ok = wait_room(c, timeout_ms) && send(c, list, i) == 0;
    pthread_mutex_lock(&c->lock);
    ok = mqtt_client_wait(c, is_settled, timeout_ms) && ok && !c->lost;
    pthread_mutex_unlock(&c->lock);
    if (ok)
        return 0;
    report_broken(c, e);
    mqtt_client_drop(c); /* callbacks point to the list */
    return -1;
}

static int send_subscribe(struct mqtt_client *c, void *list, size_t i)
{
    struct mqtt_subscription *s = (struct mqtt_subscription *)list + i;
    s->answer = (struct mqtt_answer) { 0 };
    struct mqtt_request *r = open_request(c, i, &s->answer);
    MQTTAsync_responseOptions o = response_to(r, on_subscribed);
    o.subscribeOptions.retainHandling = 1;
    int rc = MQTTASYNC_SUCCESS;
    if (mqtt_client_is_v5(c) && s->id)
        rc = mqtt_props_add_number(&o.properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, s->id);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_subscribe(c->paho, s->filter, (int)c->conf->qos, &o);
    MQTTProperties_free(&o.properties);
    return sent_or_not(r, rc);
}

int mqtt_client_subscribe(struct mqtt_client *c, struct mqtt_subscription *list, size_t count, struct err *e)
{
    return run_requests(c, send_subscribe, list, count, SUBSCRIBE_WINDOW, e);
}

struct unsubscription {
    const char *filter;
    struct mqtt_answer answer;
};

static int send_unsubscribe(struct mqtt_client *c, void *list, size_t i)
{
    struct unsubscription *u = (struct unsubscription *)list + i;
    struct mqtt_request *r = open_request(c, i, &u->answer);
    MQTTAsync_responseOptions o = response_to(r, on_done);
    return sent_or_not(r, MQTTAsync_unsubscribe(c->paho, u->filter, &o));
}

int mqtt_client_unsubscribe(struct mqtt_client *c, const char *const *filters, size_t count, struct err *e)
{
    struct unsubscription *list = calloc(count ? count : 1, sizeof(*list));
    if (!list)
        return err_set(e, ERR_MEMORY, "not enough memory to unsubscribe");
    for (size_t i = 0; i < count; i++)
        list[i].filter = filters[i];
    int rc = run_requests(c, send_unsubscribe, list, count, SUBSCRIBE_WINDOW, e);
    free(list);
    return rc;
}

/* --- publishing --- */

/* What the broker announced that it does not take: it would end the connection, and everything else with it. */
static uint8_t refused_beforehand(const struct mqtt_broker *b, const struct mqtt_publication *p, uint64_t size)
{
    if (size > b->packet_max || size > PACKET_MAX)
        return CODE_PACKET_TOO_LARGE;
    if (p->retain && !b->takes_retain)
        return CODE_RETAIN_NOT_SUPPORTED;
    return p->qos > b->qos_max ? CODE_QOS_NOT_SUPPORTED : 0;
}

static int send_message(struct mqtt_client *c, struct mqtt_request *r, const struct mqtt_publication *p,
                        const MQTTProperties *props)
{
    buf_reset(&c->topic);
    buf_put(&c->topic, p->topic.p, p->topic.len);
    if (c->topic.failed)
        return sent_or_not(r, MQTTASYNC_FAILURE);
    MQTTAsync_message m = MQTTAsync_message_initializer;
    m.payload = (void *)p->payload.p; /* copied by paho */
    m.payloadlen = (int)p->payload.len;
    m.qos = p->qos;
    m.retained = p->retain;
    m.properties = *props;
    MQTTAsync_responseOptions o = response_to(r, on_done);
    return sent_or_not(r, MQTTAsync_sendMessage(c->paho, c->topic.p, &m, &o));
}

static int send_publication(struct mqtt_client *c, void *list, size_t i)
{
    struct mqtt_publication *p = (struct mqtt_publication *)list + i;
    struct mqtt_broker b = mqtt_client_broker(c);
    MQTTProperties props = MQTTProperties_initializer;
    struct mqtt_request *r = open_request(c, i, &p->answer);
    int rc = mqtt_client_is_v5(c) ? mqtt_props_write(p, &props) : 0;
    uint64_t size = mqtt_publish_size(p->topic.len, p->payload.len, p->qos, mqtt_client_is_v5(c) ? props.length : -1);
    uint8_t code = refused_beforehand(&b, p, size);
    if (rc < 0)
        give_up(r);
    else if (code)
        answer(r, code, NULL);
    else
        rc = send_message(c, r, p, &props);
    MQTTProperties_free(&props);
    return rc;
}

int mqtt_client_publish(struct mqtt_client *c, struct mqtt_publication *list, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        list[i].answer = (struct mqtt_answer) { 0 };
    size_t window = mqtt_client_broker(c).receive_max;
    if (window > (size_t)c->conf->in_flight)
        window = (size_t)c->conf->in_flight;
    return run_requests(c, send_publication, list, count, window, e);
}
