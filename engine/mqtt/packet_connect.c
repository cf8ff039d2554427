/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT (section 3.1), both ways: the packet that says which version the rest is in.
 *
 *     "MQTT", level, flags, keep alive, [properties], client id, [[will properties], will topic, will payload],
 *     [user name], [password]             properties with MQTT 5 only
 *
 *     flags  7 user name  6 password  5 will retain  4-3 will QoS  2 will  1 clean start  0 reserved */
#include "engine/mqtt/packet_int.h"

#include <string.h>

#define FLAG_RESERVED    0x01u
#define FLAG_CLEAN_START 0x02u
#define FLAG_WILL        0x04u
#define FLAG_WILL_QOS    0x18u
#define FLAG_WILL_RETAIN 0x20u
#define FLAG_PASSWORD    0x40u
#define FLAG_USER_NAME   0x80u

static const struct packet_text protocol = { "MQTT", 4 };

static void read_flags(struct packet_reader *r, struct packet_connect *c)
{
    unsigned flags = packet_read_u8(r);
    c->clean_start = flags & FLAG_CLEAN_START;
    c->has_will = flags & FLAG_WILL;
    c->has_user_name = flags & FLAG_USER_NAME;
    c->has_password = flags & FLAG_PASSWORD;
    c->will.qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);
    c->will.retain = flags & FLAG_WILL_RETAIN;
    if (flags & FLAG_RESERVED) /* [MQTT-3.1.2-3] */
        packet_fail(r, REASON_MALFORMED, "its reserved flag is set");
    if (!c->has_will && flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN)) /* [MQTT-3.1.2-11], [MQTT-3.1.2-13] */
        packet_fail(r, REASON_MALFORMED, "it has flags of a will but no will");
    if (c->will.qos == 3) /* [MQTT-3.1.2-12] */
        packet_fail(r, REASON_MALFORMED, "its will has QoS 3");
    if (c->level == PACKET_LEVEL_311 && c->has_password && !c->has_user_name) /* 3.1.1 [MQTT-3.1.2-22] */
        packet_fail(r, REASON_MALFORMED, "it has a password but no user name");
}

static void read_will(struct packet_reader *r, struct packet_connect *c)
{
    struct packet_fault fault;
    c->will.props.present = 0;
    if (c->level == PACKET_LEVEL_5)
        packet_read_props(r, &c->will.props, PACKET_BIT_WILL, PACKET_FROM_CLIENT);
    c->will.topic = packet_read_text(r);
    c->will.payload = packet_read_bytes(r);
    if (!r->failed && packet_topic_check(c->will.topic, &fault) < 0)
        packet_fail(r, fault.code, "its will topic is not a topic name");
}

void packet_read_connect(struct packet_reader *r, struct packet_connect *c, struct packet_props *props)
{
    struct packet_text name = packet_read_bytes(r);
    c->level = packet_read_u8(r);
    bool known = name.len == protocol.len && memcmp(name.p, protocol.p, name.len) == 0 &&
                 (c->level == PACKET_LEVEL_311 || c->level == PACKET_LEVEL_5);
    if (!known) /* [MQTT-3.1.2-1], [MQTT-3.1.2-2]; a body that is too short has failed already, as malformed */
        packet_fail(r, REASON_VERSION, "it asks for another protocol or version");
    read_flags(r, c);
    c->keep_alive_s = packet_read_u16(r);
    if (c->level == PACKET_LEVEL_5)
        packet_read_props(r, props, PACKET_BIT(PACKET_CONNECT), PACKET_FROM_CLIENT);
    c->client_id = packet_read_text(r);                                           /* [MQTT-3.1.3-3], [MQTT-3.1.3-4] */
    if (c->level == PACKET_LEVEL_311 && c->client_id.len == 0 && !c->clean_start) /* 3.1.1 [MQTT-3.1.3-7], -8 */
        packet_fail(r, REASON_CLIENT_ID, "it has no client id but wants a session that lasts");
    if (c->has_will) /* [MQTT-3.1.2-9] */
        read_will(r, c);
    if (c->has_user_name)
        c->user_name = packet_read_text(r);
    if (c->has_password)
        c->password = packet_read_bytes(r);
}

static unsigned flags_of(const struct packet_connect *c)
{
    unsigned flags = 0;
    flags |= c->clean_start ? FLAG_CLEAN_START : 0;
    flags |= c->has_will ? FLAG_WILL | (unsigned)c->will.qos << 3 : 0;
    flags |= c->has_will && c->will.retain ? FLAG_WILL_RETAIN : 0;
    flags |= c->has_user_name ? FLAG_USER_NAME : 0;
    flags |= c->has_password ? FLAG_PASSWORD : 0;
    return flags;
}

static bool put_will(struct buf *out, const struct packet_connect *c)
{
    bool fits = c->level != PACKET_LEVEL_5 || packet_put_props(out, &c->will.props, PACKET_BIT_WILL);
    fits = packet_put_bytes(out, c->will.topic) && fits;
    return packet_put_bytes(out, c->will.payload) && fits;
}

bool packet_put_connect(struct buf *out, const struct packet_connect *c, const struct packet_props *props)
{
    packet_put_bytes(out, protocol);
    buf_putc(out, (char)c->level);
    buf_putc(out, (char)flags_of(c));
    packet_put_u16(out, c->keep_alive_s);
    bool fits = c->level != PACKET_LEVEL_5 || packet_put_props(out, props, PACKET_BIT(PACKET_CONNECT));
    fits = packet_put_bytes(out, c->client_id) && fits;
    if (c->has_will)
        fits = put_will(out, c) && fits;
    if (c->has_user_name)
        fits = packet_put_bytes(out, c->user_name) && fits;
    if (c->has_password)
        fits = packet_put_bytes(out, c->password) && fits;
    return fits;
}
