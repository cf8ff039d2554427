/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/apps/mosquitto_plugin/broker_conf.h"
#include "engine/apps/mosquitto_plugin/plugin_conf.h"
#include "engine/base/buf.h"

/* The printed errors of these options: "NAME VALUE" lines, ended by NULL. "" when there is none. */
static const char *errors_of(struct plugin_conf *c, const char *const *lines)
{
    static char text[4000];
    char names[10][40];
    struct plugin_option options[10];
    size_t count = 0;
    for (; lines[count]; count++) {
        const char *space = strchr(lines[count], ' ');
        size_t len = space ? (size_t)(space - lines[count]) : strlen(lines[count]);
        snprintf(names[count], sizeof(names[0]), "%.*s", (int)len, lines[count]);
        options[count] = (struct plugin_option) { names[count], space ? space + 1 : NULL };
    }
    struct errs errs = { 0 };
    *c = (struct plugin_conf) { 0 };
    int rc = plugin_conf_read(c, options, count, &errs);
    struct buf out;
    buf_init(&out, sizeof(text));
    errs_print(&errs, &out);
    snprintf(text, sizeof(text), "%s", out.p ? out.p : "");
    buf_clear(&out);
    assert_int_equal(rc, errs.errors ? -1 : 0);
    errs_clear(&errs);
    return text;
}

#define ERRORS(c, ...) errors_of(c, (const char *const[]) { __VA_ARGS__, NULL })

static void test_defaults(void **state)
{
    (void)state;
    struct plugin_conf c;
    assert_string_equal(ERRORS(&c, "key_file /etc/sluice.key"), "");
    assert_true(c.identity && c.lifecycle);
    assert_int_equal(c.mode, PLUGIN_ENFORCE);
    assert_int_equal(c.others, OTHERS_AUTO);
    assert_int_equal(c.policy_count, 0);
    assert_string_equal(c.key_file, "/etc/sluice.key");
    assert_string_equal(c.region, "us-east-1");
    assert_string_equal(c.account_id, "000000000000");
    plugin_conf_clear(&c);
}

static void test_everything(void **state)
{
    (void)state;
    struct plugin_conf c;
    assert_string_equal(ERRORS(&c, "identity off", "lifecycle off", "policies a.yaml, b/ ,c.json", "policies d d.yaml",
                               "mode audit", "others_decide no", "region eu-west-1", "account_id 123456789012"),
                        "");
    assert_false(c.identity || c.lifecycle);
    assert_int_equal(c.mode, PLUGIN_AUDIT);
    assert_int_equal(c.others, OTHERS_ABSENT);
    assert_int_equal(c.policy_count, 4);
    assert_string_equal(c.policies[1], "b/");
    assert_string_equal(c.policies[3], "d d.yaml");
    assert_string_equal(c.region, "eu-west-1");
    assert_string_equal(c.account_id, "123456789012");
    plugin_conf_clear(&c);
}

static void assert_says(const char *errors, const char *what)
{
    if (!strstr(errors, what))
        fail_msg("\"%s\" does not say \"%s\"", errors, what);
}

static void test_mistakes(void **state)
{
    (void)state;
    struct plugin_conf c;
    assert_says(ERRORS(&c, "keyfile x"), "keyfile");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "keyfile x"), "did you mean \"key_file\"?");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "lifecycle on"), "plugin_opt_key_file is missing");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "lifecycle on"), "openssl rand -hex 32");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "key_file x", "mode permissive"), "\"mode\" must be one of \"enforce\" or \"audit\"");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "key_file x", "mode audit"), "mode audit without policies");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "key_file x", "key_file y"), "plugin_opt_key_file is given twice");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "key_file x", "policies  , "), "plugin_opt_policies names no file");
    plugin_conf_clear(&c);
    assert_says(ERRORS(&c, "key_file x", "identity maybe"), "\"identity\" must be one of \"off\" or \"on\"");
    plugin_conf_clear(&c);
}

static void test_command_line(void **state)
{
    (void)state;
    static const char a[] = "mosquitto\0-v\0-c\0/etc/mosquitto/mosquitto.conf";
    static const char b[] = "mosquitto\0-p\0001883";
    static const char cut[] = { 'm', '\0', '-', 'c', '\0', 'x' }; /* no NUL at its end */
    assert_string_equal(broker_conf_path(a, sizeof(a)), "/etc/mosquitto/mosquitto.conf");
    assert_null(broker_conf_path(b, sizeof(b)));
    assert_null(broker_conf_path(cut, sizeof(cut)));
    assert_null(broker_conf_path(a, 16));
    assert_null(broker_conf_path("", 0));
}

