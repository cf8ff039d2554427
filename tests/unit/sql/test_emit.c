/* SPDX-License-Identifier: Apache-2.0 */
/* Bytecode. Whole listings are in tests/golden/explain; here is what they do not show: well-formedness of every
 * program that the case files and goldens make, limits, and the flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "sql/funcs.h"
#include "sql/rule_int.h"
#include "sql/types.h"

/* A rule, or the errors instead. */
struct compiled {
    struct sql_paths *paths;
    struct errs errs;
    struct sql_rule *rule;
};

static void compile(struct compiled *c, const char *text, size_t len)
{
    *c = (struct compiled) { .paths = sql_paths_new() };
    struct src *src = src_new("<sql>", text, len);
    c->rule = sql_rule_compile(src, SQL_2016_03_23, c->paths, &c->errs);
    src_unref(src);
}

static void done(struct compiled *c)
{
    sql_rule_free(c->rule);
    sql_paths_unref(c->paths);
    errs_clear(&c->errs);
}

static int add_template_of(struct compiled *c, const char *text, size_t len)
{
    struct src *src = src_new("<template>", text, len);
    int index = sql_rule_add_template(c->rule, src, &c->errs);
    src_unref(src);
    return index;
}

static int add_template(struct compiled *c, const char *text)
{
    return add_template_of(c, text, strlen(text));
}

/* ---- well-formedness ---- */

static void check_operand(const struct sql_rule *rule, const struct sql_code *code, char kind, uint16_t value)
{
    const struct sql_program *program = &rule->program;
    switch (kind) {
    case 'r':
    case 'w':
    case 'm':
        assert_true(value < program->register_count);
        break;
    case 'k':
        assert_true(value < program->constant_count);
        break;
    case 's':
        assert_true(value < sql_paths_count(rule->paths));
        break;
    case 'f':
        assert_true(value < sql_func_count());
        break;
    case 't':
        assert_true(value <= SQL_CAST_BOOL);
        break;
    case 'j':
        assert_true(value < code->count);
        break;
    default:
        assert_int_equal(kind, '.');
        break;
    }
}

/* Operands in range, names where names belong, adding only to what was begun, RETURN at the end and nowhere else. */
static void check_code(const struct sql_rule *rule, const struct sql_code *code)
{
    static unsigned char begun[SQL_MAX_REGISTERS];
    memset(begun, 0, sizeof(begun));
    assert_true(code->count > 0);
    for (uint32_t i = 0; i < code->count; i++) {
        const struct sql_ins *ins = &code->ins[i];
        assert_true(ins->op < OP_COUNT);
        const char *operands = sql_op_row(ins->op)->operands;
        check_operand(rule, code, operands[0], ins->a);
        check_operand(rule, code, operands[1], ins->op == OP_CALL && ins->n == 0 ? 0 : ins->b);
        check_operand(rule, code, operands[2], ins->c);
        if (ins->op == OP_CALL)
            assert_true((uint32_t)ins->b + ins->n <= rule->program.register_count);
        if (ins->op == OP_ARRAY || ins->op == OP_OBJECT)
            begun[ins->a] = 1;
        if (operands[0] == 'm')
            assert_true(begun[ins->a]);
        if (ins->op == OP_PUT || ins->op == OP_MEMBER)
            assert_int_equal(rule->program.constants[ins->c].kind, VAL_STRING);
        if (ins->op == OP_PUT_PATH)
            assert_int_equal(rule->program.constants[ins->c].kind, VAL_ARRAY);
        assert_int_equal(ins->op == OP_RETURN, i + 1 == code->count);
        const struct span *at = &code->spans[i];
        assert_non_null(at->src);
        assert_true(at->off <= at->src->len && at->len <= at->src->len - at->off);
    }
}

static void check_rule(const struct sql_rule *rule)
{
    assert_true(rule->program.register_count <= SQL_MAX_REGISTERS);
    check_code(rule, &rule->program.main);
    for (uint32_t i = 0; i < rule->program.template_count; i++)
        check_code(rule, &rule->program.templates[i]);
}

/* The text of a member of a case, or NULL. */
static const char *case_text(const struct json_doc *doc, const char *key, struct arena *a, size_t *len)
{
    uint32_t node = json_member(doc, 0, key, strlen(key));
    return node && json_at(doc, node)->kind == JSON_STRING ? json_text(doc, node, a, len) : NULL;
}

static size_t check_case(const char *line, size_t line_len)
{
    struct arena a;
    struct err e = { 0 };
    size_t len, checked = 0;
    arena_init(&a, (size_t)16 << 20);
    const struct json_doc *doc = json_parse(&a, line, line_len, NULL, &e);
    const char *sql = doc ? case_text(doc, "sql", &a, &len) : NULL;
    if (sql) {
        struct compiled c;
        compile(&c, sql, len);
        if (c.rule) {
            const char *template = case_text(doc, "template", &a, &len);
            if (template)
                add_template_of(&c, template, len);
            check_rule(c.rule);
            checked = 1;
        }
        done(&c);
    }
    arena_clear(&a);
    return checked;
}

