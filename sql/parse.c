/* SPDX-License-Identifier: Apache-2.0 */
/* Parser: its state and recovery, and the clauses of statements and nested queries.
 *
 * Recursive descent. Each rule of the grammar is a function that reports what is missing and goes on; loops go
 * round only when they consumed something, so any text is read in one pass. The depth of expressions is bounded,
 * hence the stack is. */
#include "sql/parse.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/topic.h"
#include "engine/base/utf8.h"
#include "sql/parse_int.h"

#define NO_TOKEN      UINT32_MAX
#define SHOWN_BYTES   40 /* of a token in a message */
#define QUOTE_BYTES   40 /* of source text in a hint */
#define FILTER_ERRORS 10 /* of one topic filter, which is checked again behind each */

/* Words that begin clauses of other SQLs. */
static const struct foreign {
    const char *word, *shown, *hint;
    bool statement; /* another statement follows */
} foreign_clauses[] = {
    { "group", "GROUP BY", "a rule sees one message at a time, so there is nothing to group", false },
    { "order", "ORDER BY", "a rule sees one message at a time, so there is nothing to order", false },
    { "having", "HAVING", "a rule sees one message at a time; use WHERE", false },
    { "limit", "LIMIT", "a rule sees one message at a time; to take one element of an array use get()", false },
    { "offset", "OFFSET", "a rule sees one message at a time; to take one element of an array use get()", false },
    { "join", "JOIN", "a rule reads one topic filter", false },
    { "inner", "JOIN", "a rule reads one topic filter", false },
    { "left", "JOIN", "a rule reads one topic filter", false },
    { "right", "JOIN", "a rule reads one topic filter", false },
    { "full", "JOIN", "a rule reads one topic filter", false },
    { "cross", "JOIN", "a rule reads one topic filter", false },
    { "union", "UNION", "write one rule for each statement", true },
    { "intersect", "INTERSECT", "write one rule for each statement", true },
    { "except", "EXCEPT", "write one rule for each statement", true },
    { "into", "INTO", "where the result goes is said by the rule's actions", false },
    { "window", "WINDOW", "a rule sees one message at a time", false },
};
#define FOREIGN_COUNT (sizeof(foreign_clauses) / sizeof(foreign_clauses[0]))

/* ---- tokens ---- */

const struct token *parse_token(const struct parser *p)
{
    return &p->tokens.at[p->at];
}

const struct token *parse_ahead(const struct parser *p)
{
    uint32_t i = p->at;
    while (i < p->tokens.count && p->tokens.at[++i].kind == TOKEN_SKIPPED)
        ;
    return &p->tokens.at[i];
}

bool parse_is(const struct parser *p, enum token_kind kind)
{
    return parse_token(p)->kind == kind;
}

bool parse_is_name(const struct parser *p, const char *word)
{
    const struct token *t = parse_token(p);
    return t->kind == TOKEN_NAME && lex_is_word(p->src->text + t->off, t->len, word);
}

static void report_fault(struct parser *p, uint32_t i)
{
    if (!p->stopped)
        lex_report(p->src, &p->tokens.at[i], p->errs);
}

static void skip_blanks(struct parser *p)
{
    for (; parse_is(p, TOKEN_SKIPPED); p->at++)
        report_fault(p, p->at);
}

void parse_advance(struct parser *p)
{
    const struct token *t = parse_token(p);
    if (t->kind == TOKEN_END)
        return;
    report_fault(p, p->at);
    p->prev_end = t->off + t->len;
    p->at++;
    skip_blanks(p);
}

bool parse_accept(struct parser *p, enum token_kind kind)
{
    if (!parse_is(p, kind))
        return false;
    parse_advance(p);
    return true;
}

bool parse_starts_expr(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NAME:
    case TOKEN_VARIABLE:
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_STAR:
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET:
    case TOKEN_LBRACE:
    case TOKEN_MINUS:
    case TOKEN_NOT:
    case TOKEN_EXISTS:
    case TOKEN_CASE:
    case TOKEN_NULL:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        return true;
    default:
        return false;
    }
}

