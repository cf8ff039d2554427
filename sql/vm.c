/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the register machine. THE hot path of evaluation.
 *
 * One dense switch; bodies are short, and what is rare or long is in vm_ops.c. A body that cannot fail ends with
 * `continue`; one that may meet a limit (time, memory, text) ends with `break` and comes to the check behind the
 * switch. Numbers of few digits are compared and added here, in 64 bits; the rest of arithmetic is the number
 * library's. */
#include "sql/vm.h"

#include <assert.h>
#include <string.h>

#include "sql/funcs.h"
#include "sql/machine_int.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

/* --- numbers of few digits --- */

static inline bool is_here_int(const struct val *v)
{
    return v->kind == VAL_INT && v->form == VAL_HERE;
}

static inline bool small_of(struct sql_vm *vm, const struct val *v, struct val_small *s)
{
    if (v->form == VAL_HERE) {
        s->coef = v->coef;
        s->exp = v->exp;
        return true;
    }
    return sql_op_small(vm, v, s);
}

/* -1, 0, 1, or SQL_UNORDERED when they cannot be compared. */
static inline int order(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    struct val_small s, t;
    if (LIKELY(val_is_number(*x) && val_is_number(*y)) && small_of(vm, x, &s) && small_of(vm, y, &t) &&
        val_small_align(&s, &t))
        return (s.coef > t.coef) - (s.coef < t.coef);
    return sql_op_order(vm, x, y);
}

/* Set the Boolean that says whether the order is one of the mask's: 1 less, 2 equal, 4 greater. False: there is
 * none. */
static inline bool compare(struct sql_vm *vm, struct val *result, const struct val *x, const struct val *y,
                           unsigned mask)
{
    int how = order(vm, x, y);
    *result = how == SQL_UNORDERED ? VAL_UNDEFINED_VALUE : val_bool(mask >> (how + 1) & 1);
    return how != SQL_UNORDERED;
}

static inline struct val add(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    int64_t sum;
    if (LIKELY(is_here_int(x) && is_here_int(y)) && !__builtin_add_overflow(x->coef, y->coef, &sum))
        return val_i64(sum);
    return sql_op_arith(vm, OP_ADD, x, y);
}

static inline struct val subtract(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    int64_t difference;
    if (LIKELY(is_here_int(x) && is_here_int(y)) && !__builtin_sub_overflow(x->coef, y->coef, &difference))
        return val_i64(difference);
    return sql_op_arith(vm, OP_SUB, x, y);
}

static inline struct val multiply(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    int64_t product;
    if (LIKELY(is_here_int(x) && is_here_int(y)) && !__builtin_mul_overflow(x->coef, y->coef, &product))
        return val_i64(product);
    return sql_op_arith(vm, OP_MUL, x, y);
}

/* --- equality and logic --- */

static inline struct val equal(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    if (is_here_int(x) && is_here_int(y))
        return val_bool(x->coef == y->coef);
    if (x->kind == VAL_STRING && y->kind == VAL_STRING && x->form == VAL_HERE && y->form == VAL_HERE)
        return val_bool(x->n == y->n && memcmp(x->text, y->text, x->n) == 0);
    return sql_op_equal(vm, x, y);
}

static inline struct val not_equal(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    struct val same = equal(vm, x, y);
    return same.kind == VAL_BOOL ? val_bool(!same.truth) : same;
}

static inline bool is_true(struct sql_vm *vm, const struct val *v)
{
    return v->kind == VAL_BOOL ? v->truth : sql_op_is_true(vm, v);
}

static inline struct val logic(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y)
{
    if (x->kind == VAL_BOOL && y->kind == VAL_BOOL)
        return val_bool(op == OP_AND ? x->truth && y->truth : x->truth || y->truth);
    return sql_op_logic(vm, op, x, y);
}

/* --- limits --- */

static int report(const struct sql_vm *vm, enum sql_fault fault, struct span at, struct err *e)
{
    if (fault == SQL_FAULT_STEPS)
        return err_set_at(e, ERR_LIMIT, at, "the evaluation takes more than %llu steps", (unsigned long long)vm->steps);
    if (fault == SQL_FAULT_TEXT)
        return err_set_at(e, ERR_LIMIT, at, "the template's text is longer than %zu bytes", vm->text_max);
    if (fault == SQL_FAULT_SCALAR)
        return err_set_at(e, ERR_SQL_VERSION, at, "SELECT VALUE gives an array or object only from version 2016-03-23");
    if (fault == SQL_FAULT_LOOKUP || fault == SQL_FAULT_CALLS)
        return err_set_at(e, vm->why.code, at, "%s", vm->why.text);
    return err_set_at(e, ERR_LIMIT, at, "the evaluation needs more than %zu bytes of memory", vm->arena->max);
}

