/* SPDX-License-Identifier: Apache-2.0 */
/* Lexer: one pass over the text, one look at each byte.
 *
 * The rows of token.def give the keywords and signs. What people write by habit of another SQL, or paste from a
 * word processor, is recognised here and kept as the token that was meant, with a fault: one clear message each and
 * no follow-up errors. Faults are reported by the parser and not here, because an unquoted topic filter is full of
 * them. */
#include "sql/lex.h"

#include <string.h>
#include <strings.h>

static const struct token_row rows[] = {
#define TOKEN(name, text, class, left, right) { text, TOKEN_CLASS_##class, left, right },
#include "sql/token.def"
#undef TOKEN
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == TOKEN_KIND_COUNT, "every token has a row");

#define LONGEST_WORD 6
#define SHOWN_BYTES  60 /* of a token's text in a message */

enum lex_fault {
    FAULT_NONE,
    FAULT_CHARACTER,
    FAULT_CONTROL,
    FAULT_UNTERMINATED,
    FAULT_NOT_EQUAL,
    FAULT_EQUAL_EQUAL,
    FAULT_PIPES,
    FAULT_AMPERSANDS,
    FAULT_BANG,
    FAULT_GREATER,
    FAULT_LESS,
    FAULT_BACKTICK,
    FAULT_DASH_COMMENT,
    FAULT_SLASH_COMMENT,
    FAULT_SEMICOLON,
    FAULT_VARIABLE,
    FAULT_VARIABLE_LETTER,
    FAULT_NAME_DIGIT,
    FAULT_NAME_LETTER,
    FAULT_POINT_END,
    FAULT_POINT_START,
    FAULT_DASH,
    FAULT_QUOTE,
    FAULT_TIMES,
    FAULT_DIVIDED,
    FAULT_BLANK,
    FAULT_COUNT
};

/* What a fault says; %.*s is the token's text (at most once in a text, twice in a hint). */
static const struct {
    const char *text, *hint;
} faults[] = {
    [FAULT_CHARACTER] = { "\"%.*s\" has no meaning here", NULL },
    [FAULT_CONTROL] = { "control character in the statement", "remove it, or write a space" },
    [FAULT_UNTERMINATED] = { "this string has no end",
                             "close it with the quote it began with; inside a string that quote is written twice" },
    [FAULT_NOT_EQUAL] = { "\"%.*s\" is not an operator of this language", "use \"<>\"" },
    [FAULT_EQUAL_EQUAL] = { "\"%.*s\" is not an operator of this language", "use \"=\"" },
    [FAULT_PIPES] = { "\"%.*s\" is not an operator of this language",
                      "use \"+\" or concat() to join strings, OR for the logical operator" },
    [FAULT_AMPERSANDS] = { "\"%.*s\" is not an operator of this language", "use AND" },
    [FAULT_BANG] = { "\"%.*s\" is not an operator of this language", "use NOT" },
    [FAULT_GREATER] = { "\"%.*s\" is not an operator of this language", "use \">=\"" },
    [FAULT_LESS] = { "\"%.*s\" is not an operator of this language", "use \"<=\"" },
    [FAULT_BACKTICK] = { "backticks have no meaning in this language",
                         "read a name with special characters by get(*, 'my-name')" },
    [FAULT_DASH_COMMENT] = { "\"--\" does not begin a comment: the language has none",
                             "remove the comment; to subtract a negative number, put a space between the signs" },
    [FAULT_SLASH_COMMENT] = { "\"/*\" does not begin a comment: the language has none", "remove the comment" },
    [FAULT_SEMICOLON] = { "a statement does not end with \";\"", "remove it" },
    [FAULT_VARIABLE] = { "\"@\" without the name of a variable",
                         "a variable is \"@\" and then letters, digits and \"_\"" },
    [FAULT_VARIABLE_LETTER] = { "the variable \"%.*s\" has a character that is not allowed",
                                "use the letters a to z, digits and \"_\"" },
    [FAULT_NAME_DIGIT] = { "a name cannot begin with a digit: \"%.*s\"",
                           "read it with get(*, '%.*s'), or get(object, '%.*s') in an object" },
    [FAULT_NAME_LETTER] = { "the name \"%.*s\" has a character that is not allowed in a name",
                            "read it with get(*, '%.*s'), or get(object, '%.*s') in an object" },
    [FAULT_POINT_END] = { "the number \"%.*s\" needs a digit after the point", NULL },
    [FAULT_POINT_START] = { "the number \"%.*s\" needs a digit before the point", "write 0%.*s" },
    [FAULT_DASH] = { "\"%.*s\" is a typographic dash, not a minus sign", "write \"-\"" },
    [FAULT_QUOTE] = { "typographic quotes do not delimit a string", "write ' or \"" },
    [FAULT_TIMES] = { "\"%.*s\" is not an operator of this language", "use \"*\"" },
    [FAULT_DIVIDED] = { "\"%.*s\" is not an operator of this language", "use \"/\"" },
    [FAULT_BLANK] = { "this blank is not an ordinary space", "replace it by a space" },
};
_Static_assert(sizeof(faults) / sizeof(faults[0]) == FAULT_COUNT, "every fault has a text");