/* FROM and a string can only be the statement's own FROM, whatever brackets are open. */
static bool is_topic_clause(const struct parser *p)
{
    return parse_is(p, TOKEN_FROM) && parse_ahead(p)->kind == TOKEN_STRING;
}

bool parse_is_any_word(const struct parser *p)
{
    bool word = token_row(parse_token(p)->kind)->class == TOKEN_CLASS_WORD;
    return parse_is(p, TOKEN_NAME) || (word && !is_topic_clause(p));
}

struct span parse_span(const struct parser *p, const struct token *t)
{
    return (struct span) { .src = p->src, .off = t->off, .len = t->len };
}

struct span parse_here(const struct parser *p)
{
    return parse_span(p, parse_token(p));
}

struct span parse_since(const struct parser *p, uint32_t off)
{
    uint32_t end = p->prev_end > off ? p->prev_end : off;
    return (struct span) { .src = p->src, .off = off, .len = end - off };
}

/* ---- errors and recovery ---- */

bool parse_may_complain(struct parser *p)
{
    if (p->stopped || p->complained_at == p->at)
        return false;
    p->complained_at = p->at;
    return true;
}

/* At most `max` bytes, cut at a character. */
static int cut(const char *s, uint32_t len, uint32_t max)
{
    if (len <= max)
        return (int)len;
    while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
        max--;
    return (int)max;
}

/* The current token in words. */
static void describe(const struct parser *p, char *out, size_t size)
{
    const struct token *t = parse_token(p);
    const char *s = p->src->text + t->off;
    int n = cut(s, t->len, SHOWN_BYTES);
    const char *more = (uint32_t)n < t->len ? "\xe2\x80\xa6" : "";
    if (t->kind == TOKEN_END)
        snprintf(out, size, p->embedded ? "\"}\"" : "the end of the statement");
    else if (t->kind == TOKEN_STRING)
        snprintf(out, size, "the string %.*s%s", n, s, more);
    else
        snprintf(out, size, "\"%.*s%s\"", n, s, more);
}

struct err *parse_unexpected(struct parser *p, const char *what)
{
    if (!parse_may_complain(p))
        return NULL;
    if (parse_token(p)->fault) { /* that is the better message */
        report_fault(p, p->at);
        return NULL;
    }
    char found[SHOWN_BYTES + 32];
    describe(p, found, sizeof(found));
    return errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "expected %s, found %s", what, found);
}

void parse_stop(struct parser *p, enum err_code code, struct span at, const char *why)
{
    if (p->stopped)
        return;
    errs_add(p->errs, SEV_ERROR, code, at, "%s", why);
    p->stopped = true;
    p->no_memory = code == ERR_MEMORY;
    p->at = p->tokens.count;
}

bool parse_enter(struct parser *p)
{
    if (p->depth >= SQL_MAX_DEPTH) {
        parse_stop(p, ERR_SQL_LIMIT, parse_here(p), "expressions are nested too deeply here (more than 500 levels)");
        return false;
    }
    p->depth++;
    return true;
}

static bool is_clause(const struct parser *p)
{
    return parse_is(p, TOKEN_SELECT) || parse_is(p, TOKEN_FROM) || parse_is(p, TOKEN_WHERE) || parse_is(p, TOKEN_SET);
}

static bool is_case_part(const struct parser *p)
{
    return parse_is(p, TOKEN_WHEN) || parse_is(p, TOKEN_THEN) || parse_is(p, TOKEN_ELSE) || parse_is(p, TOKEN_END_WORD);
}

void parse_sync(struct parser *p)
{
    unsigned open = 0;
    for (; !parse_is(p, TOKEN_END) && !is_topic_clause(p); parse_advance(p)) {
        enum token_kind kind = parse_token(p)->kind;
        bool opens = kind == TOKEN_LPAREN || kind == TOKEN_LBRACKET || kind == TOKEN_LBRACE;
        bool closes = kind == TOKEN_RPAREN || kind == TOKEN_RBRACKET || kind == TOKEN_RBRACE;
        if (!open && (closes || kind == TOKEN_COMMA || is_clause(p) || (p->cases && is_case_part(p))))
            return;
        open += opens;
        open -= closes;
    }
}

