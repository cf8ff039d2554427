/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of expressions: operator priorities from token.def, everything else by recursive descent.
 *
 * parse_expr(min) reads operators that bind at least as tightly as `min`. Operators of one level gather in one
 * chain node, so a sum of ten thousand terms is wide and not deep. What other SQLs have and this language lacks is
 * recognised where it would stand, read as far as it goes, and refused with what to write instead. */
#include <string.h>

#include "sql/parse_int.h"

#define NEG_PRIORITY     70 /* of the unary minus: above all infix operators */
#define COMPARE_PRIORITY 40 /* left priority of comparisons, which do not chain */

static const struct habit {
    const char *word, *hint;
} habits[] = {
    { "like", "use startswith(), endswith() or regexp_matches()" },
    { "ilike", "use lower() with startswith(), endswith() or regexp_matches()" },
    { "rlike", "use regexp_matches()" },
    { "regexp", "use regexp_matches()" },
    { "mod", "use \"%\"" },
    { "div", "use \"/\": the quotient of two Ints is an Int" },
    { "xor", "use \"<>\" between two Booleans" },
    { "contains", "use regexp_matches(), or IN for an array" },
};
#define HABIT_COUNT (sizeof(habits) / sizeof(habits[0]))

static struct ast *broken(struct parser *p)
{
    return parse_node(p, AST_ERROR, p->prev_end);
}

static bool next_starts_expr(const struct parser *p)
{
    return parse_starts_expr(parse_ahead(p)->kind);
}

/* ---- lists ---- */

/* A growing list of nodes. */
struct nodes {
    struct ast *first, **tail;
    uint32_t count;
};

static void nodes_init(struct nodes *list)
{
    *list = (struct nodes) { .tail = &list->first };
}

/* The same node is never added twice; the stand-in for lacking memory is not added at all. */
static void nodes_add(struct parser *p, struct nodes *list, struct ast *node)
{
    if (node == p->broken)
        return;
    *list->tail = node;
    list->tail = &node->next;
    list->count++;
}

/* Behind a list element: go on to the next comma or the end. */
static void end_element(struct parser *p, const char *expected)
{
    if (parse_is(p, TOKEN_COMMA) || parse_is(p, TOKEN_RPAREN) || parse_is(p, TOKEN_RBRACKET) ||
        parse_is(p, TOKEN_RBRACE) || parse_is(p, TOKEN_END))
        return;
    enum token_kind kind = parse_token(p)->kind;
    if (kind == TOKEN_FROM || kind == TOKEN_WHERE || kind == TOKEN_SET)
        return; /* parse_close complains about the bracket */
    parse_unexpected(p, expected);
    parse_sync(p);
}

/* A comma with nothing behind it. */
static bool refuse_trailing_comma(struct parser *p, enum token_kind close, struct span comma)
{
    if (!parse_is(p, close))
        return false;
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, comma, "expected an expression after this comma");
        err_hint(e, "remove the comma");
    }
    return true;
}

/* ---- literals ---- */

static struct ast *parse_number(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast *node = parse_node(p, t->fault ? AST_ERROR : AST_NUMBER, t->off);
    node->literal.text = p->src->text + t->off;
    node->literal.len = t->len;
    parse_advance(p);
    node->at = parse_since(p, t->off);
    return node;
}

static struct ast *parse_string(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast *node = parse_node(p, t->fault ? AST_ERROR : AST_STRING, t->off);
    node->literal.text = lex_string(p->src, t, p->arena, &node->literal.len);
    if (!node->literal.text)
        parse_stop(p, ERR_MEMORY, parse_span(p, t), "no memory for a string");
    parse_advance(p);
    node->at = parse_since(p, t->off);
    return node;
}

static struct ast *parse_constant(struct parser *p, enum ast_kind kind)
{
    uint32_t from = parse_token(p)->off;
    parse_advance(p);
    return parse_node(p, kind, from);
}

static struct ast *parse_variable(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast *node = parse_node(p, t->fault ? AST_ERROR : AST_VARIABLE, t->off);
    node->variable.name = *parse_name_of(p, t, 1);
    parse_advance(p);
    node->at = parse_since(p, t->off);
    return node;
}

