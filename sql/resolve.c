/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver: one walk over the tree, children before parents.
 *
 * Scopes: outside nested queries a name is a path into the payload. Inside one it is a member of the element, or
 * the element itself if it is the name given by AS; the payload and enclosing elements are not searched (spec 1.6).
 * SET variables and functions are known everywhere.
 *
 * A constant `get(path, 'name')` of the payload is a path too, so names with hyphens cost no more than others. Not
 * so when the name looks like a number: it would index an array. */
#include "sql/resolve.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/num.h"
#include "sql/funcs.h"
#include "sql/lex.h"
#include "sql/types.h"

#define FUNCTION_MAX  256 /* rows that nearest_word is given */
#define NEAREST_BYTES 64  /* longer names get no suggestion: comparing takes the square of the length */

struct scope {
    const struct ast_name *as; /* or NULL */
};

/* A payload path being put together. */
struct path_names {
    const char *text[SQL_MAX_PATH_NAMES];
    uint32_t len[SQL_MAX_PATH_NAMES];
    uint32_t count;
};

struct resolver {
    bool in_default; /* inside the second argument of get_or_default */
    bool in_template;
    const struct resolve_context *in;
    const struct scope *scope;                  /* NULL outside nested queries */
    const struct ast_set *sets;                 /* all of the statement */
    const struct ast_set *setting;              /* the one whose value is being resolved, or NULL */
    const struct ast_name *known[SQL_MAX_SETS]; /* variables that have a value here */
    uint32_t known_count;
    bool too_many_sets;      /* then unknown variables are not complained about */
    unsigned refused;        /* inside so many constructs that the version lacks: one complaint is enough */
    struct path_names names; /* here and not on the stack, which is deep enough */
};

/* What functions are called elsewhere; a hint is given if the function that it names exists. */
static const struct {
    const char *name, *function, *hint;
} elsewhere[] = {
    { "avg", NULL, "there are no aggregate functions: a rule sees one message at a time" },
    { "ceiling", "ceil", "use ceil()" },
    { "coalesce", "get_or_default", "use get_or_default()" },
    { "count", NULL, "there are no aggregate functions: a rule sees one message at a time" },
    { "current_timestamp", "timestamp", "use timestamp()" },
    { "getdate", "timestamp", "use timestamp()" },
    { "if", NULL, "use CASE condition WHEN true THEN … ELSE … END" },
    { "ifnull", "get_or_default", "use get_or_default()" },
    { "iff", NULL, "use CASE condition WHEN true THEN … ELSE … END" },
    { "iif", NULL, "use CASE condition WHEN true THEN … ELSE … END" },
    { "json_extract", "get", "write the path with points, or use get()" },
    { "len", "length", "use length()" },
    { "max", NULL, "there are no aggregate functions: a rule sees one message at a time" },
    { "min", NULL, "there are no aggregate functions: a rule sees one message at a time" },
    { "now", "timestamp", "use timestamp()" },
    { "nvl", "get_or_default", "use get_or_default()" },
    { "pow", "power", "use power()" },
    { "strlen", "length", "use length()" },
    { "substr", "substring", "use substring()" },
    { "sum", NULL, "there are no aggregate functions: a rule sees one message at a time" },
    { "to_number", NULL, "use cast(value AS Decimal)" },
    { "to_string", NULL, "use cast(value AS String)" },
    { "uuid", "newuuid", "use newuuid()" },
};
#define ELSEWHERE_COUNT (sizeof(elsewhere) / sizeof(elsewhere[0]))

static void resolve(struct resolver *r, struct ast *node);

/* A list of them; true if all are constant. */
static bool resolve_list(struct resolver *r, struct ast *first)
{
    bool constant = true;
    for (struct ast *node = first; node; node = node->next) {
        resolve(r, node);
        constant &= node->constant;
    }
    return constant;
}

/* Suggestions stop when the list of errors is full. */
static bool may_suggest(const struct resolver *r, size_t len)
{
    return len <= NEAREST_BYTES && r->in->errs->count < ERRS_MAX;
}

/* ---- versions ---- */

