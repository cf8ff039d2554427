/* SPDX-License-Identifier: Apache-2.0 */
/* Table of commands, their help, and reading of their options. */
#include "engine/apps/sluice/cmds.h"
#include "engine/base/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PRINT_MAX ((size_t)16 << 20)

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; i < cmd_count; i++)
        if (strcmp(cmds[i].name, name) == 0)
            return &cmds[i];
    return NULL;
}

void cmd_print_help(const struct cmd *cmd, FILE *out)
{
    fprintf(out, "usage: sluice %s %s\n\n%s.\n\n%s", cmd->name, cmd->usage, cmd->doc, cmd->details);
}

static const struct cmd_option *option_find(const struct cmd_option *options, size_t count, const char *word,
                                            const char **value)
{
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t len = strcspn(name, "=");
    *value = is_long && name[len] == '=' ? name + len + 1 : NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_long && strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
        if (!is_long && options[i].letter && name[0] == options[i].letter && name[1] == '\0')
            return &options[i];
    }
    return NULL;
}

static int usage_error(const char *command, const char *what, const char *word)
{
    const struct cmd *cmd = cmd_find(command);
    fprintf(stderr, "sluice %s: %s \"%s\"\n", command, what, word);
    if (cmd)
        fprintf(stderr, "usage: sluice %s %s\n", cmd->name, cmd->usage);
    return -1;
}

static void hint_option(const struct cmd_option *options, size_t count, const char *word)
{
    const char *names[32];
    size_t n = 0;
    for (; n < count && n < 32; n++)
        names[n] = options[n].name;
    const char *near = nearest_word(word + 2, strcspn(word + 2, "="), names, n);
    if (near)
        fprintf(stderr, "hint: did you mean \"--%s\"?\n", near);
}

/* Take the option at argv[*i]; returns -1 after printing why not. */
static int option_take(const char *command, const struct cmd_option *options, size_t count, int argc, char **argv,
                       int *i)
{
    const char *value;
    const struct cmd_option *o = option_find(options, count, argv[*i], &value);
    if (!o) {
        usage_error(command, "unknown option", argv[*i]);
        if (argv[*i][1] == '-')
            hint_option(options, count, argv[*i]);
        return -1;
    }
    if (o->flag) {
        if (value)
            return usage_error(command, "option takes no value:", argv[*i]);
        *o->flag = true;
        return 0;
    }
    if (!value) {
        if (*i + 1 >= argc)
            return usage_error(command, "option needs a value:", argv[*i]);
        value = argv[++*i];
    }
    *o->text = value;
    return 0;
}

int cmd_options(const char *command, const struct cmd_option *options, size_t count, int argc, char **argv, bool *done)
{
    int plain = 0;
    bool only_plain = false;
    *done = false;
    for (int i = 1; i < argc; i++) {
        if (only_plain || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[++plain] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_plain = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cmd_print_help(cmd_find(command), stdout);
            *done = true;
            return 0;
        } else if (option_take(command, options, count, argc, argv, &i) < 0) {
            return -1;
        }
    }
    return plain;
}

void print_err(const struct err *e)
{
    struct buf out;
    buf_init(&out, PRINT_MAX);
    err_print(e, &out);
    fwrite(out.p, 1, out.len, stderr);
    buf_clear(&out);
}

void print_errs(struct errs *errs)
{
    struct buf out;
    buf_init(&out, PRINT_MAX);
    errs_sort(errs);
    errs_print(errs, &out);
    if (out.len)
        fwrite(out.p, 1, out.len, stderr);
    buf_clear(&out);
}

void report_errs(struct errs *errs, const char *secret_file)
{
    static const enum log_level levels[] = {
        [SEV_ERROR] = LOG_LEVEL_ERROR, [SEV_WARNING] = LOG_LEVEL_WARN, [SEV_NOTE] = LOG_LEVEL_INFO
    };
    if (log_is_for_person()) {
        print_errs(errs);
        return;
    }
    errs_sort(errs);
    for (size_t i = 0; i < errs->count; i++) {
        const struct err *e = &errs->items[i];
        bool is_secret = e->at.src && strcmp(e->at.src->name, secret_file) == 0;
        log_err(levels[e->severity], NULL, e, !is_secret);
    }
}

int fail(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "sluice %s: ", command);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EXIT_FAILED;
}

