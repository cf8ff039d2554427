/* SPDX-License-Identifier: Apache-2.0 */
/* The replay source against a sink that the test controls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/conf.h"
#include "engine/base/log.h"
#include "engine/flow/source_replay.h"
#include "fake_clock.h"

struct fixture {
    struct source_sink sink; /* first */
    struct fake_clock clock;
    uint64_t tick; /* the clock goes on by this with every look at it */
    struct source_env env;
    char path[64];
    void *source;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct buf got;      /* "topic=payload " of each message */
    uint64_t times[100]; /* when they came */
    size_t count, waits, finished;
    bool all;
    size_t full; /* so many more submits are answered FULL */
    bool closed;
};

static enum sink_answer on_submit(struct source_sink *sink, const struct source_message *m)
{
    struct fixture *x = (struct fixture *)sink;
    enum sink_answer answer = SINK_TAKEN;
    pthread_mutex_lock(&x->lock);
    if (x->closed) {
        answer = SINK_CLOSED;
    } else if (x->full > 0) {
        x->full--;
        answer = SINK_FULL;
    } else {
        assert_int_equal(m->token, x->count);
        if (x->count < 100)
            x->times[x->count] = atomic_load(&x->clock.ms);
        x->count++;
        buf_printf(&x->got, "%.*s=", (int)m->message.topic_len, m->message.topic);
        buf_put(&x->got, m->message.payload, m->message.payload_len);
        buf_putc(&x->got, ' ');
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    return answer;
}

static void on_wait(struct source_sink *sink, unsigned timeout_ms)
{
    struct fixture *x = (struct fixture *)sink;
    (void)timeout_ms;
    pthread_mutex_lock(&x->lock);
    x->waits++;
    pthread_mutex_unlock(&x->lock);
}

static void on_finished(struct source_sink *sink, bool all)
{
    struct fixture *x = (struct fixture *)sink;
    pthread_mutex_lock(&x->lock);
    x->finished++;
    x->all = all;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
}

static uint64_t ticking(void *ctx)
{
    struct fixture *x = ctx;
    return atomic_fetch_add(&x->clock.ms, x->tick) + x->tick;
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->sink = (struct source_sink) { .submit = on_submit, .wait_room = on_wait, .finished = on_finished };
    fake_clock_init(&x->clock);
    x->clock.clock = (struct clock) { .now_ms = fake_clock_now, .monotonic_ms = ticking, .ctx = x };
    x->env.clock = &x->clock.clock;
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    buf_init(&x->got, 100 << 20);
    buf_puts(&x->got, "");
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    if (x->source) {
        source_replay.stop(x->source);
        source_replay.close(x->source);
    }
    if (x->path[0])
        unlink(x->path);
    buf_clear(&x->got);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->changed);
    free(x);
    return 0;
}

static void *open_conf(struct fixture *x, const char *yaml, struct errs *errs)
{
    struct src *src = src_new("test", yaml, strlen(yaml));
    struct conf *conf = conf_parse(src, false, errs);
    src_unref(src);
    assert_non_null(conf);
    void *source = source_replay.open(conf, &x->env, errs);
    conf_free(conf); /* the source kept what it needs */
    return source;
}