static bool has_version(const struct resolver *r, enum sql_version since)
{
    return r->in->version >= since;
}

static void complain_version(struct resolver *r, struct span at, const char *what, enum sql_version since)
{
    struct err *e = errs_add(r->in->errs, SEV_ERROR, ERR_SQL_VERSION, at, "%s not available in SQL version %s", what,
                             sql_version_name(r->in->version));
    err_hint(e, "set the rule's awsIotSqlVersion to \"%s\"", sql_version_name(since));
}

/* Enter a construct of 2016-03-23; leave with r->refused--. */
static void enter_2016(struct resolver *r, struct span at, const char *what)
{
    if (!r->refused && !has_version(r, SQL_2016_03_23))
        complain_version(r, at, what, SQL_2016_03_23);
    r->refused++;
}

/* ---- literals ---- */

static bool is_whole_literal(const struct ast *node)
{
    for (size_t i = 0; i < node->literal.len; i++) {
        char c = node->literal.text[i];
        if (c < '0' || c > '9')
            return false;
    }
    return true;
}

static void resolve_number(struct resolver *r, struct ast *node)
{
    struct num n;
    node->constant = true;
    if (num_parse(&n, node->literal.text, node->literal.len))
        return;
    node->kind = AST_ERROR;
    node->constant = false;
    if (is_whole_literal(node))
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, node->at, "an Int has at most %d digits", NUM_DIGITS);
    else
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, node->at,
                 "the number is out of range: a Decimal is 1E%d to 9.99E%d", NUM_EXP_MIN, NUM_EXP_MAX);
}

/* ---- variables ---- */

static bool same_name(const struct ast_name *a, const struct ast_name *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int find_variable(const struct resolver *r, const struct ast_name *name)
{
    for (uint32_t i = 0; i < r->known_count; i++) {
        if (same_name(r->known[i], name))
            return (int)i;
    }
    return -1;
}

/* Assigned anywhere in the statement? Only called with at most SQL_MAX_SETS of them. */
static bool is_assigned_later(const struct resolver *r, const struct ast_name *name)
{
    for (const struct ast_set *set = r->sets; set; set = set->next) {
        if (same_name(&set->name, name))
            return true;
    }
    return false;
}

static void suggest_variable(const struct resolver *r, const struct ast_name *name, struct err *e)
{
    const char *words[SQL_MAX_SETS];
    for (uint32_t i = 0; i < r->known_count; i++)
        words[i] = r->known[i]->text;
    const char *near = may_suggest(r, name->len) ? nearest_word(name->text, name->len, words, r->known_count) : NULL;
    if (near)
        err_hint(e, "did you mean \"@%s\"?", near);
    else if (!r->known_count && !r->sets)
        err_hint(e, "assign it in front of SELECT: SET @name = …");
}

static void complain_variable(struct resolver *r, const struct ast *node)
{
    const struct ast_name *name = &node->variable.name;
    struct errs *errs = r->in->errs;
    if (r->too_many_sets)
        return;
    if (r->setting && same_name(&r->setting->name, name)) {
        errs_add(errs, SEV_ERROR, ERR_SQL_NAME, node->at, "the variable \"@%s\" is used in its own value", name->text);
    } else if (is_assigned_later(r, name)) {
        errs_add(errs, SEV_ERROR, ERR_SQL_NAME, node->at, "the variable \"@%s\" is used before it has a value",
                 name->text);
    } else {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_SQL_NAME, node->at, "unknown variable \"@%s\"", name->text);
        suggest_variable(r, name, e);
    }
}

static void resolve_variable(struct resolver *r, struct ast *node)
{
    int index = find_variable(r, &node->variable.name);
    if (index < 0)
        complain_variable(r, node);
    else
        node->variable.index = (uint32_t)index;
}

/* ---- paths ---- */

static bool add_name(struct resolver *r, const char *text, size_t len)
{
    struct path_names *names = &r->names;
    if (names->count == SQL_MAX_PATH_NAMES)
        return false;
    names->text[names->count] = text;
    names->len[names->count++] = (uint32_t)len;
    return true;
}

