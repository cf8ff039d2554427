/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation, told clause by clause: each value that was computed, and why it is Undefined.
 *
 * The statement is compiled once more with its constants computed in the run, and run by the machine's watched loop. Before
 * each instruction the watcher sees the registers: it keeps what the instruction is about to read, and tells of it when the
 * next one is due, with the result at hand. Which clause an instruction belongs to follows from its place in the text. */
#include "sql/trace.h"

#include <stdlib.h>
#include <string.h>

#include "sql/parse.h"
#include "sql/sql.h"

#define TRACE_BYTES  ((size_t)64 << 20) /* for the tree and texts */
#define TRACE_LINES  10000              /* a longer trace is cut */
#define TRACE_COLUMN 38                 /* of values */

struct clause {
    struct span at, shown; /* the expression; what the heading shows */
    const char *word;      /* SET, WHERE, SELECT */
    bool is_literal;
};

struct tracer {
    struct sql_watch watch; /* first: the machine is given its address */
    struct trace_context in;
    struct trace_origin *origins;
    struct trace_step step;                /* the last instruction; ins is NULL at first */
    uint32_t next_at;                      /* where it goes on unless it jumps */
    const struct clause *clauses, *clause; /* all, and the one at hand */
    uint32_t clause_count;
    bool clause_told; /* the value of the whole clause was shown */
    uint32_t element; /* of the innermost nested query, from 0 */
    uint32_t lines;
    struct arena arena;
};

/* ---- texts ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* White space becomes one space, what does not fit "…". */
static size_t put_text(struct buf *out, const char *s, size_t len, size_t max)
{
    size_t shown = 0;
    for (size_t i = 0; i < len; i++) {
        bool begins = ((unsigned char)s[i] & 0xC0) != 0x80;
        if (is_blank(s[i]) && i > 0 && is_blank(s[i - 1]))
            continue;
        if (begins && shown + 1 >= max && i + 1 < len) {
            buf_puts(out, "\xe2\x80\xa6");
            return shown + 1;
        }
        buf_putc(out, is_blank(s[i]) ? ' ' : s[i]);
        shown += begins;
    }
    return shown;
}

size_t trace_put_source(struct buf *out, struct span at, size_t max)
{
    return put_text(out, at.src->text + at.off, at.len, max);
}

void trace_put_value(struct buf *out, struct val v, enum sql_version version, size_t max)
{
    struct buf text;
    if (v.kind == VAL_UNDEFINED || v.kind == VAL_BYTES) {
        if (v.kind == VAL_BYTES)
            buf_printf(out, "%u bytes that are not JSON", v.n);
        else
            buf_puts(out, "Undefined");
        return;
    }
    buf_init(&text, TRACE_BYTES);
    val_write_json(&text, v, version);
    put_text(out, text.p, text.len, max);
    buf_clear(&text);
}

/* ---- lines ---- */

static bool may_write(struct tracer *t)
{
    if (t->lines++ < TRACE_LINES)
        return true;
    if (t->lines == TRACE_LINES + 1)
        buf_puts(t->in.out, "  (the rest is left out)\n");
    return false;
}

static const struct clause *clause_of(const struct tracer *t, struct span at)
{
    for (uint32_t i = 0; i < t->clause_count; i++) {
        const struct span *c = &t->clauses[i].at;
        if (at.off >= c->off && at.off + at.len <= c->off + c->len)
            return &t->clauses[i];
    }
    return NULL;
}

/* The heading, when another clause begins. */
static void enter_clause(struct tracer *t, struct span at)
{
    const struct clause *c = clause_of(t, at);
    if (!c || c == t->clause)
        return;
    t->clause = c;
    t->clause_told = false;
    if (!may_write(t))
        return;
    buf_printf(t->in.out, "%s ", c->word);
    trace_put_source(t->in.out, c->shown, 3 * (size_t)TRACE_SOURCE);
    buf_putc(t->in.out, '\n');
}

static bool is_put(enum sql_op op)
{
    return op == OP_PUT || op == OP_PUT_PATH;
}

/* Is it the comparison of a CASE, whose place is that of the WHEN alone? */
static bool is_arm(const struct tracer *t)
{
    const struct sql_ins *ins = t->step.ins;
    return ins->op == OP_EQ && ins->b >= t->in.rule->program.set_count && !t->origins[ins->b].is_element &&
           t->origins[ins->b].at.off < t->step.at.off;
}

