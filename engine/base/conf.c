/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration trees: building, looking up, and giving a scalar back as a source text. */
#include "engine/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/conf_int.h"
#include "engine/base/json.h"

/* --- building --- */

struct conf *conf_build_no_room(struct conf_build *b, struct span at)
{
    errs_add(b->errs, SEV_ERROR, ERR_MEMORY, at, "not enough memory for the rest of this file");
    return NULL;
}

struct conf *conf_build_node(struct conf_build *b, enum conf_kind kind, struct span at)
{
    struct conf *node = arena_zalloc(b->mem, sizeof(*node));
    if (!node)
        return conf_build_no_room(b, at);
    node->kind = kind;
    node->at = at;
    return node;
}

struct conf *conf_build_scalar(struct conf_build *b, struct span at, const char *text, size_t len)
{
    struct conf *node = conf_build_node(b, CONF_SCALAR, at);
    if (!node)
        return NULL;
    node->text = arena_strndup(b->mem, text, len);
    node->len = len;
    return node->text ? node : conf_build_no_room(b, at);
}

int conf_build_push(struct conf_build *b, struct conf *node)
{
    if (b->depth == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        struct conf **stack = realloc(b->stack, cap * sizeof(struct conf *));
        if (!stack) {
            conf_build_no_room(b, node->at);
            return -1;
        }
        b->stack = stack;
        b->cap = cap;
    }
    b->stack[b->depth++] = node;
    return 0;
}

static int text_compare(const struct conf *a, const struct conf *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->text, b->text, len) : 0;
    if (order == 0 && a->len != b->len)
        order = a->len < b->len ? -1 : 1;
    return order;
}

static int key_compare(const void *a, const void *b)
{
    const struct conf *x = *(struct conf *const *)a, *y = *(struct conf *const *)b;
    int order = text_compare(x, y);
    return order ? order : x->at.off < y->at.off ? -1 : x->at.off > y->at.off;
}

static void report_duplicate(struct conf_build *b, const struct conf *first, const struct conf *second)
{
    int len = second->len < 100 ? (int)second->len : 100;
    bool full = b->errs->count >= ERRS_MAX; /* finding the line is not free */
    struct err *e = errs_add(b->errs, SEV_ERROR, ERR_CONF_KEY, second->at, "duplicate key \"%.*s\"", len, second->text);
    if (!full)
        err_hint(e, "It is already given on line %u.", src_place_of(first->at.src, first->at.off).line);
}

/* Sorting keeps this fast for maps of any size. */
static int check_duplicates(struct conf_build *b, const struct conf *map)
{
    if (map->count < 2)
        return 0;
    struct conf **keys = malloc(map->count * sizeof(struct conf *));
    if (!keys) {
        conf_build_no_room(b, map->at);
        return -1;
    }
    memcpy(keys, map->keys, map->count * sizeof(struct conf *));
    qsort(keys, map->count, sizeof(struct conf *), key_compare);
    size_t first = 0;
    for (size_t i = 1; i < map->count; i++) {
        if (text_compare(keys[first], keys[i]) == 0)
            report_duplicate(b, keys[first], keys[i]);
        else
            first = i;
    }
    free(keys);
    return 0;
}

int conf_build_close(struct conf_build *b, struct conf *container, size_t depth)
{
    bool map = container->kind == CONF_MAP;
    size_t pushed = b->depth - depth;
    if (pushed == 0)
        return 0;
    struct conf **from = b->stack + depth, **to = arena_array(b->mem, pushed, sizeof(struct conf *));
    if (!to) {
        conf_build_no_room(b, container->at);
        return -1;
    }
    b->depth = depth;
    container->count = map ? pushed / 2 : pushed;
    container->items = to;
    if (!map) {
        memcpy(to, from, pushed * sizeof(struct conf *));
        return 0;
    }
    container->keys = to + container->count;
    for (size_t i = 0; i < container->count; i++) {
        container->keys[i] = from[2 * i];
        container->items[i] = from[2 * i + 1];
    }
    return check_duplicates(b, container);
}

/* --- parsing and loading --- */

static struct conf *parse(struct src *src, bool json, bool partly, struct errs *errs)
{
    if (src->len > CONF_MAX_BYTES) {
        errs_add(errs, SEV_ERROR, ERR_LIMIT, (struct span) { .src = src }, "a configuration file has at most %zu bytes",
                 CONF_MAX_BYTES);
        return NULL;
    }
    struct conf_tree *tree = calloc(1, sizeof(*tree));
    if (!tree) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { .src = src }, "not enough memory");
        return NULL;
    }
    arena_init(&tree->mem, CONF_MAX_MEMORY);
    size_t errors = errs->errors;
    struct conf_build b = { .mem = &tree->mem, .src = src, .errs = errs };
    struct conf *root = json ? conf_read_json(&b) : conf_read_yaml(&b);
    free(b.stack);
    if (!root || (!partly && errs->errors > errors)) {
        arena_clear(&tree->mem);
        free(tree);
        return NULL;
    }
    tree->root = *root;
    src_ref(src);
    return &tree->root;
}

