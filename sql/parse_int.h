/* SPDX-License-Identifier: Apache-2.0 */
/* Parser internals: its state, and what the clauses (parse.c) and the expressions (parse_expr.c) share. */
#ifndef SLUICE_SQL_PARSE_INT_H
#define SLUICE_SQL_PARSE_INT_H

#include "sql/ast.h"
#include "sql/lex.h"
#include "sql/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parser {
    const struct src *src;
    struct arena *arena;
    struct errs *errs;
    struct tokens tokens;
    uint32_t at;            /* current token */
    uint32_t prev_end;      /* offset behind the last token consumed */
    uint32_t complained_at; /* token at which the last error was found; another one there would only follow from it */
    unsigned depth;         /* of parse_enter */
    unsigned cases;         /* open CASEs: WHEN, THEN, ELSE and END are then places to go on at */
    unsigned brackets;      /* open ones */
    bool selecting;         /* SET is over: a further SELECT is a nested query or a slip */
    bool embedded;          /* in a template's `${…}` */
    bool stopped;           /* given up (depth, memory): every token is END and nothing more is reported */
    bool no_memory;
    struct ast *broken; /* these stand for nodes and names that memory was too short for */
    struct ast_name *broken_name;
};

/* Tokens. */
const struct token *parse_token(const struct parser *p);
const struct token *parse_ahead(const struct parser *p); /* the one behind it */
bool parse_is(const struct parser *p, enum token_kind kind);
/* Is the current token the plain name `word`, in any case? */
bool parse_is_name(const struct parser *p, const char *word);
void parse_advance(struct parser *p); /* consume; reports the token's fault */
bool parse_accept(struct parser *p, enum token_kind kind);

/* Can an expression begin with it? */
bool parse_starts_expr(enum token_kind kind);
/* Words and names are both allowed after AS and after a point (but not the FROM of a topic filter). */
bool parse_is_any_word(const struct parser *p);
/* A keyword where an operand should be, and behind it what comes behind an operand: it is meant as a name. */
bool parse_is_keyword_as_name(const struct parser *p);

/* Spans: of the current token, from an offset to the last consumed token, of a token. */
struct span parse_here(const struct parser *p);
struct span parse_since(const struct parser *p, uint32_t off);
struct span parse_span(const struct parser *p, const struct token *t);

/* May an error be reported at the current token? False if one already was. */
bool parse_may_complain(struct parser *p);
/* "expected WHAT, found …"; returns the error for a hint, or NULL if it would only follow from another. */
struct err *parse_unexpected(struct parser *p, const char *what);
/* Report that the parser gives up. */
void parse_stop(struct parser *p, enum err_code code, struct span at, const char *why);
/* Skip to a place where parsing can go on: a comma, closing bracket or clause of the level that it is called on. */
void parse_sync(struct parser *p);
/* Consume the bracket that closes the one at `open`, reporting and skipping what is in front of it. */
void parse_close(struct parser *p, enum token_kind kind, struct span open);

/* Go one level deeper into the grammar; false (and stopped) if that is too deep. Leave with p->depth--. Every cycle
 * of the grammar passes it, which bounds the recursion here and in all that walks the tree. */
bool parse_enter(struct parser *p);

/* Nodes; never NULL. */
struct ast *parse_node(struct parser *p, enum ast_kind kind, uint32_t from);
struct ast_name *parse_name_of(struct parser *p, const struct token *t,
                               uint32_t skip); /* without its first `skip` bytes */
/* The text of a span, if it is short and on one line; else NULL. In the arena. */
const char *parse_quote_source(struct parser *p, struct span at);

/* Grammar. */
struct ast *parse_expr(struct parser *p, unsigned min);
struct ast *parse_operand(struct parser *p);              /* a primary with its `.name` */
struct ast_query *parse_query(struct parser *p);          /* nested: from SELECT on, not its closing bracket */
void parse_select(struct parser *p, struct ast_query *q); /* behind SELECT: VALUE and items */

#endif