/* The innermost guard around an instruction, or NULL. */
static const struct sql_guard *guard_of(const struct sql_code *code, size_t at)
{
    for (uint32_t n = 0; n < code->guard_count; n++) {
        if (at >= code->guards[n].from && at < code->guards[n].to)
            return &code->guards[n];
    }
    return NULL;
}

/* --- the loop --- */

/* A watched run has no steps of its own, so that it comes here for each, and others pay nothing for it: 9 of
 * 12,600 instructions of a message (callgrind on `sluice eval`). False: there are none left. */
static __attribute__((cold, noinline)) bool take_watched_step(const struct sql_vm *vm, const struct sql_code *code,
                                                              size_t at)
{
    struct sql_watch *watch = vm->watch;
    if (!watch || watch->steps-- == 0)
        return false;
    watch->before(watch, vm, code, (uint32_t)at);
    return true;
}

enum sql_vm_end sql_vm_run(struct sql_vm *vm, const struct sql_program *program, const struct sql_code *code,
                           struct val *result, struct err *e)
{
    struct val *const r = vm->regs;
    const struct val *const k = program->constants;
    const struct sql_ins *const base = code->ins, *next = base, *i;
    uint64_t steps = vm->watch ? 0 : vm->steps;
    vm->version = program->version;
    vm->work = 0;
    vm->fault = SQL_FAULT_NONE;
    for (;;) {
        i = next++;
        if (steps == 0) {
            if (!take_watched_step(vm, code, (size_t)(i - base))) {
                vm->fault = SQL_FAULT_STEPS;
                goto fault;
            }
            steps = 1;
        }
        steps--;
        switch ((enum sql_op)i->op) {
        case OP_CONST:
            r[i->a] = k[i->b];
            continue;
        case OP_SLOT:
            assert(vm->slots); /* folding runs no code with slots */
            if (vm->slots[i->b].stamp == vm->stamp) {
                r[i->a] = vm->slots[i->b].value;
                continue;
            }
            r[i->a] = sql_machine_slot(vm->machine, i->b);
            break;
        case OP_STAR:
            r[i->a] = sql_machine_star(vm->machine);
            break;
        case OP_BYTES:
            r[i->a] = sql_machine_bytes(vm->machine);
            continue;
        case OP_MOVE:
            r[i->a] = r[i->b];
            continue;
        case OP_MEMBER:
            r[i->a] = sql_op_member(vm, &r[i->b], &k[i->c]);
            break;
        case OP_ADD:
            r[i->a] = add(vm, &r[i->b], &r[i->c]);
            break;
        case OP_SUB:
            r[i->a] = subtract(vm, &r[i->b], &r[i->c]);
            break;
        case OP_MUL:
            r[i->a] = multiply(vm, &r[i->b], &r[i->c]);
            break;
        case OP_DIV:
        case OP_REM:
            r[i->a] = sql_op_arith(vm, i->op, &r[i->b], &r[i->c]);
            break;
        case OP_NEG: {
            struct val zero = val_i64(0);
            r[i->a] = subtract(vm, &zero, &r[i->b]);
            break;
        }
        case OP_EQ:
            r[i->a] = equal(vm, &r[i->b], &r[i->c]);
            break;
        case OP_NE:
            r[i->a] = not_equal(vm, &r[i->b], &r[i->c]);
            break;
        case OP_LT:
            if (compare(vm, &r[i->a], &r[i->b], &r[i->c], 1))
                continue;
            break;
        case OP_LE:
            if (compare(vm, &r[i->a], &r[i->b], &r[i->c], 3))
                continue;
            break;
        case OP_GT:
            if (compare(vm, &r[i->a], &r[i->b], &r[i->c], 4))
                continue;
            break;
        case OP_GE:
            if (compare(vm, &r[i->a], &r[i->b], &r[i->c], 6))
                continue;
            break;
        case OP_IN:
            r[i->a] = sql_op_in(vm, &r[i->b], &r[i->c]);
            break;
        case OP_AND:
        case OP_OR:
            r[i->a] = logic(vm, i->op, &r[i->b], &r[i->c]);
            break;
        case OP_NOT:
            r[i->a] = sql_op_not(vm, &r[i->b]);
            break;
        case OP_CAST:
            r[i->a] = sql_op_cast(vm, &r[i->b], i->c);
            break;
        case OP_CALL:
            r[i->a] = sql_op_call(vm, i->c, &r[i->b], i->n);
            break;
        case OP_ARRAY:
            r[i->a] = val_array();
            continue;
        case OP_APPEND:
            sql_op_append(vm, &r[i->a], &r[i->b]);
            break;
        case OP_OBJECT:
            r[i->a] = val_object();
            continue;
        case OP_PUT:
        case OP_PUT_PATH:
            sql_op_put(vm, &r[i->a], &k[i->c], &r[i->b]);
            break;
        case OP_FIRST:
            r[i->a] = val_element(r[i->b], 0, vm->version);
            continue;
        case OP_SPREAD:
            sql_op_spread(vm, &r[i->a], &r[i->b]);
            break;
        case OP_ITER:
            if (!sql_op_iterate(vm, &r[i->a], &r[i->b]))
                next = base + i->c;
            break;
        case OP_NEXT:
            if (!sql_op_next(&r[i->a], &r[i->b]))
                next = base + i->c;
            break;
        case OP_JUMP:
            next = base + i->a;
            continue;
        case OP_JUMP_UNDEF:
            if (val_is_undefined(r[i->a]))
                next = base + i->b;
            continue;
        case OP_JUMP_FALSE:
            if (!is_true(vm, &r[i->a]))
                next = base + i->b;
            break;
        case OP_JUMP_ARRAY:
            if (r[i->a].kind == VAL_ARRAY)
                next = base + i->b;
            continue;
        case OP_SCALAR:
            if (r[i->a].kind == VAL_ARRAY || r[i->a].kind == VAL_OBJECT)
                vm->fault = SQL_FAULT_SCALAR;
            break;
        case OP_WHERE:
            if (!is_true(vm, &r[i->a]) && !vm->arena->refused)
                return SQL_VM_NO_MATCH;
            break;
        case OP_TEXT:
            sql_op_text(vm, &r[i->a]);
            break;
        case OP_RETURN:
            *result = r[i->a];
            return SQL_VM_RETURNED;
        case OP_COUNT: /* no instruction */
            break;
        }
        if (LIKELY(vm->fault == SQL_FAULT_NONE && !vm->arena->refused))
            continue;
    fault:
        if (vm->fault == SQL_FAULT_WAITS)
            return SQL_VM_WAITS;
        const struct sql_guard *guard = vm->fault == SQL_FAULT_LOOKUP ? guard_of(code, (size_t)(i - base)) : NULL;
        if (guard) {
            vm->fault = SQL_FAULT_NONE;
            if (vm->watch)
                vm->watch->absorbed = true;
            r[guard->result] = VAL_UNDEFINED_VALUE;
            next = base + guard->to;
            continue;
        }
        report(vm, vm->fault ? vm->fault : SQL_FAULT_MEMORY, code->spans[i - base], e);
        return SQL_VM_FAILED;
    }
}

