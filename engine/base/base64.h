/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with the standard alphabet and padding (RFC 4648 section 4). */
#ifndef SLUICE_BASE_BASE64_H
#define SLUICE_BASE_BASE64_H

#include "engine/base/buf.h"

#include <stdbool.h>

void base64_encode(struct buf *out, const void *p, size_t len);
/* Appends the decoded bytes. False (nothing appended) when the text is not base64: wrong characters, length or padding. */
bool base64_decode(struct buf *out, const char *s, size_t len) MUST_CHECK;

#endif
