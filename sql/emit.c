/* SPDX-License-Identifier: Apache-2.0 */
/* Emitter: one walk over the resolved tree.
 *
 * Registers are a stack: gen(node, to) leaves a value in a register that the caller chose, and whatever it takes
 * above is free again afterwards. Values that are in a register already (SET variables, the element of a nested
 * query) are used where they are. The largest constant subtrees are emitted into a program of their own, run, and
 * become one constant; so each constant expression is computed once while compiling, whatever its shape.
 *
 * Jumps forward to one place are chained through their own target operands until the place is known. */
#include "sql/emit.h"

#include <assert.h>
#include <string.h>

#include "engine/base/num.h"
#include "sql/funcs.h"
#include "sql/lex.h"
#include "sql/lint.h"
#include "sql/pool.h"
#include "sql/vm.h"

#define MAX_INS    65535 /* a jump target has 16 bits */
#define NO_JUMP    UINT16_MAX
#define FOLD_BYTES ((size_t)4 << 20) /* memory for computing one constant */
#define FOLD_TEXT  65536             /* longer Strings are better made when they are needed */

struct emitter {
    struct sql_program *program;
    struct pool pool;
    struct arena *scratch; /* for the code under construction */
    struct arena *folding; /* for computing constants; NULL while one is computed */
    struct errs *errs;
    struct sql_ins *ins;
    struct span *spans;
    uint32_t count, cap;
    struct sql_guard *guards;
    uint32_t guard_count, guard_cap;
    uint16_t next, most;     /* registers: first free one, most ever taken */
    uint16_t element;        /* register of the innermost nested query's element */
    const struct ast *where; /* the statement's, or NULL */
    bool folds;
    bool reads_payload, needs_json;
    bool failed;
};

static void gen(struct emitter *e, const struct ast *node, uint16_t to);

/* ---- instructions ---- */

/* Give up, once. */
static void fail(struct emitter *e, enum err_code code, struct span at, const char *text)
{
    if (!e->failed && e->errs)
        errs_add(e->errs, SEV_ERROR, code, at, "%s", text);
    e->failed = true;
}

static bool reserve(struct emitter *e)
{
    if (e->count < e->cap)
        return true;
    uint32_t cap = e->cap ? e->cap * 2 : 32;
    struct sql_ins *ins = arena_array(e->scratch, cap, sizeof(*ins));
    struct span *spans = arena_array(e->scratch, cap, sizeof(*spans));
    if (!ins || !spans)
        return false;
    if (e->count) {
        memcpy(ins, e->ins, e->count * sizeof(*ins));
        memcpy(spans, e->spans, e->count * sizeof(*spans));
    }
    e->ins = ins;
    e->spans = spans;
    e->cap = cap;
    return true;
}

/* The instructions from `from` on, whose value is in `result`, are guarded. */
static void put_guard(struct emitter *e, struct span at, uint16_t from, uint16_t result)
{
    if (e->failed)
        return;
    if (e->guard_count == e->guard_cap) {
        uint32_t cap = e->guard_cap ? e->guard_cap * 2 : 8;
        struct sql_guard *guards = arena_array(e->scratch, cap, sizeof(*guards));
        if (!guards) {
            fail(e, ERR_MEMORY, at, "no memory for the bytecode");
            return;
        }
        if (e->guard_count)
            memcpy(guards, e->guards, e->guard_count * sizeof(*guards));
        e->guards = guards;
        e->guard_cap = cap;
    }
    e->guards[e->guard_count++] = (struct sql_guard) { .from = from, .to = (uint16_t)e->count, .result = result };
}

/* Append an instruction; returns its index. */
static uint16_t put(struct emitter *e, struct span at, struct sql_ins ins)
{
    if (e->count >= MAX_INS)
        fail(e, ERR_SQL_LIMIT, at, "the bytecode would be longer than 65,535 instructions");
    if (!e->failed && !reserve(e))
        fail(e, ERR_MEMORY, at, "no memory for the bytecode");
    if (e->failed)
        return 0;
    e->ins[e->count] = ins;
    e->spans[e->count] = at;
    return (uint16_t)e->count++;
}

