/* SPDX-License-Identifier: Apache-2.0 */
/* What is logged between two instants, in the person's form. At most what a pipe holds (64 KiB). One at a time. */
#ifndef SLUICE_TEST_LOG_CAPTURE_H
#define SLUICE_TEST_LOG_CAPTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "engine/base/log.h"

struct log_capture {
    int fds[2];
    char text[1 << 16];
};

static inline void log_capture_begin(struct log_capture *c, enum log_level level)
{
    assert_int_equal(pipe(c->fds), 0);
    log_setup(c->fds[1], level, LOG_FORM_PERSON);
}

/* Returns the lines, borrowed from c. Then nothing is logged. */
static inline const char *log_capture_end(struct log_capture *c)
{
    log_setup(STDERR_FILENO, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    close(c->fds[1]);
    ssize_t n = read(c->fds[0], c->text, sizeof(c->text) - 1);
    assert_true(n >= 0);
    c->text[n] = '\0';
    close(c->fds[0]);
    return c->text;
}

#endif
