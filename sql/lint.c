/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over a resolved tree, children before parents: what can each expression be, and what follows from that. */
#include "sql/lint.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/num.h"
#include "sql/funcs.h"
#include "sql/lex.h"

struct linter {
    const struct sql_rule *rule;
    struct errs *errs;
    struct sql_alias
        *aliases; /* of the statement, sorted; `read` is set by the walk. Of a template: those of the rule */
    uint32_t alias_count;
    bool in_template;
    bool in_query;               /* inside a nested query */
    unsigned sets[SQL_MAX_SETS]; /* what the variables can be */
};

static unsigned lint(struct linter *l, const struct ast *node);

static struct err *warn(struct linter *l, struct span at, const char *text)
{
    return errs_add(l->errs, SEV_WARNING, ERR_SQL_VALUE, at, "%s", text);
}

static struct span span_over(const struct ast *first, const struct ast *last)
{
    return (
        struct span) { .src = first->at.src, .off = first->at.off, .len = last->at.off + last->at.len - first->at.off };
}

/* ---- constants ---- */

static void complain_count(const struct ast *call, struct errs *errs)
{
    const struct sql_func *f = sql_func_at(call->call.row);
    struct err *e = errs_add(errs, SEV_WARNING, ERR_SQL_VALUE, call->at, "%s() with %u argument%s is always Undefined",
                             f->name, call->call.count, call->call.count == 1 ? "" : "s");
    if (f->max == SQL_ANY_COUNT)
        err_hint(e, "it takes %u or more", f->min);
    else if (f->min == f->max)
        err_hint(e, "it takes %u", f->min);
    else
        err_hint(e, "it takes %u to %u", f->min, f->max);
}

static bool has_wrong_count(const struct ast *node)
{
    if (node->kind != AST_CALL || node->ref == AST_REF_SLOT)
        return false;
    const struct sql_func *f = sql_func_at(node->call.row);
    return node->call.count < f->min || (node->call.count > f->max && f->max != SQL_ANY_COUNT);
}

static bool is_truth(const struct val *v)
{
    return (v->kind == VAL_BOOL && v->truth) || (v->kind == VAL_STRING && lex_is_word(v->text, v->n, "true"));
}

static void complain_where(struct span at, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_WARNING, ERR_SQL_VALUE, at, "this condition is never true");
    err_hint(e, "no message satisfies this WHERE, so no action ever runs");
}

void lint_constant(const struct ast *node, const struct val *v, bool is_where, struct errs *errs)
{
    if (has_wrong_count(node)) {
        complain_count(node, errs);
    } else if (is_where && !is_truth(v)) {
        complain_where(node->at, errs);
    } else if (val_is_undefined(*v)) {
        struct err *e = errs_add(errs, SEV_WARNING, ERR_SQL_VALUE, node->at, "this constant is always Undefined");
        err_hint(e, "its member will be missing; `sluice explain --trace` says why");
    }
}

static unsigned can_text(const char *text, size_t len)
{
    if (num_is_numeric_string(text, len))
        return LINT_NUMERIC;
    if (lex_is_word(text, len, "true"))
        return LINT_TRUTHY;
    return lex_is_word(text, len, "false") ? LINT_FALSY : LINT_STRING;
}

/* Of computed constants the value comes later, from the emitter: they could be anything here. */
static unsigned can_constant(const struct ast *node)
{
    switch (node->kind) {
    case AST_NUMBER:
        return LINT_NUMBER;
    case AST_STRING:
        return can_text(node->literal.text, node->literal.len);
    case AST_TRUE:
        return LINT_TRUE;
    case AST_FALSE:
        return LINT_FALSE;
    case AST_NULL:
        return LINT_NULL;
    case AST_ARRAY:
        return LINT_ARRAY;
    case AST_OBJECT:
        return LINT_OBJECT;
    default:
        return LINT_ANY;
    }
}

/* ---- names ---- */