static uint16_t put_op(struct emitter *e, struct span at, enum sql_op op, uint16_t a, uint16_t b, uint16_t c)
{
    return put(e, at, (struct sql_ins) { .op = (uint8_t)op, .a = a, .b = b, .c = c });
}

/* The operand of a jump that is its target. */
static uint16_t *target_of(struct sql_ins *ins)
{
    const char *operands = sql_op_row(ins->op)->operands;
    return operands[0] == 'j' ? &ins->a : operands[1] == 'j' ? &ins->b : &ins->c;
}

/* A jump whose target comes later joins the chain that begins at *jumps. */
static void put_jump(struct emitter *e, struct span at, enum sql_op op, uint16_t a, uint16_t b, uint16_t *jumps)
{
    uint16_t index = put_op(e, at, op, a, b, 0);
    if (e->failed)
        return;
    *target_of(&e->ins[index]) = *jumps;
    *jumps = index;
}

/* The jumps of a chain come here. */
static void land(struct emitter *e, uint16_t jumps)
{
    while (!e->failed && jumps != NO_JUMP) {
        uint16_t *target = target_of(&e->ins[jumps]);
        jumps = *target;
        *target = (uint16_t)e->count;
    }
}

static void put_jump_back(struct emitter *e, struct span at, enum sql_op op, uint16_t a, uint16_t target)
{
    uint16_t index = put_op(e, at, op, a, 0, 0);
    if (!e->failed)
        *target_of(&e->ins[index]) = target;
}

/* ---- registers and constants ---- */

/* Take `count` registers in a row; the caller gives them back by restoring e->next. */
static uint16_t take(struct emitter *e, uint32_t count, struct span at)
{
    uint16_t first = e->next;
    if (first + count > SQL_MAX_REGISTERS) {
        fail(e, ERR_SQL_LIMIT, at, "the expression needs too many intermediate values at once");
        return 0;
    }
    e->next = (uint16_t)(first + count);
    if (e->next > e->most)
        e->most = e->next;
    return first;
}

static uint16_t constant(struct emitter *e, struct val v, struct span at)
{
    int index = pool_add(&e->pool, v);
    if (index >= 0)
        return (uint16_t)index;
    fail(e, ERR_SQL_LIMIT, at, "the rule has too many constants");
    return 0;
}

static void put_constant(struct emitter *e, struct span at, uint16_t to, struct val v)
{
    put_op(e, at, OP_CONST, to, constant(e, v, at), 0);
}

/* The register of a value: where it is already, else a new one. */
static uint16_t operand(struct emitter *e, const struct ast *node)
{
    if (node->kind == AST_VARIABLE)
        return (uint16_t)node->variable.index;
    bool element = (node->kind == AST_STAR || node->kind == AST_PATH) && node->ref == AST_REF_ELEMENT;
    if (element && (node->kind == AST_STAR || node->path.count == node->path.skip))
        return e->element;
    uint16_t to = take(e, 1, node->at);
    gen(e, node, to);
    return to;
}

/* ---- constants computed now ---- */

static bool is_literal(const struct ast *node)
{
    return node->kind >= AST_NUMBER && node->kind <= AST_NULL;
}

/* Emit the subtree into a program of its own and run it. */
static bool compute(struct emitter *e, const struct ast *node, struct val *result)
{
    struct sql_program program = { .version = e->program->version };
    struct emitter sub = { .program = &program, .scratch = e->folding };
    if (!pool_init(&sub.pool, &program, e->folding, e->folding, 0, false))
        return false;
    uint16_t to = take(&sub, 1, node->at);
    gen(&sub, node, to);
    put_op(&sub, node->at, OP_RETURN, to, 0, 0);
    program.register_count = sub.most;
    struct sql_code code = { .ins = sub.ins, .spans = sub.spans, .count = sub.count };
    return !sub.failed && sql_vm_fold(&program, &code, e->folding, result);
}