static bool at_closing(const struct parser *p)
{
    return parse_is(p, TOKEN_RPAREN) || parse_is(p, TOKEN_RBRACKET) || parse_is(p, TOKEN_RBRACE);
}

void parse_close(struct parser *p, enum token_kind kind, struct span open)
{
    if (parse_accept(p, kind))
        return;
    const char *close = token_row(kind)->text;
    if (parse_is(p, TOKEN_END) || is_clause(p)) {
        if (parse_may_complain(p))
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, open, "this \"%.1s\" has no \"%s\"", p->src->text + open.off,
                     close);
        return;
    }
    char what[32];
    snprintf(what, sizeof(what), "an operator or \"%s\"", close);
    parse_unexpected(p, what);
    do {
        parse_sync(p);
    } while (parse_accept(p, TOKEN_COMMA));
    if (!p->brackets && at_closing(p)) /* it closes nothing else */
        parse_advance(p);
    else
        parse_accept(p, kind);
}

/* ---- nodes ---- */

static void out_of_memory(struct parser *p)
{
    parse_stop(p, ERR_MEMORY, parse_here(p), "no memory for the tree of the statement");
}

struct ast *parse_node(struct parser *p, enum ast_kind kind, uint32_t from)
{
    struct ast *node = arena_zalloc(p->arena, sizeof(*node));
    if (!node) {
        out_of_memory(p);
        *p->broken = (struct ast) { .kind = AST_ERROR };
        return p->broken;
    }
    node->kind = (uint8_t)kind;
    node->at = parse_since(p, from);
    return node;
}

struct ast_name *parse_name_of(struct parser *p, const struct token *t, uint32_t skip)
{
    struct ast_name *name = arena_zalloc(p->arena, sizeof(*name));
    if (name)
        name->text = arena_strndup(p->arena, p->src->text + t->off + skip, t->len - skip);
    if (!name || !name->text) {
        out_of_memory(p);
        *p->broken_name = (struct ast_name) { .text = "" };
        return p->broken_name;
    }
    name->len = t->len - skip;
    name->at = parse_span(p, t);
    return name;
}

const char *parse_quote_source(struct parser *p, struct span at)
{
    const char *s = p->src->text + at.off;
    if (at.len > QUOTE_BYTES || memchr(s, '\n', at.len))
        return NULL;
    return arena_strndup(p->arena, s, at.len);
}

/* ---- SELECT list ---- */

static void *checked(struct parser *p, void *made)
{
    if (!made)
        out_of_memory(p);
    return made;
}

/* `AS FROM b`: FROM is the clause, not an alias. */
static bool alias_is_missing(const struct parser *p)
{
    enum token_kind next = parse_ahead(p)->kind;
    return !parse_is_any_word(p) ||
           (parse_is(p, TOKEN_FROM) && (next == TOKEN_NAME || next == TOKEN_STAR || next == TOKEN_VARIABLE));
}

static void complain_alias(struct parser *p)
{
    struct err *e = parse_unexpected(p, "a name after AS");
    if (e && parse_is(p, TOKEN_STRING))
        err_hint(e, "write the name without quotes");
    if (parse_is(p, TOKEN_STRING) || parse_is(p, TOKEN_NUMBER) || parse_is(p, TOKEN_VARIABLE))
        parse_advance(p);
}

/* Skip to the next item or clause; brackets that close nothing are skipped too. */
static void sync_item(struct parser *p)
{
    parse_sync(p);
    while (!p->brackets && at_closing(p)) {
        parse_advance(p);
        parse_sync(p);
    }
}

/* name { "." name }, behind AS. */
static void parse_alias(struct parser *p, struct ast_item *item)
{
    struct ast_name **tail = &item->alias;
    item->aliased = true;
    uint32_t from = parse_token(p)->off;
    do {
        if (alias_is_missing(p)) {
            complain_alias(p);
            return;
        }
        *tail = parse_name_of(p, parse_token(p), 0);
        tail = &(*tail)->next;
        item->alias_count++;
        parse_advance(p);
    } while (!p->stopped && parse_accept(p, TOKEN_DOT));
    if (item->alias_count > SQL_MAX_ALIAS_NAMES)
        errs_add(p->errs, SEV_ERROR, ERR_SQL_LIMIT, parse_since(p, from), "an alias of more than %d names",
                 SQL_MAX_ALIAS_NAMES);
}

