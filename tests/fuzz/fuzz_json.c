/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts. What is read must be consistent: nodes lie inside their parents, repeated keys are found and marked, a
 * node is canonical in a style exactly if rewriting it changes nothing, and what is written reads back as the same
 * value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"

#define MAX_BYTES    ((size_t)16 << 10)
#define MAX_COMPARED 200 /* nodes and members that are compared one by one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct check {
    struct arena arena;
    struct buf plain, forced;
    const struct json_doc *doc;
    struct json_doc stripped; /* the same without canonical flags: always rewritten */
};

/* The bytes of a value as they stand in the text. */
static size_t value_text(const struct json_doc *d, uint32_t i, const char **text)
{
    const struct json_node *n = json_at(d, i);
    bool is_string = n->kind == JSON_STRING;
    *text = d->text + n->off - is_string;
    return n->len + 2 * (size_t)is_string;
}

static void check_place(const struct check *c, uint32_t i, uint32_t parent)
{
    const struct json_node *n = json_at(c->doc, i), *p = json_at(c->doc, parent);
    require(n->off >= p->off && n->off + n->len <= p->off + p->len);
    require(n->next > i && n->next <= p->next);
    require(n->kind == JSON_OBJECT || !(n->flags & JSON_DUPLICATE));
    require(n->kind == JSON_STRING || !(n->flags & JSON_ESCAPED));
}

static void check_array(struct check *c, uint32_t i)
{
    size_t count = 0;
    for (uint32_t k = json_first(c->doc, i); k != json_end(c->doc, i); k = json_next(c->doc, i, k)) {
        check_place(c, k, i);
        if (count < MAX_COMPARED)
            require(json_element(c->doc, i, count) == k);
        count++;
    }
    require(count == json_at(c->doc, i)->count && json_element(c->doc, i, count) == 0);
}

/* Each key leads to the last value of its name, from its first place only. */
static void check_object(struct check *c, uint32_t i)
{
    size_t count = 0, skipped = 0;
    for (uint32_t k = json_first(c->doc, i); k != json_end(c->doc, i); k = json_next(c->doc, i, k)) {
        require(json_at(c->doc, k)->kind == JSON_STRING);
        check_place(c, k + 1, i);
        uint32_t value = json_value_of(c->doc, k);
        skipped += value == 0;
        require(value == 0 || value > k);
        size_t len;
        if (count++ < MAX_COMPARED) {
            const char *key = json_text(c->doc, k, &c->arena, &len);
            require(key != NULL);
            uint32_t found = json_member(c->doc, i, key, len);
            require(found != 0 && (value == 0 || found == value) && found >= k + 1);
        }
    }
    require(count == json_at(c->doc, i)->count);
    require((skipped > 0) == ((json_at(c->doc, i)->flags & JSON_DUPLICATE) != 0));
}

/* No two keys that count are the same: looked at pair by pair. */
static void check_keys_differ(struct check *c, uint32_t i)
{
    size_t n = 0, len[MAX_COMPARED];
    const char *keys[MAX_COMPARED];
    for (uint32_t k = json_first(c->doc, i); k != json_end(c->doc, i) && n < MAX_COMPARED;
         k = json_next(c->doc, i, k)) {
        if (json_value_of(c->doc, k) == 0)
            continue;
        keys[n] = json_text(c->doc, k, &c->arena, &len[n]);
        require(keys[n] != NULL);
        for (size_t j = 0; j < n; j++)
            require(len[j] != len[n] || memcmp(keys[j], keys[n], len[n]) != 0);
        n++;
    }
}

static void check_style(struct check *c, uint32_t i, enum json_style style)
{
    const char *text;
    size_t len = value_text(c->doc, i, &text);
    buf_reset(&c->plain);
    buf_reset(&c->forced);
    json_write(&c->plain, c->doc, i, style);
    json_write(&c->forced, &c->stripped, i, style);
    require(!c->plain.failed && !c->forced.failed);
    require(c->plain.len == c->forced.len && memcmp(c->plain.p, c->forced.p, c->plain.len) == 0);
    bool same = c->plain.len == len && memcmp(c->plain.p, text, len) == 0;
    require(same == ((json_at(c->doc, i)->flags & 1u << style) != 0));
}

static void check_round_trip(struct check *c, enum json_style style)
{
    struct err e = { 0 };
    buf_reset(&c->plain);
    json_write(&c->plain, c->doc, 0, style);
    const struct json_doc *again = json_parse(&c->arena, c->plain.p, c->plain.len, NULL, &e);
    require(again != NULL && (json_at(again, 0)->flags & 1u << style) != 0);
    require(json_same(c->doc, 0, again, 0, 0) && json_same(again, 0, c->doc, 0, 0));
}

static void check_doc(struct check *c)
{
    struct json_node *nodes = arena_array(&c->arena, c->doc->count, sizeof(*nodes));
    require(nodes != NULL);
    for (uint32_t i = 0; i < c->doc->count; i++) {
        nodes[i] = c->doc->tape[i];
        nodes[i].flags &= (unsigned)(JSON_ESCAPED | JSON_DUPLICATE);
    }
    c->stripped = *c->doc;
    c->stripped.tape = nodes;
    require(json_at(c->doc, 0)->next == c->doc->count);
    for (uint32_t i = 0; i < c->doc->count; i++) {
        if (json_at(c->doc, i)->kind == JSON_ARRAY)
            check_array(c, i);
        if (json_at(c->doc, i)->kind == JSON_OBJECT) {
            check_object(c, i);
            check_keys_differ(c, i);
        }
    }
    for (enum json_style style = JSON_STYLE_2015; style <= JSON_STYLE_AS_IS; style++) {
        for (uint32_t i = 0; i < c->doc->count && i < MAX_COMPARED; i++)
            check_style(c, i, style);
        check_round_trip(c, style);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MAX_BYTES)
        return 0;
    struct check c;
    struct err e = { 0 };
    arena_init(&c.arena, (size_t)64 << 20);
    buf_init(&c.plain, 16 * MAX_BYTES);
    buf_init(&c.forced, 16 * MAX_BYTES);
    c.doc = json_parse(&c.arena, (const char *)data, size, NULL, &e);
    require((c.doc == NULL) == (e.code != ERR_NONE));
    if (c.doc)
        check_doc(&c);
    else
        require(e.at.off <= size && e.text[0] != '\0' && (e.code == ERR_JSON_SYNTAX || e.code == ERR_LIMIT));
    buf_clear(&c.plain);
    buf_clear(&c.forced);
    arena_clear(&c.arena);
    return 0;
}
