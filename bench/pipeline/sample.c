/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/sample.h"

#include <stdio.h>
#include <string.h>

#include "bench/pipeline/broker_link.h"

#define DEVICES 100u
#define DEVICE  "0000"
#define SEQ     "0000000000"
#define SEQ_KEY "\"seq\":"
#define OUTPUT  "{\"device\":\"press-" DEVICE "\"," SEQ_KEY SEQ ",\"temperature\":81.5"

static const struct {
    const char *topic, *payload;
} kinds[] = {
    [SAMPLE_IN] = { SAMPLE_PREFIX "%s/in/" DEVICE "/telemetry", OUTPUT
                    ",\"humidity\":40.25,\"ok\":true,\"line\":\"north-3\",\"ts\":1760000000000,\"rev\":\"a9f3\"}" },
    [SAMPLE_OUT] = { SAMPLE_PREFIX "%s/out/" DEVICE, OUTPUT "}" },
};

unsigned sample_device(size_t i)
{
    return (unsigned)(i % DEVICES);
}

static void put_digits(char *at, size_t digits, uint64_t v)
{
    for (size_t k = digits; k-- > 0; v /= 10)
        at[k] = (char)('0' + v % 10);
}

static size_t offset_of(const struct sample_frame *f, size_t from, const char *text)
{
    return (size_t)((const char *)memmem(f->bytes + from, f->len - from, text, strlen(text)) - f->bytes);
}

void sample_frame_init(struct sample_frame *f, enum sample_kind kind, const char *tag, unsigned qos)
{
    char topic[128];
    size_t topic_len = (size_t)snprintf(topic, sizeof topic, kinds[kind].topic, tag), id = qos ? 2 : 0;
    f->payload_len = strlen(kinds[kind].payload);
    f->bytes[0] = (char)(0x30 | qos << 1);
    f->len = 1 + broker_put_length(f->bytes + 1, 2 + topic_len + id + f->payload_len);
    f->bytes[f->len] = 0;
    f->bytes[f->len + 1] = (char)topic_len;
    memcpy(f->bytes + f->len + 2, topic, topic_len);
    f->packet_id = qos ? f->len + 2 + topic_len : 0;
    f->payload = f->len + 2 + topic_len + id;
    memcpy(f->bytes + f->payload, kinds[kind].payload, f->payload_len);
    f->len = f->payload + f->payload_len;
    f->topic_device = offset_of(f, 0, "/" DEVICE) + 1;
    f->device = offset_of(f, f->payload, "-" DEVICE) + 1;
    f->seq = offset_of(f, f->payload, SEQ_KEY) + strlen(SEQ_KEY);
}

void sample_frame_number(struct sample_frame *f, size_t i, uint16_t packet_id)
{
    put_digits(f->bytes + f->topic_device, strlen(DEVICE), sample_device(i));
    put_digits(f->bytes + f->device, strlen(DEVICE), sample_device(i));
    put_digits(f->bytes + f->seq, strlen(SEQ), SAMPLE_FIRST + i);
    if (f->packet_id) {
        f->bytes[f->packet_id] = (char)(packet_id >> 8);
        f->bytes[f->packet_id + 1] = (char)(packet_id & 0xff);
    }
}

void sample_output(struct buf *out, size_t i)
{
    char text[] = OUTPUT "}";
    put_digits(strstr(text, "-" DEVICE) + 1, strlen(DEVICE), sample_device(i));
    put_digits(strstr(text, SEQ_KEY) + strlen(SEQ_KEY), strlen(SEQ), SAMPLE_FIRST + i);
    buf_put(out, text, sizeof text - 1);
}

int64_t sample_number(const void *text, size_t len)
{
    const char *at = memmem(text, len, SEQ_KEY, strlen(SEQ_KEY));
    if (!at || len - (size_t)(at - (const char *)text) < strlen(SEQ_KEY SEQ))
        return -1;
    int64_t n = 0;
    at += strlen(SEQ_KEY);
    for (size_t k = 0; k < strlen(SEQ); k++) {
        if (at[k] < '0' || at[k] > '9')
            return -1;
        n = n * 10 + (at[k] - '0');
    }
    return n >= SAMPLE_FIRST ? n - SAMPLE_FIRST : -1;
}