static struct ast_item *parse_item(struct parser *p)
{
    struct ast_item *item = checked(p, arena_zalloc(p->arena, sizeof(*item)));
    if (!item)
        return NULL;
    item->expr = parse_expr(p, 0);
    if (parse_accept(p, TOKEN_AS))
        parse_alias(p, item);
    return item;
}

/* VALUE is a keyword only in front of an expression. */
static bool at_value(const struct parser *p)
{
    return parse_is_name(p, "value") && parse_starts_expr(parse_ahead(p)->kind);
}

static void refuse_modifier(struct parser *p)
{
    bool modifier = parse_is_name(p, "distinct") || parse_is_name(p, "all") || parse_is_name(p, "top");
    enum token_kind next = parse_ahead(p)->kind;
    if (!modifier || next == TOKEN_LPAREN || next == TOKEN_MINUS || next == TOKEN_STAR || !parse_starts_expr(next))
        return;
    const struct token *t = parse_token(p);
    errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "\"SELECT %.*s\" does not exist in this language",
             (int)t->len, p->src->text + t->off);
    parse_advance(p);
}

static const struct foreign *foreign_clause(const struct parser *p)
{
    for (size_t i = 0; i < FOREIGN_COUNT && parse_is(p, TOKEN_NAME); i++) {
        if (parse_is_name(p, foreign_clauses[i].word))
            return &foreign_clauses[i];
    }
    return NULL;
}

static void complain_foreign(struct parser *p, const struct foreign *f)
{
    if (!parse_may_complain(p))
        return;
    struct err *e =
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "%s does not exist in this language", f->shown);
    err_hint(e, "%s", f->hint);
}

/* Is the current token what may come behind an item of a list? In a bracket that includes its end. */
static bool at_item_end(const struct parser *p)
{
    return parse_is(p, TOKEN_COMMA) || parse_is(p, TOKEN_END) || is_clause(p) || foreign_clause(p) ||
           (p->brackets && at_closing(p));
}

static void complain_item_end(struct parser *p, const struct ast_item *item)
{
    bool word = parse_is_any_word(p);
    struct err *e = parse_unexpected(p, item && item->aliased ? "\",\" or FROM" : "an operator, AS, \",\" or FROM");
    if (!e)
        return;
    if (item && item->aliased)
        err_hint(e, "an alias holds letters, digits, \"_\" and points only");
    else if (word)
        err_hint(e, "to name the item, write AS in front of the name");
}

/* Is there no further item? */
static bool at_list_end(const struct parser *p)
{
    return parse_is(p, TOKEN_END) || (is_clause(p) && !parse_is_keyword_as_name(p));
}

/* A comma in front of the next clause. */
static bool refuse_last_comma(struct parser *p, struct span comma)
{
    if (!at_list_end(p))
        return false;
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, comma, "expected an expression after this comma");
        err_hint(e, "remove the comma");
    }
    return true;
}

static void check_value_items(struct parser *p, const struct ast_query *q)
{
    const struct ast_item *first = q->items;
    if (first && first->aliased && first->alias)
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, first->alias->at,
                 "SELECT VALUE takes no alias: the value itself is the output");
    if (q->count > 1) {
        const struct ast_item *second = first->next;
        struct err *e =
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, second->expr->at, "SELECT VALUE takes exactly one expression");
        err_hint(e, "select an object, VALUE {'a': a, 'b': b}, or leave out VALUE");
    }
}

void parse_select(struct parser *p, struct ast_query *q)
{
    refuse_modifier(p);
    if (at_value(p)) {
        q->is_value = true;
        parse_advance(p);
    }
    if (at_list_end(p)) {
        struct err *e = parse_unexpected(p, "what to select");
        if (e)
            err_hint(e, "SELECT * takes the whole payload");
        return;
    }
    struct ast_item **tail = &q->items;
    struct span comma = { 0 };
    do {
        if (q->count && refuse_last_comma(p, comma))
            break;
        *tail = parse_item(p);
        if (!*tail)
            return;
        q->count++;
        if (!at_item_end(p)) {
            complain_item_end(p, *tail);
            sync_item(p);
        }
        tail = &(*tail)->next;
        comma = parse_here(p);
    } while (parse_accept(p, TOKEN_COMMA));
    if (q->is_value)
        check_value_items(p, q);
}