static struct ast *parse_array(struct parser *p)
{
    struct span open = parse_here(p), comma = open;
    struct nodes items;
    nodes_init(&items);
    parse_advance(p);
    p->brackets++;
    while (!parse_is(p, TOKEN_RBRACKET) || items.count) {
        if (items.count && refuse_trailing_comma(p, TOKEN_RBRACKET, comma))
            break;
        nodes_add(p, &items, parse_expr(p, 0));
        end_element(p, "an operator, \",\" or \"]\"");
        comma = parse_here(p);
        if (!parse_accept(p, TOKEN_COMMA))
            break;
    }
    p->brackets--;
    parse_close(p, TOKEN_RBRACKET, open);
    struct ast *node = parse_node(p, AST_ARRAY, open.off);
    node->list.items = items.first;
    node->list.count = items.count;
    return node;
}

/* The key of a member; NULL if there is none. */
static struct ast_name *parse_key(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast_name *key = parse_name_of(p, t, 0);
    if (t->kind == TOKEN_STRING) {
        size_t len = 0;
        const char *text = lex_string(p->src, t, p->arena, &len);
        if (!text)
            parse_stop(p, ERR_MEMORY, parse_span(p, t), "no memory for a string");
        key->text = text ? text : "";
        key->len = (uint32_t)len;
    } else if (parse_is_any_word(p) && parse_ahead(p)->kind == TOKEN_COLON) {
        if (parse_may_complain(p)) {
            struct err *e =
                errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_span(p, t), "the key of a member must be in quotes");
            err_hint(e, "write '%.*s':", (int)(t->len < 60 ? t->len : 60), key->text);
        }
    } else {
        parse_unexpected(p, "a key in quotes");
        return NULL;
    }
    parse_advance(p);
    return key;
}

static void parse_member(struct parser *p, struct nodes *values, struct ast_name ***keys)
{
    struct ast_name *key = parse_key(p);
    if (!key || key == p->broken_name) {
        parse_sync(p);
        return;
    }
    struct ast *value = NULL;
    if (parse_accept(p, TOKEN_COLON))
        value = parse_expr(p, 0);
    else
        parse_unexpected(p, "\":\" after the key");
    if (!value)
        value = broken(p);
    if (value == p->broken)
        return;
    **keys = key;
    *keys = &key->next;
    nodes_add(p, values, value);
    end_element(p, "an operator, \",\" or \"}\"");
}

static struct ast *parse_object(struct parser *p)
{
    struct span open = parse_here(p);
    struct nodes values;
    struct ast_name *first_key = NULL, **keys = &first_key;
    nodes_init(&values);
    parse_advance(p);
    p->brackets++;
    while (!parse_is(p, TOKEN_RBRACE)) {
        parse_member(p, &values, &keys);
        if (!parse_accept(p, TOKEN_COMMA))
            break;
    }
    p->brackets--;
    parse_close(p, TOKEN_RBRACE, open);
    struct ast *node = parse_node(p, AST_OBJECT, open.off);
    node->object.keys = first_key;
    node->object.values = values.first;
    node->object.count = values.count;
    return node;
}

/* ---- calls ---- */

/* A nested query as an operand: in its brackets, or bare as an argument. */
static struct ast *query_node(struct parser *p, enum ast_kind kind, uint32_t from, struct ast_query *q)
{
    struct ast *node = parse_node(p, q ? kind : AST_ERROR, from);
    node->query = q;
    return node;
}

static struct ast *parse_argument(struct parser *p)
{
    if (!parse_is(p, TOKEN_SELECT))
        return parse_expr(p, 0);
    uint32_t from = parse_token(p)->off;
    return query_node(p, AST_QUERY, from, parse_query(p));
}

