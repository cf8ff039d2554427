/* SPDX-License-Identifier: Apache-2.0 */
/* What the loop of vm.c leaves to functions: conversions, numbers of many digits, mixed types, building, calls.
 *
 * Operations whose time depends on the size of their operands charge it as work, so that a loop over large values
 * ends at the limit of steps. Undefined results need no care here: a full arena is noticed by the loop. */
#include "sql/vm.h"

#include "engine/base/utf8.h"
#include "sql/funcs.h"
#include "sql/machine_int.h"

/* What it takes to go through a value, in steps: one for 16 bytes of text (2 with escapes, which are resolved each
 * time), one for two values of a container. */
static uint64_t weight(const struct val *v)
{
    if (v->form == VAL_TAPE) {
        const struct json_node *node = json_at(v->doc, v->n);
        return node->kind >= JSON_ARRAY ? (node->next - v->n) >> 1 : node->len >> (node->flags & JSON_ESCAPED ? 1 : 4);
    }
    if (v->kind == VAL_STRING || v->kind == VAL_BYTES)
        return v->n >> 4;
    if (v->kind != VAL_ARRAY && v->kind != VAL_OBJECT)
        return 0;
    uint64_t base = v->kind == VAL_OBJECT && v->n > 0 && v->items[0].kind == VAL_OBJECT ? weight(&v->items[0]) : 0;
    return base + (v->n >> 1);
}

/* To write a text takes a step for each byte. */
static struct val to_string(struct sql_vm *vm, const struct val *v)
{
    struct val s = val_to_string(*v, vm->version, vm->arena);
    if (v->kind >= VAL_ARRAY)
        sql_vm_charge(vm, s.n);
    return s;
}

/* --- numbers --- */

#define WIDE_REM_STEPS 300 /* of a remainder of numbers with more digits than a machine word: at most some 10 µs */

_Static_assert(OP_ADD < OP_SUB && OP_SUB < OP_MUL && OP_MUL < OP_DIV && OP_DIV < OP_REM,
               "the order that sql_op_arith expects");

/* The small form of a number. That of a path slot is remembered with the slot. */
bool sql_op_small(struct sql_vm *vm, const struct val *v, struct val_small *s)
{
    if (v->form != VAL_TAPE || v->exp == 0 || !vm->slots)
        return val_small(v, s);
    struct sql_slot *slot = &vm->slots[(uint16_t)v->exp - 1];
    if (slot->stamp != vm->stamp)
        return val_small(v, s);
    if (slot->small == SQL_SMALL_UNKNOWN) {
        slot->small = val_small(v, s) ? SQL_SMALL_YES : SQL_SMALL_NO;
        slot->coef = s->coef;
        slot->exp = (int16_t)s->exp;
    }
    s->coef = slot->coef;
    s->exp = slot->exp;
    return slot->small == SQL_SMALL_YES;
}

/* The number of an operand: its own, or that of a numeric String, which counts as a Decimal. */
static bool operand(struct sql_vm *vm, const struct val *v, struct num *n, bool *has_text)
{
    size_t len;
    if (val_is_number(*v))
        return val_num(*v, n);
    if (v->kind != VAL_STRING)
        return false;
    const char *s = val_text(*v, vm->arena, &len);
    *has_text = true;
    return s && num_is_numeric_string(s, len) && num_parse(n, s, len);
}

/* Both operands; if one is a String, both are Decimals. */
static bool operands(struct sql_vm *vm, const struct val *x, const struct val *y, struct num *m, struct num *n)
{
    bool has_text = false;
    if (!operand(vm, x, m, &has_text) || !operand(vm, y, n, &has_text))
        return false;
    if (has_text)
        m->is_int = n->is_int = false;
    return true;
}

static struct val concatenate(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    struct val s = to_string(vm, x), t = to_string(vm, y);
    if (val_is_undefined(s) || val_is_undefined(t))
        return VAL_UNDEFINED_VALUE;
    sql_vm_charge(vm, weight(&s) + weight(&t));
    return val_join_strings(s, t, vm->arena);
}

