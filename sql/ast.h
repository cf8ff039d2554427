/* SPDX-License-Identifier: Apache-2.0 */
/* Tree of a statement. The parser makes it, the resolver fills in what names refer to, the emitter reads it. All of
 * it is in the compile arena. Lists are linked by `next`; chains of operators of one level (`a + b - c`) are one
 * node with a list, so that only real nesting is deep, and that is bounded by SQL_MAX_DEPTH. */
#ifndef SLUICE_SQL_AST_H
#define SLUICE_SQL_AST_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/src.h"
#include "sql/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_MAX_DEPTH       500 /* of nested expressions; below JSON_MAX_DEPTH; a recursion of it fits a stack */
#define SQL_MAX_SETS        10
#define SQL_MAX_SET_NAME    64  /* characters, without the @ */
#define SQL_MAX_PATH_NAMES  512 /* no payload is nested deeper */
#define SQL_MAX_ALIAS_NAMES 100
#define SQL_MAX_ARGS        255

enum ast_kind {
    AST_ERROR, /* something that was already complained about */
    AST_NUMBER,
    AST_STRING,
    AST_TRUE,
    AST_FALSE,
    AST_NULL,
    AST_STAR,
    AST_VARIABLE,
    AST_PATH,
    AST_CALL,
    AST_CAST,
    AST_CASE,
    AST_OBJECT,
    AST_ARRAY,
    AST_QUERY,
    AST_EXISTS,
    AST_NEG,
    AST_NOT,
    AST_CHAIN,
    AST_KIND_COUNT
};

/* What a star or path reads: set by the resolver. */
enum ast_ref {
    AST_REF_NONE,
    AST_REF_PAYLOAD, /* star: the payload */
    AST_REF_SLOT,    /* path or call of get: path slot `slot` of the payload */
    AST_REF_ELEMENT, /* the element of the innermost nested query; of a path, its members from name `skip` on */
    AST_REF_BASE,    /* path: members of its base expression */
};

struct ast_name {
    const char *text; /* NUL-terminated */
    uint32_t len;
    struct span at;
    struct ast_name *next;
};

struct ast_query;

struct ast {
    uint8_t kind;  /* enum ast_kind */
    uint8_t op;    /* in the list of a chain: the token that joins it to what is before; 0 for the first */
    uint8_t ref;   /* enum ast_ref */
    bool constant; /* pure and of constants only: can be computed now */
    struct span at;
    struct ast *next; /* in a list */
    union {
        struct { /* AST_NUMBER: as written; AST_STRING: its value */
            const char *text;
            size_t len;
        } literal;
        struct {                  /* AST_VARIABLE */
            struct ast_name name; /* without the @ */
            uint32_t index;       /* which SET assignment */
        } variable;
        struct { /* AST_PATH: base.name.name; without base, the first name is looked up in scope */
            struct ast *base;
            struct ast_name *names;
            uint32_t count;
            uint32_t skip; /* names that the reference itself stands for */
            uint16_t slot;
        } path;
        struct {                  /* AST_CALL */
            struct ast_name name; /* as written */
            struct ast *args;
            uint32_t count;
            uint16_t row;  /* in the function table */
            uint16_t slot; /* with AST_REF_SLOT */
        } call;
        struct {                  /* AST_CAST */
            struct ast_name name; /* "cast" as written */
            struct ast *value;
            struct ast_name type;
            uint16_t target; /* enum sql_cast */
        } cast;
        struct { /* AST_CASE */
            struct ast *value;
            struct ast *arms;      /* WHEN and THEN expressions by turns */
            struct ast *otherwise; /* NULL without ELSE */
        } choice;
        struct { /* AST_OBJECT */
            struct ast_name *keys;
            struct ast *values;
            uint32_t count;
        } object;
        struct {                      /* AST_ARRAY, AST_CHAIN */
            struct ast *items, *last; /* last: of a chain only */
            uint32_t count;
        } list;
        struct ast_query *query; /* AST_QUERY, AST_EXISTS */
        struct ast *operand;     /* AST_NEG, AST_NOT */
    };
};

/* One item of a SELECT list. */
struct ast_item {
    struct ast *expr;
    struct ast_name *alias; /* as written after AS, or made by the resolver; NULL for an unaliased `*` */
    uint32_t alias_count;
    bool aliased; /* AS was written */
    struct ast_item *next;
};

/* SELECT … FROM … WHERE, outermost or nested. */
struct ast_query {
    struct span at;
    bool is_value; /* SELECT VALUE, or (set by the resolver) a bare `*` or object literal as the only item */
    struct ast_item *items;
    uint32_t count;
    struct ast *source;  /* nested: `*`, a path or a variable; NULL outermost */
    struct ast_name *as; /* name of the element, or NULL */
    struct ast *where;   /* or NULL */
};

struct ast_set {
    struct ast_name name; /* without the @; its span has it */
    struct ast *value;
    struct ast_set *next;
};

struct ast_statement {
    struct ast_set *sets;
    uint32_t set_count;
    struct ast_query query;
    const char *filter; /* of FROM; NULL if absent */
    size_t filter_len;
    struct span filter_at;
};

/* Append a picture of the tree, two spaces a level, each line begun with `indent` levels. */
void ast_print_statement(struct buf *out, const struct ast_statement *statement, const struct sql_paths *paths,
                         unsigned indent);
void ast_print(struct buf *out, const struct ast *node, const struct sql_paths *paths, unsigned indent);

/* Append the names of a payload path, joined by points; those that are no plain names in quotes. */
void ast_print_path(struct buf *out, const struct sql_path *path);

#endif