struct conf *conf_parse(struct src *src, bool json, struct errs *errs)
{
    return parse(src, json, false, errs);
}

static int read_all(int fd, const char *path, size_t max, struct buf *out, struct err *e)
{
    const size_t piece = (size_t)64 << 10;
    size_t before = out->len;
    for (;;) {
        if (!buf_reserve(out, piece))
            return err_set(e, ERR_MEMORY, "not enough memory to read \"%s\"", path);
        ssize_t n = read(fd, out->p + out->len, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_IO, "could not read \"%s\": %s", path, strerror(errno));
        if (n == 0)
            break;
        out->len += (size_t)n;
        if (out->len - before > max)
            return err_set(e, ERR_LIMIT, "\"%s\" is too large: at most %zu bytes are read", path, max);
    }
    out->p[out->len] = '\0';
    return 0;
}

int conf_read_file(const char *path, size_t max, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, ERR_IO, "could not open \"%s\": %s", path, strerror(errno));
    int rc = read_all(fd, path, max, out, e);
    close(fd);
    return rc;
}

static bool name_is_json(const char *path)
{
    size_t len = strlen(path);
    return len >= 5 && strcmp(path + len - 5, ".json") == 0;
}

static struct conf *load(const char *path, bool partly, struct errs *errs)
{
    struct err e = { 0 };
    struct conf *root = NULL;
    struct src *src = NULL;
    struct buf text;
    buf_init(&text, CONF_MAX_BYTES + ((size_t)1 << 20));
    if (conf_read_file(path, CONF_MAX_BYTES, &text, &e) < 0)
        goto out;
    src = src_new(path, text.p, text.len);
    if (!src) {
        err_set(&e, ERR_MEMORY, "not enough memory to read \"%s\"", path);
        goto out;
    }
    root = parse(src, name_is_json(path), partly, errs);
out:
    if (e.code)
        errs_take(errs, &e);
    src_unref(src);
    buf_clear(&text);
    return root;
}

struct conf *conf_load(const char *path, struct errs *errs)
{
    return load(path, false, errs);
}

struct conf *conf_load_partly(const char *path, struct errs *errs)
{
    return load(path, true, errs);
}

void conf_free(struct conf *root)
{
    if (!root)
        return;
    struct conf_tree *tree = (struct conf_tree *)root;
    const struct src *src = root->at.src;
    arena_clear(&tree->mem);
    free(tree);
    src_unref(src);
}

/* --- looking up --- */

struct conf *conf_get(const struct conf *map, const char *name)
{
    if (!map || map->kind != CONF_MAP)
        return NULL;
    size_t len = strlen(name);
    for (size_t i = 0; i < map->count; i++) {
        if (map->keys[i]->len == len && memcmp(map->keys[i]->text, name, len) == 0)
            return map->items[i];
    }
    return NULL;
}

const char *conf_kind_name(const struct conf *c)
{
    return c->kind == CONF_MAP ? "map" : c->kind == CONF_LIST ? "list" : "text";
}

bool conf_is_null(const struct conf *c)
{
    if (c->kind != CONF_SCALAR || c->style != CONF_PLAIN)
        return false;
    return c->len == 0 || strcmp(c->text, "~") == 0 || strcmp(c->text, "null") == 0;
}

/* --- scalars as source texts --- */

/* The line of s that begins at *pos, without its line end; moves *pos behind it. False when there is none. */
static bool take_line(const char *s, size_t len, size_t *pos, const char **line, size_t *line_len)
{
    if (*pos > len)
        return false;
    const char *begin = s + *pos, *nl = memchr(begin, '\n', len - *pos);
    size_t n = nl ? (size_t)(nl - begin) : len - *pos;
    *pos += n + 1;
    *line = begin;
    *line_len = nl && n > 0 && begin[n - 1] == '\r' ? n - 1 : n;
    return true;
}

static bool all_spaces(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] != ' ')
            return false;
    }
    return true;
}

/* How a literal block lies in its file: offset of its first line's content, and the indentation. */
struct block_fit {
    size_t first, indent;
};

/* The indentation is what the first line with content has more in the file than in the value. */
static bool find_indent(const struct conf *c, size_t body, struct block_fit *fit)
{
    const struct src *file = c->at.src;
    const char *in, *out;
    size_t in_len, out_len, in_pos = 0, out_pos = body;
    while (take_line(c->text, c->len, &in_pos, &in, &in_len)) {
        if (!take_line(file->text, file->len, &out_pos, &out, &out_len))
            return false;
        if (in_len > 0) {
            fit->indent = out_len - in_len;
            return out_len >= in_len && all_spaces(out, fit->indent);
        }
    }
    return false;
}

