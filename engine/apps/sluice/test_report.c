/* SPDX-License-Identifier: Apache-2.0 */
/* Results of `sluice test`. JUnit's form is the one that Jenkins, GitLab and GitHub's reporters read: one <testsuite>, one <testcase> a
 * case with the file as class name, <failure> inside. */
#include "engine/apps/sluice/test_report.h"

#include <stdio.h>

#define JUNIT_MAX ((size_t)1 << 30)

void test_report_init(struct test_report *r)
{
    *r = (struct test_report) { 0 };
    buf_init(&r->junit, JUNIT_MAX);
}

void test_report_clear(struct test_report *r)
{
    buf_clear(&r->junit);
}

/* XML 1.0 has no way to write most control characters: they become "?". */
static void put_xml(struct buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '<')
            buf_puts(b, "&lt;");
        else if (c == '>')
            buf_puts(b, "&gt;");
        else if (c == '&')
            buf_puts(b, "&amp;");
        else if (c == '"')
            buf_puts(b, "&quot;");
        else if (c < 0x20 && c != '\n' && c != '\t')
            buf_putc(b, '?');
        else
            buf_putc(b, *s);
    }
}

static void put_testcase(struct test_report *r, const char *file, const char *id)
{
    buf_puts(&r->junit, "  <testcase classname=\"");
    put_xml(&r->junit, file);
    buf_puts(&r->junit, "\" name=\"");
    put_xml(&r->junit, id);
}

void test_report_pass(struct test_report *r, const char *file, const char *id)
{
    r->passed++;
    put_testcase(r, file, id);
    buf_puts(&r->junit, "\"/>\n");
}

void test_report_fail(struct test_report *r, const char *file, unsigned line, const char *id, const char *why,
                      const char *details)
{
    r->failed++;
    printf("%s:%u: %s%s%s\n%s", file, line, id, why ? ": " : "", why ? why : "", details);
    put_testcase(r, file, id);
    buf_puts(&r->junit, "\">\n    <failure message=\"");
    put_xml(&r->junit, why ? why : id);
    buf_puts(&r->junit, "\">");
    put_xml(&r->junit, details);
    buf_puts(&r->junit, "</failure>\n  </testcase>\n");
}

void test_report_summary(const struct test_report *r)
{
    printf("%u passed, %u failed\n", r->passed, r->failed);
}

int test_report_write_junit(const struct test_report *r, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"sluice\" tests=\"%u\" failures=\"%u\">\n",
            r->passed + r->failed, r->failed);
    if (r->junit.len)
        fwrite(r->junit.p, 1, r->junit.len, f);
    fputs("</testsuite>\n", f);
    int bad = ferror(f);
    return fclose(f) == 0 && !bad ? 0 : -1;
}
