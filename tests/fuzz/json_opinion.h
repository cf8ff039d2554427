/* SPDX-License-Identifier: Apache-2.0 */
/* What jansson makes of a JSON text. Behind a seam of its own, since its header and the reader's share names. */
#ifndef SLUICE_TESTS_JSON_OPINION_H
#define SLUICE_TESTS_JSON_OPINION_H

#include <stdbool.h>
#include <stddef.h>

enum opinion {
    OPINION_ACCEPTED,
    OPINION_REFUSED,
    OPINION_NONE, /* it stopped at something that JSON allows and it cannot hold: 65-bit integers, lone surrogates … */
};
enum opinion_kind {
    OPINION_NULL,
    OPINION_FALSE,
    OPINION_TRUE,
    OPINION_INT,
    OPINION_REAL,
    OPINION_STRING,
    OPINION_ARRAY,
    OPINION_OBJECT
};

struct opinion_value; /* borrowed from the root */

/* *root: owned, NULL unless accepted. */
enum opinion opinion_read(const char *text, size_t len, struct opinion_value **root);
void opinion_free(struct opinion_value *root);

enum opinion_kind opinion_kind_of(const struct opinion_value *v);
long long opinion_int(const struct opinion_value *v);
double opinion_real(const struct opinion_value *v);
const char *opinion_string(const struct opinion_value *v, size_t *len);
size_t opinion_count(const struct opinion_value *v); /* elements, or members of different names */
const struct opinion_value *opinion_element(const struct opinion_value *v, size_t i);
const struct opinion_value *opinion_member(const struct opinion_value *v, const char *key, size_t len);

#endif
