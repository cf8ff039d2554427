/* SPDX-License-Identifier: Apache-2.0 */
/* From records to an Object, in one pass.
 *
 * A message being read is a `struct pending`: an entry for every field that was met, in the order of meeting. It becomes
 * an Object only at its end, since until then a later record may replace an entry (last one wins; fields of a oneof
 * share an entry) or be merged into it (messages: their own pending is kept until then). Elements of repeated fields
 * and entries of maps are complete when they are read.
 *
 * Entries are found by their slot: by search while they are few, through a table once they are an eighth of the
 * message's slots. So neither a message with thousands of fields of which one is set takes memory for all of them, nor
 * does one with all of them set take the square of their number. */
#include "sql/proto_decode.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "sql/funcs_int.h"
#include "sql/proto_value.h"
#include "sql/proto_wire.h"
#include "sql/value_int.h"

#define FEW_ENTRIES    8   /* searched without a table in any message */
#define SHARE_OF_SLOTS 8   /* and up to this part of the slots */
#define PATH_SHOWN     120 /* bytes of a field's path in an error */

struct entry {
    const struct proto_field *field;
    struct pending *child; /* of a message that may be merged with a later one; else */
    struct val value;      /* a scalar; an Array; of a map the Object of all entries, those of one key too */
    bool is_default;
};

struct pending {
    const struct proto_message *type;
    struct entry *entries;
    uint32_t count, cap;
    uint32_t *places; /* number of a slot's entry + 1; or NULL */
    /* for errors: */
    const struct pending *parent;
    const struct proto_field *field; /* of the record being read */
};

struct decoder {
    enum sql_version version;
    struct arena *arena;
    struct err *e;
    size_t least; /* bytes that the output has at least */
    unsigned depth;
};

/* --- errors --- */

/* Where the record being read stands: a.b[2].c */
static void write_path(const struct pending *m, struct buf *out)
{
    if (m->parent)
        write_path(m->parent, out);
    if (!m->field || (m->parent && m->type->is_map_entry))
        return;
    if (out->len > 0)
        buf_putc(out, '.');
    buf_put(out, m->field->name.text, m->field->name.n);
    if (!m->field->repeated)
        return;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->entries[i].field == m->field)
            buf_printf(out, "[%u]", m->entries[i].value.n);
    }
}

static int refuse(struct decoder *d, const struct pending *m, const struct proto_reader *r, enum err_code code,
                  const char *why)
{
    char text[PATH_SHOWN + 1] = "";
    struct buf path = { .p = text, .cap = sizeof(text), .max = PATH_SHOWN };
    write_path(m, &path);
    if (text[0])
        return err_set(d->e, code, "at byte %zu, in \"%s%s\": %s", proto_offset(r), text, path.failed ? "…" : "", why);
    return err_set(d->e, code, "at byte %zu: %s", proto_offset(r), why);
}

static int refuse_read(struct decoder *d, const struct pending *m, const struct proto_reader *r)
{
    return refuse(d, m, r, ERR_REJECTED, r->fault);
}

static int out_of_memory(struct decoder *d)
{
    return err_set(d->e, ERR_MEMORY, "the message takes more memory than an evaluation has");
}

static int too_long(struct decoder *d)
{
    return err_set(d->e, ERR_LIMIT, "the message is longer than %zu bytes as JSON", PROTO_OUTPUT_MAX);
}

/* Count what an element adds to the output at the least. */
static int count_output(struct decoder *d, size_t bytes)
{
    d->least += bytes;
    return d->least > PROTO_OUTPUT_MAX ? too_long(d) : 0;
}

/* --- entries --- */

static bool fill_places(struct pending *m, struct arena *a)
{
    m->places = arena_array(a, m->type->slot_count, sizeof(m->places[0]));
    if (!m->places)
        return false;
    memset(m->places, 0, m->type->slot_count * sizeof(m->places[0]));
    for (uint32_t i = 0; i < m->count; i++)
        m->places[m->entries[i].field->slot] = i + 1;
    return true;
}

static struct entry *find_entry(const struct pending *m, uint32_t slot)
{
    if (m->places)
        return m->places[slot] ? &m->entries[m->places[slot] - 1] : NULL;
    for (uint32_t i = m->count; i-- > 0;) {
        if (m->entries[i].field->slot == slot)
            return &m->entries[i];
    }
    return NULL;
}

