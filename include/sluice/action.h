/* SPDX-License-Identifier: Apache-2.0 */
/* The port between the flow and the actions.
 *
 *   target   a connection named in sluice.yaml (a database, a broker), or the one implicit target of a type that needs none
 *            (file, stdout). Its configuration is shared by all its lanes and unchanged after `target_open`.
 *   action   the action of one rule: what to write where. Belongs to a ruleset, unchanged after `action_open`.
 *   lane     one thread's connection to a target, with its buffers; needs no lock.
 *   item     one delivery: the body and the rendered templates of one action for one message.
 *
 * Delivery is at least once. `send` never sleeps and never retries: it classifies, the flow waits. */
#ifndef SLUICE_ACTION_H
#define SLUICE_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct clock;
struct conf;
struct err;
struct errs;
struct opt;

/* A rendered substitution template. is_null: it is a single `${…}` that was Undefined or Null (text empty). */
struct act_text {
    const char *p; /* not NUL-terminated */
    size_t len;
    bool is_null;
};

enum act_result {
    ACT_PENDING,
    ACT_DONE,     /* the target has it */
    ACT_LATER,    /* may work later: unreachable, overloaded, misconfigured target */
    ACT_REJECTED, /* will never succeed: bad row, invalid topic, too large */
};

#define ACT_REASON_MAX 256

struct act_item {
    const void *action; /* from action_open; tells which rule's action it is */
    const char *body;
    size_t body_len;
    bool body_is_json;            /* false: raw bytes of a payload that is not JSON */
    const struct act_text *texts; /* by the index that template_add gave */
    unsigned hops;                /* of the message: how often a rule republished it already */
    uint64_t key;                 /* items of one key go to the target in the order of the array; 0: no order */
    /* Results, set by send for each item it looked at */
    enum act_result result;
    uint32_t wait_ms;            /* LATER: the target's own wish, 0: none */
    bool misconfigured;          /* LATER: once somebody has repaired something; said loudly */
    char reason[ACT_REASON_MAX]; /* LATER and REJECTED: one sentence, NUL-terminated, no secrets */
};

/* Whether an action sends the outputs of several messages at once. */
enum act_batching {
    ACT_BATCHING_NONE,
    ACT_BATCHING_TOPIC,  /* of one topic */
    ACT_BATCHING_TOPICS, /* of any */
};

/* What the flow offers while a rule's action is opened, and what the action tells it. */
struct act_host {
    /* Compile a scalar of the rule file as a substitution template of the rule. Its index in act_item.texts, or -1 after
     * adding to errs. */
    int (*template_add)(struct act_host *host, const struct conf *scalar, struct errs *errs);
    /* True if that template holds no `${…}`: its text can be checked at once. */
    bool (*template_is_constant)(struct act_host *host, int index);
    bool is_error_action; /* it is the rule's error action */
    /* Set by the action: error documents about it have the form that such actions have (rule language, section 7.2). */
    enum act_batching batching;
    /* Set by the action: an output that is not JSON is REJECTED. */
    bool needs_json;
};

/* What a target may use for as long as it is open. */
struct act_env {
    const struct clock *clock;
    const char *client_name; /* "sluice", or the service's own name: application_name, client id prefix */
    const char *folder;      /* what relative paths start from; NULL: the working directory */
};

enum act_connection {
    ACT_CONNECTION_NONE,
    ACT_CONNECTION_REQUIRED,
    ACT_CONNECTION_DEFAULT,  /* named, else the first source's broker */
    ACT_CONNECTION_OPTIONAL, /* named, else an implicit target: implicit_name */
    ACT_CONNECTION_ONLY,     /* named, else the only one of its kind */
};

struct action_type {
    const char *name;          /* member name in a rule's `actions`: "republish" */
    const char *failed_action; /* in error documents: "RepublishAction" */
    const char *doc;           /* one line */
    enum act_connection connection;
    const char
        *connection_kind; /* member name below a connection's name in sluice.yaml: "postgres", "mqtt"; NULL if NONE */
    const char
        *connection_alias; /* AWS's option that names the target ("destinationArn"), may stand for "connection" */

    /* Append what tells the implicit targets of this type apart: the host, say, so that one that is away holds up no
     * other. Nothing appended, or NULL: they are one. conf: of the action, not checked yet. */
    void (*implicit_name)(const struct conf *conf, struct buf *out);

    const struct opt *target_options; /* for help and docs; read by target_open */
    size_t target_option_count;
    const struct opt
        *options; /* of the action in a rule; has a row "connection" marked `ignored` if connection != NONE */
    size_t option_count;

    /* Check and keep a target's configuration (conf: map or NULL; borrowed until target_close). Makes no connection. NULL after adding to
     * errs. Thread: main, before start. */
    void *(*target_open)(const struct conf *conf, const struct act_env *env, struct errs *errs);
    void (*target_close)(void *target);

    /* Check and keep one action of a rule (conf: map; borrowed until action_close). NULL after adding to errs. Thread: control. */
    void *(*action_open)(void *target, const struct conf *conf, struct act_host *host, struct errs *errs);
    void (*action_close)(void *action);
    /* Append what the action writes to (topic, table, path): failedResource of error documents. Thread: any. */
    void (*resource)(const void *action, const struct act_text *texts, struct buf *out);

    /* A lane. Opening makes no connection and cannot fail but for memory: `send` connects when it must.
     * Thread: all four run on the lane's own thread. */
    void *(*lane_open)(void *target, struct err *e);
    /* Called once after lane_open, by types whose send may take long: fd becomes readable when a running send is to end
     * as soon as it can, with -1 and ACT_PENDING for what has no result. May be NULL. */
    void (*lane_stop_fd)(void *lane, int fd);
    /* Try to deliver; sets result for each item, in order of the array as far as the target keeps order. Blocks no longer than the target's
     * time-out. Returns -1 when the lane itself is broken: items still ACT_PENDING count as LATER with e's text, and the lane is
     * closed and opened again before the next send. An item REJECTED must not hinder the others. */
    int (*send)(void *lane, struct act_item *const *items, size_t count, struct err *e);
    void (*lane_close)(void *lane);
    size_t batch_max; /* items a send takes at most; 0: ACT_BATCH_MAX */
};
#define ACT_BATCH_MAX 1000

/* All action types, sorted by name, NULL-terminated (actions/registry.c). */
extern const struct action_type *const action_types[];

#endif
