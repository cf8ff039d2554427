/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays and Objects that a program builds. On the hot path: most rules end by building one Object.
 *
 * Items lie in the arena in one piece that doubles when it is full; `exp` of the value holds the binary logarithm of
 * its room. `SELECT *, f() AS k` is so common that the payload's members are not listed: the Object of the tape
 * stands at the front as one entry and is written by copying its bytes. It is listed member by member only when one
 * is replaced.
 *
 * Objects made by val_put_path for the inner names of `AS a.b` carry OWNED: they are in one place only and may grow
 * there. Any other Object found on the way may be shared (a SET variable, a part of another), so it is copied
 * before. */
#include "sql/value_int.h"

#include <string.h>

#define CAP_BITS  0xff
#define OWNED     0x100
#define FIRST_CAP 2 /* logarithm: 4 elements or members */

/* Make room for one more; width is the number of values per entry. */
static bool grow(struct val *v, size_t width, struct arena *a)
{
    unsigned log = (unsigned)v->exp & CAP_BITS;
    size_t cap = v->n ? (size_t)1 << log : 0;
    if (v->n < cap)
        return true;
    unsigned more = v->n ? log + 1 : FIRST_CAP;
    if (more > 31)
        return false;
    size_t entry = width * sizeof(struct val);
    struct val *items = arena_grow(a, v->n ? v->items : NULL, cap * entry, entry << more);
    if (!items)
        return false;
    v->items = items;
    v->exp = (int16_t)((v->exp & OWNED) | (int)more);
    return true;
}

/* As an item of something else a value is not owned by it. */
static struct val as_item(struct val v)
{
    if (v.kind == VAL_OBJECT && v.form == VAL_HERE)
        v.exp &= CAP_BITS;
    return v;
}

bool val_append(struct val *array, struct val item, struct arena *a)
{
    if (!grow(array, 1, a))
        return false;
    array->items[array->n++] = as_item(item);
    return true;
}

bool val_append_all(struct val *array, struct val source, enum sql_version version, struct arena *a)
{
    struct val_elements it = val_elements(source, version);
    struct val item;
    while (val_elements_next(&it, &item)) {
        if (!val_append(array, item, a))
            return false;
    }
    return true;
}

/* Add a pair whose name is known to be new. */
static struct val *add_pair(struct val *object, struct val key, struct val value, struct arena *a)
{
    if (!grow(object, 2, a))
        return NULL;
    struct val *pair = &object->items[2 * (size_t)object->n++];
    pair[0] = key;
    pair[1] = as_item(value);
    return &pair[1];
}

static bool has_base(const struct val *object)
{
    return object->n > 0 && object->items[0].kind == VAL_OBJECT;
}

static bool add_members(struct val *object, struct val source, enum sql_version version, struct arena *a)
{
    struct val_members it = val_members(source, version);
    while (val_members_next(&it, a)) {
        struct val key = val_string(it.key, it.key_len);
        key.exp = it.key_plain;
        if (!add_pair(object, key, it.value, a))
            return false;
    }
    return !a->refused;
}

/* List the members of the tape Object at the front. */
static bool expand_base(struct val *object, enum sql_version version, struct arena *a)
{
    struct val listed = val_object();
    listed.exp = object->exp & OWNED;
    if (!add_members(&listed, *object, version, a))
        return false;
    *object = listed;
    return true;
}

static struct val *find_pair(const struct val *object, const struct val *key)
{
    struct val *pair = object->items;
    for (uint32_t left = object->n; left > 0; left--, pair += 2) {
        if (pair->n == key->n && pair->kind == VAL_STRING && memcmp(pair->text, key->text, key->n) == 0)
            return &pair[1];
    }
    return NULL;
}

/* The place of a member's value; a new member is Undefined. NULL: the arena is full. */
static struct val *member_place(struct val *object, struct val key, enum sql_version version, struct arena *a)
{
    struct val *place = find_pair(object, &key);
    if (place)
        return place;
    if (has_base(object) && json_member(object->items[0].doc, object->items[0].n, key.text, key.n)) {
        if (!expand_base(object, version, a))
            return NULL;
        return find_pair(object, &key);
    }
    return add_pair(object, key, VAL_UNDEFINED_VALUE, a);
}

bool val_add(struct val *object, struct val key, struct val value, struct arena *a)
{
    return add_pair(object, key, value, a) != NULL;
}

bool val_put(struct val *object, struct val key, struct val value, enum sql_version version, struct arena *a)
{
    struct val *place = member_place(object, key, version, a);
    if (!place)
        return false;
    *place = as_item(value);
    return true;
}

/* Make what stands at an inner name an Object that may grow there. */
static bool make_owned(struct val *place, enum sql_version version, struct arena *a)
{
    if (place->kind == VAL_OBJECT && place->form == VAL_HERE && (place->exp & OWNED))
        return true;
    struct val owned = val_object();
    if (place->kind == VAL_OBJECT && !val_spread(&owned, *place, version, a))
        return false;
    owned.exp |= OWNED;
    *place = owned;
    return true;
}

bool val_put_path(struct val *object, struct val names, struct val value, enum sql_version version, struct arena *a)
{
    for (uint32_t i = 0; i + 1 < names.n; i++) {
        struct val *place = member_place(object, names.items[i], version, a);
        if (!place || !make_owned(place, version, a))
            return false;
        object = place;
    }
    return val_put(object, names.items[names.n - 1], value, version, a);
}

/* Into an Object that has members: those are indexed, so that the cost does not grow with the product of both. */
static bool merge_members(struct val *object, struct val source, enum sql_version version, struct arena *a)
{
    struct val_index index;
    if (has_base(object) && !expand_base(object, version, a))
        return false;
    if (!val_index_make(&index, *object, version, a))
        return false;
    struct val_members it = val_members(source, version);
    while (val_members_next(&it, a)) {
        const struct val_indexed *known = val_index_find(&index, it.key, it.key_len);
        struct val key = val_string(it.key, it.key_len);
        key.exp = it.key_plain;
        if (known)
            object->items[2 * (size_t)known->place + 1] = as_item(it.value);
        else if (!add_pair(object, key, it.value, a))
            return false;
    }
    return !a->refused;
}

bool val_spread(struct val *object, struct val source, enum sql_version version, struct arena *a)
{
    if (source.kind != VAL_OBJECT)
        return true;
    if (object->n > 0)
        return merge_members(object, source, version, a);
    if (source.form == VAL_TAPE)
        return json_first(source.doc, source.n) == json_end(source.doc, source.n) ||
               add_pair(object, source, VAL_UNDEFINED_VALUE, a);
    for (uint32_t i = 0; i < source.n; i++) {
        if (!add_pair(object, source.items[2 * (size_t)i], source.items[2 * (size_t)i + 1], a))
            return false;
    }
    return true;
}
