/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/mqtt/mqtt_conf.h"

static struct errs errs;
static struct conf *root;
static struct mqtt_conf conf;

static int clean_up(void **state)
{
    (void)state;
    mqtt_conf_clear(&conf);
    conf_free(root);
    root = NULL;
    errs_clear(&errs);
    return 0;
}

static int read_named(const char *name, const char *yaml)
{
    clean_up(NULL);
    struct src *src = src_new(name, yaml, strlen(yaml));
    root = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(root);
    return mqtt_conf_read(&conf, root, &errs);
}

static int read_conf(const char *yaml)
{
    return read_named("sluice.yaml", yaml);
}

/* The first error, as it is shown. */
static const char *shown(void)
{
    static char text[2000];
    struct buf b;
    buf_init(&b, sizeof(text) - 1);
    assert_true(errs.count > 0);
    err_print(&errs.items[0], &b);
    snprintf(text, sizeof(text), "%s", b.p);
    buf_clear(&b);
    return text;
}

/* --- table --- */

static void every_row_is_there_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < MQTT_OPTION_COUNT; i++) {
        assert_non_null(mqtt_options[i].name);
        assert_non_null(mqtt_options[i].help);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(mqtt_options[i].name, mqtt_options[k].name);
    }
}

static void the_readme_shows_the_table(void **state)
{
    (void)state;
    static char readme[50000];
    struct buf help;
    FILE *in = fopen("engine/mqtt/README.md", "r"); /* tests run in the source folder */
    assert_non_null(in);
    readme[fread(readme, 1, sizeof(readme) - 1, in)] = '\0';
    fclose(in);
    buf_init(&help, 100000);
    opt_help(mqtt_options, MQTT_OPTION_COUNT, &help);
    if (!strstr(readme, help.p))
        fail_msg("engine/mqtt/README.md does not show the options, which are\n%s", help.p);
    buf_clear(&help);
}

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtt://h"), 0);
    assert_string_equal(conf.client_id, "sluice");
    assert_int_equal(conf.version, MQTT_V5);
    assert_int_equal(conf.qos, 1);
    assert_int_equal(conf.session_expiry_ms, 24 * 3600 * 1000);
    assert_int_equal(conf.keep_alive_ms, 60000);
    assert_true(conf.basic_ingest && conf.verify_host && !conf.clean_start);
    assert_string_equal(conf.address.uri, "tcp://h:1883");
}

/* --- urls --- */

static void good_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        uint16_t port;
        bool tls, websocket;
        const char *uri;
    } cases[] = {
        { "mqtt://h", "h", 1883, false, false, "tcp://h:1883" },
        { "tcp://h:1", "h", 1, false, false, "tcp://h:1" },
        { "mqtts://h", "h", 8883, true, false, "ssl://h:8883" },
        { "ssl://h:65535", "h", 65535, true, false, "ssl://h:65535" },
        { "ws://h", "h", 80, false, true, "ws://h:80" },
        { "wss://h/mqtt?x=1", "h", 443, true, true, "wss://h:443/mqtt?x=1" },
        { "mqtt://[::1]:1884", "::1", 1884, false, false, "tcp://[::1]:1884" },
        { "mqtt://[fe80::1]", "fe80::1", 1883, false, false, "tcp://[fe80::1]:1883" },
        { "mqtt://127.0.0.1/", "127.0.0.1", 1883, false, false, "tcp://127.0.0.1:1883" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mqtt_address a;
        struct err e = { 0 };
        if (mqtt_address_parse(&a, cases[i].url, &e) < 0)
            fail_msg("%s: %s", cases[i].url, e.text);
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.port, cases[i].port);
        assert_int_equal(a.tls, cases[i].tls);
        assert_int_equal(a.websocket, cases[i].websocket);
        assert_string_equal(a.uri, cases[i].uri);
        mqtt_address_clear(&a);
    }
}

static void bad_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *text, *hint;
    } cases[] = {
        { "", "must begin with a scheme", "mqtt://127.0.0.1:1883" },
        { "h:1883", "must begin with a scheme", "mqtt://" },
        { "mqt://h", "unknown scheme \"mqt\"", "did you mean \"mqtt://\"?" },
        { "http://h", "unknown scheme \"http\"", "" },
        { "mqtt://", "names no host", "" },
        { "mqtt://:1883", "names no host", "" },
        { "mqtt://h:", "must be between 1 and 65535", "" },
        { "mqtt://h:0", "must be between 1 and 65535", "" },
        { "mqtt://h:65536", "must be between 1 and 65535", "" },
        { "mqtt://h:99999999999999999999", "must be between 1 and 65535", "" },
        { "mqtt://h:x", "must be a number", "" },
        { "mqtt://[::1]x", "must be followed by \":\" and a port", "" },
        { "mqtt://a b", "cannot hold white space", "" },
        { "mqtt://h/path", "can have a path", "" },
        { "mqtt://user:secret@h", "cannot hold a user name", "userName" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mqtt_address a;
        struct err e = { 0 };
        assert_int_equal(mqtt_address_parse(&a, cases[i].url, &e), -1);
        if (!strstr(e.text, cases[i].text) || !strstr(e.hint, cases[i].hint))
            fail_msg("%s: %s (%s)", cases[i].url, e.text, e.hint);
        assert_null(strstr(e.text, "secret"));
    }
}

