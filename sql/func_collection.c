/* SPDX-License-Identifier: Apache-2.0 */
/* Functions on collections, types and encodings (spec 3.3, 3.4). */
#include "sql/funcs_int.h"

#include <string.h>

#include "engine/base/base64.h"
#include "engine/base/json.h"
#include "engine/base/utf8.h"

/* --- get --- */

static void get_member(struct sql_call *c)
{
    struct sql_text key;
    if (c->args[1].kind == VAL_STRING && sql_arg_text(c, 1, &key))
        c->result = val_member(c->args[0], key.s, key.len, c->version, c->arena);
}

static void get_character(struct sql_call *c, size_t i)
{
    struct sql_text text;
    if (!sql_arg_text(c, 0, &text) || i >= text.len)
        return;
    size_t off = utf8_offset(text.s, text.len, i);
    sql_charge(c, off);
    if (off < text.len)
        c->result = sql_part(&text, off, utf8_step(text.s + off, text.len - off));
}

void fn_get(struct sql_call *c)
{
    int64_t i;
    if (c->args[0].kind == VAL_OBJECT) {
        get_member(c);
        return;
    }
    if (!sql_arg_i64(c, 1, &i) || i < 0)
        return;
    if (c->args[0].kind == VAL_ARRAY)
        c->result = val_element(c->args[0], (size_t)i, c->version);
    else if (c->args[0].kind == VAL_STRING)
        get_character(c, (size_t)i);
}

/* --- Null and Undefined --- */

void fn_isnull(struct sql_call *c)
{
    c->result = val_bool(c->args[0].kind == VAL_NULL);
}

void fn_isundefined(struct sql_call *c)
{
    c->result = val_bool(val_is_undefined(c->args[0]));
}

void fn_get_or_default(struct sql_call *c)
{
    bool has_value = c->args[0].kind != VAL_UNDEFINED && c->args[0].kind != VAL_NULL;
    if (has_value)
        c->result = c->args[0];
    else if (c->count == 2)
        c->result = c->args[1];
}

/* --- transform --- */

#define TRANSFORM_MAX_BYTES ((size_t)128 << 10) /* of the result as JSON (spec 3.3) */

#define TRANSFORM_STEPS 64 /* of an element, with few members */

/* The element's members, then those of the object. */
static bool enrich(struct sql_call *c, struct val element, struct val *enriched)
{
    *enriched = val_object();
    return element.kind == VAL_OBJECT && val_spread(enriched, element, c->version, c->arena) &&
           val_spread(enriched, c->args[1], c->version, c->arena);
}

/* The text is only made to be measured, element by element, so that no result much larger than the bound is built. */
static struct val enrich_array(struct sql_call *c)
{
    struct val element, enriched, all = val_array();
    char *room = arena_alloc(c->arena, TRANSFORM_MAX_BYTES + 1);
    if (!room)
        return VAL_UNDEFINED_VALUE;
    struct buf text = { .p = room, .cap = TRANSFORM_MAX_BYTES + 1, .max = TRANSFORM_MAX_BYTES };
    buf_putc(&text, '[');
    struct val_elements it = val_elements(c->args[2], c->version);
    while (val_elements_next(&it, &element)) {
        if (!enrich(c, element, &enriched) || !val_append(&all, enriched, c->arena))
            return VAL_UNDEFINED_VALUE;
        val_write_json(&text, enriched, c->version);
        sql_charge(c, TRANSFORM_STEPS);
        buf_putc(&text, ','); /* behind the last, the closing bracket */
        if (text.failed)
            return VAL_UNDEFINED_VALUE;
    }
    return all;
}

void fn_transform(struct sql_call *c)
{
    if (sql_arg_is(c, 0, "enrichArray") && c->args[1].kind == VAL_OBJECT && c->args[2].kind == VAL_ARRAY)
        c->result = enrich_array(c);
}

/* --- base64 --- */

void fn_encode(struct sql_call *c)
{
    struct sql_text text;
    if (!sql_arg_is(c, 1, "base64"))
        return;
    if (c->args[0].kind == VAL_BYTES)
        c->result = sql_base64_text(c->args[0].text, c->args[0].n, c->arena);
    else if (sql_arg_text(c, 0, &text))
        c->result = sql_base64_text(text.s, text.len, c->arena);
}

void fn_decode(struct sql_call *c)
{
    struct sql_text text;
    struct err e = { 0 };
    if (sql_arg_is(c, 1, "proto")) {
        sql_decode_proto(c);
        return;
    }
    if (c->count != 2 || !sql_arg_is(c, 1, "base64") || c->args[0].kind != VAL_STRING || !sql_arg_text(c, 0, &text))
        return;
    size_t size = text.len / 4 * 3;
    char *bytes = arena_alloc(c->arena, size + 1);
    if (!bytes)
        return;
    struct buf fixed = { .p = bytes, .cap = size + 1, .max = size };
    if (!base64_decode(&fixed, text.s, text.len)) {
        c->result = val_null();
        return;
    }
    sql_charge(c, fixed.len);
    const struct json_doc *doc = json_parse(c->arena, bytes, fixed.len, NULL, &e);
    c->result = doc ? val_from_node(doc, 0, c->version) : sql_text_of_bytes(bytes, fixed.len, c->arena);
}
