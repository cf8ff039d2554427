/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker may send to a session, whole and byte by byte: both must give the same events. The first byte of the input chooses
 * version and when messages are settled. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/ack_window.h"
#include "engine/mqtt/session.h"

#define TOKENS 64u
#define EVENTS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct side {
    struct session_conf conf;
    struct session session;
    struct ack_window *window;
    uint64_t tokens[TOKENS];
    size_t token_count;
    unsigned settle_every, events, messages;
    enum session_event last;
};

static void open_side(struct side *s, unsigned choice)
{
    struct err e = { 0 };
    memset(s, 0, sizeof(*s));
    s->conf = (struct session_conf) { .level = choice & 1 ? PACKET_LEVEL_5 : PACKET_LEVEL_311,
                                      .client_id = PACKET_TEXT("fuzz"),
                                      .keep_alive_s = 60,
                                      .receive_max = 4,
                                      .packet_max = 65536,
                                      .alias_max = 4,
                                      .connect_ms = 1000,
                                      .answer_ms = 1000 };
    s->settle_every = choice >> 1 & 3;
    s->window = ack_window_new(4, choice >> 3 & 1, NULL, NULL);
    require(s->window && session_init(&s->session, &s->conf, s->window, &e) == 0);
    session_begin(&s->session, 0);
}

static void settle_all(struct side *s)
{
    for (size_t i = 0; i < s->token_count; i++)
        ack_window_settle(s->tokens[i]);
    s->token_count = 0;
}

static void on_message(struct side *s)
{
    const struct source_message *m = &s->session.message;
    require(m->message.topic_len > 0 && (m->token != 0) == (m->message.qos > 0));
    s->messages++;
    if (m->token)
        s->tokens[s->token_count++] = m->token;
    if (s->token_count == TOKENS || (s->settle_every && s->messages % s->settle_every == 0))
        settle_all(s);
}

/* Feed bytes that are there by now; returns how many were used. */
static size_t feed(struct side *s, const char *bytes, size_t len)
{
    size_t all = 0, used;
    do {
        s->last = session_next(&s->session, bytes + all, len - all, &used, 0);
        all += used;
        s->events++;
        if (s->last == SESSION_MESSAGE)
            on_message(s);
        session_flush(&s->session, 4096, 0);
        require(!s->session.out.failed);
        if (s->session.out.len > 2048)
            buf_reset(&s->session.out);
    } while (s->last != SESSION_MORE && s->last != SESSION_ENDED && s->events < EVENTS);
    return all;
}

static void close_side(struct side *s)
{
    settle_all(s);
    require(ack_window_open(s->window) == 0);
    session_clear(&s->session);
    ack_window_free(s->window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side whole, bytewise;
    char why[SESSION_WHY_MAX];
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t len = size - 1, at = 0;
    open_side(&whole, data[0]);
    open_side(&bytewise, data[0]);
    feed(&whole, bytes, len);
    for (size_t there = 1; there <= len && bytewise.last != SESSION_ENDED && bytewise.events < EVENTS; there++)
        at += feed(&bytewise, bytes + at, there - at);
    if (whole.events < EVENTS && bytewise.events < EVENTS) {
        require(whole.messages == bytewise.messages && whole.session.state == bytewise.session.state);
        if (whole.last == SESSION_ENDED) {
            require(whole.session.end_code == bytewise.session.end_code);
            session_why(&whole.session, why, sizeof(why));
            require(why[0]);
        }
    }
    close_side(&whole);
    close_side(&bytewise);
    return 0;
}
