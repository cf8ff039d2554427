/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may send to the listener. The first byte of the input chooses when messages are settled, and whether the first is refused.
 * Everything that is answered can be read by a client. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/served.h"

#define TOKENS 64u
#define EVENTS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_answers(const struct buf *out, unsigned level)
{
    for (size_t at = 0; at < out->len;) {
        struct packet_frame f;
        struct packet_fault fault;
        struct packet p;
        require(packet_frame(out->p + at, out->len - at, PACKET_SIZE_MAX, &f, &fault) == PACKET_WHOLE);
        p.type = (enum packet_type)(f.first >> 4);
        require(packet_decode(&p, &f, level, PACKET_FROM_SERVER, &fault) == 0);
        at += f.size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct served_limits limits = { .receive_max = 4,
                                                 .packet_max = 65536,
                                                 .alias_max = 4,
                                                 .connect_ms = 1000,
                                                 .keep_alive_max_s = 60,
                                                 .session_expiry_max_s = 60 };
    struct served s;
    struct arrivals arrivals;
    struct err e = { 0 };
    uint64_t tokens[TOKENS];
    size_t token_count = 0, at = 0, used;
    unsigned messages = 0;
    enum served_event event = SERVED_MORE;
    if (size == 0)
        return 0;
    unsigned settle_every = data[0] & 3;
    struct ack_window *w = ack_window_new(limits.receive_max, true, NULL, NULL);
    require(w && arrivals_init(&arrivals, w, limits.alias_max, &e) == 0);
    served_init(&s, &limits, 0);
    for (unsigned n = 0; n < EVENTS; n++) {
        event = served_next(&s, (const char *)data + 1 + at, size - 1 - at, &used, 0);
        at += used;
        if (event == SERVED_CONNECT && data[0] & 4)
            served_refuse(&s, REASON_NOT_AUTHORIZED, "no");
        else if (event == SERVED_CONNECT)
            served_accept(&s, &arrivals, data[0] & 8, s.connect.client_id.len ? NULL : "auto");
        if (event == SERVED_MESSAGE) {
            require(s.message.message.topic_len > 0 && s.packet_size <= used);
            if (data[0] & 16 && ++messages % 3 == 0) {
                served_take_back(&s); /* and the same bytes again */
                at -= s.packet_size;
                continue;
            }
            if (s.message.token && token_count < TOKENS)
                tokens[token_count++] = s.message.token;
            while (settle_every && token_count >= settle_every)
                ack_window_settle(tokens[--token_count]);
        }
        served_flush(&s, 4096);
        check_answers(&s.out, s.level == PACKET_LEVEL_5 ? PACKET_LEVEL_5 : PACKET_LEVEL_311);
        buf_reset(&s.out);
        if (event == SERVED_MORE || event == SERVED_ENDED)
            break;
    }
    require(event != SERVED_ENDED || s.why);
    while (token_count > 0)
        ack_window_settle(tokens[--token_count]);
    served_clear(&s);
    arrivals_clear(&arrivals);
    ack_window_free(w);
    return 0;
}
