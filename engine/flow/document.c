/* SPDX-License-Identifier: Apache-2.0 */
/* Written member by member with the direct writer: payloads may be large and are copied once, as base64. */
#include "engine/flow/document.h"

#include <string.h>
#include <time.h>

#include "engine/base/base64.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "engine/base/utf8.h"

/* A JSON string of text that nobody promised to be UTF-8: topics of a broker, reasons that were cut to fit. */
static void put_string(struct buf *out, const char *s, size_t len)
{
    if (utf8_is_valid(s, len)) {
        json_write_string(out, s, len);
        return;
    }
    struct buf clean;
    buf_init(&clean, len * 3 + 3);
    while (len > 0) {
        size_t good = utf8_valid_prefix(s, len);
        buf_put(&clean, s, good);
        if (good < len) {
            buf_puts(&clean, "\xEF\xBF\xBD");
            good++;
        }
        s += good;
        len -= good;
    }
    if (clean.failed)
        out->failed = true;
    else
        json_write_string(out, clean.p, clean.len);
    buf_clear(&clean);
}

static void put_member(struct buf *out, const char *name, const char *s, size_t len)
{
    buf_putc(out, ',');
    json_write_string(out, name, strlen(name));
    buf_putc(out, ':');
    put_string(out, s, len);
}

static void put_member_if(struct buf *out, const char *name, const char *s)
{
    if (s)
        put_member(out, name, s, strlen(s));
}

static void put_base64(struct buf *out, const char *name, const char *p, size_t len)
{
    buf_printf(out, ",\"%s\":\"", name);
    base64_encode(out, p, len);
    buf_putc(out, '"');
}

/* in_batch: they are about the only message of a batch. */
static void put_failures(struct buf *out, const struct failure *failures, size_t count, bool in_batch)
{
    buf_puts(out, ",\"failures\":[");
    for (size_t i = 0; i < count; i++) {
        const struct failure *f = &failures[i];
        buf_puts(out, i ? ",{" : "{");
        buf_puts(out, in_batch ? "\"affectedIds\":[1],\"failedAction\":" : "\"failedAction\":");
        put_string(out, f->action, strlen(f->action));
        put_member(out, "failedResource", f->resource, f->resource_len);
        put_member(out, "errorMessage", f->reason, strlen(f->reason));
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

const char *document_trace_id(const struct message *m, char room[37])
{
    struct random r;
    if (m->trace_id)
        return m->trace_id;
    random_seed(&r, m->seed);
    random_uuid(&r, room);
    return room;
}

/* Where the message came from, and what it was. */
static void put_origin(struct buf *out, const struct message *m)
{
    char drawn[37];
    const char *trace_id = document_trace_id(m, drawn);
    put_member(out, "cloudwatchTraceId", trace_id, strlen(trace_id));
    const char *client = m->over_mqtt && m->client_id ? m->client_id : "n/a"; /* as clientid() */
    put_member(out, "clientId", client, strlen(client));
    put_member_if(out, "sourceIp", m->source_ip);
    put_base64(out, "base64OriginalPayload", m->payload, m->payload_len);
}

/* Of the failed actions' batching the first that there is. */
static enum act_batching batching_of(const struct failure *failures, size_t count)
{
    enum act_batching batching = ACT_BATCHING_NONE;
    for (size_t i = 0; i < count && !batching; i++)
        batching = failures[i].batching;
    return batching;
}

void document_error(struct buf *out, const char *rule, const struct message *m, const struct failure *failures,
                    size_t count)
{
    enum act_batching batching = batching_of(failures, count);
    buf_puts(out, "{\"ruleName\":");
    put_string(out, rule, strlen(rule));
    if (batching != ACT_BATCHING_TOPICS)
        put_member(out, "topic", m->topic, m->topic_len);
    if (batching)
        buf_puts(out, ",\"payloadsWithMetadata\":[{\"id\":1");
    if (batching == ACT_BATCHING_TOPICS)
        put_member(out, "topic", m->topic, m->topic_len);
    put_origin(out, m);
    if (batching)
        buf_puts(out, "}]");
    put_failures(out, failures, count, batching != ACT_BATCHING_NONE);
    buf_putc(out, '}');
}

static void put_time(struct buf *out, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm t;
    char text[40] = "1970-01-01T00:00:00";
    if (gmtime_r(&seconds, &t))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
    buf_printf(out, "{\"time\":\"%s.%03dZ\"", text, (int)(now_ms % 1000));
}

static void put_user_properties(struct buf *out, const struct message *m)
{
    buf_puts(out, "\"user_properties\":[");
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *p = &m->user_properties[i];
        buf_puts(out, i ? ",[" : "[");
        put_string(out, p->name, p->name_len);
        buf_putc(out, ',');
        put_string(out, p->value, p->value_len);
        buf_putc(out, ']');
    }
    buf_putc(out, ']');
}

/* ,"mqtt5":{…} if there is any property. */
static void put_mqtt5(struct buf *out, const struct message *m)
{
    if (!m->content_type && !m->response_topic && !m->correlation_data && m->payload_format == PAYLOAD_FORMAT_ABSENT &&
        m->user_property_count == 0)
        return;
    buf_puts(out, ",\"mqtt5\":{");
    put_user_properties(out, m);
    put_member_if(out, "content_type", m->content_type);
    put_member_if(out, "response_topic", m->response_topic);
    if (m->correlation_data)
        put_base64(out, "correlation_data_base64", m->correlation_data, m->correlation_len);
    if (m->payload_format != PAYLOAD_FORMAT_ABSENT)
        buf_printf(out, ",\"payload_format_indicator\":%d", (int)m->payload_format);
    buf_putc(out, '}');
}

void document_dead_letter(struct buf *out, int64_t now_ms, const char *rule, const struct message *m,
                          const struct failure *failures, size_t count)
{
    put_time(out, now_ms);
    put_member(out, "rule", rule, strlen(rule));
    put_member(out, "topic", m->topic, m->topic_len);
    buf_printf(out, ",\"qos\":%u", m->qos);
    if (m->retain)
        buf_puts(out, ",\"retain\":true");
    put_member_if(out, "clientid", m->client_id);
    put_member_if(out, "principal", m->principal);
    put_member_if(out, "sourceip", m->source_ip);
    put_member_if(out, "traceid", m->trace_id);
    if (!m->over_mqtt)
        put_member_if(out, "via", "http");
    put_mqtt5(out, m);
    put_base64(out, "payload_base64", m->payload, m->payload_len);
    put_failures(out, failures, count, false);
    buf_putc(out, '}');
}