/* ---- nested queries ---- */

static struct ast *parse_source(struct parser *p)
{
    struct ast *source = parse_operand(p);
    bool path = source->kind == AST_PATH &&
                (!source->path.base || source->path.base->kind == AST_STAR || source->path.base->kind == AST_VARIABLE);
    if (path || source->kind == AST_STAR || source->kind == AST_VARIABLE || source->kind == AST_ERROR)
        return source;
    if (source->kind == AST_STRING) {
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, source->at,
                 "the source of a nested query is a path, not a topic filter");
    } else {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, source->at,
                                 "the source of a nested query is \"*\", a path or a variable");
        err_hint(e, "assign the value to a variable with SET in front of SELECT");
    }
    return source;
}

static void parse_element_name(struct parser *p, struct ast_query *q)
{
    if (parse_accept(p, TOKEN_AS)) {
        if (parse_is_any_word(p)) {
            q->as = parse_name_of(p, parse_token(p), 0);
            parse_advance(p);
        } else {
            complain_alias(p);
        }
    } else if (parse_is(p, TOKEN_NAME) && !foreign_clause(p)) {
        struct err *e = parse_unexpected(p, "AS, WHERE or the end of the nested query");
        if (e)
            err_hint(e, "to name the element, write AS in front of the name");
        parse_advance(p);
    }
}

/* refused: its SELECT is wrong where it stands, so that its end may be as well. */
static void parse_query_from(struct parser *p, struct ast_query *q, struct span select, bool refused)
{
    if (parse_accept(p, TOKEN_FROM)) {
        q->source = parse_source(p);
        parse_element_name(p, q);
    } else if (!refused && parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, select, "this nested query has no FROM");
        err_hint(e, "name what it reads: \"*\", a path or a variable");
    }
}

struct ast_query *parse_query(struct parser *p)
{
    struct ast_query *q = checked(p, arena_zalloc(p->arena, sizeof(*q)));
    struct span select = parse_here(p);
    bool refused = p->complained_at == p->at;
    if (!q || !parse_enter(p))
        return NULL;
    parse_advance(p);
    parse_select(p, q);
    parse_query_from(p, q, select, refused);
    if (parse_accept(p, TOKEN_WHERE))
        q->where = parse_expr(p, 0);
    const struct foreign *foreign = foreign_clause(p);
    if (foreign) {
        complain_foreign(p, foreign);
        parse_sync(p);
    }
    q->at = parse_since(p, select.off);
    p->depth--;
    return q;
}

/* ---- FROM ---- */

/* Bytes of the character at a place of the text. */
static uint32_t char_len(const struct parser *p, uint32_t off)
{
    return off < p->src->len ? (uint32_t)utf8_step(p->src->text + off, p->src->len - off) : 0;
}

/* The faults of the filter: behind one, go on at the next level. */
static void check_filter(struct parser *p, const struct token *t, const char *filter, size_t len)
{
    const char *why;
    size_t bad, begin = 0;
    for (int i = 0; i < FILTER_ERRORS && topic_filter_check(filter + begin, len - begin, &bad, &why) < 0; i++) {
        struct span at = { .src = p->src, .off = lex_string_place(p->src, t, begin + bad) };
        at.len = char_len(p, at.off);
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, len ? at : parse_span(p, t), "%s", why);
        const char *slash = bad < len - begin ? memchr(filter + begin + bad, '/', len - begin - bad) : NULL;
        if (!slash || slash + 1 == filter + len)
            return;
        begin = (size_t)(slash + 1 - filter);
    }
}