static struct entry *add_entry(struct pending *m, const struct proto_field *field, struct arena *a)
{
    if (m->count == m->cap) {
        uint32_t cap = m->cap ? 2 * m->cap : 4;
        m->entries = arena_grow(a, m->entries, m->cap * sizeof(m->entries[0]), cap * sizeof(m->entries[0]));
        if (!m->entries)
            return NULL;
        m->cap = cap;
    }
    struct entry *entry = &m->entries[m->count++];
    *entry = (struct entry) { .field = field };
    if (m->places)
        m->places[field->slot] = m->count;
    else if (m->count > FEW_ENTRIES && m->count > m->type->slot_count / SHARE_OF_SLOTS && !fill_places(m, a))
        return NULL;
    return entry;
}

/* The entry of a field, empty if there was none or one of another field of its oneof. NULL: the arena is full. */
static struct entry *entry_of(struct pending *m, const struct proto_field *field, struct arena *a)
{
    struct entry *entry = find_entry(m, field->slot);
    if (!entry)
        return add_entry(m, field, a);
    if (entry->field != field)
        *entry = (struct entry) { .field = field };
    return entry;
}

/* --- from entries to an Object --- */

static int finish(struct decoder *d, struct pending *m, const struct proto_reader *r, struct val *object);

static bool is_map(const struct proto_field *field)
{
    return field->repeated && (field->type == PROTO_TYPE_MESSAGE) && field->message->is_map_entry;
}

/* Of entries with one key the last one's value counts, in the first one's place. */
static bool unite_keys(struct val *map, enum sql_version version, struct arena *a)
{
    struct val_index index;
    if (!val_index_make(&index, *map, version, a))
        return false;
    for (uint32_t i = 0, next; i < index.count; i = next) {
        const struct val_indexed *first = &index.items[i], *last = first;
        for (next = i + 1; next < index.count; next++) {
            const struct val_indexed *same = &index.items[next];
            if (same->key_len != first->key_len || memcmp(same->key, first->key, first->key_len) != 0)
                break;
            last = same;
            map->items[2 * (size_t)same->place].kind = VAL_UNDEFINED;
        }
        map->items[2 * (size_t)first->place + 1] = last->value;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < map->n; i++) {
        if (map->items[2 * (size_t)i].kind == VAL_UNDEFINED)
            continue;
        memmove(&map->items[2 * (size_t)kept], &map->items[2 * (size_t)i], 2 * sizeof(struct val));
        kept++;
    }
    map->n = kept;
    return true;
}

static int finish_entry(struct decoder *d, struct entry *entry, const struct proto_reader *r, struct val *object)
{
    if (entry->field->implicit && entry->is_default)
        return 0;
    if (entry->child && finish(d, entry->child, r, &entry->value) < 0)
        return -1;
    if (is_map(entry->field) && !unite_keys(&entry->value, d->version, d->arena))
        return out_of_memory(d);
    return val_add(object, entry->field->name, entry->value, d->arena) ? 0 : out_of_memory(d);
}

/* Few, and in order already if the sender wrote them so. */
static void sort_entries(struct pending *m)
{
    for (uint32_t i = 1; i < m->count; i++) {
        struct entry entry = m->entries[i];
        uint32_t at = i;
        for (; at > 0 && m->entries[at - 1].field->number > entry.field->number; at--)
            m->entries[at] = m->entries[at - 1];
        m->entries[at] = entry;
    }
}

static int check_required(struct decoder *d, const struct pending *m, const struct proto_reader *r)
{
    uint32_t missing = m->type->required_count;
    for (uint32_t i = 0; missing > 0 && i < m->count; i++)
        missing -= m->entries[i].field->required;
    for (uint32_t i = 0; missing > 0 && i < m->type->field_count; i++) {
        const struct proto_field *field = &m->type->fields[i];
        struct pending at = *m;
        at.field = field;
        if (field->required && !find_entry(m, field->slot))
            return refuse(d, &at, r, ERR_REJECTED, "a required field is missing");
    }
    return 0;
}

static int finish(struct decoder *d, struct pending *m, const struct proto_reader *r, struct val *object)
{
    *object = val_object();
    if (check_required(d, m, r) < 0)
        return -1;
    if (!m->places)
        sort_entries(m);
    uint32_t count = m->places ? m->type->field_count : m->count;
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = m->places ? find_entry(m, m->type->fields[i].slot) : &m->entries[i];
        if (!entry || (m->places && entry->field != &m->type->fields[i]))
            continue;
        m->field = entry->field;
        if (finish_entry(d, entry, r, object) < 0)
            return -1;
    }
    m->field = NULL;
    return 0;
}

/* --- from records to entries --- */

static int read_message(struct decoder *d, struct pending *m, struct proto_reader *r, uint32_t group);