static bool is_slot(const struct ast *node)
{
    return node->ref == AST_REF_SLOT && (node->kind == AST_PATH || node->kind == AST_CALL);
}

/* Is it the payload, or a path into it? */
static bool is_payload_path(const struct ast *node)
{
    return (node->kind == AST_STAR && node->ref == AST_REF_PAYLOAD) || is_slot(node);
}

/* Begin with the names of what is_payload_path accepted, or none. */
static void begin_names(struct resolver *r, const struct ast *node)
{
    r->names.count = 0;
    if (!node || node->kind == AST_STAR)
        return;
    uint32_t slot = node->kind == AST_PATH ? node->path.slot : node->call.slot;
    const struct sql_path *path = sql_paths_at(r->in->paths, slot);
    for (uint32_t i = 0; i < path->count; i++)
        add_name(r, path->names[i], path->lens[i]);
}

static void complain_long_path(struct resolver *r, struct ast *node)
{
    errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, node->at, "a path of more than %d names", SQL_MAX_PATH_NAMES);
    node->kind = AST_ERROR;
}

/* The slot of the names put together; without one the node is in error. */
static uint16_t intern(struct resolver *r, struct ast *node, bool fits)
{
    if (!fits) {
        complain_long_path(r, node);
        return 0;
    }
    int slot = sql_paths_intern(r->in->paths, r->names.text, r->names.len, r->names.count);
    if (slot >= 0)
        return (uint16_t)slot;
    errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, node->at, "the rules read more than %d different paths",
             SQL_MAX_SLOTS);
    node->kind = AST_ERROR;
    return 0;
}

/* Names of the payload; base is NULL or accepted by is_payload_path. */
static void resolve_payload_path(struct resolver *r, struct ast *node, const struct ast *base)
{
    begin_names(r, base);
    bool fits = true;
    for (const struct ast_name *name = node->path.names; name && fits; name = name->next)
        fits = add_name(r, name->text, name->len);
    node->ref = AST_REF_SLOT;
    node->path.slot = intern(r, node, fits);
}

static void resolve_element_path(struct resolver *r, struct ast *node)
{
    const struct ast_name *as = r->scope->as;
    node->ref = AST_REF_ELEMENT;
    if (!node->path.base && as && same_name(node->path.names, as))
        node->path.skip = 1;
}

static void resolve_member(struct ast *node, const struct ast *base)
{
    node->ref = AST_REF_BASE;
    node->constant = base->constant;
}

static void resolve_path(struct resolver *r, struct ast *node)
{
    struct ast *base = node->path.base;
    if (base)
        resolve(r, base);
    if (base ? is_payload_path(base) : !r->scope)
        resolve_payload_path(r, node, base);
    else if (!base || (base->kind == AST_STAR && base->ref == AST_REF_ELEMENT))
        resolve_element_path(r, node);
    else
        resolve_member(node, base);
    if (node->kind == AST_PATH && node->path.count > SQL_MAX_PATH_NAMES)
        complain_long_path(r, node);
}

/* ---- functions ---- */

static const char *hint_elsewhere(const struct ast_name *name)
{
    for (size_t i = 0; i < ELSEWHERE_COUNT; i++) {
        const char *function = elsewhere[i].function;
        if (lex_is_word(name->text, name->len, elsewhere[i].name))
            return !function || sql_func_find(function, strlen(function)) >= 0 ? elsewhere[i].hint : NULL;
    }
    return NULL;
}

static const char *nearest_function(const struct ast_name *name)
{
    const char *words[FUNCTION_MAX + 1];
    uint32_t count = sql_func_count() < FUNCTION_MAX ? sql_func_count() : FUNCTION_MAX;
    for (uint32_t i = 0; i < count; i++)
        words[i] = sql_func_at(i)->name;
    words[count] = "cast";
    return nearest_word(name->text, name->len, words, count + 1);
}

