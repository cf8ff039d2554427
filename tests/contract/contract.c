/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/opt.h"
#include "tests/contract/contract.h"
#include "tests/contract/rig.h"

#define MANY ACT_BATCH_MAX

static const struct contract *contract;

/* A target with two actions and a lane, and the items of one send. */
struct bench {
    struct rig_target target;
    struct rig_action action, other;
    void *lane;
    struct act_item *items[MANY];
    size_t count;
};

static void open_action(struct bench *b, struct rig_action *a, const char *yaml)
{
    struct errs errs = { 0 };
    assert_true(rig_action_open(a, &b->target, yaml, &errs));
    assert_int_equal(errs.errors, 0);
    errs_clear(&errs);
}

static void open_lane(struct bench *b)
{
    struct err e = { 0 };
    b->lane = contract->type->lane_open(b->target.target, &e);
    assert_non_null(b->lane);
}

static int set_up(void **state)
{
    struct errs errs = { 0 };
    struct bench *b = calloc(1, sizeof(*b));
    contract->begin();
    assert_true(rig_target_open(&b->target, contract->type, contract->target, NULL, &errs));
    errs_clear(&errs);
    open_action(b, &b->action, contract->action);
    open_action(b, &b->other, contract->other_action);
    open_lane(b);
    *state = b;
    return 0;
}

static void drop_items(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++)
        rig_item_free((struct rig_item *)b->items[i]);
    b->count = 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    drop_items(b);
    contract->type->lane_close(b->lane);
    rig_action_close(&b->action);
    rig_action_close(&b->other);
    rig_target_close(&b->target);
    free(b);
    contract->end();
    return 0;
}

static void add(struct bench *b, const struct rig_action *a, int n, bool bad)
{
    char body[40];
    snprintf(body, sizeof(body), "{\"n\":%d}", n);
    const char *text = bad && contract->bad_body ? contract->bad_body : body;
    const struct rig_var vars[] = { { "v", bad && contract->bad_v ? contract->bad_v : contract->good_v }, { 0 } };
    struct rig_item *it = rig_item_new(a, text, strlen(text), true, vars);
    it->item.key = 1;
    it->item.result = ACT_LATER; /* as if it had been sent before */
    it->item.wait_ms = 77;
    strcpy(it->item.reason, "before");
    b->items[b->count++] = &it->item;
}

static void send_all(struct bench *b)
{
    struct err e = { 0 };
    int rc = contract->type->send(b->lane, b->items, b->count, &e);
    if (rc < 0)
        print_error("send: %s\n", e.text);
    assert_int_equal(rc, 0);
}

static void assert_result(const struct act_item *item, enum act_result result)
{
    if (item->result != result)
        print_error("%.*s: %s\n", (int)item->body_len, item->body, item->reason);
    assert_int_equal(item->result, result);
}

/* Exactly first, first + 1, … last have arrived, in this order. */
static void assert_arrived(int first, int last)
{
    static int numbers[2 * MANY];
    size_t n = contract->read_back(numbers, 2 * MANY);
    assert_int_equal(n, last - first + 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(numbers[i], first + (int)i);
}

/* --- configuration --- */

static void assert_all_placed(const struct errs *errs, const char *yaml)
{
    if (errs->errors == 0)
        print_error("accepted: %s\n", yaml);
    assert_true(errs->errors > 0);
    for (size_t i = 0; i < errs->count; i++) {
        if (!errs->items[i].at.src)
            print_error("no place: %s\n", errs->items[i].text);
        assert_non_null(errs->items[i].at.src);
        assert_true(errs->items[i].text[0] != '\0');
    }
}

static void bad_targets_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; contract->bad_targets && contract->bad_targets[i]; i++) {
        struct rig_target t;
        struct errs errs = { 0 };
        bool opened = rig_target_open(&t, contract->type, contract->bad_targets[i], NULL, &errs);
        assert_all_placed(&errs, contract->bad_targets[i]);
        assert_false(opened);
        errs_clear(&errs);
    }
}

static void bad_actions_are_refused_with_their_place(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; contract->bad_actions[i]; i++) {
        struct rig_action a;
        struct errs errs = { 0 };
        bool opened = rig_action_open(&a, &b->target, contract->bad_actions[i], &errs);
        assert_all_placed(&errs, contract->bad_actions[i]);
        assert_false(opened);
        errs_clear(&errs);
    }
}

static void the_descriptor_is_complete(void **state)
{
    (void)state;
    const struct action_type *t = contract->type;
    assert_non_null(t->name);
    assert_non_null(t->doc);
    assert_string_equal(t->failed_action + strlen(t->failed_action) - 6, "Action");
    assert_int_equal(t->connection == ACT_CONNECTION_NONE, t->connection_kind == NULL);
    bool has_connection = false;
    for (size_t i = 0; i < t->option_count; i++) {
        assert_non_null(t->options[i].help);
        if (strcmp(t->options[i].name, "connection") == 0)
            has_connection = t->options[i].ignored;
    }
    assert_int_equal(has_connection, t->connection != ACT_CONNECTION_NONE);
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    contract->type->lane_close(NULL);
    contract->type->action_close(NULL);
    contract->type->target_close(NULL);
}

static void the_resource_is_what_is_written(void **state)
{
    struct bench *b = *state;
    struct buf out;
    buf_init(&out, 1000);
    add(b, &b->action, 1, false);
    contract->type->resource(b->action.action, b->items[0]->texts, &out);
    assert_string_equal(out.p, contract->resource);
    buf_clear(&out);
}

/* --- sending --- */

