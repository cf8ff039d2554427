/* SPDX-License-Identifier: Apache-2.0 */
/* Source texts and the way from a byte offset to a line and a column.
 *
 * Nothing is indexed beforehand: most texts are never complained about, so lines are counted when an error is printed.
 * A position inside an inner text is first moved to the outer one, line by line, as long as the texts fit exactly. */
#include "engine/base/src.h"

#include "engine/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static struct src *src_alloc(const char *text, size_t len)
{
    if (len >= UINT32_MAX) /* offsets are 32 bits */
        return NULL;
    struct src *src = calloc(1, sizeof(*src));
    if (!src)
        return NULL;
    src->refs = 1;
    src->len = len;
    src->text = malloc(len + 1);
    if (!src->text) {
        free(src);
        return NULL;
    }
    if (len)
        memcpy(src->text, text, len);
    src->text[len] = '\0';
    return src;
}

struct src *src_new(const char *name, const char *text, size_t len)
{
    struct src *src = src_alloc(text, len);
    if (!src)
        return NULL;
    src->name = strdup(name);
    if (!src->name) {
        src_unref(src);
        return NULL;
    }
    return src;
}

struct src *src_new_inner(const char *text, size_t len, struct span at, enum src_fit fit, uint32_t indent)
{
    struct src *src = src_new(at.src ? at.src->name : "", text, len);
    if (!src || !at.src)
        return src;
    src->fit = fit;
    src->at = at;
    src_ref(at.src);
    src->indent = indent;
    return src;
}

struct src *src_ref(const struct src *src)
{
    struct src *s = (struct src *)src;
    if (s)
        __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void src_unref(const struct src *src)
{
    struct src *s = (struct src *)src;
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    src_unref(s->at.src);
    free(s->name);
    free(s->text);
    free(s);
}

/* The end of a text that ends with line ends is shown behind its last line, not on an empty line of its own. */
static uint32_t visible_offset(const struct src *src, uint32_t off)
{
    if (off < src->len)
        return off;
    size_t end = src->len;
    while (end > 0 && (src->text[end - 1] == '\n' || src->text[end - 1] == '\r'))
        end--;
    return (uint32_t)end;
}

/* Start of the line that `off` lies on; *line is raised by the number of line ends passed. */
static size_t line_start(const char *text, size_t off, uint32_t *line)
{
    size_t start = 0;
    for (const char *nl; (nl = memchr(text + start, '\n', off - start)) != NULL;) {
        start = (size_t)(nl - text) + 1;
        (*line)++;
    }
    return start;
}

static size_t line_end(const char *text, size_t len, size_t start)
{
    const char *nl = memchr(text + start, '\n', len - start);
    size_t end = nl ? (size_t)(nl - text) : len;
    return end > start && text[end - 1] == '\r' ? end - 1 : end;
}

/* Byte offset in the outer text of an offset in an inner text that fits exactly. */
static uint32_t exact_offset(const struct src *src, uint32_t off)
{
    const struct src *outer = src->at.src;
    uint32_t lines = 0;
    size_t start = line_start(src->text, off, &lines);
    if (lines == 0)
        return src->at.off + off;
    size_t pos = src->at.off;
    for (uint32_t k = 0; k < lines; k++) {
        const char *nl = memchr(outer->text + pos, '\n', outer->len - pos);
        if (!nl)
            return (uint32_t)outer->len;
        pos = (size_t)(nl - outer->text) + 1;
    }
    size_t end = line_end(outer->text, outer->len, pos);
    size_t at = pos + src->indent + (off - start);
    return (uint32_t)(at < end ? at : end); /* blank lines may lack the indentation */
}

struct span src_outermost(const struct src *src, uint32_t off)
{
    while (src->fit != SRC_ALONE) {
        off = src->fit == SRC_EXACT ? exact_offset(src, visible_offset(src, off)) : src->at.off;
        src = src->at.src;
    }
    return (struct span) { .src = src, .off = off };
}

struct src_place src_place_of(const struct src *src, uint32_t off)
{
    off = visible_offset(src, off);
    while (src->fit == SRC_EXACT) {
        off = exact_offset(src, off);
        src = src->at.src;
        off = visible_offset(src, off);
    }
    struct src_place place = { .src = src, .off = off, .line = 1 };
    place.line_off = line_start(src->text, off, &place.line);
    place.line_len = line_end(src->text, src->len, place.line_off) - place.line_off;
    size_t before = off - place.line_off < place.line_len ? off - place.line_off : place.line_len;
    place.column = 1 + (uint32_t)utf8_count(src->text + place.line_off, before);
    return place;
}