static bool fold(struct emitter *e, const struct ast *node, uint16_t to)
{
    struct val v, copy;
    bool done = compute(e, node, &v) && !(v.kind == VAL_STRING && v.n > FOLD_TEXT) && pool_copy(&e->pool, v, &copy);
    if (done) {
        put_constant(e, node->at, to, copy);
        lint_constant(node, &v, node == e->where, e->errs);
    }
    arena_reset(e->folding);
    return done;
}

/* ---- operators ---- */

static enum sql_op chain_op(enum token_kind token)
{
    switch (token) {
    case TOKEN_EQ:
        return OP_EQ;
    case TOKEN_NE:
        return OP_NE;
    case TOKEN_LT:
        return OP_LT;
    case TOKEN_LE:
        return OP_LE;
    case TOKEN_GT:
        return OP_GT;
    case TOKEN_GE:
        return OP_GE;
    case TOKEN_IN:
        return OP_IN;
    case TOKEN_PLUS:
        return OP_ADD;
    case TOKEN_MINUS:
        return OP_SUB;
    case TOKEN_STAR:
        return OP_MUL;
    case TOKEN_SLASH:
        return OP_DIV;
    case TOKEN_PERCENT:
        return OP_REM;
    case TOKEN_AND:
        return OP_AND;
    default:
        return OP_OR;
    }
}

static void gen_chain(struct emitter *e, const struct ast *node, uint16_t to)
{
    const struct ast *item = node->list.items;
    uint16_t mark = e->next, left = to;
    if (item->kind == AST_VARIABLE || item->ref == AST_REF_ELEMENT)
        left = operand(e, item);
    else
        gen(e, item, to);
    for (item = item->next; item; item = item->next) {
        uint16_t inner = e->next, right = operand(e, item);
        struct span at = { .src = node->at.src,
                           .off = node->at.off,
                           .len = item->at.off + item->at.len - node->at.off };
        put_op(e, at, chain_op(item->op), to, left, right);
        left = to;
        e->next = inner;
    }
    e->next = mark;
}

static void gen_unary(struct emitter *e, const struct ast *node, enum sql_op op, uint16_t to)
{
    uint16_t mark = e->next, from = operand(e, node->operand);
    put_op(e, node->at, op, to, from, 0);
    e->next = mark;
}

static void gen_cast(struct emitter *e, const struct ast *node, uint16_t to)
{
    uint16_t mark = e->next, from = operand(e, node->cast.value);
    put_op(e, node->at, OP_CAST, to, from, node->cast.target);
    e->next = mark;
}

/* ---- operands ---- */

static void gen_number(struct emitter *e, const struct ast *node, uint16_t to)
{
    struct num n;
    bool in_range = num_parse(&n, node->literal.text, node->literal.len);
    assert(in_range); /* the resolver asked */
    if (in_range)
        put_constant(e, node->at, to, val_from_num(&n, e->program->version, e->pool.mem));
}

static void gen_literal(struct emitter *e, const struct ast *node, uint16_t to)
{
    if (node->kind == AST_NUMBER)
        gen_number(e, node, to);
    else if (node->kind == AST_STRING)
        put_constant(e, node->at, to, val_string(node->literal.text, node->literal.len));
    else if (node->kind == AST_NULL)
        put_constant(e, node->at, to, val_null());
    else
        put_constant(e, node->at, to, val_bool(node->kind == AST_TRUE));
}

static void gen_star(struct emitter *e, const struct ast *node, uint16_t to)
{
    if (node->ref == AST_REF_ELEMENT) {
        put_op(e, node->at, OP_MOVE, to, e->element, 0);
        return;
    }
    e->reads_payload = e->needs_json = true;
    put_op(e, node->at, OP_STAR, to, 0, 0);
}

static void gen_slot(struct emitter *e, const struct ast *node, uint16_t to, uint16_t slot)
{
    e->reads_payload = e->needs_json = true;
    put_op(e, node->at, OP_SLOT, to, slot, 0);
}