static void complain_function(struct resolver *r, const struct ast_name *name)
{
    struct errs *errs = r->in->errs;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_SQL_NAME, name->at, "unknown function \"%s\"", name->text);
    if (!may_suggest(r, name->len))
        return;
    const char *hint = hint_elsewhere(name), *near = hint ? NULL : nearest_function(name);
    if (hint)
        err_hint(e, "%s", hint);
    else if (near)
        err_hint(e, "did you mean \"%s\"?", near);
}

static bool is_plain_name_string(const struct ast *node)
{
    return node->kind == AST_STRING && !num_is_numeric_string(node->literal.text, node->literal.len) &&
           !memchr(node->literal.text, '\0', node->literal.len);
}

/* get(*, 'my-key'): a path. */
static void resolve_get(struct resolver *r, struct ast *node)
{
    const struct ast *container = node->call.args, *key = container ? container->next : NULL;
    if (!key || key->next || !is_payload_path(container) || !is_plain_name_string(key))
        return;
    begin_names(r, container);
    bool fits = add_name(r, key->literal.text, key->literal.len);
    node->ref = AST_REF_SLOT;
    node->call.slot = intern(r, node, fits);
}

/* The role among the arguments, or NULL. */
static const struct ast *role_of(const struct ast *node, unsigned flags)
{
    const struct ast *arg = node->call.args;
    if (!arg || !(flags & (SQL_ROLE_SECOND | SQL_ROLE_LAST)))
        return NULL;
    if (flags & SQL_ROLE_SECOND)
        return arg->next;
    while (arg->next)
        arg = arg->next;
    return arg;
}

/* A call that asks the outside world. */
static void check_asking(struct resolver *r, const struct ast *node, const struct sql_func *func)
{
    const struct ast *role = role_of(node, func->flags);
    if (role && !role->constant && role->kind != AST_ERROR)
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_VALUE, role->at, "the role of %s() must be a constant", func->name);
    if (r->in_default)
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_VALUE, node->at,
                 "the default of get_or_default() may not fetch data from outside");
}

/* The arguments; the second one of get_or_default is told apart. */
static bool resolve_arguments(struct resolver *r, struct ast *first, unsigned flags)
{
    bool constant = true, outer = r->in_default;
    for (struct ast *arg = first; arg; arg = arg->next) {
        r->in_default = outer || ((flags & SQL_ABSORBS) && arg != first);
        resolve(r, arg);
        constant &= arg->constant;
    }
    r->in_default = outer;
    return constant;
}

/* decode(data, 'proto', …). If its second argument is only known at run time, it is one when there are further ones. */
static bool decodes_proto(const struct ast *node, const struct sql_func *func)
{
    const struct ast *scheme = node->call.args ? node->call.args->next : NULL;
    if (strcmp(func->name, "decode") != 0)
        return false;
    return node->call.count > 2 || (scheme && scheme->kind == AST_STRING && scheme->literal.len == 5 &&
                                    memcmp(scheme->literal.text, "proto", 5) == 0);
}

/* It asks, while decode() with base64 does not: so this is no flag of the row. */
static void check_proto(struct resolver *r, struct ast *node, const struct sql_func *func)
{
    node->constant = false;
    check_asking(r, node, func);
    if (!r->in_template)
        return;
    struct err *e = errs_add(r->in->errs, SEV_ERROR, ERR_SQL_VALUE, node->at,
                             "decode() of Protocol Buffers is not allowed in a template");
    err_hint(e, "assign it in the statement: SET @message = decode(…), and use ${@message.field} here");
}

static void resolve_call(struct resolver *r, struct ast *node)
{
    const struct ast_name *name = &node->call.name;
    int row = sql_func_find(name->text, name->len);
    const struct sql_func *func = row < 0 ? NULL : sql_func_at((uint32_t)row);
    bool constant = resolve_arguments(r, node->call.args, func ? func->flags : 0);
    if (!func) {
        complain_function(r, name);
        return;
    }
    if (!has_version(r, func->since)) {
        char what[64];
        snprintf(what, sizeof(what), "the function %s() is", name->text);
        complain_version(r, name->at, what, func->since);
    }
    if (node->call.count > SQL_MAX_ARGS)
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, node->at, "a call has at most %d arguments", SQL_MAX_ARGS);
    node->call.row = (uint16_t)row;
    node->constant = constant && (func->flags & SQL_PURE);
    if (func->flags & SQL_ASKS)
        check_asking(r, node, func);
    if (decodes_proto(node, func))
        check_proto(r, node, func);
    if (strcmp(func->name, "get") == 0)
        resolve_get(r, node);
}

