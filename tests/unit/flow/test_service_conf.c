/* SPDX-License-Identifier: Apache-2.0 */
/* sluice.yaml: defaults, values, paths, secrets. Error texts are in tests/golden/conf. */
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

#include "engine/flow/service_conf.h"

struct fixture {
    char folder[64];
    struct errs errs;
    struct service_conf *c;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/sluice-conf-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    service_conf_free(f->c);
    errs_clear(&f->errs);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    return path;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(path_of(f, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const struct service_conf *load(struct fixture *f, const char *text)
{
    service_conf_free(f->c);
    errs_clear(&f->errs);
    put(f, "sluice.yaml", text);
    f->c = service_conf_load(path_of(f, "sluice.yaml"), &f->errs);
    return f->c;
}

static const struct service_conf *load_good(struct fixture *f, const char *text)
{
    load(f, text);
    for (size_t i = 0; i < f->errs.count; i++)
        print_message("%s\n", f->errs.items[i].text);
    assert_non_null(f->c);
    assert_int_equal(f->errs.count, 0);
    return f->c;
}

/* That text must be refused with exactly one error. */
static void load_bad(struct fixture *f, const char *text, enum err_code code, const char *part, const char *hint)
{
    load(f, text);
    assert_int_equal(f->errs.errors, 1);
    assert_int_equal(f->errs.items[0].code, code);
    if (!strstr(f->errs.items[0].text, part) || !strstr(f->errs.items[0].hint, hint))
        fail_msg("%s (%s)", f->errs.items[0].text, f->errs.items[0].hint);
}

#define MINIMUM "sources: [{ replay: }]\nrules: []\n"

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    const struct service_conf *c = load_good(f, MINIMUM);
    assert_int_equal(c->source_count, 1);
    assert_string_equal(c->sources[0].kind, "replay");
    assert_int_equal(c->sources[0].options->kind, CONF_MAP);
    assert_int_equal(c->sources[0].options->count, 0);
    assert_int_equal(c->sources[0].ordering, ORDERING_TOPIC);
    assert_null(c->connections);
    assert_int_equal(c->rule_count, 0);
    assert_string_equal(c->account_id, "000000000000");
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->in_flight, 1000);
    assert_int_equal(c->drain_ms, 10000);
    assert_int_equal(c->retry_min_ms, 100);
    assert_int_equal(c->retry_max_ms, 30000);
    assert_int_equal(c->outbox_items, 10000);
    assert_string_equal(c->dead_letters, "dead-letters.ndjson");
    assert_null(c->stats_file);
    assert_int_equal(c->stats_interval_ms, 1000);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_int_equal(c->log_form, LOG_FORM_AUTO);
    assert_string_equal(c->folder, f->folder);
}

static void test_all_values(void **state)
{
    struct fixture *f = *state;
    put(f, "one.yaml", "");
    assert_int_equal(mkdir(path_of(f, "rules"), 0700), 0);
    const struct service_conf *c = load_good(f, "sources:\n"
                                                "  - mqtt: { url: mqtt://127.0.0.1, ordering: client, clientId: c }\n"
                                                "  - replay: { path: x, ordering: none }\n"
                                                "connections: { bus: { mqtt: { url: u } } }\n"
                                                "rules: [rules/, /etc, one.yaml]\n"
                                                "accountId: 012345678901\n"
                                                "workers: 4\n"
                                                "inFlight: 20\n"
                                                "drainTimeout: 1m\n"
                                                "retry: { min: 1s, max: 1s }\n"
                                                "outbox: { items: 5 }\n"
                                                "deadLetters: { path: /var/dead }\n"
                                                "statsFile: run/stats.json\n"
                                                "statsInterval: 20ms\n"
                                                "log: { level: debug, form: json }\n");
    assert_int_equal(c->source_count, 2);
    assert_int_equal(c->sources[0].ordering, ORDERING_CLIENT);
    assert_int_equal(c->sources[1].ordering, ORDERING_NONE);
    const struct conf *options = c->sources[0].options;
    assert_int_equal(options->count, 2); /* without "ordering" */
    assert_string_equal(conf_get(options, "url")->text, "mqtt://127.0.0.1");
    assert_string_equal(conf_get(options, "clientId")->text, "c");
    assert_null(conf_get(options, "ordering"));
    assert_int_equal(src_place_of(c->sources[0].at.src, c->sources[0].at.off).column, 5);
    assert_non_null(conf_get(c->connections, "bus"));
    assert_int_equal(c->rule_count, 3);
    assert_string_equal(c->rules[0], path_of(f, "rules/"));
    assert_string_equal(c->rules[1], "/etc");
    assert_string_equal(c->rules[2], path_of(f, "one.yaml"));
    assert_string_equal(c->account_id, "012345678901");
    assert_int_equal(c->workers, 4);
    assert_int_equal(c->in_flight, 20);
    assert_int_equal(c->drain_ms, 60000);
    assert_int_equal(c->retry_min_ms, 1000);
    assert_int_equal(c->retry_max_ms, 1000);
    assert_int_equal(c->outbox_items, 5);
    assert_string_equal(c->dead_letters, "/var/dead");
    assert_string_equal(c->stats_file, path_of(f, "run/stats.json"));
    assert_int_equal(c->stats_interval_ms, 20);
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->log_form, LOG_FORM_JSON);
}

