/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as text, for `sluice explain` and tests. One node a line, its parts indented below it. */
#include "sql/ast.h"

#include <stdio.h>

#include "engine/base/json.h"
#include "engine/base/utf8.h"
#include "sql/lex.h"

#define SHOWN_TEXT 60 /* bytes of a literal */

/* Where the picture goes. */
struct printer {
    struct buf *out;
    const struct sql_paths *paths;
};

static void print_node(struct printer *p, const struct ast *node, const char *label, unsigned level);

static void begin_line(struct printer *p, unsigned level, const char *label)
{
    for (unsigned i = 0; i < level; i++)
        buf_puts(p->out, "  ");
    buf_puts(p->out, label);
}

static void line(struct printer *p, unsigned level, const char *text)
{
    begin_line(p, level, text);
    buf_putc(p->out, '\n');
}

/* At most SHOWN_TEXT bytes as a JSON string, cut at a character. */
static void print_text(struct printer *p, const char *text, size_t len)
{
    size_t shown = len;
    if (len > SHOWN_TEXT)
        shown = utf8_valid_prefix(text, SHOWN_TEXT);
    json_write_string(p->out, text, shown);
    if (shown < len)
        buf_puts(p->out, "\xe2\x80\xa6");
}

static bool is_plain_name(const char *s, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_';
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (!letter && (!digit || i == 0))
            return false;
    }
    return len > 0;
}

void ast_print_path(struct buf *out, const struct sql_path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        if (i > 0)
            buf_putc(out, '.');
        if (is_plain_name(path->names[i], path->lens[i]))
            buf_put(out, path->names[i], path->lens[i]);
        else
            json_write_string(out, path->names[i], path->lens[i]);
    }
}

static void print_slot(struct printer *p, uint32_t slot)
{
    buf_puts(p->out, "path ");
    ast_print_path(p->out, sql_paths_at(p->paths, slot));
}

static void print_names(struct printer *p, const struct ast_name *name, uint32_t skip)
{
    for (; name && skip > 0; skip--)
        name = name->next;
    for (; name; name = name->next) {
        buf_putc(p->out, '.');
        buf_put(p->out, name->text, name->len);
    }
}

static void print_list(struct printer *p, const struct ast *first, const char *label, unsigned level)
{
    for (const struct ast *node = first; node; node = node->next)
        print_node(p, node, label, level);
}

static void print_path(struct printer *p, const struct ast *node, unsigned level)
{
    if (node->ref == AST_REF_SLOT) {
        print_slot(p, node->path.slot);
        buf_putc(p->out, '\n');
        return;
    }
    buf_puts(p->out, node->ref == AST_REF_ELEMENT ? "element" : node->ref == AST_REF_BASE ? "member " : "unresolved ");
    print_names(p, node->path.names, node->path.skip);
    buf_putc(p->out, '\n');
    if (node->path.base && node->ref != AST_REF_ELEMENT)
        print_node(p, node->path.base, "of ", level + 1);
}

static void print_call(struct printer *p, const struct ast *node, unsigned level)
{
    if (node->ref == AST_REF_SLOT) {
        print_slot(p, node->call.slot);
        buf_putc(p->out, '\n');
        return;
    }
    buf_printf(p->out, "call %s\n", node->call.name.text);
    print_list(p, node->call.args, "", level + 1);
}

static void print_case(struct printer *p, const struct ast *node, unsigned level)
{
    buf_puts(p->out, "case\n");
    print_node(p, node->choice.value, "", level + 1);
    for (const struct ast *when = node->choice.arms; when; when = when->next->next) {
        print_node(p, when, "when ", level + 1);
        print_node(p, when->next, "then ", level + 1);
    }
    if (node->choice.otherwise)
        print_node(p, node->choice.otherwise, "else ", level + 1);
}

static void print_object(struct printer *p, const struct ast *node, unsigned level)
{
    buf_puts(p->out, "object\n");
    const struct ast_name *key = node->object.keys;
    for (const struct ast *value = node->object.values; value; value = value->next, key = key->next) {
        begin_line(p, level + 1, "");
        print_text(p, key->text, key->len);
        buf_putc(p->out, '\n');
        print_node(p, value, "", level + 2);
    }
}

static const char *chain_name(enum token_kind op)
{
    switch (op) {
    case TOKEN_OR:
        return "or\n";
    case TOKEN_AND:
        return "and\n";
    case TOKEN_PLUS:
    case TOKEN_MINUS:
        return "sum\n";
    case TOKEN_STAR:
    case TOKEN_SLASH:
    case TOKEN_PERCENT:
        return "product\n";
    default:
        return "comparison\n";
    }
}

