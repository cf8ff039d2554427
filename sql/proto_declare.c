/* SPDX-License-Identifier: Apache-2.0 */
/* The first walk through a descriptor set: every message and enum is declared under its full name. */
#include "sql/proto_descriptor_int.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"

/* Field numbers of descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SYNTAX = 12 };
enum {
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOF = 8
};

#define SHOWN_NAME_MAX 80 /* bytes of a name in an error */

/* --- what can be wrong --- */

int proto_shown(size_t len)
{
    return (int)(len < SHOWN_NAME_MAX ? len : SHOWN_NAME_MAX);
}

int proto_out_of_memory(struct proto_schema *s)
{
    if (s->arena.refused && arena_used(&s->arena) > PROTO_SCHEMA_MAX / 2)
        return err_set(s->e, ERR_LIMIT, "the descriptor set is too large: its tables take more than %zu bytes",
                       PROTO_SCHEMA_MAX);
    return err_set(s->e, ERR_MEMORY, "out of memory");
}

/* After the last record: was it the end? */
int proto_at_end(struct proto_schema *s, const struct proto_reader *r)
{
    if (!r->fault)
        return 0;
    return err_set(s->e, ERR_REJECTED, "this is no descriptor set: at byte %zu: %s", proto_offset(r), r->fault);
}

/* A record that is of no interest. */
int proto_skip_record(struct proto_schema *s, struct proto_reader *r, const struct proto_record *record)
{
    if (record->wire == PROTO_END)
        r->fault = "a group ends that did not begin";
    return r->fault ? proto_at_end(s, r) : proto_skip(r, record, 0) ? 0 : proto_at_end(s, r);
}

/* --- names --- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(struct text t)
{
    bool may_begin = true;
    for (size_t i = 0; i < t.len; i++) {
        bool digit = t.s[i] >= '0' && t.s[i] <= '9';
        if (!is_letter(t.s[i]) && (may_begin || !digit))
            return false;
        may_begin = false;
    }
    return t.len > 0;
}

/* Identifiers with dots between them, or nothing. */
bool proto_is_package(struct text t)
{
    for (size_t from = 0, i = 0; i <= t.len && t.len > 0; i++) {
        if (i < t.len && t.s[i] != '.')
            continue;
        if (!is_identifier((struct text) { t.s + from, i - from }))
            return false;
        from = i + 1;
    }
    return true;
}

struct text proto_text_of(const struct proto_record *record)
{
    return (struct text) { (const char *)record->bytes, record->len };
}

static int keep_text(struct proto_schema *s, struct text *kept, const struct proto_record *record)
{
    char *copy = arena_strndup(&s->arena, (const char *)record->bytes, record->len);
    *kept = (struct text) { copy, record->len };
    return copy ? 0 : proto_out_of_memory(s);
}

int proto_check_identifier(struct proto_schema *s, struct text name, const char *of, const char *where)
{
    if (is_identifier(name))
        return 0;
    return err_set(s->e, ERR_REJECTED, "the name of %s in \"%.*s\" is missing, or no identifier", of,
                   proto_shown(strlen(where)), where);
}

/* A name as the decoder gives it out. */
int proto_keep_name(struct proto_schema *s, struct val *name, struct text t)
{
    char *copy = arena_strndup(&s->arena, t.s, t.len);
    *name = val_string(copy, t.len);
    name->exp = 1;
    return copy ? 0 : proto_out_of_memory(s);
}

/* scope.name */
static const char *join_names(struct proto_schema *s, struct text scope, struct text name)
{
    size_t dot = scope.len > 0;
    char *full = arena_alloc(&s->arena, scope.len + dot + name.len + 1);
    if (!full)
        return NULL;
    memcpy(full, scope.s, scope.len);
    if (dot)
        full[scope.len] = '.';
    memcpy(full + scope.len + dot, name.s, name.len);
    full[scope.len + dot + name.len] = '\0';
    return full;
}

/* --- the first walk: declarations --- */