/* Sum, difference or product of numbers of few digits. */
static bool compute_small(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y,
                          struct val *result)
{
    struct val_small s, t;
    int64_t coef;
    bool overflow;
    if (!sql_op_small(vm, x, &s) || !sql_op_small(vm, y, &t))
        return false;
    if (op == OP_MUL) {
        overflow = __builtin_mul_overflow(s.coef, t.coef, &coef);
        s.exp += t.exp;
    } else {
        if (!val_small_align(&s, &t))
            return false;
        overflow = op == OP_ADD ? __builtin_add_overflow(s.coef, t.coef, &coef)
                                : __builtin_sub_overflow(s.coef, t.coef, &coef);
    }
    s.coef = coef;
    return !overflow && val_from_small(&s, x->kind == VAL_INT && y->kind == VAL_INT, vm->version, result);
}

static bool compute(enum sql_op op, struct num *r, const struct num *x, const struct num *y)
{
    switch (op) {
    case OP_ADD:
        return num_add(r, x, y);
    case OP_SUB:
        return num_sub(r, x, y);
    case OP_MUL:
        return num_mul(r, x, y);
    case OP_DIV:
        return num_div(r, x, y);
    default:
        return num_rem(r, x, y);
    }
}

/* A remainder goes through the digits between the two numbers. */
uint64_t sql_rem_steps(const struct num *x, const struct num *y)
{
    if (x->is_wide || y->is_wide)
        return WIDE_REM_STEPS;
    return (uint64_t)(x->exp > y->exp ? x->exp - y->exp : y->exp - x->exp);
}

struct val sql_op_arith(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y)
{
    struct num m, n;
    struct val result;
    bool numbers = val_is_number(*x) && val_is_number(*y);
    if (numbers && op <= OP_MUL && compute_small(vm, op, x, y, &result))
        return result;
    if (op == OP_ADD && (x->kind == VAL_STRING || y->kind == VAL_STRING))
        return concatenate(vm, x, y);
    if (op == OP_ADD && !numbers)
        return VAL_UNDEFINED_VALUE;
    if (!operands(vm, x, y, &m, &n))
        return VAL_UNDEFINED_VALUE;
    if (op == OP_REM)
        sql_vm_charge(vm, sql_rem_steps(&m, &n));
    if (!compute(op, &m, &m, &n))
        return VAL_UNDEFINED_VALUE;
    return val_from_num(&m, vm->version, vm->arena);
}

int sql_op_order(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    struct num m, n;
    return operands(vm, x, y, &m, &n) ? num_cmp(&m, &n) : SQL_UNORDERED;
}

/* --- equality and logic --- */

/* What `=` and IN cannot compare: Undefined, raw bytes, which count as Undefined, and numbers of the payload that are
 * beyond the language's range, as in any other operation. */
static bool has_no_value(const struct val *v)
{
    struct num n;
    if (v->kind == VAL_UNDEFINED || v->kind == VAL_BYTES)
        return true;
    return val_is_number(*v) && v->form == VAL_TAPE && !val_num(*v, &n);
}

struct val sql_op_equal(struct sql_vm *vm, const struct val *x, const struct val *y)
{
    if (val_is_number(*x) && val_is_number(*y)) {
        struct val_small s, t;
        if (sql_op_small(vm, x, &s) && sql_op_small(vm, y, &t) && val_small_align(&s, &t))
            return val_bool(s.coef == t.coef);
    }
    if (has_no_value(x) || has_no_value(y))
        return VAL_UNDEFINED_VALUE;
    sql_vm_charge(vm, weight(x) + weight(y));
    return val_bool(val_equal(*x, *y, vm->version, vm->arena));
}

