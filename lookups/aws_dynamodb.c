/* SPDX-License-Identifier: Apache-2.0 */
/* get_dynamodb: the GetItem operation of the DynamoDB API, with its typed values made plain ("AttributeValue", Amazon DynamoDB API
 * Reference). A key's value that is a number is an N, any other an S. */
#include <string.h>

#include "lookups/lookups_int.h"

enum { TABLE, KEY_NAME, KEY, SORT_NAME, SORT_KEY };

/* --- the request --- */

static void put_key(struct call *c, uint32_t name, struct buf *out)
{
    uint32_t value = json_element(c->args, 0, name + 1);
    const struct json_node *node = json_at(c->args, value);
    json_write(out, c->args, json_element(c->args, 0, name), JSON_STYLE_AS_IS);
    if (node->kind == JSON_STRING) {
        buf_puts(out, ":{\"S\":");
        json_write(out, c->args, value, JSON_STYLE_AS_IS);
    } else { /* numbers travel as text */
        buf_puts(out, ":{\"N\":\"");
        json_write(out, c->args, value, JSON_STYLE_AS_IS);
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
}

static int make(const struct lookups_conf *conf, struct call *c, struct err *e)
{
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    buf_puts(&body, "{\"TableName\":");
    json_write(&body, c->args, json_element(c->args, 0, TABLE), JSON_STYLE_AS_IS);
    buf_puts(&body, ",\"Key\":{");
    put_key(c, KEY_NAME, &body);
    if (json_at(c->args, 0)->count > SORT_KEY) {
        buf_putc(&body, ',');
        put_key(c, SORT_NAME, &body);
    }
    buf_puts(&body, "}}");
    int rc = call_json_request(c, &conf->services[AWS_DYNAMODB], "DynamoDB_20120810.GetItem", "1.0", &body, e);
    buf_clear(&body);
    return rc;
}

/* --- the reply --- */

/* What is being made plain: a walk by recursion, as deep as the reader lets a text be. */
struct plain {
    struct call *call;
    const struct json_doc *doc;
    struct buf *out;
    bool failed;
};

static void put_value(struct plain *p, uint32_t typed);

/* Members or elements between brackets, each made plain by `put`. */
static void put_all(struct plain *p, uint32_t node, void (*put)(struct plain *p, uint32_t node))
{
    bool is_object = json_at(p->doc, node)->kind == JSON_OBJECT, first = true;
    buf_putc(p->out, is_object ? '{' : '[');
    for (uint32_t k = json_first(p->doc, node); k != json_end(p->doc, node); k = json_next(p->doc, node, k)) {
        uint32_t value = is_object ? json_value_of(p->doc, k) : k;
        if (value == 0)
            continue;
        if (!first)
            buf_putc(p->out, ',');
        first = false;
        if (is_object) {
            json_write(p->out, p->doc, k, JSON_STYLE_AS_IS);
            buf_putc(p->out, ':');
        }
        put(p, value);
    }
    buf_putc(p->out, is_object ? '}' : ']');
}

/* Digits out of a text: what a JSON number may be. */
static void put_number(struct plain *p, uint32_t node)
{
    size_t len;
    struct err e = { 0 };
    const char *text =
        json_at(p->doc, node)->kind == JSON_STRING ? json_text(p->doc, node, &p->call->arena, &len) : NULL;
    const struct json_doc *number = text ? json_parse(&p->call->arena, text, len, NULL, &e) : NULL;
    enum json_kind kind = number ? (enum json_kind)json_at(number, 0)->kind : JSON_NULL;
    if (kind == JSON_INT || kind == JSON_DECIMAL)
        buf_put(p->out, text, len);
    else
        p->failed = true;
}

static void put_as_is(struct plain *p, uint32_t node)
{
    json_write(p->out, p->doc, node, JSON_STYLE_AS_IS);
}

static void put_null(struct plain *p, uint32_t node)
{
    (void)node;
    buf_puts(p->out, "null");
}

static void put_list(struct plain *p, uint32_t node)
{
    put_all(p, node, put_value);
}

static void put_numbers(struct plain *p, uint32_t node)
{
    put_all(p, node, put_number);
}

static const struct {
    const char *type;
    void (*put)(struct plain *p, uint32_t node);
} types[] = {
    { "S", put_as_is }, { "N", put_number }, { "BOOL", put_as_is }, { "NULL", put_null }, { "M", put_list },
    { "L", put_list },  { "SS", put_as_is }, { "NS", put_numbers }, { "B", put_as_is },   { "BS", put_as_is },
};

/* {"N":"12"} is 12. */
static void put_value(struct plain *p, uint32_t typed)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint32_t value = json_member(p->doc, typed, types[i].type, strlen(types[i].type));
        if (value) {
            types[i].put(p, value);
            return;
        }
    }
    p->failed = true;
}

static int read_reply(struct call *c, const struct http_answer *reply, struct buf *out, struct err *e)
{
    const struct json_doc *d = call_reply(c, reply, e);
    uint32_t item = d ? json_member(d, 0, "Item", 4) : 0;
    if (!d)
        return -1;
    if (!item) {
        buf_puts(out, "null");
        return 0;
    }
    struct plain p = { .call = c, .doc = d, .out = out };
    if (json_at(d, item)->kind == JSON_OBJECT)
        put_list(&p, item);
    else
        p.failed = true;
    if (p.failed)
        return err_set(e, ERR_REJECTED, "the reply holds a value of no type that is known");
    if (out->len > DYNAMODB_ITEM_MAX)
        return err_set(e, ERR_LIMIT, "the item has more than %zu bytes", DYNAMODB_ITEM_MAX);
    return 0;
}

const struct teller teller_dynamodb = {
    .function = "get_dynamodb",
    .option = "dynamodb",
    .min = 3,
    .max = 5,
    .service = AWS_DYNAMODB,
    .make = make,
    .read = read_reply,
};