static struct ast *parse_call(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast_name *name = parse_name_of(p, t, 0);
    bool faulty = t->fault;
    struct nodes args;
    nodes_init(&args);
    parse_advance(p);
    struct span open = parse_here(p), comma = open;
    parse_advance(p);
    p->brackets++;
    while (!parse_is(p, TOKEN_RPAREN) || args.count) {
        if (args.count && refuse_trailing_comma(p, TOKEN_RPAREN, comma))
            break;
        nodes_add(p, &args, parse_argument(p));
        end_element(p, "an operator, \",\" or \")\"");
        comma = parse_here(p);
        if (!parse_accept(p, TOKEN_COMMA))
            break;
    }
    p->brackets--;
    parse_close(p, TOKEN_RPAREN, open);
    struct ast *node = parse_node(p, faulty ? AST_ERROR : AST_CALL, name->at.off);
    node->call.name = *name;
    node->call.args = args.first;
    node->call.count = args.count;
    return node;
}

/* `varchar(10)`, `decimal(10, 2)`: types have no length. */
static void refuse_type_length(struct parser *p)
{
    if (!parse_is(p, TOKEN_LPAREN))
        return;
    struct span open = parse_here(p);
    if (parse_may_complain(p))
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, open, "types have no length or precision");
    parse_advance(p);
    do {
        parse_sync(p);
    } while (parse_accept(p, TOKEN_COMMA));
    parse_close(p, TOKEN_RPAREN, open);
}

static void parse_type(struct parser *p, struct ast *node)
{
    if (!parse_accept(p, TOKEN_AS)) {
        struct err *e = parse_unexpected(p, "an operator or AS");
        if (e)
            err_hint(e, "write cast(value AS type)");
        parse_sync(p);
        node->kind = AST_ERROR;
    } else if (!parse_is_any_word(p)) {
        parse_unexpected(p, "a type after AS");
        parse_sync(p);
        node->kind = AST_ERROR;
    } else {
        node->cast.type = *parse_name_of(p, parse_token(p), 0);
        parse_advance(p);
        refuse_type_length(p);
    }
}

static struct ast *parse_cast(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    struct ast *node = parse_node(p, AST_CAST, from);
    node->cast.name = *parse_name_of(p, parse_token(p), 0);
    parse_advance(p);
    struct span open = parse_here(p);
    parse_advance(p);
    p->brackets++;
    node->cast.value = parse_argument(p);
    parse_type(p, node);
    while (parse_accept(p, TOKEN_COMMA))
        parse_sync(p);
    p->brackets--;
    parse_close(p, TOKEN_RPAREN, open);
    node->at = parse_since(p, from);
    return node;
}

/* ---- CASE ---- */

static struct ast *parse_case_value(struct parser *p, uint32_t from)
{
    if (!parse_is(p, TOKEN_WHEN))
        return parse_expr(p, 0);
    struct span at = { .src = p->src, .off = from, .len = parse_token(p)->off + parse_token(p)->len - from };
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at,
                                 "CASE needs a value to compare with: it has no form with conditions alone");
        err_hint(e, "write CASE true WHEN …");
    }
    return broken(p);
}

/* Consume a word of CASE, or complain and go on at the next of them. */
static void expect_case_word(struct parser *p, enum token_kind kind, const char *expected)
{
    if (parse_accept(p, kind))
        return;
    parse_unexpected(p, expected);
    parse_sync(p);
    parse_accept(p, kind);
}

static void parse_arms(struct parser *p, struct nodes *arms)
{
    if (!parse_is(p, TOKEN_WHEN)) {
        parse_unexpected(p, "an operator or WHEN");
        parse_sync(p);
    }
    while (parse_accept(p, TOKEN_WHEN)) {
        nodes_add(p, arms, parse_expr(p, 0));
        expect_case_word(p, TOKEN_THEN, "an operator or THEN");
        nodes_add(p, arms, parse_expr(p, 0));
    }
}

static struct ast *parse_case(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    struct nodes arms;
    nodes_init(&arms);
    parse_advance(p);
    p->cases++;
    struct ast *value = parse_case_value(p, from), *otherwise = NULL;
    parse_arms(p, &arms);
    if (parse_accept(p, TOKEN_ELSE))
        otherwise = parse_expr(p, 0);
    expect_case_word(p, TOKEN_END_WORD, otherwise ? "an operator or END" : "an operator, WHEN, ELSE or END");
    p->cases--;
    struct ast *node = parse_node(p, AST_CASE, from);
    node->choice.value = value;
    node->choice.arms = arms.first;
    node->choice.otherwise = otherwise;
    return node;
}