/* The records of a message or group that a record began. */
static int read_inner(struct decoder *d, struct pending *inner, struct proto_reader *r,
                      const struct proto_record *record)
{
    if (d->depth >= PROTO_MAX_DEPTH)
        return refuse(d, inner->parent, r, ERR_LIMIT, "messages are nested too deeply");
    d->depth++;
    struct proto_reader inside = proto_reader_inside(r, record);
    int rc =
        record->wire == PROTO_GROUP ? read_message(d, inner, r, record->number) : read_message(d, inner, &inside, 0);
    d->depth--;
    return rc;
}

/* A message that stands alone: merged with what was there. */
static int read_child(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    struct entry *entry = entry_of(m, m->field, d->arena);
    if (entry && !entry->child) {
        entry->child = arena_zalloc(d->arena, sizeof(*entry->child));
        if (entry->child)
            *entry->child = (struct pending) { .type = m->field->message, .parent = m };
    }
    return entry && entry->child ? read_inner(d, entry->child, r, record) : out_of_memory(d);
}

static int read_element(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    struct pending inner = { .type = m->field->message, .parent = m };
    struct val object;
    if (!entry_of(m, m->field, d->arena)) /* before its parts: the path of an error counts the elements so far */
        return out_of_memory(d);
    if (read_inner(d, &inner, r, record) < 0 || finish(d, &inner, r, &object) < 0 || count_output(d, 3) < 0)
        return -1;
    struct entry *entry = find_entry(m, m->field->slot);
    if (entry->value.kind == VAL_UNDEFINED)
        entry->value = val_array();
    return val_append(&entry->value, object, d->arena) ? 0 : out_of_memory(d);
}

/* What an entry of a map has where it does not say it. */
static int default_value(struct decoder *d, struct pending *m, const struct proto_field *field,
                         const struct proto_reader *r, struct val *value)
{
    struct pending empty = { .type = field->message, .parent = m };
    switch ((enum proto_type)field->type) {
    case PROTO_TYPE_MESSAGE:
    case PROTO_TYPE_GROUP:
        return finish(d, &empty, r, value);
    case PROTO_TYPE_STRING:
    case PROTO_TYPE_BYTES:
        *value = val_string("", 0);
        return 0;
    case PROTO_TYPE_ENUM:
        *value = proto_number(field, (uint32_t)field->of->first, d->version, d->arena);
        return 0;
    default:
        *value = proto_number(field, 0, d->version, d->arena);
        return 0;
    }
}

/* Key or value of an entry that was read. */
static int take_part(struct decoder *d, struct pending *m, uint32_t part, const struct proto_reader *r,
                     struct val *value)
{
    const struct proto_field *field = &m->type->fields[part];
    struct entry *entry = find_entry(m, field->slot);
    if (!entry)
        return default_value(d, m, field, r, value);
    if (entry->child)
        return finish(d, entry->child, r, value);
    *value = entry->value;
    return 0;
}

static int read_map_entry(struct decoder *d, struct pending *m, struct proto_reader *r,
                          const struct proto_record *record)
{
    struct pending inner = { .type = m->field->message, .parent = m };
    struct val key, value;
    if (!entry_of(m, m->field, d->arena))
        return out_of_memory(d);
    if (read_inner(d, &inner, r, record) < 0 || check_required(d, &inner, r) < 0 ||
        take_part(d, &inner, 0, r, &key) < 0 || take_part(d, &inner, 1, r, &value) < 0)
        return -1;
    struct entry *entry = find_entry(m, m->field->slot);
    bool is_text = key.kind == VAL_STRING;
    key = val_to_string(key, d->version, d->arena);
    if (!is_text)
        key.exp = 1;
    if (entry->value.kind == VAL_UNDEFINED)
        entry->value = val_object();
    return key.kind == VAL_STRING && val_add(&entry->value, key, value, d->arena) ? 0 : out_of_memory(d);
}

/* Is it a String as the language has them? */
static int take_text(struct decoder *d, const struct pending *m, const struct proto_reader *r,
                     const struct proto_record *record, struct val *value)
{
    const char *s = (const char *)record->bytes;
    size_t valid = utf8_valid_prefix(s, record->len);
    if (valid < record->len) {
        struct proto_reader at = *r;
        at.p = record->bytes + valid;
        return refuse(d, m, &at, ERR_REJECTED, "the text is not UTF-8");
    }
    *value = val_string(s, record->len);
    value->exp = json_is_plain(s, record->len);
    return 0;
}

static int take_scalar(struct decoder *d, const struct pending *m, const struct proto_reader *r,
                       const struct proto_record *record, struct entry *entry, struct val *value)
{
    enum proto_type type = (enum proto_type)m->field->type;
    if (record->wire == PROTO_BYTES) {
        entry->is_default = record->len == 0;
        if (type == PROTO_TYPE_STRING)
            return take_text(d, m, r, record, value);
        *value = sql_base64_text(record->bytes, record->len, d->arena);
    } else {
        uint64_t narrowed = proto_narrow(type, record->value);
        entry->is_default = narrowed == 0;
        *value = proto_number(m->field, narrowed, d->version, d->arena);
    }
    return val_is_undefined(*value) ? out_of_memory(d) : 0;
}