/* Every line of the value must be a line of the file behind the indentation; blank lines may lack some of it. */
static bool fits_exactly(const struct conf *c, size_t body, size_t indent)
{
    const struct src *file = c->at.src;
    const char *in, *out;
    size_t in_len, out_len, in_pos = 0, out_pos = body;
    while (take_line(c->text, c->len, &in_pos, &in, &in_len)) {
        if (in_len == 0 && in_pos > c->len)
            return true; /* behind the last line end */
        if (!take_line(file->text, file->len, &out_pos, &out, &out_len))
            return false;
        bool blank = in_len == 0 && out_len <= indent && all_spaces(out, out_len);
        bool same = out_len == indent + in_len && all_spaces(out, indent) && memcmp(out + indent, in, in_len) == 0;
        if (!blank && !same)
            return false;
    }
    return true;
}

static bool fit_block(const struct conf *c, struct block_fit *fit)
{
    const struct src *file = c->at.src;
    size_t body = c->at.off;
    const char *line;
    size_t line_len;
    if (!take_line(file->text, file->len, &body, &line, &line_len)) /* the line of the indicator */
        return false;
    if (!find_indent(c, body, fit) || !fits_exactly(c, body, fit->indent))
        return false;
    size_t pos = body;
    take_line(file->text, file->len, &pos, &line, &line_len);
    fit->first = body + (fit->indent < line_len ? fit->indent : line_len);
    return true;
}

/* Does the value stand in the file as it is, `skip` bytes inside the scalar? */
static bool stands_as_is(const struct conf *c, size_t skip)
{
    return c->at.len == c->len + 2 * skip && memcmp(c->at.src->text + c->at.off + skip, c->text, c->len) == 0;
}

struct src *conf_text_src(const struct conf *scalar)
{
    struct span at = scalar->at;
    struct block_fit fit;
    if (scalar->style == CONF_LITERAL && fit_block(scalar, &fit)) {
        uint32_t skipped = (uint32_t)fit.first - at.off;
        at.off += skipped;
        at.len = at.len > skipped ? at.len - skipped : 0;
        return src_new_inner(scalar->text, scalar->len, at, SRC_EXACT, (uint32_t)fit.indent);
    }
    size_t skip = scalar->style == CONF_QUOTED ? 1 : 0;
    if (scalar->style <= CONF_QUOTED && stands_as_is(scalar, skip)) {
        at.off += (uint32_t)skip;
        at.len = (uint32_t)scalar->len;
        return src_new_inner(scalar->text, scalar->len, at, SRC_EXACT, 0);
    }
    return src_new_inner(scalar->text, scalar->len, at, SRC_INSIDE, 0);
}

/* --- writing --- */

static size_t digits_at(const char *s, size_t len, size_t i)
{
    size_t n = 0;
    while (i + n < len && s[i + n] >= '0' && s[i + n] <= '9')
        n++;
    return n;
}

/* RFC 8259 section 6: [-] int [frac] [exp]. */
static bool is_json_number(const char *s, size_t len)
{
    size_t i = len > 0 && s[0] == '-' ? 1 : 0;
    size_t n = digits_at(s, len, i);
    if (n == 0 || (n > 1 && s[i] == '0'))
        return false;
    i += n;
    if (i < len && s[i] == '.') {
        n = digits_at(s, len, i + 1);
        if (n == 0)
            return false;
        i += 1 + n;
    }
    if (i < len && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < len && (s[i] == '+' || s[i] == '-'))
            i++;
        n = digits_at(s, len, i);
        if (n == 0)
            return false;
        i += n;
    }
    return i == len;
}

const char *conf_plain_type(const struct conf *scalar)
{
    if (scalar->style != CONF_PLAIN)
        return NULL;
    if (strcmp(scalar->text, "true") == 0 || strcmp(scalar->text, "false") == 0)
        return "Boolean";
    if (strcmp(scalar->text, "null") == 0)
        return "null";
    return is_json_number(scalar->text, scalar->len) ? "number" : NULL;
}

void conf_write_json(struct buf *out, const struct conf *c)
{
    if (c->kind == CONF_SCALAR) {
        if (conf_plain_type(c))
            buf_put(out, c->text, c->len);
        else
            json_write_string(out, c->text, c->len);
        return;
    }
    buf_putc(out, c->kind == CONF_MAP ? '{' : '[');
    for (size_t i = 0; i < c->count; i++) {
        if (i)
            buf_putc(out, ',');
        if (c->kind == CONF_MAP) {
            json_write_string(out, c->keys[i]->text, c->keys[i]->len);
            buf_putc(out, ':');
        }
        conf_write_json(out, c->items[i]);
    }
    buf_putc(out, c->kind == CONF_MAP ? '}' : ']');
}
