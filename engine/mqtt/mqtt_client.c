/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT connections by paho.mqtt.c (MQTTAsync), and all that must be known about it.
 *
 *   - paho runs one send and one receive thread for all clients, and calls everything back with its big lock held.
 *     So callbacks only take c->lock for a moment, and no function of paho is called while c->lock is held.
 *   - The send thread can miss its wake-up: it is not woken by an acknowledgement or by a socket that takes more,
 *     and a command may be queued between its last look and its wait. It then sleeps up to a second. Two things
 *     help: we keep the window ourselves, so paho never holds a command back for the broker's Receive Maximum; and
 *     whoever waits here rings `bell`, a client that is never connected and keeps one message at most: queueing to
 *     it wakes the send thread and does nothing else.
 *   - After a broken connection paho may keep requests, and call back about them much later. So every connection
 *     gets a handle of its own, which is destroyed before a call that failed returns: no callback outlives what it
 *     points to.
 *   - Destroying the last handle of the process stops the threads; that takes a second, races with others that
 *     connect, and loses the memory of a message that is still queued. So the bell is never destroyed, and
 *     library.lock keeps creation, connection and destruction apart. Callbacks never take that lock.
 *   - paho says "TCP/TLS connect failure" whatever the reason: OpenSSL's is caught by a callback, the system's by
 *     mqtt_probe. */
#include "engine/mqtt/mqtt_client_int.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/mqtt/mqtt_probe.h"
#include "engine/mqtt/mqtt_props.h"
#include "sluice/source.h"

#define SLICE_MIN_MS 1u
#define SLICE_MAX_MS 64u
#define PROBE_MS     3000
#define VIEW_FACTOR  8u /* our form of a message's properties, at most that many times the packet */
#define BUFFERED_MAX 100000

/* --- the library --- */

static struct {
    pthread_mutex_t lock;
    MQTTAsync bell;
} library = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int make_bell(MQTTAsync *bell)
{
    MQTTAsync_createOptions o = MQTTAsync_createOptions_initializer;
    o.sendWhileDisconnected = 1;
    o.allowDisconnectedSendAtAnyTime = 1;
    o.maxBufferedMessages = 1;
    o.deleteOldestMessages = 1;
    return MQTTAsync_createWithOptions(bell, "tcp://127.0.0.1:1", "bell", MQTTCLIENT_PERSISTENCE_NONE, NULL, &o);
}

static int library_begin(struct err *e)
{
    pthread_mutex_lock(&library.lock);
    int rc = library.bell ? MQTTASYNC_SUCCESS : make_bell(&library.bell);
    if (rc != MQTTASYNC_SUCCESS)
        library.bell = NULL;
    pthread_mutex_unlock(&library.lock);
    return rc == MQTTASYNC_SUCCESS ? 0 : err_set(e, ERR_MEMORY, "could not start the MQTT library (%d)", rc);
}

static void ring(void)
{
    MQTTAsync_send(library.bell, "bell", 0, "", 0, 0, NULL);
}

/* --- waiting --- */

static bool is_decided(const struct mqtt_client *c)
{
    return c->state != LINK_CONNECTING;
}

static void wait_slice(struct mqtt_client *c, uint64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)(ms * 1000000);
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    if (pthread_cond_timedwait(&c->changed, &c->lock, &t) == 0)
        return;
    pthread_mutex_unlock(&c->lock);
    ring();
    pthread_mutex_lock(&c->lock);
}