/* ---- brackets ---- */

/* `(1, 2)`: a list as other SQLs write it after IN. */
static struct ast *refuse_paren_list(struct parser *p, struct ast *first, uint32_t from)
{
    struct nodes items;
    nodes_init(&items);
    nodes_add(p, &items, first);
    struct span at = { .src = p->src, .off = from, .len = 1 };
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at, "a list is not written in parentheses");
        err_hint(e, "write an array: [1, 2]");
    }
    while (parse_accept(p, TOKEN_COMMA)) {
        nodes_add(p, &items, parse_expr(p, 0));
        end_element(p, "an operator, \",\" or \")\"");
    }
    struct ast *node = parse_node(p, AST_ERROR, from);
    return node;
}

static struct ast *parse_paren(struct parser *p)
{
    struct span open = parse_here(p);
    parse_advance(p);
    p->brackets++;
    struct ast *node;
    if (parse_is(p, TOKEN_SELECT)) {
        node = query_node(p, AST_QUERY, open.off, parse_query(p));
    } else {
        node = parse_expr(p, 0);
        if (parse_is(p, TOKEN_COMMA))
            node = refuse_paren_list(p, node, open.off);
    }
    p->brackets--;
    parse_close(p, TOKEN_RPAREN, open);
    if (node->kind == AST_QUERY)
        node->at = parse_since(p, open.off);
    return node;
}

static struct ast *parse_exists(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    parse_advance(p);
    struct span open = parse_here(p);
    if (!parse_is(p, TOKEN_LPAREN) || parse_ahead(p)->kind != TOKEN_SELECT) {
        struct err *e = parse_unexpected(p, "a nested query in parentheses after EXISTS");
        if (e)
            err_hint(e, "to ask whether a member is there, use NOT isUndefined()");
        if (parse_starts_expr(parse_token(p)->kind))
            parse_expr(p, NEG_PRIORITY);
        return broken(p);
    }
    parse_advance(p);
    p->brackets++;
    struct ast_query *q = parse_query(p);
    p->brackets--;
    parse_close(p, TOKEN_RPAREN, open);
    return query_node(p, AST_EXISTS, from, q);
}

/* ---- operands ---- */

static struct ast *parse_path(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast *node = parse_node(p, t->fault ? AST_ERROR : AST_PATH, t->off);
    node->path.names = parse_name_of(p, t, 0);
    node->path.count = 1;
    parse_advance(p);
    node->at = parse_since(p, t->off);
    return node;
}

static struct ast *parse_named(struct parser *p)
{
    if (parse_ahead(p)->kind != TOKEN_LPAREN)
        return parse_path(p);
    return parse_is_name(p, "cast") ? parse_cast(p) : parse_call(p);
}

/* SELECT where an operand should be: inside brackets it is a nested query that lacks its own. */
static struct ast *refuse_bare_query(struct parser *p)
{
    struct err *e = parse_unexpected(p, "an expression");
    if (e)
        err_hint(e, "a nested query stands in parentheses");
    if (!p->brackets && !p->embedded && !p->selecting)
        return broken(p);
    uint32_t from = parse_token(p)->off;
    return query_node(p, AST_QUERY, from, parse_query(p));
}

static struct ast *refuse_operand(struct parser *p)
{
    if (parse_is(p, TOKEN_BAD)) {
        parse_advance(p);
        parse_may_complain(p); /* what follows it may be a part of it */
        return broken(p);
    }
    parse_unexpected(p, "an expression");
    return broken(p);
}

bool parse_is_keyword_as_name(const struct parser *p)
{
    enum token_kind kind = parse_token(p)->kind, next = parse_ahead(p)->kind;
    bool case_part = kind == TOKEN_WHEN || kind == TOKEN_THEN || kind == TOKEN_ELSE || kind == TOKEN_END_WORD;
    bool value = kind == TOKEN_TRUE || kind == TOKEN_FALSE || kind == TOKEN_NULL;
    if (token_row(kind)->class != TOKEN_CLASS_WORD || value || (case_part && p->cases))
        return false;
    return next == TOKEN_COMMA || next == TOKEN_DOT || next == TOKEN_AS || next == TOKEN_FROM ||
           token_row(next)->left == COMPARE_PRIORITY;
}

