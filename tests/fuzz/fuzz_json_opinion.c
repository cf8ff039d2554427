/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts, held against jansson: both accept or both refuse, and where both hold the value it is the same. Where
 * jansson stops at something that JSON allows there is nothing to compare. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "json_opinion.h"

#define ARENA_MAX  ((size_t)64 << 20)
#define NUMBER_MAX 4096 /* bytes of a number's text; jansson's own doubles come from strtod as well */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct both {
    const struct json_doc *doc;
    struct arena arena;
};

static void compare(struct both *b, uint32_t node, const struct opinion_value *v);

static void compare_number(const struct both *b, uint32_t node, const struct opinion_value *v)
{
    const struct json_node *n = json_at(b->doc, node);
    char text[NUMBER_MAX], *end = text;
    if (n->len >= sizeof(text))
        return;
    memcpy(text, b->doc->text + n->off, n->len);
    text[n->len] = '\0';
    if (n->kind == JSON_INT) {
        require(opinion_kind_of(v) == OPINION_INT && strtoll(text, &end, 10) == opinion_int(v));
    } else {
        double theirs = opinion_real(v), ours = strtod(text, &end);
        require(opinion_kind_of(v) == OPINION_REAL && memcmp(&theirs, &ours, sizeof(ours)) == 0);
    }
    require(*end == '\0');
}

static void compare_string(struct both *b, uint32_t node, const struct opinion_value *v)
{
    size_t len, other_len;
    require(opinion_kind_of(v) == OPINION_STRING);
    const char *text = json_text(b->doc, node, &b->arena, &len), *other = opinion_string(v, &other_len);
    require(text && len == other_len && memcmp(text, other, len) == 0);
}

static void compare_array(struct both *b, uint32_t node, const struct opinion_value *v)
{
    size_t i = 0;
    require(opinion_kind_of(v) == OPINION_ARRAY && json_at(b->doc, node)->count == opinion_count(v));
    for (uint32_t k = json_first(b->doc, node); k != json_end(b->doc, node); k = json_next(b->doc, node, k))
        compare(b, k, opinion_element(v, i++));
}

/* The last one of a name counts with both. */
static void compare_object(struct both *b, uint32_t node, const struct opinion_value *v)
{
    size_t names = 0, len;
    require(opinion_kind_of(v) == OPINION_OBJECT);
    for (uint32_t k = json_first(b->doc, node); k != json_end(b->doc, node); k = json_next(b->doc, node, k)) {
        uint32_t value = json_value_of(b->doc, k);
        if (!value)
            continue;
        const char *key = json_text(b->doc, k, &b->arena, &len);
        const struct opinion_value *member = key ? opinion_member(v, key, len) : NULL;
        require(member);
        compare(b, value, member);
        names++;
    }
    require(names == opinion_count(v));
}

static void compare(struct both *b, uint32_t node, const struct opinion_value *v)
{
    static const enum opinion_kind kinds[] = {
        [JSON_NULL] = OPINION_NULL, [JSON_FALSE] = OPINION_FALSE, [JSON_TRUE] = OPINION_TRUE
    };
    enum json_kind kind = json_at(b->doc, node)->kind;
    switch (kind) {
    case JSON_INT:
    case JSON_DECIMAL:
        compare_number(b, node, v);
        break;
    case JSON_STRING:
        compare_string(b, node, v);
        break;
    case JSON_ARRAY:
        compare_array(b, node, v);
        break;
    case JSON_OBJECT:
        compare_object(b, node, v);
        break;
    default:
        require(opinion_kind_of(v) == kinds[kind]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct both b = { 0 };
    struct opinion_value *root;
    arena_init(&b.arena, ARENA_MAX);
    b.doc = json_parse(&b.arena, (const char *)data, size, NULL, &e);
    enum opinion opinion = opinion_read((const char *)data, size, &root);
    if (opinion == OPINION_REFUSED)
        require(!b.doc);
    else if (opinion == OPINION_ACCEPTED)
        require(b.doc || e.code == ERR_LIMIT);
    if (root && b.doc)
        compare(&b, 0, root);
    opinion_free(root);
    arena_clear(&b.arena);
    return 0;
}
