/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler from outside: text to rule, through parser, resolver and emitter, and what a rule tells about
 * itself.
 *
 * Tokens and tree live in an arena of the call; the rule keeps the program, the source texts (instructions have
 * spans of them) and the paths. Errors of one text are collected aside, so that they are handed over in the order
 * of the text. */
#include "sql/sql.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "sql/emit.h"
#include "sql/funcs.h"
#include "sql/lint.h"
#include "sql/parse.h"
#include "sql/resolve.h"
#include "sql/rule_int.h"
#include "sql/template.h"

#define COMPILE_BYTES ((size_t)64 << 20) /* tokens, tree and work of one text: some 100 bytes for each of its own */
#define PROGRAM_BYTES ((size_t)64 << 20)

/* ---- errors ---- */

/* Hand over in order; those beyond what a list keeps are counted. */
static void deliver(struct errs *from, struct errs *to)
{
    errs_sort(from);
    size_t errors = to->errors + from->errors, warnings = to->warnings + from->warnings;
    for (size_t i = 0; i < from->count; i++)
        errs_take(to, &from->items[i]);
    to->errors = errors;
    to->warnings = warnings;
    errs_clear(from);
}

static void no_memory(struct errs *errs, const struct src *src)
{
    errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { .src = src }, "no memory for the rule");
}

/* What the lexer relies on. */
static bool check_text(const struct src *src, const char *what, struct errs *errs)
{
    struct span at = { .src = src };
    const char *nul = memchr(src->text, '\0', src->len);
    size_t valid = utf8_valid_prefix(src->text, src->len);
    if (src->len > (size_t)SQL_MAX_BYTES) {
        errs_add(errs, SEV_ERROR, ERR_SQL_LIMIT, at, "%s is longer than %d bytes", what, SQL_MAX_BYTES);
    } else if (valid < src->len) {
        at.off = (uint32_t)valid;
        at.len = 1;
        errs_add(errs, SEV_ERROR, ERR_SQL_TOKEN, at, "%s is not valid UTF-8 here", what);
    } else if (nul) {
        at.off = (uint32_t)(nul - src->text);
        at.len = 1;
        errs_add(errs, SEV_ERROR, ERR_SQL_TOKEN, at, "%s holds a NUL character", what);
    } else {
        return true;
    }
    return false;
}

/* ---- rules ---- */

static struct sql_rule *rule_new(struct src *src, enum sql_version version, struct sql_paths *paths)
{
    struct sql_rule *rule = calloc(1, sizeof(*rule));
    if (!rule)
        return NULL;
    arena_init(&rule->program.arena, PROGRAM_BYTES);
    rule->program.version = version;
    rule->src = src_ref(src);
    rule->paths = sql_paths_ref(paths);
    return rule;
}

void sql_rule_free(struct sql_rule *rule)
{
    if (!rule)
        return;
    for (uint32_t i = 0; i < rule->program.template_count; i++)
        src_unref(rule->templates[i].src);
    arena_clear(&rule->program.arena);
    sql_paths_unref(rule->paths);
    src_unref(rule->src);
    free(rule);
}

/* Keep what outlives the tree: the filter and the names of the variables. */
static bool keep_names(struct sql_rule *rule, const struct ast_statement *st)
{
    struct arena *a = &rule->program.arena;
    struct ast_name *variables = arena_array(a, st->set_count, sizeof(*variables));
    if (!variables)
        return false;
    uint32_t n = 0;
    for (const struct ast_set *set = st->sets; set; set = set->next, n++) {
        variables[n] = set->name;
        variables[n].next = NULL;
        variables[n].text = arena_strndup(a, set->name.text, set->name.len);
        if (!variables[n].text)
            return false;
    }
    rule->variables = variables;
    if (!st->filter)
        return true;
    rule->filter = arena_strndup(a, st->filter, st->filter_len);
    rule->filter_len = st->filter_len;
    rule->filter_span = st->filter_at;
    return rule->filter != NULL;
}

static struct sql_rule *make_rule(struct src *src, enum sql_version version, struct sql_paths *paths,
                                  const struct ast_statement *st, bool unfolded, struct arena *scratch,
                                  struct errs *errs)
{
    struct sql_rule *rule = rule_new(src, version, paths);
    if (!rule || !keep_names(rule, st)) {
        no_memory(errs, src);
        sql_rule_free(rule);
        return NULL;
    }
    rule->unfolded = unfolded;
    lint_statement(rule, st, scratch, errs);
    if (emit_statement(rule, st, scratch, errs) < 0) {
        sql_rule_free(rule);
        return NULL;
    }
    return rule;
}

static struct sql_rule *compile(struct src *src, enum sql_version version, struct sql_paths *paths, bool unfolded,
                                struct errs *errs)
{
    struct errs own = { 0 };
    struct arena scratch;
    struct sql_rule *rule = NULL;
    arena_init(&scratch, COMPILE_BYTES);
    if (!check_text(src, "the statement", &own))
        goto out;
    struct ast_statement *st = parse_statement(src, &scratch, &own);
    if (!st)
        goto out;
    struct resolve_context context = {
        .src = src, .version = version, .paths = paths, .arena = &scratch, .errs = &own
    };
    context.broken = own.errors > 0;
    resolve_statement(&context, st);
    if (own.errors == 0)
        rule = make_rule(src, version, paths, st, unfolded, &scratch, &own);
out:
    arena_clear(&scratch);
    deliver(&own, errs);
    return rule;
}

