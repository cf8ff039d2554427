/* SPDX-License-Identifier: Apache-2.0 */
/* The register machine that runs a rule's bytecode (program.h). Internal to sql/: the outside sees sql.h.
 *
 * The machine (machine.c) owns one of these and sets it up for each message and run; constant folding makes one for
 * itself. Single-threaded. Nothing here takes memory from the heap. */
#ifndef SLUICE_SQL_VM_H
#define SLUICE_SQL_VM_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "sql/program.h"
#include "sql/value.h"

#include <stdbool.h>
#include <stdint.h>

struct sql_machine;
struct sql_vm;

/* What is known of a path slot. Valid while `stamp` is the VM's. */
struct sql_slot {
    uint64_t stamp;
    struct val value;
    int64_t coef; /* the small form of a number that stays on the tape, once it was needed */
    int16_t exp;
    uint8_t small; /* enum sql_small */
};
enum sql_small { SQL_SMALL_UNKNOWN, SQL_SMALL_YES, SQL_SMALL_NO };

enum sql_fault {
    SQL_FAULT_NONE,
    SQL_FAULT_STEPS,
    SQL_FAULT_TEXT,
    SQL_FAULT_SCALAR,
    SQL_FAULT_MEMORY,
    SQL_FAULT_LOOKUP, /* a look-up failed: vm->why */
    SQL_FAULT_CALLS,  /* more calls of a function than a statement may make: vm->why */
    SQL_FAULT_WAITS,  /* a look-up has no answer yet */
};

/* Watches a run: called before each instruction, with the registers as they are then. */
struct sql_watch {
    void (*before)(struct sql_watch *w, const struct sql_vm *vm, const struct sql_code *code, uint32_t at);
    uint64_t steps; /* left of vm->steps */
    bool absorbed; /* set when a guard took the failure of the last instruction: vm->why; cleared by whoever reads it */
};

struct sql_vm {
    struct val *regs;         /* of every program up to SQL_MAX_REGISTERS, or as many as the program has */
    enum sql_version version; /* of the running program */
    enum sql_fault fault;     /* why the running instruction cannot be finished */
    struct arena *arena;      /* for what the values refer to */
    struct sql_slot *slots;   /* of the ruleset's paths; NULL while folding, as machine */
    struct sql_machine *machine;
    uint64_t stamp;          /* of this message and number rule */
    uint64_t steps;          /* bound of instructions, and of work */
    uint64_t work;           /* steps that long operations count as, beyond their own */
    struct buf *text;        /* where TEXT appends */
    size_t text_max;         /* bytes that it may append, for the error */
    struct sql_watch *watch; /* or NULL */
    struct err why;          /* of SQL_FAULT_LOOKUP and SQL_FAULT_CALLS */
};

enum sql_vm_end {
    SQL_VM_RETURNED,
    SQL_VM_NO_MATCH, /* WHERE was not satisfied */
    SQL_VM_FAILED,   /* a limit or a failed look-up: e says which, at the instruction's span */
    SQL_VM_WAITS,    /* for the answer to a look-up */
};

/* Run a code of the program: registers are left as they are, so templates see the SET variables of the main code. */
enum sql_vm_end sql_vm_run(struct sql_vm *vm, const struct sql_program *program, const struct sql_code *code,
                           struct val *result, struct err *e) MUST_CHECK;

/* Run a code that depends on no message. False if it does, or if a limit was met. The result refers to the arena and
 * to the program's constants. */
bool sql_vm_fold(const struct sql_program *program, const struct sql_code *code, struct arena *a,
                 struct val *result) MUST_CHECK;

/* --- vm_ops.c: what is too rare or too long for the loop --- */

#define SQL_UNORDERED 2

/* Count work beyond an instruction's own step. Sets the fault when it is too much. */
static inline void sql_vm_charge(struct sql_vm *vm, uint64_t steps)
{
    vm->work += steps;
    if (vm->work > vm->steps)
        vm->fault = SQL_FAULT_STEPS;
}
bool sql_op_small(struct sql_vm *vm, const struct val *v, struct val_small *s) MUST_CHECK;
struct val sql_op_arith(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y);
uint64_t sql_rem_steps(const struct num *x, const struct num *y); /* what the remainder takes beside a step */
int sql_op_order(struct sql_vm *vm, const struct val *x, const struct val *y); /* -1, 0, 1 or SQL_UNORDERED */
struct val sql_op_equal(struct sql_vm *vm, const struct val *x, const struct val *y);
struct val sql_op_in(struct sql_vm *vm, const struct val *x, const struct val *array);
struct val sql_op_logic(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y);
struct val sql_op_not(struct sql_vm *vm, const struct val *v);
bool sql_op_is_true(struct sql_vm *vm, const struct val *v);
struct val sql_op_cast(struct sql_vm *vm, const struct val *v, enum sql_cast type);
struct val sql_op_member(struct sql_vm *vm, const struct val *v, const struct val *name);
struct val sql_op_call(struct sql_vm *vm, uint32_t row, struct val *args, uint32_t count);
void sql_op_append(struct sql_vm *vm, struct val *array, const struct val *item);
void sql_op_put(struct sql_vm *vm, struct val *object, const struct val *key, const struct val *value);
void sql_op_spread(struct sql_vm *vm, struct val *object, const struct val *source);
/* An iterator over an Array or an Object as one element; false for other kinds (or a full arena). */
bool sql_op_iterate(struct sql_vm *vm, struct val *iterator, const struct val *source);
bool sql_op_next(struct val *iterator, struct val *element);
void sql_op_text(struct sql_vm *vm, const struct val *v);

#endif
