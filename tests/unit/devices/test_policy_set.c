/* SPDX-License-Identifier: Apache-2.0 */
/* Policies from files: what applies to whom. What a document means is in tests/cases/policy/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/devices/policy_set.h"

#define ALLOW(action, resource)                                                                                        \
    "{ Version: \"2012-10-17\", Statement: { Effect: Allow, Action: \"" action                                         \
    "\", Resource: \"arn:aws:iot:*:*:" resource "\" } }"

static char folder[64];
static struct errs errs;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-policies-XXXXXX");
    errs = (struct errs) { 0 };
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = { "a.yaml", "b.yaml", "c.json" };
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    errs_clear(&errs);
    return rmdir(folder);
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct policy_set *load(const struct policy_scope *scope)
{
    const char *paths[] = { folder };
    return policy_set_load(paths, 1, scope, &errs);
}

static struct policy_text text(const char *s)
{
    return (struct policy_text) { .p = s, .len = s ? strlen(s) : 0 };
}

static enum policy_decision ask(struct policy_set *s, const char *client, const char *principal, const char *user,
                                enum policy_action action, const char *name)
{
    struct policy_subject who = { .client_id = text(client), .principal = text(principal), .user_name = text(user) };
    struct policy_view *v = policy_view_new(s, &who);
    assert_non_null(v);
    enum policy_decision d = policy_view_decide(v, action, text(name)).decision;
    policy_view_free(v);
    return d;
}

static void attachments(void **state)
{
    (void)state;
    put("a.yaml",
        "policies:\n"
        "  - { policyName: one, policyDocument: " ALLOW(
            "iot:Publish",
            "topic/one") ", attachedTo: { principal: 5f1c } }\n"
                         "  - { policyName: two, policyDocument: " ALLOW(
                             "iot:Publish",
                             "topic/two") ", attachedTo: [ { userName: anna }, { clientId: \"l?mp-*\" } ] }\n"
                                          "  - { policyName: none, policyDocument: " ALLOW("iot:*", "*") " }\n");
    struct policy_set *s = load(NULL);
    assert_non_null(s);
    assert_int_equal(ask(s, "x", "5f1c", NULL, POLICY_PUBLISH, "one"), POLICY_ALLOWED);
    assert_int_equal(ask(s, "5f1c", NULL, NULL, POLICY_PUBLISH, "one"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "x", "5f1", NULL, POLICY_PUBLISH, "one"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "x", "anna", "anna", POLICY_PUBLISH, "two"), POLICY_ALLOWED);
    assert_int_equal(ask(s, "x", "anna", NULL, POLICY_PUBLISH, "two"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "lamp-7", NULL, NULL, POLICY_PUBLISH, "two"), POLICY_ALLOWED);
    assert_int_equal(ask(s, "lamp7", NULL, NULL, POLICY_PUBLISH, "two"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "lamp-7", "5f1c", NULL, POLICY_PUBLISH, "one"), POLICY_ALLOWED);
    assert_int_equal(ask(s, "lamp-7", "5f1c", NULL, POLICY_SUBSCRIBE, "one"), POLICY_IMPLICIT_DENY);
    policy_set_unref(s);
}

static void things(void **state)
{
    (void)state;
    put("a.yaml",
        "policies: { policyName: t, policyDocument: " ALLOW(
            "iot:Connect", "client/${iot:Connection.Thing.ThingName}") ", attachedTo: { clientId: \"*\" } }\n");
    put("b.yaml", "things: [ { thingName: lamp, principals: [ a, b ] }, { thingName: \"*\", principals: a } ]\n");
    struct policy_set *s = load(NULL);
    assert_non_null(s);
    assert_int_equal(ask(s, "lamp", "b", NULL, POLICY_CONNECT, "lamp"), POLICY_ALLOWED);
    assert_int_equal(ask(s, "lamp", "c", NULL, POLICY_CONNECT, "lamp"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "lamp", NULL, NULL, POLICY_CONNECT, "lamp"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "fan", "a", NULL, POLICY_CONNECT, "fan"), POLICY_IMPLICIT_DENY);
    assert_int_equal(ask(s, "*", "a", NULL, POLICY_CONNECT, "x"), POLICY_IMPLICIT_DENY);
    policy_set_unref(s);
}

static bool trusts(struct policy_set *s, const char *client, const char *principal)
{
    struct policy_subject who = { .client_id = text(client), .principal = text(principal) };
    struct policy_view *v = policy_view_new(s, &who);
    bool trusted = policy_view_is_trusted(v);
    policy_view_free(v);
    return trusted;
}

static void trusted_clients(void **state)
{
    (void)state;
    put("c.json", "{\"trustedClients\":[{\"clientId\":\"sluice-1\",\"principal\":\"77aa\"}]}");
    struct policy_set *s = load(NULL);
    assert_non_null(s);
    assert_true(trusts(s, "sluice-1", "77aa"));
    assert_false(trusts(s, "sluice-1", "77ab"));
    assert_false(trusts(s, "sluice-1", NULL));
    assert_false(trusts(s, "sluice-2", "77aa"));
    policy_set_unref(s);
}

static void the_scope_is_that_of_the_resources(void **state)
{
    (void)state;
    put("a.yaml", "policies: { policyName: t, attachedTo: { clientId: \"*\" }, policyDocument: { Version: "
                  "\"2012-10-17\", Statement: { Effect: Allow, "
                  "Action: \"iot:Publish\", Resource: \"arn:aws:iot:eu-west-1:123456789012:topic/a\" } } }\n");
    struct policy_set *s = load(NULL);
    assert_int_equal(ask(s, "x", NULL, NULL, POLICY_PUBLISH, "a"), POLICY_IMPLICIT_DENY);
    policy_set_unref(s);
    s = load(&(struct policy_scope) { .region = "eu-west-1", .account_id = "123456789012" });
    assert_int_equal(ask(s, "x", NULL, NULL, POLICY_PUBLISH, "a"), POLICY_ALLOWED);
    policy_set_unref(s);
}

/* What is as long as MQTT allows is decided; what is longer is denied. */
static void long_names(void **state)
{
    static char name[65537];
    (void)state;
    memset(name, 'x', 65536);
    put("a.yaml",
        "policies: { policyName: t, policyDocument: " ALLOW("iot:*", "*") ", attachedTo: { clientId: \"*\" } }\n");
    struct policy_set *s = load(NULL);
    assert_int_equal(ask(s, "x", NULL, NULL, POLICY_PUBLISH, name), POLICY_IMPLICIT_DENY);
    name[65535] = '\0';
    assert_int_equal(ask(s, "x", NULL, NULL, POLICY_PUBLISH, name), POLICY_ALLOWED);
    assert_int_equal(ask(s, name, NULL, NULL, POLICY_CONNECT, name), POLICY_ALLOWED);
    memcpy(name, "$share/g/", 9);
    assert_int_equal(ask(s, "x", NULL, NULL, POLICY_SUBSCRIBE, name), POLICY_ALLOWED);
    policy_set_unref(s);
}