/* Filters that a broker reads otherwise than a rule would. */
static const struct {
    const char *prefix, *why, *hint;
} refused_filters[] = {
    { "$aws/rules/", "a rule cannot read \"$aws/rules/…\"",
      "messages for Basic Ingest reach the rule by its name, with or without FROM" },
    { "$share/",
      "a rule cannot read a shared subscription: its messages come with topics that \"$share/…\" never matches",
      "write the filter without \"$share/GROUP/\"" },
};

static void refuse_filter(struct parser *p, const char *filter)
{
    for (size_t i = 0; i < sizeof(refused_filters) / sizeof(refused_filters[0]); i++) {
        if (strncmp(filter, refused_filters[i].prefix, strlen(refused_filters[i].prefix)) != 0)
            continue;
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_VALUE, parse_here(p), "%s", refused_filters[i].why);
        err_hint(e, "%s", refused_filters[i].hint);
    }
}

static void parse_filter_string(struct parser *p, struct ast_statement *st)
{
    const struct token *t = parse_token(p);
    size_t len;
    const char *filter = checked(p, (void *)lex_string(p->src, t, p->arena, &len));
    if (!filter)
        return;
    refuse_filter(p, filter);
    st->filter = filter;
    st->filter_len = len;
    st->filter_at = parse_here(p);
    if (!t->fault)
        check_filter(p, t, filter, len);
    parse_advance(p);
}

/* A filter without quotes is read as raw text to the next blank, since it is full of what looks like operators. */
static void skip_raw_filter(struct parser *p)
{
    uint32_t from = parse_token(p)->off;
    uint32_t end = from + (uint32_t)strcspn(p->src->text + from, " \t\r\n");
    struct span at = { .src = p->src, .off = from, .len = end - from };
    if (parse_may_complain(p)) {
        const char *text = parse_quote_source(p, at);
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at, "the topic filter is not in quotes");
        if (text && !strchr(text, '\'') && strcmp(text, "*") != 0)
            err_hint(e, "write FROM '%s'", text);
        else
            err_hint(e, "write FROM 'plant/+/telemetry', or FROM '#' for all topics");
    }
    while (!parse_is(p, TOKEN_END) && parse_token(p)->off < end)
        p->at++;
    p->prev_end = end;
    skip_blanks(p);
}

static bool starts_raw_filter(const struct parser *p)
{
    return !parse_is(p, TOKEN_END) && !is_clause(p) && !parse_is(p, TOKEN_COMMA);
}

static void refuse_more_sources(struct parser *p)
{
    if (!parse_is(p, TOKEN_COMMA))
        return;
    if (parse_may_complain(p)) {
        struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "FROM takes one topic filter");
        err_hint(e, "use a filter with wildcards, or one rule for each filter");
    }
    do {
        parse_advance(p);
        parse_sync(p);
    } while (parse_is(p, TOKEN_COMMA));
}

/* What people write behind the filter that does not exist: a path, an alias. */
static void refuse_filter_tail(struct parser *p)
{
    if (parse_is(p, TOKEN_DOT)) {
        if (parse_may_complain(p)) {
            struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p),
                                     "FROM takes no path behind the topic filter");
            err_hint(e, "write the whole path where a value is read");
        }
        parse_sync(p);
    } else if (parse_is(p, TOKEN_AS)) {
        if (parse_may_complain(p))
            errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "the topic filter takes no alias");
        parse_sync(p);
    }
    refuse_more_sources(p);
}

static void parse_from(struct parser *p, struct ast_statement *st)
{
    if (parse_is(p, TOKEN_STRING)) {
        parse_filter_string(p, st);
    } else if (starts_raw_filter(p)) {
        skip_raw_filter(p);
    } else {
        struct err *e = parse_unexpected(p, "a topic filter in quotes");
        if (e)
            err_hint(e, "a rule that is only reached through Basic Ingest can leave out FROM");
    }
    refuse_filter_tail(p);
}

/* ---- SET ---- */