/* Characters beyond ASCII that stand for a token. Rows are in order. */
static const struct lookalike {
    uint32_t first, last; /* code points */
    enum token_kind kind;
    enum lex_fault fault;
} lookalikes[] = {
    { 0x00A0, 0x00A0, TOKEN_SKIPPED, FAULT_BLANK }, { 0x00AB, 0x00AB, TOKEN_STRING, FAULT_QUOTE },
    { 0x00AD, 0x00AD, TOKEN_SKIPPED, FAULT_BLANK }, { 0x00BB, 0x00BB, TOKEN_STRING, FAULT_QUOTE },
    { 0x00D7, 0x00D7, TOKEN_STAR, FAULT_TIMES },    { 0x00F7, 0x00F7, TOKEN_SLASH, FAULT_DIVIDED },
    { 0x2000, 0x200F, TOKEN_SKIPPED, FAULT_BLANK }, { 0x2010, 0x2015, TOKEN_MINUS, FAULT_DASH },
    { 0x2018, 0x201F, TOKEN_STRING, FAULT_QUOTE },  { 0x2028, 0x202F, TOKEN_SKIPPED, FAULT_BLANK },
    { 0x2212, 0x2212, TOKEN_MINUS, FAULT_DASH },    { 0x2260, 0x2260, TOKEN_NE, FAULT_NOT_EQUAL },
    { 0x2264, 0x2264, TOKEN_LE, FAULT_LESS },       { 0x2265, 0x2265, TOKEN_GE, FAULT_GREATER },
    { 0x3000, 0x3000, TOKEN_SKIPPED, FAULT_BLANK }, { 0xFEFF, 0xFEFF, TOKEN_SKIPPED, FAULT_BLANK },
    { 0xFF0D, 0xFF0D, TOKEN_MINUS, FAULT_DASH },
};
#define LOOKALIKE_COUNT (sizeof(lookalikes) / sizeof(lookalikes[0]))

