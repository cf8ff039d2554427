/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration texts: each input is read as YAML and as JSON. What is read must be consistent: places lie inside the text,
 * parents hold their children, source texts that claim to fit do fit, the tree written as JSON reads back the same, and
 * every error can be printed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Every byte of a text that fits exactly must be the same byte in the file. */
static void check_text(const struct conf *c)
{
    struct src *src = conf_text_src(c);
    require(src != NULL && src->len == c->len);
    for (uint32_t i = 0; src->fit == SRC_EXACT && i < src->len && i < 200; i++) {
        struct src_place place = src_place_of(src, i);
        require(place.src == c->at.src && place.off <= place.src->len && place.line > 0 && place.column > 0);
        bool visible = strchr("\r\n", src->text[i]) == NULL;
        require(!visible || src->text[i] == place.src->text[place.off]);
    }
    src_unref(src);
}

static void check_tree(const struct conf *c, unsigned depth)
{
    require(depth <= CONF_MAX_DEPTH);
    require(c->at.src && c->at.off <= c->at.src->len && c->at.len <= c->at.src->len - c->at.off);
    if (c->kind == CONF_SCALAR) {
        require(c->text && c->text[c->len] == '\0' && c->count == 0);
        check_text(c);
    }
    for (size_t i = 0; i < c->count; i++) {
        require(c->items[i]->at.off >= c->at.off);
        if (c->kind == CONF_MAP)
            require(conf_get(c, c->keys[i]->text) || memchr(c->keys[i]->text, '\0', c->keys[i]->len));
        check_tree(c->items[i], depth + 1);
    }
}

static void check_round_trip(const struct conf *root)
{
    struct buf first, second;
    buf_init(&first, CONF_MAX_BYTES);
    buf_init(&second, CONF_MAX_BYTES);
    conf_write_json(&first, root);
    require(!first.failed);
    struct errs errs = { 0 };
    struct src *src = src_new("again", first.p, first.len);
    require(src != NULL);
    struct conf *again = conf_parse(src, true, &errs);
    require(again && errs.errors == 0);
    conf_write_json(&second, again);
    require(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
    conf_free(again);
    src_unref(src);
    errs_clear(&errs);
    buf_clear(&first);
    buf_clear(&second);
}

static void parse(const uint8_t *data, size_t size, bool json)
{
    struct errs errs = { 0 };
    struct buf out;
    struct src *src = src_new("fuzz", (const char *)data, size);
    require(src != NULL);
    struct conf *root = conf_parse(src, json, &errs);
    require((root == NULL) == (errs.errors > 0));
    if (root) {
        check_tree(root, 0);
        check_round_trip(root);
    }
    buf_init(&out, (size_t)4 << 20);
    errs_sort(&errs);
    errs_print(&errs, &out);
    require(!out.failed && (errs.count == 0 || out.len > 0));
    buf_clear(&out);
    conf_free(root);
    errs_clear(&errs);
    require(src->refs == 1);
    src_unref(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > (size_t)64 << 10)
        return 0;
    parse(data, size, false);
    parse(data, size, true);
    return 0;
}