struct val sql_op_in(struct sql_vm *vm, const struct val *x, const struct val *array)
{
    struct val item;
    if (has_no_value(x) || array->kind != VAL_ARRAY)
        return VAL_UNDEFINED_VALUE;
    sql_vm_charge(vm, 2 * weight(array) + weight(x));
    struct val_elements it = val_elements(*array, vm->version);
    while (val_elements_next(&it, &item)) {
        if (val_equal(*x, item, vm->version, vm->arena))
            return val_bool(true);
    }
    return val_bool(false);
}

struct val sql_op_logic(struct sql_vm *vm, enum sql_op op, const struct val *x, const struct val *y)
{
    struct val s = val_to_bool(*x, vm->arena), t = val_to_bool(*y, vm->arena);
    if (val_is_undefined(s) || val_is_undefined(t))
        return VAL_UNDEFINED_VALUE;
    return val_bool(op == OP_AND ? s.truth && t.truth : s.truth || t.truth);
}

struct val sql_op_not(struct sql_vm *vm, const struct val *v)
{
    struct val truth = val_to_bool(*v, vm->arena);
    return val_is_undefined(truth) ? truth : val_bool(!truth.truth);
}

bool sql_op_is_true(struct sql_vm *vm, const struct val *v)
{
    struct val truth = val_to_bool(*v, vm->arena);
    return truth.kind == VAL_BOOL && truth.truth;
}

/* --- cast (spec 2.4) --- */

static struct val cast_to_decimal(struct sql_vm *vm, const struct val *v)
{
    struct num n;
    if (v->kind == VAL_BOOL) /* 1.0 or 0.0 */
        n = (struct num) { .coef = v->truth ? 10 : 0, .exp = -1 };
    else if (v->kind != VAL_INT)
        return val_to_decimal(*v, vm->version, vm->arena);
    else if (!val_num(*v, &n))
        return VAL_UNDEFINED_VALUE;
    n.is_int = false;
    return val_from_num(&n, vm->version, vm->arena);
}

static struct val cast_to_int(struct sql_vm *vm, const struct val *v)
{
    if (v->kind == VAL_BOOL)
        return val_i64(v->truth);
    struct val d = val_to_decimal(*v, vm->version, vm->arena); /* a String's fraction is rounded down too */
    return val_to_int(d, vm->version, vm->arena);
}

static struct val cast_to_bool(struct sql_vm *vm, const struct val *v)
{
    struct num n;
    if (!val_is_number(*v))
        return val_to_bool(*v, vm->arena);
    return val_num(*v, &n) ? val_bool(!num_is_zero(&n)) : VAL_UNDEFINED_VALUE;
}

struct val sql_op_cast(struct sql_vm *vm, const struct val *v, enum sql_cast type)
{
    if (v->kind == VAL_NULL)
        return VAL_UNDEFINED_VALUE;
    sql_vm_charge(vm, weight(v));
    switch (type) {
    case SQL_CAST_STRING:
        return to_string(vm, v);
    case SQL_CAST_INT:
        return cast_to_int(vm, v);
    case SQL_CAST_DOUBLE:
    case SQL_CAST_DECIMAL:
        return cast_to_decimal(vm, v);
    case SQL_CAST_BOOL:
        return cast_to_bool(vm, v);
    }
    return VAL_UNDEFINED_VALUE;
}

/* --- members, elements, building --- */

struct val sql_op_member(struct sql_vm *vm, const struct val *v, const struct val *name)
{
    if (v->kind != VAL_OBJECT) {
        if (v->kind == VAL_BYTES && vm->machine)
            sql_machine_needs_json(vm->machine);
        return VAL_UNDEFINED_VALUE;
    }
    sql_vm_charge(vm, weight(v));
    return val_member(*v, name->text, name->n, vm->version, vm->arena);
}

/* Raw bytes are no JSON value: as a part of one they are Undefined. */
static bool is_absent(const struct val *v)
{
    return v->kind == VAL_UNDEFINED || v->kind == VAL_BYTES;
}

