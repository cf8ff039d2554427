/* SPDX-License-Identifier: Apache-2.0 */
/* Options of an MQTT connection: the table, and what a table cannot say.
 *
 * A url never carries a user name or a password, so it may be shown in logs and errors as it is. */
#include "engine/mqtt/mqtt_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/utf8.h"
#include "engine/mqtt/packet.h"

#define YEAR_MS           (INT64_C(365) * 24 * 3600 * 1000)
#define KEEP_ALIVE_MAX    (INT64_C(65535) * 1000)
#define CLIENT_ID_MAX     1024
#define PENDING_BYTES_MIN (INT64_C(64) << 10)

static const char *const versions[] = { [MQTT_V5] = "5", [MQTT_V311] = "3.1.1", NULL };
static const char *const retained[] = {
    [MQTT_RETAINED_IGNORE] = "ignore", [MQTT_RETAINED_EVALUATE] = "evaluate", NULL
};

#define FIELD(name) offsetof(struct mqtt_conf, name)

const struct opt mqtt_options[MQTT_OPTION_COUNT] = {
    { "url", OPT_TEXT, FIELD(url), .required = true,
      .help = "broker: mqtt://host[:port], mqtts:// for TLS, ws:// and wss:// for WebSocket" },
    { "clientId", OPT_TEXT, FIELD(client_id), .def = "sluice",
      .help = "client id of the subscriber, \"-republish\" is added for the publisher; unique at its broker" },
    { "userName", OPT_TEXT, FIELD(user_name), .help = "user name at the broker" },
    { "password", OPT_TEXT, FIELD(password), .help = "password at the broker" },
    { "caFile", OPT_PATH, FIELD(ca_file),
      .help = "PEM file of the authorities that may sign the broker's certificate; absent: those of the system" },
    { "certFile", OPT_PATH, FIELD(cert_file), .help = "PEM file of the client certificate and its chain" },
    { "keyFile", OPT_PATH, FIELD(key_file), .help = "PEM file of the client's private key; absent: it is in certFile" },
    { "keyPassword", OPT_TEXT, FIELD(key_password), .help = "password of an encrypted private key" },
    { "verifyHost", OPT_BOOL, FIELD(verify_host), .def = "true",
      .help = "the broker's certificate must be for the host of the url" },
    { "version", OPT_CHOICE, FIELD(version), .def = "5", .choices = versions, .help = "version of MQTT" },
    { "keepAlive", OPT_DURATION, FIELD(keep_alive_ms), .def = "60s", .min = 5000, .max = KEEP_ALIVE_MAX,
      .help = "ping a silent broker after this time" },
    { "connectTimeout", OPT_DURATION, FIELD(connect_timeout_ms), .def = "10s", .min = 1000, .max = 600000,
      .help = "give up connecting after this time" },
    { "ackTimeout", OPT_DURATION, FIELD(ack_timeout_ms), .def = "10s", .min = 100, .max = 600000,
      .help = "give up a connection on which no acknowledgement came for this time" },
    { "reconnectMin", OPT_DURATION, FIELD(reconnect_min_ms), .def = "500ms", .min = 10, .max = 3600000,
      .help = "source: first wait before connecting again" },
    { "reconnectMax", OPT_DURATION, FIELD(reconnect_max_ms), .def = "30s", .min = 10, .max = 3600000,
      .help = "source: longest wait before connecting again" },
    { "qos", OPT_INT, FIELD(qos), .def = "1", .min = 0, .max = 2, .help = "source: highest QoS of the subscriptions" },
    { "cleanStart", OPT_BOOL, FIELD(clean_start), .def = "false",
      .help = "source: forget the session at the broker when connecting" },
    { "sessionExpiry", OPT_DURATION, FIELD(session_expiry_ms), .def = "1d", .min = 0, .max = 50 * YEAR_MS,
      .help = "source: the broker keeps the session this long without us (MQTT 5)" },
    { "restartBudget", OPT_DURATION, FIELD(restart_budget_ms), .def = "1h", .min = 0, .max = 50 * YEAR_MS,
      .help = "source: longest absence that must lose nothing; check compares it with sessionExpiry" },
    { "basicIngest", OPT_BOOL, FIELD(basic_ingest), .def = "true",
      .help = "source: also take messages to $aws/rules/<rule>/…" },
    { "share", OPT_TEXT, FIELD(share),
      .help = "source: share the subscriptions with the other subscribers of this group (MQTT 5)" },
    { "retained", OPT_CHOICE, FIELD(retained), .def = "ignore", .choices = retained,
      .help = "source: retained messages that come because it subscribes: acknowledge and count, or evaluate, too" },
    { "identity", OPT_CONF, FIELD(identity),
      .help = "source: { keyFile, previousKeyFile }: open who published, as the broker's plugin sealed it (MQTT 5)" },
    { "clientIdFrom", OPT_CONF, FIELD(client_id_from),
      .help = "source: { topicLevel: N } or { userProperty: NAME }: client id where no seal tells; can be forged" },
    { "receiveMaximum", OPT_INT, FIELD(receive_max), .def = "1000", .min = 1, .max = 65535,
      .help = "source: messages of QoS 1 and 2 that the broker may send without acknowledgement (MQTT 5)" },
    { "maxPacketSize", OPT_SIZE, FIELD(packet_max), .def = "16M", .min = 1024, .max = PACKET_SIZE_MAX,
      .help = "source: largest packet that is taken; with MQTT 5 the broker drops what is larger" },
    { "pendingMessages", OPT_INT, FIELD(pending_messages), .def = "100000", .min = 1, .max = 100000000,
      .help = "source, ws:// and wss://: disconnect while this many messages wait for the rules" },
    { "pendingBytes", OPT_SIZE, FIELD(pending_bytes), .def = "256M", .min = PENDING_BYTES_MIN, .max = INT64_C(1) << 40,
      .help = "source, ws:// and wss://: disconnect while this much waits; with MQTT 5 also the largest message" },
    { "inFlight", OPT_INT, FIELD(in_flight), .def = "100", .min = 1, .max = 65535,
      .help = "republish: messages under way without acknowledgement; the broker's Receive Maximum counts too" },
};