const struct cmd cmds[] = {
    { "authorize", "--policies FILES --client ID [OPTION]... ACTION RESOURCE...",
      "Say whether AWS IoT policies allow an action, and which statement decides",
      "  -p, --policies FILES  policy files and folders, with commas between them\n"
      "  -c, --client ID       client id of the connection\n"
      "  --principal P         fingerprint of its certificate, or its user name\n"
      "  --user NAME           its user name\n"
      "  --thing T             count it as attached to this thing, whatever the files say\n"
      "  --source-ip A         its address\n"
      "  --region R, --account A  of the resources (default us-east-1, 000000000000)\n"
      "ACTION is one of AWS IoT's, with or without \"iot:\". RESOURCE is an ARN, or what stands behind its account: "
      "topic/a/b,\n"
      "topicfilter/a/#, client/lamp1.\n"
      "\n"
      "   or: sluice authorize --cases FILE.jsonl...\n"
      "runs cases (tests/cases/policy/) and ends with \"N passed, N failed\".\n"
      "\n"
      "Exit code: 0 all are ALLOWED or passed, 1 not all, 2 wrong command line.\n",
      cmd_authorize },
    { "bench", "[eval | ingest | pipeline] [options]", "Measure sluice on this machine",
      "eval (the default): payload bytes in, output bytes out, on one core, without input or output\n"
      "  --seconds N         time for each figure (default 1)\n"
      "  --json              one JSON object a line instead of a table\n"
      "\n"
      "ingest: from a socket that is always full to the router of a `sluice run` of its own, beside a bare reader of "
      "the\n"
      "same bytes that only finds where each packet ends, taking turns; no broker is needed\n"
      "  --seconds N         of each run (default 2)\n"
      "  --rounds N          figures are medians of so many (default 5)\n"
      "  --json              one JSON object instead of a table\n"
      "\n"
      "pipeline: from a broker through one rule to targets, by a `sluice run` of its own, beside a bare subscriber of "
      "the\n"
      "same broker and bare producers to the same targets, taking turns\n"
      "  --broker URL        of plain MQTT, open to all (default mqtt://127.0.0.1:1883)\n"
      "  --broker-pid PID    process whose CPU time is the broker's\n"
      "  --postgres CONNINFO, --kafka SERVERS, --http URL\n"
      "                      where these targets are; without it one is left out. republish and file need none\n"
      "  --only NAME,...     targets to measure: republish, file, postgres, kafka, http\n"
      "  --qos 0|1|both      of the messages, and of what is republished (default both)\n"
      "  --messages N        of each run (default 100000)\n"
      "  --rounds N          figures are medians of so many (default 3)\n"
      "  --window N          messages at most between the load and the target (default 10000); the broker must keep "
      "that\n"
      "                      many for a client (Mosquitto: max_queued_messages 0), or it drops them, which is counted\n"
      "  --paced N           then for N seconds evenly at 60 % of the bare subscriber's rate: CPU a message, growth of "
      "the "
      "backlog\n"
      "  --json              one JSON object a line instead of a table\n"
      "Figures are medians, the ratio is to the slower of the two bare ones; lost and doubled messages are counted at "
      "the\n"
      "target. A table sluice_bench_… and a topic sluice-bench-… are made and removed. bench/run starts all services "
      "itself.\n"
      "\n"
      "Exit code: 0 measured, 1 a service or an evaluation failed, 2 wrong command line.\n",
      cmd_bench },
    { "check", "[-c sluice.yaml] [FILE | FOLDER]...",
      "Check the configuration and rule files: every error of every file, with its place",
      "  -c, --config F  the service's configuration; its rules are checked too if no file is named\n"
      "                  (default: sluice.yaml here, or beside or above the first file named)\n"
      "\n"
      "Exit code: 0 no errors (there may be warnings), 1 errors, 2 wrong command line.\n",
      cmd_check },
    { "eval", "SQL [options] < payloads",
      "Evaluate a statement on payloads from standard input, one a line; outputs on standard output, one a line",
      "  --payload FILE   the whole file, byte for byte, is the one payload (-: all of standard input)\n"
      "  --require-json   a payload that is not JSON is an error, with byte offset and reason, and is not evaluated\n"
      "  --topic T        topic of the messages (default: made from the FROM clause)\n"
      "  --clientid C     what clientid() gives (default: n/a)\n"
      "  --principal P    what principal() gives (default: Undefined)\n"
      "  --sourceip A     what sourceip() gives (default: Undefined)\n"
      "  --rule NAME      name of the rule, for topics of Basic Ingest (default: eval)\n"
      "  --mock FILE      JSON: what functions get that ask the outside world; without it they fail\n"
      "  --sql-version V  2015-10-08, 2016-03-23 (default) or beta\n"
      "\n"
      "A payload that does not satisfy WHERE prints nothing. A line that is not JSON is a message like any other:\n"
      "its properties are Undefined. Empty lines are passed over.\n"
      "\n"
      "Exit code: 0 all evaluated, 1 the statement is wrong or an evaluation was aborted, 2 wrong command line,\n"
      "3 a payload is not JSON (--require-json).\n"
      "\n"
      "  $ echo '{\"temperature\":90}' | sluice eval \"SELECT temperature, topic(2) AS site FROM 'plant/+/t'\" --topic "
      "plant/7/t\n"
      "  {\"temperature\":90,\"site\":\"7\"}\n",
      cmd_eval },
    { "explain", "SQL [--sql-version V] | SQL --trace [options] < payload",
      "Show what a statement compiles to: tree, path slots and bytecode; or what it does with a payload",
      "  --sql-version V  2015-10-08, 2016-03-23 (default) or beta\n"
      "  --trace          run it on a payload and show, clause by clause, each value, and why one is Undefined\n"
      "  --payload FILE   the payload (default: all of standard input)\n"
      "  --topic, --clientid, --principal, --sourceip, --rule, --mock\n"
      "                   the message and its world, as for sluice eval\n"
      "\n"
      "Exit code: 0 shown, 1 the statement is wrong or the evaluation was aborted, 2 wrong command line.\n"
      "\n"
      "  $ echo '{\"a\":{\"b\":\"x\"}}' | sluice explain --trace \"SELECT a.b - 1 AS d FROM 't'\"\n"
      "  topic t, payload of 17 bytes\n"
      "  SELECT a.b - 1 AS d\n"
      "    a.b                                   \"x\"\n"
      "    a.b - 1                               Undefined: a.b is the String \"x\", which is no number\n"
      "  output {}\n",
      cmd_explain },
    { "functions", "[--json] [NAME]...", "Show the functions of the rule language, or those named",
      "  --json  one JSON object a line\n"
      "\n"
      "docs/language.md shows them with examples. `sluice eval` tries one.\n"
      "\n"
      "Exit code: 0 shown, 1 there is no function of that name, 2 wrong command line.\n"
      "\n"
      "  $ sluice functions trunc\n"
      "    trunc(number: Number, places: Int) → Number\n"
      "        the number cut to so many decimal places\n",
      cmd_functions },
    { "options", "", "Show every option of sluice.yaml and of the actions of rules",
      "Exit code: 0 shown, 2 wrong command line.\n", cmd_show_options },
    { "passwd", "[-D] FILE NAME < password", "Set the password of a user of a listen source or of a broker that asks",
      "FILE is the passwordFile of the source or of admin, in the form of mosquitto_passwd; it is made if it is not "
      "there.\n"
      "The password is a line of standard input, which a terminal does not show.\n"
      "  -D, --delete  take the user out\n"
      "A running service reads a changed file again before it checks the next password.\n"
      "\n"
      "Exit code: 0 done, 1 not done, 2 wrong command line.\n",
      cmd_passwd },
    { "run", "[-c sluice.yaml] [--table]", "Run the service: sources, rules, actions",
      "  -c, --config F  the service's configuration (default sluice.yaml)\n"
      "  --table         show the rules' counters on standard output: refreshed on a terminal, once at the end "
      "otherwise\n"
      "\n"
      "SIGHUP or a changed rule file reloads the rules; with an error in them the ones before go on.\n"
      "SIGTERM and SIGINT stop reading, wait for what is in flight (drainTimeout) and say what remained;\n"
      "a second one stops at once. When a replay has come to its end, drainTimeout counts from the last message that "
      "became final.\n"
      "\n"
      "Exit code: 0 drained, 1 errors at start, messages remained, or a replay left lines out, 2 wrong command line.\n",
      cmd_run },
    { "test", "[--junit FILE] [--watch] FILE | FOLDER...",
      "Run the tests in rule files (tests:) and case files (.jsonl)",
      "  --junit FILE  also write the results as JUnit XML\n"
      "  -w, --watch   run them again whenever one of the files changes, until interrupted\n"
      "\n"
      "Each failure is shown with expected and actual output and a caret below the first difference. The last line is\n"
      "`N passed, N failed`.\n"
      "\n"
      "Exit code: 0 all passed, 1 any failed or a file could not be read, 2 wrong command line.\n",
      cmd_test },
};
const size_t cmd_count = sizeof cmds / sizeof cmds[0];
