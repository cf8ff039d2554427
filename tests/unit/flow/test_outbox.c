/* SPDX-License-Identifier: Apache-2.0 */
/* One outbox against a scripted target. The test is the workers: it pushes deliveries and takes them home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>

#include "engine/base/log.h"
#include "engine/flow/outbox.h"
#include "engine/flow/stats.h"
#include "fake_clock.h"
#include "scripted_action.h"

#define ITEMS_MAX 2000

struct fixture {
    struct script_target script;
    struct action_type type;
    struct target target;
    struct fake_clock clock;
    struct pressure pressure;
    atomic_size_t relieved;
    struct outbox *outbox;
    struct queue home;
    struct queue_chain came; /* home, not looked at */
    struct delivery *deliveries;
    size_t count;
};

static void on_relieved(void *ctx)
{
    struct fixture *x = ctx;
    atomic_fetch_add(&x->relieved, 1);
}

static void open_outbox(struct fixture *x, size_t bound, bool never_rejects)
{
    pressure_init(&x->pressure, 0, on_relieved, x);
    struct outbox_conf conf = { .clock = &x->clock.clock,
                                .retry = { .min_ms = 100, .max_ms = 1000 },
                                .bound = bound,
                                .pressure = &x->pressure,
                                .seed = 1,
                                .never_rejects = never_rejects };
    x->outbox = outbox_new(&conf, &x->target, NULL);
    assert_non_null(x->outbox);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    script_init(&x->script);
    fake_clock_init(&x->clock);
    x->type = (struct action_type) { .name = "scripted", SCRIPT_PORT };
    x->target = (struct target) { .name = (char *)"target", .type = &x->type, .handle = &x->script };
    x->deliveries = calloc(ITEMS_MAX, sizeof(struct delivery));
    assert_int_equal(queue_init(&x->home, 1, NULL), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    script_hold(&x->script, false);
    outbox_close(x->outbox);
    outbox_join(x->outbox);
    outbox_free(x->outbox);
    struct queue_chain rest = { 0 };
    queue_drain(&x->home, &rest);
    queue_clear(&x->home);
    assert_int_equal(x->script.opens - (x->script.fail_open ? x->script.opens : 0), x->script.closes);
    script_clear(&x->script);
    free(x->deliveries);
    free(x);
    return 0;
}

static struct delivery *push(struct fixture *x, uint64_t key, const char *body)
{
    struct delivery *d = &x->deliveries[x->count++];
    d->place.key = key;
    d->home = &x->home;
    d->item = (struct act_item) { .body = body, .body_len = strlen(body) };
    outbox_push(x->outbox, d);
    return d;
}

/* Wait for the next delivery to come home. */
static struct delivery *next_home(struct fixture *x)
{
    struct queue_chain none = { 0 };
    while (!x->came.first)
        assert_true(queue_take(&x->home, &x->came, &none, 0, QUEUE_FOREVER));
    return delivery_of(queue_chain_take(&x->came));
}

static void assert_home(struct fixture *x, const struct delivery *d, enum act_result result)
{
    assert_ptr_equal(next_home(x), d);
    assert_int_equal(d->item.result, result);
}

static void assert_done(struct fixture *x, const char *expected)
{
    char *done = script_done(&x->script);
    assert_string_equal(done, expected);
    free(done);
}

static struct stats_target look(struct fixture *x)
{
    struct stats_target t;
    outbox_read(x->outbox, &t);
    return t;
}

static void pass_time(struct fixture *x, uint64_t ms)
{
    fake_clock_advance(&x->clock, ms);
    outbox_wake(x->outbox);
}

/* What waits has fixed its time already: let it pass, until the target was asked n times. */
static void pass_time_until_sends(struct fixture *x, size_t n)
{
    pass_time(x, 2000); /* beyond any back-off here */
    script_wait(&x->script, &x->script.sends, n);
}

/* The same where the wait may begin only now. */
static void pass_time_until(struct fixture *x, const size_t *counter, size_t n)
{
    while (script_get(&x->script, counter) < n) {
        pass_time(x, 2000);
        sched_yield();
    }
}

static void test_sends_what_has_gathered(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_hold(&x->script, true);
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    push(x, 1, "a");
    script_wait(&x->script, &x->script.holding, 1); /* the lane is busy with the first */
    push(x, 2, "b");
    push(x, 1, "c");
    push(x, 3, "d");
    script_hold(&x->script, false);
    for (int i = 0; i < 4; i++)
        assert_home(x, &x->deliveries[i], ACT_DONE);
    assert_done(x, "a b c d");
    assert_int_equal(x->script.sends, 2);
    assert_int_equal(x->script.batches[0], 1);
    assert_int_equal(x->script.batches[1], 3);
    assert_int_equal(look(x).delivered, 4);
    assert_int_equal(look(x).waiting, 0);
    assert_string_equal(look(x).state, "ok");
}

static void test_batches_are_bounded(void **state)
{
    struct fixture *x = *state;
    x->type.batch_max = 3;
    open_outbox(x, SIZE_MAX, false);
    for (uint64_t i = 0; i < 7; i++)
        push(x, i + 1, "x");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    for (int i = 0; i < 7; i++)
        assert_home(x, &x->deliveries[i], ACT_DONE);
    assert_int_equal(x->script.sends, 3);
    assert_int_equal(x->script.batches[2], 1);
}

static void test_rejected_goes_home_and_others_go_on(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "bad", SCRIPT_REJECT, SCRIPT_FOREVER, 0);
    push(x, 1, "a");
    push(x, 1, "bad");
    push(x, 1, "b");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    assert_home(x, &x->deliveries[0], ACT_DONE);
    assert_home(x, &x->deliveries[1], ACT_REJECTED);
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_string_equal(x->deliveries[1].item.reason, "never");
    assert_done(x, "a b");
    assert_int_equal(look(x).rejected, 1);
    assert_string_equal(look(x).state, "ok");
}