/* --- url --- */

struct scheme {
    const char *name, *paho; /* with "://" */
    uint16_t port;
    bool tls, websocket;
};

static const struct scheme schemes[] = {
    { "mqtt", "tcp://", 1883, false, false }, { "mqtts", "ssl://", 8883, true, false },
    { "tcp", "tcp://", 1883, false, false },  { "ssl", "ssl://", 8883, true, false },
    { "ws", "ws://", 80, false, true },       { "wss", "wss://", 443, true, true },
};
#define SCHEME_COUNT (sizeof(schemes) / sizeof(schemes[0]))

static const struct scheme *find_scheme(const char *url, size_t len, struct err *e)
{
    const char *names[SCHEME_COUNT];
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        names[i] = schemes[i].name;
        if (strlen(names[i]) == len && strncmp(names[i], url, len) == 0)
            return &schemes[i];
    }
    err_set(e, ERR_CONF_VALUE, "unknown scheme \"%.*s\" in a broker's url", len < 40 ? (int)len : 40, url);
    const char *near = nearest_word(url, len, names, SCHEME_COUNT);
    if (near)
        err_hint(e, "did you mean \"%s://\"?", near);
    else
        err_hint(e, "Use mqtt://, mqtts://, ws:// or wss://.");
    return NULL;
}

static int parse_port(const char *s, size_t len, uint16_t *port, struct err *e)
{
    unsigned long n = 0;
    for (size_t i = 0; i < len && n <= UINT16_MAX; i++) {
        if (s[i] < '0' || s[i] > '9')
            return err_set(e, ERR_CONF_VALUE, "the port of a broker's url must be a number");
        n = n * 10 + (unsigned long)(s[i] - '0');
    }
    if (len == 0 || n == 0 || n > UINT16_MAX)
        return err_set(e, ERR_CONF_VALUE, "the port of a broker's url must be between 1 and 65535");
    *port = (uint16_t)n;
    return 0;
}