static struct text name_in(struct proto_reader r, uint32_t number)
{
    struct proto_record record;
    struct text name = { "", 0 };
    while (proto_next(&r, &record)) {
        if (record.number == number && record.wire == PROTO_BYTES)
            name = proto_text_of(&record);
    }
    return name;
}

/* A message or enum of the scope. */
static struct declared *declare(struct proto_schema *s, const struct file *file, struct text scope,
                                struct proto_reader bytes)
{
    struct text name = name_in(bytes, MESSAGE_NAME); /* that of enums has the same number */
    if (proto_check_identifier(s, name, "a message or enum", scope.len ? scope.s : file->name.s) < 0)
        return NULL;
    struct declared *d = arena_zalloc(&s->arena, sizeof(*d));
    const char *full = join_names(s, scope, name);
    if (!d || !full) {
        proto_out_of_memory(s);
        return NULL;
    }
    *d = (struct declared) { .name = full, .file = file, .bytes = bytes, .next = s->all };
    s->all = d;
    s->count++;
    return d;
}

static int declare_enum(struct proto_schema *s, const struct file *file, struct text scope, struct proto_reader bytes)
{
    struct declared *d = declare(s, file, scope, bytes);
    if (!d)
        return -1;
    d->of = arena_zalloc(&s->arena, sizeof(*d->of));
    if (!d->of)
        return proto_out_of_memory(s);
    d->of->name = d->name;
    return 0;
}

static int declare_message(struct proto_schema *s, const struct file *file, struct text scope,
                           struct proto_reader bytes);

static int declare_inner(struct proto_schema *s, const struct file *file, struct text scope, struct proto_reader r)
{
    struct proto_record record;
    while (proto_next(&r, &record)) {
        int rc = 0;
        if (record.wire == PROTO_BYTES && record.number == MESSAGE_NESTED)
            rc = declare_message(s, file, scope, proto_reader_inside(&r, &record));
        else if (record.wire == PROTO_BYTES && record.number == MESSAGE_ENUM)
            rc = declare_enum(s, file, scope, proto_reader_inside(&r, &record));
        else
            rc = proto_skip_record(s, &r, &record);
        if (rc < 0)
            return -1;
    }
    return proto_at_end(s, &r);
}

static int declare_message(struct proto_schema *s, const struct file *file, struct text scope,
                           struct proto_reader bytes)
{
    struct declared *d = declare(s, file, scope, bytes);
    if (!d)
        return -1;
    d->message = arena_zalloc(&s->arena, sizeof(*d->message));
    if (!d->message)
        return proto_out_of_memory(s);
    d->message->name = d->name;
    if (++s->depth > PROTO_MAX_DEPTH)
        return err_set(s->e, ERR_LIMIT, "messages are declared inside one another more than %d deep", PROTO_MAX_DEPTH);
    int rc = declare_inner(s, file, (struct text) { d->name, strlen(d->name) }, bytes);
    s->depth--;
    return rc;
}

static int check_file(struct proto_schema *s, const struct file *file, struct text syntax)
{
    struct text name = file->name;
    if (name.len == 0 || utf8_printable_prefix(name.s, name.len) != name.len)
        return err_set(s->e, ERR_REJECTED, "this is no descriptor set: a file has no name");
    if (!proto_is_package(file->package))
        return err_set(s->e, ERR_REJECTED, "the package of \"%.*s\" is not made of identifiers", proto_shown(name.len),
                       name.s);
    bool known = syntax.len == 0 || file->proto3 || (syntax.len == 6 && memcmp(syntax.s, "proto2", 6) == 0);
    if (known)
        return 0;
    err_set(s->e, ERR_REJECTED, "the file \"%.*s\" has a syntax that is not known: only proto2 and proto3 are",
            proto_shown(name.len), name.s);
    err_hint(s->e, "editions are not supported");
    return -1;
}

