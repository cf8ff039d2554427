/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/actions_int.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"

/* The clock jumps ahead at every look, so a send's time is up as soon as it has to wait. */
static uint64_t ticks, step;

static uint64_t jumping_clock(void *ctx)
{
    (void)ctx;
    return ticks += step;
}

static const struct clock test_clock = { .monotonic_ms = jumping_clock };
static const struct act_env env = { .clock = &test_clock };

static int saved, reader;
static void *target, *lane;

/* Standard output is a pipe; fd `reader` is its other end. */
static int set_up(void **state)
{
    (void)state;
    int ends[2];
    struct err e = { 0 };
    struct errs errs = { 0 };
    fflush(stdout);
    ticks = 1000;
    step = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    target = act_stdout.target_open(NULL, &env, &errs);
    lane = act_stdout.lane_open(target, &e);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    act_stdout.lane_close(lane);
    act_stdout.target_close(target);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(reader);
    return 0;
}

static char received[4 << 20];
static size_t received_len;

static void drain(void)
{
    ssize_t n;
    while ((n = read(reader, received + received_len, sizeof(received) - received_len)) > 0)
        received_len += (size_t)n;
}

static void items_are_lines(void **state)
{
    (void)state;
    struct act_item a = { .body = "{\"n\":1}", .body_len = 7 }, b = { .body = NULL },
                    c = { .body = "a\0b", .body_len = 3 };
    struct act_item *items[] = { &a, &b, &c };
    struct err e = { 0 };
    received_len = 0;
    assert_int_equal(act_stdout.send(lane, items, 3, &e), 0);
    assert_true(a.result == ACT_DONE && b.result == ACT_DONE && c.result == ACT_DONE);
    drain();
    assert_int_equal(received_len, 13);
    assert_memory_equal(received, "{\"n\":1}\n\na\0b\n", 13);
}

static void long_lines(void **state)
{
    (void)state;
    static char text[3 * PIPE_BUF];
    static const size_t lengths[] = { PIPE_BUF - 2, PIPE_BUF - 1, PIPE_BUF, PIPE_BUF + 1, 3 * PIPE_BUF, 0, 1 };
    struct act_item made[7] = { 0 };
    struct act_item *items[7];
    struct err e = { 0 };
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < 7; i++) {
        made[i] = (struct act_item) { .body = text, .body_len = lengths[i] };
        items[i] = &made[i];
    }
    received_len = 0;
    assert_int_equal(act_stdout.send(lane, items, 7, &e), 0);
    drain();
    const char *p = received;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(made[i].result, ACT_DONE);
        assert_int_equal(strspn(p, "x"), lengths[i]);
        p += lengths[i] + 1;
        assert_int_equal(p[-1], '\n');
    }
    assert_int_equal(received_len, p - received);
}

/* A reader that stands still while count items of the given length are sent: what was not done is sent again later,
 * until all are done. */
static void check_slow_reader(size_t length, size_t count)
{
    static struct act_item made[3000];
    struct act_item *items[3000];
    struct err e = { 0 };
    char *bodies = malloc(length * count);
    for (size_t i = 0; i < count; i++) {
        memset(bodies + i * length, 'a' + (int)(i % 26), length);
        made[i] = (struct act_item) { .body = bodies + i * length, .body_len = length };
        items[i] = &made[i];
    }
    step = 6000;
    received_len = 0;
    size_t next = 0, rounds = 0;
    while (next < count && rounds++ < 1000) {
        assert_int_equal(act_stdout.send(lane, items + next, count - next, &e), 0);
        for (size_t i = next; i < count; i++)
            assert_true(made[i].result == ACT_DONE || made[i].result == ACT_LATER);
        while (next < count && made[next].result == ACT_DONE)
            next++;
        for (size_t i = next; i < count; i++) { /* done is a prefix */
            assert_int_equal(made[i].result, ACT_LATER);
            assert_string_equal(made[i].reason, "nobody reads standard output");
        }
        drain();
    }
    assert_int_equal(next, count);
    assert_true(rounds > 1);
    assert_int_equal(received_len, count * (length + 1)); /* every line once, whole, in order */
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(received + i * (length + 1), bodies + i * length, length);
        assert_int_equal(received[i * (length + 1) + length], '\n');
    }
    free(bodies);
}

static void a_reader_that_stands_still_sees_whole_lines(void **state)
{
    (void)state;
    check_slow_reader(100, 3000);
    check_slow_reader(1000, 500);
}

static void a_reader_that_stands_still_in_a_long_line(void **state)
{
    (void)state;
    check_slow_reader(10000, 50);
    check_slow_reader(200000, 5);
}

/* The rest of a line that was begun goes out even if its item does not come again. */
static void a_begun_line_is_always_finished(void **state)
{
    (void)state;
    static char long_text[200000];
    struct act_item first = { .body = long_text, .body_len = sizeof(long_text) },
                    other = { .body = "other", .body_len = 5 };
    struct act_item *items[] = { &first }, *others[] = { &other };
    struct err e = { 0 };
    memset(long_text, 'x', sizeof(long_text));
    step = 6000;
    received_len = 0;
    assert_int_equal(act_stdout.send(lane, items, 1, &e), 0);
    assert_int_equal(first.result, ACT_LATER);
    for (int i = 0; i < 10 && other.result != ACT_DONE; i++) {
        drain();
        assert_int_equal(act_stdout.send(lane, others, 1, &e), 0);
    }
    drain();
    assert_int_equal(other.result, ACT_DONE);
    assert_int_equal(received_len, sizeof(long_text) + 1 + 6);
    assert_memory_equal(received + sizeof(long_text), "\nother\n", 7);
}

static void a_reader_that_has_gone_breaks_the_lane(void **state)
{
    (void)state;
    struct act_item item = { .body = "x", .body_len = 1 };
    struct act_item *items[] = { &item };
    struct err e = { 0 };
    close(reader);
    reader = -1;
    assert_int_equal(act_stdout.send(lane, items, 1, &e), -1);
    assert_int_equal(item.result, ACT_PENDING);
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.text, "could not write to standard output: Broken pipe");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(items_are_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_stands_still_sees_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_stands_still_in_a_long_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_begun_line_is_always_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_has_gone_breaks_the_lane, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
