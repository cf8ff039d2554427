/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice check`: every error of every file, before anything runs. */
#include "engine/apps/sluice/cmds.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/apps/sluice/wire.h"

#define CONF_NAME      "sluice.yaml"
#define PATH_BYTES_MAX 4096

/* sluice.yaml in the folder of `file` or one above it, appended to out; false if there is none. */
static bool find_above(const char *file, struct buf *out)
{
    char *start = realpath(file, NULL);
    bool found = false;
    size_t len = start ? strlen(start) : 0;
    while (len > 0 && !found) {
        while (len > 0 && start[len - 1] != '/')
            len--;
        buf_reset(out);
        buf_put(out, start, len);
        buf_puts(out, CONF_NAME);
        found = len > 0 && !out->failed && access(out->p, F_OK) == 0;
        if (len > 0)
            len--;
    }
    free(start);
    return found;
}

/* The configuration to use: as named, else here, else beside or above the first file. NULL: none. */
static const char *find_conf(const char *named, const char *first_file, struct buf *out)
{
    if (named)
        return named;
    if (!first_file || access(CONF_NAME, F_OK) == 0)
        return CONF_NAME;
    return find_above(first_file, out) ? out->p : NULL;
}

/* What an unreadable configuration leaves unchecked, or makes look wrong. */
static void note_unreadable(const struct service *s, const char *conf, bool named, struct errs *errs)
{
    if (!conf || access(conf, R_OK) != 0 || (s->conf && s->conf->root->kind == CONF_MAP))
        return;
    if (named)
        errs_add(errs, SEV_NOTE, ERR_CONF_VALUE, (struct span) { 0 },
                 "the connections of \"%.120s\" could not be read: those that rules name count as unknown", conf);
    else
        errs_add(errs, SEV_NOTE, ERR_CONF_VALUE, (struct span) { 0 },
                 "the rules of \"%.120s\" could not be read: no rule file is checked", conf);
}

static void print_success(const struct ruleset *rules, size_t warnings)
{
    size_t count = rules ? rules->def_count : 0, disabled = rules ? count - rules->rule_count : 0;
    printf("%zu rule%s checked", count, count == 1 ? "" : "s");
    if (disabled)
        printf(" (%zu disabled)", disabled);
    printf(", no errors, %zu warning%s\n", warnings, warnings == 1 ? "" : "s");
}

static int check(const char *conf, char *const *files, size_t count)
{
    struct errs errs = { 0 };
    struct service s;
    service_open(&s, conf, &errs);
    s.check_tests = true;
    note_unreadable(&s, conf, count > 0, &errs);
    service_compile(&s, files, count, NULL, &errs);
    int rc = errs.errors == 0 ? 0 : -1;
    print_errs(&errs);
    if (rc == 0)
        print_success(s.ruleset, errs.warnings);
    else
        printf("%zu error%s, %zu warning%s\n", errs.errors, errs.errors == 1 ? "" : "s", errs.warnings,
               errs.warnings == 1 ? "" : "s");
    service_close(&s);
    errs_clear(&errs);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_check(int argc, char **argv)
{
    const char *conf = NULL;
    const struct cmd_option options[] = { { "config", 'c', &conf, NULL } };
    bool done;
    int n = cmd_options("check", options, 1, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    struct buf found;
    buf_init(&found, PATH_BYTES_MAX);
    int code = check(find_conf(conf, n ? argv[1] : NULL, &found), argv + 1, (size_t)n);
    buf_clear(&found);
    return code;
}