static int compare_alias(const void *a, const void *b)
{
    const struct sql_alias *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static struct sql_alias *find_alias(const struct linter *l, const char *name, uint32_t len)
{
    struct sql_alias key = { .name = name, .len = len };
    return l->alias_count ? bsearch(&key, l->aliases, l->alias_count, sizeof(key), compare_alias) : NULL;
}

/* The text of the item that has the name, as far as it fits a hint. */
static void hint_alias(const struct linter *l, const struct sql_alias *alias, struct err *e)
{
    struct span at = alias->expr;
    if (at.len <= 60 && !memchr(at.src->text + at.off, '\n', at.len) && !l->in_query)
        err_hint(e, "a template sees the payload and SET variables: write ${%.*s}", (int)at.len, at.src->text + at.off);
    else
        err_hint(e, "a template sees the payload and SET variables: keep the value in one (SET @%s = …)", alias->name);
}

/* A path of the payload: in a statement its first name is one that the payload has; in a template it should not be one
 * that only AS gives. */
static void note_slot(struct linter *l, const struct ast *node, uint32_t slot)
{
    const struct sql_path *path = sql_paths_at(l->rule->paths, slot);
    struct sql_alias *alias = find_alias(l, path->names[0], path->lens[0]);
    if (!alias)
        return;
    if (!l->in_template) {
        alias->read = true;
    } else if (!alias->read) {
        struct err *e = errs_add(l->errs, SEV_WARNING, ERR_SQL_NAME, node->at,
                                 "\"%s\" is read from the payload here, it is not the item that AS names", alias->name);
        hint_alias(l, alias, e);
    }
}

/* ---- names with hyphens ---- */

/* A path of names alone. */
static bool is_names(const struct ast *node)
{
    return node->kind == AST_PATH && !node->path.base;
}

static bool is_joined(const struct ast *x, const struct ast *y)
{
    return y->op == TOKEN_MINUS && is_names(x) && is_names(y) && y->path.count == 1 &&
           x->at.off + x->at.len + 1 == y->at.off;
}

static bool same_text(const struct ast_name *a, const struct ast_name *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool is_difference(const struct ast *node)
{
    return node->kind == AST_CHAIN && node->list.items->next && node->list.items->next->op == TOKEN_MINUS;
}

/* `a.my-key`: the last of the names that hyphens join without a space, or NULL. Two members may well be subtracted
 * like that (`a.max-b.max`). */
static const struct ast *hyphen_end(const struct ast *node)
{
    const struct ast *first = is_difference(node) ? node->list.items : NULL, *last = first;
    for (const struct ast *next = first ? first->next : NULL; next && is_joined(last, next); next = next->next) {
        if (same_text(first->path.names, next->path.names))
            return NULL;
        last = next;
    }
    return last == first ? NULL : last;
}

static void warn_hyphen(struct linter *l, const struct ast *chain, const struct ast *last)
{
    const struct ast *first = chain->list.items;
    struct span at = span_over(first, last);
    const struct ast_name *name = first->path.names, *end = NULL;
    for (; name->next; name = name->next)
        end = name;
    const char *text = at.src->text;
    struct err *e = warn(l, at, "this is a subtraction, not a name with a hyphen");
    if (at.len > 80)
        err_hint(e, "write get(path, 'name') for the name, or spaces around - for the subtraction");
    else
        err_hint(e, "write get(%.*s, '%.*s') for the name, or spaces around - for the subtraction",
                 end ? (int)(end->at.off + end->at.len - at.off) : 1, end ? text + at.off : "*",
                 (int)(at.off + at.len - name->at.off), text + name->at.off);
}

/* Names at the top are subtracted more often than they have hyphens: those count where a number makes no sense. */
static void check_hyphen(struct linter *l, const struct ast *node, bool at_top)
{
    const struct ast *last = hyphen_end(node);
    if (last && (node->list.items->path.count == 1) == at_top)
        warn_hyphen(l, node, last);
}

/* ---- operators ---- */

static bool is_comparison(enum token_kind op)
{
    return op >= TOKEN_EQ && op <= TOKEN_GE;
}

/* Warn about an operand of which the operator makes Undefined, whatever the others are. Returns that it is one. */
static bool spoils(struct linter *l, const struct ast *operand, unsigned can, unsigned needed, const char *text,
                   const char *hint)
{
    if (can & needed)
        return false;
    if (can) /* else it was said already */
        err_hint(warn(l, operand->at, text), "%s", hint);
    return true;
}

static bool spoils_order(struct linter *l, const struct ast *operand, unsigned can)
{
    return spoils(l, operand, can, LINT_NUMBER | LINT_NUMERIC,
                  "this is no number, so the comparison is always Undefined",
                  "only numbers have an order; = and <> compare any two values");
}

static bool spoils_arithmetic(struct linter *l, const struct ast *operand, unsigned can)
{
    return spoils(l, operand, can, LINT_NUMBER | LINT_NUMERIC, "this is no number, so the result is always Undefined",
                  "only numbers, and texts that are numbers, can be computed with");
}

static bool spoils_logic(struct linter *l, const struct ast *operand, unsigned can)
{
    return spoils(l, operand, can, LINT_BOOL | LINT_TRUTHY | LINT_FALSY,
                  "this is neither true nor false, so the condition is always Undefined",
                  "AND, OR and NOT take conditions: compare with a value");
}

static unsigned can_order(struct linter *l, const struct ast *x, unsigned can_x, const struct ast *y, unsigned can_y)
{
    bool spoilt = spoils_order(l, x, can_x);
    spoilt |= spoils_order(l, y, can_y);
    return spoilt ? 0 : LINT_BOOL;
}

/* One bit for each type that `=` tells apart. */
static unsigned types_of(unsigned can)
{
    return (can & ~(unsigned)(LINT_TEXT | LINT_BOOL)) | (can & LINT_TEXT ? LINT_STRING : 0) |
           (can & LINT_BOOL ? LINT_TRUE : 0);
}

static bool is_path(const struct ast *node)
{
    return node->kind == AST_PATH || (node->kind == AST_CALL && node->ref == AST_REF_SLOT);
}

/* `x = NULL`: whoever writes it means that x is missing as well. */
static void check_null(struct linter *l, struct span at, const struct ast *x, const struct ast *y)
{
    const struct ast *path = y->kind == AST_NULL ? x : y;
    if ((x->kind != AST_NULL && y->kind != AST_NULL) || !is_path(path))
        return;
    struct err *e = warn(l, at, "this is Undefined, not true, when the path is missing");
    int len = path->at.len <= 40 ? (int)path->at.len : 0;
    const char *text = len ? path->at.src->text + path->at.off : "…";
    len = len ? len : (int)strlen(text);
    err_hint(e, "isNull(%.*s) asks for Null, isUndefined(%.*s) for a missing value", len, text, len, text);
}

static unsigned can_equal(struct linter *l, const struct ast *x, unsigned can_x, const struct ast *y, unsigned can_y)
{
    bool is_equal = y->op == TOKEN_EQ;
    if (!can_x || !can_y)
        return 0;
    if (is_equal)
        check_null(l, span_over(x, y), x, y);
    if (types_of(can_x) & types_of(can_y))
        return LINT_BOOL;
    if (hyphen_end(x) || hyphen_end(y)) {
        check_hyphen(l, x, true);
        check_hyphen(l, y, true);
        return is_equal ? LINT_FALSE : LINT_TRUE;
    }
    struct err *e = warn(l, span_over(x, y),
                         is_equal ? "these are of different types, so they are never equal"
                                  : "these are of different types, so they always differ");
    err_hint(e, "= and <> convert nothing: cast one side to the type of the other");
    return is_equal ? LINT_FALSE : LINT_TRUE;
}

static bool is_zero(const struct ast *node)
{
    struct num n;
    return node->kind == AST_NUMBER && num_parse(&n, node->literal.text, node->literal.len) && num_is_zero(&n);
}

static unsigned can_arithmetic(struct linter *l, const struct ast *x, unsigned can_x, const struct ast *y,
                               unsigned can_y)
{
    bool spoilt = spoils_arithmetic(l, x, can_x);
    spoilt |= spoils_arithmetic(l, y, can_y);
    if (!spoilt && (y->op == TOKEN_SLASH || y->op == TOKEN_PERCENT) && is_zero(y)) {
        err_hint(warn(l, y->at, "the result of a division by zero is always Undefined"), "divide by something else");
        spoilt = true;
    }
    return spoilt ? 0 : LINT_NUMBER;
}

/* Numbers are added; as soon as one is a String both are joined. */
static unsigned can_add(struct linter *l, const struct ast *x, unsigned can_x, const struct ast *y, unsigned can_y)
{
    unsigned can = 0;
    if (can_x & can_y & LINT_NUMBER)
        can |= LINT_NUMBER;
    if (((can_x & LINT_TEXT) && (can_y & ~(unsigned)LINT_NULL)) ||
        ((can_y & LINT_TEXT) && (can_x & ~(unsigned)LINT_NULL)))
        can |= LINT_TEXT;
    if (!can && can_x && can_y)
        err_hint(warn(l, span_over(x, y), "this sum is always Undefined"),
                 "+ adds numbers, or joins a text with another value");
    return can;
}

static unsigned can_in(struct linter *l, const struct ast *y, unsigned can_x, unsigned can_y)
{
    bool spoilt = spoils(l, y, can_y, LINT_ARRAY, "this is no Array, so IN is always Undefined",
                         "write the values in brackets: IN [1, 2]");
    return spoilt || !can_x ? 0 : LINT_BOOL;
}

static unsigned can_binary(struct linter *l, const struct ast *x, unsigned can_x, const struct ast *y, unsigned can_y)
{
    switch ((enum token_kind)y->op) {
    case TOKEN_EQ:
    case TOKEN_NE:
        return can_equal(l, x, can_x, y, can_y);
    case TOKEN_PLUS:
        return can_add(l, x, can_x, y, can_y);
    case TOKEN_IN:
        return can_in(l, y, can_x, can_y);
    default:
        return is_comparison(y->op) ? can_order(l, x, can_x, y, can_y) : can_arithmetic(l, x, can_x, y, can_y);
    }
}

static unsigned lint_logic(struct linter *l, const struct ast *chain)
{
    bool is_and = chain->list.items->next->op == TOKEN_AND, spoilt = false;
    unsigned all = LINT_BOOL, any = 0;
    for (const struct ast *part = chain->list.items; part; part = part->next) {
        unsigned can = lint(l, part), truth = 0;
        spoilt |= spoils_logic(l, part, can);
        truth |= can & (LINT_TRUE | LINT_TRUTHY) ? LINT_TRUE : 0;
        truth |= can & (LINT_FALSE | LINT_FALSY) ? LINT_FALSE : 0;
        all &= truth;
        any |= truth;
    }
    if (spoilt)
        return 0;
    if (is_and && lint_and(chain, l->errs))
        return LINT_FALSE;
    return is_and ? (all & LINT_TRUE) | (any & LINT_FALSE) : (any & LINT_TRUE) | (all & LINT_FALSE);
}

/* ---- the walk ---- */

static unsigned lint_list(struct linter *l, const struct ast *first)
{
    unsigned can = 0;
    for (const struct ast *node = first; node; node = node->next)
        can |= lint(l, node);
    return can;
}

static unsigned lint_chain(struct linter *l, const struct ast *node)
{
    const struct ast *x = node->list.items;
    if (x->next->op == TOKEN_AND || x->next->op == TOKEN_OR)
        return lint_logic(l, node);
    check_hyphen(l, node, false);
    unsigned can = lint(l, x);
    for (const struct ast *y = x->next; y; x = y, y = y->next)
        can = can_binary(l, x, can, y, lint(l, y));
    return can;
}

static unsigned can_function(const struct sql_func *f)
{
    static const struct {
        const char *result;
        unsigned can;
    } types[] = {
        { "Int", LINT_NUMBER },   { "Decimal", LINT_NUMBER }, { "Number", LINT_NUMBER }, { "String", LINT_TEXT },
        { "Boolean", LINT_BOOL }, { "Array", LINT_ARRAY },    { "Object", LINT_OBJECT },
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(f->result, types[i].result) == 0)
            return types[i].can;
    }
    return LINT_ANY;
}

static unsigned lint_call(struct linter *l, const struct ast *node)
{
    if (node->ref == AST_REF_SLOT) {
        note_slot(l, node, node->call.slot);
        return LINT_ANY;
    }
    (void)lint_list(l, node->call.args);
    if (!has_wrong_count(node))
        return can_function(sql_func_at(node->call.row));
    complain_count(node, l->errs);
    return 0;
}

static unsigned can_cast(const struct ast *node)
{
    switch ((enum sql_cast)node->cast.target) {
    case SQL_CAST_STRING:
        return LINT_TEXT;
    case SQL_CAST_BOOL:
        return LINT_BOOL;
    default:
        return LINT_NUMBER;
    }
}

static unsigned lint_path(struct linter *l, const struct ast *node)
{
    if (node->ref == AST_REF_SLOT)
        note_slot(l, node, node->path.slot);
    if (node->ref != AST_REF_BASE)
        return LINT_ANY;
    unsigned can = lint(l, node->path.base);
    bool spoilt = spoils(l, node->path.base, can, LINT_OBJECT, "this is no Object, so its member is always Undefined",
                         "only an Object has members");
    return spoilt ? 0 : LINT_ANY;
}

static unsigned lint_choice(struct linter *l, const struct ast *node)
{
    unsigned value = lint(l, node->choice.value), can = 0;
    for (const struct ast *when = node->choice.arms; when; when = when->next->next) {
        (void)lint(l, when);
        can |= lint(l, when->next);
    }
    if (node->choice.otherwise)
        can |= lint(l, node->choice.otherwise);
    return value ? can : 0;
}

static unsigned lint_query(struct linter *l, const struct ast *node)
{
    const struct ast_query *q = node->query;
    bool outer = l->in_query;
    if (q->source)
        (void)lint(l, q->source);
    l->in_query = true;
    if (q->where)
        (void)lint(l, q->where);
    for (const struct ast_item *item = q->items; item; item = item->next)
        (void)lint(l, item->expr);
    l->in_query = outer;
    if (node->kind == AST_EXISTS)
        return LINT_BOOL;
    return q->source && q->source->kind == AST_STAR ? LINT_ARRAY : LINT_ANY;
}

static unsigned lint_operand(struct linter *l, const struct ast *node)
{
    unsigned can = lint(l, node->operand);
    if (node->kind == AST_NEG)
        return spoils_arithmetic(l, node->operand, can) ? 0 : LINT_NUMBER;
    if (spoils_logic(l, node->operand, can))
        return 0;
    return (can & (LINT_TRUE | LINT_TRUTHY) ? LINT_FALSE : 0) | (can & (LINT_FALSE | LINT_FALSY) ? LINT_TRUE : 0);
}

/* What the node can be; warnings about it and what is below. */
static unsigned lint(struct linter *l, const struct ast *node)
{
    if (node->constant)
        return can_constant(node);
    switch ((enum ast_kind)node->kind) {
    case AST_VARIABLE:
        return l->in_template ? LINT_ANY : l->sets[node->variable.index];
    case AST_PATH:
        return lint_path(l, node);
    case AST_CALL:
        return lint_call(l, node);
    case AST_CAST:
        return lint(l, node->cast.value) ? can_cast(node) : 0;
    case AST_CASE:
        return lint_choice(l, node);
    case AST_OBJECT:
        (void)lint_list(l, node->object.values);
        return LINT_OBJECT;
    case AST_ARRAY:
        (void)lint_list(l, node->list.items);
        return LINT_ARRAY;
    case AST_QUERY:
    case AST_EXISTS:
        return lint_query(l, node);
    case AST_NEG:
    case AST_NOT:
        return lint_operand(l, node);
    case AST_CHAIN:
        return lint_chain(l, node);
    default:
        return LINT_ANY;
    }
}

/* ---- statements ---- */

/* The names that AS gives at the top, sorted. */
static void collect_aliases(struct linter *l, const struct ast_query *q, struct arena *a)
{
    l->aliases = arena_array(a, q->count, sizeof(*l->aliases));
    for (const struct ast_item *item = q->items; item && l->aliases; item = item->next) {
        if (item->aliased)
            l->aliases[l->alias_count++] =
                (struct sql_alias) { .name = item->alias->text, .len = item->alias->len, .expr = item->expr->at };
    }
    if (l->alias_count)
        qsort(l->aliases, l->alias_count, sizeof(*l->aliases), compare_alias);
}

/* Those that the payload is not known to have, for the templates. Without memory they get no warning. */
static void keep_aliases(struct sql_rule *rule, const struct linter *l)
{
    struct arena *a = &rule->program.arena;
    struct sql_alias *kept = l->alias_count ? arena_array(a, l->alias_count, sizeof(*kept)) : NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; kept && i < l->alias_count; i++) {
        kept[count] = l->aliases[i];
        kept[count].name = l->aliases[i].read ? NULL : arena_strndup(a, l->aliases[i].name, l->aliases[i].len);
        count += kept[count].name != NULL;
    }
    rule->aliases = kept;
    rule->alias_count = count;
}

