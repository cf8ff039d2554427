/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges, the first that fits. For any server: what it says about itself or the moment is later, what it says about the
 * request is for ever. The Lambda API is known better: 403 means credentials or permissions, which can be repaired, and
 * 409 a function that is being changed (ResourceConflictException). */
#include "actions/http_code.h"

#include <stddef.h>

struct range {
    int from, to;
    enum http_verdict verdict;
};

static const struct range http_ranges[] = {
    { 200, 299, HTTP_DONE },  { 408, 408, HTTP_LATER },    { 425, 425, HTTP_LATER },
    { 429, 429, HTTP_LATER }, { 300, 499, HTTP_REJECTED }, { 0, 999, HTTP_LATER },
};

static const struct range lambda_ranges[] = {
    { 200, 299, HTTP_DONE },     { 401, 401, HTTP_MISCONFIGURED }, { 403, 403, HTTP_MISCONFIGURED },
    { 408, 409, HTTP_LATER },    { 425, 425, HTTP_LATER },         { 429, 429, HTTP_LATER },
    { 300, 499, HTTP_REJECTED }, { 0, 999, HTTP_LATER },
};

static enum http_verdict find(const struct range *ranges, size_t count, int status)
{
    for (size_t i = 0; i < count; i++) {
        if (status >= ranges[i].from && status <= ranges[i].to)
            return ranges[i].verdict;
    }
    return HTTP_LATER;
}

enum http_verdict http_status_verdict(int status)
{
    return find(http_ranges, sizeof(http_ranges) / sizeof(http_ranges[0]), status);
}

enum http_verdict lambda_status_verdict(int status)
{
    return find(lambda_ranges, sizeof(lambda_ranges) / sizeof(lambda_ranges[0]), status);
}