static int append(struct decoder *d, struct entry *entry, struct val value)
{
    size_t least = value.kind == VAL_STRING ? value.n + 3 : 2;
    if (value.kind == VAL_DECIMAL)
        least = 4; /* 0.5 */
    if (entry->value.kind == VAL_UNDEFINED)
        entry->value = val_array();
    if (count_output(d, least) < 0)
        return -1;
    return val_append(&entry->value, value, d->arena) ? 0 : out_of_memory(d);
}

static int read_scalar(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    struct val value;
    struct entry *entry = entry_of(m, m->field, d->arena);
    if (!entry)
        return out_of_memory(d);
    if (take_scalar(d, m, r, record, entry, &value) < 0)
        return -1;
    if (m->field->repeated)
        return append(d, entry, value);
    entry->value = value;
    return 0;
}

static int read_packed(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    struct proto_record one = { .wire = proto_wire_of((enum proto_type)m->field->type) };
    struct proto_reader inside = proto_reader_inside(r, record);
    while (proto_next_packed(&inside, one.wire, &one.value)) {
        if (read_scalar(d, m, &inside, &one) < 0)
            return -1;
    }
    return inside.fault ? refuse_read(d, m, &inside) : 0;
}

static bool may_be_packed(const struct proto_field *field)
{
    enum proto_wire wire = proto_wire_of((enum proto_type)field->type);
    return field->repeated && wire != PROTO_BYTES && wire != PROTO_GROUP;
}

static int read_unknown(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    m->field = NULL;
    return proto_skip(r, record, d->depth) ? 0 : refuse_read(d, m, r);
}

static int read_record(struct decoder *d, struct pending *m, struct proto_reader *r, const struct proto_record *record)
{
    const struct proto_field *field = m->field;
    if (!field)
        return read_unknown(d, m, r, record);
    if (record->wire != proto_wire_of((enum proto_type)field->type))
        return record->wire == PROTO_BYTES && may_be_packed(field) ? read_packed(d, m, r, record)
                                                                   : read_unknown(d, m, r, record);
    if (field->type != PROTO_TYPE_MESSAGE && field->type != PROTO_TYPE_GROUP)
        return read_scalar(d, m, r, record);
    if (!field->repeated)
        return read_child(d, m, r, record);
    return is_map(field) ? read_map_entry(d, m, r, record) : read_element(d, m, r, record);
}

/* All records of a message, or of a group up to its END. */
static int read_message(struct decoder *d, struct pending *m, struct proto_reader *r, uint32_t group)
{
    struct proto_record record;
    const struct proto_field *near = NULL;
    m->field = NULL;
    while (proto_next(r, &record)) {
        if (record.wire == PROTO_END && record.number == group)
            return 0;
        if (record.wire == PROTO_END)
            return refuse(d, m, r, ERR_REJECTED, "a group ends that did not begin");
        m->field = proto_field_find(m->type, record.number, near);
        if (m->field)
            near = m->field;
        if (read_record(d, m, r, &record) < 0)
            return -1;
        m->field = NULL;
    }
    if (r->fault)
        return refuse_read(d, m, r);
    return group ? refuse(d, m, r, ERR_REJECTED, "the bytes end inside a group") : 0;
}

/* --- the whole --- */

/* Is it short enough as JSON? */
static int check_length(struct decoder *d, struct val object)
{
    char *text = arena_alloc(d->arena, PROTO_OUTPUT_MAX + 1);
    struct buf out = { .p = text, .cap = PROTO_OUTPUT_MAX + 1, .max = PROTO_OUTPUT_MAX };
    if (!text)
        return out_of_memory(d);
    val_write_json(&out, object, d->version);
    return out.failed ? too_long(d) : 0;
}

int proto_decode(const struct proto_message *type, const void *bytes, size_t len, enum sql_version version,
                 struct arena *a, struct val *object, struct err *e)
{
    struct decoder d = { .version = version, .arena = a, .e = e };
    struct pending root = { .type = type };
    struct proto_reader r = proto_reader(len ? bytes : "", len);
    if (len > PROTO_INPUT_MAX)
        return err_set(e, ERR_LIMIT, "the message has %zu bytes, more than %zu", len, PROTO_INPUT_MAX);
    if (read_message(&d, &root, &r, 0) < 0 || finish(&d, &root, &r, object) < 0)
        return -1;
    return check_length(&d, *object);
}
