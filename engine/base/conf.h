/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration tree: what a YAML or JSON file says, with the place of every key and value.
 *
 * YAML comes through libyaml, `.json` through our reader. Anchors, aliases, tags and several documents in a file are
 * refused; duplicate keys are errors. Scalars keep their text: types are a matter of the option tables (opt.h). */
#ifndef SLUICE_BASE_CONF_H
#define SLUICE_BASE_CONF_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/src.h"

#include <stdbool.h>
#include <stddef.h>

enum conf_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };
enum conf_style { CONF_PLAIN, CONF_QUOTED, CONF_LITERAL, CONF_FOLDED }; /* of scalars; JSON strings are CONF_QUOTED */

#define CONF_MAX_DEPTH 64
#define CONF_MAX_BYTES ((size_t)16 << 20)

struct conf {
    enum conf_kind kind;
    enum conf_style style;
    bool unusable;  /* scalar: an error about its text is given, another one would only repeat it */
    bool is_filled; /* scalar: some of its text came from `${env:…}` or `${file:…}`, and may be a secret */
    struct span at; /* of the value in the file; of a literal block, from its indicator to its last byte */
    char *text;     /* scalar: its value, NUL-terminated */
    size_t len;
    struct conf **items; /* list: elements; map: values */
    struct conf **keys;  /* map: scalars; NULL in lists */
    size_t count;
};

/* Parse a text. Returns owned (conf_free), or NULL after adding to errs. json: JSON instead of YAML. An empty YAML text
 * is an empty map. The tree holds a reference to src. */
struct conf *conf_parse(struct src *src, bool json, struct errs *errs) MUST_CHECK;
/* Read and parse a file; names ending in ".json" are JSON. */
struct conf *conf_load(const char *path, struct errs *errs) MUST_CHECK;
/* The same, but what reading can go on behind (a duplicate key, a second document, an alias) leaves the tree: its owner can look for
 * more mistakes, and must see by errs that it is not to be used. */
struct conf *conf_load_partly(const char *path, struct errs *errs) MUST_CHECK;
void conf_free(struct conf *root);

/* Member of a map by name, or NULL. */
struct conf *conf_get(const struct conf *map, const char *name);
/* "map", "list", "text", for error texts. */
const char *conf_kind_name(const struct conf *c);
/* True for a plain scalar that is empty, `~` or `null`. */
bool conf_is_null(const struct conf *c);
/* A plain scalar that is a JSON number, true, false or null: "number", "Boolean" or "null"; NULL for a text, as the others are. */
const char *conf_plain_type(const struct conf *scalar);

/* The scalar as a source text of its own, for the SQL of a rule: maps positions exactly for literal blocks and for
 * one-line scalars without escapes (SRC_EXACT), otherwise SRC_INSIDE. Returns owned, or NULL when memory is short. */
struct src *conf_text_src(const struct conf *scalar) MUST_CHECK;

/* Write a conf value as JSON: in a YAML plain scalar a JSON number, true, false or null keeps its text; any other scalar is a
 * string. This is how `tests:` payloads in rule files are read. */
void conf_write_json(struct buf *out, const struct conf *c);

/* Replace `${env:NAME}` and `${file:PATH}` in every scalar value of the tree (sluice.yaml only). A missing variable or file is
 * an error at its place, and makes the scalar unusable. The text read from a file loses one trailing line end. */
int conf_fill_secrets(struct conf *root, struct errs *errs);

#endif