static struct ast *refuse_keyword(struct parser *p)
{
    const struct token *t = parse_token(p);
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p),
                                 "\"%s\" is a keyword and cannot be a name here", token_row(t->kind)->text);
        err_hint(e, "read a member of that name with get(*, '%.*s')", (int)t->len, p->src->text + t->off);
    }
    parse_advance(p);
    return broken(p);
}

static struct ast *parse_primary(struct parser *p)
{
    if (parse_is_keyword_as_name(p))
        return refuse_keyword(p);
    switch (parse_token(p)->kind) {
    case TOKEN_NUMBER:
        return parse_number(p);
    case TOKEN_STRING:
        return parse_string(p);
    case TOKEN_TRUE:
        return parse_constant(p, AST_TRUE);
    case TOKEN_FALSE:
        return parse_constant(p, AST_FALSE);
    case TOKEN_NULL:
        return parse_constant(p, AST_NULL);
    case TOKEN_STAR:
        return parse_constant(p, AST_STAR);
    case TOKEN_VARIABLE:
        return parse_variable(p);
    case TOKEN_NAME:
        return parse_named(p);
    case TOKEN_CASE:
        return parse_case(p);
    case TOKEN_EXISTS:
        return parse_exists(p);
    case TOKEN_LPAREN:
        return parse_paren(p);
    case TOKEN_LBRACKET:
        return parse_array(p);
    case TOKEN_LBRACE:
        return parse_object(p);
    case TOKEN_SELECT:
        return refuse_bare_query(p);
    default:
        return refuse_operand(p);
    }
}

/* What follows a point and is no name. */
static void refuse_member(struct parser *p, const struct ast *base)
{
    const struct token *t = parse_token(p);
    const char *container = parse_quote_source(p, base->at);
    if (t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING) {
        struct err *e = parse_unexpected(p, "a name after the point");
        bool quoted = t->kind == TOKEN_STRING;
        if (e && container && t->len < 60)
            err_hint(e,
                     quoted ? "use get(%s, %.*s)" : "use get(%s, '%.*s'), or without quotes for an element of an array",
                     container, (int)t->len, p->src->text + t->off);
        parse_advance(p);
    } else if (t->kind == TOKEN_STAR) {
        struct err *e = parse_unexpected(p, "a name after the point");
        if (e && container)
            err_hint(e, "\"%s\" is the whole object", container);
        parse_advance(p);
    } else {
        parse_unexpected(p, "a name after the point");
    }
}

/* The path that a member of `base` belongs to: base itself if it is one already. */
static struct ast *path_on(struct parser *p, struct ast *base)
{
    if (base->kind == AST_PATH || base->kind == AST_ERROR)
        return base;
    struct ast *node = parse_node(p, AST_PATH, base->at.off);
    node->path.base = base;
    return node;
}

static struct ast *parse_members(struct parser *p, struct ast *base, uint32_t from)
{
    struct ast *node = path_on(p, base);
    struct ast_name **tail = &node->path.names;
    while (node->kind == AST_PATH && *tail)
        tail = &(*tail)->next;
    while (parse_accept(p, TOKEN_DOT)) {
        if (!parse_is_any_word(p)) {
            refuse_member(p, node);
            node->kind = AST_ERROR;
        } else if (node->kind == AST_PATH) {
            *tail = parse_name_of(p, parse_token(p), 0);
            tail = &(*tail)->next;
            node->path.count++;
            node->kind = parse_token(p)->fault ? AST_ERROR : AST_PATH;
            parse_advance(p);
        } else {
            parse_advance(p);
        }
    }
    node->at = parse_since(p, from);
    return node;
}

