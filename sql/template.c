/* SPDX-License-Identifier: Apache-2.0 */
/* Templates are split by the lexer, not by looking for a `}`: strings and object literals inside may hold one. A
 * `$` that no `{` follows is text. */
#include "sql/template.h"

#include <string.h>

#include "sql/parse.h"

/* Where the next `${` is, or the end. */
static uint32_t find_opening(const struct src *src, uint32_t off)
{
    const char *found = off < src->len ? strstr(src->text + off, "${") : NULL;
    return found ? (uint32_t)(found - src->text) : (uint32_t)src->len;
}

static struct template_piece *text_piece(const struct src *src, uint32_t off, uint32_t end, struct arena *a)
{
    struct template_piece *piece = arena_zalloc(a, sizeof(*piece));
    if (!piece)
        return NULL;
    piece->text = src->text + off;
    piece->len = end - off;
    piece->at = (struct span) { .src = src, .off = off, .len = end - off };
    return piece;
}

static struct template_piece *expr_piece(const struct src *src, uint32_t *off, struct arena *a, struct errs *errs)
{
    struct template_piece *piece = arena_zalloc(a, sizeof(*piece));
    uint32_t from = *off;
    *off += 2;
    if (!piece)
        return NULL;
    piece->expr = parse_embedded(src, off, a, errs);
    piece->at = (struct span) { .src = src, .off = from, .len = *off - from };
    return piece->expr ? piece : NULL;
}

struct template_piece *template_split(const struct src *src, struct arena *a, struct errs *errs)
{
    struct template_piece *first = NULL, **tail = &first;
    uint32_t off = 0;
    do {
        uint32_t opening = find_opening(src, off);
        if (opening > off || opening == src->len) {
            *tail = text_piece(src, off, opening, a);
            off = opening;
        } else {
            *tail = expr_piece(src, &off, a, errs);
        }
        if (!*tail) {
            errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { .src = src },
                     "no memory for the tree of the template");
            return NULL;
        }
        tail = &(*tail)->next;
    } while (off < src->len);
    return first;
}
