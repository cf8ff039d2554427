/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/apps/mosquitto_plugin/authorize.h"
#include "tests/unit/mosquitto_plugin/policy_folder.h"

struct told {
    char text[300];
    int count;
    bool is_audit;
};

static void tell(void *ctx, const struct subject *who, const char *action, const char *name, const char *reason,
                 bool is_audit)
{
    struct told *t = ctx;
    snprintf(t->text, sizeof(t->text), "%s %s %s %s", who->client_id.p, action, name, reason);
    t->count++;
    t->is_audit = is_audit;
}

static struct policy_set *set_of(const char *text)
{
    struct policy_folder f;
    struct errs errs = { 0 };
    struct policy_scope scope = { NULL, NULL };
    policy_folder_init(&f, text);
    const char *paths[] = { f.file };
    struct policy_set *set = policy_set_load(paths, 1, &scope, &errs);
    assert_non_null(set);
    errs_clear(&errs);
    policy_folder_clear(&f);
    return set;
}

static struct subject *subject(const char *id, const char *user_name)
{
    struct subject_facts f = { .client_id = id, .user_name = user_name, .source_ip = "192.0.2.7" };
    struct subject *s = subject_new(&f);
    assert_non_null(s);
    return s;
}

static struct clients *table(void)
{
    static const uint64_t seed[2] = { 1, 2 };
    struct clients *t = clients_new(seed);
    assert_non_null(t);
    return t;
}

#define SOME                                                                                                           \
    POLICIES(STATEMENT("Allow", "Connect", "client/c") STATEMENT("Allow", "Publish", "topic/p*")                       \
                 STATEMENT("Allow", "RetainPublish", "topic/pr") STATEMENT("Allow", "Subscribe", "topicfilter/s/#")    \
                     STATEMENT("Allow", "Receive", "topic/r") STATEMENT("Allow", "Publish", "topic/$aws/*"))

static void test_enforced(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct authorizer a = { .set = set_of(SOME), .tell = tell, .ctx = &told };
    struct clients *t = table();
    struct client *c = clients_add(t, "handle", subject("c", NULL));
    struct subject *other = subject("d", NULL);
    assert_true(authorize_connect(&a, c->who));
    assert_false(authorize_connect(&a, other));
    assert_string_equal(told.text, "d iot:Connect d IMPLICIT_DENY");
    assert_false(told.is_audit);
    assert_true(authorize_publish(&a, c, "p", false));
    assert_false(authorize_publish(&a, c, "p", true));
    assert_string_equal(told.text, "c iot:RetainPublish p IMPLICIT_DENY");
    assert_true(authorize_publish(&a, c, "pr", true));
    assert_false(authorize_publish(&a, c, "x", false));
    assert_true(authorize_subscribe(&a, c, "s/#"));
    assert_false(authorize_subscribe(&a, c, "s/1"));
    int before = told.count;
    assert_true(authorize_receive(&a, c, "r"));
    assert_false(authorize_receive(&a, c, "p"));
    assert_int_equal(told.count, before); /* not delivering is no event */
    assert_false(authorize_publish(&a, c, "$aws/events/presence/connected/x", false));
    assert_string_equal(told.text, "c iot:Publish $aws/events/presence/connected/x the topic is reserved");
    assert_true(authorize_publish(&a, c, "$aws/things/x", false));
    assert_true(authorize_will(&a, other, "p", false));
    assert_false(authorize_will(&a, other, "p", true));
    assert_false(authorize_will(&a, other, "$aws/events/x", false));
    assert_false(authorize_will(&a, NULL, "p", false)); /* a fault denies */
    subject_free(other);
    clients_free(t);
    authorize_clear(&a);
}

static void test_trusted(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct authorizer a = { .set = set_of(POLICIES(STATEMENT("Deny", "*", "*"))), .tell = tell, .ctx = &told };
    struct clients *t = table();
    struct client *engine = clients_add(t, "1", subject("engine", "anna")),
                  *false_name = clients_add(t, "2", subject("engine", NULL)),
                  *false_id = clients_add(t, "3", subject("other", "anna"));
    assert_true(authorize_connect(&a, engine->who));
    assert_true(authorize_publish(&a, engine, "$aws/events/x", true));
    assert_true(authorize_subscribe(&a, engine, "#"));
    assert_true(authorize_receive(&a, engine, "x"));
    assert_true(authorize_will(&a, engine->who, "x", true));
    for (struct client **c = (struct client *[]) { false_name, false_id, NULL }; *c; c++) {
        assert_false(authorize_connect(&a, (*c)->who));
        assert_false(authorize_publish(&a, *c, "x", false));
        assert_false(authorize_receive(&a, *c, "x"));
    }
    clients_free(t);
    authorize_clear(&a);
}

static void test_audit(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct authorizer a = { .set = set_of(SOME), .tell = tell, .ctx = &told, .is_audit = true };
    struct clients *t = table();
    struct client *c = clients_add(t, "handle", subject("d", NULL));
    assert_true(authorize_connect(&a, c->who));
    assert_true(authorize_publish(&a, c, "x", true));
    assert_true(authorize_subscribe(&a, c, "x"));
    assert_true(authorize_receive(&a, c, "x"));
    assert_int_equal(told.count, 5); /* a retained publish is two */
    assert_true(told.is_audit);
    assert_false(authorize_publish(&a, c, "$aws/events/x", false));
    assert_false(told.is_audit);
    clients_free(t);
    authorize_clear(&a);
}

static void test_without_policies(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct authorizer a = { .tell = tell, .ctx = &told };
    struct clients *t = table();
    struct client *c = clients_add(t, "handle", subject("c", NULL));
    assert_true(authorize_connect(&a, c->who) && authorize_publish(&a, c, "x", true) &&
                authorize_subscribe(&a, c, "#") && authorize_receive(&a, c, "x") &&
                authorize_will(&a, NULL, "x", true) && authorize_will(&a, c->who, "x", true));
    assert_int_equal(told.count, 0);
    assert_false(authorize_publish(&a, c, "$aws/events/x", false));
    assert_false(authorize_will(&a, NULL, "$aws/events/x", false));
    clients_free(t);
}

/* A change counts for the next question, and views of what was before go. */
static void test_change(void **state)
{
    (void)state;
    struct told told = { 0 };
    struct authorizer a = { .set = set_of(SOME), .tell = tell, .ctx = &told };
    struct clients *t = table();
    struct client *c = clients_add(t, "1", subject("c", NULL)), *idle = clients_add(t, "2", subject("idle", NULL));
    assert_true(authorize_publish(&a, c, "p", false) && authorize_publish(&a, idle, "p", false));
    authorize_set(&a, set_of(POLICIES(STATEMENT("Allow", "Publish", "topic/q"))));
    assert_false(authorize_publish(&a, c, "p", false));
    assert_true(authorize_publish(&a, c, "q", false));
    authorize_drop_stale(&a, c);
    assert_non_null(c->view);
    assert_non_null(idle->view);
    authorize_drop_stale(&a, idle);
    assert_null(idle->view);
    assert_true(authorize_publish(&a, idle, "q", false));
    clients_free(t);
    authorize_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enforced), cmocka_unit_test(test_trusted),          cmocka_unit_test(test_audit),
        cmocka_unit_test(test_change),   cmocka_unit_test(test_without_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
