/* SPDX-License-Identifier: Apache-2.0 */
/* Results of `sluice test`: failures as they come, a summary line, JUnit XML. */
#ifndef SLUICE_APP_TEST_REPORT_H
#define SLUICE_APP_TEST_REPORT_H

#include "engine/base/buf.h"

struct test_report {
    unsigned passed, failed;
    struct buf junit; /* <testcase> elements so far */
};

void test_report_init(struct test_report *r);
void test_report_clear(struct test_report *r);
void test_report_pass(struct test_report *r, const char *file, const char *id);
/* Prints `file:line: id: why` and the details on standard output. why may be NULL. */
void test_report_fail(struct test_report *r, const char *file, unsigned line, const char *id, const char *why,
                      const char *details);
/* Prints `N passed, N failed`. */
void test_report_summary(const struct test_report *r);
/* Writes the JUnit file; -1 with errno set. */
int test_report_write_junit(const struct test_report *r, const char *path);

#endif
