/* SPDX-License-Identifier: Apache-2.0 */
/* A statement and the message it is tried on, as the command line describes them: for eval and explain. */
#ifndef SLUICE_APP_TRIAL_H
#define SLUICE_APP_TRIAL_H

#include "engine/apps/sluice/cmds.h"
#include "engine/apps/sluice/evaluate.h"
#include "engine/base/random.h"

struct trial {
    struct evaluator ev;
    struct message message; /* all but the payload */
    const char *rule_name;
    struct random random;
    /* from the command line */
    const char *topic_name, *mock_path, *version_name;
    const char *payload_path; /* the whole file is the one payload; "-": all of standard input; NULL: not given */
    /* private */
    const char *command;
    struct buf topic;
    char *mock_text;
    struct arena mock_arena;
};

/* Set what holds without options, and append the rows of those to `options`, which has room for TRIAL_OPTIONS.
 * Returns how many there are. */
size_t trial_init(struct trial *t, const char *command, struct cmd_option *options);
#define TRIAL_OPTIONS 8

/* What can be said of the options without the statement: an exit code, EXIT_OK or another after printing why. */
int trial_check(const struct trial *t, enum sql_version *version);

/* Compile the statement, read the mock, make the message. An exit code: EXIT_OK, or another after printing why. To be
 * closed in any case. */
int trial_open(struct trial *t, const char *sql);
void trial_close(struct trial *t);

/* Give the message that payload (borrowed), the present instant and a seed. */
void trial_set_payload(struct trial *t, const char *payload, size_t len);
/* The bytes of payload_path, owned, or of all of standard input if there is none. NULL after printing why. */
char *trial_read_payload(const struct trial *t, size_t *len);

#endif