static void resolve_cast(struct resolver *r, struct ast *node)
{
    const struct ast_name *name = &node->cast.type;
    resolve(r, node->cast.value);
    const struct sql_type *type = sql_type_find(name->text, name->len);
    if (!type) {
        struct err *e = errs_add(r->in->errs, SEV_ERROR, ERR_SQL_NAME, name->at, "unknown type \"%s\"", name->text);
        const char *near = may_suggest(r, name->len) ? sql_type_nearest(name->text, name->len) : NULL;
        if (near)
            err_hint(e, "did you mean \"%s\"?", near);
        else
            err_hint(e, "the types are String, Int, Double, Decimal and Boolean");
        return;
    }
    if (!has_version(r, type->since)) {
        char what[64];
        snprintf(what, sizeof(what), "the type %s is", sql_type_name(type->target));
        complain_version(r, name->at, what, type->since);
    }
    node->cast.target = (uint16_t)type->target;
    node->constant = node->cast.value->constant;
}

/* ---- queries ---- */

/* The last segment of a path, the name of a function; NULL for what has no name. */
static const struct ast_name *natural_name(const struct ast *node)
{
    const struct ast_name *name = NULL;
    switch (node->kind) {
    case AST_PATH:
        for (name = node->path.names; name && name->next; name = name->next)
            ;
        return name;
    case AST_VARIABLE:
        return &node->variable.name;
    case AST_CALL:
        return &node->call.name;
    case AST_CAST:
        return &node->cast.name;
    default:
        return NULL;
    }
}

static void name_item(struct resolver *r, struct ast_item *item, uint32_t position)
{
    const struct ast_name *natural = natural_name(item->expr);
    struct ast_name *name = arena_zalloc(r->in->arena, sizeof(*name));
    char made[16];
    snprintf(made, sizeof(made), "_%u", position);
    if (name && natural)
        *name = (struct ast_name) { .text = natural->text, .len = natural->len };
    else if (name)
        *name = (struct ast_name) { .text = arena_strndup(r->in->arena, made, strlen(made)),
                                    .len = (uint32_t)strlen(made) };
    if (!name || !name->text) {
        errs_add(r->in->errs, SEV_ERROR, ERR_MEMORY, item->expr->at, "no memory for the tree of the statement");
        return;
    }
    name->at = item->expr->at;
    item->alias = name;
    item->alias_count = 1;
    if (!natural && !r->in->broken) {
        struct err *e = errs_add(r->in->errs, SEV_WARNING, ERR_SQL_VALUE, item->expr->at,
                                 "this item has no name: its key will be \"%s\"", made);
        err_hint(e, "name it with AS");
    }
}

/* Is the only item the output itself: a bare `*` or object literal? */
static bool is_whole_output(const struct ast_query *q)
{
    const struct ast_item *item = q->items;
    return q->count == 1 && !item->aliased && (item->expr->kind == AST_STAR || item->expr->kind == AST_OBJECT);
}

static void resolve_items(struct resolver *r, struct ast_query *q)
{
    if (is_whole_output(q))
        q->is_value = true;
    uint32_t position = 0;
    for (struct ast_item *item = q->items; item; item = item->next, position++) {
        resolve(r, item->expr);
        bool named = item->aliased || q->is_value || item->expr->kind == AST_STAR || item->expr->kind == AST_ERROR;
        if (!named)
            name_item(r, item, position);
    }
}

static void resolve_query(struct resolver *r, struct ast_query *q)
{
    if (q->where)
        resolve(r, q->where);
    resolve_items(r, q);
}

