/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions that exclude one another: `x > 5 AND x < 3`, `mode = 'a' AND mode = 'b'`.
 *
 * Looked at are comparisons of a path of the payload with a literal. Where every pair of them can hold, all can: they
 * are intervals, points and exceptions on one line. */
#include "sql/lint.h"

#include <string.h>

#include "engine/base/num.h"
#include "sql/lex.h"

/* path `op` literal */
struct condition {
    const struct ast *node; /* the comparison */
    uint32_t slot;
    enum token_kind op;
    enum ast_kind kind; /* of the literal */
    struct num number;
    const char *text; /* AST_STRING */
    size_t len;
};

static bool slot_of(const struct ast *node, uint32_t *slot)
{
    if (node->ref != AST_REF_SLOT || (node->kind != AST_PATH && node->kind != AST_CALL))
        return false;
    *slot = node->kind == AST_PATH ? node->path.slot : node->call.slot;
    return true;
}

static bool read_literal(const struct ast *node, struct condition *c)
{
    bool negative = node->kind == AST_NEG && node->operand->kind == AST_NUMBER;
    const struct ast *literal = negative ? node->operand : node;
    const struct num zero = num_from_i64(0);
    c->kind = literal->kind;
    switch (literal->kind) {
    case AST_NUMBER:
        return num_parse(&c->number, literal->literal.text, literal->literal.len) &&
               (!negative || num_sub(&c->number, &zero, &c->number));
    case AST_STRING:
        c->text = literal->literal.text;
        c->len = literal->literal.len;
        return true;
    case AST_TRUE:
    case AST_FALSE:
        return true;
    default:
        return false;
    }
}

static enum token_kind mirrored(enum token_kind op)
{
    switch (op) {
    case TOKEN_LT:
        return TOKEN_GT;
    case TOKEN_LE:
        return TOKEN_GE;
    case TOKEN_GT:
        return TOKEN_LT;
    case TOKEN_GE:
        return TOKEN_LE;
    default:
        return op;
    }
}

static bool read_condition(const struct ast *node, struct condition *c)
{
    if (node->kind != AST_CHAIN || node->list.count != 2)
        return false;
    const struct ast *left = node->list.items, *right = left->next;
    c->node = node;
    c->op = right->op;
    if (c->op < TOKEN_EQ || c->op > TOKEN_GE)
        return false;
    if (slot_of(left, &c->slot))
        return read_literal(right, c);
    c->op = mirrored(c->op);
    return slot_of(right, &c->slot) && read_literal(left, c);
}

static bool is_below(enum token_kind op)
{
    return op == TOKEN_LT || op == TOKEN_LE;
}

static bool is_order(enum token_kind op)
{
    return is_below(op) || op == TOKEN_GT || op == TOKEN_GE;
}

/* Does the number fulfil `op` bound? */
static bool holds(const struct num *n, enum token_kind op, const struct num *bound)
{
    int order = num_cmp(n, bound);
    switch (op) {
    case TOKEN_EQ:
        return order == 0;
    case TOKEN_NE:
        return order != 0;
    case TOKEN_LT:
        return order < 0;
    case TOKEN_LE:
        return order <= 0;
    case TOKEN_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* x = the literal of `c`: does that leave `d` possible? */
static bool point_fits(const struct condition *c, const struct condition *d)
{
    if (c->kind == AST_NUMBER && d->kind == AST_NUMBER)
        return holds(&c->number, d->op, &d->number);
    if (is_order(d->op)) /* a numeric String may be ordered */
        return c->kind == AST_STRING && num_is_numeric_string(c->text, c->len);
    bool same =
        c->kind == d->kind && (c->kind != AST_STRING || (c->len == d->len && memcmp(c->text, d->text, c->len) == 0));
    return same == (d->op == TOKEN_EQ);
}

static bool fit(const struct condition *c, const struct condition *d)
{
    if (c->op == TOKEN_EQ)
        return point_fits(c, d);
    if (d->op == TOKEN_EQ)
        return point_fits(d, c);
    if (!is_order(c->op) || !is_order(d->op) || is_below(c->op) == is_below(d->op) || c->kind != AST_NUMBER ||
        d->kind != AST_NUMBER)
        return true;
    const struct condition *above = is_below(c->op) ? d : c, *below = is_below(c->op) ? c : d;
    int order = num_cmp(&above->number, &below->number);
    return order < 0 || (order == 0 && above->op == TOKEN_GE && below->op == TOKEN_LE);
}

static void complain(const struct condition *earlier, const struct condition *c, struct errs *errs)
{
    struct span at = earlier->node->at;
    int shown = at.len < 60 ? (int)at.len : 60;
    struct err *e = errs_add(errs, SEV_WARNING, ERR_SQL_VALUE, c->node->at, "this is never true together with \"%.*s\"",
                             shown, at.src->text + at.off);
    err_hint(e, "both conditions are joined by AND; OR takes either");
}

bool lint_and(const struct ast *chain, struct errs *errs)
{
    struct condition conditions[LINT_CONDITIONS];
    uint32_t count = 0;
    bool found = false;
    for (const struct ast *part = chain->list.items; part && count < LINT_CONDITIONS; part = part->next) {
        struct condition *c = &conditions[count];
        if (!read_condition(part, c))
            continue;
        for (uint32_t i = 0; i < count; i++) {
            if (conditions[i].slot != c->slot || fit(&conditions[i], c))
                continue;
            complain(&conditions[i], c, errs);
            found = true;
            break;
        }
        count++;
    }
    return found;
}
