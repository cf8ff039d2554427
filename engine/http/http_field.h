/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields as rules and connections write them: which names and values are allowed, and the two forms of a list of
 * them, AWS's [{ key: x-site, value: "7" }] and a map { x-site: "7" }. */
#ifndef SLUICE_HTTP_HTTP_FIELD_H
#define SLUICE_HTTP_HTTP_FIELD_H

#include "engine/base/conf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_FIELDS_MAX      100 /* as on AWS */
#define HTTP_FIELD_NAME_MAX  256
#define HTTP_FIELD_VALUE_MAX 65536 /* bytes; servers end at 8 to 64 KiB */

/* Checks leave a clause in e: ERR_TEMPLATE. A value has at most HTTP_FIELD_VALUE_MAX bytes and may hold everything but control
 * characters (RFC 9110 section 5.5); a tab counts as none. Nothing of a value is shown. */
int http_field_check_value(const char *name, const char *p, size_t len, struct err *e) MUST_CHECK;

/* Both scalars; the name was checked. 0, or -1 after adding to errs. */
typedef int http_field_taker(void *ctx, const struct conf *name, const struct conf *value, struct errs *errs);

/* Read the option `headers` (NULL: none) and hand each field to take. 0, or -1 after adding to errs. */
int http_fields_read(const struct conf *c, http_field_taker *take, void *ctx, struct errs *errs) MUST_CHECK;

#endif
