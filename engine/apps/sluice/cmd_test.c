/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice test`: the tests of case files and rule files. */
#include "engine/apps/sluice/cmds.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/apps/sluice/case_run.h"
#include "engine/apps/sluice/read_file.h"
#include "engine/apps/sluice/test_report.h"
#include "engine/base/path.h"
#include "engine/flow/rule_file.h"
#include "engine/flow/rule_watch.h"

#define DETAILS_MAX    ((size_t)16 << 20)
#define CASE_ARENA_MAX ((size_t)512 << 20)
#define QUIET_MS       100
#define LOOK_AGAIN_MS  1000

struct tester {
    struct test_report report;
    struct arena arena; /* of one case */
    struct buf details;
    void *ids; /* tsearch tree of the current file's: owned texts */
};

static void fail_case(struct tester *t, const char *file, unsigned line, const char *id, const struct err *e)
{
    buf_reset(&t->details);
    buf_printf(&t->details, "  %s\n", e->text);
    if (e->hint[0])
        buf_printf(&t->details, "  hint: %s\n", e->hint);
    test_report_fail(&t->report, file, line, id, NULL, t->details.p);
}

/* A case that did not hold: why, and the section of a specification that it is of. */
static void fail_run(struct tester *t, const char *file, unsigned line, const struct test_case *c)
{
    struct buf why;
    buf_init(&why, DETAILS_MAX);
    buf_puts(&why, c->why ? c->why : "");
    if (c->section)
        buf_printf(&why, "%s(section %s)", c->why ? " " : "", c->section);
    test_report_fail(&t->report, file, line, c->id, why.len ? why.p : NULL, t->details.p ? t->details.p : "");
    buf_clear(&why);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Remember the id in the current file; -1 if it was there already. */
static int take_id(struct tester *t, const char *id, struct err *e)
{
    char *copy = strdup(id);
    char **kept = copy ? tsearch(copy, &t->ids, compare_ids) : NULL;
    if (kept && *kept == copy)
        return 0;
    free(copy);
    return kept ? err_set(e, ERR_CONF_NAME, "the id is taken by an earlier case of this file")
                : err_set(e, ERR_MEMORY, "out of memory");
}

static void forget_ids(struct tester *t)
{
    tdestroy(t->ids, free);
    t->ids = NULL;
}

/* Read and run the case that a JSON text holds. */
static void run_text(struct tester *t, const char *file, unsigned line, const char *text, size_t len,
                     const struct case_defaults *defaults)
{
    struct test_case c;
    struct err e = { 0 };
    char id[32];
    snprintf(id, sizeof id, "%u", line);
    arena_reset(&t->arena);
    const struct json_doc *doc = json_parse(&t->arena, text, len, NULL, &e);
    if (!doc || case_read(&c, doc, defaults, line, &t->arena, &e) < 0) {
        fail_case(t, file, line, id, &e);
        return;
    }
    bool has_id = json_member(doc, 0, "id", 2) != 0; /* else it is the line's number */
    if (has_id && take_id(t, c.id, &e) < 0) {
        fail_case(t, file, line, c.id, &e);
        return;
    }
    buf_reset(&t->details);
    if (case_run(&c, &t->details))
        test_report_pass(&t->report, file, c.id);
    else
        fail_run(t, file, line, &c);
}

static void run_case_lines(struct tester *t, const char *file, const char *text, size_t len)
{
    unsigned line = 1;
    for (size_t i = 0; i < len; line++) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;
        if (strspn(text + i, " \t\r") < n)
            run_text(t, file, line, text + i, n, &(struct case_defaults) { 0 });
        i += n + 1;
    }
}

static void run_rule_tests(struct tester *t, const char *file, const struct rule_def *def)
{
    const struct case_defaults defaults = { def->sql->text, def->sql->len, def->version, def->name };
    struct buf json;
    buf_init(&json, DETAILS_MAX);
    for (size_t i = 0; def->tests && i < def->tests->count; i++) {
        const struct conf *test = def->tests->items[i];
        buf_reset(&json);
        conf_write_json(&json, test);
        run_text(t, file, src_place_of(test->at.src, test->at.off).line, json.p ? json.p : "", json.len, &defaults);
    }
    buf_clear(&json);
}

static void run_rule_file(struct tester *t, const char *file)
{
    struct errs errs = { 0 };
    struct rule_def **defs = NULL;
    size_t count = 0;
    if (rule_file_read(file, &defs, &count, &errs) < 0) {
        print_errs(&errs);
        test_report_fail(&t->report, file, 1, file, "the rule file cannot be read", "");
    }
    for (size_t i = 0; i < count; i++) {
        run_rule_tests(t, file, defs[i]);
        rule_def_free(defs[i]);
    }
    free(defs);
    errs_clear(&errs);
}

/* AWS's validation tool: one object a file, known by its "inputSql". */
static bool is_aws_fixture(struct tester *t, const char *text, size_t len)
{
    struct err e = { 0 };
    arena_reset(&t->arena);
    const struct json_doc *doc = json_parse(&t->arena, text, len, NULL, &e);
    return doc && json_at(doc, 0)->kind == JSON_OBJECT && json_member(doc, 0, "inputSql", 8) != 0;
}

static bool is_rule_yaml(const char *file)
{
    return path_ends_in(file, ".yaml") || path_ends_in(file, ".yml");
}

static void run_json_file(struct tester *t, const char *file)
{
    struct err e = { 0 };
    size_t len;
    bool lines = path_ends_in(file, ".jsonl");
    char *text = read_file(file, &len, &e);
    if (!text)
        fail_case(t, file, 1, file, &e);
    else if (lines)
        run_case_lines(t, file, text, len);
    else if (is_aws_fixture(t, text, len))
        run_text(t, file, 1, text, len, &(struct case_defaults) { 0 });
    else
        run_rule_file(t, file);
    free(text);
}

static bool is_json(const char *file)
{
    return path_ends_in(file, ".jsonl") || path_ends_in(file, ".json");
}

static void run_file(struct tester *t, const char *file)
{
    struct err e = { 0 };
    if (is_json(file)) {
        run_json_file(t, file);
    } else if (is_rule_yaml(file)) {
        run_rule_file(t, file);
    } else {
        err_set(&e, ERR_CONF_VALUE, "this kind of file holds no tests");
        err_hint(&e, "Tests are in case files (.jsonl, .json) and in rule files (.yaml, .yml, .json).");
        fail_case(t, file, 1, file, &e);
    }
    forget_ids(t);
}

static bool is_test_name(const char *name)
{
    return name[0] != '.' && (is_json(name) || is_rule_yaml(name));
}

static int is_test_file(const struct dirent *d)
{
    return is_test_name(d->d_name);
}

/* A file, or every test file of a folder in order of name. */
static void run_path(struct tester *t, const char *path)
{
    struct stat st;
    struct dirent **entries;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        run_file(t, path);
        return;
    }
    int n = scandir(path, &entries, is_test_file, alphasort);
    if (n <= 0) {
        struct err e = { 0 };
        err_set(&e, ERR_IO, "no test files in the folder%s%s", n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
        fail_case(t, path, 1, path, &e);
    }
    for (int i = 0; i < n; i++) {
        struct buf file;
        buf_init(&file, DETAILS_MAX);
        buf_printf(&file, "%s%s%s", path, path_ends_in(path, "/") ? "" : "/", entries[i]->d_name);
        run_file(t, file.p);
        buf_clear(&file);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* Run all tests once. */
static int test_paths(const char *const *paths, size_t count, const char *junit)
{
    struct tester t = { 0 };
    test_report_init(&t.report);
    arena_init(&t.arena, CASE_ARENA_MAX);
    buf_init(&t.details, DETAILS_MAX);
    for (size_t i = 0; i < count; i++)
        run_path(&t, paths[i]);
    test_report_summary(&t.report);
    int code = t.report.failed ? EXIT_FAILED : EXIT_OK;
    if (junit && test_report_write_junit(&t.report, junit) < 0)
        code = fail("test", "cannot write \"%s\": %s", junit, strerror(errno));
    test_report_clear(&t.report);
    arena_clear(&t.arena);
    buf_clear(&t.details);
    return code;
}

/* Run all tests now and after each change, until the process is interrupted. */
static int watch_paths(const char *const *paths, size_t count, const char *junit)
{
    struct err e = { 0 };
    struct rule_watch *watch = rule_watch_new(paths, count, is_test_name, &e);
    if (!watch)
        return fail("test", "%s", e.text);
    for (;;) {
        struct pollfd changed = { .fd = rule_watch_fd(watch), .events = POLLIN };
        test_paths(paths, count, junit);
        if (fflush(stdout) != 0) {
            rule_watch_free(watch);
            return fail("test", "cannot write the results: %s", strerror(errno));
        }
        do
            poll(&changed, 1, LOOK_AGAIN_MS); /* a folder that went may have come back */
        while (!rule_watch_take(watch));
        while (poll(&changed, 1, QUIET_MS) > 0) /* a save is several events */
            rule_watch_take(watch);
        printf("\n");
    }
}

int cmd_test(int argc, char **argv)
{
    const char *junit = NULL;
    bool watch = false, done;
    const struct cmd_option options[] = { { "junit", 0, &junit, NULL }, { "watch", 'w', NULL, &watch } };
    int n = cmd_options("test", options, 2, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (n == 0) {
        cmd_print_help(cmd_find("test"), stderr);
        return EXIT_USAGE;
    }
    const char *const *paths = (const char *const *)argv + 1;
    return watch ? watch_paths(paths, (size_t)n, junit) : test_paths(paths, (size_t)n, junit);
}
