/* SPDX-License-Identifier: Apache-2.0 */
/* Why is it Undefined? Asked about one instruction with its operands, after the fact: the machine itself keeps no
 * reasons. The order of the questions is that of the instruction's own checks. */
#include "sql/trace.h"

#include <string.h>

#include "sql/ast.h"
#include "sql/funcs.h"
#include "sql/types.h"

#define SHOWN_VALUE 30 /* characters of a value inside a sentence */

/* ---- words ---- */

static void put_kind(const struct trace_context *t, const struct val *v)
{
    static const char *const names[] = {
        [VAL_UNDEFINED] = "Undefined",
        [VAL_NULL] = "Null",
        [VAL_BOOL] = "the Boolean ",
        [VAL_INT] = "the Int ",
        [VAL_DECIMAL] = "the Decimal ",
        [VAL_STRING] = "the String ",
        [VAL_ARRAY] = "an Array",
        [VAL_OBJECT] = "an Object",
        [VAL_BYTES] = "a payload that is not JSON",
    };
    buf_puts(t->out, names[v->kind]);
    if (v->kind >= VAL_BOOL && v->kind <= VAL_STRING)
        trace_put_value(t->out, *v, t->rule->program.version, SHOWN_VALUE);
}

/* What the text calls the value of a register. */
static void put_register(const struct trace_context *t, uint16_t reg)
{
    const struct sql_program *program = &t->rule->program;
    if (reg < program->set_count)
        buf_printf(t->out, "@%s", t->rule->variables[reg].text);
    else if (t->origins[reg].is_element)
        buf_puts(t->out, "the element");
    else if (t->origins[reg].at.src)
        trace_put_source(t->out, t->origins[reg].at, TRACE_SOURCE);
    else
        buf_puts(t->out, "an operand");
}

/* "temp is the String "hot"" */
static void put_operand(const struct trace_context *t, uint16_t reg, const struct val *v)
{
    put_register(t, reg);
    buf_puts(t->out, " is ");
    put_kind(t, v);
}

/* ---- operands ---- */

static bool is_numeric_text(const struct trace_context *t, const struct val *v)
{
    size_t len;
    const char *s = v->kind == VAL_STRING ? val_text(*v, t->arena, &len) : NULL;
    return s && num_is_numeric_string(s, len);
}

/* Say what is wrong with an operand that must be a number. False: nothing is. */
static bool blame_number(const struct trace_context *t, uint16_t reg, const struct val *v, const char *need)
{
    struct num n;
    if (is_numeric_text(t, v) || (val_is_number(*v) && val_num(*v, &n)))
        return false;
    put_operand(t, reg, v);
    if (v->kind == VAL_STRING)
        buf_puts(t->out, ", which is no number");
    else if (val_is_number(*v))
        buf_puts(t->out, ", which is beyond the range of numbers");
    else if (!val_is_undefined(*v))
        buf_puts(t->out, need);
    return true;
}

static bool blame_undefined(const struct trace_context *t, uint16_t reg, const struct val *v)
{
    if (!val_is_undefined(*v))
        return false;
    put_operand(t, reg, v);
    return true;
}

static bool is_zero(const struct trace_context *t, const struct val *v)
{
    struct num n;
    struct val d = val_to_decimal(*v, t->rule->program.version, t->arena);
    return val_is_number(d) && val_num(d, &n) && num_is_zero(&n);
}

/* ---- operators ---- */

static void why_arithmetic(const struct trace_context *t, const struct trace_step *s)
{
    static const char need[] = ", and arithmetic takes numbers";
    if (blame_number(t, s->ins->b, &s->x, need))
        return;
    if (s->ins->op != OP_NEG && blame_number(t, s->ins->c, &s->y, need))
        return;
    if ((s->ins->op == OP_DIV || s->ins->op == OP_REM) && is_zero(t, &s->y))
        buf_puts(t->out, "division by zero");
    else
        buf_puts(t->out, "the result has more than 34 digits or is out of range");
}

