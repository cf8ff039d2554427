/* SPDX-License-Identifier: Apache-2.0 */
/* The second walk: fields of messages and values of enums, which may refer to anything that was declared. Whatever the decoder relies on
 * (names that need no escapes, numbers that are unique, types that exist, map entries that are ones) is checked here. */
#include "sql/proto_descriptor_int.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of descriptor.proto. */
enum {
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOF = 8
};
enum { OPTIONS_MAP_ENTRY = 7 };
enum { FIELD_NAME = 1, FIELD_NUMBER = 3, FIELD_LABEL = 4, FIELD_TYPE = 5, FIELD_TYPE_NAME = 6, FIELD_ONEOF = 9 };
enum { ENUM_NAME = 1, ENUM_VALUE = 2 };
enum { VALUE_NAME = 1, VALUE_NUMBER = 2 };
enum { LABEL_OPTIONAL = 1, LABEL_REQUIRED = 2, LABEL_REPEATED = 3 };

/* --- enums --- */

static int read_value(struct proto_schema *s, const struct proto_enum *of, struct proto_enum_value *value,
                      struct proto_reader r)
{
    struct proto_record record;
    struct text name = { "", 0 };
    while (proto_next(&r, &record)) {
        if (record.number == VALUE_NAME && record.wire == PROTO_BYTES)
            name = proto_text_of(&record);
        else if (record.number == VALUE_NUMBER && record.wire == PROTO_VARINT)
            value->number = (int32_t)record.value;
        else if (proto_skip_record(s, &r, &record) < 0)
            return -1;
    }
    if (proto_at_end(s, &r) < 0 || proto_check_identifier(s, name, "a value", of->name) < 0)
        return -1;
    return proto_keep_name(s, &value->name, name);
}

/* Merging keeps the order of what has one number (qsort does not). */
static void sort_values(struct proto_enum_value *values, struct proto_enum_value *room, uint32_t count)
{
    for (size_t run = 1; run < count; run *= 2) {
        memcpy(room, values, count * sizeof(*room));
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t middle = from + run < count ? from + run : count, to = middle + run < count ? middle + run : count;
            size_t left = from, right = middle;
            for (size_t at = from; at < to; at++) {
                bool take_left = right == to || (left < middle && room[left].number <= room[right].number);
                values[at] = room[take_left ? left++ : right++];
            }
        }
    }
}

static uint32_t drop_aliases(struct proto_enum_value *values, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || values[kept - 1].number != values[i].number)
            values[kept++] = values[i];
    }
    return kept;
}

static uint32_t count_records(struct proto_reader r, uint32_t number)
{
    struct proto_record record;
    uint32_t count = 0;
    while (proto_next(&r, &record))
        count += record.number == number && record.wire == PROTO_BYTES;
    return count;
}

int proto_read_enum(struct proto_schema *s, const struct declared *d)
{
    struct proto_record record;
    struct proto_reader r = d->bytes;
    uint32_t room = count_records(r, ENUM_VALUE), count = 0;
    struct proto_enum_value *values = arena_array(&s->arena, 2 * (size_t)room, sizeof(*values));
    if (!values)
        return proto_out_of_memory(s);
    memset(values, 0, room * sizeof(*values));
    while (proto_next(&r, &record)) {
        bool is_value = record.number == ENUM_VALUE && record.wire == PROTO_BYTES;
        if (is_value ? read_value(s, d->of, &values[count++], proto_reader_inside(&r, &record)) < 0
                     : proto_skip_record(s, &r, &record) < 0)
            return -1;
    }
    if (proto_at_end(s, &r) < 0)
        return -1;
    if (count == 0)
        return err_set(s->e, ERR_REJECTED, "the enum \"%.*s\" has no values", proto_shown(strlen(d->name)), d->name);
    d->of->first = values[0].number;
    sort_values(values, values + room, count);
    d->of->values = values;
    d->of->count = drop_aliases(values, count);
    return 0;
}

/* --- messages --- */

/* A field as its descriptor has it. */
struct raw_field {
    struct text name, type_name;
    uint64_t number, label, type, oneof;
    bool in_oneof;
};