/* "  source text      value" */
static void put_line(struct tracer *t, struct span at, const struct val *v)
{
    struct buf *out = t->in.out;
    if (!may_write(t))
        return;
    t->clause_told |= t->clause && at.off == t->clause->at.off && at.len == t->clause->at.len;
    buf_puts(out, "  ");
    size_t width = is_arm(t) ? 5 : 0;
    buf_puts(out, width ? "WHEN " : "");
    width += trace_put_source(out, at, TRACE_SOURCE);
    do {
        buf_putc(out, ' ');
    } while (++width < TRACE_COLUMN);
    trace_put_value(out, *v, t->in.rule->program.version, TRACE_VALUE);
    if (val_is_undefined(*v) && !is_put((enum sql_op)t->step.ins->op)) {
        buf_puts(out, ": ");
        trace_why(&t->in, &t->step);
    }
    buf_putc(out, '\n');
}

static void put_element(struct tracer *t, const struct val *v)
{
    if (!may_write(t))
        return;
    buf_printf(t->in.out, "  element %u: ", t->element++);
    trace_put_value(t->in.out, *v, t->in.rule->program.version, TRACE_VALUE);
    buf_putc(t->in.out, '\n');
}

static void put_failure(struct tracer *t, struct span at, const struct err *e)
{
    if (!may_write(t))
        return;
    buf_puts(t->in.out, "  ");
    trace_put_source(t->in.out, at, TRACE_SOURCE);
    buf_printf(t->in.out, " failed, and get_or_default() takes it as Undefined: %s\n", e->text);
}

/* ---- steps ---- */

/* Does the instruction compute a value that a reader wants to see? */
static bool is_told(const struct tracer *t, const struct sql_ins *ins, const struct val *v)
{
    switch ((enum sql_op)ins->op) {
    case OP_CONST: /* a literal speaks for itself, unless it is all of a clause; others are results of CASE, EXISTS, … */
        return val_is_undefined(*v) || (t->clause && t->clause->is_literal) || (v->kind == VAL_BOOL && v->truth);
    case OP_FIRST:
        return val_is_undefined(*v);
    case OP_MOVE:
    case OP_ARRAY:
    case OP_OBJECT:
    case OP_ITER:
        return false;
    default:
        return true;
    }
}

/* An instruction that writes register a, or NEXT, which writes b. */
static void tell_result(struct tracer *t, const struct sql_vm *vm, bool absorbed)
{
    const struct sql_ins *ins = t->step.ins;
    struct span at = t->step.at;
    if (ins->op == OP_NEXT) {
        t->origins[ins->b] = (struct trace_origin) { .at = at, .is_element = true };
        put_element(t, &vm->regs[ins->b]);
        return;
    }
    if (sql_op_row((enum sql_op)ins->op)->operands[0] != 'w')
        return;
    if (absorbed)
        put_failure(t, at, &vm->why);
    else if (is_told(t, ins, &vm->regs[ins->a]))
        put_line(t, at, &vm->regs[ins->a]);
    t->origins[ins->a] = (struct trace_origin) { .at = at };
}

/* What was kept of the last instruction, now that its result is there. */
static void tell(struct tracer *t, const struct sql_vm *vm, bool jumped)
{
    const struct sql_ins *ins = t->step.ins;
    bool absorbed = t->watch.absorbed;
    t->watch.absorbed = false;
    enter_clause(t, t->step.at);
    if (ins->op == OP_ITER)
        t->element = 0;
    if (is_put((enum sql_op)ins->op) && t->clause && t->step.at.off == t->clause->at.off && !t->clause_told)
        put_line(t, t->step.at, &t->step.x); /* what was built, or a variable */
    else if (!(ins->op == OP_NEXT && jumped))
        tell_result(t, vm, absorbed);
}

static void keep(struct tracer *t, const struct sql_vm *vm, const struct sql_ins *ins, struct span at)
{
    const char *operands = sql_op_row((enum sql_op)ins->op)->operands;
    t->step.before = t->step.ins ? (enum sql_op)t->step.ins->op : OP_COUNT;
    t->step.ins = ins;
    t->step.at = at;
    t->step.x = operands[1] == 'r' ? vm->regs[ins->b] : VAL_UNDEFINED_VALUE;
    t->step.y = operands[2] == 'r' ? vm->regs[ins->c] : VAL_UNDEFINED_VALUE;
    for (uint32_t i = 0; ins->op == OP_CALL && i < ins->n; i++)
        t->step.args[i] = vm->regs[ins->b + i];
}