static size_t check_case_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0, checked = 0;
    assert_non_null(f);
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;)
        checked += check_case(line, (size_t)n);
    free(line);
    fclose(f);
    return checked;
}

static void all_cases_are_well_formed(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir("tests/cases", &entries, NULL, alphasort);
    size_t checked = 0;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "tests/cases/%s", entries[i]->d_name);
        if (strstr(entries[i]->d_name, ".jsonl"))
            checked += check_case_file(path);
        free(entries[i]);
    }
    free(entries);
    assert_true(checked > 0);
}

/* ---- flags ---- */

static void assert_use(const char *text, bool needs_json, bool reads_payload)
{
    struct compiled c;
    compile(&c, text, strlen(text));
    assert_non_null(c.rule);
    assert_int_equal(c.rule->program.needs_json, needs_json);
    assert_int_equal(sql_rule_reads_payload(c.rule), reads_payload);
    done(&c);
}

static void use_of_the_payload(void **state)
{
    (void)state;
    assert_use("SELECT * FROM 'a'", false, true);
    assert_use("SELECT VALUE * FROM 'a'", false, true);
    assert_use("SELECT encode(*, 'base64') AS d FROM 'a'", false, false);
    assert_use("SELECT topic() AS t FROM 'a' WHERE timestamp() > 0", false, false);
    assert_use("SELECT 1 AS one", false, false);
    assert_use("SELECT a FROM 'a'", true, true);
    assert_use("SELECT *, topic() AS t FROM 'a'", true, true);
    assert_use("SELECT * AS whole FROM 'a'", true, true);
    assert_use("SELECT * FROM 'a' WHERE b = 1", true, true);
    assert_use("SET @a = b SELECT * FROM 'a'", true, true);
    assert_use("SELECT get(*, 'k') AS k FROM 'a'", true, true);
    assert_use("SELECT get(*, 0) AS k FROM 'a'", true, true);
    assert_use("SELECT (SELECT a FROM *) AS k FROM 'a'", true, true);
    assert_use("SELECT encode(a, 'base64') AS d FROM 'a'", true, true);
}

static void templates_read_the_payload_too(void **state)
{
    (void)state;
    struct compiled c;
    compile(&c, "SELECT topic() AS t", 19);
    assert_false(sql_rule_reads_payload(c.rule));
    assert_int_equal(add_template(&c, "a/${topic(1)}"), 0);
    assert_false(sql_rule_reads_payload(c.rule));
    assert_int_equal(add_template(&c, "a/${b}"), 1);
    assert_true(sql_rule_reads_payload(c.rule));
    assert_false(c.rule->program.needs_json);
    done(&c);
}

/* ---- constants ---- */

static uint32_t count_op(const struct sql_code *code, enum sql_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < code->count; i++)
        n += code->ins[i].op == op;
    return n;
}

static void constants_are_pooled(void **state)
{
    (void)state;
    static const char text[] = "SELECT 'a' AS a, 'a' AS b, 1 AS c, 1 AS d, 1.50 AS e, 1.50 AS f, 1.5 AS g, TRUE AS h, "
                               "TRUE AS i, NULL AS j, NULL AS k";
    struct compiled c;
    compile(&c, text, strlen(text));
    /* 'a' (as value and key), 1, 1.50, 1.5, true, null, keys b to k */
    assert_int_equal(c.rule->program.constant_count, 6 + 10);
    done(&c);
}

static void the_largest_constant_is_computed(void **state)
{
    (void)state;
    static const char text[] = "SELECT upper(concat('a', lower('B'), 1 + 2)) + c AS x FROM 'a'";
    struct compiled c;
    compile(&c, text, strlen(text));
    assert_int_equal(count_op(&c.rule->program.main, OP_CALL), 0);
    assert_int_equal(count_op(&c.rule->program.main, OP_ADD), 1);
    const struct val *v = &c.rule->program.constants[0];
    assert_int_equal(v->kind, VAL_STRING);
    assert_int_equal(v->n, 3);
    assert_memory_equal(v->text, "AB3", 3);
    done(&c);
}

static void long_texts_are_not_computed(void **state)
{
    (void)state;
    struct buf text;
    struct compiled c;
    buf_init(&text, SQL_MAX_BYTES);
    buf_puts(&text, "SELECT concat('");
    for (int i = 0; i < 40000; i++)
        buf_putc(&text, 'a');
    buf_puts(&text, "', '");
    for (int i = 0; i < 40000; i++)
        buf_putc(&text, 'b');
    buf_puts(&text, "') AS x");
    compile(&c, text.p, text.len);
    assert_non_null(c.rule);
    assert_int_equal(count_op(&c.rule->program.main, OP_CALL), 1);
    check_rule(c.rule);
    done(&c);
    buf_clear(&text);
}

/* ---- templates ---- */

