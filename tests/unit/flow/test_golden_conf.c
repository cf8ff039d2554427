/* SPDX-License-Identifier: Apache-2.0 */
/* Error texts of configurations and rule files: every folder in tests/golden/conf holds files and what `check` says
 * about them.
 *
 * A folder with a sluice.yaml is read as a service: its connections, then its rules. One without is read as rule
 * files, with a broker at hand. The texts in expected.txt are the printed errors, with paths relative to the
 * folder. GOLDEN_UPDATE=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/flow/rule_file.h"
#include "engine/flow/ruleset.h"
#include "engine/flow/service_conf.h"
#include "fake_actions.h"

#define GOLDEN_FOLDER "tests/golden/conf"
#define GOLDEN_LEAST  40

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int is_rule_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".json") == 0);
}

static const struct conf *first_mqtt(const struct service_conf *c)
{
    for (size_t i = 0; i < c->source_count; i++) {
        if (strcmp(c->sources[i].kind, "mqtt") == 0)
            return c->sources[i].options;
    }
    return NULL;
}

static void read_rules(char *const *paths, size_t count, struct targets *targets, struct errs *errs)
{
    struct rule_def **defs = NULL;
    size_t n = 0, errors = errs->errors;
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        rc |= rule_file_read(paths[i], &defs, &n, errs);
    assert_int_equal(rc<0, errs->errors> errors);
    ruleset_unref(ruleset_compile(defs, n, targets, NULL, errs));
}

static void read_folder_rules(struct targets *targets, struct errs *errs)
{
    struct dirent **entries;
    char *paths[16];
    int n = scandir(".", &entries, is_rule_file, alphasort);
    assert_in_range(n, 1, 16);
    for (int i = 0; i < n; i++)
        paths[i] = entries[i]->d_name;
    read_rules(paths, (size_t)n, targets, errs);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* What is wrong in the current folder, printed. */
static void check_folder(struct buf *out)
{
    struct errs errs = { 0 };
    struct targets targets;
    struct service_conf *conf = NULL;
    struct src *src = src_new("<broker>", "url: mqtt://127.0.0.1", strlen("url: mqtt://127.0.0.1"));
    struct conf *broker = conf_parse(src, false, &errs);
    targets_init(&targets, fake_types, &fake_env);
    if (access("sluice.yaml", F_OK) != 0) {
        targets_open(&targets, NULL, broker, &errs);
        read_folder_rules(&targets, &errs);
    } else if ((conf = service_conf_load("sluice.yaml", &errs)) != NULL) {
        targets_open(&targets, conf->connections, first_mqtt(conf), &errs);
        read_rules(conf->rules, conf->rule_count, &targets, &errs);
    }
    errs_sort(&errs);
    errs_print(&errs, out);
    buf_printf(out, "%zu errors, %zu warnings\n", errs.errors, errs.warnings);
    targets_clear(&targets);
    service_conf_free(conf);
    conf_free(broker);
    src_unref(src);
    errs_clear(&errs);
    assert_int_equal(fake_actions, 0);
    assert_int_equal(fake_targets, 0);
}

static void read_expected(struct buf *out)
{
    FILE *file = fopen("expected.txt", "r");
    char piece[4096];
    for (size_t n; file && (n = fread(piece, 1, sizeof(piece), file)) > 0;)
        buf_put(out, piece, n);
    if (file)
        fclose(file);
}

static void write_expected(const struct buf *text)
{
    FILE *file = fopen("expected.txt", "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text->p, 1, text->len, file), text->len);
    assert_int_equal(fclose(file), 0);
}

/* True if the folder's text is as expected. */
static bool run_case(const char *name)
{
    struct buf got, want;
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(GOLDEN_FOLDER), 0);
    assert_int_equal(chdir(name), 0);
    check_folder(&got);
    if (getenv("GOLDEN_UPDATE"))
        write_expected(&got);
    read_expected(&want);
    assert_int_equal(chdir(before), 0);
    free(before);
    bool same = got.len == want.len && memcmp(got.p, want.p ? want.p : "", got.len) == 0;
    if (!same)
        print_message("%s/%s: expected\n%sbut got\n%s\n", GOLDEN_FOLDER, name, want.p ? want.p : "nothing\n", got.p);
    buf_clear(&got);
    buf_clear(&want);
    return same;
}

static void test_golden(void **state)
{
    (void)state;
    struct dirent **entries;
    int failed = 0, n = scandir(GOLDEN_FOLDER, &entries, not_hidden, alphasort);
    unsetenv("SLUICE_GOLDEN_UNSET");
    setenv("SLUICE_GOLDEN_SECRET", "s3cret-value", 1);
    for (int i = 0; i < n; i++) {
        failed += !run_case(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(failed, 0);
    assert_true(n >= GOLDEN_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