/* The length of the host at s, brackets of an IPv6 address included. */
static size_t host_length(const char *s, size_t len)
{
    const char *end = len && s[0] == '[' ? memchr(s, ']', len) : NULL;
    if (end)
        return (size_t)(end - s) + 1;
    end = memchr(s, ':', len);
    return end ? (size_t)(end - s) : len;
}

static int check_host(const char *s, size_t len, struct err *e)
{
    if (len == 0)
        return err_set(e, ERR_CONF_VALUE, "the broker's url names no host");
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] <= ' ' || strchr("\"<>\\^`{|}", s[i]))
            return err_set(e, ERR_CONF_VALUE, "the host of a broker's url cannot hold white space or \"<>\\^`{|}");
    }
    return 0;
}

/* What stands before the path: host[:port] */
static int parse_authority(struct mqtt_address *a, const char *s, size_t len, struct err *e)
{
    if (memchr(s, '@', len)) {
        err_set(e, ERR_CONF_VALUE, "a broker's url cannot hold a user name or password");
        err_hint(e, "Use the options \"userName\" and \"password\".");
        return -1;
    }
    size_t host_len = host_length(s, len);
    if (check_host(s, host_len, e) < 0)
        return -1;
    if (host_len < len && (s[host_len] != ':' || parse_port(s + host_len + 1, len - host_len - 1, &a->port, e) < 0)) {
        err_set(e, ERR_CONF_VALUE, "the host of a broker's url must be followed by \":\" and a port");
        return -1;
    }
    bool bracketed = s[0] == '[';
    a->host = strndup(s + bracketed, host_len - 2 * (size_t)bracketed);
    if (a->host)
        return 0;
    err_set(e, ERR_MEMORY, "not enough memory");
    return -1;
}

static int make_uri(struct mqtt_address *a, const char *paho, const char *path, struct err *e)
{
    bool v6 = strchr(a->host, ':') != NULL;
    int n = asprintf(&a->uri, "%s%s%s%s:%u%s", paho, v6 ? "[" : "", a->host, v6 ? "]" : "", a->port, path);
    if (n >= 0)
        return 0;
    a->uri = NULL;
    return err_set(e, ERR_MEMORY, "not enough memory");
}

int mqtt_address_parse(struct mqtt_address *a, const char *url, struct err *e)
{
    *a = (struct mqtt_address) { 0 };
    const char *sep = strstr(url, "://");
    if (!sep) {
        err_set(e, ERR_CONF_VALUE, "a broker's url must begin with a scheme");
        err_hint(e, "For example mqtt://127.0.0.1:1883.");
        return -1;
    }
    const struct scheme *scheme = find_scheme(url, (size_t)(sep - url), e);
    if (!scheme)
        return -1;
    *a = (struct mqtt_address) { .tls = scheme->tls, .websocket = scheme->websocket, .port = scheme->port };
    const char *authority = sep + 3;
    size_t len = strcspn(authority, "/?#");
    const char *path = authority + len;
    if (!scheme->websocket && path[0] && strcmp(path, "/") != 0)
        return err_set(e, ERR_CONF_VALUE, "only the urls of ws:// and wss:// brokers can have a path");
    if (parse_authority(a, authority, len, e) < 0 || make_uri(a, scheme->paho, scheme->websocket ? path : "", e) < 0) {
        mqtt_address_clear(a);
        return -1;
    }
    return 0;
}

void mqtt_address_clear(struct mqtt_address *a)
{
    free(a->host);
    free(a->uri);
    *a = (struct mqtt_address) { 0 };
}

/* --- checks that concern more than one option --- */

