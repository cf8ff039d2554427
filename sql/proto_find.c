/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files, messages, fields and enum values, found in a schema. */
#include "sql/proto_descriptor_int.h"

#include <string.h>

#include "engine/base/utf8.h"

#define NEAREST_MAX   256 /* names that a hint is looked for among */
#define NEAREST_BYTES 64  /* of a name that is given a hint */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Does the file's name, with or without its extension, read so? */
static bool is_called(const char *name, struct text as)
{
    size_t len = strlen(name), bare = len > 6 && strcmp(name + len - 6, ".proto") == 0 ? len - 6 : len;
    return (as.len == len || as.len == bare) && memcmp(name, as.s, as.len) == 0;
}

static const struct file *find_file(const struct proto_schema *s, struct text name, bool *ambiguous)
{
    const struct file *found = NULL;
    *ambiguous = false;
    for (const struct file *file = s->files; file; file = file->next) {
        if (is_called(file->name.s, name))
            return file;
    }
    for (const struct file *file = s->files; file; file = file->next) {
        if (!is_called(base_name(file->name.s), name))
            continue;
        *ambiguous |= found != NULL;
        found = file;
    }
    return *ambiguous ? NULL : found;
}

static void complain_file(const struct proto_schema *s, struct text name, bool ambiguous, struct err *e)
{
    const char *words[NEAREST_MAX];
    size_t count = 0, printable = utf8_printable_prefix(name.s, name.len);
    if (ambiguous) {
        err_set(e, ERR_REJECTED, "several files of the descriptor set are called \"%.*s\"", proto_shown(printable),
                name.s);
        err_hint(e, "name it with its folder");
        return;
    }
    err_set(e, ERR_REJECTED, "the descriptor set has no file \"%.*s.proto\"", proto_shown(printable), name.s);
    for (const struct file *file = s->files; file && count < NEAREST_MAX; file = file->next)
        words[count++] = file->name.s;
    const char *near = name.len <= NEAREST_BYTES ? nearest_word(name.s, name.len, words, count) : NULL;
    if (near || count == 1)
        err_hint(e, "it has \"%.*s\"", proto_shown(strlen(near ? near : words[0])), near ? near : words[0]);
}

/* The name without the file's package. */
static const char *short_name(const struct declared *d)
{
    size_t package = d->file->package.len;
    return package ? d->name + package + 1 : d->name;
}

static const struct declared *find_type(const struct proto_schema *s, const struct file *file, struct text type)
{
    const struct declared *d = proto_find_declared(s, (struct text) { "", 0 }, type);
    if (!d || d->file != file || !d->message)
        d = proto_find_declared(s, file->package, type);
    return d && d->file == file && d->message ? d : NULL;
}

static void complain_type(const struct proto_schema *s, const struct file *file, struct text type, struct err *e)
{
    const char *words[NEAREST_MAX];
    size_t count = 0;
    err_set(e, ERR_REJECTED, "the file \"%.*s\" has no message \"%.*s\"", proto_shown(file->name.len), file->name.s,
            proto_shown(utf8_printable_prefix(type.s, type.len)), type.s);
    for (uint32_t i = 0; i < s->count && count < NEAREST_MAX; i++) {
        if (s->sorted[i]->file == file && s->sorted[i]->message && !s->sorted[i]->message->is_map_entry)
            words[count++] = short_name(s->sorted[i]);
    }
    const char *near = type.len <= NEAREST_BYTES ? nearest_word(type.s, type.len, words, count) : NULL;
    if (near || count == 1)
        err_hint(e, "it has \"%.*s\"", proto_shown(strlen(near ? near : words[0])), near ? near : words[0]);
}

const struct proto_message *proto_schema_find(const struct proto_schema *s, const char *file, size_t file_len,
                                              const char *type, size_t type_len, struct err *e)
{
    struct text file_name = { file, file_len }, type_name = { type, type_len };
    bool ambiguous;
    const struct file *in = find_file(s, file_name, &ambiguous);
    if (!in) {
        complain_file(s, file_name, ambiguous, e);
        return NULL;
    }
    if (type_len > 0 && type[0] == '.')
        type_name = (struct text) { type + 1, type_len - 1 };
    const struct declared *d = find_type(s, in, type_name);
    if (!d)
        complain_type(s, in, type_name, e);
    return d ? d->message : NULL;
}

const struct proto_field *proto_field_find(const struct proto_message *m, uint32_t number,
                                           const struct proto_field *near)
{
    uint32_t low = 0, high = m->field_count;
    if (near && near->number == number)
        return near;
    if (near && ++near < m->fields + m->field_count && near->number == number)
        return near;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct proto_field *field = &m->fields[middle];
        if (field->number == number)
            return field;
        if (field->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct proto_enum_value *proto_enum_find(const struct proto_enum *e, int32_t number)
{
    uint32_t low = 0, high = e->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct proto_enum_value *value = &e->values[middle];
        if (value->number == number)
            return value;
        if (value->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