static void why_add(const struct trace_context *t, const struct trace_step *s)
{
    bool joins = s->x.kind == VAL_STRING || s->y.kind == VAL_STRING;
    if (blame_undefined(t, s->ins->b, &s->x) || blame_undefined(t, s->ins->c, &s->y))
        return;
    if (val_is_number(s->x) && val_is_number(s->y)) {
        why_arithmetic(t, s);
    } else if (joins) {
        bool left = s->x.kind != VAL_STRING;
        put_operand(t, left ? s->ins->b : s->ins->c, left ? &s->x : &s->y);
        buf_puts(t->out, ", which has no text");
    } else {
        bool left = !val_is_number(s->x);
        put_operand(t, left ? s->ins->b : s->ins->c, left ? &s->x : &s->y);
        buf_puts(t->out, ", and + adds numbers or joins a String with another value");
    }
}

static void why_order(const struct trace_context *t, const struct trace_step *s)
{
    static const char need[] = ", and only numbers have an order";
    if (!blame_number(t, s->ins->b, &s->x, need))
        (void)blame_number(t, s->ins->c, &s->y, need);
}

/* What cannot be compared: Undefined, bytes, numbers beyond the range. */
static bool blame_equal(const struct trace_context *t, uint16_t reg, const struct val *v)
{
    struct num n;
    if (blame_undefined(t, reg, v))
        return true;
    if (v->kind != VAL_BYTES && !(val_is_number(*v) && !val_num(*v, &n)))
        return false;
    put_operand(t, reg, v);
    if (v->kind != VAL_BYTES)
        buf_puts(t->out, ", which is beyond the range of numbers");
    return true;
}

static void why_equal(const struct trace_context *t, const struct trace_step *s)
{
    if (!blame_equal(t, s->ins->b, &s->x))
        (void)blame_equal(t, s->ins->c, &s->y);
}

static void why_in(const struct trace_context *t, const struct trace_step *s)
{
    if (blame_equal(t, s->ins->b, &s->x))
        return;
    put_operand(t, s->ins->c, &s->y);
    if (!val_is_undefined(s->y))
        buf_puts(t->out, ", and IN searches an Array");
}

static bool blame_truth(const struct trace_context *t, uint16_t reg, const struct val *v)
{
    if (val_to_bool(*v, t->arena).kind == VAL_BOOL)
        return false;
    put_operand(t, reg, v);
    if (!val_is_undefined(*v))
        buf_puts(t->out, ", which is neither true nor false");
    return true;
}

static void why_logic(const struct trace_context *t, const struct trace_step *s)
{
    if (!blame_truth(t, s->ins->b, &s->x))
        (void)blame_truth(t, s->ins->c, &s->y);
}

static void why_cast(const struct trace_context *t, const struct trace_step *s)
{
    put_operand(t, s->ins->b, &s->x);
    if (!val_is_undefined(s->x))
        buf_printf(t->out, ", which is no %s", sql_type_name((enum sql_cast)s->ins->c));
}

/* ---- paths ---- */

static void put_name(const struct trace_context *t, const char *name, size_t len)
{
    json_write_string(t->out, name, len);
}

static const char *node_kind(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "Null",        [JSON_FALSE] = "a Boolean", [JSON_TRUE] = "a Boolean", [JSON_INT] = "a number",
        [JSON_DECIMAL] = "a number", [JSON_STRING] = "a String", [JSON_ARRAY] = "an Array", [JSON_OBJECT] = "an Object"
    };
    return names[kind];
}

/* The first step of a path that leads nowhere. */
static void why_path(const struct trace_context *t, const struct sql_path *path)
{
    const struct json_doc *doc = t->machine->doc;
    uint32_t node = 0, known = 0;
    while (known < path->count) {
        uint32_t next = json_member(doc, node, path->names[known], path->lens[known]);
        if (!next)
            break;
        node = next;
        known++;
    }
    if (known == path->count)
        return;
    for (uint32_t i = 0; i < known; i++)
        buf_printf(t->out, "%s%s", i ? "." : "", path->names[i]);
    buf_puts(t->out, known ? "" : "the payload");
    enum json_kind kind = json_at(doc, node)->kind;
    buf_puts(t->out, kind == JSON_OBJECT ? " has no member " : " is ");
    if (kind != JSON_OBJECT)
        buf_printf(t->out, "%s, which has no member ", node_kind(kind));
    put_name(t, path->names[known], path->lens[known]);
}