static void print_chain(struct printer *p, const struct ast *node, unsigned level)
{
    buf_puts(p->out, chain_name(node->list.items->next->op));
    for (const struct ast *item = node->list.items; item; item = item->next) {
        char label[16] = "";
        if (item->op)
            snprintf(label, sizeof(label), "%s ", token_row(item->op)->text);
        print_node(p, item, label, level + 1);
    }
}

static void print_item(struct printer *p, const struct ast_item *item, unsigned level)
{
    begin_line(p, level, item->alias ? "item " : "all members");
    for (const struct ast_name *name = item->alias; name; name = name->next) {
        buf_put(p->out, name->text, name->len);
        if (name->next)
            buf_putc(p->out, '.');
    }
    buf_putc(p->out, '\n');
    print_node(p, item->expr, "", level + 1);
}

static void print_query(struct printer *p, const struct ast_query *q, unsigned level)
{
    line(p, level, q->is_value ? "select value" : "select");
    for (const struct ast_item *item = q->items; item; item = item->next) {
        if (q->is_value)
            print_node(p, item->expr, "", level + 1);
        else
            print_item(p, item, level + 1);
    }
    if (q->source)
        print_node(p, q->source, "from ", level);
    if (q->as) {
        begin_line(p, level, "as ");
        buf_put(p->out, q->as->text, q->as->len);
        buf_putc(p->out, '\n');
    }
    if (q->where) {
        line(p, level, "where");
        print_node(p, q->where, "", level + 1);
    }
}

static void print_literal(struct printer *p, const struct ast *node)
{
    if (node->kind == AST_NUMBER) {
        buf_puts(p->out, "number ");
        buf_put(p->out, node->literal.text, node->literal.len);
    } else if (node->kind == AST_STRING) {
        buf_puts(p->out, "string ");
        print_text(p, node->literal.text, node->literal.len);
    } else {
        buf_puts(p->out, node->kind == AST_TRUE ? "true" : node->kind == AST_FALSE ? "false" : "null");
    }
    buf_putc(p->out, '\n');
}

/* The rest of the node's first line, and the lines below it. */
static void print_rest(struct printer *p, const struct ast *node, unsigned level)
{
    switch ((enum ast_kind)node->kind) {
    case AST_NUMBER:
    case AST_STRING:
    case AST_TRUE:
    case AST_FALSE:
    case AST_NULL:
        print_literal(p, node);
        break;
    case AST_STAR:
        buf_puts(p->out, node->ref == AST_REF_ELEMENT ? "element\n" : "payload\n");
        break;
    case AST_VARIABLE:
        buf_printf(p->out, "variable @%s\n", node->variable.name.text);
        break;
    case AST_PATH:
        print_path(p, node, level);
        break;
    case AST_CALL:
        print_call(p, node, level);
        break;
    case AST_CAST:
        buf_printf(p->out, "cast to %s\n", node->cast.type.text);
        print_node(p, node->cast.value, "", level + 1);
        break;
    case AST_CASE:
        print_case(p, node, level);
        break;
    case AST_OBJECT:
        print_object(p, node, level);
        break;
    case AST_ARRAY:
        buf_puts(p->out, "array\n");
        print_list(p, node->list.items, "", level + 1);
        break;
    case AST_QUERY:
        buf_puts(p->out, "nested query\n");
        print_query(p, node->query, level + 1);
        break;
    case AST_EXISTS:
        buf_puts(p->out, "exists\n");
        print_query(p, node->query, level + 1);
        break;
    case AST_NEG:
        buf_puts(p->out, "negative\n");
        print_node(p, node->operand, "", level + 1);
        break;
    case AST_NOT:
        buf_puts(p->out, "not\n");
        print_node(p, node->operand, "", level + 1);
        break;
    case AST_CHAIN:
        print_chain(p, node, level);
        break;
    case AST_ERROR:
    case AST_KIND_COUNT:
        buf_puts(p->out, "error\n");
        break;
    }
}

static void print_node(struct printer *p, const struct ast *node, const char *label, unsigned level)
{
    begin_line(p, level, label);
    print_rest(p, node, level);
}

void ast_print(struct buf *out, const struct ast *node, const struct sql_paths *paths, unsigned indent)
{
    struct printer p = { .out = out, .paths = paths };
    print_node(&p, node, "", indent);
}

void ast_print_statement(struct buf *out, const struct ast_statement *statement, const struct sql_paths *paths,
                         unsigned indent)
{
    struct printer p = { .out = out, .paths = paths };
    for (const struct ast_set *set = statement->sets; set; set = set->next) {
        begin_line(&p, indent, "set @");
        buf_put(out, set->name.text, set->name.len);
        buf_putc(out, '\n');
        print_node(&p, set->value, "", indent + 1);
    }
    print_query(&p, &statement->query, indent);
    if (statement->filter) {
        begin_line(&p, indent, "from topic filter ");
        print_text(&p, statement->filter, statement->filter_len);
        buf_putc(out, '\n');
    }
}