static bool is_stopped(const struct mqtt_client *c)
{
    struct pollfd p = { .fd = c->stop_fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

/* Wait until it holds. False: the connection is down, the client is interrupted, or no answer came for timeout_ms.
 * Locks: c->lock, given up while waiting. */
bool mqtt_client_wait(struct mqtt_client *c, mqtt_condition *holds, uint64_t timeout_ms)
{
    uint64_t seen = c->answers, slice = SLICE_MIN_MS, now = clock_monotonic_ms(&clock_system), until = now + timeout_ms;
    while (!holds(c)) {
        if (c->interrupted || c->state == LINK_DOWN || now >= until)
            return false;
        wait_slice(c, slice);
        c->interrupted = c->interrupted || is_stopped(c);
        slice = slice < SLICE_MAX_MS ? slice * 2 : SLICE_MAX_MS;
        now = clock_monotonic_ms(&clock_system);
        if (c->answers != seen) {
            seen = c->answers;
            slice = SLICE_MIN_MS;
            until = now + timeout_ms;
        }
    }
    return true;
}

/* --- callbacks: on paho's threads, with paho's lock held --- */

static void link_up(struct mqtt_client *c, const struct mqtt_broker *broker)
{
    pthread_mutex_lock(&c->lock);
    c->state = LINK_UP;
    c->broker = *broker;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* The connection is gone; `why` if nothing better is known already. */
static void link_down(struct mqtt_client *c, const char *why)
{
    pthread_mutex_lock(&c->lock);
    bool was_up = c->state == LINK_UP;
    c->state = LINK_DOWN;
    if (!c->why[0])
        snprintf(c->why, sizeof(c->why), "%s", why);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (was_up && c->handler.disconnected)
        c->handler.disconnected(c->handler.ctx);
}

static void on_connected(void *ctx, MQTTAsync_successData *r)
{
    link_up(ctx, &(struct mqtt_broker) {
                     .session_present = r && r->alt.connect.sessionPresent,
                     .takes_retain = true,
                     .receive_max = UINT16_MAX,
                     .packet_max = UINT32_MAX,
                     .qos_max = 2,
                 });
}

static void on_connected5(void *ctx, MQTTAsync_successData5 *r)
{
    const MQTTProperties *p = &r->properties;
    link_up(ctx, &(struct mqtt_broker) {
                     .session_present = r->alt.connect.sessionPresent,
                     .takes_ids = mqtt_props_number(p, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 1) != 0,
                     .takes_retain = mqtt_props_number(p, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0,
                     .receive_max = mqtt_props_number(p, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, UINT16_MAX),
                     .packet_max = mqtt_props_number(p, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, UINT32_MAX),
                     .qos_max = mqtt_props_number(p, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2),
                 });
}

/* message: what paho says; nothing if it could not even begin. */
static void connect_failed(struct mqtt_client *c, int code, const char *message)
{
    pthread_mutex_lock(&c->lock);
    c->connect_code = code;
    c->got_through = message && strcmp(message, "TCP/TLS connect failure") != 0;
    pthread_mutex_unlock(&c->lock);
    link_down(c, "");
}

static void on_connect_failed(void *ctx, MQTTAsync_failureData *r)
{
    connect_failed(ctx, r ? r->code : MQTTASYNC_FAILURE, r ? r->message : NULL);
}

static void on_connect_failed5(void *ctx, MQTTAsync_failureData5 *r)
{
    connect_failed(ctx, r ? r->code : MQTTASYNC_FAILURE, r ? r->message : NULL);
}

static void on_connection_lost(void *ctx, char *cause)
{
    struct mqtt_client *c = ctx;
    (void)cause; /* always NULL */
    pthread_mutex_lock(&c->lock);
    c->ended_by_broker = true;
    pthread_mutex_unlock(&c->lock);
    link_down(ctx, "the broker closed the connection or does not answer");
}

/* DISCONNECT from the broker: it says why, and nothing but the end of the connection can follow. */
static void on_disconnect_packet(void *ctx, MQTTProperties *props, enum MQTTReasonCodes code)
{
    struct mqtt_client *c = ctx;
    char reason[MQTT_WHY_MAX / 2];
    mqtt_props_reason(props, reason, sizeof(reason));
    pthread_mutex_lock(&c->lock);
    snprintf(c->why, sizeof(c->why), "%s (0x%02X)%s%s", packet_reason_name((uint8_t)code), (unsigned)code,
             reason[0] ? ": " : "", reason);
    c->ended_by_broker = true;
    c->end_code = (int)code;
    pthread_mutex_unlock(&c->lock);
    link_down(c, "");
}

static void on_hung_up(void *ctx, MQTTAsync_successData *r)
{
    (void)r;
    link_down(ctx, "we ended it");
}

static void on_hung_up5(void *ctx, MQTTAsync_successData5 *r)
{
    (void)r;
    link_down(ctx, "we ended it");
}

static int on_tls_error(const char *line, size_t len, void *ctx)
{
    struct mqtt_client *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (!c->tls_why[0])
        mqtt_tls_reason(line, len, c->tls_why, sizeof(c->tls_why));
    pthread_mutex_unlock(&c->lock);
    return 1;
}

static bool hand_over(struct mqtt_client *c, const char *topic, size_t topic_len, const MQTTAsync_message *pm)
{
    struct source_message m = {
        .message = {
            .topic = topic,
            .topic_len = topic_len,
            .payload = pm->payloadlen ? pm->payload : "",
            .payload_len = (size_t)pm->payloadlen,
            .qos = (uint8_t)pm->qos,
            .retain = pm->retained,
            .dup = pm->dup,
            .over_mqtt = true,
            .payload_format = PAYLOAD_FORMAT_ABSENT,
        },
    };
    arena_reset(&c->view);
    if (mqtt_client_is_v5(c) && mqtt_props_read(&pm->properties, &m, &c->view) < 0)
        return false;
    return c->handler.arrived(c->handler.ctx, &m);
}

static int on_arrived(void *ctx, char *topic, int topic_len, MQTTAsync_message *m)
{
    struct mqtt_client *c = ctx;
    size_t len = topic_len > 0 ? (size_t)topic_len : strlen(topic);
    if (c->handler.arrived && !hand_over(c, topic, len, m))
        return 0;
    MQTTAsync_freeMessage(&m);
    MQTTAsync_free(topic);
    return 1;
}

/* --- life --- */

static int lock_init(struct mqtt_client *c)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return -1;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (rc == 0 && (rc = pthread_mutex_init(&c->lock, NULL)) != 0)
        pthread_cond_destroy(&c->changed);
    return rc == 0 ? 0 : -1;
}

struct mqtt_client *mqtt_client_new(const struct mqtt_conf *conf, enum mqtt_role role, const char *client_id,
                                    const struct mqtt_handler *handler, struct err *e)
{
    struct mqtt_client *c = calloc(1, sizeof(*c));
    char *id = strdup(client_id);
    if (!c || !id || lock_init(c) < 0) {
        err_set(e, ERR_MEMORY, "not enough memory for an MQTT connection");
        goto fail;
    }
    if (library_begin(e) < 0) {
        pthread_mutex_destroy(&c->lock);
        pthread_cond_destroy(&c->changed);
        goto fail;
    }
    c->conf = conf;
    c->stop_fd = -1;
    c->role = role;
    c->client_id = id;
    c->handler = handler ? *handler : (struct mqtt_handler) { 0 };
    buf_init(&c->topic, UINT16_MAX + 1);
    arena_init(&c->view, VIEW_FACTOR * (size_t)conf->pending_bytes);
    return c;
fail:
    free(id);
    free(c);
    return NULL;
}

/* Close the connection if it stands, and let no further callback come. */
void mqtt_client_drop(struct mqtt_client *c)
{
    if (!c->paho)
        return;
    pthread_mutex_lock(&library.lock);
    MQTTAsync_destroy(&c->paho);
    pthread_mutex_unlock(&library.lock);
    c->paho = NULL;
    link_down(c, "we ended it");
}

void mqtt_client_free(struct mqtt_client *c)
{
    if (!c)
        return;
    mqtt_client_drop(c);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    arena_clear(&c->view);
    buf_clear(&c->topic);
    free(c->requests);
    free(c->client_id);
    free(c);
}

void mqtt_client_disconnect(struct mqtt_client *c)
{
    mqtt_client_drop(c);
}

void mqtt_client_hang_up(struct mqtt_client *c)
{
    MQTTAsync_disconnectOptions o = MQTTAsync_disconnectOptions_initializer;
    o.context = c;
    if (mqtt_client_is_v5(c))
        o.onSuccess5 = on_hung_up5;
    else
        o.onSuccess = on_hung_up;
    MQTTAsync_disconnect(c->paho, &o);
}

void mqtt_client_stop_on(struct mqtt_client *c, int fd)
{
    c->stop_fd = fd;
}

void mqtt_client_interrupt(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->interrupted = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

struct mqtt_broker mqtt_client_broker(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    struct mqtt_broker b = c->broker;
    pthread_mutex_unlock(&c->lock);
    return b;
}

bool mqtt_client_is_connected(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool up = c->state == LINK_UP;
    pthread_mutex_unlock(&c->lock);
    return up;
}

bool mqtt_client_was_ended_by_broker(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool by_broker = c->ended_by_broker;
    pthread_mutex_unlock(&c->lock);
    return by_broker;
}

int mqtt_client_end_code(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    int code = c->end_code;
    pthread_mutex_unlock(&c->lock);
    return code;
}

bool mqtt_client_session_present(struct mqtt_client *c)
{
    return mqtt_client_broker(c).session_present;
}

bool mqtt_client_takes_ids(struct mqtt_client *c)
{
    return mqtt_client_broker(c).takes_ids;
}

void mqtt_client_why(struct mqtt_client *c, char *out, size_t size)
{
    pthread_mutex_lock(&c->lock);
    snprintf(out, size, "%s", c->why);
    pthread_mutex_unlock(&c->lock);
}

/* --- connecting --- */

static int make_handle(struct mqtt_client *c, struct err *e)
{
    MQTTAsync_createOptions o = MQTTAsync_createOptions_initializer;
    o.MQTTVersion = mqtt_client_is_v5(c) ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    o.maxBufferedMessages = BUFFERED_MAX;
    pthread_mutex_lock(&library.lock);
    int rc = MQTTAsync_createWithOptions(&c->paho, c->conf->address.uri, c->client_id, MQTTCLIENT_PERSISTENCE_NONE,
                                         NULL, &o);
    pthread_mutex_unlock(&library.lock);
    if (rc != MQTTASYNC_SUCCESS) {
        c->paho = NULL;
        return err_set(e, ERR_MEMORY, "could not make an MQTT connection (%d)", rc);
    }
    MQTTAsync_setCallbacks(c->paho, c, on_connection_lost, on_arrived, NULL);
    if (mqtt_client_is_v5(c))
        MQTTAsync_setDisconnected(c->paho, c, on_disconnect_packet);
    return 0;
}

static int whole_seconds(int64_t ms)
{
    return (int)((ms + 999) / 1000);
}

static void set_tls(struct mqtt_client *c, MQTTAsync_SSLOptions *tls)
{
    *tls = (MQTTAsync_SSLOptions)MQTTAsync_SSLOptions_initializer;
    tls->trustStore = c->conf->ca_file;
    tls->keyStore = c->conf->cert_file;
    tls->privateKey = c->conf->key_file;
    tls->privateKeyPassword = c->conf->key_password;
    tls->enableServerCertAuth = 1;
    tls->verify = c->conf->verify_host;
    tls->ssl_error_cb = on_tls_error;
    tls->ssl_error_context = c;
}

/* What the broker may send without acknowledgement. It sends all of that again after a disconnection, and it should
 * fit. */
static uint32_t receive_maximum(const struct mqtt_conf *conf)
{
    int64_t half = conf->pending_messages / 2;
    return half < 1 ? 1 : half < UINT16_MAX ? (uint32_t)half : UINT16_MAX;
}

static int set_session5(struct mqtt_client *c, MQTTAsync_connectOptions *o, MQTTProperties *props)
{
    bool subscriber = c->role == MQTT_SUBSCRIBER;
    uint32_t expiry_s = subscriber ? (uint32_t)(c->conf->session_expiry_ms / 1000) : 0;
    int64_t packet_max = c->conf->pending_bytes < UINT32_MAX ? c->conf->pending_bytes : UINT32_MAX;
    uint32_t receive_max = receive_maximum(c->conf);
    o->cleanstart = !subscriber || c->conf->clean_start;
    o->onSuccess5 = on_connected5;
    o->onFailure5 = on_connect_failed5;
    o->connectProperties = props;
    if (expiry_s > 0 && mqtt_props_add_number(props, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, expiry_s) < 0)
        return -1;
    if (mqtt_props_add_number(props, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, receive_max) < 0)
        return -1;
    return mqtt_props_add_number(props, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, (uint32_t)packet_max);
}

static int start_connecting(struct mqtt_client *c, struct err *e)
{
    MQTTAsync_connectOptions o = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions o5 = MQTTAsync_connectOptions_initializer5;
    MQTTProperties props = MQTTProperties_initializer;
    MQTTAsync_SSLOptions tls;
    int rc = MQTTASYNC_SUCCESS;
    if (mqtt_client_is_v5(c)) {
        o = o5;
        rc = set_session5(c, &o, &props);
    } else {
        o.MQTTVersion = MQTTVERSION_3_1_1;
        o.cleansession = c->role != MQTT_SUBSCRIBER || c->conf->clean_start;
        o.onSuccess = on_connected;
        o.onFailure = on_connect_failed;
    }
    o.context = c;
    o.keepAliveInterval = whole_seconds(c->conf->keep_alive_ms);
    o.connectTimeout = whole_seconds(c->conf->connect_timeout_ms);
    o.username = c->conf->user_name;
    o.password = c->conf->password;
    if (c->conf->address.tls) {
        set_tls(c, &tls);
        o.ssl = &tls;
    }
    pthread_mutex_lock(&library.lock);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_connect(c->paho, &o);
    pthread_mutex_unlock(&library.lock);
    MQTTProperties_free(&props);
    return rc == MQTTASYNC_SUCCESS ? 0 : err_set(e, ERR_MEMORY, "could not start connecting (%d)", rc);
}

/* No CONNACK came. */
static int report_no_answer(const struct mqtt_client *c, bool got_through, const char *tls_why, struct err *e)
{
    const struct mqtt_conf *conf = c->conf;
    char why[MQTT_WHY_MAX];
    if (tls_why[0]) {
        err_set(e, ERR_REFUSED, "no TLS connection to broker %s: %s", conf->url, tls_why);
        if (strstr(tls_why, "certificate verify failed"))
            err_hint(e, conf->ca_file ? "Is caFile the authority that signed the broker's certificate?"
                                      : "Name the authority that signed the broker's certificate with caFile.");
        return -1;
    }
    int timeout_ms = conf->connect_timeout_ms < PROBE_MS ? (int)conf->connect_timeout_ms : PROBE_MS;
    if (!mqtt_probe(conf->address.host, conf->address.port, timeout_ms, why, sizeof(why)))
        return err_set(e, ERR_UNREACHABLE, "broker %s is not reachable: %s", conf->url, why);
    if (!conf->address.tls && !got_through) /* it came up just now */
        return err_set(e, ERR_UNREACHABLE, "broker %s could not be reached", conf->url);
    err_set(e, ERR_UNREACHABLE, "broker %s ended the connection before it answered", conf->url);
    if (conf->address.tls)
        err_hint(e,
                 "It may want a client certificate (certFile), or its certificate is for another host (verifyHost).");
    else if (mqtt_client_is_v5(c))
        err_hint(e, "It may want TLS (mqtts://), or MQTT 3.1.1 (version).");
    return -1;
}

static int report_connect_failure(struct mqtt_client *c, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool interrupted = c->interrupted, timed_out = c->state == LINK_CONNECTING, got_through = c->got_through;
    int code = c->connect_code;
    char tls_why[MQTT_WHY_MAX];
    snprintf(tls_why, sizeof(tls_why), "%s", c->tls_why);
    pthread_mutex_unlock(&c->lock);
    if (interrupted)
        return err_set(e, ERR_UNREACHABLE, "interrupted");
    if (code > 0)
        return mqtt_refusal(c->conf->url, mqtt_client_is_v5(c), (uint8_t)code, "", e);
    if (timed_out)
        return err_set(e, ERR_UNREACHABLE, "broker %s did not answer within %lld ms", c->conf->url,
                       (long long)c->conf->connect_timeout_ms);
    return report_no_answer(c, got_through, tls_why, e);
}

int mqtt_client_connect(struct mqtt_client *c, struct err *e)
{
    mqtt_client_drop(c);
    pthread_mutex_lock(&c->lock);
    c->state = LINK_CONNECTING;
    c->why[0] = c->tls_why[0] = '\0';
    c->connect_code = 0;
    c->ended_by_broker = c->got_through = false;
    c->end_code = -1;
    pthread_mutex_unlock(&c->lock);
    if (make_handle(c, e) < 0)
        return -1;
    bool up = start_connecting(c, e) == 0;
    pthread_mutex_lock(&c->lock);
    if (up)
        up = mqtt_client_wait(c, is_decided, (uint64_t)c->conf->connect_timeout_ms) && c->state == LINK_UP;
    pthread_mutex_unlock(&c->lock);
    if (up)
        return 0;
    report_connect_failure(c, e);
    mqtt_client_drop(c);
    return -1;
}