/* `a[0]`. */
static struct ast *refuse_index(struct parser *p, struct ast *base)
{
    struct span open = parse_here(p);
    const char *container = parse_quote_source(p, base->at);
    bool may = parse_may_complain(p);
    parse_advance(p);
    p->brackets++;
    uint32_t from = parse_token(p)->off;
    struct ast *index = parse_expr(p, 0);
    const char *text = parse_quote_source(p, parse_since(p, from));
    p->brackets--;
    if (may && !p->stopped) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, open, "elements are not read with \"[…]\"");
        if (container && text && index->kind != AST_ERROR)
            err_hint(e, "use get(%s, %s)", container, text);
        else
            err_hint(e, "use get(container, index)");
    }
    parse_close(p, TOKEN_RBRACKET, open);
    return parse_node(p, AST_ERROR, base->at.off);
}

struct ast *parse_operand(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    struct ast *node = parse_primary(p);
    while (!p->stopped && (parse_is(p, TOKEN_DOT) || parse_is(p, TOKEN_LBRACKET)))
        node = parse_is(p, TOKEN_DOT) ? parse_members(p, node, from) : refuse_index(p, node);
    return node;
}

/* ---- operators ---- */

static struct ast *unary(struct parser *p, enum ast_kind kind, uint32_t from, unsigned priority)
{
    struct ast *operand = parse_expr(p, priority);
    struct ast *node = parse_node(p, kind, from);
    node->operand = operand;
    return node;
}

static struct ast *parse_minus(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    parse_advance(p);
    if (parse_is(p, TOKEN_MINUS) && parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "two signs in a row");
        err_hint(e, "put the second and its operand in parentheses");
    }
    return unary(p, AST_NEG, from, NEG_PRIORITY);
}

static struct ast *refuse_plus(struct parser *p)
{
    if (parse_may_complain(p)) {
        struct err *e =
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "\"+\" is not a sign of one operand");
        err_hint(e, "remove it");
    }
    parse_advance(p);
    return parse_expr(p, NEG_PRIORITY);
}

static struct ast *parse_not(struct parser *p, unsigned min)
{
    unsigned priority = token_row(TOKEN_NOT)->right;
    uint32_t from = parse_token(p)->off;
    if (min > priority && parse_may_complain(p)) {
        struct err *e =
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "NOT cannot stand here without parentheses");
        err_hint(e, "write (NOT …)");
    }
    parse_advance(p);
    return unary(p, AST_NOT, from, priority);
}

static struct ast *parse_prefix(struct parser *p, unsigned min)
{
    switch (parse_is_keyword_as_name(p) ? TOKEN_END : parse_token(p)->kind) {
    case TOKEN_MINUS:
        return parse_minus(p);
    case TOKEN_PLUS:
        return refuse_plus(p);
    case TOKEN_NOT:
        return parse_not(p, min);
    default:
        return parse_operand(p);
    }
}

/* Append the operand that `op` joins; starts a chain if left is not the chain of that level. */
static struct ast *chain_add(struct parser *p, struct ast *left, bool same_level, enum token_kind op, struct ast *right,
                             uint32_t from)
{
    struct ast *chain = left;
    if (!same_level) {
        chain = parse_node(p, AST_CHAIN, from);
        if (chain == p->broken || left == p->broken)
            return chain;
        chain->list.items = chain->list.last = left;
        chain->list.count = 1;
    }
    if (chain == p->broken || right == p->broken)
        return chain;
    right->op = (uint8_t)op;
    chain->list.last->next = right;
    chain->list.last = right;
    chain->list.count++;
    chain->at = parse_since(p, from);
    return chain;
}

static void refuse_comparison_chain(struct parser *p, bool again)
{
    if (again && parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "comparisons cannot be chained");
        err_hint(e, "combine them with AND, or use parentheses");
    }
}

/* ---- operators of other SQLs ---- */

static const struct habit *find_habit(const struct parser *p)
{
    for (size_t i = 0; i < HABIT_COUNT; i++) {
        if (parse_is_name(p, habits[i].word) && next_starts_expr(p))
            return &habits[i];
    }
    return NULL;
}