struct folder {
    char path[64], more[80];
};

static void put(const char *folder, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/sluice-test-XXXXXX");
    *state = f;
    if (!mkdtemp(f->path))
        return -1;
    snprintf(f->more, sizeof(f->more), "%s/conf.d", f->path);
    return mkdir(f->more, 0700);
}

static int teardown(void **state)
{
    struct folder *f = *state;
    char command[200];
    snprintf(command, sizeof(command), "rm -r '%s'", f->path);
    int rc = system(command);
    free(f);
    return rc;
}

static const char *broker_errors(const struct folder *f, const char *text, struct broker_conf *c)
{
    static char printed[4000];
    char path[200];
    struct errs errs = { 0 };
    put(f->path, "mosquitto.conf", text);
    snprintf(path, sizeof(path), "%s/mosquitto.conf", f->path);
    int rc = broker_conf_read(c, path, &errs);
    struct buf out;
    buf_init(&out, sizeof(printed));
    errs_print(&errs, &out);
    snprintf(printed, sizeof(printed), "%s", out.p ? out.p : "");
    buf_clear(&out);
    assert_int_equal(rc, errs.errors ? -1 : 0);
    errs_clear(&errs);
    return printed;
}

static void test_broker(void **state)
{
    const struct folder *f = *state;
    struct broker_conf c;
    assert_string_equal(broker_errors(f, "", &c), "");
    assert_true(c.allows_anonymous);
    assert_false(c.has_password_file || c.has_acl_file || c.plugins);
    assert_string_equal(
        broker_errors(f,
                      "# allow_anonymous true\r\nlistener 1883 127.0.0.1\r\nplugin /x.so\r\nplugin_opt_key_file k\n"
                      "use_identity_as_username false",
                      &c),
        "");
    assert_false(c.allows_anonymous);
    assert_int_equal(c.plugins, 1);
    assert_string_equal(
        broker_errors(f, "port 1883\nallow_anonymous true\npassword_file  p \nacl_file a\nplugin a\nauth_plugin b\n",
                      &c),
        "");
    assert_true(c.allows_anonymous && c.has_password_file && c.has_acl_file);
    assert_int_equal(c.plugins, 2);
}

static void test_broker_that_cannot_be_served(void **state)
{
    const struct folder *f = *state;
    struct broker_conf c;
    char text[200];
    const char *printed =
        broker_errors(f, "listener 8883\nrequire_certificate true\nuse_identity_as_username true\n", &c);
    assert_says(printed, "mosquitto.conf:3:1: error: use_identity_as_username: ");
    assert_says(printed, "  3 | use_identity_as_username true");
    assert_says(printed, "Use require_certificate alone");
    assert_says(broker_errors(f, "use_subject_as_username true\n", &c), "use_subject_as_username: ");
    assert_says(broker_errors(f, "per_listener_settings true\n", &c), "per_listener_settings: ");
    put(f->more, "b.conf", "use_identity_as_username true\n");
    put(f->more, "a.conf", "allow_anonymous true\n");
    put(f->more, "c.txt", "use_subject_as_username true\n");
    snprintf(text, sizeof(text), "listener 1883\ninclude_dir %s\n", f->more);
    printed = broker_errors(f, text, &c);
    assert_says(printed, "conf.d/b.conf:1:1: error: use_identity_as_username");
    assert_null(strstr(printed, "use_subject_as_username"));
    assert_true(c.allows_anonymous);
    assert_says(broker_errors(f, "include_dir /nowhere/at/all\n", &c), "could not read the folder \"/nowhere/at/all\"");
    snprintf(text, sizeof(text), "include_dir %s\n", f->more);
    put(f->more, "a.conf", text); /* a folder that includes itself ends */
    assert_says(broker_errors(f, text, &c), "could not read the folder");
    struct errs errs = { 0 };
    assert_int_equal(broker_conf_read(&c, "/nowhere/mosquitto.conf", &errs), -1);
    assert_int_equal(errs.errors, 1);
    errs_clear(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test_setup_teardown(test_broker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broker_that_cannot_be_served, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