static void why_slot(const struct trace_context *t, const struct trace_step *s)
{
    switch (t->machine->payload) {
    case SQL_PAYLOAD_JSON:
        why_path(t, sql_paths_at(t->rule->paths, s->ins->b));
        break;
    case SQL_PAYLOAD_SCALAR:
        buf_puts(t->out, "the payload is neither an Object nor an Array");
        break;
    case SQL_PAYLOAD_EMPTY:
        buf_puts(t->out, "the payload is empty");
        break;
    default:
        buf_printf(t->out, "the payload is not JSON: %s", t->machine->payload_err.text);
    }
}

static void why_member(const struct trace_context *t, const struct trace_step *s)
{
    const struct val *name = &t->rule->program.constants[s->ins->c];
    if (s->x.kind != VAL_OBJECT) {
        put_operand(t, s->ins->b, &s->x);
        if (!val_is_undefined(s->x))
            buf_puts(t->out, ", which has no members");
        return;
    }
    put_register(t, s->ins->b);
    buf_puts(t->out, " has no member ");
    put_name(t, name->text, name->n);
}

/* ---- calls ---- */

static void why_call(const struct trace_context *t, const struct trace_step *s)
{
    const struct sql_func *f = sql_func_at(s->ins->c);
    uint32_t count = s->ins->n;
    if (count < f->min || (count > f->max && f->max != SQL_ANY_COUNT)) {
        buf_printf(t->out, "%s() with %u argument%s", f->name, count, count == 1 ? "" : "s");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct val *v = &s->args[i];
        bool is_bytes = v->kind == VAL_BYTES && !(f->flags & SQL_TAKES_BYTES);
        bool is_absent = val_is_undefined(*v) || is_bytes;
        if (!((is_absent && (f->flags & SQL_STRICT)) || (v->kind == VAL_NULL && (f->flags & SQL_NULL_UNDEF))))
            continue;
        buf_printf(t->out, "argument %u of %s() is ", i + 1, f->name);
        put_kind(t, v);
        return;
    }
    buf_printf(t->out, "%s() has no result for ", f->name);
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(t->out, i == 0 ? "" : i + 1 < count ? ", " : " and ");
        put_kind(t, &s->args[i]);
    }
    if (count == 0)
        buf_puts(t->out, "this message");
}

/* An Undefined that CASE or a nested query puts in place of a result. */
static void why_constant(const struct trace_context *t, const struct trace_step *s)
{
    if (s->before == OP_JUMP_UNDEF)
        buf_puts(t->out, "the value that CASE compares is Undefined");
    else if (s->before == OP_ITER)
        buf_puts(t->out, "what the query goes through is neither an Array nor an Object");
    else
        buf_puts(t->out, "no WHEN is equal to the value, and there is no ELSE");
}

void trace_why(const struct trace_context *t, const struct trace_step *step)
{
    switch ((enum sql_op)step->ins->op) {
    case OP_SLOT:
        why_slot(t, step);
        break;
    case OP_MEMBER:
        why_member(t, step);
        break;
    case OP_ADD:
        why_add(t, step);
        break;
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_REM:
    case OP_NEG:
        why_arithmetic(t, step);
        break;
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        why_order(t, step);
        break;
    case OP_EQ:
    case OP_NE:
        why_equal(t, step);
        break;
    case OP_IN:
        why_in(t, step);
        break;
    case OP_AND:
    case OP_OR:
        why_logic(t, step);
        break;
    case OP_NOT:
        (void)blame_truth(t, step->ins->b, &step->x);
        break;
    case OP_CAST:
        why_cast(t, step);
        break;
    case OP_CALL:
        why_call(t, step);
        break;
    case OP_FIRST:
        buf_puts(t->out, "the Object does not satisfy the WHERE of the query");
        break;
    case OP_CONST:
        why_constant(t, step);
        break;
    default:
        break;
    }
}