/* Members of what is in `from`, one after the other; without any, the value itself. */
static void gen_members(struct emitter *e, const struct ast *node, uint16_t to, uint16_t from)
{
    const struct ast_name *name = node->path.names;
    for (uint32_t i = 0; i < node->path.skip && name; i++)
        name = name->next;
    if (!name)
        put_op(e, node->at, OP_MOVE, to, from, 0);
    for (; name; name = name->next) {
        struct span at = { .src = node->at.src,
                           .off = node->at.off,
                           .len = name->at.off + name->at.len - node->at.off };
        put_op(e, at, OP_MEMBER, to, from, constant(e, val_string(name->text, name->len), name->at));
        from = to;
    }
}

static void gen_path(struct emitter *e, const struct ast *node, uint16_t to)
{
    uint16_t mark = e->next;
    if (node->ref == AST_REF_SLOT)
        gen_slot(e, node, to, node->path.slot);
    else if (node->ref == AST_REF_ELEMENT)
        gen_members(e, node, to, e->element);
    else
        gen_members(e, node, to, operand(e, node->path.base));
    e->next = mark;
}

static void gen_call(struct emitter *e, const struct ast *node, uint16_t to)
{
    if (node->ref == AST_REF_SLOT) {
        gen_slot(e, node, to, node->call.slot);
        return;
    }
    unsigned flags = sql_func_at(node->call.row)->flags;
    uint16_t mark = e->next, first = take(e, node->call.count, node->at), place = first;
    for (const struct ast *arg = node->call.args; arg; arg = arg->next, place++) {
        uint16_t from = (uint16_t)e->count;
        if ((flags & SQL_TAKES_BYTES) && arg->kind == AST_STAR && arg->ref == AST_REF_PAYLOAD)
            put_op(e, arg->at, OP_BYTES, place, 0, 0);
        else
            gen(e, arg, place);
        if ((flags & SQL_ABSORBS) && place == first)
            put_guard(e, arg->at, from, place);
    }
    put(e, node->at,
        (struct sql_ins) { .op = OP_CALL, .n = (uint8_t)node->call.count, .a = to, .b = first, .c = node->call.row });
    e->next = mark;
}

/* An Undefined value makes the whole CASE Undefined, whatever the arms. */
static void gen_case(struct emitter *e, const struct ast *node, uint16_t to)
{
    uint16_t mark = e->next, done = NO_JUMP, undefined = NO_JUMP;
    uint16_t value = operand(e, node->choice.value), test = take(e, 1, node->at);
    put_jump(e, node->choice.value->at, OP_JUMP_UNDEF, value, 0, &undefined);
    for (const struct ast *when = node->choice.arms; when; when = when->next->next) {
        uint16_t inner = e->next, other = NO_JUMP;
        put_op(e, when->at, OP_EQ, test, value, operand(e, when));
        put_jump(e, when->at, OP_JUMP_FALSE, test, 0, &other);
        e->next = inner;
        gen(e, when->next, to);
        put_jump(e, when->next->at, OP_JUMP, 0, 0, &done);
        land(e, other);
    }
    if (node->choice.otherwise) {
        gen(e, node->choice.otherwise, to);
        put_jump(e, node->at, OP_JUMP, 0, 0, &done);
    }
    land(e, undefined);
    put_constant(e, node->at, to, VAL_UNDEFINED_VALUE);
    land(e, done);
    e->next = mark;
}

static void gen_array(struct emitter *e, const struct ast *node, uint16_t to)
{
    put_op(e, node->at, OP_ARRAY, to, 0, 0);
    for (const struct ast *item = node->list.items; item; item = item->next) {
        uint16_t mark = e->next;
        put_op(e, item->at, OP_APPEND, to, operand(e, item), 0);
        e->next = mark;
    }
}

static void put_member(struct emitter *e, const struct ast *value, const struct ast_name *key, uint16_t to)
{
    uint16_t mark = e->next, from = operand(e, value);
    put_op(e, value->at, OP_PUT, to, from, constant(e, val_string(key->text, key->len), value->at));
    e->next = mark;
}