/* --- checks over several options --- */

static void a_bad_url_is_shown_at_its_place(void **state)
{
    (void)state;
    assert_int_equal(read_conf("clientId: x\nurl: mqtt://h:0\n"), -1);
    assert_string_equal(shown(), "sluice.yaml:2:6: error: the port of a broker's url must be between 1 and 65535\n"
                                 "  2 | url: mqtt://h:0\n"
                                 "    |      ^^^^^^^^^^\n");
}

static void unknown_options_name_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtt://h\nclientid: x\n"), -1);
    assert_non_null(strstr(shown(), "sluice.yaml:2:1: error: unknown option \"clientid\" of mqtt"));
    assert_non_null(strstr(shown(), "did you mean \"clientId\"?"));
}

static void independent_errors_come_together(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqt://h\nqos: 3\nclientId: ''\nreconnectMin: 2m\nversion: 4"), -1);
    assert_int_equal(errs.errors, 5);
}

static void tls_options_need_tls(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtt://h\ncaFile: /etc/passwd"), -1);
    assert_non_null(strstr(shown(), "\"caFile\" is of no use without TLS"));
    assert_non_null(strstr(shown(), "mqtts://"));
    assert_int_equal(read_conf("url: ws://h\ncertFile: /etc/passwd"), -1);
    assert_non_null(strstr(shown(), "wss://"));
    assert_int_equal(read_conf("url: mqtts://h\nkeyFile: /etc/passwd"), -1);
    assert_non_null(strstr(shown(), "\"keyFile\" needs \"certFile\""));
    assert_int_equal(read_conf("url: mqtts://h\ncaFile: /etc/passwd\ncertFile: /etc/passwd"), 0);
}

static void unreadable_files_are_found(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtts://h\ncaFile: /no/such/ca.pem"), -1);
    assert_non_null(strstr(shown(), "sluice.yaml:2:9: error: \"caFile\" could not be read: No such file or directory"));
}

static void paths_are_relative_to_the_configuration(void **state)
{
    (void)state;
    char folder[] = "/tmp/mqtt-conf-XXXXXX", path[100], name[100];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/ca.pem", folder);
    snprintf(name, sizeof(name), "%s/sluice.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(read_named(name, "url: mqtts://h\ncaFile: ca.pem"), 0);
    assert_string_equal(conf.ca_file, path);
    unlink(path);
    rmdir(folder);
}

static void a_password_alone_needs_mqtt_5(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtt://h\npassword: secret"), 0);
    assert_int_equal(read_conf("url: mqtt://h\npassword: secret\nversion: 3.1.1"), -1);
    assert_non_null(strstr(errs.items[0].text, "needs \"userName\""));
    assert_null(strstr(errs.items[0].text, "secret"));
}

static void a_missing_map_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(read_conf("[a]"), -1);
    clean_up(NULL);
    assert_int_equal(mqtt_conf_read(&conf, NULL, &errs), -1);
    assert_non_null(strstr(errs.items[0].text, "mqtt needs the option \"url\""));
}

static void remarks_go_to_the_version(void **state)
{
    (void)state;
    assert_int_equal(read_conf("url: mqtt://h\nversion: 3.1.1"), 0);
    assert_int_equal(conf.at.off, strlen("url: mqtt://h\nversion: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_row_is_there_once, clean_up),
        cmocka_unit_test(the_readme_shows_the_table),
        cmocka_unit_test_teardown(defaults, clean_up),
        cmocka_unit_test_teardown(good_urls, clean_up),
        cmocka_unit_test_teardown(bad_urls, clean_up),
        cmocka_unit_test_teardown(a_bad_url_is_shown_at_its_place, clean_up),
        cmocka_unit_test_teardown(unknown_options_name_the_nearest, clean_up),
        cmocka_unit_test_teardown(independent_errors_come_together, clean_up),
        cmocka_unit_test_teardown(tls_options_need_tls, clean_up),
        cmocka_unit_test_teardown(unreadable_files_are_found, clean_up),
        cmocka_unit_test_teardown(paths_are_relative_to_the_configuration, clean_up),
        cmocka_unit_test_teardown(a_password_alone_needs_mqtt_5, clean_up),
        cmocka_unit_test_teardown(a_missing_map_is_an_error, clean_up),
        cmocka_unit_test_teardown(remarks_go_to_the_version, clean_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