static int read_raw(struct proto_schema *s, struct raw_field *raw, struct proto_reader r)
{
    struct proto_record record;
    *raw = (struct raw_field) { .name = { "", 0 }, .type_name = { "", 0 } };
    while (proto_next(&r, &record)) {
        bool bytes = record.wire == PROTO_BYTES, number = record.wire == PROTO_VARINT;
        if (bytes && record.number == FIELD_NAME)
            raw->name = proto_text_of(&record);
        else if (bytes && record.number == FIELD_TYPE_NAME)
            raw->type_name = proto_text_of(&record);
        else if (number && record.number == FIELD_NUMBER)
            raw->number = record.value;
        else if (number && record.number == FIELD_LABEL)
            raw->label = record.value;
        else if (number && record.number == FIELD_TYPE)
            raw->type = record.value;
        else if (number && record.number == FIELD_ONEOF)
            raw->in_oneof = true, raw->oneof = record.value;
        else if (proto_skip_record(s, &r, &record) < 0)
            return -1;
    }
    return proto_at_end(s, &r);
}

static int wrong_field(struct proto_schema *s, const struct proto_message *m, struct text field, const char *what)
{
    return err_set(s->e, ERR_REJECTED, "the field \"%.*s\" of \"%.*s\" %s", proto_shown(field.len), field.s,
                   proto_shown(strlen(m->name)), m->name, what);
}

static int check_raw(struct proto_schema *s, const struct proto_message *m, const struct raw_field *raw,
                     uint32_t oneofs)
{
    if (proto_check_identifier(s, raw->name, "a field", m->name) < 0)
        return -1;
    if (raw->number < 1 || raw->number > PROTO_MAX_NUMBER)
        return wrong_field(s, m, raw->name, "has no number, or one that is out of range");
    if (raw->label < LABEL_OPTIONAL || raw->label > LABEL_REPEATED)
        return wrong_field(s, m, raw->name, "is neither optional nor required nor repeated");
    if (raw->type < PROTO_TYPE_DOUBLE || raw->type > PROTO_TYPE_SINT64)
        return wrong_field(s, m, raw->name, "has no type, or one that is not known");
    if (raw->in_oneof && (raw->oneof >= oneofs || raw->label == LABEL_REPEATED))
        return wrong_field(s, m, raw->name, "is in a oneof that it cannot be in");
    return 0;
}

static bool is_message_type(unsigned type)
{
    return type == PROTO_TYPE_MESSAGE || type == PROTO_TYPE_GROUP;
}

/* The message or enum that the field is of. */
static int bind_type(struct proto_schema *s, const struct proto_message *m, struct proto_field *field,
                     const struct raw_field *raw)
{
    struct text name = raw->type_name;
    bool is_message = is_message_type(field->type);
    if (!is_message && field->type != PROTO_TYPE_ENUM)
        return 0;
    if (name.len < 2 || name.s[0] != '.')
        return wrong_field(s, m, raw->name, "has a type without its full name");
    name = (struct text) { name.s + 1, name.len - 1 };
    const struct declared *d = proto_find_declared(s, (struct text) { "", 0 }, name);
    if (d && is_message && d->message) {
        field->message = d->message;
        return 0;
    }
    if (d && !is_message && d->of) {
        field->of = d->of;
        return 0;
    }
    wrong_field(s, m, raw->name, "is of a type that the descriptor set does not hold");
    if (proto_is_package(name))
        err_hint(s->e, "it is \"%.*s\": make the set with protoc --include_imports", proto_shown(name.len), name.s);
    return -1;
}

static int make_field(struct proto_schema *s, const struct declared *d, struct proto_field *field,
                      const struct raw_field *raw)
{
    *field = (struct proto_field) {
        .number = (uint32_t)raw->number,
        .type = (uint8_t)raw->type,
        .repeated = raw->label == LABEL_REPEATED,
        .required = raw->label == LABEL_REQUIRED,
    };
    field->implicit = d->file->proto3 && !field->repeated && !raw->in_oneof && !is_message_type(field->type);
    return proto_keep_name(s, &field->name, raw->name) < 0 ? -1 : bind_type(s, d->message, field, raw);
}