/* A difference makes no sense as an item without a name of its own. */
static void check_items(struct linter *l, const struct ast_query *q)
{
    for (const struct ast_item *item = q->items; item; item = item->next) {
        if (!item->aliased && !q->is_value)
            check_hyphen(l, item->expr, true);
    }
}

static void lint_where(struct linter *l, const struct ast *where)
{
    size_t before = l->errs->warnings;
    unsigned can = lint(l, where);
    bool is_computed = where->constant && can == LINT_ANY; /* the emitter asks then */
    if (!is_computed && !(can & (LINT_TRUE | LINT_TRUTHY)) && l->errs->warnings == before)
        complain_where(where->at, l->errs);
}

void lint_statement(struct sql_rule *rule, const struct ast_statement *st, struct arena *scratch, struct errs *errs)
{
    struct linter l = { .rule = rule, .errs = errs };
    const struct ast_query *q = &st->query;
    collect_aliases(&l, q, scratch);
    uint32_t index = 0;
    for (const struct ast_set *set = st->sets; set; set = set->next)
        l.sets[index++] = lint(&l, set->value);
    if (q->where)
        lint_where(&l, q->where);
    for (const struct ast_item *item = q->items; item; item = item->next)
        (void)lint(&l, item->expr);
    check_items(&l, q);
    keep_aliases(rule, &l);
}

void lint_template(const struct sql_rule *rule, const struct ast *expr, struct errs *errs)
{
    struct linter l = {
        .rule = rule, .errs = errs, .aliases = rule->aliases, .alias_count = rule->alias_count, .in_template = true
    };
    (void)lint(&l, expr);
}