/* Key 1 waits with all that came behind its item; key 2 and what has no key go on. */
static void test_later_holds_back_its_key_only(void **state)
{
    struct fixture *x = *state;
    x->type.batch_max = 1;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a1", SCRIPT_LATER, 2, 0);
    push(x, 1, "a1");
    push(x, 1, "a2");
    push(x, 2, "b1");
    push(x, 1, "a3");
    push(x, 0, "n");
    push(x, 2, "b2");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_home(x, &x->deliveries[4], ACT_DONE);
    assert_home(x, &x->deliveries[5], ACT_DONE);
    assert_done(x, "b1 n b2");
    assert_int_equal(outbox_waiting(x->outbox), 3);
    assert_string_equal(look(x).state, "delayed");
    assert_string_equal(look(x).reason, "not now");

    pass_time_until_sends(x, 5); /* a1 fails again, so a2 and a3 wait on */
    push(x, 1, "a4");
    push(x, 2, "b3");
    assert_home(x, &x->deliveries[7], ACT_DONE);
    assert_done(x, "b1 n b2 b3");
    pass_time_until_sends(x, 7);
    assert_home(x, &x->deliveries[0], ACT_DONE);
    assert_home(x, &x->deliveries[1], ACT_DONE);
    assert_home(x, &x->deliveries[3], ACT_DONE);
    assert_home(x, &x->deliveries[6], ACT_DONE);
    assert_done(x, "b1 n b2 b3 a1 a2 a3 a4");
    assert_int_equal(look(x).retried, 2);
    assert_string_equal(look(x).state, "ok");
}

/* What is due goes before later items of its key that have not come up for sending yet. */
static void test_a_retried_item_keeps_its_place(void **state)
{
    struct fixture *x = *state;
    x->type.batch_max = 1;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a1", SCRIPT_LATER, 1, 0);
    script_hold(&x->script, true);
    push(x, 1, "a1");
    push(x, 2, "b1");
    push(x, 1, "a2");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    script_step(&x->script);
    script_wait(&x->script, &x->script.sends, 2); /* b1 is on its way: a1 waits for its time, a2 for the lane */
    fake_clock_advance(&x->clock, 2000);
    script_hold(&x->script, false);
    assert_home(x, &x->deliveries[1], ACT_DONE);
    assert_home(x, &x->deliveries[0], ACT_DONE);
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_done(x, "b1 a1 a2");
}

/* b comes home after the outbox has fixed when a is due. */
static void push_later_and_done(struct fixture *x)
{
    push(x, 1, "a");
    push(x, 2, "b");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    assert_home(x, &x->deliveries[1], ACT_DONE);
}

static void test_no_retry_before_its_time(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_LATER, 1, 0);
    push_later_and_done(x);
    fake_clock_advance(&x->clock, 49); /* the first wait is 50 to 100 ms */
    push(x, 3, "c");                   /* wakes the lane, which looks at the clock */
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_done(x, "b c");
    pass_time(x, 51);
    assert_home(x, &x->deliveries[0], ACT_DONE);
}

static void test_the_targets_wish_is_obeyed(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_LATER, 1, 5000);
    push_later_and_done(x);
    fake_clock_advance(&x->clock, 4999);
    push(x, 3, "c");
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_done(x, "b c");
    pass_time(x, 1);
    assert_home(x, &x->deliveries[0], ACT_DONE);
}

