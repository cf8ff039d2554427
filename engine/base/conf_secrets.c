/* SPDX-License-Identifier: Apache-2.0 */
/* `${env:NAME}` and `${file:PATH}` in the service's configuration.
 *
 * A replaced scalar counts as quoted: a password that reads "null" stays a text. What was put in is not looked at again,
 * and errors name the variable or file, never its contents. Any other `${…}` is left alone. */
#include "engine/base/conf_int.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/path.h"

#define SECRET_MAX      ((size_t)64 << 10) /* bytes of one file */
#define FILLED_MAX      ((size_t)1 << 20)  /* bytes of one scalar after filling */
#define SECRET_NAME_MAX 4096

static const char env_mark[] = "${env:", file_mark[] = "${file:";

/* The mark in the file if it can be found there (it cannot after escapes), else the whole scalar. */
static struct span place_of_mark(const struct conf *c, const char *mark, size_t len)
{
    const char *text = c->at.src->text + c->at.off;
    const char *found = memmem(text, c->at.len, mark, len);
    if (!found)
        return c->at;
    return (struct span) { .src = c->at.src, .off = c->at.off + (uint32_t)(found - text), .len = (uint32_t)len };
}

static int fill_env(struct buf *out, const char *name, struct err *e)
{
    const char *value = getenv(name);
    if (!value)
        return err_set(e, ERR_CONF_NAME, "the environment variable \"%s\" is not set", name);
    buf_puts(out, value);
    return 0;
}

/* The path is relative to the folder of the file that names it. */
static int fill_file(struct buf *out, const struct conf *c, const char *name, struct err *e)
{
    char *folder = path_folder(c->at.src->name), *path = folder ? path_below(folder, name) : NULL;
    struct buf content;
    buf_init(&content, SECRET_MAX + ((size_t)64 << 10));
    int rc = path ? conf_read_file(path, SECRET_MAX, &content, e)
                  : err_set(e, ERR_MEMORY, "not enough memory to read a file");
    free(folder);
    free(path);
    size_t len = content.len;
    if (rc == 0 && len > 0 && content.p[len - 1] == '\n')
        len -= len > 1 && content.p[len - 2] == '\r' ? 2 : 1;
    if (rc == 0)
        buf_put(out, content.p, len);
    if (content.p)
        explicit_bzero(content.p, content.cap);
    buf_clear(&content);
    return rc;
}

/* Fill one mark of len bytes, braces included. */
static int fill_mark(struct buf *out, const struct conf *c, const char *mark, size_t len, bool env, struct err *e)
{
    size_t prefix = (env ? sizeof(env_mark) : sizeof(file_mark)) - 1, name_len = len - prefix - 1;
    char name[SECRET_NAME_MAX + 1];
    if (name_len == 0)
        return err_set(e, ERR_CONF_VALUE, "\"%.*s\" names no %s", (int)len, mark,
                       env ? "environment variable" : "file");
    if (name_len > SECRET_NAME_MAX || memchr(mark, '\0', len))
        return err_set(e, ERR_CONF_VALUE, "this is not a usable %s", env ? "name of an environment variable" : "path");
    memcpy(name, mark + prefix, name_len);
    name[name_len] = '\0';
    return env ? fill_env(out, name, e) : fill_file(out, c, name, e);
}

static const char *next_mark(const char *s, const char *end, bool *env)
{
    for (; (s = memmem(s, (size_t)(end - s), "${", 2)) != NULL; s += 2) {
        *env = strncmp(s, env_mark, sizeof(env_mark) - 1) == 0;
        if (*env || strncmp(s, file_mark, sizeof(file_mark) - 1) == 0)
            return s;
    }
    return NULL;
}

/* Append the filled text; errors go to errs, and filling goes on behind them. Returns the number of marks. */
static size_t fill_text(struct conf *c, struct buf *out, struct errs *errs)
{
    const char *s = c->text, *end = c->text + c->len;
    size_t marks = 0;
    bool env;
    for (const char *mark; (mark = next_mark(s, end, &env)) != NULL; marks++) {
        buf_put(out, s, (size_t)(mark - s));
        const char *close = memchr(mark, '}', (size_t)(end - mark));
        size_t len = (size_t)((close ? close + 1 : end) - mark);
        struct err e = { 0 };
        int rc = close ? fill_mark(out, c, mark, len, env, &e)
                       : err_set(&e, ERR_CONF_VALUE, "the \"}\" that ends this substitution is missing");
        if (rc < 0) {
            e.at = place_of_mark(c, mark, len);
            c->unusable = true;
            errs_take(errs, &e);
        }
        s = mark + len;
    }
    buf_put(out, s, (size_t)(end - s));
    return marks;
}

static void fill_scalar(struct arena *mem, struct conf *c, struct errs *errs)
{
    struct buf filled;
    buf_init(&filled, FILLED_MAX);
    if (fill_text(c, &filled, errs) > 0) {
        char *text = filled.failed ? NULL : arena_strndup(mem, filled.p, filled.len);
        if (text) {
            c->text = text;
            c->len = filled.len;
            c->style = CONF_QUOTED;
            c->is_filled = true;
        } else {
            errs_add(errs, SEV_ERROR, ERR_LIMIT, c->at, "the filled text is longer than %zu bytes", FILLED_MAX);
        }
    }
    if (filled.p)
        explicit_bzero(filled.p, filled.cap);
    buf_clear(&filled);
}

static void fill_node(struct arena *mem, struct conf *c, struct errs *errs)
{
    if (c->kind == CONF_SCALAR && c->len > 0)
        fill_scalar(mem, c, errs);
    for (size_t i = 0; i < c->count; i++)
        fill_node(mem, c->items[i], errs);
}

int conf_fill_secrets(struct conf *root, struct errs *errs)
{
    size_t errors = errs->errors;
    fill_node(&((struct conf_tree *)root)->mem, root, errs);
    return errs->errors > errors ? -1 : 0;
}