/* Start on a file of this text; more is further options. */
static void start(struct fixture *x, const char *text, const char *more)
{
    struct errs errs = { 0 };
    struct err e = { 0 };
    char yaml[200];
    snprintf(x->path, sizeof(x->path), "/tmp/sluice-replay-XXXXXX");
    int fd = mkstemp(x->path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    snprintf(yaml, sizeof(yaml), "{ path: %s%s }", x->path, more);
    x->source = open_conf(x, yaml, &errs);
    assert_non_null(x->source);
    assert_int_equal(source_replay.start(x->source, &x->sink, NULL, 0, &e), 0);
}

static void wait_for(struct fixture *x, const size_t *counter, size_t n)
{
    pthread_mutex_lock(&x->lock);
    while (*counter < n)
        pthread_cond_wait(&x->changed, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

static void test_replays_and_says_that_it_is_done(void **state)
{
    struct fixture *x = *state;
    start(
        x,
        "{\"topic\":\"a\",\"payload\":{\"t\": 1}}\n{\"topic\":\"b\",\"payload_text\":\"x\"}\r\n\n  \n{\"topic\":\"c\"}",
        "");
    wait_for(x, &x->finished, 1);
    assert_string_equal(x->got.p, "a={\"t\":1} b=x c={} ");
    assert_true(x->all);
    assert_int_equal(x->finished, 1);
}

static void test_an_empty_file_is_done_at_once(void **state)
{
    struct fixture *x = *state;
    start(x, "", ", loop: 0");
    wait_for(x, &x->finished, 1);
    assert_int_equal(x->count, 0);
}

static void test_lines_that_are_no_messages_are_left_out(void **state)
{
    struct fixture *x = *state;
    start(x,
          "{\"topic\":\"a\"}\nnonsense\n{\"payload\":1}\n{\"topic\":\"a/"
          "+\"}\n{\"topic\":\"\"}\n{\"topic\":\"b\",\"qos\":9}\n{\"topic\":\"z\"}\n",
          "");
    wait_for(x, &x->finished, 1);
    assert_string_equal(x->got.p, "a={} z={} ");
    assert_false(x->all);
}

static void test_loops(void **state)
{
    struct fixture *x = *state;
    start(x, "{\"topic\":\"a\"}\n{\"topic\":\"b\"}\n", ", loop: 3");
    wait_for(x, &x->finished, 1);
    assert_string_equal(x->got.p, "a={} b={} a={} b={} a={} b={} ");
}

static void test_loops_for_ever_until_stopped(void **state)
{
    struct fixture *x = *state;
    start(x, "{\"topic\":\"a\"}\n", ", loop: 0");
    wait_for(x, &x->count, 1000);
    source_replay.stop(x->source);
    size_t count = x->count;
    assert_int_equal(x->finished, 0);
    source_replay.stop(x->source); /* may be called again */
    assert_int_equal(x->count, count);
}

static void test_waits_for_room_and_hands_over_again(void **state)
{
    struct fixture *x = *state;
    x->full = 3;
    start(x, "{\"topic\":\"a\"}\n{\"topic\":\"b\"}\n", "");
    wait_for(x, &x->finished, 1);
    assert_string_equal(x->got.p, "a={} b={} ");
    assert_int_equal(x->waits, 3);
}

static void test_a_closed_sink_ends_it(void **state)
{
    struct fixture *x = *state;
    x->closed = true;
    start(x, "{\"topic\":\"a\"}\n", ", loop: 0");
    source_replay.stop(x->source);
    assert_int_equal(x->count, 0);
    assert_int_equal(x->finished, 0);
}

/* The i-th message does not come before i / rate. The clock jumps, so nobody waits long. */
static void test_rate(void **state)
{
    struct fixture *x = *state;
    x->tick = 1;
    start(x, "{\"topic\":\"a\"}\n", ", rate: 400, loop: 20");
    wait_for(x, &x->finished, 1);
    assert_int_equal(x->count, 20);
    for (uint64_t i = 0; i < 20; i++)
        assert_in_range(x->times[i], 1 + i * 5 / 2, 1 + i * 5 / 2 + 3);
}

/* With a clock that stands still the second message never comes; stop does not wait for it. */
static void test_stop_ends_the_wait_for_the_rate(void **state)
{
    struct fixture *x = *state;
    start(x, "{\"topic\":\"a\"}\n", ", rate: 1, loop: 0");
    wait_for(x, &x->count, 1);
    source_replay.stop(x->source);
    assert_int_equal(x->count, 1);
}

/* Lines across the borders of reads, and one longer than a read. */
static void test_long_lines(void **state)
{
    struct fixture *x = *state;
    struct buf text, expected;
    buf_init(&text, 10 << 20);
    buf_init(&expected, 10 << 20);
    for (int i = 0; i < 300; i++) {
        buf_printf(&text, "{\"topic\":\"t/%d\",\"payload_text\":\"%0*d\"}\n", i, i == 200 ? 300000 : 1 + i * 7, i);
        buf_printf(&expected, "t/%d=%0*d ", i, i == 200 ? 300000 : 1 + i * 7, i);
    }
    start(x, text.p, "");
    wait_for(x, &x->finished, 1);
    assert_int_equal(x->count, 300);
    assert_string_equal(x->got.p, expected.p);
    buf_clear(&text);
    buf_clear(&expected);
}

/* Standard input is a pipe whose writer has more to say: read as it comes; stop does not wait for the end. */
static void test_standard_input(void **state)
{
    struct fixture *x = *state;
    struct errs errs = { 0 };
    struct err e = { 0 };
    int ends[2], before = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    x->source = open_conf(x, "{ path: '-' }", &errs);
    assert_non_null(x->source);
    assert_int_equal(source_replay.start(x->source, &x->sink, NULL, 0, &e), 0);
    static const char text[] = "{\"topic\":\"a\"}\n{\"topic\":";
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    wait_for(x, &x->count, 1);
    source_replay.stop(x->source);
    assert_string_equal(x->got.p, "a={} ");
    assert_int_equal(x->finished, 0);
    dup2(before, STDIN_FILENO);
    close(before);
    close(ends[0]);
    close(ends[1]);
}

static void test_errors_of_the_configuration(void **state)
{
    struct fixture *x = *state;
    static const struct {
        const char *yaml, *text;
    } rows[] = {
        { "{ path: '-', loop: 2 }", "standard input cannot be read again" },
        { "{ path: /no/such/file }", "could not read \"/no/such/file\": No such file or directory" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errs errs = { 0 };
        assert_null(open_conf(x, rows[i].yaml, &errs));
        assert_int_equal(errs.errors, 1);
        assert_string_equal(errs.items[0].text, rows[i].text);
        assert_non_null(errs.items[0].at.src);
        errs_clear(&errs);
    }
    struct errs errs = { 0 };
    assert_null(open_conf(x, "{ rate: x }", &errs)); /* no path, and no rate */
    assert_int_equal(errs.errors, 2);
    errs_clear(&errs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_replays_and_says_that_it_is_done),
        TEST(test_an_empty_file_is_done_at_once),
        TEST(test_lines_that_are_no_messages_are_left_out),
        TEST(test_loops),
        TEST(test_loops_for_ever_until_stopped),
        TEST(test_waits_for_room_and_hands_over_again),
        TEST(test_a_closed_sink_ends_it),
        TEST(test_rate),
        TEST(test_stop_ends_the_wait_for_the_rate),
        TEST(test_long_lines),
        TEST(test_standard_input),
        TEST(test_errors_of_the_configuration),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