static void names_are_unique_over_all_files(void **state)
{
    (void)state;
    put("a.yaml", "policies: { policyName: t, policyDocument: " ALLOW("iot:*", "*") " }\nthings: { thingName: a }\n");
    put("b.yaml", "policies: { policyName: t, policyDocument: " ALLOW("iot:*", "*") " }\nthings: { thingName: a }\n");
    assert_null(load(NULL));
    assert_int_equal(errs.errors, 2);
    assert_non_null(strstr(errs.items[0].text, "another policy"));
    assert_non_null(strstr(errs.items[1].text, "another thing"));
}

/* A view keeps its set alive. */
static void views_outlive_their_set(void **state)
{
    struct policy_subject who = { .client_id = text("x") };
    (void)state;
    put("a.yaml", "policies: { policyName: t, policyDocument: " ALLOW(
                      "iot:Publish", "topic/${iot:ClientId}") ", attachedTo: { clientId: \"*\" } }\n");
    struct policy_set *s = load(NULL);
    struct policy_view *v = policy_view_new(s, &who);
    policy_set_unref(s);
    assert_int_equal(policy_view_decide(v, POLICY_PUBLISH, text("x")).decision, POLICY_ALLOWED);
    policy_view_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attachments, setup, teardown),
        cmocka_unit_test_setup_teardown(things, setup, teardown),
        cmocka_unit_test_setup_teardown(trusted_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(the_scope_is_that_of_the_resources, setup, teardown),
        cmocka_unit_test_setup_teardown(long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_unique_over_all_files, setup, teardown),
        cmocka_unit_test_setup_teardown(views_outlive_their_set, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