static int compare_numbers(const void *x, const void *y)
{
    const struct proto_field *a = x, *b = y;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_field_names(const void *x, const void *y)
{
    const struct proto_field *const *a = x, *const *b = y;
    return strcmp((*a)->name.text, (*b)->name.text);
}

static int check_unique(struct proto_schema *s, const struct proto_message *m)
{
    const struct proto_field **by_name = calloc(m->field_count + 1, sizeof(const struct proto_field *));
    int rc = by_name ? 0 : proto_out_of_memory(s);
    for (uint32_t i = 0; by_name && i < m->field_count; i++) {
        const struct proto_field *field = by_name[i] = &m->fields[i];
        if (i > 0 && field->number == field[-1].number)
            rc = wrong_field(s, m, (struct text) { field->name.text, field->name.n }, "has the number of another");
    }
    if (by_name)
        qsort(by_name, m->field_count, sizeof(by_name[0]), compare_field_names);
    for (uint32_t i = 1; rc == 0 && i < m->field_count; i++) {
        if (compare_field_names(&by_name[i - 1], &by_name[i]) == 0)
            rc = wrong_field(s, m, (struct text) { by_name[i]->name.text, by_name[i]->name.n }, "is there twice");
    }
    free(by_name);
    return rc;
}

static bool may_be_key(unsigned type)
{
    return type != PROTO_TYPE_DOUBLE && type != PROTO_TYPE_FLOAT && type != PROTO_TYPE_BYTES &&
           type != PROTO_TYPE_ENUM && !is_message_type(type);
}

static int check_map_entry(struct proto_schema *s, const struct proto_message *m)
{
    const struct proto_field *key = m->fields, *value = m->fields + 1;
    if (!m->is_map_entry)
        return 0;
    if (m->field_count == 2 && key->number == 1 && value->number == 2 && may_be_key(key->type) && !key->repeated &&
        !value->repeated && key->slot != value->slot)
        return 0;
    return err_set(s->e, ERR_REJECTED, "\"%.*s\" is no entry of a map, although it says so",
                   proto_shown(strlen(m->name)), m->name);
}

static bool says_map_entry(struct proto_reader r)
{
    struct proto_record record;
    uint64_t is = 0;
    while (proto_next(&r, &record)) {
        if (record.number == OPTIONS_MAP_ENTRY && record.wire == PROTO_VARINT)
            is = record.value;
    }
    return is != 0;
}

/* The records of a message's descriptor. Slots: those of the oneofs come first. */
static int read_records(struct proto_schema *s, const struct declared *d, struct proto_field *fields, uint32_t oneofs)
{
    struct proto_message *m = d->message;
    struct proto_reader r = d->bytes;
    struct proto_record record;
    struct raw_field raw;
    while (proto_next(&r, &record)) {
        struct proto_reader inside = proto_reader_inside(&r, &record);
        if (record.wire == PROTO_BYTES && record.number == MESSAGE_OPTIONS)
            m->is_map_entry = says_map_entry(inside);
        if (record.wire != PROTO_BYTES || record.number != MESSAGE_FIELD) {
            if (proto_skip_record(s, &r, &record) < 0)
                return -1;
            continue;
        }
        struct proto_field *field = &fields[m->field_count++];
        if (read_raw(s, &raw, inside) < 0 || check_raw(s, m, &raw, oneofs) < 0 || make_field(s, d, field, &raw) < 0)
            return -1;
        field->slot = (uint16_t)(raw.in_oneof ? raw.oneof : m->slot_count++);
        m->required_count += field->required;
    }
    return proto_at_end(s, &r);
}

int proto_read_message(struct proto_schema *s, const struct declared *d)
{
    struct proto_message *m = d->message;
    uint32_t count = count_records(d->bytes, MESSAGE_FIELD), oneofs = count_records(d->bytes, MESSAGE_ONEOF);
    struct proto_field *fields = arena_array(&s->arena, count, sizeof(*fields));
    if (!fields)
        return proto_out_of_memory(s);
    m->fields = fields;
    m->slot_count = oneofs;
    if (read_records(s, d, fields, oneofs) < 0)
        return -1;
    qsort(fields, m->field_count, sizeof(*fields), compare_numbers);
    return check_unique(s, m) < 0 ? -1 : check_map_entry(s, m);
}
