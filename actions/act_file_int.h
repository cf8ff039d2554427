/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the file action that tests look at. */
#ifndef SLUICE_ACTIONS_ACT_FILE_INT_H
#define SLUICE_ACTIONS_ACT_FILE_INT_H

#include "engine/base/err.h"
#include "sluice/action.h"

#include <stdbool.h>
#include <stddef.h>

#define FILE_OPEN_MAX 64 /* files that a lane keeps open; the one not used longest is closed */

enum file_verdict { FILE_LATER, FILE_MISCONFIGURED, FILE_REJECTED };

/* What a failure (an errno value or APPEND_NOT_REGULAR) means. by_message: the path comes out of a template, so a
 * path that cannot be used is the message's fault. */
enum file_verdict file_verdict_of(int failure, bool by_message);

/* A usable rendered path. The first constant_len bytes were written by the author of the rule; only they may begin
 * with `/` or hold a `..` segment. ERR_TEMPLATE. */
int file_path_check(const struct act_text *path, size_t constant_len, struct err *e) MUST_CHECK;

#endif