/* In the current folder paths stay as they are written. */
static void test_paths_in_current_folder(void **state)
{
    struct fixture *f = *state;
    char *before = getcwd(NULL, 0);
    assert_int_equal(mkdir(path_of(f, "rules"), 0700), 0);
    put(f, "here.yaml", "sources: [{ replay: }]\nrules: rules/\n");
    assert_int_equal(chdir(f->folder), 0);
    f->c = service_conf_load("here.yaml", &f->errs);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_non_null(f->c);
    assert_string_equal(f->c->folder, ".");
    assert_string_equal(f->c->rules[0], "rules/");
    assert_string_equal(f->c->dead_letters, "dead-letters.ndjson");
}

static void test_secrets(void **state)
{
    struct fixture *f = *state;
    setenv("SLUICE_TEST_SECRET", "se${env:X}cret", 1);
    const struct service_conf *c =
        load_good(f, "sources: [{ mqtt: { url: u, password: \"${env:SLUICE_TEST_SECRET}\" } }]\nrules: []\n");
    assert_string_equal(conf_get(c->sources[0].options, "password")->text, "se${env:X}cret");
    unsetenv("SLUICE_TEST_SECRET");
    load_bad(f, "sources: [{ mqtt: { password: \"${env:SLUICE_TEST_SECRET}\" } }]\nrules: []\n", ERR_CONF_NAME,
             "\"SLUICE_TEST_SECRET\" is not set", "");
}

static void test_bad_values(void **state)
{
    struct fixture *f = *state;
    load_bad(f, MINIMUM "store: postgres://x", ERR_CONF_VALUE, "\"store\" must be sqlite:PATH",
             "is not implemented yet");
    load_bad(f, MINIMUM "store: 'sqlite:'", ERR_CONF_VALUE, "\"store\" must be sqlite:PATH", "");
    load_bad(f, MINIMUM "admin: 8080", ERR_CONF_TYPE, "\"admin\" must be a map", "listen: \"127.0.0.1:8080\"");
    load_bad(f, MINIMUM "retry: { store: 1 }", ERR_CONF_KEY, "unknown option \"store\" of \"retry\"", "");
    load_bad(f, MINIMUM "inflight: 5", ERR_CONF_KEY, "unknown option \"inflight\"", "did you mean \"inFlight\"?");
    load_bad(f, MINIMUM "inFlight: 0", ERR_CONF_VALUE, "between 1 and 1000000", "");
    load_bad(f, MINIMUM "workers: many", ERR_CONF_TYPE, "must be a whole number", "");
    load_bad(f, MINIMUM "accountId: 12345", ERR_CONF_VALUE, "\"accountId\" must have 12 digits", "");
    load_bad(f, MINIMUM "accountId: 12345678901x", ERR_CONF_VALUE, "\"accountId\" must have 12 digits", "");
    load_bad(f, MINIMUM "retry: { min: 2s, max: 1s }", ERR_CONF_VALUE, "must not be less than", "");
    load_bad(f, MINIMUM "retry: { min: 31s }", ERR_CONF_VALUE, "\"max\" of \"retry\" (30000 ms)", "");
    load_bad(f, MINIMUM "retry: { min: 31s, max: x }", ERR_CONF_TYPE, "must be a duration", "");
    load_bad(f, MINIMUM "retry: 5s", ERR_CONF_TYPE, "the options of \"retry\" must be a map", "");
    load_bad(f, MINIMUM "connections: [x]", ERR_CONF_TYPE, "\"connections\" must be a map, not a list", "For example");
    load_bad(f, MINIMUM "log: { level: inf }", ERR_CONF_VALUE, "\"level\" must be one of", "did you mean \"info\"?");
    load_bad(f, "sources: [{ replay: }]\nrules: {}", ERR_CONF_TYPE, "\"rules\" must be a list of paths, not a map", "");
    load_bad(f, "sources: [{ replay: }]\nrules: [., [b]]", ERR_CONF_TYPE, "must hold paths, not a list", "");
    load_bad(f, "sources: [{ replay: }]\nrules: [., '']", ERR_CONF_VALUE, "not a path", "");
    load_bad(f, "sources: [{ replay: }]\nrules: [., .]", ERR_CONF_VALUE, "given twice", "");
    load_bad(f, "sources: [{ replay: }]", ERR_CONF_MISSING, "needs the option \"rules\"", "");
}

