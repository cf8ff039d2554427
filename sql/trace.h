/* SPDX-License-Identifier: Apache-2.0 */
/* A watched evaluation, told line by line. Internal to sql/: trace.c tells, trace_why.c says why a value is Undefined. */
#ifndef SLUICE_SQL_TRACE_H
#define SLUICE_SQL_TRACE_H

#include "engine/base/buf.h"
#include "sql/machine_int.h"
#include "sql/rule_int.h"
#include "sql/vm.h"

#define TRACE_SOURCE 40 /* characters of a source text in a sentence */
#define TRACE_VALUE  60 /* and of a value */
#define TRACE_ARGS   255

/* An instruction with what it read, kept until its result is there. */
struct trace_step {
    const struct sql_ins *ins;
    struct span at;
    struct val x, y;             /* registers b and c, where the opcode reads them (JUMP_UNDEF and the like: a) */
    struct val args[TRACE_ARGS]; /* of a CALL */
    enum sql_op before;          /* the opcode that ran before it; OP_COUNT: none */
};

/* Where the value of a register comes from. */
struct trace_origin {
    struct span at;
    bool is_element; /* of a nested query */
};

struct trace_context {
    const struct sql_rule *rule;
    const struct sql_machine *machine;
    const struct trace_origin *origins; /* of each register */
    struct arena *arena;                /* for texts */
    struct buf *out;
};

/* Append the reason why the result of a step is Undefined: a sentence without an end. */
void trace_why(const struct trace_context *t, const struct trace_step *step);

/* Append a value as JSON, cut to `max` characters; Undefined as such. */
void trace_put_value(struct buf *out, struct val v, enum sql_version version, size_t max);
/* Append source text on one line, cut to `max` characters; returns how many it was. */
size_t trace_put_source(struct buf *out, struct span at, size_t max);

#endif
