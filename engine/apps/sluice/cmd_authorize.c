/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice authorize`: what policies say to an action, and which statement says it; or cases of policies. */
#include "engine/apps/sluice/cmds.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/authorize_cases.h"
#include "engine/devices/policy_set.h"

#define PRINT_MAX ((size_t)1 << 16)

struct texts {
    const char *policies, *client, *principal, *user, *thing, *source_ip, *region, *account;
};

static void print_verdict(const struct policy_verdict *v, const char *resource, bool is_trusted)
{
    struct buf place;
    buf_init(&place, PRINT_MAX);
    printf("%-13s %s  ", policy_decision_name(v->decision), resource);
    if (is_trusted)
        printf("one of trustedClients\n");
    else if (!v->policy)
        printf("no statement allows it\n");
    else {
        err_print_place(&(struct err) { .code = ERR_EVAL, .at = v->at }, &place);
        printf("policy \"%s\"%s%s%s, %s\n", policy_name(v->policy), v->sid ? ", statement \"" : "",
               v->sid ? v->sid : "", v->sid ? "\"" : "", place.failed || !place.len ? "?" : place.p);
    }
    buf_clear(&place);
}

/* argv: what stood for the action, then resources. */
static int decide_all(struct policy_view *view, const char *action, int count, char **argv)
{
    int code = EXIT_OK;
    for (int i = 1; i < count; i++) {
        bool is_trusted = policy_view_is_trusted(view);
        struct policy_verdict v = policy_view_decide_resource(view, action, policy_text_of(argv[i]));
        if (is_trusted)
            v = (struct policy_verdict) { .decision = POLICY_ALLOWED };
        print_verdict(&v, argv[i], is_trusted);
        code = v.decision == POLICY_ALLOWED ? code : EXIT_FAILED;
    }
    return code;
}

/* "a.yaml,more/" cut in place. */
static size_t split(char *list, const char **paths)
{
    size_t count = 0;
    for (char *save = NULL, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save))
        paths[count++] = p;
    return count;
}

/* One for each comma, and one. NULL: memory. */
static const char **paths_new(const char *list)
{
    size_t most = 1;
    for (const char *p = list; *p; p++)
        most += *p == ',';
    return calloc(most, sizeof(char *));
}

static int check_words(const struct texts *t, const char *action)
{
    const char *near;
    if (strspn(t->policies, ",") == strlen(t->policies))
        return fail("authorize", "--policies names no file"), -1;
    if (policy_action_is_known(action, &near))
        return 0;
    fail("authorize", "unknown action \"%s\"", action);
    if (near)
        fprintf(stderr, "hint: did you mean \"%s\"?\n", near);
    return -1;
}

static int authorize(const struct texts *t, int count, char **argv)
{
    char action[80];
    struct errs errs = { 0 };
    const struct policy_scope scope = { .region = t->region, .account_id = t->account };
    const struct policy_subject who = { .client_id = policy_text_of(t->client),
                                        .principal = policy_text_of(t->principal ? t->principal : t->user),
                                        .user_name = policy_text_of(t->user),
                                        .source_ip = policy_text_of(t->source_ip),
                                        .attached_thing = policy_text_of(t->thing) };
    snprintf(action, sizeof(action), "%s%s", strncasecmp(argv[0], "iot:", 4) == 0 ? "" : "iot:", argv[0]);
    if (check_words(t, action) < 0)
        return EXIT_USAGE;
    char *list = strdup(t->policies);
    const char **paths = paths_new(t->policies);
    struct policy_set *set = list && paths ? policy_set_load(paths, split(list, paths), &scope, &errs) : NULL;
    struct policy_view *view = set ? policy_view_new(set, &who) : NULL;
    int code = EXIT_FAILED;
    print_errs(&errs);
    if (view)
        code = decide_all(view, action, count, argv);
    else if (errs.errors == 0)
        fail("authorize", "not enough memory");
    policy_view_free(view);
    policy_set_unref(set);
    errs_clear(&errs);
    free(paths);
    free(list);
    return code;
}

static int run_cases(const char *first, int count, char **argv)
{
    size_t passed = 0, failed = 0;
    int rc = authorize_cases_run(first, &passed, &failed);
    for (int i = 0; i < count; i++)
        rc |= authorize_cases_run(argv[i], &passed, &failed);
    printf("%zu passed, %zu failed\n", passed, failed);
    if (rc == 0 && passed + failed == 0)
        return fail("authorize", "there are no cases");
    return rc == 0 && failed == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_authorize(int argc, char **argv)
{
    struct texts t = { 0 };
    const char *cases = NULL;
    bool done;
    const struct cmd_option options[] = {
        { "policies", 'p', &t.policies, NULL }, { "client", 'c', &t.client, NULL },
        { "principal", 0, &t.principal, NULL }, { "user", 0, &t.user, NULL },
        { "thing", 0, &t.thing, NULL },         { "source-ip", 0, &t.source_ip, NULL },
        { "region", 0, &t.region, NULL },       { "account", 0, &t.account, NULL },
        { "cases", 0, &cases, NULL },
    };
    int n = cmd_options("authorize", options, sizeof(options) / sizeof(options[0]), argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (cases)
        return run_cases(cases, n, argv + 1);
    if (t.policies && t.client && n >= 2)
        return authorize(&t, n, argv + 1);
    fail("authorize", "give --policies, --client, an action and a resource, or --cases");
    return EXIT_USAGE;
}