static void refuse_habit(struct parser *p, const struct habit *habit)
{
    if (parse_may_complain(p)) {
        const struct token *t = parse_token(p);
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p),
                                 "\"%.*s\" is not an operator of this language", (int)t->len, p->src->text + t->off);
        err_hint(e, "%s", habit->hint);
    }
    parse_advance(p);
    parse_expr(p, COMPARE_PRIORITY + 1);
}

static void refuse_between(struct parser *p)
{
    if (parse_may_complain(p)) {
        struct err *e =
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "BETWEEN is not an operator of this language");
        err_hint(e, "write a >= low AND a <= high");
    }
    parse_advance(p);
    parse_expr(p, COMPARE_PRIORITY + 1);
    if (parse_accept(p, TOKEN_AND))
        parse_expr(p, COMPARE_PRIORITY + 1);
}

/* IS [NOT] NULL and the like. */
static void refuse_is(struct parser *p, const struct ast *left)
{
    struct span at = parse_here(p);
    bool may = parse_may_complain(p);
    const char *operand = parse_quote_source(p, left->at);
    parse_advance(p);
    bool negated = parse_accept(p, TOKEN_NOT);
    bool null = parse_is(p, TOKEN_NULL);
    if (may) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at, "IS is not an operator of this language");
        err_hint(e, "use %s%s(%s)", negated ? "NOT " : "", null ? "isNull" : "isUndefined", operand ? operand : "…");
    }
    if (parse_starts_expr(parse_token(p)->kind))
        parse_expr(p, COMPARE_PRIORITY + 1);
}

/* `a NOT IN b`. */
static void refuse_infix_not(struct parser *p, const struct ast *left)
{
    const char *operand = parse_quote_source(p, left->at);
    bool may = parse_may_complain(p);
    struct span at = parse_here(p);
    parse_advance(p);
    if (may) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at, "NOT stands in front of a whole comparison");
        err_hint(e, "write NOT (%s %.*s …)", operand ? operand : "…", (int)parse_token(p)->len,
                 p->src->text + parse_token(p)->off);
    }
    if (parse_accept(p, TOKEN_IN))
        parse_expr(p, COMPARE_PRIORITY + 1);
}

/* If an operator of another SQL stands here, read it with its operands. */
static bool refuse_foreign_operator(struct parser *p, const struct ast *left)
{
    const struct habit *habit = find_habit(p);
    enum token_kind next = parse_ahead(p)->kind;
    bool is = parse_is_name(p, "is") && (next == TOKEN_NOT || next == TOKEN_NULL || next == TOKEN_NAME ||
                                         next == TOKEN_TRUE || next == TOKEN_FALSE);
    if (habit)
        refuse_habit(p, habit);
    else if (parse_is_name(p, "between") && next_starts_expr(p))
        refuse_between(p);
    else if (is)
        refuse_is(p, left);
    else if (parse_is(p, TOKEN_NOT) && (next == TOKEN_IN || next == TOKEN_NAME))
        refuse_infix_not(p, left);
    else
        return false;
    return true;
}

/* ---- expressions ---- */

static struct ast *parse_infix(struct parser *p, struct ast *left, unsigned min, uint32_t from)
{
    unsigned level = 0; /* left priority of the chain that `left` is; 0: none yet */
    while (!p->stopped) {
        enum token_kind op = parse_token(p)->kind;
        const struct token_row *row = token_row(op);
        if (min <= COMPARE_PRIORITY && refuse_foreign_operator(p, left)) {
            left = parse_node(p, AST_ERROR, from);
            level = COMPARE_PRIORITY;
            continue;
        }
        if (!row->left || row->left < min)
            break;
        refuse_comparison_chain(p, row->left == COMPARE_PRIORITY && level == COMPARE_PRIORITY);
        parse_advance(p);
        struct ast *right = parse_expr(p, row->right);
        left = chain_add(p, left, level == row->left && left->kind == AST_CHAIN, op, right, from);
        level = row->left;
    }
    return left;
}

struct ast *parse_expr(struct parser *p, unsigned min)
{
    uint32_t from = parse_token(p)->off;
    if (!parse_enter(p))
        return broken(p);
    struct ast *node = parse_infix(p, parse_prefix(p, min), min, from);
    p->depth--;
    return node;
}
