/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler made of a rule, as text: tree, slots, constants, listing.
 *
 * The tree is not kept in the rule; it is made again from the source texts, which compiled once and so compile
 * again. The paths are only read then, since all of the rule's are known already. */
#include "sql/sql.h"

#include <string.h>

#include "engine/base/utf8.h"
#include "sql/ast.h"
#include "sql/funcs.h"
#include "sql/parse.h"
#include "sql/resolve.h"
#include "sql/rule_int.h"
#include "sql/template.h"
#include "sql/types.h"

#define TREE_BYTES   ((size_t)64 << 20)
#define VALUE_BYTES  48 /* of a constant that is shown */
#define SOURCE_BYTES 50 /* of the source text beside an instruction */
#define OP_COLUMNS   11
#define SOURCE_AT    52 /* column of the source text */

struct explainer {
    const struct sql_rule *rule;
    struct buf *out;
    struct arena scratch;
    struct buf value; /* a constant as text */
};

/* ---- trees ---- */

static void explain_statement_tree(struct explainer *x)
{
    const struct sql_rule *rule = x->rule;
    struct errs errs = { 0 };
    struct ast_statement *st = parse_statement(rule->src, &x->scratch, &errs);
    struct resolve_context context = {
        .src = rule->src, .version = rule->program.version, .paths = rule->paths, .arena = &x->scratch, .errs = &errs
    };
    if (st) {
        resolve_statement(&context, st);
        ast_print_statement(x->out, st, rule->paths, 1);
    }
    errs_clear(&errs);
}

static void explain_template_tree(struct explainer *x, const struct src *src)
{
    const struct sql_rule *rule = x->rule;
    struct errs errs = { 0 };
    struct resolve_context context = { .src = src,
                                       .version = rule->program.version,
                                       .paths = rule->paths,
                                       .arena = &x->scratch,
                                       .errs = &errs,
                                       .variables = rule->variables,
                                       .variable_count = rule->program.set_count };
    for (struct template_piece *piece = template_split(src, &x->scratch, &errs); piece; piece = piece->next) {
        if (piece->expr) {
            resolve_template(&context, piece->expr);
            ast_print(x->out, piece->expr, rule->paths, 1);
        } else if (piece->len) {
            buf_puts(x->out, "  text ");
            json_write_string(x->out, piece->text, piece->len);
            buf_putc(x->out, '\n');
        }
    }
    errs_clear(&errs);
}

/* ---- tables ---- */

/* Append one line's worth of text: white space becomes one space, the rest is cut. */
static void put_line_text(struct buf *out, const char *s, size_t len, size_t max)
{
    size_t shown = 0;
    bool space = false;
    for (size_t i = 0; i < len; i++) {
        bool blank = s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n';
        bool begins = ((unsigned char)s[i] & 0xC0) != 0x80;
        if (begins && shown >= max) {
            buf_puts(out, "\xe2\x80\xa6");
            return;
        }
        if (!blank || !space) {
            buf_putc(out, blank ? ' ' : s[i]);
            shown++;
        }
        space = blank;
    }
}

static void put_constant(struct explainer *x, uint32_t index)
{
    struct val v = x->rule->program.constants[index];
    if (v.kind == VAL_STRING && v.n > 4 * VALUE_BYTES)
        v.n = (uint32_t)utf8_valid_prefix(v.text, (size_t)4 * VALUE_BYTES);
    buf_reset(&x->value);
    val_write_json(&x->value, v, x->rule->program.version);
    if (val_is_undefined(v))
        buf_puts(x->out, "undefined");
    else
        put_line_text(x->out, x->value.p, x->value.len, VALUE_BYTES);
}

static void explain_constants(struct explainer *x)
{
    const struct sql_program *program = &x->rule->program;
    if (program->constant_count)
        buf_puts(x->out, "constants\n");
    for (uint32_t i = 0; i < program->constant_count; i++) {
        buf_printf(x->out, "  %3u  ", i);
        put_constant(x, i);
        buf_putc(x->out, '\n');
    }
}

static void mark_slots(const struct sql_code *code, unsigned char *used)
{
    for (uint32_t i = 0; i < code->count; i++) {
        if (code->ins[i].op == OP_SLOT)
            used[code->ins[i].b] = 1;
    }
}