static struct ast_name *parse_set_name(struct parser *p)
{
    const struct token *t = parse_token(p);
    struct ast_name *name = NULL;
    if (t->kind == TOKEN_VARIABLE) {
        name = parse_name_of(p, t, 1);
    } else if (t->kind == TOKEN_NAME) {
        if (parse_may_complain(p)) {
            struct err *e = errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "a variable begins with \"@\"");
            err_hint(e, "write @%.*s", cut(p->src->text + t->off, t->len, SHOWN_BYTES), p->src->text + t->off);
        }
        name = parse_name_of(p, t, 0);
    } else {
        parse_unexpected(p, "a variable");
        return NULL;
    }
    parse_advance(p);
    return name;
}

static void parse_assignment(struct parser *p, struct ast_statement *st, struct ast_set ***tail)
{
    struct ast_name *name = parse_set_name(p);
    if (!name)
        return;
    struct ast_set *set = checked(p, arena_zalloc(p->arena, sizeof(*set)));
    if (!set)
        return;
    set->name = *name;
    if (parse_accept(p, TOKEN_EQ))
        set->value = parse_expr(p, 0);
    else
        parse_unexpected(p, "\"=\"");
    if (!set->value)
        set->value = parse_node(p, AST_ERROR, p->prev_end);
    **tail = set;
    *tail = &set->next;
    st->set_count++;
}

/* Behind SET. */
static void parse_sets(struct parser *p, struct ast_statement *st)
{
    struct ast_set **tail = &st->sets;
    while (*tail)
        tail = &(*tail)->next;
    do {
        parse_assignment(p, st, &tail);
        if (!at_item_end(p)) {
            parse_unexpected(p, "an operator, \",\" or SELECT");
            sync_item(p);
        }
    } while (parse_accept(p, TOKEN_COMMA));
}

/* ---- statement ---- */

/* The word that should be SELECT; a misspelt one is taken for it. */
static bool parse_select_word(struct parser *p)
{
    if (parse_accept(p, TOKEN_SELECT))
        return true;
    const struct token *t = parse_token(p);
    static const char *const words[] = { "SELECT" };
    bool near = t->kind == TOKEN_NAME && nearest_word(p->src->text + t->off, t->len, words, 1);
    struct err *e = parse_unexpected(p, "SELECT or SET");
    if (near && e)
        err_hint(e, "did you mean \"SELECT\"?");
    if (near)
        parse_advance(p);
    return near;
}

/* Skip to the next clause, or to a word that begins a clause elsewhere. */
static void skip_clause(struct parser *p)
{
    while (!parse_is(p, TOKEN_END) && !is_clause(p) && !foreign_clause(p)) {
        parse_advance(p);
        parse_sync(p);
    }
}

static void refuse_foreign_clause(struct parser *p, const struct foreign *f)
{
    complain_foreign(p, f);
    for (parse_advance(p); !parse_is(p, TOKEN_END) && (f->statement || !is_clause(p)); parse_advance(p)) {
        const struct foreign *next = foreign_clause(p);
        if (next && !f->statement && strcmp(next->shown, f->shown) != 0)
            return;
    }
}

/* What the statement has so far, to find clauses that are doubled or out of order. */
struct clauses {
    bool from, where;
};

static void misplaced(struct parser *p, const char *text)
{
    if (parse_may_complain(p))
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, parse_here(p), "%s", text);
}

static void parse_from_clause(struct parser *p, struct ast_statement *st, struct clauses *seen)
{
    if (seen->from)
        misplaced(p, "FROM occurs twice");
    else if (seen->where)
        misplaced(p, "FROM must come before WHERE");
    seen->from = true;
    parse_advance(p);
    parse_from(p, st);
}

static void parse_where_clause(struct parser *p, struct ast_statement *st, struct clauses *seen)
{
    if (seen->where)
        misplaced(p, "WHERE occurs twice");
    parse_advance(p);
    struct ast *where = parse_expr(p, 0);
    if (!seen->where)
        st->query.where = where;
    seen->where = true;
}

/* SELECT or SET where they cannot be: read on for further errors. */
static void parse_misplaced_clause(struct parser *p, struct ast_statement *st)
{
    if (parse_is(p, TOKEN_SET)) {
        misplaced(p, "SET must come before SELECT");
        parse_advance(p);
        parse_sets(p, st);
    } else {
        struct ast_query ignored = { 0 };
        misplaced(p, "a statement has one SELECT");
        parse_advance(p);
        parse_select(p, &ignored);
    }
}

