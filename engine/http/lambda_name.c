/* SPDX-License-Identifier: Apache-2.0 */
/* What stands before ":function:" says where the function is on AWS. Here the connection says it, so account and region
 * are checked for their form only. */
#include "engine/http/lambda_name.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_CHARS      64
#define QUALIFIER_MAX_CHARS 128
#define PREFIX_PARTS        5 /* arn:aws:lambda:REGION:ACCOUNT */

static bool is_word(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char lower = p[i] | 0x20;
        bool alnum = (p[i] >= '0' && p[i] <= '9') || (lower >= 'a' && lower <= 'z');
        if (!alnum && p[i] != '-' && p[i] != '_')
            return false;
    }
    return len > 0;
}

static bool is_part(const char *p, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(p, text, len) == 0;
}

/* "123456789012" or "arn:PARTITION:lambda:REGION:123456789012" */
static bool is_prefix(const char *p, size_t len)
{
    size_t parts = 0;
    bool ok = true;
    for (size_t start = 0, i = 0; i <= len; i++) {
        if (i < len && p[i] != ':')
            continue;
        parts++;
        ok = ok && is_word(p + start, i - start);
        ok = ok && (parts != 3 || is_part(p + start, i - start, "lambda"));
        start = i + 1;
    }
    bool is_arn = len > 4 && memcmp(p, "arn:", 4) == 0;
    return ok && parts == (is_arn ? PREFIX_PARTS : 1);
}

int lambda_name_split(struct lambda_name *n, const char *text, size_t len, struct err *e)
{
    static const char mark[] = ":function:";
    const char *function = memmem(text, len, mark, sizeof(mark) - 1);
    const char *name = function ? function + sizeof(mark) - 1 : text;
    if (function && !is_prefix(text, (size_t)(function - text)))
        return err_set(e, ERR_TEMPLATE,
                       "the function's ARN is not of the form arn:aws:lambda:REGION:ACCOUNT:function:NAME");
    size_t rest = (size_t)(text + len - name);
    const char *colon = memchr(name, ':', rest);
    *n = (struct lambda_name) { .name = name, .name_len = colon ? (size_t)(colon - name) : rest, .qualifier = "" };
    if (!is_word(n->name, n->name_len) || n->name_len > NAME_MAX_CHARS)
        return err_set(e, ERR_TEMPLATE, "the function's name must have 1 to %d letters, digits, \"-\" and \"_\"",
                       NAME_MAX_CHARS);
    if (!colon)
        return 0;
    n->qualifier = colon + 1;
    n->qualifier_len = rest - n->name_len - 1;
    bool latest = is_part(n->qualifier, n->qualifier_len, "$LATEST");
    if (!latest && (!is_word(n->qualifier, n->qualifier_len) || n->qualifier_len > QUALIFIER_MAX_CHARS))
        return err_set(e, ERR_TEMPLATE, "the function's version or alias must have letters, digits, \"-\" and \"_\"");
    return 0;
}

void lambda_name_url(const struct lambda_name *n, const char *endpoint, struct buf *out)
{
    bool latest = n->qualifier_len > 0 && n->qualifier[0] == '$';
    buf_printf(out, "%s/2015-03-31/functions/%.*s/invocations", endpoint, (int)n->name_len, n->name);
    if (n->qualifier_len > 0)
        buf_printf(out, "?Qualifier=%s%.*s", latest ? "%24" : "", (int)n->qualifier_len - latest,
                   n->qualifier + latest);
}
