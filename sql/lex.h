/* SPDX-License-Identifier: Apache-2.0 */
/* Lexer of the rule language: text to an array of tokens.
 *
 * It never stops at an error. Text that looks like a slip for a known token (`!=`, a typographic quote) becomes
 * that token with a fault, so that the parser can go on; the parser reports a token's fault when it comes to it. */
#ifndef SLUICE_SQL_LEX_H
#define SLUICE_SQL_LEX_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/src.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
#define TOKEN(name, text, class, left, right) TOKEN_##name,
#include "sql/token.def"
#undef TOKEN
    TOKEN_KIND_COUNT
};

enum token_class { TOKEN_CLASS_END, TOKEN_CLASS_ATOM, TOKEN_CLASS_SIGN, TOKEN_CLASS_WORD };

struct token_row {
    const char *text;
    enum token_class class;
    uint8_t left, right; /* priorities */
};

const struct token_row *token_row(enum token_kind kind);

struct token {
    uint32_t off, len; /* in the source text */
    uint8_t kind;      /* enum token_kind */
    uint8_t fault;     /* enum lex_fault of lex.c; 0: none */
    bool reported;     /* the fault was added to a list */
};

struct tokens {
    struct token *at; /* count of them, then one END */
    uint32_t count;
    uint32_t end; /* offset behind the last; behind the closing brace of a `${…}` */
    bool closed;  /* the closing brace of a `${…}` was found */
};

/* Split text from offset `from` on. With `braced` it ends at the `}` that closes what was opened before `from`,
 * else at the end of the text. The text must be UTF-8 without NUL. Tokens are in the arena. -1: memory. O(length). */
int lex_text(const struct src *src, uint32_t from, bool braced, struct arena *a, struct tokens *out,
             struct err *e) MUST_CHECK;

/* Add the token's fault to errs, once; nothing if there is none. */
void lex_report(const struct src *src, struct token *token, struct errs *errs);

/* The value of a STRING token: without delimiters, doubled ones made one. NUL-terminated; NULL: memory. */
const char *lex_string(const struct src *src, const struct token *token, struct arena *a, size_t *len) MUST_CHECK;
/* Where in the source text byte `value_off` of a STRING token's value is. */
uint32_t lex_string_place(const struct src *src, const struct token *token, size_t value_off);

/* Do the bytes spell the word (given in ASCII), in any case? */
bool lex_is_word(const char *s, size_t len, const char *word);

#endif
