/* SPDX-License-Identifier: Apache-2.0 */
/* Bytecode of one rule: what the compiler emits and the VM runs.
 *
 * One rule is one program: a main code (SET, WHERE, SELECT) and one code per substitution template. All share constants and
 * registers: registers 0 to set_count - 1 hold the SET variables, written by the main code and read by templates; the rest are
 * temporaries. Immutable after compilation. */
#ifndef SLUICE_SQL_PROGRAM_H
#define SLUICE_SQL_PROGRAM_H

#include "engine/base/arena.h"
#include "engine/base/src.h"
#include "sql/value.h"
#include "sql/version.h"

#include <stdbool.h>
#include <stdint.h>

enum sql_op {
#define OP(name, operands, effect) OP_##name,
#include "sql/opcodes.def"
#undef OP
    OP_COUNT
};

/* What opcodes.def says of an opcode. */
struct sql_op_row {
    const char *name, *operands, *effect;
};
const struct sql_op_row *sql_op_row(enum sql_op op);

struct sql_ins {
    uint8_t op; /* enum sql_op */
    uint8_t n;
    uint16_t a, b, c;
};
_Static_assert(sizeof(struct sql_ins) == 8, "an instruction is 8 bytes");

enum sql_cast { SQL_CAST_STRING, SQL_CAST_INT, SQL_CAST_DOUBLE, SQL_CAST_DECIMAL, SQL_CAST_BOOL };

/* Instructions whose failed look-up ends only them: their value is Undefined and the code goes on behind them
 * (get_or_default). */
struct sql_guard {
    uint16_t from, to; /* the first one, and the one behind the last */
    uint16_t result;   /* register of their value */
};

/* A code: a run of instructions that ends with RETURN. Jump targets count from its first instruction. */
struct sql_code {
    struct sql_ins *ins;
    struct span *spans; /* of each instruction */
    uint32_t count;
    struct sql_guard *guards; /* inner ones before those around them */
    uint32_t guard_count;
    bool single; /* a template that is one `${…}` and nothing else: Undefined and Null can be told from "" */
};

#define SQL_MAX_REGISTERS 4096
#define SQL_MAX_TEMPLATES 512

struct sql_program {
    struct arena arena; /* holds everything below */
    enum sql_version version;
    struct val *constants;
    uint32_t constant_count;
    uint32_t register_count;
    uint32_t set_count;
    struct sql_code main;
    struct sql_code *templates;
    uint32_t template_count;
    bool needs_json; /* the main code reads the payload as JSON: a payload that is not counts as ParseError */
};

#endif
