/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords wait in line for a thread of their own.
 *
 * A check is slow on purpose (0.1 ms as `sluice passwd` makes them, up to 100 ms as a file may ask), and the server's thread must go on
 * answering others. Each request has one check at most, so the server's connections bound the line. */
#ifndef SLUICE_ADMIN_PASSWORD_LINE_H
#define SLUICE_ADMIN_PASSWORD_LINE_H

#include "engine/admin/admin.h"
#include "engine/flow/queue.h"

struct password_line;

/* What waits; from password_line_add until done it belongs to the line. */
struct password_check {
    struct queue_link link;      /* first */
    const char *name, *password; /* borrowed until done */
    size_t name_len, password_len;
    bool fits;                                  /* the answer; false also when the line ended before */
    void (*done)(struct password_check *check); /* it is the caller's again. Thread: the line's, or that of the end */
};

/* Starts the thread. max: how many may wait. Returns owned; NULL: e says why. */
struct password_line *password_line_new(admin_password_fits *fits, void *fits_ctx, size_t max,
                                        struct err *e) MUST_CHECK;
/* False: the line is full or has ended; the check stays the caller's. Thread: any. */
bool password_line_add(struct password_line *l, struct password_check *check) MUST_CHECK;
/* Take no more; who waits is told that it does not fit. Returns when nobody waits. May come twice; NULL is allowed. Thread: control. */
void password_line_end(struct password_line *l);
void password_line_free(struct password_line *l); /* after the last password_line_add */

#endif
