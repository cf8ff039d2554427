/* SPDX-License-Identifier: Apache-2.0 */
#include "json_opinion.h"

#include <string.h>

#include <jansson.h>

static const json_t *of(const struct opinion_value *v)
{
    return (const json_t *)(const void *)v;
}

static const struct opinion_value *to(const json_t *v)
{
    return (const struct opinion_value *)(const void *)v;
}

/* Did it stop at something that JSON allows? */
static bool is_own_limit(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_stack_overflow:
        return true;
    default: /* of escapes for surrogates it has no code */
        return strncmp(e->text, "invalid Unicode", 15) == 0;
    }
}

enum opinion opinion_read(const char *text, size_t len, struct opinion_value **root)
{
    json_error_t e;
    *root = NULL;
    if (memchr(text, '\0', len)) /* jansson ends a number at a NUL and is content; JSON has it nowhere */
        return OPINION_REFUSED;
    json_t *v = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    *root = (struct opinion_value *)(void *)v;
    if (v)
        return OPINION_ACCEPTED;
    return is_own_limit(&e) ? OPINION_NONE : OPINION_REFUSED;
}

void opinion_free(struct opinion_value *root)
{
    json_decref((json_t *)(void *)root);
}

enum opinion_kind opinion_kind_of(const struct opinion_value *v)
{
    switch (json_typeof(of(v))) {
    case JSON_OBJECT:
        return OPINION_OBJECT;
    case JSON_ARRAY:
        return OPINION_ARRAY;
    case JSON_STRING:
        return OPINION_STRING;
    case JSON_INTEGER:
        return OPINION_INT;
    case JSON_REAL:
        return OPINION_REAL;
    case JSON_TRUE:
        return OPINION_TRUE;
    case JSON_FALSE:
        return OPINION_FALSE;
    default:
        return OPINION_NULL;
    }
}

long long opinion_int(const struct opinion_value *v)
{
    return json_integer_value(of(v));
}

double opinion_real(const struct opinion_value *v)
{
    return json_real_value(of(v));
}

const char *opinion_string(const struct opinion_value *v, size_t *len)
{
    *len = json_string_length(of(v));
    return json_string_value(of(v));
}

size_t opinion_count(const struct opinion_value *v)
{
    return json_is_array(of(v)) ? json_array_size(of(v)) : json_object_size(of(v));
}

const struct opinion_value *opinion_element(const struct opinion_value *v, size_t i)
{
    return to(json_array_get(of(v), i));
}

const struct opinion_value *opinion_member(const struct opinion_value *v, const char *key, size_t len)
{
    return to(json_object_getn(of(v), key, len));
}