/* A broken lane is closed and opened again after a wait; what it had not taken is sent again in order, before what
 * came later. */
static void test_a_broken_lane_keeps_everything_in_order(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a2", SCRIPT_BREAK, 2, 0);
    push(x, 1, "a1");
    push(x, 1, "a2");
    push(x, 1, "a3");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    assert_home(x, &x->deliveries[0], ACT_DONE);
    script_wait(&x->script, &x->script.closes, 1);
    push(x, 1, "a4");
    push(x, 2, "b");
    pass_time_until_sends(x, 2);
    script_wait(&x->script, &x->script.closes, 2);
    assert_string_equal(look(x).state, "down");
    assert_string_equal(look(x).reason, "connection lost");
    assert_int_equal(look(x).waiting, 4);
    pass_time_until_sends(x, 3);
    for (int i = 1; i < 5; i++)
        assert_home(x, &x->deliveries[i], ACT_DONE);
    assert_done(x, "a1 a2 a3 a4 b");
    assert_int_equal(x->script.opens, 3);
    assert_string_equal(look(x).state, "ok");
    assert_string_equal(look(x).reason, "");
}

static void test_nothing_is_tried_while_the_lane_waits(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_REFUSE, 1, 0);
    push(x, 1, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    script_wait(&x->script, &x->script.closes, 1);
    fake_clock_advance(&x->clock, 49);
    for (int i = 0; i < 100; i++)
        push(x, 2, "b");
    outbox_wake(x->outbox);
    assert_int_equal(script_get(&x->script, &x->script.sends), 1);
    pass_time_until_sends(x, 2);
    for (int i = 0; i <= 100; i++)
        assert_home(x, &x->deliveries[i], ACT_DONE);
    assert_string_equal(x->script.done[0], "a");
}

/* The waits between tries grow, of a broken lane as of an item. */
static void assert_growing_waits(struct fixture *x, enum script_answer answer)
{
    open_outbox(x, SIZE_MAX, false);
    x->script.clock = &x->clock.clock;
    script_say(&x->script, NULL, answer, 5, 0);
    push(x, 1, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    while (script_get(&x->script, &x->script.sends) < 6) {
        pass_time(x, 1);
        sched_yield();
    }
    assert_home(x, &x->deliveries[0], ACT_DONE);
    for (unsigned i = 0; i < 5; i++) /* half of 100, 200, 400, 800, 1000 */
        assert_true(x->script.times[i + 1] - x->script.times[i] >= (i < 4 ? UINT64_C(50) << i : 500));
}

static void test_waits_of_a_broken_lane_grow(void **state)
{
    assert_growing_waits(*state, SCRIPT_BREAK);
}

static void test_waits_of_an_item_grow(void **state)
{
    assert_growing_waits(*state, SCRIPT_LATER);
}

static void test_a_refusal_is_told_apart(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, NULL, SCRIPT_REFUSE, SCRIPT_FOREVER, 0);
    push(x, 1, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    script_wait(&x->script, &x->script.closes, 1);
    assert_string_equal(look(x).state, "refused");
    assert_string_equal(look(x).reason, "wrong password");
}

/* "Needs a repair" outlasts what goes well, or is merely late, meanwhile. */
static void test_what_needs_a_repair_is_loud(void **state)
{
    struct fixture *x = *state;
    x->type.batch_max = 1;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_MISCONFIGURED, 1, 0);
    script_say(&x->script, "b", SCRIPT_LATER, 1, 1900);
    push(x, 1, "a");
    push(x, 2, "b");
    push(x, 3, "c");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    assert_home(x, &x->deliveries[2], ACT_DONE);
    assert_string_equal(look(x).state, "misconfigured");
    assert_string_equal(look(x).reason, "no such table");
    pass_time(x, 1000); /* repaired */
    assert_home(x, &x->deliveries[0], ACT_DONE);
    assert_string_equal(look(x).state, "delayed");
    pass_time_until_sends(x, 5);
    assert_home(x, &x->deliveries[1], ACT_DONE);
    assert_string_equal(look(x).state, "ok");
}

static void test_a_lane_that_does_not_open_is_tried_again(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    x->script.fail_open = true;
    push(x, 1, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    pass_time_until(x, &x->script.opens, 2);
    assert_int_equal(script_get(&x->script, &x->script.sends), 0);
    assert_int_equal(outbox_waiting(x->outbox), 1);
}

static void test_no_answer_is_later(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_MUTE, 1, 0);
    push(x, 1, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    pass_time_until(x, &x->script.sends, 2);
    assert_home(x, &x->deliveries[0], ACT_DONE);
}

static void test_a_store_that_never_rejects_tries_again(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, true);
    script_say(&x->script, "a", SCRIPT_REJECT, 1, 0);
    push(x, 0, "a");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    pass_time_until(x, &x->script.sends, 2);
    assert_home(x, &x->deliveries[0], ACT_DONE);
    assert_int_equal(look(x).rejected, 0);
}