/* ASCII signs of the language and slips for them; longer ones first where one begins the other. */
static const struct sign {
    const char *text;
    enum token_kind kind;
    enum lex_fault fault;
} signs[] = {
    { "!=", TOKEN_NE, FAULT_NOT_EQUAL }, { "!", TOKEN_NOT, FAULT_BANG },
    { "%", TOKEN_PERCENT, FAULT_NONE },  { "&&", TOKEN_AND, FAULT_AMPERSANDS },
    { "(", TOKEN_LPAREN, FAULT_NONE },   { ")", TOKEN_RPAREN, FAULT_NONE },
    { "*", TOKEN_STAR, FAULT_NONE },     { "+", TOKEN_PLUS, FAULT_NONE },
    { ",", TOKEN_COMMA, FAULT_NONE },    { "-", TOKEN_MINUS, FAULT_NONE },
    { ".", TOKEN_DOT, FAULT_NONE },      { "/", TOKEN_SLASH, FAULT_NONE },
    { ":", TOKEN_COLON, FAULT_NONE },    { ";", TOKEN_SKIPPED, FAULT_SEMICOLON },
    { "<>", TOKEN_NE, FAULT_NONE },      { "<=", TOKEN_LE, FAULT_NONE },
    { "<", TOKEN_LT, FAULT_NONE },       { "==", TOKEN_EQ, FAULT_EQUAL_EQUAL },
    { "=>", TOKEN_GE, FAULT_GREATER },   { "=<", TOKEN_LE, FAULT_LESS },
    { "=", TOKEN_EQ, FAULT_NONE },       { ">=", TOKEN_GE, FAULT_NONE },
    { ">", TOKEN_GT, FAULT_NONE },       { "[", TOKEN_LBRACKET, FAULT_NONE },
    { "]", TOKEN_RBRACKET, FAULT_NONE }, { "{", TOKEN_LBRACE, FAULT_NONE },
    { "||", TOKEN_PLUS, FAULT_PIPES },   { "}", TOKEN_RBRACE, FAULT_NONE },
};
#define SIGN_COUNT (sizeof(signs) / sizeof(signs[0]))

