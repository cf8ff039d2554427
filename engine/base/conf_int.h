/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration trees, shared by the readers (conf_yaml.c, conf_json.c) and conf.c.
 *
 * A tree and all its text live in one arena, so it is freed at once whatever its depth. The readers build bottom-up:
 * they push finished children on a stack, and closing a container moves the topmost ones into an array of its own.
 *
 *     stack   … | key value key value |        build_close(map, 4) leaves  … | (map pushed by the parent's reader)
 */
#ifndef SLUICE_BASE_CONF_INT_H
#define SLUICE_BASE_CONF_INT_H

#include "engine/base/arena.h"
#include "engine/base/conf.h"

#define CONF_MAX_MEMORY ((size_t)1 << 30) /* of one tree */

struct conf_tree {
    struct conf root; /* first, so that a root leads back to its tree */
    struct arena mem;
};

struct conf_build {
    struct arena *mem;
    struct src *src;
    struct errs *errs;
    struct conf **stack;
    size_t depth, cap;
};

/* Report that memory, or the bound of a tree, is used up. Returns NULL. */
struct conf *conf_build_no_room(struct conf_build *b, struct span at);
/* A new node, or NULL after reporting. */
struct conf *conf_build_node(struct conf_build *b, enum conf_kind kind, struct span at) MUST_CHECK;
/* A new scalar with a copy of the text, or NULL after reporting. */
struct conf *conf_build_scalar(struct conf_build *b, struct span at, const char *text, size_t len) MUST_CHECK;
int conf_build_push(struct conf_build *b, struct conf *node) MUST_CHECK;
/* Move what was pushed since the stack had `depth` entries into the container; in a map, keys and values in turn. Reports
 * duplicate keys. */
int conf_build_close(struct conf_build *b, struct conf *container, size_t depth) MUST_CHECK;

/* The two readers: the root in the arena of b, or NULL after reporting. */
struct conf *conf_read_yaml(struct conf_build *b) MUST_CHECK;
struct conf *conf_read_json(struct conf_build *b) MUST_CHECK;

/* The bytes of a file of at most max bytes, appended to out. */
int conf_read_file(const char *path, size_t max, struct buf *out, struct err *e) MUST_CHECK;

#endif
