/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: opening connections and finding the one of an action.
 *
 * A connection whose configuration is wrong stays in the list without a handle, so that the actions that name it
 * are not reported as naming nothing. The same holds for implicit targets: a wrong one is reported once, not once
 * per rule. */
#include "engine/flow/target.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 4096 /* of an implicit target */

void targets_init(struct targets *t, const struct action_type *const *types, const struct act_env *env)
{
    *t = (struct targets) { .types = types, .env = env };
}

static void target_free(struct target *target)
{
    if (target->handle)
        target->type->target_close(target->handle);
    free(target->name);
    free(target);
}

void targets_clear(struct targets *t)
{
    for (size_t i = 0; i < t->count; i++)
        target_free(t->items[i]);
    free(t->items);
    *t = (struct targets) { 0 };
}

const struct action_type *targets_type(const struct targets *t, const char *name)
{
    for (size_t i = 0; t->types[i]; i++) {
        if (strcmp(t->types[i]->name, name) == 0)
            return t->types[i];
    }
    return NULL;
}

static struct target *no_memory(struct errs *errs, struct span at)
{
    errs_add(errs, SEV_ERROR, ERR_MEMORY, at, "not enough memory to open the connection");
    return NULL;
}

/* Add a target that is not open yet. */
static struct target *push_target(struct targets *t, const struct action_type *type, const char *name)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 8;
        struct target **items = realloc(t->items, cap * sizeof(struct target *));
        if (!items)
            return NULL;
        t->items = items;
        t->cap = cap;
    }
    struct target *target = calloc(1, sizeof(*target));
    char *copy = strdup(name);
    if (!target || !copy) {
        free(target);
        free(copy);
        return NULL;
    }
    target->name = copy;
    target->type = type;
    t->items[t->count++] = target;
    return target;
}

/* ---- connections ---- */

/* The type whose connections have this kind, or NULL after an error at the kind. */
static const struct action_type *type_of_kind(const struct targets *t, const struct conf *kind, struct errs *errs)
{
    size_t count = 0, all = 0;
    while (t->types[all])
        all++;
    const char **kinds = malloc((all + 1) * sizeof(*kinds));
    for (size_t i = 0; i < all; i++) {
        const char *known = t->types[i]->connection_kind;
        if (!known)
            continue;
        if (strcmp(known, kind->text) == 0) {
            free(kinds);
            return t->types[i];
        }
        if (kinds)
            kinds[count++] = known;
    }
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_NAME, kind->at, "unknown kind of connection \"%.80s\"", kind->text);
    const char *near = nearest_word(kind->text, kind->len, kinds, count);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    free(kinds);
    return NULL;
}

/* "NAME: { KIND: { options } }"; the options may be absent. */
static bool check_connection(const struct conf *name, const struct conf *c, struct errs *errs)
{
    if (name->len == 0) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, name->at, "a connection needs a name");
        return false;
    }
    if (c->kind == CONF_MAP && c->count == 1)
        return true;
    if (c->unusable)
        return false;
    struct span at = c->kind == CONF_MAP && c->count > 1 ? c->keys[1]->at : c->at;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, at,
                             "connection \"%.80s\" must be a map with one member, its kind", name->text);
    err_hint(e, "For example: %.60s: { postgres: { conninfo: \"dbname=plant\" } }", name->text);
    return false;
}

static void open_connection(struct targets *t, const struct conf *name, const struct conf *c, struct errs *errs)
{
    struct target *target = push_target(t, NULL, name->text);
    if (!target)
        no_memory(errs, name->at);
    else if (check_connection(name, c, errs) && (target->type = type_of_kind(t, c->keys[0], errs)) != NULL)
        target->handle = target->type->target_open(conf_is_null(c->items[0]) ? NULL : c->items[0], t->env, errs);
}

int targets_open(struct targets *t, const struct conf *connections, const struct conf *default_mqtt, struct errs *errs)
{
    size_t errors = errs->errors;
    t->connections = connections;
    t->default_mqtt = default_mqtt;
    for (size_t i = 0; connections && i < connections->count; i++)
        open_connection(t, connections->keys[i], connections->items[i], errs);
    return errs->errors > errors ? -1 : 0;
}

/* ---- the target of an action ---- */

static struct target *find_target(const struct targets *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!t->items[i]->implicit && strcmp(t->items[i]->name, name) == 0)
            return t->items[i];
    }
    return NULL;
}

/* Names of the connections of a kind (NULL: any), for hints; at most max. */
static size_t connection_names(const struct targets *t, const char *kind, const char **names, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count && n < max; i++) {
        const struct target *target = t->items[i];
        if (target->implicit || (kind && !target->type))
            continue;
        if (!kind || strcmp(target->type->connection_kind, kind) == 0)
            names[n++] = target->name;
    }
    return n;
}

#define HINT_NAMES 4