static void gen_object(struct emitter *e, const struct ast *node, uint16_t to)
{
    put_op(e, node->at, OP_OBJECT, to, 0, 0);
    const struct ast_name *key = node->object.keys;
    for (const struct ast *value = node->object.values; value; value = value->next, key = key->next)
        put_member(e, value, key, to);
}

/* ---- queries ---- */

/* The names of a dotted alias, as an Array. */
static struct val alias_names(struct emitter *e, const struct ast_item *item)
{
    struct val names = val_array();
    for (const struct ast_name *name = item->alias; name; name = name->next) {
        struct val text = val_string(arena_strndup(e->pool.mem, name->text, name->len), name->len);
        if (!text.text || !val_append(&names, text, e->pool.mem))
            fail(e, ERR_MEMORY, name->at, "no memory for the bytecode");
    }
    return names;
}

static bool is_spread(const struct ast_item *item)
{
    return item->expr->kind == AST_STAR && !item->aliased;
}

static void put_item(struct emitter *e, const struct ast_item *item, uint16_t to)
{
    uint16_t mark = e->next, from;
    if (item->alias_count == 1) {
        put_member(e, item->expr, item->alias, to);
        return;
    }
    from = operand(e, item->expr);
    put_op(e, item->expr->at, OP_PUT_PATH, to, from, constant(e, alias_names(e, item), item->expr->at));
    e->next = mark;
}

/* The members of `*` come first wherever it stands in the list (spec 4.2). */
static void gen_items(struct emitter *e, const struct ast_query *q, uint16_t to)
{
    put_op(e, q->at, OP_OBJECT, to, 0, 0);
    for (const struct ast_item *item = q->items; item; item = item->next) {
        uint16_t mark = e->next;
        if (is_spread(item))
            put_op(e, item->expr->at, OP_SPREAD, to, operand(e, item->expr), 0);
        e->next = mark;
    }
    for (const struct ast_item *item = q->items; item; item = item->next) {
        if (!is_spread(item))
            put_item(e, item, to);
    }
}

/* The register of one result of a query. */
static uint16_t query_result(struct emitter *e, const struct ast_query *q)
{
    if (q->is_value)
        return operand(e, q->items->expr);
    uint16_t to = take(e, 1, q->at);
    gen_items(e, q, to);
    return to;
}

/* A loop over the elements of a nested query. */
struct loop {
    uint16_t mark, outer_element; /* to restore */
    uint16_t source;              /* register */
    uint16_t top;                 /* the NEXT instruction */
    uint16_t done, no_elements;   /* chains of jumps: behind the last element; the source is neither Array nor Object */
};

static void loop_begin(struct emitter *e, const struct ast_query *q, struct loop *loop)
{
    *loop = (struct loop) { .mark = e->next, .outer_element = e->element, .done = NO_JUMP, .no_elements = NO_JUMP };
    loop->source = operand(e, q->source);
    uint16_t iterator = take(e, 1, q->at), element = take(e, 1, q->at);
    put_jump(e, q->source->at, OP_ITER, iterator, loop->source, &loop->no_elements);
    loop->top = (uint16_t)e->count;
    put_jump(e, q->source->at, OP_NEXT, iterator, element, &loop->done);
    e->element = element;
    if (q->where) {
        uint16_t inner = e->next;
        put_jump_back(e, q->where->at, OP_JUMP_FALSE, operand(e, q->where), loop->top);
        e->next = inner;
    }
}

static void loop_end(struct emitter *e, const struct loop *loop)
{
    e->element = loop->outer_element;
    e->next = loop->mark;
}