/* The text being read; s[len] is NUL. */
struct lexer {
    const char *s;
    uint32_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_letter(c) || is_digit(c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The code point at an offset of valid UTF-8, and its bytes. */
static uint32_t decode(const struct lexer *lx, uint32_t off, uint32_t *bytes)
{
    const unsigned char *p = (const unsigned char *)lx->s + off;
    *bytes = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (*bytes == 1)
        return p[0];
    uint32_t c = p[0] & (0xFFu >> (*bytes + 1));
    for (uint32_t i = 1; i < *bytes; i++)
        c = c << 6 | (p[i] & 0x3F);
    return c;
}

static const struct lookalike *find_lookalike(uint32_t c)
{
    for (size_t i = 0; i < LOOKALIKE_COUNT; i++) {
        if (c >= lookalikes[i].first && c <= lookalikes[i].last)
            return &lookalikes[i];
    }
    return NULL;
}

/* A character beyond ASCII that stands for nothing else: most likely a letter of some name. */
static bool is_foreign_letter(const struct lexer *lx, uint32_t off, uint32_t *bytes)
{
    return ((unsigned char)lx->s[off] & 0x80) && !find_lookalike(decode(lx, off, bytes));
}

/* The end of a run of name characters; *foreign tells whether letters beyond ASCII are among them. */
static uint32_t name_end(const struct lexer *lx, uint32_t off, bool *foreign)
{
    uint32_t bytes;
    for (;;) {
        if (is_name_char(lx->s[off])) {
            off++;
        } else if (is_foreign_letter(lx, off, &bytes)) {
            *foreign = true;
            off += bytes;
        } else {
            return off;
        }
    }
}

bool lex_is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static enum token_kind word_kind(const char *s, uint32_t len)
{
    if (len <= LONGEST_WORD) {
        for (int k = 0; k < TOKEN_KIND_COUNT; k++) {
            if (rows[k].class == TOKEN_CLASS_WORD && lex_is_word(s, len, rows[k].text))
                return (enum token_kind)k;
        }
    }
    return TOKEN_NAME;
}

static struct token lex_name(const struct lexer *lx, uint32_t off)
{
    bool foreign = false;
    uint32_t end = name_end(lx, off, &foreign);
    struct token t = { .off = off, .len = end - off, .kind = TOKEN_NAME };
    if (foreign)
        t.fault = FAULT_NAME_LETTER;
    else
        t.kind = (uint8_t)word_kind(lx->s + off, t.len);
    return t;
}

static struct token lex_variable(const struct lexer *lx, uint32_t off)
{
    bool foreign = false;
    uint32_t end = name_end(lx, off + 1, &foreign);
    struct token t = { .off = off, .len = end - off, .kind = TOKEN_VARIABLE };
    if (t.len == 1) {
        t.kind = TOKEN_BAD;
        t.fault = FAULT_VARIABLE;
    } else if (foreign) {
        t.fault = FAULT_VARIABLE_LETTER;
    }
    return t;
}

static uint32_t digits_end(const struct lexer *lx, uint32_t off)
{
    while (is_digit(lx->s[off]))
        off++;
    return off;
}

/* The end of an exponent that begins here, or `off` if none does. */
static uint32_t exponent_end(const struct lexer *lx, uint32_t off)
{
    if (lx->s[off] != 'e' && lx->s[off] != 'E')
        return off;
    uint32_t digits = off + 1;
    if (lx->s[digits] == '+' || lx->s[digits] == '-')
        digits++;
    return is_digit(lx->s[digits]) ? digits_end(lx, digits) : off;
}

static struct token lex_number(const struct lexer *lx, uint32_t off)
{
    struct token t = { .off = off, .kind = TOKEN_NUMBER };
    uint32_t end = digits_end(lx, off);
    if (lx->s[end] == '.') {
        uint32_t fraction = digits_end(lx, end + 1);
        if (fraction == end + 1)
            t.fault = FAULT_POINT_END;
        end = fraction;
    }
    end = exponent_end(lx, end);
    bool foreign = false;
    uint32_t tail = name_end(lx, end, &foreign);
    if (tail > end && !t.fault) {
        t.kind = TOKEN_NAME;
        t.fault = FAULT_NAME_DIGIT;
    }
    t.len = tail - off;
    return t;
}

/* `.5`: a number that lacks its zero, unless it follows something that can have members (`item2.0`). */
static struct token lex_point(const struct lexer *lx, uint32_t off, enum token_kind before)
{
    bool member = before == TOKEN_NAME || before == TOKEN_VARIABLE || before == TOKEN_RPAREN ||
                  before == TOKEN_RBRACE || before == TOKEN_RBRACKET || before == TOKEN_STAR;
    if (member || !is_digit(lx->s[off + 1]))
        return (struct token) { .off = off, .len = 1, .kind = TOKEN_DOT };
    uint32_t end = exponent_end(lx, digits_end(lx, off + 1));
    return (struct token) { .off = off, .len = end - off, .kind = TOKEN_NUMBER, .fault = FAULT_POINT_START };
}

static struct token lex_quoted(const struct lexer *lx, uint32_t off)
{
    char quote = lx->s[off];
    struct token t = { .off = off, .kind = TOKEN_STRING };
    uint32_t at = off + 1;
    for (;;) {
        const char *end = memchr(lx->s + at, quote, lx->len - at);
        if (!end) {
            t.len = lx->len - off;
            t.fault = FAULT_UNTERMINATED;
            return t;
        }
        at = (uint32_t)(end - lx->s) + 1;
        if (lx->s[at] != quote)
            break;
        at++;
    }
    t.len = at - off;
    return t;
}

static struct token lex_backticks(const struct lexer *lx, uint32_t off)
{
    const char *end = memchr(lx->s + off + 1, '`', lx->len - off - 1);
    uint32_t len = end ? (uint32_t)(end - lx->s) - off + 1 : 1;
    return (struct token) { .off = off, .len = len, .kind = end ? TOKEN_NAME : TOKEN_BAD, .fault = FAULT_BACKTICK };
}

/* From a typographic quote to the next, if the line has one; else the quote alone. */
static struct token lex_typographic(const struct lexer *lx, uint32_t off, uint32_t bytes)
{
    struct token t = { .off = off, .len = bytes, .kind = TOKEN_BAD, .fault = FAULT_QUOTE };
    for (uint32_t at = off + bytes, n; at < lx->len && lx->s[at] != '\n'; at += n) {
        const struct lookalike *look = find_lookalike(decode(lx, at, &n));
        if (look && look->fault == FAULT_QUOTE) {
            t.kind = TOKEN_STRING;
            t.len = at + n - off;
            break;
        }
    }
    return t;
}

static struct token lex_foreign(const struct lexer *lx, uint32_t off)
{
    uint32_t bytes;
    const struct lookalike *look = find_lookalike(decode(lx, off, &bytes));
    if (!look)
        return lex_name(lx, off);
    if (look->fault == FAULT_QUOTE)
        return lex_typographic(lx, off, bytes);
    return (struct token) { .off = off, .len = bytes, .kind = (uint8_t)look->kind, .fault = (uint8_t)look->fault };
}

/* A comment of another SQL: to the end of the line, or to its closing sign (or, without one, all that is left). */
static struct token lex_comment(const struct lexer *lx, uint32_t off)
{
    struct token t = { .off = off, .len = 2, .kind = TOKEN_SKIPPED };
    const char *s = lx->s + off;
    if (s[0] == '-') {
        const char *end = memchr(s, '\n', lx->len - off);
        t.len = end ? (uint32_t)(end - s) : lx->len - off;
        t.fault = FAULT_DASH_COMMENT;
    } else {
        const char *end = strstr(s + 2, "*/");
        t.len = end ? (uint32_t)(end - s) + 2 : lx->len - off;
        t.fault = FAULT_SLASH_COMMENT;
    }
    return t;
}

static bool starts_comment(const char *s)
{
    return (s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*');
}

static const struct sign *find_sign(const char *s)
{
    for (size_t i = 0; i < SIGN_COUNT; i++) {
        if (strncmp(s, signs[i].text, strlen(signs[i].text)) == 0)
            return &signs[i];
    }
    return NULL;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && !is_space(c)) || c == 0x7F;
}

/* A run of control characters, or of one character that is nothing. */
static struct token lex_nothing(const struct lexer *lx, uint32_t off)
{
    char c = lx->s[off];
    struct token t = { .off = off, .kind = TOKEN_BAD, .fault = is_control(c) ? FAULT_CONTROL : FAULT_CHARACTER };
    while (off < lx->len && (is_control(c) ? is_control(lx->s[off]) : lx->s[off] == c))
        off++;
    t.len = off - t.off;
    return t;
}

static struct token lex_sign(const struct lexer *lx, uint32_t off)
{
    const struct sign *sign = find_sign(lx->s + off);
    if (!sign)
        return lex_nothing(lx, off);
    return (struct token) {
        .off = off, .len = (uint32_t)strlen(sign->text), .kind = (uint8_t)sign->kind, .fault = (uint8_t)sign->fault
    };
}

static struct token lex_one(const struct lexer *lx, uint32_t off, enum token_kind before)
{
    char c = lx->s[off];
    if (is_letter(c))
        return lex_name(lx, off);
    if (is_digit(c))
        return lex_number(lx, off);
    if (c == '\'' || c == '"')
        return lex_quoted(lx, off);
    if (c == '@')
        return lex_variable(lx, off);
    if (c == '.')
        return lex_point(lx, off, before);
    if (c == '`')
        return lex_backticks(lx, off);
    if ((unsigned char)c & 0x80)
        return lex_foreign(lx, off);
    if (starts_comment(lx->s + off))
        return lex_comment(lx, off);
    return lex_sign(lx, off);
}

/* Room for one more token behind `out->count`. */
static bool reserve(struct tokens *out, uint32_t *cap, struct arena *a)
{
    if (out->count < *cap)
        return true;
    uint32_t more = *cap ? *cap * 2 : 32;
    struct token *at = arena_grow(a, out->at, *cap * sizeof(*at), more * sizeof(*at));
    if (!at)
        return false;
    out->at = at;
    *cap = more;
    return true;
}

static int push(struct tokens *out, uint32_t *cap, struct token t, struct arena *a, struct err *e)
{
    if (!reserve(out, cap, a))
        return err_set(e, ERR_MEMORY, "no memory for the tokens of a statement");
    out->at[out->count++] = t;
    return 0;
}

int lex_text(const struct src *src, uint32_t from, bool braced, struct arena *a, struct tokens *out, struct err *e)
{
    struct lexer lx = { .s = src->text, .len = (uint32_t)src->len };
    uint32_t off = from, cap = 0, depth = 0;
    enum token_kind before = TOKEN_END;
    *out = (struct tokens) { 0 };
    for (;;) {
        while (is_space(lx.s[off]))
            off++;
        if (off >= lx.len)
            break;
        struct token t = lex_one(&lx, off, before);
        if (braced && t.kind == TOKEN_RBRACE && depth-- == 0) {
            out->closed = true;
            break;
        }
        depth += t.kind == TOKEN_LBRACE;
        if (push(out, &cap, t, a, e) < 0)
            return -1;
        before = t.kind;
        off += t.len;
    }
    out->end = out->closed ? off + 1 : off;
    if (push(out, &cap, (struct token) { .off = off, .kind = TOKEN_END }, a, e) < 0)
        return -1;
    out->count--;
    return 0;
}

const struct token_row *token_row(enum token_kind kind)
{
    return &rows[kind];
}

/* At most SHOWN_BYTES, cut at a character. */
static int shown_len(const char *s, uint32_t len)
{
    if (len <= SHOWN_BYTES)
        return (int)len;
    int n = SHOWN_BYTES;
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
        n--;
    return n;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
void lex_report(const struct src *src, struct token *token, struct errs *errs)
{
    if (!token->fault || token->reported)
        return;
    const char *s = src->text + token->off;
    int n = shown_len(s, token->len);
    struct span at = { .src = src, .off = token->off, .len = token->len };
    struct err *e = errs_add(errs, SEV_ERROR, ERR_SQL_TOKEN, at, faults[token->fault].text, n, s);
    if (faults[token->fault].hint)
        err_hint(e, faults[token->fault].hint, n, s, n, s);
    token->reported = true;
}
#pragma GCC diagnostic pop

/* Bytes of the delimiter that a string begins (or, from its other end, ends) with. */
static uint32_t opening_len(const struct src *src, const struct token *t)
{
    struct lexer lx = { .s = src->text, .len = (uint32_t)src->len };
    uint32_t bytes;
    decode(&lx, t->off, &bytes);
    return bytes;
}

static uint32_t closing_len(const struct src *src, const struct token *t)
{
    if (t->fault == FAULT_UNTERMINATED)
        return 0;
    const char *s = src->text + t->off;
    uint32_t n = 1;
    while (((unsigned char)s[t->len - n] & 0xC0) == 0x80)
        n++;
    return n;
}

const char *lex_string(const struct src *src, const struct token *token, struct arena *a, size_t *len)
{
    const char *s = src->text + token->off;
    uint32_t first = opening_len(src, token), end = token->len - closing_len(src, token);
    char *value = arena_alloc(a, (size_t)end - first + 1);
    if (!value)
        return NULL;
    size_t n = 0;
    for (uint32_t i = first; i < end; i++) {
        value[n++] = s[i];
        if (first == 1 && s[i] == s[0])
            i++;
    }
    value[n] = '\0';
    *len = n;
    return value;
}

uint32_t lex_string_place(const struct src *src, const struct token *token, size_t value_off)
{
    const char *s = src->text + token->off;
    uint32_t first = opening_len(src, token), i = first;
    for (size_t n = 0; n < value_off && i < token->len; n++)
        i += first == 1 && s[i] == s[0] ? 2 : 1;
    return token->off + i;
}