static void explain_slots(struct explainer *x)
{
    const struct sql_program *program = &x->rule->program;
    uint32_t count = sql_paths_count(x->rule->paths);
    unsigned char *used = arena_zalloc(&x->scratch, count);
    if (!used)
        return;
    mark_slots(&program->main, used);
    for (uint32_t i = 0; i < program->template_count; i++)
        mark_slots(&program->templates[i], used);
    bool any = memchr(used, 1, count);
    if (any)
        buf_puts(x->out, "slots\n");
    for (uint32_t slot = 0; any && slot < count; slot++) {
        if (!used[slot])
            continue;
        buf_printf(x->out, "  %3u  ", slot);
        ast_print_path(x->out, sql_paths_at(x->rule->paths, slot));
        buf_putc(x->out, '\n');
    }
}

/* ---- listing ---- */

static void put_operand(struct explainer *x, char kind, uint16_t value, uint8_t n)
{
    switch (kind) {
    case 'r':
    case 'w':
    case 'm':
        buf_printf(x->out, "r%u", value);
        break;
    case 'k':
        put_constant(x, value);
        break;
    case 's':
        ast_print_path(x->out, sql_paths_at(x->rule->paths, value));
        break;
    case 'f':
        buf_printf(x->out, "%s/%u", sql_func_at(value)->name, n);
        break;
    case 't':
        buf_puts(x->out, sql_type_name(value));
        break;
    case 'j':
        buf_printf(x->out, "-> %u", value);
        break;
    default:
        break;
    }
}

static void put_instruction(struct explainer *x, const struct sql_ins *ins)
{
    const struct sql_op_row *row = sql_op_row(ins->op);
    const uint16_t values[] = { ins->a, ins->b, ins->c };
    buf_printf(x->out, "%-*s", OP_COLUMNS, row->name);
    for (int i = 0; i < 3 && row->operands[i] != '.'; i++) {
        buf_puts(x->out, i ? ", " : "");
        put_operand(x, row->operands[i], values[i], ins->n);
    }
}

static void explain_code(struct explainer *x, const struct sql_code *code)
{
    buf_printf(x->out, "code: %u instruction%s\n", code->count, code->count == 1 ? "" : "s");
    for (uint32_t i = 0; i < code->count && !x->out->failed; i++) {
        size_t begin = x->out->len;
        struct span at = code->spans[i];
        buf_printf(x->out, "  %3u  ", i);
        put_instruction(x, &code->ins[i]);
        do {
            buf_putc(x->out, ' ');
        } while (!x->out->failed && x->out->len - begin < SOURCE_AT);
        buf_puts(x->out, "| ");
        put_line_text(x->out, at.src->text + at.off, at.len, SOURCE_BYTES);
        buf_putc(x->out, '\n');
    }
    for (uint32_t i = 0; i < code->guard_count; i++)
        buf_printf(x->out, "  a failed look-up in %u to %u: r%u = Undefined, -> %u\n", code->guards[i].from,
                   code->guards[i].to - 1u, code->guards[i].result, code->guards[i].to);
}

/* ---- the whole ---- */

static const char *payload_use(const struct sql_rule *rule)
{
    if (rule->program.needs_json)
        return "needs the payload as JSON";
    return rule->reads_payload ? "reads the payload, JSON or not" : "does not read the payload";
}

static void explain_head(struct explainer *x)
{
    const struct sql_rule *rule = x->rule;
    buf_printf(x->out, "SQL version %s, %s, %u register%s\n", sql_version_name(rule->program.version),
               payload_use(rule), rule->program.register_count, rule->program.register_count == 1 ? "" : "s");
}

static void explain_template(struct explainer *x, uint32_t index)
{
    const struct src *src = x->rule->templates[index].src;
    buf_printf(x->out, "template %u: ", index);
    json_write_string(x->out, src->text, src->len);
    buf_puts(x->out, "\n");
    explain_template_tree(x, src);
    explain_code(x, &x->rule->program.templates[index]);
}

void sql_rule_explain(const struct sql_rule *rule, struct buf *out)
{
    struct explainer x = { .rule = rule, .out = out };
    arena_init(&x.scratch, TREE_BYTES);
    buf_init(&x.value, TREE_BYTES);
    explain_head(&x);
    buf_puts(out, "tree\n");
    explain_statement_tree(&x);
    explain_slots(&x);
    explain_constants(&x);
    explain_code(&x, &rule->program.main);
    for (uint32_t i = 0; i < rule->program.template_count; i++)
        explain_template(&x, i);
    buf_clear(&x.value);
    arena_clear(&x.scratch);
}