static void gen_query(struct emitter *e, const struct ast *node, uint16_t to)
{
    const struct ast_query *q = node->query;
    uint16_t end = NO_JUMP;
    struct loop loop;
    put_op(e, node->at, OP_ARRAY, to, 0, 0);
    loop_begin(e, q, &loop);
    put_op(e, q->items->expr->at, OP_APPEND, to, query_result(e, q), 0);
    put_jump_back(e, node->at, OP_JUMP, 0, loop.top);
    land(e, loop.done);
    if (q->source->kind != AST_STAR) { /* of a path to an object the single result is unwrapped (spec 1.6) */
        put_jump(e, node->at, OP_JUMP_ARRAY, loop.source, 0, &end);
        put_op(e, node->at, OP_FIRST, to, to, 0);
    }
    put_jump(e, node->at, OP_JUMP, 0, 0, &end);
    land(e, loop.no_elements);
    put_constant(e, node->at, to, VAL_UNDEFINED_VALUE);
    land(e, end);
    loop_end(e, &loop);
}

/* An object always counts; VALUE counts unless it is Undefined. */
static void gen_exists(struct emitter *e, const struct ast *node, uint16_t to)
{
    const struct ast_query *q = node->query;
    struct loop loop;
    put_constant(e, node->at, to, val_bool(false));
    loop_begin(e, q, &loop);
    if (q->is_value)
        put_jump_back(e, q->items->expr->at, OP_JUMP_UNDEF, query_result(e, q), loop.top);
    put_constant(e, node->at, to, val_bool(true));
    land(e, loop.done);
    land(e, loop.no_elements);
    loop_end(e, &loop);
}

/* ---- the walk ---- */

static void gen_node(struct emitter *e, const struct ast *node, uint16_t to)
{
    switch ((enum ast_kind)node->kind) {
    case AST_NUMBER:
    case AST_STRING:
    case AST_TRUE:
    case AST_FALSE:
    case AST_NULL:
        gen_literal(e, node, to);
        break;
    case AST_STAR:
        gen_star(e, node, to);
        break;
    case AST_VARIABLE:
        put_op(e, node->at, OP_MOVE, to, (uint16_t)node->variable.index, 0);
        break;
    case AST_PATH:
        gen_path(e, node, to);
        break;
    case AST_CALL:
        gen_call(e, node, to);
        break;
    case AST_CAST:
        gen_cast(e, node, to);
        break;
    case AST_CASE:
        gen_case(e, node, to);
        break;
    case AST_OBJECT:
        gen_object(e, node, to);
        break;
    case AST_ARRAY:
        gen_array(e, node, to);
        break;
    case AST_QUERY:
        gen_query(e, node, to);
        break;
    case AST_EXISTS:
        gen_exists(e, node, to);
        break;
    case AST_NEG:
        gen_unary(e, node, OP_NEG, to);
        break;
    case AST_NOT:
        gen_unary(e, node, OP_NOT, to);
        break;
    case AST_CHAIN:
        gen_chain(e, node, to);
        break;
    case AST_ERROR:
    case AST_KIND_COUNT:
        assert(false); /* no node of a tree without errors */
        break;
    }
}

static void gen(struct emitter *e, const struct ast *node, uint16_t to)
{
    if (e->failed)
        return;
    if (!node->constant || is_literal(node) || !e->folds) {
        gen_node(e, node, to);
    } else if (!fold(e, node, to)) {
        e->folds = false; /* nor are its parts tried one by one */
        gen_node(e, node, to);
        e->folds = true;
    }
}

/* ---- codes ---- */

static bool start(struct emitter *e, struct sql_rule *rule, struct arena *scratch, struct arena *folding,
                  struct errs *errs)
{
    struct sql_program *program = &rule->program;
    *e = (struct emitter) {
        .program = program, .scratch = scratch, .folding = folding, .errs = errs, .folds = !rule->unfolded
    };
    e->next = e->most = (uint16_t)program->set_count;
    arena_init(folding, FOLD_BYTES);
    if (pool_init(&e->pool, program, &program->arena, scratch, rule->constant_cap, true))
        return true;
    fail(e, ERR_MEMORY, (struct span) { .src = rule->src }, "no memory for the bytecode");
    return false;
}

