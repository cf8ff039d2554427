/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file in memory. */
#ifndef SLUICE_APP_READ_FILE_H
#define SLUICE_APP_READ_FILE_H

#include "engine/base/err.h"

#define READ_FILE_MAX ((size_t)1 << 30)

/* Owned, NUL-terminated bytes of a file, or NULL (ERR_IO with path and reason). */
char *read_file(const char *path, size_t *len, struct err *e) MUST_CHECK;
/* The same of standard input, up to its end. */
char *read_stdin(size_t *len, struct err *e) MUST_CHECK;

#endif