static void resolve_nested(struct resolver *r, struct ast *node)
{
    struct ast_query *q = node->query;
    struct scope inner = { .as = q->as };
    enter_2016(r, node->at, "nested queries are");
    if (q->source)
        resolve(r, q->source);
    const struct scope *outer = r->scope;
    r->scope = &inner;
    resolve_query(r, q);
    r->scope = outer;
    r->refused--;
}

/* ---- the walk ---- */

static void resolve_choice(struct resolver *r, struct ast *node)
{
    resolve(r, node->choice.value);
    bool constant = node->choice.value->constant;
    constant &= resolve_list(r, node->choice.arms);
    constant &= resolve_list(r, node->choice.otherwise);
    node->constant = constant;
}

static void resolve_object(struct resolver *r, struct ast *node)
{
    enter_2016(r, node->at, "object literals are");
    node->constant = resolve_list(r, node->object.values);
    r->refused--;
}

static void resolve_array(struct resolver *r, struct ast *node)
{
    enter_2016(r, node->at, "array literals are");
    node->constant = resolve_list(r, node->list.items);
    r->refused--;
}

static void resolve(struct resolver *r, struct ast *node)
{
    switch ((enum ast_kind)node->kind) {
    case AST_NUMBER:
        resolve_number(r, node);
        break;
    case AST_STRING:
    case AST_TRUE:
    case AST_FALSE:
    case AST_NULL:
        node->constant = true;
        break;
    case AST_STAR:
        node->ref = r->scope ? AST_REF_ELEMENT : AST_REF_PAYLOAD;
        break;
    case AST_VARIABLE:
        resolve_variable(r, node);
        break;
    case AST_PATH:
        resolve_path(r, node);
        break;
    case AST_CALL:
        resolve_call(r, node);
        break;
    case AST_CAST:
        resolve_cast(r, node);
        break;
    case AST_CASE:
        resolve_choice(r, node);
        break;
    case AST_OBJECT:
        resolve_object(r, node);
        break;
    case AST_ARRAY:
        resolve_array(r, node);
        break;
    case AST_QUERY:
    case AST_EXISTS:
        resolve_nested(r, node);
        break;
    case AST_NEG:
    case AST_NOT:
        resolve(r, node->operand);
        node->constant = node->operand->constant;
        break;
    case AST_CHAIN:
        node->constant = resolve_list(r, node->list.items);
        break;
    case AST_ERROR:
    case AST_KIND_COUNT:
        break;
    }
}

/* ---- SET ---- */

static void check_set_name(struct resolver *r, const struct ast_set *set)
{
    if (set->name.len > SQL_MAX_SET_NAME)
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, set->name.at,
                 "the name of a variable has at most %d characters", SQL_MAX_SET_NAME);
    if (find_variable(r, &set->name) >= 0)
        errs_add(r->in->errs, SEV_ERROR, ERR_SQL_NAME, set->name.at, "the variable \"@%s\" is assigned twice",
                 set->name.text);
}

static void resolve_sets(struct resolver *r, struct ast_statement *st)
{
    r->sets = st->sets;
    r->too_many_sets = st->set_count > SQL_MAX_SETS;
    uint32_t position = 0;
    for (struct ast_set *set = st->sets; set; set = set->next, position++) {
        if (position == SQL_MAX_SETS)
            errs_add(r->in->errs, SEV_ERROR, ERR_SQL_LIMIT, set->name.at, "SET has at most %d variables", SQL_MAX_SETS);
        r->setting = set;
        resolve(r, set->value);
        r->setting = NULL;
        check_set_name(r, set);
        if (r->known_count < SQL_MAX_SETS)
            r->known[r->known_count++] = &set->name;
    }
}

void resolve_statement(const struct resolve_context *context, struct ast_statement *statement)
{
    struct resolver r = { .in = context };
    resolve_sets(&r, statement);
    resolve_query(&r, &statement->query);
}

void resolve_template(const struct resolve_context *context, struct ast *expr)
{
    struct resolver r = { .in = context, .in_template = true };
    for (uint32_t i = 0; i < context->variable_count; i++)
        r.known[r.known_count++] = &context->variables[i];
    resolve(&r, expr);
}
