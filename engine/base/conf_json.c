/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration trees from JSON: the tape of our reader turned into nodes. */
#include "engine/base/conf_int.h"

#include "engine/base/json.h"

#define TAPE_MAX ((size_t)1 << 30) /* of one file's tape and unescaped strings */

struct json_reader {
    struct conf_build *b;
    const struct json_doc *doc;
    struct arena *scratch;
};

static struct conf *read_scalar(struct json_reader *r, uint32_t i, struct span at)
{
    const struct json_node *n = json_at(r->doc, i);
    const char *text = r->doc->text + n->off;
    size_t len = n->len;
    if (n->kind == JSON_STRING) {
        at.off--; /* the quotes belong to the value's place */
        at.len += 2;
        text = json_text(r->doc, i, r->scratch, &len);
        if (!text)
            return conf_build_no_room(r->b, at);
    }
    struct conf *c = conf_build_scalar(r->b, at, text, len);
    if (c)
        c->style = n->kind == JSON_STRING ? CONF_QUOTED : CONF_PLAIN;
    return c;
}

static struct conf *read_value(struct json_reader *r, uint32_t i, unsigned depth)
{
    const struct json_node *n = json_at(r->doc, i);
    struct span at = { .src = r->b->src, .off = n->off, .len = n->len };
    if (n->kind != JSON_ARRAY && n->kind != JSON_OBJECT)
        return read_scalar(r, i, at);
    bool map = n->kind == JSON_OBJECT;
    struct conf *c = conf_build_node(r->b, map ? CONF_MAP : CONF_LIST, at);
    if (!c)
        return NULL;
    if (depth >= CONF_MAX_DEPTH) {
        at.len = 1;
        errs_add(r->b->errs, SEV_ERROR, ERR_LIMIT, at, "nested deeper than %d levels", CONF_MAX_DEPTH);
        return c;
    }
    size_t mark = r->b->depth;
    for (uint32_t k = json_first(r->doc, i); k != json_end(r->doc, i); k = json_next(r->doc, i, k)) {
        for (uint32_t part = k; part <= k + map; part++) {
            struct conf *child = read_value(r, part, depth + 1);
            if (!child || conf_build_push(r->b, child) < 0)
                return NULL;
        }
    }
    return conf_build_close(r->b, c, mark) < 0 ? NULL : c;
}

struct conf *conf_read_json(struct conf_build *b)
{
    struct err e = { 0 };
    struct arena scratch;
    arena_init(&scratch, TAPE_MAX);
    struct conf *root = NULL;
    const struct json_doc *doc = json_parse(&scratch, b->src->text, b->src->len, b->src, &e);
    if (doc) {
        struct json_reader r = { .b = b, .doc = doc, .scratch = &scratch };
        root = read_value(&r, 0, 0);
    } else {
        errs_take(b->errs, &e);
    }
    arena_clear(&scratch);
    return root;
}
