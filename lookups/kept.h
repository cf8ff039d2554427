/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are kept for a while, by their question: secrets and descriptor sets. Least recently used ones make room.
 * Wiped when they go. Thread: any. */
#ifndef SLUICE_LOOKUPS_KEPT_H
#define SLUICE_LOOKUPS_KEPT_H

#include "sluice/lookup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEPT_MAX ((size_t)256) /* answers */

struct kept;

struct kept *kept_new(void); /* owned; NULL: memory */
void kept_free(struct kept *k);

/* A copy of the answer, if there is one that has not run out. True: *text (from malloc, the caller's) and *len. now_ms:
 * monotonic. */
bool kept_find(struct kept *k, const struct lookup_question *q, uint64_t now_ms, char **text, size_t *len);
/* Keep it until then, in place of what was there. Without memory it is not kept. */
void kept_add(struct kept *k, const struct lookup_question *q, uint64_t until_ms, const char *text, size_t len);

#endif
