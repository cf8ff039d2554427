/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT packets. The first byte of the input chooses version and sender. What is accepted is written again and read again, and is then the
 * same; what is refused has a reason code of the standard and a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_fault(const struct packet_fault *fault)
{
    require(fault->code >= PACKET_REFUSED_FROM && fault->why && fault->why[0]);
    require(strcmp(packet_reason_name(fault->code), "unknown reason code") != 0);
}

static void walk(const struct packet *p)
{
    struct packet_text rest = p->props.repeated, name, value;
    struct packet_filter filter;
    uint32_t id;
    if (p->props.present & PROP_BIT(PROP_USER))
        while (packet_user_next(&rest, &name, &value))
            require(name.len <= PACKET_TEXT_MAX && value.len <= PACKET_TEXT_MAX);
    rest = p->props.repeated;
    if (p->type == PACKET_PUBLISH && p->props.present & PROP_BIT(PROP_SUBSCRIPTION_ID))
        while (packet_subscription_id_next(&rest, &id))
            require(id > 0 && id <= PACKET_LENGTH_MAX);
    if (p->type == PACKET_SUBSCRIBE || p->type == PACKET_UNSUBSCRIBE) {
        size_t n = 0;
        for (rest = p->request.encoded; packet_filter_next(p->type, &rest, &filter);)
            n += filter.filter.len > 0;
        require(n > 0);
    }
}

/* PUBLISH is the one that everything depends on: what is written is what was read. */
static void write_again(const struct packet *p, unsigned level, enum packet_sender from)
{
    struct buf out;
    struct packet_frame f;
    struct packet_fault fault;
    struct packet again = { .type = p->type };
    if (p->type != PACKET_PUBLISH)
        return;
    buf_init(&out, PACKET_SIZE_MAX);
    require(packet_encode(&out, p, level, SIZE_MAX) == 0);
    require(packet_frame(out.p, out.len, PACKET_SIZE_MAX, &f, &fault) == PACKET_WHOLE && f.size == out.len);
    require(packet_decode(&again, &f, level, from, &fault) == 0);
    require(again.publish.id == p->publish.id && again.publish.qos == p->publish.qos);
    require(again.publish.dup == p->publish.dup && again.publish.retain == p->publish.retain);
    require(again.publish.payload.len == p->publish.payload.len && again.publish.topic.len == p->publish.topic.len);
    require(memcmp(again.publish.payload.p, p->publish.payload.p, p->publish.payload.len) == 0);
    require(again.props.present == p->props.present);
    buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet_frame f;
    struct packet_fault fault;
    if (size == 0)
        return 0;
    unsigned level = data[0] & 1 ? PACKET_LEVEL_5 : PACKET_LEVEL_311;
    enum packet_sender from = data[0] & 2 ? PACKET_FROM_SERVER : PACKET_FROM_CLIENT;
    const char *bytes = (const char *)data + 1;
    for (size_t used = 0; used < size - 1; used += f.size) {
        struct packet p;
        enum packet_border border = packet_frame(bytes + used, size - 1 - used, PACKET_SIZE_MAX, &f, &fault);
        if (border == PACKET_PARTIAL)
            return 0;
        if (border == PACKET_BAD || packet_decode(&p, &f, level, from, &fault) < 0) {
            check_fault(&fault);
            return 0;
        }
        walk(&p);
        write_again(&p, level, from);
    }
    return 0;
}