void sql_op_append(struct sql_vm *vm, struct val *array, const struct val *item)
{
    if (!is_absent(item))
        val_append(array, *item, vm->arena);
}

#define MANY_PAIRS 64 /* a name is searched among so many for nothing */

void sql_op_put(struct sql_vm *vm, struct val *object, const struct val *key, const struct val *value)
{
    if (is_absent(value))
        return;
    if (object->n > MANY_PAIRS || (object->n > 0 && object->items[0].kind == VAL_OBJECT))
        sql_vm_charge(vm, weight(object));
    if (key->kind == VAL_STRING)
        val_put(object, *key, *value, vm->version, vm->arena);
    else
        val_put_path(object, *key, *value, vm->version, vm->arena);
}

void sql_op_spread(struct sql_vm *vm, struct val *object, const struct val *source)
{
    if (object->n > 0)
        sql_vm_charge(vm, weight(object) + weight(source));
    else if (source->form != VAL_TAPE)
        sql_vm_charge(vm, weight(source));
    val_spread(object, *source, vm->version, vm->arena);
}

/* The register of an iterator is Undefined to everyone else; its items point to one of these. */
struct iterator {
    struct val_elements elements;
    struct val only; /* an Object, which is its own one element; Undefined once it was taken */
};

bool sql_op_iterate(struct sql_vm *vm, struct val *iterator, const struct val *source)
{
    if (source->kind != VAL_ARRAY && source->kind != VAL_OBJECT)
        return false;
    struct iterator *it = arena_alloc(vm->arena, sizeof(*it));
    if (!it)
        return false;
    it->elements = val_elements(*source, vm->version);
    it->only = source->kind == VAL_OBJECT ? *source : VAL_UNDEFINED_VALUE;
    *iterator = VAL_UNDEFINED_VALUE;
    iterator->items = (struct val *)(void *)it;
    return true;
}

bool sql_op_next(struct val *iterator, struct val *element)
{
    struct iterator *it = (struct iterator *)(void *)iterator->items;
    if (val_is_undefined(it->only))
        return val_elements_next(&it->elements, element);
    *element = it->only;
    it->only = VAL_UNDEFINED_VALUE;
    return true;
}

/* --- calls and text --- */

struct val sql_op_call(struct sql_vm *vm, uint32_t row, struct val *args, uint32_t count)
{
    const struct sql_func *f = sql_func_at(row);
    if (count < f->min || (count > f->max && f->max != SQL_ANY_COUNT))
        return VAL_UNDEFINED_VALUE;
    for (uint32_t i = 0; i < count; i++) {
        if (args[i].kind == VAL_BYTES && !(f->flags & SQL_TAKES_BYTES))
            args[i] = VAL_UNDEFINED_VALUE;
        if (val_is_undefined(args[i]) && (f->flags & SQL_STRICT))
            return VAL_UNDEFINED_VALUE;
        if (args[i].kind == VAL_NULL && (f->flags & SQL_NULL_UNDEF))
            return VAL_UNDEFINED_VALUE;
        sql_vm_charge(vm, weight(&args[i]));
    }
    struct sql_call call = {
        .machine = vm->machine, .arena = vm->arena, .version = vm->version, .args = args, .count = count
    };
    f->body(&call);
    return call.result;
}

void sql_op_text(struct sql_vm *vm, const struct val *v)
{
    struct val s = *v;
    size_t len;
    if (v->kind == VAL_BYTES && utf8_is_valid(v->text, v->n))
        s.kind = VAL_STRING;
    s = val_to_string(s, vm->version, vm->arena);
    if (val_is_undefined(s))
        return;
    const char *text = val_text(s, vm->arena, &len);
    if (!text)
        return;
    buf_put(vm->text, text, len);
    if (vm->text->failed || vm->text->len > vm->text->max)
        vm->fault = SQL_FAULT_TEXT;
}
