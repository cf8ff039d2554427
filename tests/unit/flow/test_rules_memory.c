/* SPDX-License-Identifier: Apache-2.0 */
/* Fails allocation number 1, 2, 3 … of configuration, rules, targets, router and filters until the work succeeds:
 * each failure is reported, and the sanitizers watch for leaks and wrong accesses. The modules are compiled into
 * this file so that their allocations can be counted; what the folders below allocate is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_actions.h"

#include "tests/unit/failing_alloc.h"

#include "engine/flow/filters.c"
#include "engine/flow/router.c"
#include "engine/flow/topic_trie.c"
#define no_memory no_memory_for_rule_file
#include "engine/flow/rule_file.c"
#undef no_memory
#define no_memory no_memory_for_ruleset
#include "engine/flow/ruleset.c"
#undef no_memory
#define no_memory no_memory_for_conf
#include "engine/flow/service_conf.c"
#undef no_memory
#define no_memory no_memory_for_target
#include "engine/flow/target.c"

static const char service_text[] =
    "sources:\n"
    "  - mqtt: { url: u, ordering: none }\n"
    "connections: { warehouse: { postgres: { conninfo: x } }, bus: { mqtt: { url: u } } }\n"
    "rules: [rules/, one.json]\n"
    "statsFile: s\n";
static const char rules_text[] = "- ruleName: a\n"
                                 "  sql: SELECT * FROM 'a/+/c'\n"
                                 "  actions:\n"
                                 "    - republish: { topic: \"x/${topic(1)}\" }\n"
                                 "    - postgres: { connection: warehouse, table: t, columns: { a: \"${v}\" } }\n"
                                 "  errorAction: { file: { path: p } }\n"
                                 "- ruleName: b\n"
                                 "  sql: SELECT * FROM 'a/b/+'\n"
                                 "- ruleName: c\n"
                                 "  ruleDisabled: true\n"
                                 "  sql: SELECT * FROM 'c'\n"
                                 "  actions: [{ stdout: }]\n";
static const char one_text[] =
    "{\"ruleName\": \"one\", \"topicRulePayload\": {\"sql\": \"SELECT * FROM 'a/b/+'\", \"actions\": []}}";

static char folder[64], service_path[96];

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    char rules[96];
    snprintf(folder, sizeof(folder), "/tmp/sluice-memory-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(service_path, sizeof(service_path), "%s/sluice.yaml", folder);
    snprintf(rules, sizeof(rules), "%s/rules", folder);
    assert_int_equal(mkdir(rules, 0700), 0);
    put("sluice.yaml", service_text);
    put("rules/many.yaml", rules_text);
    put("rules/stem.yaml", "sql: SELECT 1 AS x\n");
    put("one.json", one_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static bool use_ruleset(const struct ruleset *rs)
{
    struct arena a;
    size_t n;
    uint32_t out[4];
    enum router_kind kind;
    arena_init(&a, 1 << 16);
    const char **merged = filters_merge(rs->filters, rs->filter_count, &a, &n);
    if (merged)
        assert_int_equal(n, 1);
    arena_clear(&a);
    assert_int_equal(rs->rule_count, 4);
    assert_int_equal(router_match(rs->router, "a/b/c", 5, NULL, 0, out, 4, &kind), 3);
    return merged != NULL;
}

/* From files to a ruleset. True if everything was there at the end. */
static bool load_all(struct errs *errs)
{
    struct targets targets;
    struct rule_def **defs = NULL;
    size_t count = 0;
    targets_init(&targets, fake_types, &fake_env);
    struct service_conf *c = service_conf_load(service_path, errs);
    if (!c || errs->errors) {
        service_conf_free(c);
        return false;
    }
    bool ok = targets_open(&targets, c->connections, c->sources[0].options, errs) == 0;
    for (size_t i = 0; i < c->rule_count; i++)
        ok = rule_file_read(c->rules[i], &defs, &count, errs) == 0 && ok;
    struct ruleset *rs = ruleset_compile(defs, count, &targets, NULL, errs);
    ok = ok && rs;
    assert_int_equal(ok, errs->errors == 0);
    if (ok && !use_ruleset(rs))
        ok = false;
    ruleset_unref(rs);
    targets_clear(&targets);
    service_conf_free(c);
    assert_int_equal(fake_actions, 0);
    assert_int_equal(fake_targets, 0);
    return ok;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1; n < 10000; n++) {
        struct errs errs = { 0 };
        allocations_left = n;
        bool ok = load_all(&errs);
        bool failed = allocations_left == 0;
        allocations_left = SIZE_MAX;
        failures += !ok;
        errs_clear(&errs);
        if (!failed) {
            assert_true(ok);
            assert_in_range(failures, 50, 9999);
            return;
        }
    }
    fail_msg("there is no end");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_every_allocation_fails_once, setup,
                                                                        teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