/* What the file says of itself. */
static int read_file(struct proto_schema *s, struct file *file, struct proto_reader r)
{
    struct proto_record record;
    struct text syntax = { "", 0 };
    file->name = file->package = syntax;
    while (proto_next(&r, &record)) {
        int rc = 0;
        if (record.wire != PROTO_BYTES)
            rc = proto_skip_record(s, &r, &record);
        else if (record.number == FILE_NAME)
            rc = keep_text(s, &file->name, &record);
        else if (record.number == FILE_PACKAGE)
            rc = keep_text(s, &file->package, &record);
        else if (record.number == FILE_SYNTAX)
            syntax = proto_text_of(&record);
        if (rc < 0)
            return -1;
    }
    file->proto3 = syntax.len == 6 && memcmp(syntax.s, "proto3", 6) == 0;
    return proto_at_end(s, &r) < 0 ? -1 : check_file(s, file, syntax);
}

static int declare_file(struct proto_schema *s, struct proto_reader r)
{
    struct proto_record record;
    struct file *file = arena_zalloc(&s->arena, sizeof(*file));
    if (!file)
        return proto_out_of_memory(s);
    if (read_file(s, file, r) < 0)
        return -1;
    file->next = s->files;
    s->files = file;
    while (proto_next(&r, &record)) {
        int rc = 0;
        if (record.wire == PROTO_BYTES && record.number == FILE_MESSAGE)
            rc = declare_message(s, file, file->package, proto_reader_inside(&r, &record));
        else if (record.wire == PROTO_BYTES && record.number == FILE_ENUM)
            rc = declare_enum(s, file, file->package, proto_reader_inside(&r, &record));
        else
            rc = proto_skip_record(s, &r, &record);
        if (rc < 0)
            return -1;
    }
    return proto_at_end(s, &r);
}

int proto_declare_set(struct proto_schema *s, struct proto_reader r)
{
    struct proto_record record;
    while (proto_next(&r, &record)) {
        if (record.number != SET_FILE || record.wire != PROTO_BYTES)
            return err_set(s->e, ERR_REJECTED, "this is no descriptor set: it holds something else than files");
        if (declare_file(s, proto_reader_inside(&r, &record)) < 0)
            return -1;
    }
    if (proto_at_end(s, &r) < 0)
        return -1;
    return s->files ? 0 : err_set(s->e, ERR_REJECTED, "the descriptor set is empty");
}

static int compare_declared(const void *x, const void *y)
{
    const struct declared *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

int proto_sort_declared(struct proto_schema *s)
{
    uint32_t i = 0;
    s->sorted = arena_array(&s->arena, s->count, sizeof(s->sorted[0]));
    if (!s->sorted)
        return proto_out_of_memory(s);
    for (const struct declared *d = s->all; d; d = d->next)
        s->sorted[i++] = d;
    qsort(s->sorted, s->count, sizeof(s->sorted[0]), compare_declared);
    for (i = 1; i < s->count; i++) {
        const char *name = s->sorted[i]->name;
        if (strcmp(name, s->sorted[i - 1]->name) == 0)
            return err_set(s->e, ERR_REJECTED, "\"%.*s\" is declared twice", proto_shown(strlen(name)), name);
    }
    return 0;
}

/* Order of a name that ends with NUL against one that holds none. */
static int compare_name(const char *name, struct text with)
{
    int order = with.len ? strncmp(name, with.s, with.len) : 0;
    return order ? order : name[with.len] != '\0';
}

/* The same for a package, which may be empty, and a name in it. */
static int compare_joined(const char *name, struct text package, struct text with)
{
    if (package.len == 0)
        return compare_name(name, with);
    int order = strncmp(name, package.s, package.len);
    if (order == 0)
        order = (unsigned char)name[package.len] - '.';
    return order ? order : compare_name(name + package.len + 1, with);
}

const struct declared *proto_find_declared(const struct proto_schema *s, struct text package, struct text name)
{
    uint32_t low = 0, high = s->count;
    if (memchr(name.s, '\0', name.len))
        return NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_joined(s->sorted[middle]->name, package, name);
        if (order == 0)
            return s->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
