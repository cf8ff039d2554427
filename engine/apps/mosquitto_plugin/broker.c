/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/broker.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

#include "engine/apps/mosquitto_plugin/certificate.h"
#include "engine/base/buf.h"
#include "engine/mqtt/packet.h"

#define LOG_TEXT_MAX ((size_t)1 << 20)

/* The broker's own, in no header and perhaps not in every build of it. Its values since 1.6: enum mosquitto_client_state. */
extern int mosquitto__get_state(struct mosquitto *client) __attribute__((weak));
enum { STATE_DISCONNECTING = 2, STATE_DISCONNECT_WS = 6, STATE_DISCONNECT_WITH_WILL = 18 };

/* --- log --- */

static int log_level(enum broker_log level)
{
    static const int levels[] = { MOSQ_LOG_INFO, MOSQ_LOG_NOTICE, MOSQ_LOG_WARNING, MOSQ_LOG_ERR };
    return levels[level];
}

void broker_log(enum broker_log level, const char *fmt, ...)
{
    char line[900]; /* Mosquitto cuts at 1,000 */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    mosquitto_log_printf(log_level(level), "sluice: %s", line);
}

void broker_log_lines(enum broker_log level, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len)
            broker_log(level, "%.*s", (int)(len < INT_MAX ? len : INT_MAX), text);
        text += len + (text[len] == '\n');
    }
}

void broker_log_errs(const struct errs *errs)
{
    struct buf text;
    buf_init(&text, LOG_TEXT_MAX);
    errs_print(errs, &text);
    broker_log_lines(errs->errors ? BROKER_LOG_ERROR : BROKER_LOG_WARNING, text.p ? text.p : "");
    buf_clear(&text);
}

/* --- publishing --- */

bool broker_publish(const char *topic, const char *payload, size_t len)
{
    return len <= INT_MAX &&
           mosquitto_broker_publish_copy(NULL, topic, (int)len, payload, 1, false, NULL) == MOSQ_ERR_SUCCESS;
}

/* --- clients --- */

const char *broker_client_id(const struct mosquitto *client)
{
    return mosquitto_client_id(client);
}

const char *broker_client_user_name(const struct mosquitto *client)
{
    return mosquitto_client_username(client);
}

const char *broker_client_address(const struct mosquitto *client)
{
    return mosquitto_client_address(client);
}

unsigned char *broker_client_certificate(const struct mosquitto *client, size_t *len, bool *failed)
{
    void *x509 = mosquitto_client_certificate(client);
    unsigned char *der = certificate_der(x509, len);
    *failed = x509 && !der;
    return der;
}

bool broker_client_said_goodbye(struct mosquitto *client)
{
    int state = mosquitto__get_state ? mosquitto__get_state(client) : -1;
    return state == STATE_DISCONNECTING || state == STATE_DISCONNECT_WS || state == STATE_DISCONNECT_WITH_WILL;
}

/* --- properties: the API can append, read and copy, but not remove; so a list without some is a new list --- */

int broker_properties_add(struct mqtt5__property **list, const char *name, const char *value)
{
    return mosquitto_property_add_string_pair(list, PROP_USER, name, value) == MOSQ_ERR_SUCCESS ? 0 : -1;
}

static int copy_text(struct mqtt5__property **to, const struct mqtt5__property *p, int id)
{
    char *text = NULL;
    int rc = mosquitto_property_read_string(p, id, &text, false) ? mosquitto_property_add_string(to, id, text)
                                                                 : MOSQ_ERR_NOMEM;
    free(text);
    return rc;
}

static int copy_binary(struct mqtt5__property **to, const struct mqtt5__property *p, int id)
{
    void *bytes = NULL;
    uint16_t len = 0;
    int rc = mosquitto_property_read_binary(p, id, &bytes, &len, false)
                 ? mosquitto_property_add_binary(to, id, bytes ? bytes : "", len)
                 : MOSQ_ERR_NOMEM;
    free(bytes);
    return rc;
}

static int copy_pair(struct mqtt5__property **to, const struct mqtt5__property *p, const char *without)
{
    char *name = NULL, *value = NULL;
    int rc = MOSQ_ERR_NOMEM;
    if (mosquitto_property_read_string_pair(p, PROP_USER, &name, &value, false))
        rc = name && strcmp(name, without) == 0
                 ? MOSQ_ERR_SUCCESS
                 : mosquitto_property_add_string_pair(to, PROP_USER, name ? name : "", value ? value : "");
    free(name);
    free(value);
    return rc;
}

/* One property of those that a PUBLISH can have. */
static int copy_property(struct mqtt5__property **to, const struct mqtt5__property *p, const char *without)
{
    int id = mosquitto_property_identifier(p);
    uint8_t byte = 0;
    uint16_t word = 0;
    uint32_t number = 0;
    switch (id) {
    case PROP_USER:
        return copy_pair(to, p, without);
    case PROP_PAYLOAD_FORMAT:
        mosquitto_property_read_byte(p, id, &byte, false);
        return mosquitto_property_add_byte(to, id, byte);
    case PROP_MESSAGE_EXPIRY:
        mosquitto_property_read_int32(p, id, &number, false);
        return mosquitto_property_add_int32(to, id, number);
    case PROP_TOPIC_ALIAS:
        mosquitto_property_read_int16(p, id, &word, false);
        return mosquitto_property_add_int16(to, id, word);
    case PROP_SUBSCRIPTION_ID:
        mosquitto_property_read_varint(p, id, &number, false);
        return mosquitto_property_add_varint(to, id, number);
    case PROP_CONTENT_TYPE:
    case PROP_RESPONSE_TOPIC:
        return copy_text(to, p, id);
    case PROP_CORRELATION_DATA:
        return copy_binary(to, p, id);
    default:
        return MOSQ_ERR_INVAL; /* no property of a PUBLISH */
    }
}

static bool has_pair(const struct mqtt5__property *list, const char *name)
{
    for (const struct mqtt5__property *p = list; p; p = mosquitto_property_next(p)) {
        char *found = NULL, *value = NULL;
        if (mosquitto_property_identifier(p) != PROP_USER)
            continue;
        /* What cannot be read for want of memory might be it. */
        bool is_it = !mosquitto_property_read_string_pair(p, PROP_USER, &found, &value, false) || !found ||
                     strcmp(found, name) == 0;
        free(found);
        free(value);
        if (is_it)
            return true;
    }
    return false;
}

/* The API's iterator is read-only, its lists are not. */
static struct mqtt5__property *next_of(const struct mqtt5__property *p)
{
    union {
        const struct mqtt5__property *read;
        struct mqtt5__property *write;
    } next = { mosquitto_property_next(p) };
    return next.write;
}

/* Appending walks to the end of the list that it is given; given the last node it need not, and a long list stays cheap. */
static int append_copy(struct mqtt5__property **list, struct mqtt5__property **last, const struct mqtt5__property *p,
                       const char *without)
{
    int rc = copy_property(*last ? last : list, p, without);
    if (!*last)
        *last = *list;
    else if (next_of(*last))
        *last = next_of(*last);
    return rc;
}

int broker_properties_remove(struct mqtt5__property **list, const char *name)
{
    struct mqtt5__property *kept = NULL, *last = NULL;
    if (!has_pair(*list, name))
        return 0;
    for (const struct mqtt5__property *p = *list; p; p = mosquitto_property_next(p)) {
        if (append_copy(&kept, &last, p, name) != MOSQ_ERR_SUCCESS) {
            mosquitto_property_free_all(&kept);
            return -1;
        }
    }
    mosquitto_property_free_all(list);
    *list = kept;
    return 0;
}