static void templates_share_registers_and_constants(void **state)
{
    (void)state;
    static const char text[] = "SET @a = b, @c = 'x' SELECT @a AS d";
    struct compiled c;
    compile(&c, text, strlen(text));
    uint32_t constants = c.rule->program.constant_count;
    assert_int_equal(add_template(&c, "${@c}"), 0);
    assert_int_equal(add_template(&c, "x${@a}x"), 1);
    assert_int_equal(add_template(&c, ""), 2);
    assert_int_equal(add_template(&c, "plain $ $$ { } $x"), 3);
    assert_int_equal(c.rule->program.constant_count, constants + 2);
    const struct sql_code *single = &c.rule->program.templates[0];
    assert_true(single->single);
    assert_int_equal(single->count, 2);
    assert_int_equal(single->ins[0].op, OP_TEXT);
    assert_int_equal(single->ins[0].a, 1);
    assert_int_equal(single->ins[1].op, OP_RETURN);
    assert_false(c.rule->program.templates[1].single);
    assert_false(sql_rule_template_is_constant(c.rule, 0));
    assert_false(sql_rule_template_is_constant(c.rule, 1));
    assert_true(sql_rule_template_is_constant(c.rule, 2));
    assert_true(sql_rule_template_is_constant(c.rule, 3));
    assert_false(c.rule->program.templates[2].single);
    check_rule(c.rule);
    done(&c);
}

static void a_bad_template_changes_nothing(void **state)
{
    (void)state;
    struct compiled c;
    compile(&c, "SELECT a", 8);
    assert_int_equal(add_template(&c, "${'new'}/${nosuch()}"), -1);
    assert_int_equal(c.errs.errors, 1);
    assert_int_equal(c.rule->program.template_count, 0);
    assert_int_equal(add_template(&c, "${'new'}"), 0);
    assert_int_equal(c.rule->program.template_count, 1);
    check_rule(c.rule);
    done(&c);
}

/* ---- limits ---- */

/* A statement made of repeated parts is refused with one limit error. */
static void assert_limit(const char *begin, const char *part, unsigned times, const char *between, const char *end,
                         const char *message)
{
    struct buf text;
    struct compiled c;
    buf_init(&text, 4 * SQL_MAX_BYTES);
    buf_puts(&text, begin);
    for (unsigned i = 0; i < times; i++) {
        buf_puts(&text, i ? between : "");
        buf_puts(&text, part);
    }
    buf_puts(&text, end);
    compile(&c, text.p, text.len);
    assert_int_equal(c.errs.errors, message ? 1 : 0);
    assert_true((c.rule == NULL) == (message != NULL));
    if (message) {
        assert_int_equal(c.errs.items[0].code, ERR_SQL_LIMIT);
        assert_string_equal(c.errs.items[0].text, message);
    }
    done(&c);
    buf_clear(&text);
}

static void limits_of_code(void **state)
{
    (void)state;
    assert_limit("SELECT ", "a", 32766, ",", "", NULL);
    assert_limit("SELECT ", "a", 32768, ",", "", "the bytecode would be longer than 65,535 instructions");
}

static void limits_of_registers(void **state)
{
    (void)state;
    struct buf text;
    struct compiled c;
    buf_init(&text, SQL_MAX_BYTES);
    buf_puts(&text, "SELECT ");
    for (int i = 0; i < 30; i++) {
        buf_puts(&text, "concat(");
        for (int k = 0; k < 199; k++)
            buf_puts(&text, "a,");
    }
    buf_puts(&text, "a");
    for (int i = 0; i < 30; i++)
        buf_puts(&text, ")");
    buf_puts(&text, " AS x");
    compile(&c, text.p, text.len);
    assert_null(c.rule);
    assert_int_equal(c.errs.errors, 1);
    assert_int_equal(c.errs.items[0].code, ERR_SQL_LIMIT);
    assert_string_equal(c.errs.items[0].text, "the expression needs too many intermediate values at once");
    done(&c);
    buf_clear(&text);
}

static void limits_of_constants(void **state)
{
    (void)state;
    struct compiled c;
    compile(&c, "SELECT a", 8);
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    int refused = 0;
    for (unsigned t = 0; t < SQL_MAX_TEMPLATES && !refused; t++) {
        buf_reset(&text);
        for (unsigned i = 0; i < 1000; i++)
            buf_printf(&text, "${%u}", t * 1000 + i);
        refused = add_template(&c, text.p) < 0;
    }
    assert_true(refused);
    assert_int_equal(c.errs.errors, 1);
    assert_string_equal(c.errs.items[0].text, "the rule has too many constants");
    assert_int_equal(c.rule->program.template_count, 65);
    check_rule(c.rule);
    buf_clear(&text);
    done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_cases_are_well_formed),
        cmocka_unit_test(use_of_the_payload),
        cmocka_unit_test(templates_read_the_payload_too),
        cmocka_unit_test(constants_are_pooled),
        cmocka_unit_test(the_largest_constant_is_computed),
        cmocka_unit_test(long_texts_are_not_computed),
        cmocka_unit_test(templates_share_registers_and_constants),
        cmocka_unit_test(a_bad_template_changes_nothing),
        cmocka_unit_test(limits_of_code),
        cmocka_unit_test(limits_of_registers),
        cmocka_unit_test(limits_of_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