static void an_empty_send_does_nothing(void **state)
{
    send_all(*state);
    assert_arrived(1, 0);
}

static void every_item_gets_its_result_and_order_is_kept(void **state)
{
    struct bench *b = *state;
    for (int n = 1; n <= 100; n++)
        add(b, &b->action, n, false);
    send_all(b);
    for (size_t i = 0; i < b->count; i++) {
        assert_result(b->items[i], ACT_DONE);
        assert_int_equal(b->items[i]->wait_ms, 0);
    }
    assert_arrived(1, 100);
}

static void sends_follow_one_another(void **state)
{
    struct bench *b = *state;
    for (int n = 1; n <= 5; n++) {
        drop_items(b);
        add(b, &b->action, n, false);
        send_all(b);
        assert_result(b->items[0], ACT_DONE);
    }
    assert_arrived(1, 5);
}

static void a_rejected_item_does_not_hinder_the_others(void **state)
{
    struct bench *b = *state;
    if (!contract->bad_v && !contract->bad_body)
        skip();
    const bool bad[] = { true, false, false, true, true, false, false, false, true };
    int n = 0;
    for (size_t i = 0; i < sizeof(bad); i++)
        add(b, &b->action, bad[i] ? 0 : ++n, bad[i]);
    send_all(b);
    for (size_t i = 0; i < sizeof(bad); i++) {
        assert_result(b->items[i], bad[i] ? ACT_REJECTED : ACT_DONE);
        if (bad[i])
            assert_true(b->items[i]->reason[0] != '\0' && strcmp(b->items[i]->reason, "before") != 0);
    }
    assert_arrived(1, n);
}

static void a_send_of_rejected_items_leaves_the_lane_usable(void **state)
{
    struct bench *b = *state;
    if (!contract->bad_v && !contract->bad_body)
        skip();
    for (int i = 0; i < 3; i++)
        add(b, &b->action, 0, true);
    send_all(b);
    for (size_t i = 0; i < b->count; i++)
        assert_result(b->items[i], ACT_REJECTED);
    drop_items(b);
    add(b, &b->action, 1, false);
    send_all(b);
    assert_result(b->items[0], ACT_DONE);
    assert_arrived(1, 1);
}

static void two_actions_share_a_lane(void **state)
{
    struct bench *b = *state;
    static int numbers[100];
    for (int n = 1; n <= 50; n++)
        add(b, n % 2 ? &b->action : &b->other, n, false);
    send_all(b);
    for (size_t i = 0; i < b->count; i++)
        assert_result(b->items[i], ACT_DONE);
    assert_int_equal(contract->read_back(numbers, 100), 50);
    int last[2] = { 0, 0 }; /* in order per action, not between them */
    for (size_t i = 0; i < 50; i++) {
        assert_true(numbers[i] > last[numbers[i] % 2]);
        last[numbers[i] % 2] = numbers[i];
    }
}

static void a_lane_can_be_closed_and_opened_again(void **state)
{
    struct bench *b = *state;
    for (int n = 1; n <= 3; n++) {
        drop_items(b);
        add(b, &b->action, n, false);
        send_all(b);
        contract->type->lane_close(b->lane);
        open_lane(b);
    }
    assert_arrived(1, 3);
}

/* Told to end before it began, a send ends by itself, and what it left open can be sent by the next lane. */
static void a_stopped_send_leaves_what_has_no_result(void **state)
{
    struct bench *b = *state;
    struct err e = { 0 };
    if (!contract->type->lane_stop_fd)
        skip();
    int fd = eventfd(1, EFD_CLOEXEC);
    assert_true(fd >= 0);
    contract->type->lane_stop_fd(b->lane, fd);
    for (int n = 1; n <= 100; n++)
        add(b, &b->action, n, false);
    assert_int_equal(contract->type->send(b->lane, b->items, b->count, &e), -1);
    assert_true(e.text[0] != '\0');
    assert_int_equal(b->items[b->count - 1]->result, ACT_PENDING);
    for (size_t i = 0; i < b->count; i++)
        assert_true(b->items[i]->result == ACT_PENDING || b->items[i]->result == ACT_DONE);
    contract->type->lane_close(b->lane);
    close(fd);
    open_lane(b);
    send_all(b);
    for (size_t i = 0; i < b->count; i++)
        assert_result(b->items[i], ACT_DONE);
    static int numbers[2 * MANY];
    assert_true(contract->read_back(numbers, 2 * MANY) >= b->count);
}

static void the_largest_send_goes_through(void **state)
{
    struct bench *b = *state;
    int largest = contract->type->batch_max ? (int)contract->type->batch_max : ACT_BATCH_MAX;
    for (int n = 1; n <= largest; n++)
        add(b, &b->action, n, false);
    send_all(b);
    for (size_t i = 0; i < b->count; i++)
        assert_result(b->items[i], ACT_DONE);
    assert_arrived(1, largest);
}

int contract_run(const struct contract *c)
{
    contract = c;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_complete),
        cmocka_unit_test(closing_nothing_is_allowed),
        cmocka_unit_test(bad_targets_are_refused_with_their_place),
        cmocka_unit_test_setup_teardown(bad_actions_are_refused_with_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_resource_is_what_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_send_does_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_item_gets_its_result_and_order_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sends_follow_one_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rejected_item_does_not_hinder_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_send_of_rejected_items_leaves_the_lane_usable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_actions_share_a_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lane_can_be_closed_and_opened_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_send_leaves_what_has_no_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_send_goes_through, set_up, tear_down),
    };
    return cmocka_run_group_tests_name(c->type->name, tests, NULL, NULL);
}