/* What an action can do that lacks a connection, or names a wrong one. */
static void hint_connections(struct err *e, const struct targets *t, const struct action_type *type)
{
    const char *names[HINT_NAMES];
    struct buf list;
    buf_init(&list, sizeof(e->hint));
    size_t n = connection_names(t, type->connection_kind, names, HINT_NAMES);
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s\"%s\"", i ? ", " : "", names[i]);
    if (n && !list.failed)
        err_hint(e, "Connections of kind \"%s\": %s.", type->connection_kind, list.p);
    else
        err_hint(e, "Add one to sluice.yaml: connections: { NAME: { %s: { … } } }", type->connection_kind);
    buf_clear(&list);
}

static struct target *unknown_connection(const struct targets *t, const struct action_type *type,
                                         const struct conf *name, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_NAME, name->at, "unknown connection \"%.80s\"", name->text);
    const char **names = malloc((t->count + 1) * sizeof(*names));
    size_t n = names ? connection_names(t, NULL, names, t->count) : 0;
    const char *near = nearest_word(name->text, name->len, names, n);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    else
        hint_connections(e, t, type);
    free(names);
    return NULL;
}

/* The name of the connection, or NULL; *option: where it stands, which is ours, else the one that AWS has in its place. */
static const struct conf *connection_of(const struct action_type *type, const struct conf *action, const char **option)
{
    *option = "connection";
    const struct conf *name = conf_get(action, *option);
    if (type->connection_alias && (!name || conf_is_null(name))) {
        *option = type->connection_alias;
        name = conf_get(action, *option);
    }
    return name && !conf_is_null(name) ? name : NULL;
}

static struct target *named_target(const struct targets *t, const struct action_type *type, const char *option,
                                   const struct conf *name, struct errs *errs)
{
    if (name->kind != CONF_SCALAR) {
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, name->at, "\"%s\" must be the name of a connection, not a %s", option,
                 conf_kind_name(name));
        return NULL;
    }
    struct target *target = find_target(t, name->text);
    if (!target)
        return unknown_connection(t, type, name, errs);
    if (target->type && target->type != type) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_NAME, name->at,
                                 "connection \"%.80s\" is of kind \"%s\", %s needs \"%s\"", name->text,
                                 target->type->connection_kind, type->name, type->connection_kind);
        hint_connections(e, t, type);
        return NULL;
    }
    return target->handle ? target : NULL;
}

static struct target *implicit_target(struct targets *t, const struct action_type *type, const char *name,
                                      const struct conf *options, struct span at, struct errs *errs)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i]->implicit && t->items[i]->type == type && strcmp(t->items[i]->name, name) == 0)
            return t->items[i]->handle ? t->items[i] : NULL;
    }
    struct target *target = push_target(t, type, name);
    if (!target)
        return no_memory(errs, at);
    target->implicit = true;
    target->handle = type->target_open(options, t->env, errs);
    return target->handle ? target : NULL;
}

/* One of several implicit targets of the type. */
static struct target *own_target(struct targets *t, const struct action_type *type, const struct conf *action,
                                 struct errs *errs)
{
    struct buf name;
    buf_init(&name, NAME_MAX_BYTES);
    if (type->implicit_name)
        type->implicit_name(action, &name);
    bool has_name = name.len > 0 && !name.failed;
    struct target *target = implicit_target(t, type, has_name ? name.p : type->name, NULL, action->at, errs);
    buf_clear(&name);
    return target;
}

/* The connection of the type's kind if there is just one, else NULL. */
static struct target *only_target(const struct targets *t, const struct action_type *type)
{
    struct target *only = NULL;
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i]->implicit || t->items[i]->type != type)
            continue;
        if (only)
            return NULL;
        only = t->items[i];
    }
    return only;
}

static struct target *missing_connection(const struct targets *t, const struct action_type *type, struct span at,
                                         struct errs *errs)
{
    bool no_source = type->connection == ACT_CONNECTION_DEFAULT;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, at, "%s needs the option \"connection\"%s", type->name,
                             no_source ? ": there is no mqtt source whose broker it could use" : "");
    hint_connections(e, t, type);
    return NULL;
}

struct target *targets_for(struct targets *t, const struct action_type *type, const struct conf *action,
                           struct errs *errs)
{
    const char *option;
    const struct conf *name = connection_of(type, action, &option);
    if (type->connection == ACT_CONNECTION_NONE)
        return implicit_target(t, type, type->name, NULL, action->at, errs);
    if (name)
        return named_target(t, type, option, name, errs);
    if (type->connection == ACT_CONNECTION_OPTIONAL)
        return own_target(t, type, action, errs);
    if (type->connection == ACT_CONNECTION_ONLY && only_target(t, type))
        return only_target(t, type)->handle ? only_target(t, type) : NULL;
    if (type->connection == ACT_CONNECTION_DEFAULT && t->default_mqtt)
        return implicit_target(t, type, type->name, t->default_mqtt, action->at, errs);
    return missing_connection(t, type, action->at, errs);
}