/* Where to complain about an option: its value, else the map. */
static struct span place_of(const struct conf *map, const char *name)
{
    const struct conf *value = map && map->kind == CONF_MAP ? conf_get(map, name) : NULL;
    return value ? value->at : map ? map->at : (struct span) { 0 };
}

static void check_url(struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    struct err e = { 0 };
    if (!c->url || mqtt_address_parse(&c->address, c->url, &e) == 0)
        return;
    struct err *listed = errs_add(errs, SEV_ERROR, e.code, place_of(map, "url"), "%s", e.text);
    if (e.hint[0])
        err_hint(listed, "%s", e.hint);
}

static void check_client_id(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    struct span at = place_of(map, "clientId");
    if (!c->client_id)
        return;
    size_t len = strlen(c->client_id);
    if (len == 0 || len > CLIENT_ID_MAX)
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at, "\"clientId\" must have 1 to %d bytes", CLIENT_ID_MAX);
    else if (!utf8_is_valid(c->client_id, len))
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, at, "\"clientId\" is not valid UTF-8");
}

static void check_file(const char *path, const char *name, const struct conf *map, struct errs *errs)
{
    if (path && access(path, R_OK) < 0)
        errs_add(errs, SEV_ERROR, ERR_IO, place_of(map, name), "\"%s\" could not be read: %s", name, strerror(errno));
}

static void check_tls(struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    const struct {
        const char *name;
        const char *path;
    } files[] = { { "caFile", c->ca_file }, { "certFile", c->cert_file }, { "keyFile", c->key_file } };
    bool plain = c->address.uri && !c->address.tls;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].path && plain) {
            struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, place_of(map, files[i].name),
                                     "\"%s\" is of no use without TLS", files[i].name);
            err_hint(e, "Use a url that begins with %s://.", c->address.websocket ? "wss" : "mqtts");
        } else {
            check_file(files[i].path, files[i].name, map, errs);
        }
    }
    if (c->key_file && !c->cert_file)
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, place_of(map, "keyFile"), "\"keyFile\" needs \"certFile\"");
}

static void check_login(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    if (c->password && !c->user_name && c->version == MQTT_V311)
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, place_of(map, "password"),
                 "with MQTT 3.1.1 \"password\" needs \"userName\"");
}

static void check_waits(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    if (c->reconnect_max_ms > 0 && c->reconnect_min_ms > c->reconnect_max_ms)
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, place_of(map, "reconnectMin"),
                 "\"reconnectMin\" is longer than \"reconnectMax\"");
}

static void check_share(const struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    struct span at = place_of(map, "share");
    if (!c->share)
        return;
    if (!c->share[0] || strpbrk(c->share, "/+#"))
        errs_refuse(errs, ERR_CONF_VALUE, at, "\"share\" must be a group name without \"/\", \"+\" and \"#\"");
    if (c->version == MQTT_V311)
        errs_refuse(errs, ERR_CONF_VALUE, at, "\"share\" needs MQTT 5: 3.1.1 has no shared subscriptions");
    if (c->address.websocket)
        errs_refuse(errs, ERR_CONF_VALUE, at, "\"share\" is not available over WebSocket");
}

int mqtt_conf_read(struct mqtt_conf *c, const struct conf *map, struct errs *errs)
{
    size_t errors = errs->errors;
    *c = (struct mqtt_conf) { .at = place_of(map, "version") };
    if (opt_read(mqtt_options, MQTT_OPTION_COUNT, map, "mqtt", c->at, c, errs) < 0 && (!map || map->kind != CONF_MAP))
        return -1;
    check_url(c, map, errs);
    check_client_id(c, map, errs);
    check_tls(c, map, errs);
    check_login(c, map, errs);
    check_waits(c, map, errs);
    check_share(c, map, errs);
    return errs->errors > errors ? -1 : 0;
}

void mqtt_conf_clear(struct mqtt_conf *c)
{
    opt_free(mqtt_options, MQTT_OPTION_COUNT, c);
    mqtt_address_clear(&c->address);
}