/* --- constant folding --- */

static bool depends_on_message(const struct sql_ins *i)
{
    switch ((enum sql_op)i->op) {
    case OP_SLOT:
    case OP_STAR:
    case OP_BYTES:
    case OP_WHERE:
    case OP_TEXT:
        return true;
    case OP_CALL:
        return !(sql_func_at(i->c)->flags & SQL_PURE);
    default:
        return false;
    }
}

/* One more than the highest register that the instruction names. */
static uint32_t registers_of(const struct sql_ins *i)
{
    const uint16_t values[] = { i->a, i->b, i->c };
    uint32_t count = 0;
    for (int at = 0; at < 3; at++) {
        char kind = sql_op_row(i->op)->operands[at];
        uint32_t needed = kind == 'r' || kind == 'w' || kind == 'm' ? values[at] + 1u : 0;
        if (needed > count)
            count = needed;
    }
    if (i->op == OP_CALL && i->b + (uint32_t)i->n > count)
        count = i->b + (uint32_t)i->n;
    return count;
}

#define FOLD_STEPS 100000 /* what takes longer is left to the run */

bool sql_vm_fold(const struct sql_program *program, const struct sql_code *code, struct arena *a, struct val *result)
{
    uint32_t registers = 0;
    for (uint32_t at = 0; at < code->count; at++) {
        uint32_t needed = registers_of(&code->ins[at]);
        if (depends_on_message(&code->ins[at]))
            return false;
        if (needed > registers)
            registers = needed;
    }
    struct sql_vm vm = { .arena = a, .steps = FOLD_STEPS };
    vm.regs = arena_zalloc(a, registers * sizeof(struct val));
    return vm.regs && sql_vm_run(&vm, program, code, result, NULL) == SQL_VM_RETURNED;
}
