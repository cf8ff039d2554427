/* SPDX-License-Identifier: Apache-2.0 */
/* Both forms end in one function, which looks up the name and takes the value once. Whatever could be read in two ways is refused: the
 * broker's reader and ours must not see different clients in one body. */
#include "engine/admin/auth_request.h"

#include <string.h>

#include "engine/base/json.h"
#include "engine/base/utf8.h"

#define ARENA_MAX ((size_t)4 << 20) /* a tape of 64 KiB of text, and the texts */

static const char *const names[] = {
    [AUTH_CLIENT] = "clientid", [AUTH_USER] = "username", [AUTH_PASSWORD] = "password",
    [AUTH_PEER] = "peerhost",   [AUTH_TOPIC] = "topic",   [AUTH_ACTION] = "action",
    [AUTH_RETAIN] = "retain",   [AUTH_ACC] = "acc",       [AUTH_COMMON_NAME] = "cert_common_name",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == AUTH_FIELD_COUNT, "a name for each field");

/* AUTH_FIELD_COUNT: none of ours. */
static size_t field_of(const char *name, size_t len)
{
    size_t i = 0;
    while (i < AUTH_FIELD_COUNT && (strlen(names[i]) != len || memcmp(names[i], name, len) != 0))
        i++;
    return i;
}

static int take(struct auth_request *q, size_t field, const char *value, size_t len, struct err *e)
{
    if (q->fields[field].p)
        return err_set(e, ERR_CONF_KEY, "\"%s\" is given twice", names[field]);
    if (field != AUTH_PASSWORD && (memchr(value, '\0', len) || !utf8_is_valid(value, len)))
        return err_set(e, ERR_CONF_VALUE, "\"%s\" is not text", names[field]);
    char *copy = arena_strndup(&q->arena, value, len);
    if (!copy)
        return err_set(e, ERR_MEMORY, "not enough memory");
    q->fields[field] = (struct auth_text) { .p = copy, .len = len };
    return 0;
}

/* --- JSON --- */

static int take_member(struct auth_request *q, const struct json_doc *doc, size_t field, uint32_t value, struct err *e)
{
    const struct json_node *node = json_at(doc, value);
    size_t len = node->len;
    const char *text = doc->text + node->off;
    if (node->kind == JSON_NULL)
        return 0;
    if (node->kind == JSON_ARRAY || node->kind == JSON_OBJECT)
        return err_set(e, ERR_CONF_TYPE, "\"%s\" must be a text", names[field]);
    if (node->kind == JSON_STRING)
        text = json_text(doc, value, &q->arena, &len);
    if (!text)
        return err_set(e, ERR_MEMORY, "not enough memory");
    return take(q, field, text, len, e);
}

static int read_json(struct auth_request *q, const char *body, size_t len, struct err *e)
{
    const struct json_doc *doc = json_parse(&q->arena, body, len, NULL, e);
    if (!doc)
        return -1;
    if (json_at(doc, 0)->kind != JSON_OBJECT)
        return err_set(e, ERR_CONF_TYPE, "the body must be an object");
    if (json_at(doc, 0)->flags & JSON_DUPLICATE)
        return err_set(e, ERR_CONF_KEY, "a member is given twice");
    for (uint32_t k = json_first(doc, 0); k != json_end(doc, 0); k = json_next(doc, 0, k)) {
        size_t name_len;
        const char *name = json_text(doc, k, &q->arena, &name_len);
        size_t field = name ? field_of(name, name_len) : AUTH_FIELD_COUNT;
        if (!name)
            return err_set(e, ERR_MEMORY, "not enough memory");
        if (field < AUTH_FIELD_COUNT && take_member(q, doc, field, k + 1, e) < 0)
            return -1;
    }
    return 0;
}

/* --- forms --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "+" is a space, %41 a byte. Returns the length, or -1. */
static long decode(char *out, const char *in, size_t len, struct err *e)
{
    char *to = out;
    for (size_t i = 0; i < len; i++) {
        if (in[i] != '%') {
            *to++ = in[i];
            if (in[i] == '+')
                to[-1] = ' ';
            continue;
        }
        int high = len - i > 2 ? hex_digit(in[i + 1]) : -1, low = high >= 0 ? hex_digit(in[i + 2]) : -1;
        if (low < 0)
            return err_set(e, ERR_CONF_VALUE, "a %% of the form is not followed by two hexadecimal digits");
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    return to - out;
}

static int take_pair(struct auth_request *q, const char *pair, size_t len, struct err *e)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_size = equals ? (size_t)(equals - pair) : len, value_size = equals ? len - name_size - 1 : 0;
    char *name = arena_alloc(&q->arena, len + 1), *value = name ? name + name_size : NULL;
    if (!name)
        return err_set(e, ERR_MEMORY, "not enough memory");
    long name_len = decode(name, pair, name_size, e), value_len = decode(value, pair + len - value_size, value_size, e);
    if (name_len < 0 || value_len < 0)
        return -1;
    size_t field = field_of(name, (size_t)name_len);
    return field < AUTH_FIELD_COUNT ? take(q, field, value, (size_t)value_len, e) : 0;
}

static int read_form(struct auth_request *q, const char *body, size_t len, struct err *e)
{
    while (len > 0) {
        const char *end = memchr(body, '&', len);
        size_t pair = end ? (size_t)(end - body) : len, used = pair + (end ? 1 : 0);
        if (pair > 0 && take_pair(q, body, pair, e) < 0)
            return -1;
        body += used;
        len -= used;
    }
    return 0;
}

/* --- both --- */

void auth_request_init(struct auth_request *q)
{
    memset(q->fields, 0, sizeof(q->fields));
    arena_init(&q->arena, ARENA_MAX);
}

int auth_request_add(struct auth_request *q, const char *name, size_t name_len, const char *value, size_t len,
                     struct err *e)
{
    size_t field = field_of(name, name_len);
    return field < AUTH_FIELD_COUNT ? take(q, field, value ? value : "", len, e) : 0;
}

int auth_request_read(struct auth_request *q, bool is_form, const char *body, size_t len, struct err *e)
{
    return is_form ? read_form(q, body, len, e) : read_json(q, body, len, e);
}

void auth_request_clear(struct auth_request *q)
{
    arena_clear(&q->arena);
    memset(q->fields, 0, sizeof(q->fields));
}

bool auth_request_is(const struct auth_request *q, enum auth_field field, const char *text)
{
    const struct auth_text *f = &q->fields[field];
    return f->p && f->len == strlen(text) && memcmp(f->p, text, f->len) == 0;
}

bool auth_request_lacks(const struct auth_request *q, enum auth_field field)
{
    return q->fields[field].len == 0;
}
