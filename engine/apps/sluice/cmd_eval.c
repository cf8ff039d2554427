/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice eval`: one statement on payloads from standard input, one a line, or on one payload from a file. */
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/trial.h"
#include "engine/base/json.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define CHECK_MAX  SQL_DEFAULT_ARENA /* for what an evaluation could read */

struct eval {
    struct trial trial;
    struct buf out;
    bool require_json;
    bool was_not_json; /* some payload, and that was an error */
    struct arena check_arena;
};

/* Is the payload JSON, if it must be? `name` says which one it is. */
static bool accept_payload(struct eval *eval, const char *name, const char *payload, size_t len)
{
    struct err e = { 0 };
    if (!eval->require_json)
        return true;
    arena_reset(&eval->check_arena);
    if (json_parse(&eval->check_arena, payload, len, NULL, &e))
        return true;
    fprintf(stderr, "sluice eval: %s: %s\n", name, e.text);
    eval->was_not_json = true;
    return false;
}

/* Evaluate one payload and print its output. */
static int eval_payload(struct eval *eval, const char *payload, size_t len)
{
    struct trial *t = &eval->trial;
    struct err e = { 0 };
    bool is_json;
    trial_set_payload(t, payload, len);
    buf_reset(&eval->out);
    enum sql_outcome outcome = evaluator_run(&t->ev, t->rule_name, &t->message, &eval->out, &is_json, &e);
    if (outcome == SQL_FAILED) {
        print_err(&e);
        return -1;
    }
    if (outcome == SQL_MATCHED) {
        if (eval->out.len) /* Undefined is no bytes, and no buffer */
            fwrite(eval->out.p, 1, eval->out.len, stdout);
        putchar('\n');
    }
    return 0;
}

static int eval_lines(struct eval *eval)
{
    char *line = NULL, name[64];
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    for (unsigned long number = 1; (len = getline(&line, &cap, stdin)) >= 0; number++) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        if (len == 0)
            continue;
        snprintf(name, sizeof(name), "line %lu", number);
        if (!accept_payload(eval, name, line, (size_t)len) || eval_payload(eval, line, (size_t)len) < 0)
            rc = -1;
    }
    free(line);
    if (ferror(stdin)) {
        fprintf(stderr, "sluice eval: %s\n", strerror(errno));
        rc = -1;
    }
    return rc;
}

static int eval_file(struct eval *eval)
{
    size_t len;
    const char *path = eval->trial.payload_path;
    char *payload = trial_read_payload(&eval->trial, &len), name[256];
    if (!payload)
        return -1;
    if (strcmp(path, "-") == 0)
        snprintf(name, sizeof(name), "standard input");
    else
        snprintf(name, sizeof(name), "\"%s\"", path);
    int rc = accept_payload(eval, name, payload, len) ? eval_payload(eval, payload, len) : -1;
    free(payload);
    return rc;
}

int cmd_eval(int argc, char **argv)
{
    struct eval eval = { 0 };
    struct cmd_option options[TRIAL_OPTIONS + 1];
    size_t count = trial_init(&eval.trial, "eval", options);
    options[count++] = (struct cmd_option) { "require-json", 0, NULL, &eval.require_json };
    bool done;
    int n = cmd_options("eval", options, count, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (n != 1) {
        cmd_print_help(cmd_find("eval"), stderr);
        return EXIT_USAGE;
    }
    buf_init(&eval.out, OUTPUT_MAX);
    arena_init(&eval.check_arena, CHECK_MAX);
    int code = trial_open(&eval.trial, argv[1]);
    if (code == EXIT_OK && (eval.trial.payload_path ? eval_file(&eval) : eval_lines(&eval)) < 0)
        code = eval.was_not_json ? EXIT_NOT_JSON : EXIT_FAILED;
    trial_close(&eval.trial);
    buf_clear(&eval.out);
    arena_clear(&eval.check_arena);
    return code;
}