static void complain_statement_end(struct parser *p, const struct clauses *seen)
{
    parse_unexpected(p, seen->where ? "an operator or the end of the statement" : "WHERE or the end of the statement");
    parse_advance(p);
    skip_clause(p);
}

static void parse_clauses(struct parser *p, struct ast_statement *st)
{
    struct clauses seen = { 0 };
    while (!parse_is(p, TOKEN_END)) {
        const struct foreign *foreign = foreign_clause(p);
        if (parse_is(p, TOKEN_FROM))
            parse_from_clause(p, st, &seen);
        else if (parse_is(p, TOKEN_WHERE))
            parse_where_clause(p, st, &seen);
        else if (is_clause(p))
            parse_misplaced_clause(p, st);
        else if (foreign)
            refuse_foreign_clause(p, foreign);
        else
            complain_statement_end(p, &seen);
    }
}

static void parse_whole(struct parser *p, struct ast_statement *st)
{
    if (parse_accept(p, TOKEN_SET))
        parse_sets(p, st);
    if (parse_is(p, TOKEN_SET)) {
        misplaced(p, "SET occurs twice");
        parse_advance(p);
        parse_sets(p, st);
    }
    uint32_t from = parse_token(p)->off;
    p->selecting = true;
    if (parse_select_word(p))
        parse_select(p, &st->query);
    else
        skip_clause(p);
    parse_clauses(p, st);
    st->query.at = parse_since(p, from);
}

static bool start(struct parser *p, const struct src *src, uint32_t off, struct arena *a, struct errs *errs)
{
    struct err e = { 0 };
    *p = (struct parser) { .src = src, .arena = a, .errs = errs, .complained_at = NO_TOKEN, .prev_end = off };
    p->embedded = off > 0;
    p->broken = arena_zalloc(a, sizeof(*p->broken));
    p->broken_name = arena_zalloc(a, sizeof(*p->broken_name));
    if (!p->broken || !p->broken_name) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { .src = src, .off = off }, "no memory for the statement");
        return false;
    }
    if (lex_text(src, off, p->embedded, a, &p->tokens, &e) < 0) {
        errs_take(errs, &e);
        return false;
    }
    skip_blanks(p);
    return true;
}

struct ast_statement *parse_statement(const struct src *src, struct arena *a, struct errs *errs)
{
    struct parser p;
    if (!start(&p, src, 0, a, errs))
        return NULL;
    struct ast_statement *st = checked(&p, arena_zalloc(a, sizeof(*st)));
    if (st)
        parse_whole(&p, st);
    return p.no_memory ? NULL : st;
}

/* A string without an end swallows the closing brace: then that is the error. */
static void complain_unclosed(struct parser *p, uint32_t off)
{
    size_t before = p->errs->errors;
    if (p->tokens.count > 0)
        report_fault(p, p->tokens.count - 1);
    if (p->errs->errors == before) {
        struct span at = { .src = p->src, .off = off - 2, .len = 2 };
        errs_add(p->errs, SEV_ERROR, ERR_SQL_SYNTAX, at, "this \"${\" has no \"}\"");
    }
}

struct ast *parse_embedded(const struct src *src, uint32_t *off, struct arena *a, struct errs *errs)
{
    struct parser p;
    uint32_t from = *off;
    if (!start(&p, src, from, a, errs))
        return NULL;
    *off = p.tokens.end;
    if (!p.tokens.closed) {
        complain_unclosed(&p, from);
        p.at = p.tokens.count;
    }
    struct ast *expr = p.tokens.closed ? parse_expr(&p, 0) : parse_node(&p, AST_ERROR, from);
    if (!parse_is(&p, TOKEN_END)) {
        bool as = parse_is(&p, TOKEN_AS);
        struct err *e = parse_unexpected(&p, "an operator or \"}\"");
        if (e && as)
            err_hint(e, "a template holds an expression, without AS");
    }
    while (!parse_is(&p, TOKEN_END)) {
        parse_advance(&p);
        parse_sync(&p);
    }
    return p.no_memory ? NULL : expr;
}