/* Copy the code into the program. */
static int finish(struct emitter *e, struct sql_rule *rule, struct sql_code *code)
{
    struct sql_program *program = &rule->program;
    rule->constant_cap = e->pool.cap;
    arena_clear(e->folding);
    if (e->failed)
        return -1;
    struct sql_ins *ins = arena_array(&program->arena, e->count, sizeof(*ins));
    struct span *spans = arena_array(&program->arena, e->count, sizeof(*spans));
    struct sql_guard *guards = arena_array(&program->arena, e->guard_count + 1, sizeof(*guards));
    if (!ins || !spans || !guards) {
        fail(e, ERR_MEMORY, (struct span) { .src = rule->src }, "no memory for the bytecode");
        return -1;
    }
    if (e->guard_count)
        memcpy(guards, e->guards, e->guard_count * sizeof(*guards));
    code->guards = guards;
    code->guard_count = e->guard_count;
    memcpy(ins, e->ins, e->count * sizeof(*ins));
    memcpy(spans, e->spans, e->count * sizeof(*spans));
    code->ins = ins;
    code->spans = spans;
    code->count = e->count;
    if (e->most > program->register_count)
        program->register_count = e->most;
    rule->reads_payload |= e->reads_payload;
    return 0;
}

static void gen_sets(struct emitter *e, const struct ast_statement *st)
{
    uint16_t to = 0;
    for (const struct ast_set *set = st->sets; set; set = set->next)
        gen(e, set->value, to++);
}

static void gen_statement(struct emitter *e, const struct ast_statement *st)
{
    const struct ast_query *q = &st->query;
    uint16_t mark = e->next;
    gen_sets(e, st);
    e->where = q->where;
    if (q->where)
        put_op(e, q->where->at, OP_WHERE, operand(e, q->where), 0, 0);
    e->next = mark;
    bool needs_json = e->needs_json;
    uint16_t result = query_result(e, q);
    bool star = q->is_value && q->items->expr->kind == AST_STAR; /* SELECT * passes on whatever came */
    struct span at = q->is_value ? q->items->expr->at : q->at;
    if (q->is_value && !star && e->program->version == SQL_2015_10_08)
        put_op(e, at, OP_SCALAR, result, 0, 0);
    put_op(e, at, OP_RETURN, result, 0, 0);
    if (star)
        e->needs_json = needs_json;
}

/* Does the statement pass on the bytes of a payload that is not JSON? */
static void note_bytes(struct sql_rule *rule, const struct ast_query *q)
{
    rule->star_at = q->items->expr->at;
    rule->passes_bytes = q->is_value && q->items->expr->kind == AST_STAR && !rule->program.needs_json;
}

int emit_statement(struct sql_rule *rule, const struct ast_statement *statement, struct arena *scratch,
                   struct errs *errs)
{
    struct emitter e;
    struct arena folding;
    rule->program.set_count = statement->set_count;
    if (!start(&e, rule, scratch, &folding, errs))
        return -1;
    gen_statement(&e, statement);
    rule->program.needs_json = e.needs_json;
    note_bytes(rule, &statement->query);
    return finish(&e, rule, &rule->program.main);
}

static void gen_piece(struct emitter *e, const struct template_piece *piece)
{
    uint16_t mark = e->next, from;
    if (piece->text) {
        from = take(e, 1, piece->at);
        put_constant(e, piece->at, from, val_string(piece->text, piece->len));
    } else {
        from = operand(e, piece->expr);
    }
    put_op(e, piece->at, OP_TEXT, from, 0, 0);
    if (!piece->next)
        put_op(e, piece->at, OP_RETURN, from, 0, 0);
    e->next = mark;
}

int emit_template(struct sql_rule *rule, const struct template_piece *pieces, struct sql_code *code,
                  struct arena *scratch, struct errs *errs)
{
    struct emitter e;
    struct arena folding;
    uint32_t constants = rule->program.constant_count;
    if (!start(&e, rule, scratch, &folding, errs))
        return -1;
    const struct template_piece *piece = pieces;
    do {
        gen_piece(&e, piece);
        piece = piece->next;
    } while (piece);
    code->single = !pieces->text && !pieces->next;
    int rc = finish(&e, rule, code);
    if (rc < 0)
        rule->program.constant_count = constants;
    return rc;
}