static void test_bad_sources(void **state)
{
    struct fixture *f = *state;
    load_bad(f, "rules: []", ERR_CONF_MISSING, "needs the option \"sources\"", "");
    load_bad(f, "rules: []\nsources: []", ERR_CONF_TYPE, "list of at least one source", "For example");
    load_bad(f, "rules: []\nsources: { mqtt: {} }", ERR_CONF_TYPE, "list of at least one source", "For example");
    load_bad(f, "rules: []\nsources: [mqtt]", ERR_CONF_TYPE, "a source must be a map with one member", "For example");
    load_bad(f, "rules: []\nsources: [{}]", ERR_CONF_TYPE, "a source must be a map with one member", "For example");
    load_bad(f, "rules: []\nsources: [{ mqtt: {}, replay: {} }]", ERR_CONF_TYPE,
             "has exactly one member, here \"mqtt\"", "\"-\"");
    load_bad(f, "rules: []\nsources:\n  - mqtt:\n    url: x\n", ERR_CONF_TYPE, "has exactly one member, here \"mqtt\"",
             "indented");
    load_bad(f, "rules: []\nsources: [{ mqtt: tcp }]", ERR_CONF_TYPE, "the options of mqtt must be a map, not a text",
             "");
    load_bad(f, "rules: []\nsources: [{ mqtt: { ordering: topics } }]", ERR_CONF_VALUE, "\"ordering\" must be one of",
             "did you mean \"topic\"?");
    load_bad(f, "[]", ERR_CONF_TYPE, "the options of the service must be a map, not a list", "");
    load_bad(f, "{", ERR_YAML_SYNTAX, "", "");
}

/* What is right stands beside the errors, so that a check goes on to connections and rules. */
static void test_errors_leave_the_rest(void **state)
{
    struct fixture *f = *state;
    put(f, "one.yaml", "");
    load_bad(f, "sources: [{ mqtt: { url: u } }]\nrules: [missing.yaml, one.yaml]\nconnections: { a: { mqtt: } }\n",
             ERR_IO, "missing.yaml\": No such file or directory", "");
    assert_non_null(f->c);
    assert_int_equal(f->c->rule_count, 1);
    assert_string_equal(f->c->rules[0], path_of(f, "one.yaml"));
    assert_int_equal(f->c->source_count, 1);
    assert_int_equal(conf_get(conf_get(f->c->connections, "a"), "mqtt")->kind, CONF_MAP);
    load_bad(f, "{", ERR_YAML_SYNTAX, "", "");
    assert_null(f->c);
}

static void test_missing_file(void **state)
{
    struct fixture *f = *state;
    assert_null(service_conf_load(path_of(f, "nothing.yaml"), &f->errs));
    assert_int_equal(f->errs.errors, 1);
    assert_int_equal(f->errs.items[0].code, ERR_IO);
    assert_non_null(strstr(f->errs.items[0].text, "No such file or directory"));
}

static void test_help(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    service_conf_help(&out);
    static const char *const names[] = { "sources ",       "inFlight ", "ordering ",
                                         "retry:\n  min ", "items ",    "log:\n  level " };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strstr(out.p, names[i]))
            fail_msg("\"%s\" is not in the help", names[i]);
    }
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths_in_current_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_leave_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_file, setup, teardown),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
