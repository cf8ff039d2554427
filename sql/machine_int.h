/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine holds, for the files that share it: machine.c (its life), vm.c (the payload's values),
 * func_context.c and func_regexp.c (what functions need beyond their arguments). */
#ifndef SLUICE_SQL_MACHINE_INT_H
#define SLUICE_SQL_MACHINE_INT_H

#include "engine/base/random.h"
#include "sql/proto_cache.h"
#include "sql/regexp.h"
#include "sql/sql.h"
#include "sql/vm.h"

enum sql_payload {
    SQL_PAYLOAD_UNREAD,
    SQL_PAYLOAD_JSON,   /* an Object or Array */
    SQL_PAYLOAD_SCALAR, /* JSON, but for field access as if it were not (spec 4.1) */
    SQL_PAYLOAD_EMPTY,  /* no bytes; not JSON, and nobody's mistake (spec 4.3) */
    SQL_PAYLOAD_NOT_JSON,
};

#define SQL_QUESTION_MAX ((size_t)1 << 20) /* bytes of a look-up's arguments as JSON */

/* Functions that a statement may call so often only (spec 9). */
enum sql_limited { SQL_LIMITED_DECODE, SQL_LIMITED_DYNAMODB, SQL_LIMITED_REGISTRY, SQL_LIMITED_COUNT };

struct sql_machine {
    struct sql_vm vm;
    struct arena payload_arena; /* the tape, until the next message */
    struct arena run_arena;     /* values of one evaluation and its templates */
    struct sql_limits limits;
    struct sql_regexps *regexps; /* made at the first need */
    struct proto_cache *protos;  /* the same */
    struct buf set_text;         /* to measure the SET variables */
    struct buf question;         /* the arguments of a look-up */

    /* the message */
    const struct message *message;
    const struct sql_paths *paths;
    uint32_t slot_cap;
    uint64_t epoch; /* number of the message */
    enum sql_payload payload;
    const struct json_doc *doc;  /* of SQL_PAYLOAD_JSON */
    struct err payload_err;      /* of SQL_PAYLOAD_NOT_JSON */
    bool asked;                  /* since the last run began: the payload was asked for, */
    bool needs_json;             /* and as JSON */
    struct val topic, client_id; /* Undefined until asked for */

    /* the evaluation */
    const struct sql_env *env;
    enum sql_version version;
    uint64_t draw_code; /* which code draws (main or a template), and how often it did */
    uint64_t draws;
    uint64_t questions;               /* asked by it */
    uint8_t calls[SQL_LIMITED_COUNT]; /* of the statement and its templates */
    bool waits;
    struct val result;
};

/* sql_machine_run, watched (trace.c). */
enum sql_outcome sql_machine_run_watched(struct sql_machine *m, const struct sql_rule *rule, const struct sql_env *env,
                                         struct sql_watch *watch, struct err *e);
/* Value of a path slot; remembered. */
struct val sql_machine_slot(struct sql_machine *m, uint32_t slot);
/* `*`: the JSON value, or the bytes. */
struct val sql_machine_star(struct sql_machine *m);
struct val sql_machine_bytes(const struct sql_machine *m);
/* Someone wanted the payload as JSON. */
void sql_machine_needs_json(struct sql_machine *m);
/* A generator for the next random value of this evaluation: the same again when the evaluation is repeated. */
struct random sql_machine_draw(struct sql_machine *m);

#endif