static void test_pressure_begins_and_ends_at_the_bound(void **state)
{
    struct fixture *x = *state;
    x->type.batch_max = 1;
    open_outbox(x, 2, false);
    push(x, 1, "a");
    assert_false(pressure_is_on(&x->pressure));
    push(x, 2, "b");
    assert_true(pressure_is_on(&x->pressure));
    push(x, 3, "c"); /* above the bound: never refused */
    assert_int_equal(look(x).full, 1);
    assert_int_equal(atomic_load(&x->relieved), 0);
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    for (int i = 0; i < 3; i++)
        next_home(x);
    assert_false(pressure_is_on(&x->pressure));
    assert_int_equal(atomic_load(&x->relieved), 1);
}

static void test_close_ends_a_back_off(void **state)
{
    struct fixture *x = *state;
    open_outbox(x, SIZE_MAX, false);
    script_say(&x->script, "a", SCRIPT_BREAK, SCRIPT_FOREVER, 0);
    script_say(&x->script, "b", SCRIPT_LATER, SCRIPT_FOREVER, 3600000);
    push(x, 1, "b");
    push(x, 2, "a");
    push(x, 1, "c");
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    script_wait(&x->script, &x->script.closes, 1);
    outbox_close(x->outbox);
    outbox_join(x->outbox); /* returns although the clock stands still */
    assert_int_equal(outbox_waiting(x->outbox), 3);
    push(x, 1, "d"); /* forgotten */
    assert_int_equal(outbox_waiting(x->outbox), 3);
}

/* Random answers for many keys: every key's items arrive in order and exactly once. */
static void test_order_under_random_answers(void **state)
{
    enum { KEYS = 20, EACH = 100 };
    struct fixture *x = *state;
    static char bodies[KEYS * EACH][16];
    x->type.batch_max = 1; /* inside one send, order is the target's matter */
    open_outbox(x, SIZE_MAX, false);
    /* Items whose number ends in 3 are put off twice, in 7 break the lane now and then. */
    script_say(&x->script, "3;", SCRIPT_LATER, 150, 0);
    script_say(&x->script, "7;", SCRIPT_BREAK, 60, 0);
    assert_int_equal(outbox_start(x->outbox, NULL), 0);
    for (unsigned i = 0; i < KEYS * EACH; i++) {
        snprintf(bodies[i], sizeof(bodies[i]), "%u:%u;", i % KEYS, i / KEYS);
        push(x, 1 + i % KEYS, bodies[i]);
    }
    unsigned next[KEYS] = { 0 };
    struct queue_chain none = { 0 };
    for (unsigned home = 0; home < KEYS * EACH;) {
        queue_take(&x->home, &x->came, &none, 0, 1);
        fake_clock_advance(&x->clock, 1000);
        outbox_wake(x->outbox);
        for (struct queue_link *link; (link = queue_chain_take(&x->came)); home++) {
            unsigned key, number;
            assert_int_equal(sscanf(delivery_of(link)->item.body, "%u:%u;", &key, &number), 2);
            assert_int_equal(number, next[key]++);
        }
    }
    assert_int_equal(x->script.done_count, KEYS * EACH);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sends_what_has_gathered),
        TEST(test_batches_are_bounded),
        TEST(test_rejected_goes_home_and_others_go_on),
        TEST(test_later_holds_back_its_key_only),
        TEST(test_a_retried_item_keeps_its_place),
        TEST(test_no_retry_before_its_time),
        TEST(test_the_targets_wish_is_obeyed),
        TEST(test_a_broken_lane_keeps_everything_in_order),
        TEST(test_nothing_is_tried_while_the_lane_waits),
        TEST(test_waits_of_a_broken_lane_grow),
        TEST(test_waits_of_an_item_grow),
        TEST(test_a_refusal_is_told_apart),
        TEST(test_what_needs_a_repair_is_loud),
        TEST(test_a_lane_that_does_not_open_is_tried_again),
        TEST(test_no_answer_is_later),
        TEST(test_a_store_that_never_rejects_tries_again),
        TEST(test_pressure_begins_and_ends_at_the_bound),
        TEST(test_close_ends_a_back_off),
        TEST(test_order_under_random_answers),
    };
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
