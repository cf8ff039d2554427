/* SPDX-License-Identifier: Apache-2.0 */
/* Source text: a named, immutable piece of text that spans point into.
 *
 * A text may lie inside another: the SQL of a rule inside a YAML file. Then `outer` says where, and an error in the
 * SQL is shown at its place in the file:
 *
 *     rules/overheat.yaml:3:8: error: unknown function "clientident"
 *
 * Lines, columns and carets are computed only when an error is printed. */
#ifndef SLUICE_BASE_SRC_H
#define SLUICE_BASE_SRC_H

#include <stddef.h>
#include <stdint.h>

/* A stretch of source text: byte offset and length. `src` is NULL when no text is involved; it is borrowed unless the
 * holder says otherwise. */
struct span {
    const struct src *src;
    uint32_t off, len;
};

/* How the lines of an inner text lie in the outer one. */
enum src_fit {
    SRC_ALONE,  /* no outer text */
    SRC_EXACT,  /* line k of the inner text is line (line of `at`) + k of the outer, moved right by `indent` bytes */
    SRC_INSIDE, /* somewhere at `at`; positions do not map (folded or escaped scalar) */
};

struct src {
    unsigned refs; /* changed with atomic operations by src_ref and src_unref only */
    char *name;    /* file name as the user gave it, or "<sql>", "<standard input>" */
    char *text;    /* NUL-terminated for convenience; may hold NULs */
    size_t len;
    enum src_fit fit;
    struct span at;  /* where the inner text begins in the outer one (holds a reference to at.src) */
    uint32_t indent; /* bytes of indentation that SRC_EXACT took from each line after the first */
};

/* Copies name and text. Returns owned, or NULL when memory is short. */
struct src *src_new(const char *name, const char *text, size_t len);

/* A text taken out of another one at `at`; refers to at.src. Returns owned, or NULL when memory is short. */
struct src *src_new_inner(const char *text, size_t len, struct span at, enum src_fit fit, uint32_t indent);

struct src *src_ref(const struct src *src);
void src_unref(const struct src *src);

/* Where a position is: line and column count from 1, columns in characters (UTF-8 code points). */
struct src_place {
    const struct src *src; /* the text that line and column refer to: the outermost one that maps exactly */
    uint32_t off;          /* byte offset in it */
    uint32_t line, column;
    size_t line_off, line_len; /* the whole line, without its line end */
};

/* Find the place of a byte offset. The end of a text (or anything behind it) is placed behind its last line that is not
 * empty. O(offset). */
struct src_place src_place_of(const struct src *src, uint32_t off);

/* The offset in the outermost text, as an empty span: exact, or where the inner text begins if it does not map. For
 * ordering. O(length of the inner texts). */
struct span src_outermost(const struct src *src, uint32_t off);

#endif