struct sql_rule *sql_rule_compile(struct src *src, enum sql_version version, struct sql_paths *paths, struct errs *errs)
{
    return compile(src, version, paths, false, errs);
}

struct sql_rule *sql_rule_unfold(const struct sql_rule *rule, struct errs *errs)
{
    return compile(rule->src, rule->program.version, rule->paths, true, errs);
}

/* ---- templates ---- */

/* Room for one more. */
static bool grow_templates(struct sql_rule *rule)
{
    struct sql_program *program = &rule->program;
    if (program->template_count < rule->template_cap)
        return true;
    uint32_t old = rule->template_cap, cap = old ? old * 2 : 4;
    struct sql_code *codes =
        arena_grow(&program->arena, program->templates, old * sizeof(*codes), cap * sizeof(*codes));
    if (!codes)
        return false;
    program->templates = codes;
    struct sql_template *templates =
        arena_grow(&program->arena, rule->templates, old * sizeof(*templates), cap * sizeof(*templates));
    if (!templates)
        return false;
    rule->templates = templates;
    rule->template_cap = cap;
    return true;
}

static int push_template(struct sql_rule *rule, struct src *src, const struct template_piece *pieces,
                         struct sql_code code, struct errs *errs)
{
    if (!grow_templates(rule)) {
        no_memory(errs, src);
        return -1;
    }
    uint32_t index = rule->program.template_count++;
    rule->program.templates[index] = code;
    rule->templates[index] = (struct sql_template) { .src = src_ref(src), .constant = pieces->text && !pieces->next };
    return (int)index;
}

static int compile_template(struct sql_rule *rule, struct src *src, struct arena *scratch, struct errs *errs)
{
    if (!check_text(src, "the template", errs))
        return -1;
    if (rule->program.template_count >= SQL_MAX_TEMPLATES) {
        errs_add(errs, SEV_ERROR, ERR_SQL_LIMIT, (struct span) { .src = src }, "a rule has at most %d templates",
                 SQL_MAX_TEMPLATES);
        return -1;
    }
    struct template_piece *pieces = template_split(src, scratch, errs);
    if (!pieces)
        return -1;
    struct resolve_context context = { .src = src,
                                       .version = rule->program.version,
                                       .paths = rule->paths,
                                       .arena = scratch,
                                       .errs = errs,
                                       .variables = rule->variables,
                                       .variable_count = rule->program.set_count };
    for (struct template_piece *piece = pieces; piece; piece = piece->next) {
        if (piece->expr)
            resolve_template(&context, piece->expr);
    }
    for (struct template_piece *piece = pieces; errs->errors == 0 && piece; piece = piece->next) {
        if (piece->expr)
            lint_template(rule, piece->expr, errs);
    }
    struct sql_code code = { 0 };
    if (errs->errors > 0 || emit_template(rule, pieces, &code, scratch, errs) < 0)
        return -1;
    return push_template(rule, src, pieces, code, errs);
}

int sql_rule_add_template(struct sql_rule *rule, struct src *src, struct errs *errs)
{
    struct errs own = { 0 };
    struct arena scratch;
    arena_init(&scratch, COMPILE_BYTES);
    int index = compile_template(rule, src, &scratch, &own);
    arena_clear(&scratch);
    deliver(&own, errs);
    return index;
}

bool sql_rule_template_is_constant(const struct sql_rule *rule, int index)
{
    return rule->templates[index].constant;
}

/* ---- what a rule tells ---- */

const char *sql_rule_filter(const struct sql_rule *rule, size_t *len)
{
    *len = rule->filter_len;
    return rule->filter;
}

struct span sql_rule_filter_span(const struct sql_rule *rule)
{
    return rule->filter_span;
}

enum sql_version sql_rule_version(const struct sql_rule *rule)
{
    return rule->program.version;
}

bool sql_rule_reads_payload(const struct sql_rule *rule)
{
    return rule->reads_payload;
}

bool sql_rule_passes_bytes(const struct sql_rule *rule, struct span *star)
{
    *star = rule->star_at;
    return rule->passes_bytes;
}

/* decode() asks only for Protocol Buffers, which take further arguments. */
static bool asks(const struct sql_ins *ins)
{
    const struct sql_func *func = sql_func_at(ins->c);
    return func->flags & SQL_ASKS || (strcmp(func->name, "decode") == 0 && ins->n > 2);
}

static void code_questions(const struct sql_code *code, sql_question_taker *take, void *ctx)
{
    for (uint32_t i = 0; i < code->count; i++) {
        if (code->ins[i].op == OP_CALL && asks(&code->ins[i]))
            take(ctx, sql_func_at(code->ins[i].c)->name, code->spans[i]);
    }
}

void sql_rule_questions(const struct sql_rule *rule, sql_question_taker *take, void *ctx)
{
    const struct sql_program *program = &rule->program;
    code_questions(&program->main, take, ctx);
    for (uint32_t i = 0; i < program->template_count; i++)
        code_questions(&program->templates[i], take, ctx);
}