static void before(struct sql_watch *watch, const struct sql_vm *vm, const struct sql_code *code, uint32_t at)
{
    struct tracer *t = (struct tracer *)watch;
    if (t->step.ins)
        tell(t, vm, at != t->next_at);
    keep(t, vm, &code->ins[at], code->spans[at]);
    t->next_at = at + 1;
}

/* ---- clauses ---- */

static uint32_t count_clauses(const struct ast_statement *st)
{
    return st->set_count + st->query.count + 1;
}

static struct span until(struct span at, const struct ast_name *last)
{
    for (; last; last = last->next)
        at.len = last->at.off + last->at.len - at.off;
    return at;
}

static bool is_literal(const struct ast *node)
{
    return node->kind >= AST_NUMBER && node->kind <= AST_NULL;
}

static void read_clauses(struct tracer *t)
{
    const struct sql_rule *rule = t->in.rule;
    struct errs errs = { 0 };
    const struct ast_statement *st = parse_statement(rule->src, &t->arena, &errs);
    struct clause *c = st ? arena_array(&t->arena, count_clauses(st), sizeof(*c)) : NULL;
    errs_clear(&errs);
    t->clauses = c;
    if (!c)
        return;
    for (const struct ast_set *set = st->sets; set; set = set->next) {
        struct span shown = set->name.at;
        shown.len = set->value->at.off + set->value->at.len - shown.off;
        *c++ = (struct clause) {
            .at = set->value->at, .shown = shown, .word = "SET", .is_literal = is_literal(set->value)
        };
    }
    if (st->query.where)
        *c++ = (struct clause) { .at = st->query.where->at,
                                 .shown = st->query.where->at,
                                 .word = "WHERE",
                                 .is_literal = is_literal(st->query.where) };
    for (const struct ast_item *item = st->query.items; item; item = item->next)
        *c++ = (struct clause) { .at = item->expr->at,
                                 .shown = until(item->expr->at, item->alias),
                                 .word = st->query.is_value ? "SELECT VALUE" : "SELECT",
                                 .is_literal = is_literal(item->expr) };
    t->clause_count = (uint32_t)(c - t->clauses);
}

/* ---- the whole ---- */

static void put_end(struct tracer *t, enum sql_outcome outcome, struct val result)
{
    const struct sql_vm *vm = &t->in.machine->vm;
    if (t->step.ins && outcome != SQL_FAILED)
        tell(t, vm, false);
    buf_puts(t->in.out, outcome == SQL_MATCHED    ? "output "
                        : outcome == SQL_FILTERED ? "WHERE is not satisfied: no action runs\n"
                        : outcome == SQL_WAITS    ? "a look-up has no answer yet\n"
                                                  : "the evaluation was aborted\n");
    if (outcome != SQL_MATCHED)
        return;
    trace_put_value(t->in.out, result, t->in.rule->program.version, 2 * (size_t)TRACE_VALUE);
    buf_putc(t->in.out, '\n');
}

static enum sql_outcome trace(struct tracer *t, struct sql_machine *m, const struct sql_env *env, struct err *e)
{
    t->origins = arena_zalloc(&t->arena, t->in.rule->program.register_count * sizeof(*t->origins));
    if (!t->origins) {
        err_set(e, ERR_MEMORY, "out of memory");
        return SQL_FAILED;
    }
    t->in.origins = t->origins;
    read_clauses(t);
    enum sql_outcome outcome = sql_machine_run_watched(m, t->in.rule, env, &t->watch, e);
    put_end(t, outcome, m->result);
    return outcome;
}

enum sql_outcome sql_rule_trace(const struct sql_rule *rule, struct sql_machine *m, const struct sql_env *env,
                                struct buf *out, struct err *e)
{
    struct errs errs = { 0 };
    struct sql_rule *unfolded = sql_rule_unfold(rule, &errs); /* may be over a limit that the rule keeps */
    struct tracer *t = calloc(1, sizeof(*t));
    enum sql_outcome outcome = SQL_FAILED;
    if (t) {
        t->watch.before = before;
        arena_init(&t->arena, TRACE_BYTES);
        t->in =
            (struct trace_context) { .rule = unfolded ? unfolded : rule, .machine = m, .arena = &t->arena, .out = out };
        outcome = trace(t, m, env, e);
        m->result = VAL_UNDEFINED_VALUE; /* it may refer to what is freed now */
        arena_clear(&t->arena);
        free(t);
    } else {
        err_set(e, ERR_MEMORY, "out of memory");
    }
    errs_clear(&errs);
    sql_rule_free(unfolded);
    return outcome;
}
